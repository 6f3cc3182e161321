"""Checkpoints: with and without a metric load into each other; resumed runs are bitwise equal."""

import copy
import io

import pytest
import torch
import torch.distributed.checkpoint as dcp

import cdg_torch
from tests.tools.small_training import METRIC, all_equal, batches, network, same, weights_of
from tests.tools.training_loops import train

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
        self.parts = [self.model, self.optimizer, self.scheduler]
        self.moving = [self.scheduler]
        if attached:
            self.handle = cdg_torch.attach(self.optimizer, self.model, METRIC)
            self.schedule = cdg_torch.CosineMetric(self.handle, steps=5)
            self.parts += [self.handle, self.schedule]
            self.moving.append(self.schedule)

    def train(self, data) -> None:
        for batch in data:
            train(self.model, self.optimizer, [batch])
            for schedule in self.moving:
                schedule.step()

    def state(self) -> list:
        return [part.state_dict() for part in self.parts]

    def load(self, state) -> None:
        # torch's load_state_dict keeps the given tensors: a copy, or two runs would share them.
        for part, values in zip(self.parts, copy.deepcopy(state), strict=False):
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
    state = through_a_file(saver.state())
    # The checkpoint is exactly a plain optimizer's, group keys included.
    plain = OPTIMIZERS[kind](network())
    assert state[1].keys() == plain.state_dict().keys()
    extra = {"initial_lr"}  # the learning-rate scheduler's
    assert set(state[1]["param_groups"][0]) - extra == set(plain.state_dict()["param_groups"][0])

    def resumed(*, attached, seed):
        run = Run(kind, attached, seed)
        run.load(state[:3])
        run.train(data[2:])
        return run.model

    # Training goes on as attached or as plain, whatever was saved.
    model = resumed(attached=loaded_with, seed=7)
    assert same(model, resumed(attached=loaded_with, seed=9))
    assert not same(model, resumed(attached=not loaded_with, seed=9))


# torch says that one process is one process.
# torch says that one process is one process.
@pytest.mark.filterwarnings("ignore:torch.distributed is (disabled|unavailable):UserWarning")
def test_distributed_checkpoint(tmp_path) -> None:
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    def state_of(run):
        parts = dict(zip(("model", "optim"), get_state_dict(run.model, run.optimizer), strict=True))
        return parts | {"schedule": run.schedule.state_dict()}

    data = batches(4)
    whole, first, resumed = Run("Adam"), Run("Adam"), Run("Adam", seed=7)
    whole.train(data)
    first.train(data[:2])
    dcp.save(state_of(first), checkpoint_id=tmp_path)
    state = state_of(resumed)
    dcp.load(state, checkpoint_id=tmp_path)
    states = {f"{part}_state_dict": state[part] for part in ("model", "optim")}
    set_state_dict(resumed.model, resumed.optimizer, **states)
    resumed.schedule.load_state_dict(state["schedule"])
    resumed.scheduler.load_state_dict(first.scheduler.state_dict())
    resumed.train(data[2:])
    assert same(resumed.model, whole.model)


def test_a_learning_rate_changed_after_loading_takes_effect() -> None:
    # load_state_dict replaces param_groups: whoever cached them steps with the old rate.
    run = Run("SGD")
    run.train(batches(1))
    run.optimizer.load_state_dict(run.optimizer.state_dict())
    run.optimizer.param_groups[0].update(lr=0.0, momentum=0.0)
    before = weights_of(run.model)
    train(run.model, run.optimizer, batches(1))
    assert all_equal(run.model.parameters(), before)


def test_a_checkpoint_of_other_rules_is_refused() -> None:
    handle = Run("SGD").handle
    state = handle.state_dict()
    state["metrics"].append(None)
    with pytest.raises(ValueError, match="has 2 rules, this handle has 1; attach with the same"):
        handle.load_state_dict(state)
