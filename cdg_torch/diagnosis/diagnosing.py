r"""Whether a layer's gradient has an order along its output channels, and what a metric gains.

A handful of independent batches tells, for each channel mode of each layer, the signal (what the
batches have in common) and the noise of one batch, without bias (theorem 15). From these follows
how far one batch's gradient is from the true one, raw and in any metric. Whether the channels have
an order is told by permuting them, which needs no model of the columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory import fit_metric
from cdg_theory.checks import described, finite_number, one_of, whole_number
from cdg_theory.discrete.moments import measured_moments, mode_products
from cdg_torch.diagnosis.findings import Diagnosis, LayerDiagnosis
from cdg_torch.diagnosis.measuring import (
    check_model,
    columns,
    measured_gradients,
    precision,
    reasons,
    weights,
)
from cdg_torch.diagnosis.predicting import mean_weight, predicted

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from cdg_theory.fit import Verdict
    from cdg_theory.metric import Boundary
    from cdg_torch.layers import OutputAxis, Slot

    Array = NDArray[np.float64]

#: Fewer channels have too few orders: 8! permutations, half as many up to reflection, and on a
#: cycle an eighth of these up to rotation.
FEWEST = 8
#: Batches from which one half can choose a metric and the other half judge it.
HALVES = 4
#: Permutations grow with its reciprocal.
LEAST_LEVEL = 1e-4
#: What the signal must exceed its standard error by.
SIGNAL_ERRORS = 2.0


def diagnose(
    model: nn.Module,
    batches: Iterable[Any],
    loss: Callable[[nn.Module, Any], Tensor],
    *,
    boundary: Boundary = "natural",
    level: float = 0.05,
    training_batches: int | None = None,
    seed: int = 0,
) -> Diagnosis:
    r"""Say for each layer whether its channels have an order and what a metric would gain.

    .. math:: R(\kappa) = \sum_m (1-\kappa_m)^2 s_m + \kappa_m^2\,\nu_m

    is the mean squared error :math:`R` of a batch's gradient that a metric has smoothed:
    :math:`s_m` is the signal (the gradient of the expected loss) in channel mode m,
    :math:`\nu_m` the noise of one batch, and :math:`\kappa_m` the factor by which the metric
    multiplies the mode. A metric gains by the error that it removes.

    ================  =====================  ====================================================
    symbol            argument               meaning
    ================  =====================  ====================================================
    (network)         ``model``              in the mode, train or eval, in which it trains
    (B batches)       ``batches``            independent draws, disjoint parts of fresh data, >= 2;
                                             four or more let a gain be predicted, eight or more
                                             are good
    (loss)            ``loss``               ``loss(model, batch)``, a scalar tensor; autocast and
                                             the like belong inside
    (end condition)   ``boundary``           of the metrics that are tried
    (level)           ``level``              share of the verdicts that may be false: half of it for
                                             "ordered", half for "exchangeable"
    (N)               ``training_batches``   number of such batches in the training set: for early
                                             stopping the noise is ν/N; None: those given
    (seed)            ``seed``               of the permutations
    ================  =====================  ====================================================

    The weights of convolutions and linear layers are examined, where they require grad. Signal and
    noise are estimated without bias (theorem 15). Whether the channels have an order is tested on
    the mean gradient, by permuting them. The test is exact whatever the dependence between columns,
    and its p-values are corrected for the number of layers (Benjamini and Yekutieli). The metric is
    one of :meth:`Metric.of_length`, of first or second order: one half of the batches chooses it,
    the other half judges it, then the halves change places. The gain is the mean of both. Raw
    gradient, H⁰ and metric are compared each at its own best scale, as a tuned learning rate would
    give it.

    **What it cannot tell.** It looks at the gradient at the present weights; at other weights the
    answer may differ. A gradient with a smaller error does not promise a smaller test error. Only
    for one linear layer with squared loss and early stopping does theorem 16 say so. The channels
    of a hidden layer have no order: there the verdict ``"none"`` is what the theory expects.

    **Which batches.** Take disjoint parts of data that the weights were not trained on. Batches
    drawn with replacement from a training set share the sampling error of that set, and it counts
    as signal. On data that the weights were trained on, training has removed part of the signal,
    and it comes out too small.

    Nothing is changed: no weight, gradient, buffer or mode, and no state of torch's random numbers
    on the CPU and the weights' devices. Two things are not undone: what ``loss`` itself does to
    weights and gradients, and other random numbers that the iterator draws.

    Returns
    -------
    Diagnosis
        One entry for each weight; it prints itself, and ``rules()`` is for
        :func:`cdg_torch.attach`.

    Raises
    ------
    TypeError
        If an argument is of the wrong type, or the loss is no tensor.
    ValueError
        If there are fewer than two batches, the loss is not one finite number, cannot be
        differentiated or does not depend on any such weight, a gradient is not finite, or the
        model is wrapped or sharded so that gradients are not in one piece.

    See Also
    --------
    cdg_torch.Diagnosis : What is returned.
    cdg_torch.attach : Takes its rules.
    cdg_torch.channel_profile : A picture of one tensor.
    cdg_theory.fit_metric : The same question for columns of numbers.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch import diagnose
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> head = nn.Linear(6, 24)
    >>> wanted = torch.sin(torch.arange(24) / 4)[:, None] * torch.randn(6)
    >>> def loss(model, x):
    ...     noisy = x @ wanted.T + 3 * torch.randn(20, 24)
    ...     return (model(x) - noisy).square().mean()
    >>> batches = [torch.randn(20, 6) for _ in range(16)]
    >>> found = diagnose(head, batches, loss).layers[0]
    >>> found.verdict, found.is_worthwhile
    ('ordered', True)

    Notes
    -----
    Theorems 14 to 16. :func:`cdg_theory.fit_metric` has the permutation test.
    """
    check_model(model)
    one_of("boundary", boundary, ("natural", "periodic"))
    level = finite_number("level", level, cure="0.05 is usual")
    if not LEAST_LEVEL <= level < 1:
        msg = (
            f"level must lie between {LEAST_LEVEL:g} and 1, got {level}; 0.05 is usual, and a "
            "lower one asks for more permutations"
        )
        raise ValueError(msg)
    if not callable(loss):
        msg = f"loss must be a function of model and batch, got {described(loss)}"
        raise TypeError(msg)
    seed = whole_number("seed", seed, least=0)
    if training_batches is not None:
        training_batches = whole_number("training_batches", training_batches, least=1)
    chosen, left_out = weights(model)
    if not chosen:
        msg = f"model has no weight to look at; {reasons(left_out)}"
        raise ValueError(msg)
    gradients, count = measured_gradients(model, batches, loss, chosen)
    found: list[tuple[Slot, OutputAxis, Sequence[Tensor]]] = []
    for (slot, axis), parts in zip(chosen, gradients, strict=True):
        if not any(bool(part.any()) for part in parts):
            left_out[slot.name] = "the loss does not depend on it"
        else:
            found.append((slot, axis, parts))
    if not found:
        msg = f"the loss does not depend on any of these weights; {reasons(left_out)}"
        raise ValueError(msg)
    layers = _judged(found, boundary, level, training_batches or count, seed)
    return Diagnosis(tuple(layers), left_out, count, level)


def _judged(
    found: Sequence[tuple[Slot, OutputAxis, Sequence[Tensor]]],
    boundary: Boundary,
    level: float,
    training_batches: int,
    seed: int,
) -> list[LayerDiagnosis]:
    from scipy.stats import false_discovery_control

    # float64 copies are made of one layer at a time.
    means = {at: columns(parts, axis).mean(axis=0) for at, (_, axis, parts) in enumerate(found)}
    tested = [at for at, mean in means.items() if len(mean) >= FEWEST and mean.any()]
    harmonic = sum(1 / i for i in range(1, len(tested) + 1))
    draws = max(999, math.ceil(4 / level * len(tested) * harmonic))
    fits = {
        at: fit_metric(
            means[at] / np.abs(means[at]).max(),
            boundary=boundary,
            spacing="unit",
            draws=draws,
            seed=seed,
        )
        for at in tested
    }
    ps = dict.fromkeys(range(len(found)), math.nan)
    mean_ps = dict(ps)
    if tested:
        for to, name in ((ps, "order_p"), (mean_ps, "mean_p")):
            raw = [getattr(fits[at], name) for at in tested]
            to.update(zip(tested, false_discovery_control(raw, method="by").tolist(), strict=True))
    layers = []
    for at, (slot, axis, parts) in enumerate(found):
        verdict: Verdict | None = None
        if at in fits:
            verdict = "exchangeable" if mean_ps[at] <= level / 2 else "none"
            verdict = "ordered" if ps[at] <= level / 2 else verdict
        weight = slot.parameter
        assert weight is not None
        layers.append(
            _layer(
                slot.name, weight, columns(parts, axis), precision(parts), verdict, ps[at],
                fits[at].neighbours if at in fits else math.nan, boundary, training_batches,
            )
        )  # fmt: skip
    return layers


def _layer(
    name: str,
    weight: Tensor,
    g: Array,
    eps: float,
    verdict: Verdict | None,
    order_p: float,
    neighbours: float,
    boundary: Boundary,
    training_batches: int,
) -> LayerDiagnosis:
    count, n, _ = g.shape
    size = float(np.abs(g).max())
    products = mode_products(g / size, boundary)
    signal, noise = (moment * size**2 for moment in measured_moments(products))
    # A mean that is nothing but rounding: that of a softmax head's gradient. The roundings of n
    # numbers are independent, so the square of their mean is some eps²/n of the numbers'.
    own = np.trace(products, axis1=1, axis2=2)
    has_mean = bool(own[0] > (4 * eps) ** 2 / n * own.sum())
    if not has_mean:
        signal[0] = noise[0] = 0.0
        verdict = "none" if verdict == "exchangeable" else verdict
    left = [np.delete(np.delete(products, b, 1), b, 2) for b in range(count)]
    error = math.nan
    if count > 2:
        sums = np.array([measured_moments(one)[0].sum() for one in left])
        spread = (count - 1) / count * ((sums - sums.mean()) ** 2).sum()
        error = float(spread**0.5) * size**2
    seen = math.isnan(error) or signal.sum() > SIGNAL_ERRORS * error
    ratios = None
    if count >= HALVES and seen:
        ratios = predicted(products, boundary, training_batches, has_mean=has_mean)
    metric = length = gain = apart = h0_gain = stopping = None
    if ratios is not None:
        h0_gain = ratios.h0
        if verdict == "ordered":
            metric, length = ratios.metric, ratios.length
            gain, apart, stopping = ratios.gain, ratios.apart, ratios.stopping
    lam = mean_weight(signal, noise) if has_mean and seen else None
    found = LayerDiagnosis(
        name, tuple(weight.shape), n, verdict, order_p, neighbours, tuple(signal.tolist()),
        tuple(noise.tolist()), error, lam, metric, length, gain, apart, h0_gain, stopping, "",
    )  # fmt: skip
    return _advised(found, count, seen=bool(seen), has_mean=has_mean)


def _advised(found: LayerDiagnosis, count: int, *, seen: bool, has_mean: bool) -> LayerDiagnosis:
    """Return the diagnosis with its sentence."""
    mean = (
        ""
        if has_mean
        else "; the mean over its channels is 0, as in a softmax head: H⁰ only changes the rate"
    )
    if not seen:
        advice = "cannot tell: the signal is within the noise; give more or larger batches"
    elif found.verdict is None and found.channels >= FEWEST:
        advice = "cannot tell: the mean of the batches' gradients is 0; give more batches"
    elif found.verdict is None:
        advice = f"{found.channels} channels are too few to tell an order; leave it"
    elif found.verdict != "ordered":
        advice = "no order seen; leave it"
        if found.mean_weight is not None and found.h0_gain is not None and found.h0_gain > 0.05:
            advice += f" (H⁰ with λ = {found.mean_weight:.2g}: {found.h0_gain:.0%} less error)"
    elif found.gain is None:
        few = count < HALVES
        advice = "ordered; " + (
            f"{HALVES} or more batches predict what a metric gains"
            if few
            else "its gain cannot be told from these batches"
        )
    elif found.is_worthwhile:
        metric, length = found.metric, found.length
        assert metric is not None
        assert found.length is not None
        more = ', boundary="periodic"' if metric.boundary == "periodic" else ""
        advice = (
            f"ordered; try Rule(metric=Metric.of_length({length:.3g}, "
            f'derivative_order={metric.derivative_order}{more}), name="{found.name}"): '
            f"one batch's gradient should err by about {found.gain:.0%} less"
        )
    else:
        advice = "ordered, but no gain predicted over H⁰ or a learning rate of its own; leave it"
    return replace(found, advice=advice + mean)
