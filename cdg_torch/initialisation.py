r"""Initial weights that are as smooth along output channels as the metric wants them.

Descent in a metric cannot mend roughness that the data say nothing about: what the initial weights
have of it stays (theorem 10). Drawn from the metric's own prior they have less:
:math:`M^{-1/2}` times white weights has the covariance :math:`\sigma^2M^{-1}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cdg_torch.checks import check_arguments, check_memory
from cdg_torch.devices import widened
from cdg_torch.geometry import metric_power

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_theory import Metric


def matched_initialisation(
    weight: Tensor, metric: Metric, *, dim: int = 0, groups: int = 1
) -> Tensor:
    r"""Return initial weights as smooth as a metric, with the mean square of those given.

    .. math:: W_0 = c\,M^{-1/2}\,W, \qquad c = \frac{\|W\|}{\|M^{-1/2}W\|}

    ==========  ===========  ===============================================================
    symbol      argument     meaning
    ==========  ===========  ===============================================================
    :math:`W`   ``weight``   initial weights, as the layer's default draws them
    :math:`M`   ``metric``   see :class:`cdg_theory.Metric`
    (axis)      ``dim``      that of the output channels
    (blocks)    ``groups``   contiguous blocks along ``dim``
    ==========  ===========  ===============================================================

    One number c for the whole tensor keeps the mean square, and with it the size of the layer's
    output. A number for each row would undo the smoothness. No random numbers are drawn: the same
    weights give the same result.

    Returns
    -------
    torch.Tensor
        A new tensor with the shape, dtype and device of ``weight``.

    Raises
    ------
    TypeError, ValueError
        As :func:`cdg_torch.metric_power`, and if ``weight`` is not finite.

    See Also
    --------
    cdg_torch.Handle.match_initialisation : All tensors that a metric acts on.
    cdg_torch.ordered_head : Does it for one layer.
    cdg_torch.metric_power : The power −½.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch import Metric, channel_correlation, matched_initialisation
    >>> rows = torch.randn(64, 30, generator=torch.Generator().manual_seed(0))
    >>> smooth = matched_initialisation(rows, Metric.of_length(6.0, derivative_order=1))
    >>> bool(channel_correlation(smooth, 0) > 0.8), torch.allclose(smooth.norm(), rows.norm())
    (True, True)

    Notes
    -----
    Theorem 9 on :math:`M^{-1/2}`; :meth:`cdg_torch.Handle.match_initialisation` does this to all
    tensors that an attached metric acts on.
    """
    check_arguments(weight, metric, dim, groups, "weight")
    check_memory(weight, "weight")
    if weight.is_meta:
        msg = "weight must hold numbers, got one on meta; give it memory, then initialise the layer"
        raise ValueError(msg)
    if bad := int((~weight.isfinite()).sum()):
        msg = (
            f"weight must be finite, got {bad} of {weight.numel()} numbers infinite or nan; "
            "initialise the layer first"
        )
        raise ValueError(msg)
    with torch.no_grad():
        wide = widened(weight)
        largest = wide.abs().amax() if wide.numel() else wide.sum()
        if largest == 0:
            return weight.detach().clone()
        wide = wide / largest
        smooth = metric_power(wide, metric, -0.5, dim=dim, groups=groups)
        # M⁻¹ᐟ² of large weights is small: its own size first, so that no square leaves float64.
        smooth = smooth / smooth.abs().amax()
        size = largest * (wide.square().sum() / smooth.square().sum()).sqrt()
        return (size * smooth).to(weight.dtype).to(weight.device)


def match_weights(weights: list[tuple[str, Tensor, Metric, int, int]]) -> None:
    """Match named weights in place: all are computed before one of them changes."""
    for name, weight, *_ in weights:
        check_memory(weight, name)
    matched = [
        matched_initialisation(weight.detach(), metric, dim=dim, groups=groups)
        for _, weight, metric, dim, groups in weights
    ]
    with torch.no_grad():
        for (_, weight, *_), own in zip(weights, matched, strict=True):
            weight.copy_(own)
