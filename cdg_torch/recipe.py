"""The recipe for a layer whose output channels have an order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cdg_theory import Metric
from cdg_torch.attachment import Rule, attach

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from cdg_theory.metric import Boundary
    from cdg_torch.attachment import Handle


def ordered_head(
    optimizer: Optimizer,
    model: nn.Module,
    name: str,
    length: float,
    *,
    derivative_order: int = 2,
    boundary: Boundary = "natural",
    where: Literal["gradient", "update"] = "gradient",
) -> Handle:
    r"""Attach a metric of a given length to one layer, and match its initial weights to it.

    .. math:: W_0 \leftarrow c\,M^{-1/2}W_0, \qquad g \leftarrow M^{-1}g, \qquad
        M = P + (I-P) + \ell^4L^2

    Here :math:`W_0` are the initial weights, :math:`g` is a gradient, and :math:`c` is the number
    that keeps the mean square of the weights; :math:`P, I, L` are the mean over the channels, the
    identity, and the Laplacian of the path or the cycle (:class:`cdg_theory.Metric`). That is the
    second order; the first has :math:`\ell^2L` at the end.

    ================  ====================  ====================================================
    symbol            argument              meaning
    ================  ====================  ====================================================
    (optimizer)       ``optimizer``         any that :func:`cdg_torch.attach` takes
    (network)         ``model``             the module that the layer belongs to
    (layer)           ``name``              of its weight, as ``"head.weight"``
    :math:`\ell`      ``length``            in channels: waves of :math:`2\pi\ell` channels are
                                            halved, much longer ones kept
    (order)           ``derivative_order``  1 or 2; 2 was the better one on most tasks tried
    (end condition)   ``boundary``          ``"periodic"`` where the last channel is beside the
                                            first, as for angles
    (place)           ``where``             as for :func:`cdg_torch.attach`; ``"update"`` for
                                            Adam and AdamW
    ================  ====================  ====================================================

    The third part of the recipe is the optimizer's own ``weight_decay``, λ above 0. The library
    leaves it untransformed, so for SGD it is the prior :math:`\tfrac\lambda2\langle w,Mw\rangle`
    (theorem 9). Without it the metric mostly decides what is learnt first (theorem 16), and white
    initial weights keep a roughness that no metric removes (theorem 10).

    **The learning rate** is that of the slow waves: the mean and waves much longer than
    :math:`2\pi\ell` take the step that they would take without the metric, mode m takes its
    :math:`1/\lambda_m`. Tune it again: with the rough modes held back a larger one is often best.

    Returns
    -------
    Handle
        Of :func:`cdg_torch.attach`. Call this before the first step.

    Raises
    ------
    TypeError, ValueError
        As :meth:`cdg_theory.Metric.of_length`, :func:`cdg_torch.attach` and
        :func:`cdg_torch.matched_initialisation`; nothing is attached then, no weight has changed.

    See Also
    --------
    cdg_torch.attach : The general way.
    cdg_torch.diagnose : Whether a layer's channels have an order.
    cdg_torch.matched_initialisation : The initial weights.
    cdg_theory.Metric.of_length : The metric.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch import ordered_head
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 90))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-3)
    >>> handle = ordered_head(optimizer, model, "2.weight", 6.0, boundary="periodic")
    >>> [one.name for one in handle.report().included]
    ['2.weight']

    Notes
    -----
    Whether a layer has an order: :func:`cdg_torch.diagnose`. What the recipe gains on which tasks,
    and which rivals do as well: the page "Channels with an order".
    """
    metric = Metric.of_length(length, derivative_order=derivative_order, boundary=boundary)
    handle = attach(optimizer, model, None, rules=[Rule(metric=metric, name=name)], where=where)
    try:
        handle.match_initialisation()
    except BaseException:
        handle.detach()
        raise
    return handle
