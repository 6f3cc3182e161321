"""Gradients in the metric that stand in for raw ones, and what happens to them before the step.

Between ``Handle.apply_`` and the step they are the user's to change, in place as a rule. A
clip leaves them in the metric; ``zero_grad(set_to_none=False)`` and ``backward()`` make raw ones of
them, in the same memory. So torch is asked to tell when a backward pass comes to a parameter.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

import torch
from torch import Tensor
from torch._compile import _disable_dynamo
from torch.utils.hooks import RemovableHandle

from cdg_torch.checks import is_dtensor

_SUM = (
    "backward() adds to a gradient that is in the metric already, and the sum would be neither raw "
    "nor in the metric; call {} before it, or apply_() once and after it"
)


class Swap(NamedTuple):
    """A transformed gradient that stands in ``p.grad`` for the raw one (None: overwritten)."""

    parameter: Tensor
    raw: Tensor | None
    transformed: Tensor

    @property
    def stands(self) -> bool:
        """Whether the transformed gradient, changed or not, is still in its place."""
        return self.parameter.grad is self.transformed


class Swaps(dict[int, Swap]):
    """The swaps of a step, by the ``id`` of the parameter."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: dict[int, tuple[RemovableHandle, object]] = {}

    @_disable_dynamo
    def restore(self) -> None:
        """Put the raw gradients back wherever ours still stand."""
        for swap in self.values():
            if swap.raw is not None and swap.stands:
                swap.parameter.grad = swap.raw
        self.forget()

    def forget(self) -> None:
        """Leave the gradients as they are, whatever they are."""
        for hook, _ in self._watches.values():
            hook.remove()
        self._watches.clear()
        self.clear()

    def watch(self) -> None:
        """Ask torch to tell when a backward pass is about to add to one of them."""
        reference = weakref.ref(self)
        for key, swap in self.items():
            p = swap.parameter
            if key in self._watches or not (p.is_leaf and p.requires_grad):
                continue  # no backward pass comes to what does not require grad
            if is_dtensor(p):
                # FSDP adds to shards past autograd, and then calls these hooks and no others.
                hook = p.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    lambda _, key=key: _meet(reference(), key, too_late=True)
                )
                self._watches[key] = hook, None
            else:
                # Not a hook of the tensor: torch.autograd.grad calls these too, and adds nothing.
                node = torch.autograd.graph.get_gradient_edge(p).node
                hook = node.register_prehook(lambda _, key=key: _meet(reference(), key))
                self._watches[key] = hook, node  # torch itself does not keep the node

    def drop(self, key: int) -> None:
        """Take what stands for a raw gradient as it is."""
        self.pop(key)
        hook, _ = self._watches.pop(key)
        hook.remove()


def _meet(swaps: Swaps | None, key: int, *, too_late: bool = False) -> None:
    """Take a gradient for raw that a backward pass finds zeroed, and refuse any other."""
    swap = None if swaps is None else swaps.get(key)
    if swaps is None or swap is None or not swap.stands:
        return
    # This waits for the device, and comes to pass only after a step that was skipped.
    if too_late or bool(swap.transformed.any()):
        which = "zero_grad(set_to_none=True)" if too_late else "zero_grad()"
        raise RuntimeError(_SUM.format(which))
    swaps.drop(key)
