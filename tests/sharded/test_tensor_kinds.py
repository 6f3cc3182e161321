"""Whatever kind of tensor a DTensor's local part is: right, or refused and nothing sent or written.

Both ranks have the same kind, each its own rows. Ranks are real: what has not arrived yet is waited
for.
"""

import re
from functools import partial

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as collectives
import torch.distributed.tensor as dt
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.tensor.debug import CommDebugMode
from torch.testing._internal.two_tensor import TwoTensor

import cdg_torch
from cdg_theory import Metric
from cdg_torch import Rule
from cdg_torch.checks import WithoutMemoryError
from cdg_torch.sharded import write_sharded_gradients
from cdg_torch.solve import Job
from tests.tools.ranks import on_ranks

METRIC = Metric(1.0, 0.5, 0.2)
RULES = [Rule(metric=METRIC, types=nn.Linear)]


class Named(torch.Tensor):
    """A subclass with memory of its own."""


def dense():
    return torch.arange(24.0).reshape(8, 3).sin()


def inference(part):
    with torch.inference_mode():
        return part.clone()


def late(to, mesh):
    """Return a DTensor for which the other rank is still sending."""
    g = dt.DTensor.from_local(dense() / 2, mesh, [dt.Partial()], run_check=False)
    d = g.redistribute(placements=[to], async_op=True)
    assert type(d._local_tensor) is collectives.AsyncCollectiveTensor
    return d


# How each kind is made of the local rows; of all rows, where every rank has them.
LOCAL = {
    "plain": torch.clone,
    "subclass": lambda part: part.clone().as_subclass(Named),
    "negative bit": lambda part: torch._neg_view(-part),
    "conjugate bit": lambda part: (1j * part).conj().mul(1j).conj().real,
    "imaginary part": lambda part: torch.complex(part, -part).conj().imag,
    "expanded": lambda part: part[:, :1].expand(-1, 3),
    "overlapping": lambda part: part.flatten().as_strided(part.shape, (1, 1)),
    "inference": inference,
    "wrapper": lambda part: TwoTensor(part.clone(), part.clone()),
    "zero": lambda part: torch._efficientzerotensor(part.shape),
    "float8": lambda part: part.to(torch.float8_e5m2),
}
MADE = {
    "rows to come": partial(late, dt.Shard(0)),
    "columns to come": partial(late, dt.Shard(1)),
    "all rows to come": partial(late, dt.Replicate()),
    "no columns": lambda mesh: dt.distribute_tensor(torch.empty(8, 0), mesh, [dt.Shard(0)]),
    "rows on one rank": lambda mesh: dt.distribute_tensor(dense()[:1], mesh, [dt.Shard(0)]),
    "uneven rows": lambda mesh: dt.distribute_tensor(dense()[:5], mesh, [dt.Shard(0)]),
}
NO_MEMORY = WithoutMemoryError, "the local part of second is "
OVERLAP = TypeError, "the local part of second overlaps itself.*contiguous"
# With a buffer apart, then in place; nothing stands for the right result.
REFUSED = {
    "negative bit": (None, NO_MEMORY),
    "imaginary part": (None, NO_MEMORY),
    "expanded": (None, OVERLAP),
    "overlapping": (None, OVERLAP),
    "inference": (None, (TypeError, "second was made in torch.inference_mode.*clone it")),
    "wrapper": (NO_MEMORY,) * 2,
    "zero": (NO_MEMORY,) * 2,
    "float8": ((TypeError, "second must be one of float64.*float8_e5m2"),) * 2,
}


def make(kind: str, mesh, placement) -> dt.DTensor:
    if kind in MADE:
        return MADE[kind](mesh)
    rows = dense().chunk(2)[dist.get_rank()] if placement.is_shard() else dense()
    return dt.DTensor.from_local(LOCAL[kind](rows), mesh, [placement], run_check=False)


def numbers(kind: str) -> torch.Tensor:
    """Return all rows of a kind that is served."""
    rows = {"no columns": torch.empty(8, 0), "rows on one rank": dense()[:1]}
    rows["uneven rows"] = dense()[:5]
    if kind == "overlapping":
        return torch.cat([LOCAL[kind](part) for part in dense().chunk(2)])
    return rows.get(kind, LOCAL.get(kind, torch.clone)(dense())).as_subclass(torch.Tensor)


def gather(d: dt.DTensor) -> torch.Tensor:
    """Return all rows of a DTensor, whose local part may be a subclass that is not sent."""
    local = d.to_local()
    if isinstance(local, collectives.AsyncCollectiveTensor):  # older torch makes nothing else of it
        local = local.wait()
    local = local.as_subclass(torch.Tensor)
    whole = {"shape": d.shape, "stride": d.stride(), "run_check": False}
    return dt.DTensor.from_local(local, d.device_mesh, d.placements, **whole).full_tensor()


def try_all() -> dict[str, str]:
    """Return what is wrong on this rank."""
    mesh = dt.init_device_mesh("cpu", (2,))
    wrong = {}
    cases = [(kind, p) for kind in LOCAL for p in (dt.Shard(0), dt.Replicate())]
    cases += [(kind, None) for kind in MADE]
    for kind, placement in cases:
        for in_place in (False, True):
            name = f"{kind}, {placement}, {'in place' if in_place else 'apart'}"
            refusal = REFUSED.get(kind, (None, None))[in_place]
            if kind == "overlapping" and placement == dt.Replicate() and not in_place:
                continue  # its numbers are not those of the shards
            first = dt.distribute_tensor(dense(), mesh, [dt.Shard(0)])
            raw = first.to_local().clone()
            d = make(kind, mesh, placement)
            out = d if in_place else dt.empty(d.shape, device_mesh=mesh, placements=d.placements)
            try:
                with CommDebugMode() as comm:
                    write_sharded_gradients(
                        [Job(first, first, METRIC), Job(out, d, METRIC)], ["first", "second"]
                    )
            except Exception as error:
                right = refusal is not None and isinstance(error, refusal[0])
                if not right or not re.search(refusal[1], str(error)):
                    wrong[name] = repr(error)
                if comm.get_total_counts():
                    wrong[f"{name}, sent"] = str(comm.get_comm_counts())
                if not torch.equal(first.to_local(), raw):
                    wrong[f"{name}, written"] = str(first)
                continue
            if refusal is not None:
                wrong[name] = "not refused"
                continue
            found, expected = gather(out), cdg_torch.riemannian_gradient(numbers(kind), METRIC)
            # Rounded once each: the two may lie on two sides of a tie.
            if not torch.allclose(found, expected, rtol=2.0**-23, atol=0):
                wrong[name] = f"{found} instead of {expected}"
    return wrong


def test_right_or_refused_before_anything_is_sent_or_written() -> None:
    assert on_ranks(2, try_all) == [{}, {}]


def step_on_late_gradients() -> list[str]:
    """Return what an attached step makes wrong of gradients for which a rank is still sending."""
    mesh = dt.init_device_mesh("cpu", (2,))
    wrong = []
    for inplace in (False, True):
        for placement in (dt.Shard(0), dt.Replicate()):
            model = nn.Linear(3, 8, bias=False)
            model.weight = nn.Parameter(dt.distribute_tensor(torch.zeros(8, 3), mesh, [placement]))
            optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
            cdg_torch.attach(optimizer, model, None, rules=RULES, inplace=inplace)
            model.weight.grad = late(placement, mesh)
            optimizer.step()
            expected = -cdg_torch.riemannian_gradient(dense(), METRIC)
            found = model.weight.detach().full_tensor()
            if not torch.allclose(found, expected, rtol=2.0**-23, atol=0):
                wrong.append(f"{placement}, inplace={inplace}: {found}")
    return wrong


def test_an_attached_step_waits_for_what_is_still_sent() -> None:
    assert on_ranks(2, step_on_late_gradients) == [[], []]


def try_without_numbers() -> list[str]:
    """Return what goes wrong where tensors have no numbers, and afterwards."""
    mesh = dt.init_device_mesh("cpu", (2,))
    wrong = []
    for placement in (dt.Shard(0), dt.Replicate()):
        meta = dt.DTensor.from_local(torch.empty(4, 3, device="meta"), mesh, [placement])
        with CommDebugMode() as comm:
            write_sharded_gradients([Job(meta, meta, METRIC)])
        if comm.get_total_counts():
            wrong.append(f"meta, {placement}: sent {comm.get_comm_counts()}")
    with FakeTensorMode(allow_non_fake_inputs=True):
        for placement in (dt.Shard(0), dt.Replicate()):
            fake = dt.DTensor.from_local(torch.empty(4, 3), mesh, [placement], run_check=False)
            write_sharded_gradients([Job(fake, fake, METRIC)])
    # Nothing fake is kept for real tensors.
    d = dt.distribute_tensor(dense(), mesh, [dt.Shard(0)])
    write_sharded_gradients([Job(d, d, METRIC)])
    expected = cdg_torch.riemannian_gradient(dense(), METRIC)
    if not torch.allclose(d.full_tensor(), expected, rtol=2.0**-23, atol=0):
        wrong.append(f"after fake tensors: {d}")
    return wrong


def test_where_there_are_no_numbers_nothing_is_sent() -> None:
    assert on_ranks(2, try_without_numbers) == [[], []]


def call_on_wrapped_dtensors() -> list[str]:
    """Return what the functions for whole tensors say of a wrapper around DTensors; its numbers."""
    mesh = dt.init_device_mesh("cpu", (1,))
    first, one, other = (dt.distribute_tensor(dense(), mesh, [dt.Shard(0)]) for _ in range(3))
    wrapper, plain = TwoTensor(one, other), dense()
    said = []
    for call in (
        lambda: cdg_torch.riemannian_gradient(wrapper, METRIC),
        lambda: cdg_torch.riemannian_gradients_([plain, wrapper], METRIC),
        lambda: write_sharded_gradients([Job(first, first, METRIC), Job(wrapper, wrapper, METRIC)]),
    ):
        try:
            said.append(f"not refused: {call()}")
        except TypeError as error:
            said.append(str(error))
    if not all(torch.equal(t, dense()) for t in (plain, first.to_local(), one.to_local())):
        said.append("written")
    return said


def test_a_wrapper_around_dtensors_is_refused() -> None:
    ((alone, listed, sharded),) = on_ranks(1, call_on_wrapped_dtensors)
    assert re.search("what grad wraps is a DTensor.*write_sharded_gradients", alone)
    assert re.search(r"what tensors\[1\] wraps is a DTensor.*write_sharded_gradients", listed)
    assert sharded == "jobs[1].grad must be a DTensor, got TwoTensor"


def refuse_without_float64() -> str:
    mesh = dt.init_device_mesh("cpu", (1,))
    d = dt.distribute_tensor(dense(), mesh, [dt.Shard(0)])
    cdg_torch.sharded.has_float64 = lambda _: False
    try:
        write_sharded_gradients([Job(d, d, METRIC)])
    except TypeError as error:
        return str(error)
    return "not refused"


def test_where_float64_does_not_exist_ranks_exchange_nothing() -> None:
    """Simulated: the function that asks a device for float64 says no."""
    (said,) = on_ranks(1, refuse_without_float64)
    assert re.search(r"grad is a DTensor on cpu, where float64 does not exist.*whole", said)
