"""What is not served is refused on every rank alike, before anything is sent or written.

And a NaN, which one rank alone sees, spoils its own column on all ranks and no other.
"""

import re

import torch
import torch.distributed as dist
import torch.distributed.tensor as dt
from torch.distributed.tensor.debug import CommDebugMode
from torch.distributed.tensor.placement_types import _StridedShard

import cdg_torch
from cdg_theory import Metric
from cdg_torch.sharded import write_sharded_gradients
from cdg_torch.solve import Job
from tests.tools.ranks import on_ranks

METRIC = Metric(1.0, 0.5, 0.2)

REFUSED = {
    "rows cut twice": (ValueError, r"cut along its output channels, axis 0, .*shard_placement_fn"),
    "rows cut twice, as FSDP2 over tensor parallelism does": (ValueError, r"_StridedShard.*axis"),
    "strided rows": (ValueError, r"_StridedShard.*one mesh dimension may cut that axis"),
    "greatest of parts": (ValueError, r"conv.weight has placement P.*max.*not linear.*redistrib"),
    "a mesh that counts down": (ValueError, r"do not count upwards.*init_device_mesh"),
    "rows where torch has others": (ValueError, r"has \d of its 8 rows on rank \d of 4.*puts 2"),
    "a plain tensor": (TypeError, r"conv.weight must be a DTensor, got Tensor"),
    "a plain buffer": (TypeError, r"the buffer for conv.weight must be a DTensor, got Tensor"),
    "a buffer placed elsewhere": (ValueError, r"placements .*Shard.* and its buffer .*Replicate"),
    "integers": (TypeError, r"conv.weight must be one of float64.*int64.*convert"),
    "complex numbers": (TypeError, r"conv.weight must be one of float64.*complex64.*convert"),
    "groups that do not divide": (ValueError, r"groups must divide the 8 output channels"),
    "an operand": (TypeError, r"metric must be a cdg_theory.Metric, got an object of type torch.T"),
    "a history": (TypeError, r"requires grad.*differentiable=False"),
}


def refuse_all() -> dict[str, str]:
    """Return what is wrong with the refusals on this rank."""
    line, square = dt.init_device_mesh("cpu", (4,)), dt.init_device_mesh("cpu", (2, 2))
    rank = dist.get_rank()
    whole = torch.arange(8.0)
    d = dt.distribute_tensor(whole, line, [dt.Shard(0)])

    def local(rows, mesh, placements):
        return dt.DTensor.from_local(
            torch.ones(rows), mesh, placements, shape=whole.shape, stride=(1,)
        )

    strided = _StridedShard(0, split_factor=2)
    inputs = {
        "rows cut twice": dt.distribute_tensor(whole, square, [dt.Shard(0), dt.Shard(0)]),
        "rows cut twice, as FSDP2 over tensor parallelism does": local(
            2, square, [strided, dt.Shard(0)]
        ),
        "strided rows": local(4, square, [strided, dt.Replicate()]),
        "greatest of parts": dt.DTensor.from_local(whole, line, [dt.Partial("max")]),
        "a mesh that counts down": local(2, dt.DeviceMesh("cpu", [3, 2, 1, 0]), [dt.Shard(0)]),
        "rows where torch has others": local((1, 3, 1, 3)[rank], line, [dt.Shard(0)]),
        "a plain tensor": whole,
        "integers": dt.distribute_tensor(torch.arange(8), line, [dt.Shard(0)]),
        "complex numbers": dt.distribute_tensor(whole + 1j, line, [dt.Shard(0)]),
        "a history": dt.distribute_tensor(whole, line, [dt.Shard(0)]).requires_grad_(),
    }
    buffers = {
        "a plain buffer": torch.empty(8),
        "a buffer placed elsewhere": dt.distribute_tensor(whole, line, [dt.Replicate()]),
    }
    wrong = {}
    for name, (kind, pattern) in REFUSED.items():
        grad = inputs.get(name, d)
        out = buffers.get(name, grad)
        first = torch.empty_like(d)
        first.to_local().fill_(7.0)
        groups = 3 if name == "groups that do not divide" else 1
        metric = cdg_torch.metric_operand(METRIC) if name == "an operand" else METRIC
        with CommDebugMode() as comm:
            try:
                write_sharded_gradients(
                    [Job(first, d, METRIC), Job(out, grad, metric, groups=groups)],
                    ["stem.weight", "conv.weight"],
                )
            except Exception as error:
                if type(error) is not kind or not re.search(pattern, str(error)):
                    wrong[name] = repr(error)
            else:
                wrong[name] = "not refused"
        if comm.get_total_counts():
            wrong[f"{name}, sent"] = str(comm.get_comm_counts())
        if not torch.equal(first.to_local(), torch.full((2,), 7.0)):
            wrong[f"{name}, written"] = str(first)
    return wrong


def test_refused_before_anything_is_sent_or_written() -> None:
    assert on_ranks(4, refuse_all) == [{}] * 4


def spoil_one_column(bad: float) -> torch.Tensor:
    mesh = dt.init_device_mesh("cpu", (2,))
    results = []
    for spoilt in (False, True):
        g = torch.arange(24.0).reshape(8, 3).sin()
        if spoilt:
            g[6, 1] = bad
        d = dt.distribute_tensor(g, mesh, [dt.Shard(0)])
        write_sharded_gradients([Job(d, d, METRIC)])
        results.append(d.full_tensor())
    return torch.stack(results).numpy()


def test_a_nan_or_infinity_spoils_its_own_column() -> None:
    for bad in (float("nan"), float("inf")):
        for clean, spoilt in on_ranks(2, spoil_one_column, bad):
            assert (clean[:, ::2] == spoilt[:, ::2]).all()
            assert not torch.from_numpy(spoilt[:, 1]).isfinite().any()


def call_what_reads_local_memory() -> list[str]:
    """Return what the functions for whole tensors say of a DTensor."""
    mesh = dt.init_device_mesh("cpu", (1,))
    d = dt.distribute_tensor(torch.ones(8, 3), mesh, [dt.Shard(0)])
    said = []
    for call in (
        lambda: cdg_torch.riemannian_gradient(d, METRIC),
        lambda: cdg_torch.apply_metric(d, METRIC),
        lambda: cdg_torch.riemannian_gradients_([d], METRIC),
    ):
        try:
            said.append(f"not refused: {call()}")
        except TypeError as error:
            said.append(str(error))
    return said


def test_functions_for_whole_tensors_name_the_one_for_dtensors() -> None:
    for said in on_ranks(1, call_what_reads_local_memory)[0]:
        assert re.search(r"is a DTensor.*cdg_torch.sharded.write_sharded_gradients", said)
