"""The one line: ``cdg_torch.attach(optimizer, model, metric)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from cdg_theory.checks import described, one_of
from cdg_torch.attachment.acting import check_acts
from cdg_torch.attachment.copies import attachment_of, install
from cdg_torch.attachment.decay import check_decay_is_known, kept_fraction
from cdg_torch.attachment.guard import check_steps
from cdg_torch.attachment.handle import Handle
from cdg_torch.attachment.refusals import check_optimizer_and_model, warn_of_another_model
from cdg_torch.attachment.selection import Rule, Selection
from cdg_torch.attachment.step import Attachment, Options

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from cdg_theory import Metric


def _check_options(where: object, rules: object, **switches: object) -> None:
    one_of("where", where, ("gradient", "update"))
    for name, value in switches.items():
        if not isinstance(value, bool):
            msg = f"{name} must be True or False, got {described(value)}"
            raise TypeError(msg)
    if not isinstance(rules, list | tuple) or not all(isinstance(rule, Rule) for rule in rules):
        msg = f"rules must be a list of cdg_torch.Rule, got {described(rules)}"
        raise TypeError(msg)
    inplace = switches["inplace"]
    if where == "update" and inplace:
        msg = "inplace=True goes with where='gradient': with 'update' no gradient is written"
        raise ValueError(msg)


def _check_selection(optimizer: Optimizer, selection: Selection) -> None:
    """Refuse what would silently do nothing."""
    model, rules, by_id = selection.model, selection.rules, selection.read()
    if not any(id(p) in by_id for group in optimizer.param_groups for p in group["params"]):
        msg = (
            f"none of the optimizer's parameters belongs to the model, a {type(model).__name__}; "
            "give the model that the optimizer trains, as in attach(SGD(model.parameters(), ...), "
            "model, metric)"
        )
        raise ValueError(msg)
    warn_of_another_model(optimizer, model, by_id)
    if any(entry.provisional for entry in by_id.values()):
        return  # lazy layers are read after their first forward pass
    slots = [slot for entry in by_id.values() for slot in entry.slots]
    for index, rule in enumerate(rules[:-1]):
        if not any(rule.selects(slot) for slot in slots):
            msg = f"rules[{index}] selects no tensor of the model: {rule.why_none(slots)}"
            raise ValueError(msg)
    if all(entry.rule is None for entry in by_id.values()):
        msg = (
            "no tensor of the model is selected: by default the metric acts on the weights of "
            "convolutions with more than one output channel per group; rules=[Rule(metric=..., "
            "types=nn.Linear)] selects others"
        )
        raise ValueError(msg)


def attach(
    optimizer: Optimizer,
    model: nn.Module,
    metric: Metric | None,
    *,
    rules: Sequence[Rule] = (),
    inplace: bool = False,
    where: Literal["gradient", "update"] = "gradient",
    match_norm: bool = False,
    transform_decay: bool = False,
    require_gradients: bool = True,
    stats: bool = False,
    verbose: bool = False,
) -> Handle:
    r"""Make an optimizer descend along gradients in the metric, :math:`k = M^{-1}g`.

    Here :math:`g` is what ``backward()`` leaves in ``p.grad``, and :math:`M` is the metric's matrix
    (:class:`cdg_theory.Metric`). Before the step, ``p.grad`` of the selected tensors is replaced by
    :math:`k`; after the step, also after one that fails, it is :math:`g` again, bit for bit. The
    optimizer stays what it is: the same object and class, the same ``state_dict()``, for every
    scheduler and framework. If you give a closure, gradients are transformed each time after it has
    been called. The order is unscale → clip → transform → step.

    A step is either transformed, or it raises an error before any weight has changed. These steps
    would leave out the metric, so they raise: the step of the class, ``SGD.step(optimizer)``; a
    bound method that was stored before ``attach``; the step of an optimizer inside this one (SAM's
    ``second_step()``: attach to its ``base_optimizer``); and a step with a parameter that the model
    has replaced and the optimizer still holds.

    A gradient that autograd recorded keeps its history where the step may need it: with
    ``differentiable=True``, and in every step that is not one of ``torch.optim``'s.

    Parameters
    ----------
    optimizer
        Any ``torch.optim`` optimizer, or one derived from ``torch.optim.Optimizer``. It must hold
        a tensor that the metric selects and that requires grad.
    model
        The module that the parameters belong to. Which tensors, which axis, which groups: all is
        read from its layers (:mod:`cdg_torch.layers`), and read again when parameters have been
        replaced.
    metric
        The metric for the weights of convolutions, transposed ones included. None: for the tensors
        that ``rules`` select and no others.
    rules
        Tried in order before the default; the first that selects a tensor wins. The handle works
        on copies of its own.
    inplace
        Overwrite the gradients instead of keeping the raw ones: saves one copy of the selected
        gradients. After the step ``p.grad`` then holds :math:`M^{-1}g`; a second step without
        a new backward pass would transform it again. No two gradients may share memory.
    where
        ``"gradient"``: the optimizer is fed :math:`M^{-1}g`. ``"update"``: it is fed :math:`g`,
        and the displacement :math:`d` that it makes is replaced by :math:`M^{-1}d`; for
        optimizers such as Adam, which rescale the gradient number by number and so undo some of
        the smoothing. Costs a copy of the selected weights; in bfloat16 weights the displacement
        is only known to the weights' own rounding.
    match_norm
        Rescale each transformed tensor to the Euclidean norm it had before, so that smoothing and
        step size can be told apart. A tensor with a NaN or an infinity is not rescaled.
    transform_decay
        Whether weight decay is smoothed as well. With ``where="gradient"`` this is about coupled
        decay, which the optimizer adds to the gradient. With ``where="update"`` coupled decay is a
        part of the displacement and smoothed in any case; this is about decoupled decay. The
        library knows which kind the classes of ``torch.optim`` apply. Another class is refused
        where the kind matters: with True and ``where="gradient"``; with False, ``where="update"``
        and a ``weight_decay`` other than 0.
    require_gradients
        Refuse a step (without a closure) in which every gradient is None.
    stats
        Collect norms and channel correlations at every step, for :meth:`Handle.stats`. Reads every
        selected tensor a few times more, and gathers those that are sharded.
    verbose
        Print the report.

    Returns
    -------
    Handle
        Gives the report, changes the metric during training, detaches.

    Raises
    ------
    TypeError
        If an argument is of the wrong type; if the model is wrapped in FSDP1 or DeepSpeed, which
        keep flattened gradients; if the optimizer is a wrapper around another one, or has no step
        of its own.
    ValueError
        If the optimizer's parameters are not the model's, a rule or all of them select nothing,
        the metric acts on none of the optimizer's tensors, an option has no such value, or the way
        in which weight decay is applied has to be known and is not.
    RuntimeError
        If a metric is attached already, to the optimizer or to one that it wraps.

    Warns
    -----
    CDGWarning
        In the place of the ValueError, if the metric acts on none of the optimizer's tensors and
        that may be meant: all tensors that the metric selects are frozen or held by other
        optimizers with a metric, or the optimizer holds one single parameter. With lazy layers,
        this and that error come at the first step after they have been initialized.

    See Also
    --------
    cdg_torch.Handle : What is returned.
    cdg_torch.Rule : Which layers, with which metric.
    cdg_torch.SGD : An optimizer with the metric as an argument.
    cdg_torch.ordered_head : The recipe for a layer with ordered channels.
    cdg_torch.riemannian_gradients_ : For an optimizer of your own.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import attach
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> handle = attach(optimizer, model, Metric.reweighted_h0(10.0))
    >>> print(handle.report())
    tensor    shape    axis  groups  metric (mean, fluctuation, derivative)
    --------  -------  ----  ------  --------------------------------------
    0.weight  8×3×3×3  0     1       (1, 10, 0)
    0.bias    8        -     -       no rule selects the bias of a Conv2d
    1.weight  8        -     -       no rule selects the weight of a BatchNorm2d
    1.bias    8        -     -       no rule selects the bias of a BatchNorm2d
    <BLANKLINE>
    acts on 1 of 4 tensors, 216 of 240 numbers
    0 steps transformed so far
    """
    check_optimizer_and_model(optimizer, model)
    _check_options(
        where,
        rules,
        inplace=inplace,
        match_norm=match_norm,
        transform_decay=transform_decay,
        require_gradients=require_gradients,
        stats=stats,
        verbose=verbose,
    )
    if attachment_of(optimizer) is not None:
        msg = (
            "a metric is attached to this optimizer already, and a second one would transform its "
            "gradients twice; assign handle.metric to change it, or call handle.detach() first"
        )
        raise RuntimeError(msg)
    if transform_decay and where == "gradient":
        check_decay_is_known(optimizer)
    check_steps(optimizer)
    selection = Selection(model, [*map(replace, rules), Rule(metric=metric)])
    _check_selection(optimizer, selection)
    options = Options(
        inplace=inplace,
        where=where,
        match_norm=match_norm,
        transform_decay=transform_decay,
        require_gradients=require_gradients,
        stats=stats,
    )
    if where == "update" and not transform_decay:
        for s in selection.now(optimizer, with_gradient=False):
            kept_fraction(optimizer, s.group)  # refuses what it cannot tell
    attachment = Attachment(selection, options)
    attachment.checked = check_acts(optimizer, selection)
    install(optimizer, attachment)
    handle = Handle(optimizer, attachment)
    if verbose:
        print(handle.report())  # noqa: T201 - asked for
    return handle
