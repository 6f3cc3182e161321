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
from itertools import compress
from operator import is_
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch._compile import _disable_dynamo

from cdg_torch.attachment.acting import check_acts
from cdg_torch.attachment.buffers import Buffers
from cdg_torch.attachment.decay import (
    kept_fraction,
    plus_decay,
    steps_as_torch,
)
from cdg_torch.attachment.guard import Guard, lifted
from cdg_torch.attachment.held import Acting
from cdg_torch.attachment.hooks import hooks_on_raw_gradients
from cdg_torch.attachment.lists import (
    Places,
    Tensors,
    are_plain,
    copy_alike,
    multiply_,
    subtract_,
    subtract_alike,
)
from cdg_torch.attachment.norms import alike, match_norms, norms_of
from cdg_torch.attachment.refusals import check_gradients
from cdg_torch.attachment.selection import Selection
from cdg_torch.attachment.statistics import Statistics
from cdg_torch.attachment.swaps import Swaps
from cdg_torch.attachment.transform import check_served, in_memory, in_metric
from cdg_torch.solve import Planned

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_theory import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the transform is applied; the arguments of :func:`cdg_torch.attach` say what each is."""

    inplace: bool = False
    where: Literal["gradient", "update"] = "gradient"
    match_norm: bool = False
    transform_decay: bool = False
    require_gradients: bool = True
    stats: bool = False


class Routine(NamedTuple):
    """What was transformed in the last step, and how.

    ``moves`` are the displacements, in memory that nobody else has and that serves again.
    """

    acting: Acting
    moves: Tensors | None
    rules: list[Metric | None]
    planned: Planned
    places: Places


class Attachment:
    """What an optimizer holds of its metric. It never refers back to the optimizer: no cycle.

    ===============  =======================================================================
    ``selection``    model and rules: which tensors, which metric
    ``options``      how the transform is applied
    ``in_force``     whether the metric acts on an optimizer
    ``checked``      whether it is known to act on something, lazy layers being read late
    ``steps``        the number of steps in which it has acted on something
    ``followed``     while a step runs: what it makes of an argument that may be a closure
    ``applied``      what ``Handle.apply_`` has transformed ahead of the next step
    ``buffers``      memory for the results, used again from step to step
    ``copies``       the same for parameters before the step, with ``where="update"``
    ``routine``      how the last step was done: the next one is most often like it
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
    followed: Callable[[Any], Any] | None = None
    older_hooks: frozenset[int] = frozenset()
    replaced: Callable[..., Any] | None = None
    step: Callable[[], Any]
    handle: Callable[[], Any] | None = None
    routine: Routine | None = None

    def __init__(self, selection: Selection, options: Options) -> None:
        self.selection = selection
        self.options = options
        self.applied = Swaps()
        self.guards: list[Guard] = []
        self.statistics = Statistics()
        self.forget()

    def forget(self) -> None:
        """Forget the last step, and give its memory back."""
        # Of displacements and what becomes of them, nobody outside sees anything.
        self.buffers = Buffers(private=self.options.where == "update")
        self.copies = Buffers(private=True)
        self.routine = None

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
            msg = "the optimizer of this step is gone; keep the optimizer, not only its step"
            raise ReferenceError(msg)
        own_step = attachment.replaced or functools.partial(type(optimizer).step, optimizer)
        if not attachment.in_force:
            return own_step(*args, **kwargs)
        if (within := attachment.followed) is not None:
            # The running step calls itself: it has transformed the gradients, or will transform the
            # whole displacement.
            inner = {name: within(argument) for name, argument in kwargs.items()}
            return own_step(*map(within, args), **inner)

        outside = hooks_on_raw_gradients(optimizer, attachment.older_hooks, args, kwargs)
        with lifted(attachment.guards), outside as (args, kwargs):
            closures = any(map(is_closure, (*args, *kwargs.values())))
            required = attachment.options.require_gradients and not closures
            if attachment.options.where == "update":
                saved = save(attachment, optimizer, with_gradient=not closures)
                if required and not saved.before:
                    check_gradients(optimizer)
                attachment.followed = _as_it_is
                try:
                    result = own_step(*args, **kwargs)
                finally:
                    attachment.followed = None
                transform_updates(attachment, optimizer, saved)
                attachment.steps += bool(saved.before)
                return result

            # apply_() may have transformed the gradients already.
            swaps, attachment.applied = attachment.applied, Swaps()
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

            try:
                if not closures:
                    transform_gradients(attachment, optimizer, swaps)
                    if required and not swaps:
                        check_gradients(optimizer)
                args = tuple(map(followed, args))
                kwargs = {name: followed(argument) for name, argument in kwargs.items()}
                attachment.followed = followed
                result = own_step(*args, **kwargs)
                if closures and not called:
                    msg = (
                        f"{type(optimizer).__name__}.step was given a closure and did not call "
                        "it, so its gradients went in untransformed; call backward() yourself "
                        "and step() without it"
                    )
                    raise RuntimeError(msg)
                attachment.steps += bool(swaps)
                return result
            finally:
                attachment.followed = None
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


def _as_it_is(argument: Any) -> Any:
    return argument


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
    acting, raws = select(attachment, optimizer)
    if swaps and (ready := swaps.keep_standing()):
        keep = [id(p) not in ready for p in acting.parameters]
        acting, raws = acting.those(keep), [*compress(raws, keep)]
    planned = known_plan(attachment, acting, raws)
    if planned is None:
        for entry, raw in zip(acting.entries, raws, strict=True):
            check_served(raw, f"the gradient of {entry.name}")

    recorded = records(optimizer, raws)
    with torch.set_grad_enabled(recorded):
        if options.stats:
            statistics.before(acting, list(map(in_memory, raws)))
        # What belongs to a graph is not overwritten.
        inplace = options.inplace and not recorded
        fed: Tensors = raws
        if options.transform_decay:
            fed = plus_decay(optimizer, acting, raws, +1, inplace=inplace)
            planned = known_plan(attachment, acting, fed)
        results = transformed(attachment, acting, fed, "gradient", planned, inplace=inplace)
        if options.transform_decay:
            # The optimizer will add the decay itself: M⁻¹(g + λw) − λw + λw.
            results = plus_decay(optimizer, acting, results, -1, inplace=True)
        if options.stats:
            statistics.after(acting, results)

    kept: list[Tensor | None] = [None] * len(raws) if options.inplace else raws
    swaps.put(acting.parameters, kept, results, standing=results is raws)


def select(
    attachment: Attachment, optimizer: Optimizer, *, with_gradient: bool = True
) -> tuple[Acting, list[Any]]:
    """Return the tensors to act on now, and their gradients."""
    found = attachment.selection.acting(optimizer, with_gradient=with_gradient)
    if not attachment.checked:
        attachment.checked = check_acts(optimizer, attachment.selection)
    return found


class Saved(NamedTuple):
    """Selected parameters w before the step, and the fraction 1 − ηλ that decay keeps.

    The fraction is the group's, by the group's ``id``.
    """

    acting: Acting
    before: Tensors
    kept: dict[int, float | Tensor]


@_disable_dynamo
def save(attachment: Attachment, optimizer: Optimizer, *, with_gradient: bool) -> Saved:
    """Copy the selected parameters."""
    acting, _ = select(attachment, optimizer, with_gradient=with_gradient)
    whole = attachment.options.transform_decay
    groups = {id(group): group for group in optimizer.param_groups}
    kept = {key: 1.0 if whole else kept_fraction(optimizer, group) for key, group in groups.items()}
    with torch.set_grad_enabled(records(optimizer, [])):
        if torch.is_grad_enabled() or not are_plain(acting.parameters):
            before: Tensors = [p.clone() for p in acting.parameters]
        else:
            copies, routine = attachment.copies, attachment.routine
            before = copies.like(acting.parameters)
            if routine is not None and before is routine.moves:
                rows = copies.rows(before, routine.places)
                copy_alike(acting.parameters, routine.places, before, rows)
            else:
                torch._foreach_copy_(before, acting.parameters)
    return Saved(acting, before, kept)


@_disable_dynamo
def transform_updates(attachment: Attachment, optimizer: Optimizer, saved: Saved) -> None:
    """Replace each displacement d = w⁺ − (1−ηλ)w by M⁻¹d."""
    options, statistics = attachment.options, attachment.statistics
    acting, before, kept = saved
    parameters = acting.parameters
    recorded = records(optimizer, [])
    with torch.set_grad_enabled(recorded):
        if recorded:
            each = zip(parameters, before, acting.groups, strict=True)
            moves: Tensors = [p - kept[id(group)] * w for p, w, group in each]
        else:
            # (1−ηλ)w − w⁺ = −d, in the memory of w: the transform is odd, also when it rounds.
            moves = before
            for key, c in kept.items():
                if isinstance(c, Tensor) or c != 1:
                    pairs = zip(moves, acting.groups, strict=True)
                    multiply_([w for w, group in pairs if id(group) == key], c)
            _subtract_weights(attachment, moves, parameters)
        planned = known_plan(attachment, acting, moves)
        results = transformed(attachment, acting, moves, "update", planned)
        if options.stats:
            statistics.before(acting, moves)
            statistics.after(acting, results)
        # w⁺ − (d − k), not w + k: where the step did nothing, not a bit changes.
        if recorded:
            for p, d, k in zip(parameters, moves, results, strict=True):
                p.sub_(d - k)
            return
        if as_one := attachment.buffers.as_one(results, attachment.copies, moves):
            as_one[0].sub_(as_one[1])
        else:
            subtract_(results, moves)
        subtract_(parameters, results)


def _subtract_weights(attachment: Attachment, moves: Tensors, parameters: Tensors) -> None:
    buffers, copies, routine = attachment.buffers, attachment.copies, attachment.routine
    if routine is None or moves is not routine.moves:
        subtract_(moves, parameters)
        return
    # What the results will fill is free until then.
    room = buffers.rows(buffers.like(moves, routine.planned.grads), routine.places)
    rows = copies.rows(moves, routine.places)
    subtract_alike(moves, parameters, routine.places, rows, room)


def known_plan(attachment: Attachment, acting: Acting, tensors: Sequence[Tensor]) -> Planned | None:
    """Return the plan of the last step, if these are the same parameters and tensors like those.

    Metrics may be others.
    """
    routine = attachment.routine
    if routine is None or routine.acting is not acting:
        return None
    if not routine.planned.serves(tensors, alike=tensors is routine.moves):
        return None
    rules = [rule.metric for rule in attachment.selection.rules]
    if rules == routine.rules:
        return routine.planned
    follows: dict[Any, Any] = {}
    for old, new in zip(routine.rules, rules, strict=True):
        if follows.setdefault(old, new) != new:
            return None  # what had one set of coefficients needs two
    planned = routine.planned.revalued(follows)
    attachment.routine = None if planned is None else routine._replace(rules=rules, planned=planned)
    return planned


def transformed(
    attachment: Attachment,
    acting: Acting,
    tensors: Tensors,
    noun: str,
    planned: Planned | None,
    *,
    inplace: bool = False,
) -> Tensors:
    """Return M⁻¹t of every tensor t, by a plan that is known or by one that is known from now on.

    A result has the norm of its tensor, if that was asked for.
    """
    buffers, matched = None if inplace else attachment.buffers, attachment.options.match_norm
    routine = None if torch.is_grad_enabled() else attachment.routine
    norms: list[Tensor] = []
    if planned is not None and routine is not None:
        places = routine.places
        results = tensors if buffers is None else buffers.like(tensors, planned.grads)
        if matched:
            norms = _known_norms(attachment, tensors, results, places)
        if buffers is None:
            planned.plan.run(tensors, tensors)
        else:
            lie = attachment.copies.addresses(tensors), buffers.addresses(results)
            planned.plan.run(results, tensors, *lie)
    else:
        places = alike(tensors)
        if matched:
            norms = norms_of(tensors, places, [None] * len(places))
        metrics = attachment.selection.metrics_of(acting)
        results, jobs = in_metric(acting, metrics, tensors, noun, buffers)
        # What is a job as it is, and all of it.
        if jobs and all(map(is_, tensors, [job.grad for job in jobs])):
            planned = Planned.of(jobs)
            rules = [rule.metric for rule in attachment.selection.rules]
            if planned is not None:
                # Kept from step to step only if the memory is.
                moves = None if attachment.copies.addresses(tensors) is None else tensors
                attachment.routine = Routine(acting, moves, rules, planned, places)
    if not matched:
        return results
    return match_norms(results, norms, places, attachment.buffers.rows(results, places))


def _known_norms(
    attachment: Attachment, tensors: Tensors, results: Tensors, places: Places
) -> list[Tensor]:
    """Return the norms of tensors; until they are transformed, the results' memory is free."""
    if attachment.options.where == "update":
        return norms_of(tensors, places, attachment.copies.rows(tensors, places))
    return norms_of(tensors, places, attachment.buffers.rows(results, places), apart=True)
