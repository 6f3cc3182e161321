"""Drawn inputs: right answers, clear refusals, nothing modified.

Here, every backend on drawn calls, in lockstep with exact arithmetic and with each other (T5, T7).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

import cdg_torch
from tests.deep.calls import Call, columns_of, draw_call
from tests.deep.figures import Figure, Report, judged, timed
from tests.deep.fuzz_arguments import fuzz_arguments
from tests.deep.fuzz_files import fuzz_files
from tests.deep.judge import Judge

CASES = 100_000
# The interpreter takes 10 ms for a block of columns, and half a second for one with sweeps.
INTERPRETED_EVERY, INTERPRETED_SWEEPS, INTERPRETED_NUMBERS = 20, 400, 600
# What random columns may err by: float32 in eps, the 16-bit types in ulp.
EPS, ULP = 8.0, 1.0

# Read when the Triton kernels are defined: without a GPU their logic runs in an interpreter.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


@dataclass(slots=True)
class Tally:
    """What came of the calls so far."""

    calls: Counter[str] = field(default_factory=Counter)
    columns: int = 0
    share: float = 0.0
    eps: float = 0.0
    ulp: float = 0.0
    # By the number of the call: the size of its gradient, and what is wrong.
    broken: dict[int, tuple[int, str]] = field(default_factory=dict)

    def note(self, call: Call, what: str) -> None:
        self.broken.setdefault(call.number, (call.grad.numel(), f"{call}: {what}"))


def _bits(tensor: Tensor) -> Tensor:
    """Return a tensor's bits as integers: two NaNs are the same, 0 and -0 are not."""
    kinds = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    return tensor.detach().contiguous().view(kinds[tensor.element_size()])


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(_bits(one), _bits(other))


def _results(call: Call, name: str) -> Iterator[tuple[str, Tensor | str]]:
    """Yield the gradient in the metric by every door of a backend, or what is wrong with it."""
    before = call.buffer.clone()
    options = {"dim": call.dim, "groups": call.groups}
    with cdg_torch.backend(name):
        pure = cdg_torch.riemannian_gradient(call.grad, call.metric, **options)
    yield "pure", pure
    if not _same(call.buffer, before):
        yield "pure", "changed its argument"
    if pure.dtype != call.grad.dtype or pure.shape != call.grad.shape:
        yield "pure", f"returned {pure.dtype} of shape {tuple(pure.shape)}"
    dense = call.layout in {"contiguous", "channels_last", "permuted", "offset"}
    sizes = zip(pure.stride(), call.grad.stride(), pure.shape, strict=True)
    if dense and any(ours != theirs for ours, theirs, size in sizes if size > 1):
        yield "pure", f"returned strides {pure.stride()}"

    buffer = before.clone()
    target, neighbour = call.view(buffer), torch.ones(3, dtype=buffer.dtype)
    try:
        with cdg_torch.backend(name):
            cdg_torch.riemannian_gradients_(
                [neighbour, target],
                [cdg_torch.Metric.l2(), call.metric],
                dims=[0, call.dim],
                groups=[1, call.groups],
            )
    except TypeError:
        if not call.overlaps or not _same(buffer, before):
            raise
        return
    if call.overlaps:
        yield "in place", "wrote to memory that overlaps itself"
        return
    if not _same(target, pure):
        yield "in place", "differs from the pure function"
    call.view(before).copy_(pure)
    if not _same(buffer, before):
        yield "in place", "wrote beside the gradient"


def examine(call: Call, tally: Tally, *, interpreted: bool) -> None:
    """Do one call with every backend that serves it, and judge what comes back."""
    rng = np.random.default_rng(call.number)
    some = rng.permutation(call.columns.shape[1])[:2]
    judge = Judge(call.columns, call.metric, call.dtype, some)

    if len(call.columns) <= 8 and call.number % 4 == 0 and not judge.rational_solution_agrees():
        tally.note(call, "the two oracles disagree")
    gpu = ["gpu"] if interpreted and call.dtype != "float64" else []
    reference: np.ndarray | None = None
    for name in ("reference", "cpu", *gpu):
        sharp = name == "reference" or call.dtype == "float64"
        # Triton's interpreter cuts a float32 to 16 bits, where a GPU rounds.
        rounds = name != "gpu" or call.dtype == "float32" or torch.cuda.is_available()
        tally.calls[name] += 1
        for door, result in _results(call, name):
            if isinstance(result, str):
                tally.note(call, f"{name}, {door}: {result}")
                continue
            k = columns_of(result, call.dim, call.groups)
            verdict = judge.verdict(k, sharp=sharp, rounds=rounds)
            if not verdict.holds:
                tally.note(call, f"{name}, {door}: {verdict}")
            if reference is None:
                reference = k
            elif not judge.agree(k, reference, sharp=sharp, rounds=rounds):
                tally.note(
                    call, f"{name}, {door}: further from the reference than both bounds allow"
                )
            tally.columns += len(some)
            tally.share = max(tally.share, verdict.share)
            if rounds and all(call.kinds[i] == "random" for i in some):
                if call.dtype == "float32":
                    tally.eps = max(tally.eps, verdict.ulp)
                elif call.dtype != "float64":
                    tally.ulp = max(tally.ulp, verdict.ulp)


def _is_interpreted(call: Call) -> bool:
    metric = call.metric
    sweeps = metric.curvature > 0 or (metric.derivative > 0 and metric.fluctuation > 0)
    every = INTERPRETED_SWEEPS if sweeps else INTERPRETED_EVERY
    return call.number % every == 0 and call.grad.numel() <= INTERPRETED_NUMBERS


def fuzz_calls(cases: int, report: Report) -> list[Figure]:
    """Examine the calls with the numbers below ``cases``."""
    tally = Tally()
    with timed() as seconds:
        for number in range(cases):
            call = draw_call(number)
            try:
                examine(call, tally, interpreted=_is_interpreted(call))
            except Exception as error:
                tally.note(call, f"{type(error).__name__}: {error}")
            if number % 100 == 0:
                report("drawn calls", number, cases)
    smallest = [words for _, words in sorted(tally.broken.values())[:1]]
    served = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.calls.items()))
    return [
        judged(
            "fuzz",
            "Whatever the metric, length, shape, axis, groups, type and layout: every backend is "
            "within theorem 7's bound of the exact gradient, returns what it should, and touches "
            "nothing else",
            f"{cases:,} calls, {len(tally.broken):,} broken, {tally.columns:,} results known "
            f"exactly ({served}); worst {tally.share:.2f} of theorem 7's bound",
            smallest,
            seconds(),
        ),
        Figure(
            "fuzz",
            f"On random columns, no float32 result is more than {EPS:g} eps from the exact one, "
            f"and no 16-bit result more than {ULP:g} ulp, taken at the column's largest entry",
            f"float32: worst {tally.eps:.3f} eps; 16 bits: worst {tally.ulp:.3f} ulp",
            tally.eps <= EPS and tally.ulp <= ULP,
            0.0,
        ),
    ]


def run(*, effort: float, report: Report) -> list[Figure]:
    """Draw calls, wrong arguments, and broken files."""
    return [
        *fuzz_calls(max(20, int(CASES * effort)), report),
        fuzz_arguments(effort, report),
        fuzz_files(effort, report),
    ]
