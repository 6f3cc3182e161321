"""Without kernels: the reference's gradient, in as many operations for every n."""

from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import cdg_torch
from cdg_theory import certify
from cdg_theory.discrete.blocked import Products, multiply
from cdg_theory.proofs.rounding.block_products import products_of_moduli, roundings
from cdg_torch import Metric
from cdg_torch.solve import blocked
from tests.tools.kernel_cases import CURVED, MEMBERS

# The last one shows what the mean's rounding leaves, a thousand times as large.
METRICS = {**MEMBERS, **CURVED, "light H⁰": Metric(1.0, 1e-3, 0.0)}


class Counted(TorchDispatchMode):
    """Counts torch's operations."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


def operations(metric, n, columns=4) -> int:
    g = torch.randn(n, columns)
    with cdg_torch.backend("torch"):
        cdg_torch.riemannian_gradients_([g.clone()], metric)  # its matrices are made once
        with Counted() as counted:
            cdg_torch.riemannian_gradients_([g], metric)
    return counted.count


@pytest.mark.parametrize("name", METRICS)
def test_operations_do_not_depend_on_n(name) -> None:
    assert operations(METRICS[name], 128) == operations(METRICS[name], 4096) > 0
    assert operations(METRICS[name], 127) == operations(METRICS[name], 1000)
    assert operations(METRICS[name], 2) == operations(METRICS[name], 64)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("n", [1, 2, 7, 64, 65, 80, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_it_is_the_references_gradient(name, n, dtype) -> None:
    torch.manual_seed(n)
    g = torch.randn(3, 2 * n, 5, dtype=dtype)
    with cdg_torch.backend("reference"):
        expected = cdg_torch.riemannian_gradient(g, METRICS[name], dim=1, groups=2)
    with cdg_torch.backend("torch"):
        k = cdg_torch.riemannian_gradient(g, METRICS[name], dim=1, groups=2)
    # In float32 one rounding apart. In float64 each is within 8n units in the last place of the
    # largest entry, the figure of `cdg verify` for normal deviates.
    scale = torch.finfo(dtype).eps * expected.abs().amax(1, keepdim=True)
    assert ((k - expected).abs() <= (16 * n if dtype == torch.float64 else 1) * scale).all()


@pytest.mark.parametrize("name", ["channels_last", "axis 1", "gaps", "portions", "one column each"])
def test_every_layout(name, monkeypatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    metric, dim = Metric.ordinary_sobolev(0.5), 0
    g = torch.randn(16, 4, 3, 3)
    if name == "channels_last":
        g = g.to(memory_format=torch.channels_last)
    elif name == "axis 1":
        g, dim = g.transpose(0, 1), 1
    elif name == "gaps":
        g = torch.randn(32, 8, 3, 3)[::2, ::2]
    else:
        monkeypatch.setattr(blocked, "PORTION", 64 if name == "portions" else 4)
        g = torch.randn(16, 35)
    with cdg_torch.backend("reference"):
        expected = cdg_torch.riemannian_gradient(g, metric, dim=dim)
    with cdg_torch.backend("torch"):
        k = cdg_torch.riemannian_gradient(g, metric, dim=dim)
        cdg_torch.riemannian_gradients_([g], metric, dims=dim)
    torch.testing.assert_close(k, expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(g, k)


def test_a_nan_spoils_its_own_column() -> None:
    for metric in METRICS.values():
        g = torch.randn(40, 6)
        g[7, 2] = torch.nan
        with cdg_torch.backend("torch"):
            k = cdg_torch.riemannian_gradient(g, metric)
        assert k[:, 2].isnan().any()
        assert k[:, [0, 1, 3, 4, 5]].isfinite().all()


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("n", [24, 65])
def test_certified_in_float64(name, n) -> None:
    def solve(g):
        with cdg_torch.backend("torch"):
            return cdg_torch.riemannian_gradient(torch.tensor(g), METRICS[name]).numpy()

    certificate = certify(solve, METRICS[name], n, columns=36, dtype="float64")
    assert certificate.holds
    # The mean goes through no sum of the products, where it would be rounded once for each term.
    (nearly,) = (f for f in certificate.findings if f.kind == "nearly-constant")
    assert nearly.max_ulp <= 1.5


@pytest.mark.parametrize("name", METRICS)
def test_scaling_by_a_power_of_two_is_exact(name) -> None:
    torch.manual_seed(0)
    g = 1 + torch.rand(80, 3, dtype=torch.float64)
    with cdg_torch.backend("torch"):
        k = cdg_torch.riemannian_gradient(g, METRICS[name])
        for scale in (2.0**-900, 2.0**1018):  # where sums of all rows overflow
            assert torch.equal(cdg_torch.riemannian_gradient(g * scale, METRICS[name]), k * scale)


def test_memory_is_read_after_it_is_written(monkeypatch) -> None:
    torch.manual_seed(0)
    g = torch.randn(70, 3)
    with cdg_torch.backend("torch"):
        expected = cdg_torch.riemannian_gradient(g, Metric.spline(1.0))
        empty = torch.Tensor.new_empty
        monkeypatch.setattr(
            torch.Tensor, "new_empty", lambda *args, **kw: empty(*args, **kw).fill_(torch.nan)
        )
        assert torch.equal(cdg_torch.riemannian_gradient(g, Metric.spline(1.0)), expected)


def exact(matrix):
    """Return the numbers of a tensor as fractions."""
    return None if matrix is None else np.vectorize(Fraction, otypes=[object])(matrix.numpy())


@pytest.mark.parametrize("name", [name for name in METRICS if METRICS[name].derivative_order])
@pytest.mark.parametrize("n", [24, 80])
def test_the_products_err_as_derived(name, n) -> None:
    products, _ = blocked._known(METRICS[name], n, torch.device("cpu"))
    own = Products(*(exact(getattr(products, field.name)) for field in fields(Products)))
    torch.manual_seed(0)
    count, size, room = products.rows.shape
    buffer = torch.zeros(count, room, 2, dtype=torch.float64)
    buffer[:, :size] = torch.randn(count, size, 2)
    r = exact(buffer[:, :size].reshape(-1, 2))
    expected = multiply(own, exact(buffer))
    error = abs(exact(multiply(products, buffer)) - expected)
    bound = roundings(own) * products_of_moduli(own, r) / 2**53
    assert error.any()
    assert (error <= bound).all()
