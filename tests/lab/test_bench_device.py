"""``cdg bench`` measures with the clock and on the device that it is given, or says why not."""

from functools import partial

import pytest
import torch

from cdg_torch.lab.bench.candidates import METRICS
from cdg_torch.lab.bench.measurements import Machine, Measurements
from cdg_torch.lab.bench.steps import measure_steps
from cdg_torch.lab.bench.timing import rounds
from cdg_torch.lab.cli.bench import bench
from tests.tools.commands import cdg


def test_ratios_are_those_of_the_clock() -> None:
    times = {"floor": 2.0, "slow": 7.0, "quick": 1.0}
    names = {name: (lambda name=name: name) for name in times}
    floor = names.pop("floor")
    samples = rounds(names, floor, 3, clock=lambda call: times[call()])
    assert {name: own.ratios for name, own in samples.items()} == {
        "slow": [3.5] * 3,
        "quick": [0.5] * 3,
    }


def test_a_share_is_the_transform_over_the_pass_before_it() -> None:
    record = Measurements("cdg bench", Machine.here())

    def clock(call) -> float:
        call()
        return 0.25 if isinstance(call, partial) else 4.0  # the transform; the pass

    measure_steps(record, 2, 32, 3, lambda *_: None, clock=clock)
    assert [share.metric for share in record.shares] == list(METRICS)
    for share in record.shares:
        assert (share.batch, share.size) == (2, 32)
        assert (share.low, share.median, share.high) == (1 / 16,) * 3
        assert (share.milliseconds, share.step_milliseconds) == (250.0, 4000.0)


def test_another_device_is_refused_before_anything_is_written(tmp_path) -> None:
    with pytest.raises(ValueError, match="device must be one of 'cpu', 'cuda', got 'tpu'"):
        bench(tmp_path / "out", device="tpu")
    result = cdg("bench", "--device", "tpu", "--output", tmp_path / "out", exit_code=2)
    assert "device must be one of" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a CUDA device")
def test_a_missing_gpu_is_refused_with_the_cure(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"torch sees no GPU here; leave it out for the CPU"):
        bench(tmp_path / "out", device="cuda")
