"""Checkpoints: with and without a metric load into each other; resumed runs are bitwise equal."""

import copy
import io

import pytest
import torch
import torch.distributed.checkpoint as dcp

import cdg_torch
from tests.tools.small_training import METRIC, batches, loss_of, network, same

OPTIMIZERS = {
    "SGD": lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    "Adam": lambda model: torch.optim.Adam(model.parameters(), lr=0.01),
    "AdamW": lambda model: torch.optim.AdamW(model.parameters(), lr=0.01, amsgrad=True),
}


class Run:
    """Everything that a checkpoint holds."""

    def __init__(self, kind: str, attached: bool = True, seed: int = 0) -> None:
        self.model = network(seed)
        self.optimizer = OPTIMIZERS[kind](self.model)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 6)
        parts = [self.model, self.optimizer, self.scheduler]
        if attached:
            self.handle = cdg_torch.attach(self.optimizer, self.model, METRIC)
            self.schedule = cdg_torch.CosineMetric(self.handle, steps=5)
            parts += [self.handle, self.schedule]
        self.parts = parts

    def train(self, data) -> None:
        for batch in data:
            self.optimizer.zero_grad()
            loss_of(self.model, batch).backward()
            self.optimizer.step()
            self.scheduler.step()
            if hasattr(self, "schedule"):
                self.schedule.step()

    def state(self) -> list:
        return [part.state_dict() for part in self.parts]

    def load(self, state) -> None:
        # torch's load_state_dict keeps the given tensors: a copy, or two runs would share them.
        state = copy.deepcopy(state)
        for part, values in zip(self.parts, state, strict=False):
            part.load_state_dict(values)


def through_a_file(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(kind) -> None:
    data = batches(6)
    whole = Run(kind)
    whole.train(data)
    first = Run(kind)
    first.train(data[:3])
    resumed = Run(kind, seed=7)
    resumed.load(through_a_file(first.state()))
    assert resumed.handle.metric == first.handle.metric != METRIC
    resumed.train(data[3:])
    assert same(resumed.model, whole.model)
    assert resumed.handle.metric == whole.handle.metric


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("saved_with", [False, True])
@pytest.mark.parametrize("loaded_with", [False, True])
def test_with_and_without_load_into_each_other(kind, saved_with, loaded_with) -> None:
    data = batches(4)
    saver = Run(kind, attached=saved_with)
    saver.train(data[:2])
    loader = Run(kind, attached=loaded_with, seed=7)
    state = through_a_file(saver.state())
    loader.load(state[:3])
    # The checkpoint is exactly a plain optimizer's, group keys included.
    plain = OPTIMIZERS[kind](network())
    assert state[1].keys() == plain.state_dict().keys()
    extra = {"initial_lr"}  # the learning-rate scheduler's
    assert set(state[1]["param_groups"][0]) - extra == set(plain.state_dict()["param_groups"][0])
    # Training goes on as attached or as plain, whatever was saved.
    twin = Run(kind, attached=loaded_with, seed=9)
    twin.load(state[:3])
    loader.train(data[2:])
    twin.train(data[2:])
    assert same(loader.model, twin.model)
    other = Run(kind, attached=not loaded_with, seed=9)
    other.load(state[:3])
    other.train(data[2:])
    assert not same(loader.model, other.model)


# torch says that one process is one process.
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
def test_distributed_checkpoint(tmp_path) -> None:
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    data = batches(4)
    whole, first, resumed = Run("Adam"), Run("Adam"), Run("Adam", seed=7)
    whole.train(data)
    first.train(data[:2])
    model_state, optimizer_state = get_state_dict(first.model, first.optimizer)
    state = {
        "model": model_state,
        "optimizer": optimizer_state,
        "schedule": first.schedule.state_dict(),
    }
    dcp.save(state, checkpoint_id=tmp_path, no_dist=True)

    model_state, optimizer_state = get_state_dict(resumed.model, resumed.optimizer)
    state = {
        "model": model_state,
        "optimizer": optimizer_state,
        "schedule": resumed.schedule.state_dict(),
    }
    dcp.load(state, checkpoint_id=tmp_path, no_dist=True)
    set_state_dict(
        resumed.model,
        resumed.optimizer,
        model_state_dict=state["model"],
        optim_state_dict=state["optimizer"],
    )
    resumed.schedule.load_state_dict(state["schedule"])
    resumed.scheduler.load_state_dict(first.scheduler.state_dict())
    resumed.train(data[2:])
    assert same(resumed.model, whole.model)


def test_a_learning_rate_changed_after_loading_takes_effect() -> None:
    # load_state_dict replaces param_groups: whoever cached them steps with the old rate.
    run = Run("SGD")
    run.train(batches(1))
    run.optimizer.load_state_dict(run.optimizer.state_dict())
    run.optimizer.param_groups[0]["lr"] = 0.0
    run.optimizer.param_groups[0]["momentum"] = 0.0
    before = [p.detach().clone() for p in run.model.parameters()]
    run.optimizer.zero_grad()
    loss_of(run.model, batches(1)[0]).backward()
    run.optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(run.model.parameters(), before, strict=True))


def test_a_checkpoint_of_other_rules_is_refused() -> None:
    handle = Run("SGD").handle
    state = handle.state_dict()
    state["metrics"].append(None)
    with pytest.raises(ValueError, match="has 2 rules, this handle has 1; attach with the same"):
        handle.load_state_dict(state)
