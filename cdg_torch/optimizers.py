r"""SGD, Adam and AdamW in a metric: torch's own classes, with one more argument.

Each is a subclass of its namesake in ``torch.optim`` with :func:`cdg_torch.attach` called once,
so schedulers, checkpoints and mixed precision see what they know. Where the metric is
``Metric.l2()`` the steps are torch's, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from cdg_theory import Metric
from cdg_torch.attachment import Handle, attach, attached
from cdg_torch.attachment.refusals import check_model_is_given

_ATTACH = (
    "rules",
    "inplace",
    "where",
    "match_norm",
    "transform_decay",
    "require_gradients",
    "stats",
    "verbose",
)


class _InMetric(torch.optim.Optimizer):
    """What the three classes share; stands before torch's class in the bases."""

    def __init__(
        self,
        params: nn.Module | Iterable[Any],
        *args: Any,
        metric: Metric,
        model: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        options = {name: kwargs.pop(name) for name in _ATTACH if name in kwargs}
        model = check_model_is_given(params, model, type(self).__name__)
        if isinstance(params, nn.Module):
            params = params.parameters()
        super().__init__(params, *args, **kwargs)
        attach(self, model, metric, **options)

    @property
    def handle(self) -> Handle:
        """What :func:`cdg_torch.attach` returns: report, metric, and so on."""
        handle = attached(self)
        if handle is None:
            msg = f"this {type(self).__name__} has no handle any more: its metric was detached"
            raise AttributeError(msg)
        return handle


class SGD(_InMetric, torch.optim.SGD):
    r"""``torch.optim.SGD`` along gradients in the metric.

    .. math:: v \leftarrow \mu v + M^{-1}g + \lambda w, \qquad w \leftarrow w - \eta v

    with the weights :math:`w`, their gradient :math:`g`, the velocity :math:`v`, and :math:`\eta` =
    ``lr``, :math:`\mu` = ``momentum``, :math:`\lambda` = ``weight_decay``; :math:`M` is the metric.

    Parameters
    ----------
    params
        The model; or parameters or parameter groups, together with ``model=``.
    *args, **kwargs
        As for ``torch.optim.SGD`` (lr, momentum, weight_decay, nesterov, foreach, fused, …), and
        the keywords of :func:`cdg_torch.attach`.
    metric
        The metric for the weights of convolutions.
    model
        The module from whose layers the output-channel axes are read.

    Raises
    ------
    TypeError
        As :func:`cdg_torch.attach`.
    ValueError
        If parameters are given without ``model=``; else as :func:`cdg_torch.attach`.

    See Also
    --------
    cdg_torch.attach : Any other optimizer.
    cdg_torch.Adam : The same for Adam.
    cdg_torch.AdamW : The same for AdamW.
    cdg_torch.Handle : The attribute ``handle``.

    Examples
    --------
    >>> import torch
    >>> from cdg_theory import Metric
    >>> from cdg_torch import SGD
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    >>> optimizer = SGD(model, lr=0.1, momentum=0.9, metric=Metric.reweighted_h0(10.0))
    >>> isinstance(optimizer, torch.optim.SGD)
    True
    >>> SGD(model.parameters(), lr=0.1, metric=Metric.l2())
    Traceback (most recent call last):
    ...
    ValueError: SGD got parameters without their model, and the output-channel axis is read ...
    """


class Adam(_InMetric, torch.optim.Adam):
    r"""``torch.optim.Adam`` along gradients in the metric: moments of :math:`M^{-1}g`.

    Adam divides each number of the gradient by its own root mean square, which undoes some of the
    smoothing. With ``where="update"`` the step that Adam proposes is smoothed instead.

    Parameters
    ----------
    params
        The model; or parameters or parameter groups, together with ``model=``.
    *args, **kwargs
        As for ``torch.optim.Adam``, and the keywords of :func:`cdg_torch.attach`.
    metric
        The metric for the weights of convolutions.
    model
        The module from whose layers the output-channel axes are read.

    Raises
    ------
    TypeError
        As :func:`cdg_torch.attach`.
    ValueError
        As :class:`SGD`.

    See Also
    --------
    cdg_torch.AdamW : With decoupled weight decay.
    cdg_torch.SGD : The same for SGD.
    cdg_torch.attach : Any other optimizer.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_torch import Adam
    >>> from torch import nn
    >>> model = nn.Conv2d(3, 8, 3)
    >>> optimizer = Adam(model, lr=1e-3, metric=Metric.sobolev(1.0), where="update")
    >>> optimizer.handle.report().summary
    'acts on 1 of 2 tensors, 216 of 224 numbers'
    """


class AdamW(_InMetric, torch.optim.AdamW):
    r"""``torch.optim.AdamW`` along gradients in the metric: moments of :math:`M^{-1}g`.

    Weight decay is not transformed.

    Parameters
    ----------
    params
        The model; or parameters or parameter groups, together with ``model=``.
    *args, **kwargs
        As for ``torch.optim.AdamW``, and the keywords of :func:`cdg_torch.attach`.
    metric
        The metric for the weights of convolutions.
    model
        The module from whose layers the output-channel axes are read.

    Raises
    ------
    TypeError
        As :func:`cdg_torch.attach`.
    ValueError
        As :class:`SGD`.

    See Also
    --------
    cdg_torch.Adam : Without decoupled weight decay.
    cdg_torch.SGD : The same for SGD.
    cdg_torch.attach : Any other optimizer.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_torch import AdamW
    >>> from torch import nn
    >>> model = nn.Conv2d(3, 8, 3)
    >>> groups = [{"params": [model.weight]}, {"params": [model.bias], "weight_decay": 0.0}]
    >>> optimizer = AdamW(groups, lr=1e-3, model=model, metric=Metric.sobolev(1.0))
    """
