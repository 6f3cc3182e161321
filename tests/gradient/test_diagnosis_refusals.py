"""What a diagnosis cannot look at is refused, or left out, in words that say the cure."""

import json

import pytest
import torch
from torch import nn

import cdg_torch


def drawn(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(4, 3, generator=generator) for _ in range(count)]


def squared(model, batch):
    return model(batch).square().mean()


def infinite_gradient(model, batch):
    return (model(batch) * 0).abs().sqrt().sum() + model.weight.sum()


class DistributedDataParallel(nn.Module):
    """Stands for torch's, which needs processes."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(3, 9)

    def forward(self, x):
        return self.module(x)


LINEAR = nn.Linear(3, 9)
# name: model, number of batches, loss, options.
REFUSED = {
    "one batch": (LINEAR, 1, squared, {}),
    "no batch": (LINEAR, 0, squared, {}),
    "no model": (3, 2, squared, {}),
    "no layer": (nn.ReLU(), 2, squared, {}),
    "frozen": (nn.Linear(3, 9).requires_grad_(False), 2, squared, {}),
    "lazy": (nn.LazyLinear(9), 2, squared, {}),
    "not a number": (LINEAR, 2, lambda m, x: m(x), {}),
    "no tensor": (LINEAR, 2, lambda _, __: 1.0, {}),
    "no graph": (LINEAR, 2, lambda _, x: x.sum(), {}),
    "infinite loss": (LINEAR, 2, lambda m, x: m(x).sum() / 0, {}),
    "infinite gradient": (LINEAR, 2, infinite_gradient, {}),
    "other weights": (LINEAR, 2, lambda m, _: m.bias.sum(), {}),
    "DDP": (DistributedDataParallel(), 2, squared, {}),
    "level": (LINEAR, 2, squared, {"level": 1.0}),
    "boundary": (LINEAR, 2, squared, {"boundary": "open"}),
    "training": (LINEAR, 2, squared, {"training_batches": 0}),
}
WORDS = {
    "one batch": "batches must hold at least two independent batches, got 1",
    "no batch": "batches must hold at least two independent batches, got 0",
    "no model": "model must be a torch.nn.Module, got 3",
    "no layer": "model has no weight to look at; there is no convolution or linear layer",
    "frozen": "weight: it is frozen",
    "lazy": "run one forward pass first",
    "not a number": r"one number to differentiate, got shape \(4, 9\)",
    "no tensor": "must return a scalar tensor, got 1.0",
    "no graph": "no graph behind it",
    "infinite loss": "the loss must be finite, got (-?inf|nan) in batch 0",
    "infinite gradient": "the gradient of weight is infinite or nan in batch 0",
    "other weights": "the loss does not depend on any of these weights",
    "DDP": "give model.module",
    "level": "level must lie between 0.0001 and 1, got 1.0",
    "boundary": "boundary must be",
    "training": "training_batches must be",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_words(name) -> None:
    model, count, loss, options = REFUSED[name]
    error = TypeError if name in {"no model", "no tensor"} else ValueError
    with pytest.raises(error, match=WORDS[name]):
        cdg_torch.diagnose(model, drawn(count), loss, **options)


def test_what_is_left_out_is_said() -> None:
    frozen = nn.Linear(9, 9).requires_grad_(False)
    tied = nn.Linear(9, 9)
    tied.weight = frozen.weight
    depthwise = nn.Conv1d(9, 9, 1, groups=9)
    unused = nn.Linear(2, 2)
    model = nn.ModuleList([nn.Linear(3, 9), frozen, depthwise, unused])
    found = cdg_torch.diagnose(model, drawn(3), lambda m, x: m[1](m[0](x)).square().mean())
    assert [one.name for one in found.layers] == ["0.weight"]
    assert found.left_out == {
        "1.weight": "it is frozen",
        "2.weight": "a group has one output channel",
        "3.weight": "the loss does not depend on it",
    }
    assert "left out 1.weight: it is frozen" in repr(found)


def test_json_is_json() -> None:
    found = cdg_torch.diagnose(LINEAR, drawn(2), squared)
    read = json.loads(found.to_json())
    assert read["batches"] == 2
    assert read["layers"][0]["name"] == "weight"
    assert read["layers"][0]["signal_error"] is None


def test_two_batches_predict_nothing_and_say_so() -> None:
    (found,) = cdg_torch.diagnose(LINEAR, drawn(2), squared).layers
    assert (found.gain, found.h0_gain) == (None, None)


@pytest.mark.parametrize("scale", [1e-120, 1e-30, 1e30, 1e120])
def test_the_scale_of_the_loss_decides_nothing(scale) -> None:
    model = nn.Linear(3, 9).double()
    batches = [batch.double() for batch in drawn(6)]
    plain, scaled = (
        cdg_torch.diagnose(model, batches, lambda m, x, c=c: c * squared(m, x)).layers[0]
        for c in (1.0, scale)
    )
    assert scaled.advice == plain.advice
    assert scaled.signal_share == pytest.approx(plain.signal_share)


def test_batches_that_cancel_tell_nothing() -> None:
    """Their mean is zero, and has no order to test."""
    model = nn.Linear(3, 9)
    batches = [torch.ones(9, 3), -torch.ones(9, 3)]
    (found,) = cdg_torch.diagnose(model, batches, lambda m, g: (m.weight * g).sum()).layers
    assert found.verdict is None
    assert found.advice.startswith("cannot tell: the mean of the batches' gradients is 0")


def test_a_weight_that_a_batch_does_not_use_has_no_gradient_there() -> None:
    model = nn.ModuleList([nn.Linear(3, 9), nn.Linear(3, 9)])

    def mixture(m, batch):
        used = m[:1] if batch[0, 0] > 0 else m
        return sum(one(batch).square().mean() for one in used)

    found = cdg_torch.diagnose(model, drawn(8), mixture)
    assert [one.name for one in found.layers] == ["0.weight", "1.weight"]


def test_16_bit_weights_keep_their_mean() -> None:
    """Rounding to bfloat16 is not taken for the mean of a hidden layer's gradient."""
    batches = (0.02 * 256**0.5 + torch.cat(drawn(64)).reshape(8, 32, 3).repeat(1, 8, 1)).bfloat16()
    model = nn.Linear(3, 256).bfloat16()
    (found,) = cdg_torch.diagnose(model, batches, lambda m, g: (m.weight * g).sum()).layers
    assert found.signal[0] > 0
    assert "channels is 0" not in found.advice
