"""Wrong arguments at every public door: refused in words, and nothing modified."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

import cdg_torch
from cdg_theory import Metric, discrete
from tests.deep.doors import DOORS, Door
from tests.deep.figures import Figure, Report, judged, timed

SEVERAL = 20_000
# A refusal says what would do instead.
CURE = re.compile(r";|must|needs|use |give |one of")
# These are right in themselves, but so many rows or columns do not fit any machine; and no ids
# means all theorems, which takes a minute.
LEFT_OUT = {
    *product(("n", "columns"), ("10**30", "10**400")),
    ("ids", "None"),
    # Any iterable of ids will do, so an error is about what is in it.
    ("ids", "(x for x in (1, 2))"),
    ("ids", "np.array(['a', 'b'])"),
}
# As they are written, so that a failure can be repeated; each is evaluated anew for each call.
# fmt: off
_WRITTEN = (
    "None", "True", "False", "0", "1", "-1", "3", "10**30", "10**400", "0.0", "0.5", "-1.0",
    "1e308", "5e-324", "math.nan", "math.inf", "-math.inf", "np.float64('nan')", "np.int64(2)",
    "1j", "'sobolev'", "''", "b'\\x80\\x04.'", "[]", "[1.0, 2.0]", "[None]", "()", "{}",
    "{'metric': 1.0}", "object()", "Metric", "len", "(x for x in (1, 2))", "Metric.l2()",
    "nn.Conv2d(1, 2, 1)", "torch.float32",
    "np.ones((4, 2))", "np.array(['a', 'b'])", "np.arange(4)", "np.ones((0, 3))",
    "torch.ones(4, 2)", "torch.tensor(2.0)", "torch.ones(0, 3)", "torch.ones(4, 0)",
    "torch.ones(4, 2, dtype=torch.int64)", "torch.ones(4, 2, dtype=torch.bool)",
    "torch.ones(4, 2, dtype=torch.complex64)", "torch.ones(4, 2).to(torch.float8_e4m3fn)",
    "torch.ones(4, 2).to_sparse()", "torch.eye(4).to_sparse_csr()",
    "torch.ones(4, 2, device='meta')",
    "torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])",
    "torch.quantize_per_tensor(torch.ones(4, 2), 0.1, 0, torch.qint8)",
    "nn.Parameter(torch.ones(4, 2))",
    # What could be a metric as a tensor: five numbers.
    "torch.full((5,), math.nan).double()", "torch.tensor([1.0, 1.0, 0.0, 7.0, 0.0]).double()",
    "torch.tensor([1.0, 1.0, 0.0, 0.5, 0.0]).double()",
    "torch.tensor([1.0, 1.0, 0.0, -1.0, 0.0]).double()", "torch.ones(5)",
)
# fmt: on
_NAMES = {"math": math, "np": np, "torch": torch, "nn": nn, "Metric": Metric}
ODD_VALUES: dict[str, Callable[[], Any]] = {
    written: partial(eval, written, _NAMES) for written in _WRITTEN
}


def words_for(value: object) -> set[str]:
    """Return the words of which an error about a value should use one."""
    words = {type(value).__name__}
    if isinstance(value, type):
        words |= {f"the class {value.__module__}.{value.__qualname__}"}
    if isinstance(value, int | float | complex | str | bytes | np.generic) or value is None:
        words |= {repr(value), str(value)}
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                words |= {str(float(value)), f"{value:g}"}
            except OverflowError:
                words |= {str(value)[:10]}
    elif isinstance(value, torch.Tensor):
        words |= {str(value.dtype), str(value.layout), "DTensor", f"on {value.device}"}
        words |= set() if value.is_nested else {str(tuple(value.shape))}
        if value.dtype == torch.float64 and value.isnan().any():
            words |= {"nan"}
        if value.dtype == torch.float64:  # a metric's operand, and an error may print it
            words |= {str(tuple(value.tolist()))}
    elif isinstance(value, np.ndarray):
        words |= {str(value.dtype), str(value.shape)}
    elif isinstance(value, list | tuple | dict):
        words |= {repr(value), f"got {len(value)}", f"{len(value)} tensors"} | set().union(
            *map(words_for, value)
        )
    else:
        words |= {repr(value)}
    return words - {""}


def _bits(tensor: torch.Tensor) -> Any:
    if tensor.is_meta or tensor.is_nested or tensor.layout is not torch.strided:
        return str(tensor.dtype)
    plain = tensor.detach()
    if plain.is_quantized:
        plain = plain.int_repr()
    return (
        str(plain.dtype),
        tuple(plain.shape),
        bytes(plain.contiguous().view(-1).view(torch.uint8)),
    )


def snapshot(thing: Any) -> Any:
    """Return everything about an argument that a refusal must not have changed, to be compared."""
    if isinstance(thing, torch.Tensor):
        grad = thing.grad if thing.is_leaf and not thing.is_nested else None
        return _bits(thing), None if grad is None else _bits(grad)
    if isinstance(thing, np.ndarray):
        return thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, nn.Module):
        hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in thing.modules()]
        return [(name, snapshot(p)) for name, p in thing.named_parameters()], hooks
    if isinstance(thing, Optimizer):
        attributes = {name: id(value) for name, value in vars(thing).items()}
        hooks = (len(thing._optimizer_step_pre_hooks), len(thing._optimizer_step_post_hooks))
        return attributes, hooks, snapshot(thing.state_dict()), snapshot(list(thing.param_groups))
    if isinstance(thing, cdg_torch.Handle):
        rules = [(rule.metric, rule.name, rule.dim, rule.groups) for rule in thing.rules]
        return rules, thing.options, snapshot(thing.optimizer), snapshot(thing.model)
    if isinstance(thing, cdg_torch.MetricSchedule):
        return thing.start, thing.last_step, snapshot(thing.handle)
    if isinstance(thing, Mapping):
        return [(key, snapshot(value)) for key, value in thing.items()]
    if isinstance(thing, list | tuple):
        return [snapshot(value) for value in thing]
    return None


def _not_a_number(result: Any) -> bool:
    """Whether a result holds a NaN."""
    if isinstance(result, torch.Tensor):
        plain = result.layout is torch.strided and not (result.is_nested or result.is_meta)
        return plain and result.is_floating_point() and bool(result.isnan().any())
    if isinstance(result, np.ndarray) and result.dtype.kind == "f":
        return bool(np.isnan(result).any())
    return isinstance(result, float) and math.isnan(result)


def _may_spoil(value: Any) -> bool:
    """Whether a NaN in the result is this argument's: it holds one, or nothing at all."""
    empty = isinstance(value, torch.Tensor) and not value.is_nested and value.numel() == 0
    return empty or _not_a_number(value)


def attempt(door: Door, odd: Mapping[str, str]) -> tuple[str, str]:
    """Call a door with some arguments replaced, each by the odd value that is written.

    Returns "refused", "served" or "failed", and what should not have happened, or nothing.
    """
    theirs = bool(set(door.theirs) & set(odd))
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")  # torch calls some kinds of tensors a prototype
        values = {argument: ODD_VALUES[written]() for argument, written in odd.items()}
        arguments = {**door.make(), **values}
        before = snapshot(arguments)
        try:
            result = door.call(**arguments)
        except Exception as error:
            said = f"{type(error).__name__}: {str(error)[:200]}"
            if snapshot(arguments) != before:
                return "failed", f"modified its arguments, then {said}"
            if theirs:
                return "refused", ""
            if not isinstance(error, ValueError | TypeError):
                return "failed", said
            return "refused", "" if _tells(str(error), door, values) else f"says: {said}"
    if _not_a_number(result) and not any(map(_may_spoil, values.values())):
        return "served", "made a NaN of finite numbers"
    return "served", ""


def _tells(message: str, door: Door, values: Mapping[str, Any]) -> bool:
    """Whether a refusal says argument and value of one of those put wrong, and a cure."""
    return bool(CURE.search(message)) and any(
        any(word in message for word in words_for(value))
        and any(re.search(rf"\b{re.escape(name)}\b", message) for name in (argument, *door.same))
        for argument, value in values.items()
    )


def _is_tried(name: str, argument: str, value: str) -> bool:
    # The object whose method is called is not an argument of it.
    method = "." in name and name[0].isupper()
    return (argument, value) not in LEFT_OUT and not (method and argument in {"handle", "schedule"})


def _without_door() -> set[str]:
    """Return public callables that have no door: none, but what is tried by its methods."""
    public = {*cdg_torch.__all__, *(f"discrete.{name}" for name in discrete.__all__)}
    public |= {f"baselines.{name}" for name in cdg_torch.baselines.__all__}
    # Results, handles and warnings, which the library makes; a base class; a module.
    made = {
        "Diagnosis",
        "Handle",
        "LayerDiagnosis",
        "Report",
        "MetricSchedule",
        "discrete.SweepFactors",
        "baselines",
        "CDGWarning",
    }
    return public - made - DOORS.keys()


def fuzz_arguments(effort: float, report: Report) -> Figure:
    """Put every argument of every door wrong, alone and with others."""
    rng, outcomes = np.random.default_rng(7), Counter[str]()
    wrong = [f"{name} has no door" for name in _without_door()]
    alone = [
        (name, {argument: value})
        for name, door in DOORS.items()
        for argument in door.make()
        for value in ODD_VALUES
        if _is_tried(name, argument, value)
    ]
    few = rng.permutation(len(alone))[: max(50, int(len(alone) * min(1.0, effort)))]
    chosen = [alone[index] for index in few]
    names, odd = list(DOORS), list(ODD_VALUES)
    for _ in range(int(SEVERAL * effort)):
        name = names[rng.integers(len(names))]
        arguments = [a for a in DOORS[name].make() if a not in {"handle", "schedule"}]
        picked = rng.permutation(len(arguments))[: rng.integers(2, 4)]
        drawn = {arguments[i]: odd[rng.integers(len(odd))] for i in picked}
        chosen.append((name, {a: v for a, v in drawn.items() if _is_tried(name, a, v)}))
    with timed() as seconds:
        for done, (name, given) in enumerate(chosen):
            outcome, said = attempt(DOORS[name], given)
            outcomes[outcome] += 1
            if said:
                words = ", ".join(f"{argument}={value}" for argument, value in given.items())
                wrong.append(f"{name}({words}): {said}")
            if done % 50 == 0:
                report("wrong arguments", done, len(chosen))
    return judged(
        "fuzz",
        "A wrong argument is a ValueError or a TypeError that names the argument, the value and "
        "a cure, before anything is modified: gradients, weights, optimizer, hooks",
        f"{len(chosen):,} calls of {len(DOORS)} functions and classes with {len(ODD_VALUES)} odd "
        f"values: {outcomes['refused']:,} refused, {outcomes['served']:,} served",
        wrong,
        seconds(),
    )
