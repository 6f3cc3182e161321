"""The user's step hooks keep their order: attaching counts as a hook registered at that moment.

torch calls the hooks of an optimizer inside its own ``step``, where the gradients are already in
the metric. Those that belong on the other side, pre hooks registered before the metric was attached
and post hooks registered after it, are called here instead, on raw gradients. Global hooks stay
inside.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer

Call = tuple[tuple[Any, ...], dict[str, Any]]


def registered_hooks(optimizer: Optimizer) -> frozenset[int]:
    """Return the keys of the hooks that the optimizer has now."""
    hooks = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
    return frozenset(key for some in hooks for key in some)


@contextmanager
def hooks_on_raw_gradients(
    optimizer: Optimizer, older: Collection[int], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[Call]:
    """Call the hooks that see raw gradients, before and after the block; give it the arguments.

    ``older`` are the keys of the hooks that are older than the metric.
    """
    pre, post = optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks
    if not pre and not post:
        yield args, kwargs
        return
    known = registered_hooks(optimizer)
    for key, before in list(pre.items()):
        if key in older and (changed := before(optimizer, (optimizer, *args), kwargs)) is not None:
            (_, *args), kwargs = changed  # type: ignore[assignment]
    inner_pre = OrderedDict((key, hook) for key, hook in pre.items() if key not in older)
    inner_post = OrderedDict((key, hook) for key, hook in post.items() if key in older)
    optimizer._optimizer_step_pre_hooks = inner_pre
    optimizer._optimizer_step_post_hooks = inner_post
    try:
        yield tuple(args), kwargs
    finally:
        # With what the step itself has registered.
        pre.update((key, hook) for key, hook in inner_pre.items() if key not in known)
        post.update((key, hook) for key, hook in inner_post.items() if key not in known)
        optimizer._optimizer_step_pre_hooks = pre
        optimizer._optimizer_step_post_hooks = post
    for key, after in list(post.items()):
        if key in known and key not in older:
            after(optimizer, (optimizer, *args), kwargs)
