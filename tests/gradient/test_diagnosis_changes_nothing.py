"""A diagnosis changes no weight, gradient, buffer, mode, random number; nor does a failing one."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import cdg_torch


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(8 * 16, 9),
    )  # fmt: skip


def drawn(count: int = 6) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (
            torch.randn(10, 1, 6, 6, generator=generator),
            torch.randint(9, (10,), generator=generator),
        )
        for _ in range(count)
    ]


def cross_entropy(model, batch):
    return functional.cross_entropy(model(batch[0]), batch[1])


def state(model):
    everything = dict(model.state_dict(keep_vars=True))
    return {
        **{name: value.detach().clone() for name, value in everything.items()},
        **{f"grad of {n}": p.grad and p.grad.clone() for n, p in model.named_parameters()},
        "random": torch.random.get_rng_state(),
        "modes": [module.training for module in model.modules()],
    }


def same(one, other) -> bool:
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(one.values(), other.values(), strict=True)
    )


@pytest.mark.parametrize("training", [True, False])
def test_nothing_changes(training) -> None:
    model = network().train(training)
    before = state(model)
    cdg_torch.diagnose(model, drawn(), cross_entropy)
    assert same(before, state(model))


def test_nothing_changes_when_the_loss_fails() -> None:
    model, before_end = network(), [2]

    def failing(model, batch):
        if not before_end[0]:
            raise KeyError(batch)
        before_end[0] -= 1
        return cross_entropy(model, batch)

    before = state(model)
    with pytest.raises(KeyError):
        cdg_torch.diagnose(model, drawn(), failing)
    assert same(before, state(model))


def test_a_buffer_that_the_model_replaces_and_a_mode_that_the_loss_sets_are_put_back() -> None:
    model = network()
    buffer = model[1].num_batches_tracked

    def meddling(model, batch):
        model.eval()
        model[1].num_batches_tracked = buffer + 7
        return cross_entropy(model, batch)

    cdg_torch.diagnose(model, drawn(), meddling)
    assert model[1].num_batches_tracked is buffer
    assert buffer.item() == 0
    assert all(module.training for module in model.modules())


def test_the_same_batches_give_the_same_diagnosis() -> None:
    model = network().eval()
    first, second = (cdg_torch.diagnose(model, drawn(), cross_entropy) for _ in range(2))
    assert first == second


def test_served_under_no_grad_autocast_and_compiled() -> None:
    model = network().eval()
    plain = cdg_torch.diagnose(model, drawn(), cross_entropy)
    with torch.no_grad():
        assert cdg_torch.diagnose(model, drawn(), cross_entropy) == plain
    compiled = torch.compile(model, backend="eager")
    found = cdg_torch.diagnose(compiled, drawn(), cross_entropy)
    assert [one.name for one in found.layers] == [one.name for one in plain.layers]

    def cast(model, batch):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return cross_entropy(model, batch)

    close = cdg_torch.diagnose(model, drawn(), cast).layers
    for one, other in zip(close, plain.layers, strict=True):
        assert sum(one.noise) == pytest.approx(sum(other.noise), rel=0.05)
