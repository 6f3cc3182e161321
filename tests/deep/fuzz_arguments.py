"""Wrong arguments at every public door: refused in words, and nothing modified."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

import cdg_torch
from cdg_theory import discrete
from tests.deep.doors import DOORS, Door
from tests.deep.figures import Figure, Report, judged, timed
from tests.deep.odd_values import ODD_VALUES, words_for

SEVERAL = 20_000
# A refusal says what would do instead.
CURE = re.compile(r";|must|needs|use |give |one of")
# These are right in themselves, but so many rows or columns do not fit any machine; and no ids
# means all theorems, which takes a minute.
LEFT_OUT = {
    *product(("n", "columns"), ("10**30", "10**400")),
    ("ids", "None"),
}


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
    # Results and handles, which the library makes; a base class; a module.
    made = {"Handle", "Report", "MetricSchedule", "discrete.SweepFactors", "baselines"}
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
