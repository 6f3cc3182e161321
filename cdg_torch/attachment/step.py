r"""One step of an optimizer with a metric attached: :func:`wrapped_step`, from top to bottom.

==============  ===============  ===============================================================
symbol          in the code      meaning
==============  ===============  ===============================================================
:math:`g`       ``raw``          what ``backward()`` left in ``p.grad``
:math:`k`       ``transformed``  :math:`M^{-1}g`, in ``p.grad`` while the optimizer steps
:math:`w`       ``before``       a parameter before the optimizer's own step
:math:`w^+`     ``parameter``    the same parameter after it
:math:`d`       ``moves``        the displacement :math:`w^+-(1-\eta\lambda)w`, which becomes
                                 :math:`M^{-1}d` with ``where="update"``
==============  ===============  ===============================================================
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch._compile import _disable_dynamo

from cdg_torch.attachment.acting import check_acts
from cdg_torch.attachment.buffers import Buffers
from cdg_torch.attachment.decay import (
    kept_fraction,
    match_norms,
    norms_of,
    plus_decay,
    steps_as_torch,
)
from cdg_torch.attachment.guard import Guard, lifted
from cdg_torch.attachment.hooks import hooks_on_raw_gradients
from cdg_torch.attachment.refusals import check_gradients
from cdg_torch.attachment.selection import Selected, Selection
from cdg_torch.attachment.statistics import Statistics
from cdg_torch.attachment.swaps import Swap, Swaps
from cdg_torch.checks import check_tensor, is_dtensor
from cdg_torch.gradient import riemannian_gradient, write_gradients
from cdg_torch.solve import Job

if TYPE_CHECKING:
    from torch.optim import Optimizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the transform is applied; the arguments of :func:`cdg_torch.attach` say what each is."""

    inplace: bool = False
    where: Literal["gradient", "update"] = "gradient"
    match_norm: bool = False
    transform_decay: bool = False
    require_gradients: bool = True
    stats: bool = False


class Attachment:
    """What an optimizer holds of its metric. It never refers back to the optimizer: no cycle.

    ===============  =======================================================================
    ``selection``    model and rules: which tensors, which metric
    ``options``      how the transform is applied
    ``in_force``     whether the metric acts on an optimizer
    ``checked``      whether it is known to act on something, lazy layers being read late
    ``steps``        the number of steps in which it has acted on something
    ``applied``      what ``Handle.apply_`` has transformed ahead of the next step
    ``buffers``      memory for the results, used again from step to step
    ``statistics``   what the last step did, if asked for
    ``older_hooks``  the keys of the optimizer's step hooks that are older than the metric
    ``guards``       what refuses steps past the metric, while the attached one is not running
    ``step``         a weak reference to the function that stands in the optimizer's ``step``
    ``replaced``     what stood there before, a scheduler's function for one
    ``handle``       a weak reference to the user's handle
    ===============  =======================================================================
    """

    in_force = False
    checked = False
    steps = 0
    older_hooks: frozenset[int] = frozenset()
    replaced: Callable[..., Any] | None = None
    step: Callable[[], Any]
    handle: Callable[[], Any] | None = None

    def __init__(self, selection: Selection, options: Options) -> None:
        self.selection = selection
        self.options = options
        self.applied = Swaps()
        self.guards: list[Guard] = []
        self.buffers = Buffers()
        self.statistics = Statistics()

    # A copy brings model, rules and options; the rest belongs to one optimizer.
    def __getstate__(self) -> tuple[Any, ...]:
        return self.selection, self.options, self.checked

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *arguments, self.checked = state
        Attachment.__init__(self, *arguments)


def wrapped_step(optimizer: Optimizer, attachment: Attachment) -> MethodType:
    """Return ``optimizer.step`` with the metric in it.

    It is a bound method, since learning-rate schedulers ask for its ``__func__``, but bound to a
    weak reference: a strong one would keep the optimizer alive.
    """
    reference = weakref.ref(optimizer)
    looks_like = attachment.replaced or type(optimizer).step

    @functools.wraps(getattr(looks_like, "__func__", looks_like))
    def step(_self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        optimizer = reference()
        if optimizer is None:
            msg = "the optimizer of this step is gone; keep the optimizer, not its step alone"
            raise ReferenceError(msg)
        own_step = attachment.replaced or functools.partial(type(optimizer).step, optimizer)
        if not attachment.in_force:
            return own_step(*args, **kwargs)

        outside = hooks_on_raw_gradients(optimizer, attachment.older_hooks, args, kwargs)
        with lifted(attachment.guards), outside as (args, kwargs):
            closures = any(map(is_closure, (*args, *kwargs.values())))
            if not closures and attachment.options.require_gradients:
                check_gradients(optimizer)

            if attachment.options.where == "update":
                saved = save(attachment, optimizer, with_gradient=not closures)
                result = own_step(*args, **kwargs)
                transform_updates(attachment, optimizer, saved)
                attachment.steps += bool(saved)
                return result

            # apply_() may have transformed the gradients already.
            swaps, attachment.applied = attachment.applied, Swaps()
            try:
                if not closures:
                    transform_gradients(attachment, optimizer, swaps)
                    result = own_step(*args, **kwargs)
                    attachment.steps += bool(swaps)
                    return result

                called = False

                def followed(argument: Any) -> Any:
                    if not is_closure(argument):
                        return argument

                    def evaluate(*args: Any, **kwargs: Any) -> Any:
                        nonlocal called
                        called = True
                        # The closure may add to the gradients, or fail: they are raw for it.
                        # Overwritten ones are not, and it must not add to these.
                        swaps.watch() if attachment.options.inplace else swaps.restore()
                        loss = argument(*args, **kwargs)
                        transform_gradients(attachment, optimizer, swaps)
                        return loss

                    return evaluate

                args = tuple(map(followed, args))
                kwargs = {name: followed(argument) for name, argument in kwargs.items()}
                result = own_step(*args, **kwargs)
                if not called:
                    msg = (
                        f"{type(optimizer).__name__}.step was given a closure and did not call "
                        "it, so its gradients went in untransformed; call backward() yourself "
                        "and step() without it"
                    )
                    raise RuntimeError(msg)
                attachment.steps += bool(swaps)
                return result
            finally:
                swaps.restore()

    # What Dynamo has written on torch's own step is about that one. Copied with its name, it would
    # let torch put that step in the place of ours.
    for mark in [mark for mark in vars(step) if mark.startswith("_torchdynamo")]:
        delattr(step, mark)
    # Here, because it imports all of Dynamo.
    from torch._dynamo.decorators import skip

    # Dynamo is not to trace this function; it compiles the optimizer's own step inside, as ever.
    return MethodType(skip(step), weakref.proxy(optimizer))


# ---- the parts of a step, which Dynamo leaves alone with all that they call. (The public
# torch.compiler.disable would import all of Dynamo here; this one waits until it is needed.)


def is_closure(argument: object) -> bool:
    """Whether an argument of ``step`` may compute gradients, whatever its name."""
    return callable(argument) and not isinstance(argument, torch.nn.Module)


def records(optimizer: Optimizer, tensors: Sequence[Tensor]) -> bool:
    """Whether the transform is to stay part of the graph that the tensors come from.

    It is with ``differentiable=True``; and if ``backward(create_graph=True)`` made the gradients,
    for a step that is not torch's own, which may differentiate them once more (AdaHessian).
    """
    if getattr(optimizer, "defaults", {}).get("differentiable"):
        return True
    return not steps_as_torch(optimizer) and any(t.requires_grad for t in tensors)


@_disable_dynamo
def transform_gradients(attachment: Attachment, optimizer: Optimizer, swaps: Swaps) -> None:
    """Put k = M⁻¹g in the place of every selected gradient, of all or of none; add to ``swaps``."""
    options, statistics = attachment.options, attachment.statistics
    selected = select(attachment, optimizer)
    if swaps:
        ready = {key for key, swap in swaps.items() if swap.stands}
        selected = [s for s in selected if id(s.parameter) not in ready]
    raws = [grad for s in selected if (grad := s.parameter.grad) is not None]

    for s, raw in zip(selected, raws, strict=True):
        check_served(raw, f"the gradient of {s.entry.name}")

    recorded = records(optimizer, raws)
    with torch.set_grad_enabled(recorded):
        if options.stats:
            statistics.before(selected, list(map(in_memory, raws)))
        # What belongs to a graph is not overwritten.
        inplace = options.inplace and not recorded
        fed = raws
        if options.transform_decay:
            fed = plus_decay(optimizer, selected, raws, +1, inplace=inplace)
        buffers = None if inplace else attachment.buffers
        results = in_metric(selected, fed, "gradient", buffers, match_norm=options.match_norm)
        if options.transform_decay:
            # The optimizer will add the decay itself: M⁻¹(g + λw) − λw + λw.
            results = plus_decay(optimizer, selected, results, -1, inplace=True)
        if options.stats:
            statistics.after(selected, results)

    for s, raw, k in zip(selected, raws, results, strict=True):
        s.parameter.grad = k
        swaps[id(s.parameter)] = Swap(s.parameter, None if options.inplace else raw, k)


def select(
    attachment: Attachment, optimizer: Optimizer, *, with_gradient: bool = True
) -> list[Selected]:
    """Return the tensors to act on now."""
    selected = attachment.selection.now(optimizer, with_gradient=with_gradient)
    if not attachment.checked:
        attachment.checked = check_acts(optimizer, attachment.selection)
    return selected


class Saved(NamedTuple):
    """A selected parameter w before the step, and the fraction 1 − ηλ of it that decay keeps."""

    selected: Selected
    before: Tensor
    kept: float | Tensor


@_disable_dynamo
def save(attachment: Attachment, optimizer: Optimizer, *, with_gradient: bool) -> list[Saved]:
    """Copy the selected parameters."""
    whole = attachment.options.transform_decay
    with torch.set_grad_enabled(records(optimizer, [])):
        return [
            Saved(s, s.parameter.clone(), 1.0 if whole else kept_fraction(optimizer, s.group))
            for s in select(attachment, optimizer, with_gradient=with_gradient)
        ]


@_disable_dynamo
def transform_updates(attachment: Attachment, optimizer: Optimizer, saved: Sequence[Saved]) -> None:
    """Replace each displacement d = w⁺ − (1−ηλ)w by M⁻¹d."""
    options, statistics = attachment.options, attachment.statistics
    selected = [x.selected for x in saved]
    recorded = records(optimizer, [])
    with torch.set_grad_enabled(recorded):
        moves = [x.selected.parameter - x.kept * x.before for x in saved]
        results = in_metric(
            selected, moves, "update", attachment.buffers, match_norm=options.match_norm
        )
        if options.stats:
            statistics.before(selected, moves)
            statistics.after(selected, results)
        for s, d, k in zip(selected, moves, results, strict=True):
            # w⁺ − (d − k), not w + k: where the step did nothing, not a bit changes.
            s.parameter.sub_(d - k if recorded else d.sub_(k))


def in_metric(
    selected: Sequence[Selected],
    tensors: Sequence[Tensor],
    noun: str,
    buffers: Buffers | None,
    *,
    match_norm: bool = False,
) -> list[Tensor]:
    """Return M⁻¹t of every tensor t: dense, complex or sharded, each in its own layout.

    ``buffers`` gives the memory; without, the tensors are overwritten. Where autograd records, it
    sees the transform, and refuses sharded tensors with a history.
    """
    tensors = list(map(in_memory, tensors))
    norms = norms_of(tensors) if match_norm else []
    recorded = torch.is_grad_enabled()
    if recorded:
        outs = [
            torch.empty_like(t) if is_dtensor(t) else _in_graph(t, s)
            for t, s in zip(tensors, selected, strict=True)
        ]
    else:
        outs = list(tensors) if buffers is None else buffers.like(tensors)
    whole: list[Job] = []
    sharded: list[Job] = []
    names = []
    for out, t, s in zip(outs, tensors, selected, strict=True):
        if is_dtensor(t):
            sharded.append(Job(out, t, s.metric, s.entry.dim, s.entry.groups))
            names.append(f"the {noun} of {s.entry.name}")
        elif not recorded:
            whole.append(Job(_real(out), _real(t), s.metric, s.entry.dim, s.entry.groups))
    if sharded:
        # Here, because torch.distributed.tensor is slow to import.
        from cdg_torch.sharded import write_sharded_gradients

        write_sharded_gradients(sharded, names)
    write_gradients(whole)
    return match_norms(outs, norms) if match_norm else outs


def _in_graph(tensor: Tensor, s: Selected) -> Tensor:
    out = riemannian_gradient(_real(tensor), s.metric, dim=s.entry.dim, groups=s.entry.groups)
    return torch.view_as_complex(out) if tensor.is_complex() else out


def check_served(tensor: Tensor, name: str) -> None:
    """Refuse what is sparse or of a dtype that is not served; a sharded one is checked later."""
    if not is_dtensor(tensor):
        check_tensor(_real(tensor), name)


def in_memory(tensor: Tensor) -> Tensor:
    """Return the tensor with the conjugation or negation done that torch has put off."""
    late = tensor.is_conj() or tensor.is_neg()
    return tensor.resolve_conj().resolve_neg() if late else tensor


def _real(tensor: Tensor) -> Tensor:
    # M is real: it acts on real and imaginary parts alike, and the new axis comes last.
    tensor = in_memory(tensor)
    dense = tensor.is_complex() and tensor.layout is torch.strided and not is_dtensor(tensor)
    return torch.view_as_real(tensor) if dense else tensor
