"""A step past the metric is an error.

Whatever way the step of an optimizer's class is reached, it calls the optimizer's pre hooks. So one
stands there while the attached step is not running, and refuses: on the attached optimizer itself
(``type(optimizer).step(optimizer)``, a bound method that is older than the metric, an
``optimizer.step`` that somebody has put in the place of ours) and on the optimizers that it holds
inside and that share its parameters (SAM's ``second_step()``). Within the attached step there is no
hook, and nothing to pay.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch.optim import Optimizer

from cdg_torch.attachment.selection import parameters_of

# torch counts the keys of its hooks from 0.
_KEY = -1


class Guard(NamedTuple):
    """The pre hook that refuses a step, and the hooks of the optimizer among which it stands."""

    hooks: dict[int, Any]
    refuse: Callable[..., None]


def stand(guards: list[Guard]) -> None:
    """Refuse steps from now on."""
    for hooks, refuse in guards:
        hooks[_KEY] = refuse


def remove(guards: list[Guard]) -> None:
    """Let steps pass for good."""
    for hooks, _ in guards:
        hooks.pop(_KEY, None)
    guards.clear()


@contextmanager
def lifted(guards: list[Guard]) -> Iterator[None]:
    """Let steps pass in the block."""
    for hooks, _ in guards:
        hooks.pop(_KEY, None)
    try:
        yield
    finally:
        # Unless they have been removed meanwhile.
        stand(guards)


def guards_of(optimizer: Optimizer) -> list[Guard]:
    """Return the guards of an optimizer and of those inside."""
    kind = type(optimizer).__name__
    own = (
        f"this step of the {kind} goes past the metric that is attached to it, and its gradients "
        "would go in untransformed: it was reached by type(optimizer).step, or by a step that was "
        "taken from the optimizer before attach(); call optimizer.step(), or handle.detach() first"
    )
    guards = [_guard(optimizer, own)]
    for path, inner in inner_optimizers(optimizer):
        msg = (
            f"the {type(inner).__name__} that is optimizer{path} of a {kind} steps outside of the "
            f"{kind}'s own step(), where the metric is attached, and its gradients would go in "
            f"untransformed; attach(optimizer{path}, model, metric) instead"
        )
        # What has not run Optimizer.__init__ calls no hooks.
        if "_optimizer_step_pre_hooks" in vars(inner):
            guards.append(_guard(inner, msg))
    return guards


def _guard(optimizer: Optimizer, message: str) -> Guard:
    def refuse(*_: object) -> None:
        raise RuntimeError(message)

    # As Optimizer.__init__ does, which a wrapper may have left out: its class then calls no hooks.
    optimizer._patch_step_function()
    return Guard(optimizer._optimizer_step_pre_hooks, refuse)


def inner_optimizers(optimizer: Optimizer) -> Iterator[tuple[str, Optimizer]]:
    """Yield the optimizers inside that share parameters with this one, each with its path.

    Inside is what stands in an attribute, or in a list or dictionary there, at any depth.
    """
    held = parameters_of(optimizer)
    seen, todo = {id(optimizer)}, [("", optimizer)]
    for path, outer in todo:
        for name, value in vars(outer).items():
            parts: Mapping[Any, Any] = {"": value}
            if isinstance(value, Mapping):
                parts = {f"[{key!r}]": part for key, part in value.items()}
            elif isinstance(value, list | tuple):
                parts = {f"[{index}]": part for index, part in enumerate(value)}
            for key, part in parts.items():
                if not isinstance(part, Optimizer) or id(part) in seen:
                    continue
                seen.add(id(part))
                if any(value is optimizer for value in vars(part).values()):
                    continue  # this one is inside of that
                todo.append((f"{path}.{name}{key}", part))
                groups = getattr(part, "param_groups", [])
                if any(id(p) in held for group in groups for p in group["params"]):
                    yield todo[-1]


def check_steps(optimizer: Optimizer) -> None:
    """Refuse an optimizer without a step, and a second metric inside or outside of the first."""
    if inspect.unwrap(type(optimizer).step) is inspect.unwrap(Optimizer.step):
        msg = (
            f"{type(optimizer).__name__} has no step() of its own, so it changes weights somewhere "
            "else (LOMO: in fused_backward()), out of reach of a metric; use one with a step()"
        )
        raise TypeError(msg)
    for path, inner in inner_optimizers(optimizer):
        if "_cdg_attachment" in vars(inner):
            msg = (
                f"a metric is attached to optimizer{path} already, and one around it would "
                "transform its gradients twice; leave it there, or detach it first"
            )
            raise RuntimeError(msg)
    if _KEY in optimizer._optimizer_step_pre_hooks:
        msg = (
            f"a metric is attached to an optimizer that holds this {type(optimizer).__name__} "
            "inside, and one more would transform its gradients twice; detach that one first"
        )
        raise RuntimeError(msg)
