"""T9: inner product, norms and powers of M agree with the dense M, for every boundary and n."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cdg_torch
from cdg_torch import Metric
from tests.tools.dense_oracle import gram
from tests.tools.strategies import seeds

METRICS = [
    Metric.l2(),
    Metric.reweighted_h0(5.0),
    Metric.sobolev(0.3),
    Metric.sobolev(2.0, boundary="periodic"),
    Metric(2.0, 0.5, 0.1, boundary="periodic", spacing="unit"),
    Metric(0.5, 3.0, 0.7, spacing="unit"),
    Metric.biharmonic(0.3),
    Metric(2.0, 0.5, 0.1, 0.2, boundary="periodic", spacing="unit"),
]
EPS = 2.0**-52


def draw(shape, seed):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def dense_power(metric, n, exponent):
    values, vectors = np.linalg.eigh(gram(metric, n))
    return torch.from_numpy((vectors * values**exponent) @ vectors.T)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize("exponent", [0.5, -0.5, 1.0, -1.0, 0.0, 2.0])
def test_powers(metric, n, exponent) -> None:
    x = draw((n, 3), n)
    power = dense_power(metric, n, exponent)
    found = cdg_torch.metric_power(x, metric, exponent)
    # eigh errs by about n eps ‖M‖ in M, so relative to ‖M^p‖ by n eps cond(M)
    condition = np.linalg.cond(gram(metric, n))
    bound = 8 * n * EPS * condition * max(1.0, abs(exponent)) * power.abs().max() * x.abs().max()
    torch.testing.assert_close(found, power @ x, rtol=0, atol=float(bound) * n)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("dim", [0, 1, 2, 3])
def test_powers_along_any_axis(metric, dim) -> None:
    # Four axes of four lengths: an axis that is moved to the wrong place shows.
    x = draw((6, 2, 4, 10), dim)
    n = x.shape[dim] // 2
    rows = x.movedim(dim, 0).unflatten(0, (2, n))
    expected = torch.einsum("ij,gj...->gi...", dense_power(metric, n, 0.5), rows)
    found = cdg_torch.metric_power(x, metric, 0.5, dim=dim, groups=2).movedim(dim, 0)
    assert found.shape == expected.flatten(0, 1).shape
    scale = np.linalg.cond(gram(metric, n)) * float(expected.abs().max())
    torch.testing.assert_close(found, expected.flatten(0, 1), rtol=0, atol=8 * n**2 * EPS * scale)


@given(seed=seeds(), n=st.integers(1, 9), groups=st.integers(1, 3), dim=st.integers(0, 2))
def test_inner_product_norm_and_dual_norm(seed, n, groups, dim) -> None:
    metric = METRICS[seed % len(METRICS)]
    shape = [2, 3, 2]
    shape[dim] = n * groups
    h, k = draw(shape, seed), draw(shape, seed + 1)
    M = torch.from_numpy(gram(metric, n))

    def rows(tensor):
        return tensor.movedim(dim, 0).reshape(groups, n, -1)

    expected = sum((a * (M @ b)).sum() for a, b in zip(rows(h), rows(k), strict=True))
    options = {"dim": dim, "groups": groups}
    size = float(M.abs().max()) * n * h.numel() * 10 * EPS * 16
    found = cdg_torch.inner_product(h, k, metric, **options)
    torch.testing.assert_close(found, expected, rtol=0, atol=size)
    swapped = cdg_torch.inner_product(k, h, metric, **options)
    torch.testing.assert_close(found, swapped, rtol=0, atol=size)
    square = sum((a * (M @ a)).sum() for a in rows(h))
    norm = cdg_torch.metric_norm(h, metric, **options)
    torch.testing.assert_close(norm.square(), square, rtol=0, atol=size)
    # the dual norm of g is the norm of its gradient, and the pairing with it
    gradient = cdg_torch.riemannian_gradient(h, metric, **options)
    dual = cdg_torch.dual_norm(h, metric, **options)
    torch.testing.assert_close(dual, cdg_torch.metric_norm(gradient, metric, **options))
    pairing = cdg_torch.inner_product(gradient, k, metric, **options)
    torch.testing.assert_close(pairing, (h * k).sum(), rtol=0, atol=size * 1e3)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_no_direction_of_unit_length_is_steeper_than_the_dual_norm(metric) -> None:
    g = draw((6, 2), 0)
    dual = cdg_torch.dual_norm(g, metric)
    for seed in range(50):
        h = draw((6, 2), seed + 1)
        assert (g * h).sum() <= dual * cdg_torch.metric_norm(h, metric) * (1 + 1e-12)


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
def test_half_powers_compose_layouts_and_gradients(boundary) -> None:
    metric = Metric.ordinary_sobolev(0.4, boundary=boundary)
    x = draw((2, 6, 3), 3).requires_grad_()
    half = cdg_torch.metric_power(x, metric, 0.5, dim=1, groups=2)
    whole = cdg_torch.metric_power(half, metric, 0.5, dim=1, groups=2)
    torch.testing.assert_close(whole, cdg_torch.apply_metric(x, metric, dim=1, groups=2))
    assert torch.autograd.gradcheck(
        lambda t: cdg_torch.metric_power(t, metric, -0.5, dim=1, groups=2), (x,)
    )


@pytest.mark.parametrize(
    ("exponent", "error", "message"),
    [
        (math.inf, ValueError, "exponent must be finite, got inf"),
        ("half", TypeError, "exponent must be a real number, got 'half'"),
        (True, TypeError, "exponent must be a real number, got True"),
    ],
)
def test_bad_exponents_are_refused(exponent, error, message) -> None:
    with pytest.raises(error, match=message):
        cdg_torch.metric_power(torch.ones(3), Metric.l2(), exponent)


def test_the_axis_is_the_first_unless_told() -> None:
    metric = Metric.sobolev(0.3)
    h = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for function, tensors in (
        (cdg_torch.inner_product, (h, h + 1)),
        (cdg_torch.metric_norm, (h,)),
        (cdg_torch.dual_norm, (h,)),
    ):
        found, first, last = (
            function(*tensors, metric, **dim) for dim in ({}, {"dim": 0}, {"dim": 1})
        )
        assert found == first != last


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"same shape, got \(3,\) and \(4,\)"):
        cdg_torch.inner_product(torch.ones(3), torch.ones(4), Metric.l2())


def test_integers_are_refused_by_name() -> None:
    # They would convert to float64 without a word.
    whole, real = torch.arange(3), torch.ones(3)
    for name, call in {
        "h": lambda: cdg_torch.inner_product(whole, real, Metric.l2()),
        "k": lambda: cdg_torch.inner_product(real, whole, Metric.l2()),
        "g": lambda: cdg_torch.dual_norm(whole, Metric.l2()),
    }.items():
        with pytest.raises(TypeError, match=rf"^{name} must be one of .*got torch\.int64"):
            call()


SQUARES = {
    cdg_torch.metric_norm: lambda h, metric: cdg_torch.inner_product(h, h, metric),
    # The same sum: another order of the terms, as on another processor, may be on the other side.
    cdg_torch.dual_norm: lambda g, metric: torch.linalg.vecdot(
        g, cdg_torch.riemannian_gradient(g, metric)
    ),
}


@pytest.mark.parametrize("norm", SQUARES)
def test_a_square_that_rounding_makes_negative_has_the_root_zero(norm) -> None:
    # The mean weighs nothing, and what its rounding leaves in all rows outweighs the one row that
    # differs from the others by a unit in the last place.
    weights = (1e-150, 1e150) if norm is cdg_torch.metric_norm else (1e150, 1e-150)
    metric, square = Metric(*weights), SQUARES[norm]
    columns = draw(100, 0)[:, None].repeat(1, 99)
    columns[:, 0] = columns[:, 0].nextafter(columns.new_tensor(9.0))
    negative = [column for column in columns if square(column, metric) < 0]
    assert negative
    assert {norm(column, metric).item() for column in negative} == {0.0}
