"""Gradients in the metric that stand in for raw ones, and what happens to them before the step.

Between ``Handle.apply_`` and the step they are the user's to change, in place as a rule. A
clip leaves them in the metric; ``zero_grad(set_to_none=False)`` and ``backward()`` make raw ones of
them, in the same memory. So torch is asked to tell when a backward pass comes to a parameter.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import torch
from torch import Tensor
from torch._compile import _disable_dynamo
from torch.utils.hooks import RemovableHandle

from cdg_torch.checks import is_dtensor

_SUM = (
    "backward() adds to a gradient that is in the metric already, and the sum would be neither raw "
    "nor in the metric; call {} before it, or apply_() once and after it"
)


class Swaps:
    """Transformed gradients that stand in ``p.grad``, and the raw ones that were there, as columns.

    ===============  ======================================================================
    ``parameters``   whose gradients they are
    ``raw``          what is put back; None where it has been overwritten
    ``transformed``  what stands in its place, changed or not, until something else does
    ===============  ======================================================================
    """

    def __init__(self) -> None:
        self.parameters: list[Tensor] = []
        self.raw: list[Tensor | None] = []
        self.transformed: list[Tensor] = []
        self._watches: dict[int, tuple[RemovableHandle, object]] = {}

    def __len__(self) -> int:
        return len(self.parameters)

    def standing(self) -> list[Tensor]:
        """Return the transformed gradients that are still in their places."""
        pairs = zip(self.parameters, self.transformed, strict=True)
        return [k for p, k in pairs if p.grad is k]

    def put(
        self,
        parameters: Sequence[Tensor],
        raw: Sequence[Tensor | None],
        transformed: Sequence[Tensor],
        *,
        standing: bool = False,
    ) -> None:
        """Put transformed gradients into their places, if they do not stand there yet."""
        self.parameters += parameters
        self.raw += raw
        self.transformed += transformed
        if standing:
            return
        for p, k in zip(parameters, transformed, strict=True):
            p.grad = k

    @_disable_dynamo
    def restore(self) -> None:
        """Put the raw gradients back wherever ours still stand."""
        for p, raw, k in zip(self.parameters, self.raw, self.transformed, strict=True):
            if raw is not None and p.grad is k:
                p.grad = raw
        self.forget()

    def forget(self) -> None:
        """Leave the gradients as they are, whatever they are."""
        for hook, _ in self._watches.values():
            hook.remove()
        self._watches.clear()
        self.parameters, self.raw, self.transformed = [], [], []

    def keep_standing(self) -> set[int]:
        """Forget those that no longer stand; return the ids of the other parameters."""
        rows = [*zip(self.parameters, self.raw, self.transformed, strict=True)]
        kept = [row for row in rows if row[0].grad is row[2]]
        self.parameters = [p for p, _, _ in kept]
        self.raw = [raw for _, raw, _ in kept]
        self.transformed = [k for _, _, k in kept]
        standing = {*map(id, self.parameters)}
        for key in self._watches.keys() - standing:
            self._watches.pop(key)[0].remove()
        return standing

    def watch(self) -> None:
        """Ask torch to tell when a backward pass is about to add to one of them."""
        reference = weakref.ref(self)
        for p in self.parameters:
            key = id(p)
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

    def find(self, key: int) -> int | None:
        """Return the place of a parameter, by its ``id``."""
        return next((i for i, p in enumerate(self.parameters) if id(p) == key), None)

    def drop(self, key: int) -> None:
        """Take what stands for a raw gradient as it is."""
        i = self.find(key)
        if i is not None:
            del self.parameters[i], self.raw[i], self.transformed[i]
        if key in self._watches:
            self._watches.pop(key)[0].remove()


def _meet(swaps: Swaps | None, key: int, *, too_late: bool = False) -> None:
    """Take a gradient for raw that a backward pass finds zeroed, and refuse any other."""
    i = None if swaps is None else swaps.find(key)
    if swaps is None or i is None or swaps.parameters[i].grad is not swaps.transformed[i]:
        return
    # This waits for the device, and comes to pass only after a step that was skipped.
    if too_late or bool(swaps.transformed[i].any()):
        which = "zero_grad(set_to_none=True)" if too_late else "zero_grad()"
        raise RuntimeError(_SUM.format(which))
    swaps.drop(key)
