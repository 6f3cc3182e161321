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

from cdg_torch.attachment.buffers import Buffers
from cdg_torch.attachment.decay import kept_fraction, match_norms, norms_of, plus_decay
from cdg_torch.attachment.hooks import hooks_on_raw_gradients
from cdg_torch.attachment.refusals import check_gradients
from cdg_torch.attachment.selection import Selected, Selection
from cdg_torch.attachment.statistics import Statistics
from cdg_torch.checks import check_tensor, is_dtensor
from cdg_torch.gradient import write_gradients
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


class Swap(NamedTuple):
    """A transformed gradient that stands in ``p.grad`` for the raw one (None: overwritten)."""

    parameter: Tensor
    raw: Tensor | None
    transformed: Tensor
    version: int

    @property
    def stands(self) -> bool:
        """Whether nothing has replaced or changed the transformed gradient."""
        ours = self.parameter.grad is self.transformed
        return ours and self.transformed._version == self.version


class Attachment:
    """What an optimizer holds of its metric. It never refers back to the optimizer: no cycle.

    ===============  =======================================================================
    ``selection``    model and rules: which tensors, which metric
    ``options``      how the transform is applied
    ``in_force``     whether the metric acts on an optimizer
    ``applied``      what ``Handle.apply_`` has transformed ahead of the next step
    ``buffers``      memory for the results, used again from step to step
    ``statistics``   what the last step did, if asked for
    ``older_hooks``  the keys of the optimizer's step hooks that are older than the metric
    ``step``         a weak reference to what stands in the optimizer's ``step``
    ``replaced``     what stood there before, a scheduler's function for one
    ``handle``       a weak reference to the user's handle
    ===============  =======================================================================
    """

    in_force = False
    older_hooks: frozenset[int] = frozenset()
    replaced: Callable[..., Any] | None = None
    step: Callable[[], Any]
    handle: Callable[[], Any] | None = None

    def __init__(self, selection: Selection, options: Options) -> None:
        self.selection = selection
        self.options = options
        self.applied: list[Swap] = []
        self.buffers = Buffers()
        self.statistics = Statistics()

    # A copy brings model, rules and options; the rest belongs to one optimizer.
    def __getstate__(self) -> tuple[Any, ...]:
        return self.selection, self.options

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        Attachment.__init__(self, *state)


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
        with outside as (args, kwargs):
            closure = args[0] if args else kwargs.get("closure")
            if not callable(closure) and attachment.options.require_gradients:
                check_gradients(optimizer)

            if attachment.options.where == "update":
                saved = save(attachment, optimizer, with_gradient=not callable(closure))
                result = own_step(*args, **kwargs)
                transform_updates(attachment, saved)
                return result

            # apply_() may have transformed the gradients already.
            swaps, attachment.applied = attachment.applied, []
            try:
                if not callable(closure):
                    transform_gradients(attachment, optimizer, swaps)
                    return own_step(*args, **kwargs)

                called = False

                def evaluate(*args: Any, **kwargs: Any) -> Any:
                    nonlocal called
                    called = True
                    # The closure may add to the gradients, or fail: they are raw for it.
                    restore(swaps)
                    loss = closure(*args, **kwargs)
                    transform_gradients(attachment, optimizer, swaps)
                    return loss

                if args:
                    args = (evaluate, *args[1:])
                else:
                    kwargs = {**kwargs, "closure": evaluate}
                result = own_step(*args, **kwargs)
                if not called:
                    msg = (
                        f"{type(optimizer).__name__}.step was given a closure and did not call "
                        "it, so its gradients went in untransformed; call backward() yourself "
                        "and step() without it"
                    )
                    raise RuntimeError(msg)
                return result
            finally:
                restore(swaps)

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


@_disable_dynamo
@torch.no_grad()
def transform_gradients(attachment: Attachment, optimizer: Optimizer, swaps: list[Swap]) -> None:
    """Put k = M⁻¹g in the place of every selected gradient, of all or of none; add to ``swaps``."""
    options, statistics = attachment.options, attachment.statistics
    ready = {id(x.parameter) for x in swaps if x.parameter.grad is x.transformed}
    selected = [s for s in attachment.selection.now(optimizer) if id(s.parameter) not in ready]
    raws = [grad for s in selected if (grad := s.parameter.grad) is not None]

    for s, raw in zip(selected, raws, strict=True):
        check_served(raw, f"the gradient of {s.entry.name}")

    if options.stats:
        statistics.before(selected, list(map(in_memory, raws)))
    fed = raws
    if options.transform_decay:
        fed = plus_decay(optimizer, selected, raws, +1, inplace=options.inplace)
    buffers = None if options.inplace else attachment.buffers
    results = in_metric(selected, fed, "gradient", buffers, match_norm=options.match_norm)
    if options.transform_decay:
        # The optimizer will add the decay itself: M⁻¹(g + λw) − λw + λw.
        results = plus_decay(optimizer, selected, results, -1, inplace=True)
    if options.stats:
        statistics.after(selected, results)

    for s, raw, k in zip(selected, raws, results, strict=True):
        s.parameter.grad = k
        swaps.append(Swap(s.parameter, None if options.inplace else raw, k, k._version))


@_disable_dynamo
def restore(swaps: list[Swap]) -> None:
    """Put the raw gradients back wherever ours still stand."""
    for swap in swaps:
        if swap.raw is not None and swap.parameter.grad is swap.transformed:
            swap.parameter.grad = swap.raw
    swaps.clear()


class Saved(NamedTuple):
    """A selected parameter w before the step, and the fraction 1 − ηλ of it that decay keeps."""

    selected: Selected
    before: Tensor
    kept: float | Tensor


@_disable_dynamo
def save(attachment: Attachment, optimizer: Optimizer, *, with_gradient: bool) -> list[Saved]:
    """Copy the selected parameters."""
    whole = attachment.options.transform_decay
    return [
        Saved(s, s.parameter.detach().clone(), 1.0 if whole else kept_fraction(optimizer, s.group))
        for s in attachment.selection.now(optimizer, with_gradient=with_gradient)
    ]


@_disable_dynamo
@torch.no_grad()
def transform_updates(attachment: Attachment, saved: Sequence[Saved]) -> None:
    """Replace each displacement d = w⁺ − (1−ηλ)w by M⁻¹d."""
    options, statistics = attachment.options, attachment.statistics
    selected = [x.selected for x in saved]
    moves = [x.selected.parameter - x.kept * x.before for x in saved]
    results = in_metric(
        selected, moves, "update", attachment.buffers, match_norm=options.match_norm
    )
    if options.stats:
        statistics.before(selected, moves)
        statistics.after(selected, results)
    for s, d, k in zip(selected, moves, results, strict=True):
        # w⁺ − (d − k), not w + k: where the step did nothing, not a bit changes.
        s.parameter.sub_(d.sub_(k))


def in_metric(
    selected: Sequence[Selected],
    tensors: Sequence[Tensor],
    noun: str,
    buffers: Buffers | None,
    *,
    match_norm: bool = False,
) -> list[Tensor]:
    """Return M⁻¹t of every tensor t: dense, complex or sharded, each in its own layout.

    ``buffers`` gives the memory; without, the tensors are overwritten.
    """
    tensors = list(map(in_memory, tensors))
    norms = norms_of(tensors) if match_norm else []
    outs = list(tensors) if buffers is None else buffers.like(tensors)
    jobs = [
        Job(_real(out), _real(t), s.metric, s.entry.dim, s.entry.groups)
        for out, t, s in zip(outs, tensors, selected, strict=True)
    ]
    whole = [job for job in jobs if not is_dtensor(job.grad)]
    if len(whole) < len(jobs):
        # Here, because torch.distributed.tensor is slow to import.
        from cdg_torch.sharded import write_sharded_gradients

        named = zip(jobs, (f"the {noun} of {s.entry.name}" for s in selected), strict=True)
        sharded, names = zip(*((j, name) for j, name in named if is_dtensor(j.grad)), strict=True)
        write_sharded_gradients(sharded, names)
    write_gradients(whole)
    if match_norm:
        match_norms(outs, norms)
    return outs


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
