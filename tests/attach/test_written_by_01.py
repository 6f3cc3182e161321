"""What version 0.1 has written is still read: checkpoints, and metrics as operands.

Neither knew a curvature: it is 0. With one, what is written now is read back.
"""

import pytest
import torch

import cdg_torch
from cdg_torch import Metric
from cdg_torch.operators import from_operand
from tests.tools.small_training import network

# Literally what 0.1 wrote, after two of four steps of a LinearMetric from Metric(1.0, 0.5, 0.25).
START = {
    "mean": 1.0, "fluctuation": 0.5, "derivative": 0.25,
    "boundary": "natural", "spacing": "normalized",
}  # fmt: skip
HALFWAY = {**START, "mean": 1.0, "fluctuation": 0.75, "derivative": 0.125}
HANDLE, SCHEDULE = {"metrics": [HALFWAY]}, {"last_step": 2, "start": [START]}
OPERANDS = {
    (1.0, 0.5, 0.25, 0.0, 0.0): Metric(1.0, 0.5, 0.25),
    (1.0, 0.5, 0.25, 1.0, 0.0): Metric(1.0, 0.5, 0.25, boundary="periodic"),
    (1.0, 0.0, 0.25, 0.0, 1.0): Metric(1.0, 0.0, 0.25, spacing="unit"),
}


def test_a_checkpoint_goes_on_where_it_was() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    handle = cdg_torch.attach(optimizer, model, Metric.l2())
    schedule = cdg_torch.LinearMetric(handle, steps=4)
    handle.load_state_dict(HANDLE)
    assert handle.metric == Metric(1.0, 0.75, 0.125)
    schedule.load_state_dict(SCHEDULE)
    assert handle.metric == Metric(1.0, 0.75, 0.125)
    schedule.step()
    assert handle.metric == Metric(1.0, 0.875, 0.0625)


def test_a_curvature_is_written_and_read_back() -> None:
    model = network()
    metric = Metric(1.0, 0.5, 0.25, 0.125, boundary="periodic")
    handle = cdg_torch.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, metric)
    saved = handle.state_dict()
    handle.metric = Metric.l2()
    handle.load_state_dict(saved)
    assert handle.metric == metric


@pytest.mark.parametrize("numbers", OPERANDS, ids=map(str, OPERANDS))
def test_an_operand_means_the_same_metric(numbers) -> None:
    assert from_operand(torch.tensor(numbers, dtype=torch.float64)) == OPERANDS[numbers]
