"""A step that fails leaves the raw gradients in place; a copied optimizer goes on transforming.

torch runs no post hooks when a step raises, and drops step hooks when an optimizer is copied or
pickled. Both are closed here by attributes of the one attached *instance*: its class, its
``isinstance`` and its ``repr`` stay as they are, and nothing enters ``state_dict()``.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_torch.attachment.handle import Handle

_COPYING = ("__deepcopy__", "__reduce_ex__")


def _guarded_step(optimizer: Optimizer, handle: Handle) -> Callable[..., Any]:
    """Return the optimizer's step, which restores the raw gradients however it ends."""
    # A learning-rate scheduler may have put its own function here; it may also come later, and
    # then takes __func__ from what it finds: so a bound method, of a function that looks alike.
    inner = optimizer.step

    @functools.wraps(getattr(inner, "__func__", inner))
    def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
        try:
            return inner(*args, **kwargs)
        finally:
            handle._settle()

    step._cdg_inner = inner  # type: ignore[attr-defined]
    return MethodType(step, optimizer)


@contextmanager
def _unguarded(optimizer: Optimizer) -> Iterator[None]:
    """Copy as torch does, without our attributes."""
    ours = {name: vars(optimizer).pop(name) for name in _COPYING}
    try:
        yield
    finally:
        vars(optimizer).update(ours)


def _set_state(optimizer: Optimizer, state: tuple[Any, Handle]) -> None:
    """Unpickle: first what torch pickled, then the attachment."""
    del vars(optimizer)["__setstate__"]
    plain, handle = state
    if getattr(handle, "optimizer", optimizer) is not optimizer:
        msg = (
            f"a shallow copy of this {type(optimizer).__name__} would share its state but drop "
            "the attached metric silently; use copy.deepcopy, or handle.detach() first"
        )
        raise TypeError(msg)
    if hasattr(optimizer, "__setstate__"):
        optimizer.__setstate__(plain)
    else:
        vars(optimizer).update(plain)
    handle._install(optimizer)


def _make(make: Callable[..., Optimizer], args: tuple[Any, ...]) -> Optimizer:
    """Make an optimizer that takes its state through :func:`_set_state`."""
    optimizer = make(*args)
    vars(optimizer)["__setstate__"] = functools.partial(_set_state, optimizer)
    return optimizer


def install(optimizer: Optimizer, handle: Handle) -> None:
    """Guard the step of this optimizer, and make its copies attached ones."""

    def deepcopy(memo: dict[int, Any]) -> Optimizer:
        # The twin's memo entry comes first: a model may refer to the handle that refers to it.
        twin = handle._blank()
        memo[id(handle)] = twin
        with _unguarded(optimizer):
            copied = copy.deepcopy(optimizer, memo)
        handle._copy_into(twin, memo)
        twin._install(copied)
        return copied

    def reduce_ex(protocol: int) -> tuple[Any, ...]:
        with _unguarded(optimizer):
            reduced = optimizer.__reduce_ex__(max(protocol, 2))
        assert isinstance(reduced, tuple)
        make, args, plain = reduced[:3]
        return _make, (make, args), (plain, handle)

    vars(optimizer).update(
        step=_guarded_step(optimizer, handle),
        __deepcopy__=deepcopy,
        __reduce_ex__=reduce_ex,
    )


def uninstall(optimizer: Optimizer) -> None:
    """Take the guard off; where something has wrapped our step since, it stays, and is idle."""
    attributes = vars(optimizer)
    for name in _COPYING:
        attributes.pop(name, None)
    inner = getattr(getattr(attributes.get("step"), "__func__", None), "_cdg_inner", None)
    if inner is None:
        return
    if getattr(inner, "__func__", None) is type(optimizer).step:
        del attributes["step"]
    else:
        attributes["step"] = inner
