"""The handle: what ``attach`` returns and the user holds."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cdg_torch.attachment.buffers import Buffers
from cdg_torch.attachment.copies import attachment_of, uninstall
from cdg_torch.attachment.refusals import check_gradients
from cdg_torch.attachment.report import Report, make_report
from cdg_torch.attachment.step import transform_gradients
from cdg_torch.attachment.transform import check_served, in_metric
from cdg_torch.checkpoints import saved_metrics
from cdg_torch.devices import widened
from cdg_torch.initialisation import match_weights

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from cdg_theory import Metric
    from cdg_torch.attachment.selection import Rule
    from cdg_torch.attachment.statistics import TensorStatistics
    from cdg_torch.attachment.step import Attachment, Options


class Handle:
    """An attached metric: its optimizer descends along :math:`k=M^{-1}g`.

    :func:`cdg_torch.attach` makes it.

    ==========================  ====================================================================
    ``rules``                   the rules in the order tried; the last is the one for ``metric``
    ``metric``                  the metric of the last rule; assign it to change it
    ``report()``                what the metric acts on, and why the rest is left alone
    ``steps``                   how many steps it has acted on
    ``apply_()``                transform now instead of in the step, to clip afterwards
    ``match_initialisation()``  make the initial weights as smooth as the metric
    ``dual_norm()``             the length of the gradient in the metric, for clipping
    ``stats()``                 norms and correlations of the last step (``stats=True``)
    ``detach()``                make the optimizer what it was before
    ``state_dict()``            the metrics in force, for a checkpoint
    ==========================  ====================================================================

    It holds a reference to its optimizer; the optimizer holds none to it.

    See Also
    --------
    cdg_torch.attach : Makes it.
    cdg_torch.attached : Finds it again.
    cdg_torch.LinearMetric : Changes its metric during training.
    cdg_torch.Report : What ``report()`` returns.

    Examples
    --------
    >>> import cdg_torch
    >>> import torch
    >>> from torch import nn
    >>> model = nn.Conv2d(3, 8, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> handle = cdg_torch.attach(optimizer, model, cdg_torch.Metric.sobolev(4.0))
    >>> model(torch.ones(1, 3, 5, 5)).sum().backward()
    >>> optimizer.step()
    >>> handle.steps
    1
    >>> handle.metric = cdg_torch.Metric.reweighted_h0(2.0)
    >>> handle.detach()
    """

    def __init__(self, optimizer: Optimizer, attachment: Attachment) -> None:
        self.optimizer = optimizer
        self._attachment = attachment
        attachment.handle = weakref.ref(self)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.optimizer, self._attachment

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        Handle.__init__(self, *state)

    @property
    def model(self) -> nn.Module:
        """The model from whose layers the axes are read."""
        return self._attachment.selection.model

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the order tried; the metric of each may be assigned."""
        return self._attachment.selection.rules

    @property
    def options(self) -> Options:
        """How the transform is applied."""
        return self._attachment.options

    @property
    def metric(self) -> Metric | None:
        """The metric of the last rule, given as ``metric`` to ``attach``; may be assigned."""
        return self.rules[-1].metric

    @metric.setter
    def metric(self, metric: Metric | None) -> None:
        self.rules[-1].metric = metric

    @property
    def is_attached(self) -> bool:
        """Whether the handle still acts on its optimizer."""
        return self._attachment.in_force and self._attachment.step() is not None

    @property
    def steps(self) -> int:
        """The number of steps in which the metric has acted on something.

        A step that failed or was skipped does not count. A step with a closure counts once. A fused
        optimizer under GradScaler skips a step on the device, after the transform, and that step
        counts. A copy begins at 0, and a checkpoint does not keep the number.
        """
        return self._attachment.steps

    def __repr__(self) -> str:
        state = self.report().summary if self.is_attached else "detached"
        return f"<channel-directed gradients on {type(self.optimizer).__name__}: {state}>"

    def report(self) -> Report:
        """Return what the metric acts on now, and why the rest is left alone; ``print`` it.

        Raises
        ------
        RuntimeError
            If somebody has replaced ``optimizer.step``, so that the attached step is never called.
            :meth:`apply_`, :meth:`dual_norm` and :meth:`stats` raise this too.
        """
        self._check_step_is_there()
        return make_report(self.optimizer, self._attachment.selection, self.steps)

    def _check_step_is_there(self) -> None:
        if self._attachment.in_force and not self.is_attached:
            msg = (
                "optimizer.step has been replaced since attach() by something that does not call "
                "the step that was there, so the metric acts on nothing; replace it before "
                "attach(), or let the new one call the old one"
            )
            raise RuntimeError(msg)

    def detach(self) -> None:
        """Make the optimizer what it was before; a second call does nothing.

        Gradients that :meth:`apply_` has transformed, and no step has used, become raw again.
        """
        if self._attachment.in_force:
            self._attachment.applied.restore()
            uninstall(self.optimizer, self._attachment)
            self._attachment.forget()

    def apply_(self) -> None:
        """Transform the gradients now; the next step takes them as they are.

        It is for clipping *afterwards*: unscale, ``apply_()``, clip, step. Call it in every
        iteration or in none. From ``apply_()`` on, ``p.grad`` is the transformed gradient, until:

        =====================================  ===================================================
        what comes first                       what then is in ``p.grad``
        =====================================  ===================================================
        a change in place, such as a clip      the transformed gradient, changed
        ``step()``                             the raw gradient of before, also if the step fails
        ``detach()``                           the raw gradient of before
        a closure, in ``step(closure)``        the raw gradient of before, for it to begin with
        a step that a scaler skips             the transformed gradient still
        ``zero_grad()``                        None or zero: from now on raw
        another tensor that you put there      that tensor, as raw
        ``backward()`` into what is zero       the new gradient, raw
        ``backward()`` into what is not zero   an error from ``backward()``
        ``apply_()`` once more                 an error, unless the gradient is raw or zero
        =====================================  ===================================================

        Raw gradients are transformed by the next ``apply_()`` or step. With ``inplace=True`` no raw
        gradient is kept: the transformed one stays, also for a closure, and after a step or
        ``detach()`` it counts as raw. Where ``apply_()`` or ``backward()`` meets a gradient that an
        earlier ``apply_()`` has transformed, it looks whether it is zero; this waits for the
        device.

        Raises
        ------
        RuntimeError
            If the gradients have been transformed already, or there are none.
        ValueError
            With ``where="update"``: there nothing is transformed before the step.
        """
        self._check_step_is_there()
        if self.options.where == "update":
            msg = 'apply_() needs where="gradient": with "update" the step itself is transformed'
            raise ValueError(msg)
        applied = self._attachment.applied
        if any(bool(k.any()) for k in applied.standing()):
            msg = (
                "these gradients have been transformed already; call apply_() once after each "
                "backward pass, and then optimizer.step()"
            )
            raise RuntimeError(msg)
        if self.options.require_gradients:
            check_gradients(self.optimizer)
        applied.forget()
        transform_gradients(self._attachment, self.optimizer, applied)
        applied.watch()

    def match_initialisation(self) -> None:
        r"""Make the initial weights of all tensors that the metric acts on as smooth as it is.

        Each becomes :math:`c\,M^{-1/2}W`, with one number c that keeps its mean square
        (:func:`cdg_torch.matched_initialisation`). Call it once, before the first step. It draws no
        random numbers.

        Raises
        ------
        RuntimeError
            If steps have been taken: these weights are trained.
        TypeError, ValueError
            As :func:`cdg_torch.matched_initialisation`; no weight has changed then.
        """
        self._check_step_is_there()
        if self.steps:
            msg = (
                f"match_initialisation() is for initial weights, and {self.steps} steps have been "
                "taken; call it before the first one"
            )
            raise RuntimeError(msg)
        match_weights(
            [
                (s.entry.name, s.parameter, s.metric, s.entry.dim, s.entry.groups)
                for s in self._attachment.selection.now(self.optimizer, with_gradient=False)
            ]
        )

    def stats(self) -> dict[str, TensorStatistics]:
        """Return norms and channel correlations, raw and transformed, of the last step.

        By tensor name. They are those of the gradients, or with ``where="update"`` of the
        displacements. If a closure ran several times, they are those of its last run. Waits for the
        device.

        Raises
        ------
        RuntimeError
            If the handle was not attached with ``stats=True``.
        """
        self._check_step_is_there()
        if not self.options.stats:
            msg = "statistics cost time at every step and are off; attach with stats=True"
            raise RuntimeError(msg)
        return self._attachment.statistics.read()

    def dual_norm(self) -> Tensor:
        r"""Return the length of the whole gradient in the metric, to clip raw gradients by.

        :math:`\sqrt{\sum g^TM^{-1}g}` over the tensors that the metric acts on, the Euclidean
        square for the others; a number in float64. Call it between ``backward()`` and the step.
        """
        self._check_step_is_there()
        selection = self._attachment.selection
        acting, raws = selection.acting(self.optimizer)
        acted = {*map(id, acting.parameters)}
        grads = [*map(widened, raws)]
        for entry, g in zip(acting.entries, grads, strict=True):
            check_served(g, f"the gradient of {entry.name}")
        recorded = torch.is_grad_enabled() and any(g.requires_grad for g in grads)
        with torch.set_grad_enabled(recorded):
            metrics = selection.metrics_of(acting)
            transformed, _ = in_metric(acting, metrics, grads, "gradient", Buffers())
        pairs = list(zip(grads, transformed, strict=True))
        for group in self.optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None and id(p) not in acted:
                    g = widened(p.grad)
                    pairs.append((g, g))
        # (conj(g)·k).sum() has no imaginary part but rounding: M is real and symmetric.
        squares = [_whole((g.conj() * k).sum().real) for g, k in pairs]
        total = sum(squares, torch.zeros((), dtype=torch.float64, device="cpu"))
        return total.clamp_min(0).sqrt()

    def state_dict(self) -> dict[str, Any]:
        """Return the metrics in force as plain numbers and strings.

        ``torch.load(..., weights_only=True)`` reads it back. The optimizer's own ``state_dict()``
        knows nothing of the metric, and is the same with and without.
        """
        return {
            "metrics": [None if rule.metric is None else asdict(rule.metric) for rule in self.rules]
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the metrics of a checkpoint in force.

        Raises
        ------
        TypeError
            If ``state`` is not a mapping.
        ValueError
            If it is not what :meth:`state_dict` returns, or of another number of rules; the
            metrics are as they were then.
        """
        metrics = saved_metrics(state, "metrics", len(self.rules))
        for rule, metric in zip(self.rules, metrics, strict=True):
            rule.metric = metric


def attached(optimizer: Optimizer) -> Handle | None:
    """Return the handle of an optimizer, or None if no metric is attached to it.

    A copied or unpickled optimizer has a handle of its own. This function finds it.

    =============  =====================================================
    argument       meaning
    =============  =====================================================
    ``optimizer``  any object; None is returned for one without a metric
    =============  =====================================================

    See Also
    --------
    cdg_torch.attach : Attaches a metric.
    cdg_torch.Handle : What is returned.

    Examples
    --------
    >>> import cdg_torch
    >>> import torch
    >>> from cdg_torch import attached
    >>> from torch import nn
    >>> model = nn.Conv2d(3, 8, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> handle = cdg_torch.attach(optimizer, model, cdg_torch.Metric.sobolev(1.0))
    >>> attached(optimizer) is handle
    True
    """
    attachment = attachment_of(optimizer)
    if attachment is None:
        return None
    known: Handle | None = attachment.handle and attachment.handle()
    return known or Handle(optimizer, attachment)


def _whole(tensor: Tensor) -> Tensor:
    """Return a number that ranks hold in parts as one number on each of them."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
