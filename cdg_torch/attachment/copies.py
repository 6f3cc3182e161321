"""What attaching puts on an optimizer, and how its deep copies and pickles come by the same.

Two attributes of the one attached *instance* do everything, so that its class, its ``isinstance``,
its ``repr`` and its ``state_dict()`` stay as they are: ``step``, and ``__reduce_ex__``, which
``copy`` and ``pickle`` ask how to make another. The answer is torch's own, with the attachment
beside the state. The state is set by :func:`_set_state`, which needs a ``__setstate__`` on the copy
until it has run: it could not be an argument of the function that makes the copy, because the
attachment refers to the model, and a model may hold its optimizer. A table of ``copyreg`` would
change every optimizer of the class, and the copies of plain ones with it.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cdg_torch.attachment.acting import ATTACHED
from cdg_torch.attachment.guard import guards_of, remove, stand
from cdg_torch.attachment.hooks import registered_hooks
from cdg_torch.attachment.step import Attachment, wrapped_step

if TYPE_CHECKING:
    from torch.optim import Optimizer


def attachment_of(optimizer: object) -> Attachment | None:
    """Return what is attached to an optimizer, if anything is."""
    return getattr(optimizer, "_cdg_attachment", None)


def install(optimizer: Optimizer, attachment: Attachment) -> None:
    """Put the metric in force on an optimizer."""
    attachment.replaced = vars(optimizer).get("step")
    attachment.older_hooks = registered_hooks(optimizer)
    attachment.in_force = True
    step = wrapped_step(optimizer, attachment)
    attachment.step = weakref.ref(step.__func__)
    vars(optimizer).update(
        step=step,
        __reduce_ex__=functools.partial(_reduce, weakref.ref(optimizer)),
        _cdg_attachment=attachment,
    )
    ATTACHED[id(optimizer)] = optimizer
    attachment.guards = guards_of(optimizer)
    stand(attachment.guards)


def uninstall(optimizer: Optimizer, attachment: Attachment) -> None:
    """Take it off; where something has wrapped our step since, it stays, and is idle."""
    attachment.in_force = False
    remove(attachment.guards)
    ATTACHED.pop(id(optimizer), None)
    attributes = vars(optimizer)
    del attributes["__reduce_ex__"], attributes["_cdg_attachment"]
    ours = attachment.step()
    if ours is not None and getattr(attributes.get("step"), "__func__", None) is ours:
        del attributes["step"]
        if attachment.replaced is not None:
            attributes["step"] = attachment.replaced


def _reduce(reference: Callable[[], Any], protocol: int) -> tuple[Any, ...]:
    """Return how to make a copy: what torch says, and the attachment."""
    optimizer = reference()
    kind: Any = type(optimizer)
    make, args, state, *_ = kind.__reduce_ex__(optimizer, max(protocol, 2))
    return _make, (make, args), (state, attachment_of(optimizer))


def _make(make: Callable[..., Optimizer], args: tuple[Any, ...]) -> Optimizer:
    """Make a copy that takes its state through :func:`_set_state`."""
    optimizer = make(*args)
    vars(optimizer)["__setstate__"] = functools.partial(_set_state, optimizer)
    return optimizer


def _set_state(optimizer: Optimizer, state: tuple[Any, Attachment]) -> None:
    """Set first what torch has copied, then attach the attachment's copy."""
    del vars(optimizer)["__setstate__"]
    plain, attachment = state
    if attachment.in_force:
        msg = (
            f"a shallow copy of this {type(optimizer).__name__} would share its state but drop "
            "the attached metric silently; use copy.deepcopy, or handle.detach() first"
        )
        raise TypeError(msg)
    optimizer.__setstate__(plain)
    install(optimizer, attachment)
