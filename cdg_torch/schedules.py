r"""Metrics that move during training, inside the cone: :math:`(1-t)\,M_0 + t\,I`.

From strong smoothing to none: the coarse-to-fine reading of Sobolev gradients. The weights are
blended, not ``lam``: as λ → 0 the Sobolev metric does not tend to no smoothing, it diverges.

==================  =========================================================================
``ConstantMetric``  t = 0
``LinearMetric``    t = s / S
``CosineMetric``    t = ½ (1 − cos(π s / S))
``StepMetric``      t = 1 − q^⌊s / P⌋
==================  =========================================================================

s counts the calls of ``step()``, and t stays at its last value after S steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from cdg_theory import Metric
from cdg_theory.checks import described, finite_number, whole_number
from cdg_theory.metric import SMALLEST, STEEPEST, check_metric
from cdg_torch.checkpoints import saved_metrics

if TYPE_CHECKING:
    from cdg_torch.attachment import Handle


def blend(metric: Metric, t: float) -> Metric:
    r"""Return :math:`(1-t)\,M + t\,I`: the metric at t = 0, ``Metric.l2()`` at t = 1.

    The weights are
    :math:`((1-t)\alpha+t,\ (1-t)\beta+t,\ (1-t)\gamma,\ (1-t)\delta)`. Metrics form a
    convex cone, so every t between gives a metric. Boundary and spacing are kept.

    =========  ==========  =======================================
    symbol     argument    meaning
    =========  ==========  =======================================
    :math:`M`  ``metric``  a :class:`cdg_theory.Metric`
    :math:`t`  ``t``       how far towards no smoothing, in [0, 1]
    =========  ==========  =======================================

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, or ``t`` not a real number.
    ValueError
        If ``t`` is not in [0, 1].

    See Also
    --------
    cdg_torch.LinearMetric : Moves t during training.
    cdg_theory.Metric : Metrics can also be added.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_torch import blend
    >>> blend(Metric.sobolev(8.0), 0.25)
    Metric(mean=1.0, fluctuation=0.25, derivative=6.0, curvature=0.0, boundary='natural', ...)
    >>> blend(Metric.sobolev(8.0), 1.0).is_multiple_of_l2
    True
    """
    check_metric(metric)
    cure = "0 is the metric itself and 1 is no smoothing"
    t = finite_number("t", t, cure=cure)
    if not 0 <= t <= 1:
        msg = f"t must be in [0, 1], got {t}; {cure}"
        raise ValueError(msg)
    s = 1.0 - t

    def weight(blended: float) -> float:
        return blended if blended >= SMALLEST else 0.0

    fluctuation = weight(s * metric.fluctuation + t)
    derivative, curvature = weight(s * metric.derivative), weight(s * metric.curvature)
    if curvature * STEEPEST < max(fluctuation, derivative):
        curvature = 0.0
    return replace(
        metric,
        mean=max(s * metric.mean + t, SMALLEST),
        fluctuation=fluctuation,
        derivative=derivative,
        curvature=curvature,
    )


class MetricSchedule:
    r"""Base class of schedules, which move the metrics of a handle towards no smoothing.

    Call ``step()`` after each ``optimizer.step()``, or once per epoch. Every rule of the handle
    moves from the metric it has when the schedule is made; rules without one stay without.
    A subclass defines :meth:`t`, and the metric of step s is

    .. math:: M_s = (1-t(s))\,M_0 + t(s)\,I, \qquad 0\le t\le1 ,

    with the metric :math:`M_0` at the start and the identity :math:`I`, which smooths nothing:
    :math:`t=0` is the metric, :math:`t=1` the ordinary gradient.

    Parameters
    ----------
    handle
        What :func:`cdg_torch.attach` returned.

    Raises
    ------
    TypeError
        If ``handle`` is not what :func:`cdg_torch.attach` returned.

    See Also
    --------
    cdg_torch.LinearMetric : Falls linearly.
    cdg_torch.CosineMetric : Slow at both ends.
    cdg_torch.StepMetric : In steps.
    cdg_torch.blend : The metric between.

    Examples
    --------
    >>> import torch, cdg_torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import LinearMetric
    >>> model = torch.nn.Conv2d(3, 8, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> handle = cdg_torch.attach(optimizer, model, Metric.sobolev(4.0))
    >>> schedule = LinearMetric(handle, steps=2)
    >>> schedule.step()
    >>> handle.metric.fluctuation, handle.metric.derivative
    (0.5, 2.0)
    """

    def __init__(self, handle: Handle) -> None:
        # By what a schedule needs of it: the handle's module imports torch's optimizers.
        if not isinstance(getattr(handle, "rules", None), tuple):
            msg = f"handle must be what cdg_torch.attach returned, got {described(handle)}"
            raise TypeError(msg)
        self.handle = handle
        self.start = tuple(rule.metric for rule in handle.rules)
        self.last_step = 0
        self._assign()

    def t(self, step: int) -> float:
        """Return how far towards no smoothing step number ``step`` lies, between 0 and 1.

        Raises
        ------
        NotImplementedError
            In the base class.
        """
        raise NotImplementedError

    def _assign(self) -> None:
        t = self.t(self.last_step)
        for rule, start in zip(self.handle.rules, self.start, strict=True):
            if start is not None:
                rule.metric = blend(start, t)

    def step(self) -> None:
        """Go one step on, and put the metrics of that step in force."""
        self.last_step += 1
        self._assign()

    def state_dict(self) -> dict[str, Any]:
        """Return the step and the metrics at the start, as plain numbers and strings."""
        return {
            "last_step": self.last_step,
            "start": [None if metric is None else asdict(metric) for metric in self.start],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume: the metrics of the saved step are put in force.

        Raises
        ------
        TypeError
            If ``state`` is not a mapping.
        ValueError
            If it is not what :meth:`state_dict` returns, or of another number of rules; the
            schedule is as it was then.
        """
        start = saved_metrics(state, "start", len(self.start))
        last_step = whole_number("state['last_step']", state.get("last_step"), least=0)
        self.start, self.last_step = start, last_step
        self._assign()


class ConstantMetric(MetricSchedule):
    """A schedule that leaves the metric as it is: :math:`t(s)=0`.

    ========  ==========  ======================================
    symbol    argument    meaning
    ========  ==========  ======================================
    (handle)  ``handle``  what :func:`cdg_torch.attach` returned
    ========  ==========  ======================================

    Raises
    ------
    TypeError
        If ``handle`` is not what :func:`cdg_torch.attach` returned.

    See Also
    --------
    cdg_torch.LinearMetric : Moves the metric.
    cdg_torch.MetricSchedule : The base class.

    Examples
    --------
    >>> import torch, cdg_torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import ConstantMetric
    >>> model = torch.nn.Conv2d(3, 8, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> handle = cdg_torch.attach(optimizer, model, Metric.reweighted_h0(5.0))
    >>> ConstantMetric(handle).step()
    >>> handle.metric.fluctuation
    5.0
    """

    def t(self, step: int) -> float:  # noqa: ARG002
        """Return 0 at every ``step``."""
        return 0.0


class LinearMetric(MetricSchedule):
    r"""A schedule that moves linearly to no smoothing: :math:`t(s)=\min(s/S,\,1)`.

    =========  ==========  =================================================
    symbol     argument    meaning
    =========  ==========  =================================================
    (handle)   ``handle``  what :func:`cdg_torch.attach` returned
    :math:`S`  ``steps``   number of steps until there is no smoothing, >= 1
    =========  ==========  =================================================

    Raises
    ------
    TypeError
        If ``handle`` is not what :func:`cdg_torch.attach` returned.
    ValueError
        If ``steps`` is not a whole number >= 1.

    See Also
    --------
    cdg_torch.CosineMetric : Slow at both ends.
    cdg_torch.StepMetric : In steps.
    cdg_torch.MetricSchedule : The base class.
    cdg_torch.blend : The metric between.

    Examples
    --------
    >>> import torch, cdg_torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import LinearMetric
    >>> model = torch.nn.Conv2d(3, 8, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> handle = cdg_torch.attach(optimizer, model, Metric.reweighted_h0(5.0))
    >>> schedule = LinearMetric(handle, steps=4)
    >>> schedule.step()
    >>> handle.metric.fluctuation
    4.0
    """

    def __init__(self, handle: Handle, *, steps: int) -> None:
        self.steps = whole_number("steps", steps, least=1)
        super().__init__(handle)

    def t(self, step: int) -> float:
        """Return min(s / S, 1) at ``step`` s."""
        return min(step / self.steps, 1.0)


class CosineMetric(LinearMetric):
    r"""A schedule that moves by half a cosine to no smoothing, slowly at both ends.

    .. math:: t(s) = \tfrac12\bigl(1-\cos(\pi\min(s/S,\,1))\bigr)

    is how far it has moved after :math:`s` steps: :math:`t=0` is the metric, :math:`t=1` none.

    =========  ==========  =================================================
    symbol     argument    meaning
    =========  ==========  =================================================
    (handle)   ``handle``  what :func:`cdg_torch.attach` returned
    :math:`S`  ``steps``   number of steps until there is no smoothing, >= 1
    =========  ==========  =================================================

    Raises
    ------
    TypeError
        If ``handle`` is not what :func:`cdg_torch.attach` returned.
    ValueError
        If ``steps`` is not a whole number >= 1.

    See Also
    --------
    cdg_torch.LinearMetric : At a constant rate.
    cdg_torch.StepMetric : In steps.
    cdg_torch.MetricSchedule : The base class.

    Examples
    --------
    >>> import torch, cdg_torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import CosineMetric
    >>> model = torch.nn.Conv2d(3, 8, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> handle = cdg_torch.attach(optimizer, model, Metric.reweighted_h0(5.0))
    >>> schedule = CosineMetric(handle, steps=2)
    >>> schedule.step()
    >>> round(handle.metric.fluctuation, 12)
    3.0
    """

    def t(self, step: int) -> float:
        """Return ½ (1 − cos(π s / S)) at ``step`` s up to S, then 1."""
        return 0.5 * (1.0 - math.cos(math.pi * super().t(step)))


class StepMetric(MetricSchedule):
    r"""A schedule that multiplies the distance to no smoothing by q every P steps.

    .. math:: t(s) = 1-q^{\lfloor s/P\rfloor}

    is how far it has moved after :math:`s` steps: :math:`t=0` is the metric, :math:`t=1` none.

    =========  ==========  ======================================================
    symbol     argument    meaning
    =========  ==========  ======================================================
    (handle)   ``handle``  what :func:`cdg_torch.attach` returned
    :math:`P`  ``every``   number of steps between two changes, >= 1
    :math:`q`  ``factor``  what is left of the distance at each change, in [0, 1)
    =========  ==========  ======================================================

    Raises
    ------
    TypeError
        If ``handle`` is not what :func:`cdg_torch.attach` returned, or ``factor`` not a real
        number.
    ValueError
        If ``every`` is not a whole number >= 1, or ``factor`` is not in [0, 1).

    See Also
    --------
    cdg_torch.LinearMetric : At a constant rate.
    cdg_torch.CosineMetric : Slow at both ends.
    cdg_torch.MetricSchedule : The base class.

    Examples
    --------
    >>> import torch, cdg_torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import StepMetric
    >>> model = torch.nn.Conv2d(3, 8, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> handle = cdg_torch.attach(optimizer, model, Metric.reweighted_h0(5.0))
    >>> schedule = StepMetric(handle, every=1, factor=0.5)
    >>> schedule.step()
    >>> handle.metric.fluctuation
    3.0
    """

    def __init__(self, handle: Handle, *, every: int, factor: float = 0.1) -> None:
        self.every = whole_number("every", every, least=1)
        cure = "0 stops smoothing at the first step"
        self.factor = finite_number("factor", factor, cure=cure)
        if not 0 <= self.factor < 1:
            msg = f"factor must be in [0, 1), got {factor!r}; {cure}"
            raise ValueError(msg)
        super().__init__(handle)

    def t(self, step: int) -> float:
        """Return 1 − q^⌊s / P⌋ at ``step`` s."""
        return 1.0 - self.factor ** (step // self.every)
