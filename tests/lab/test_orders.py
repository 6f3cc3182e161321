"""``cdg correlation`` tells ordered heads from exchangeable and white layers; draws profiles."""

import pytest
import torch

from cdg_theory.discrete import gram_power
from cdg_torch import Metric, metric_power
from cdg_torch.lab.train.networks import fit_orders, judge_orders, sort_tensors
from tests.tools.commands import cdg


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def tree() -> dict[str, torch.Tensor]:
    smooth = torch.from_numpy(gram_power(Metric.spline(1e-3), 40, -0.5)).float() @ noise(40, 64)
    hidden = noise(24, 8, 3, 3, seed=1)
    return {
        "conv.weight": hidden,
        "mixed.weight": hidden + 0.5 * noise(1, 8, 3, 3, seed=2),
        "up.weight": metric_power(noise(8, 32, 3, 3, seed=3), Metric(1, 1, 0.1), -0.5, dim=1),
        "head.weight": smooth,
        "head.bias": torch.zeros(40),
    }


def test_verdicts(tree) -> None:
    found = sort_tensors(tree)
    orders = judge_orders(list(fit_orders(found, transposed=["up*"])))
    assert {order.name: order.verdict for order in orders} == {
        "conv.weight": "none",
        "mixed.weight": "exchangeable",
        "up.weight": "ordered",
        "head.weight": "ordered",
    }
    by_name = {order.name: order for order in orders}
    assert by_name["head.weight"].kind == "linear"
    assert by_name["head.weight"].fitted.count(",") == 3  # a curvature is fitted
    assert by_name["mixed.weight"].fitted.count(",") == 1
    assert by_name["conv.weight"].fitted == "–"
    # The axis that is read matters.
    straight = judge_orders(list(fit_orders(found)))
    assert {order.name: order.verdict for order in straight}["up.weight"] == "none"


def test_permuted_channels_have_no_order(tree) -> None:
    shuffled = tree["head.weight"][torch.randperm(40, generator=torch.Generator().manual_seed(4))]
    (order,) = judge_orders(list(fit_orders(sort_tensors({"head.weight": shuffled}))))
    assert order.verdict != "ordered"


def test_p_values_are_corrected_over_the_tensors(tree) -> None:
    fits = list(fit_orders(sort_tensors(tree), transposed=["up*"]))
    orders = judge_orders(fits)
    for order, (_, fit, _) in zip(orders, fits, strict=True):
        assert order.order_p >= fit.order_p
    # Four tensors, harmonic sum 25/12, two of them at the smallest p-value: that is their rank.
    least = min(fit.order_p for _, fit, _ in fits)
    assert min(order.order_p for order in orders) == pytest.approx(least * 4 * 25 / 12 / 2)


def test_command(tmp_path, tree) -> None:
    torch.save(tree, tmp_path / "net.pt")
    figure = tmp_path / "net.png"
    arguments = ["correlation", tmp_path / "net.pt", "--transposed", "up*", "--figure", figure]
    output = cdg(*arguments).output
    assert "output channels: 2 ordered, 1 exchangeable, 1 none" in output
    assert figure.read_bytes().startswith(b"\x89PNG")
    torch.save({"head.weight": tree["head.weight"]}, tmp_path / "net.pt")
    assert "output channels: 1 ordered" in cdg(*arguments).output
