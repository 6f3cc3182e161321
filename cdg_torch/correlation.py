r"""How alike the slices of a tensor are along one axis: the paper's figure 1, made precise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import torch

from cdg_theory.checks import described, one_of
from cdg_torch.checks import check_axis, check_tensor
from cdg_torch.devices import widened

if TYPE_CHECKING:
    from torch import Tensor

Pairs = Literal["neighbours", "all"]


def _blocks(
    shape: object, dim: object, groups: object, pairs: object, name: str
) -> tuple[int, int, int]:
    """Return the axis, its length per group, and the number of entries of a slice."""
    one_of("pairs", pairs, get_args(Pairs))
    if not isinstance(shape, tuple) or not all(type(length) is int for length in shape):
        msg = f"shape must be a tuple of ints, got {described(shape)}; tensor.shape is one"
        raise TypeError(msg)
    axis = check_axis(tuple(shape), dim, groups, name)
    assert isinstance(groups, int)
    n = shape[axis] // groups
    if n < 2:
        msg = (
            f"axis dim={dim} of {name}, of shape {tuple(shape)}, has {n} slice for each of "
            f"groups={groups}, and a correlation needs two; leave this axis out"
        )
        raise ValueError(msg)
    return axis, n, math.prod(shape) // shape[axis]


def channel_correlation(
    tensor: Tensor, dim: int, *, groups: int = 1, pairs: Pairs = "neighbours"
) -> Tensor:
    r"""Return the scale-invariant correlation of a tensor's slices along an axis.

    With :math:`w_0,\dots,w_{n-1}` the slices along ``dim``, every other axis flattened, and
    :math:`i, j` numbers of slices,

    .. math::

        C_{\text{neighbours}}
          = \frac{\sum_{i=0}^{n-2}\langle w_i, w_{i+1}\rangle}
                 {\sum_{i=0}^{n-2}\tfrac12(\|w_i\|^2+\|w_{i+1}\|^2)}
          = 1-\frac{\sum_i\|w_{i+1}-w_i\|^2}{\sum_i(\|w_i\|^2+\|w_{i+1}\|^2)},
        \qquad
        C_{\text{all}}
          = \frac{\sum_{i\ne j}\langle w_i, w_j\rangle}{(n-1)\sum_i\|w_i\|^2}.

    =================  ===========  ==========================================================
    symbol             argument     meaning
    =================  ===========  ==========================================================
    :math:`w`          ``tensor``   weights, any shape and float dtype
    (axis)             ``dim``      along which slices are compared
    (blocks)           ``groups``   contiguous blocks along ``dim``, never paired with another
    :math:`C`          ``pairs``    ``"neighbours"`` or ``"all"``
    =================  ===========  ==========================================================

    The first is one minus the derivative's energy relative to the tensor's own: what a Sobolev
    metric smooths. It depends on the order of the slices. The second does not, and grows with the
    energy of the mean slice: what the re-weighted H⁰ metric favours. Both lie in [−1, 1], are
    unchanged when the tensor is scaled, and are 1 only if all slices are equal. Products are
    taken about zero: the mean slice is part of the correlation, not removed from it.

    White noise gives 0 on average: random signs of the slices change neither the distribution of
    the noise nor the denominators, and every product averages to 0. The standard deviation of a
    draw is :func:`correlation_scale`.

    Returns
    -------
    torch.Tensor
        A number in float64; NaN if the tensor is 0, or has no entries. Groups enter one numerator
        and one denominator.

    Raises
    ------
    TypeError
        If ``tensor`` is not a dense tensor of a 16-, 32- or 64-bit float type.
    ValueError
        If ``dim`` is not an axis, has fewer than two slices per group, ``groups`` does not divide
        it, or ``pairs`` is unknown.

    See Also
    --------
    cdg_torch.channel_profile : By distance.
    cdg_torch.correlation.correlation_scale : What white noise gives.
    cdg_torch.diagnose : Whether there is an order.
    cdg_theory.fit_metric : The metric that fits.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch import channel_correlation
    >>> from cdg_torch.correlation import correlation_scale
    >>> rows = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, -2.0]])
    >>> channel_correlation(rows, 0).item()  # (5 - 3) / (5 + 5)
    0.2
    >>> channel_correlation(7 * rows, 0, pairs="all").item()  # 2 (5 - 3 - 3) / (2 * 15)
    -0.0666...
    >>> noise = torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    >>> channel_correlation(noise, 0).abs().item() < 3 * correlation_scale(noise.shape, 0)
    True

    Notes
    -----
    Source: arXiv 2008.10766, figure 1, in spirit: this definition is ours, and the paper's own
    normalisation may differ.
    """
    check_tensor(tensor, "tensor")
    axis, n, _ = _blocks(tuple(tensor.shape), dim, groups, pairs, "tensor")
    w = widened(tensor.movedim(axis, 0).reshape(groups, n, -1))
    # A ratio, whatever the scale: squares of numbers near the ends of float64 would leave it.
    if w.numel():
        w = w / w.detach().abs().amax()
    energy = w.square().sum(-1)
    if pairs == "all":
        total = energy.sum()
        return (w.sum(1).square().sum() - total) / ((n - 1) * total)
    products = (w[:, 1:] * w[:, :-1]).sum()
    return products / (0.5 * (energy[:, 1:] + energy[:, :-1]).sum())


def correlation_scale(
    shape: tuple[int, ...], dim: int, *, groups: int = 1, pairs: Pairs = "neighbours"
) -> float:
    r"""Return the standard deviation of ``channel_correlation`` on Gaussian white noise.

    .. math::

        \operatorname{sd} C_{\text{all}} = \sqrt{\frac{2}{(n-1)(N+2)}}, \qquad
        \operatorname{sd} C_{\text{neighbours}} \approx \frac{1}{\sqrt{g(n-1)m}}

    with :math:`n` slices of :math:`m` entries in each of :math:`g` groups, :math:`N=gnm`. The first
    is exact, the second to leading order in :math:`1/(g(n-1)m)`. The direction of a Gaussian vector
    is independent of its length, so the second moment of a ratio of quadratic forms over
    :math:`\|w\|^2` is the ratio of second moments, with :math:`E\|w\|^4=N(N+2)` and, for all pairs,
    :math:`E(\sum_{i\ne j}\langle w_i,w_j\rangle)^2=2gn(n-1)m`.

    =============  ==========  ===============================
    symbol         argument    meaning
    =============  ==========  ===============================
    :math:`(n,m)`  ``shape``   of the tensor, a tuple of ints
    (axis)         ``dim``     along which slices are compared
    :math:`g`      ``groups``  contiguous blocks along ``dim``
    :math:`C`      ``pairs``   ``"neighbours"`` or ``"all"``
    =============  ==========  ===============================

    Raises
    ------
    TypeError
        If ``shape`` is not a tuple of ints.
    ValueError
        As :func:`channel_correlation`.

    See Also
    --------
    cdg_torch.channel_correlation : What varies by this much.
    cdg_torch.channel_profile : Has it for each distance.

    Examples
    --------
    >>> from cdg_torch.correlation import correlation_scale
    >>> correlation_scale((11, 10), 0)
    0.1
    """
    axis, n, m = _blocks(shape, dim, groups, pairs, "shape")
    if pairs == "all":
        return float((2 / ((n - 1) * (shape[axis] * m + 2))) ** 0.5)
    return float((groups * (n - 1) * m) ** -0.5)


class Profile(NamedTuple):
    r"""Correlation of slices against their distance, as ``channel_profile`` returns it.

    ===============  =====================================================================
    field            meaning, all of shape (n-1,)
    ===============  =====================================================================
    ``distance``     1, …, n−1, in channels
    ``correlation``  :math:`C_d`
    ``scale``        the standard deviation of :math:`C_d` on white noise
    ===============  =====================================================================

    See Also
    --------
    cdg_torch.channel_profile : Makes it.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch import channel_profile
    >>> profile = channel_profile(torch.ones(4, 2), 0)
    >>> profile.distance.tolist(), profile.correlation.round(decimals=6).tolist()
    ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    """

    distance: Tensor
    correlation: Tensor
    scale: Tensor


def channel_profile(tensor: Tensor, dim: int, *, groups: int = 1) -> Profile:
    r"""Return the correlation of a tensor's slices as a function of their distance along an axis.

    .. math::

        C_d = \frac{\sum_{i=0}^{n-1-d}\langle w_i, w_{i+d}\rangle}
                   {\sum_{i=0}^{n-1-d}\tfrac12(\|w_i\|^2+\|w_{i+d}\|^2)},
        \qquad d = 1,\dots,n-1 .

    =============  ===========  ==============================================================
    symbol         argument     meaning
    =============  ===========  ==============================================================
    :math:`w`      ``tensor``   weights, any shape and float dtype
    (axis)         ``dim``      along which slices are compared
    (blocks)       ``groups``   contiguous blocks along ``dim``, never paired with another
    =============  ===========  ==============================================================

    The slices :math:`w_0,\dots,w_{n-1}` lie along the axis, :math:`i` numbers them; :math:`C_1` is
    :func:`channel_correlation`. The shape of the curve tells three kinds of channels apart:

    * within a few ``scale`` of 0 at every distance: no correlation;
    * above 0 and flat: exchangeable channels with a common mean (re-weighted H⁰);
    * falling with the distance d: channels with an order (a Sobolev metric).

    :func:`cdg_theory.fit_metric` decides between them with stated error rates. ``scale`` is what
    white noise gives, a standard deviation of :math:`1/\sqrt{g(n-d)m}` to leading order, with m
    entries per slice in each of g groups.

    Returns
    -------
    Profile
        Three float64 tensors; the correlation is NaN where the slices compared are 0.

    Raises
    ------
    TypeError
        If ``tensor`` is not a dense tensor of a 16-, 32- or 64-bit float type.
    ValueError
        If ``dim`` is not an axis, has fewer than two slices per group, or ``groups`` does not
        divide it.

    See Also
    --------
    cdg_torch.channel_correlation : The value at distance 1.
    cdg_torch.correlation.Profile : What is returned.
    cdg_theory.fit_metric : Decides whether there is an order.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch import channel_profile
    >>> rows = torch.tensor([[1.0], [1.0], [0.0], [0.0]])
    >>> channel_profile(rows, 0).correlation[0].item()  # 1 / ((2 + 1) / 2)
    0.6666...

    Notes
    -----
    By the Fourier transform: n log n operations per column.
    """
    check_tensor(tensor, "tensor")
    axis, n, m = _blocks(tuple(tensor.shape), dim, groups, "neighbours", "tensor")
    w = widened(tensor.movedim(axis, 0).reshape(groups, n, -1))
    if w.numel():
        largest = w.detach().abs().amax()
        w = w / torch.where(largest > 0, largest, 1.0)
    spectrum = torch.fft.rfft(w, n=2 * n, dim=1).abs().square().sum((0, 2))
    products = torch.fft.irfft(spectrum, n=2 * n)[1:n]
    energy = w.square().sum((0, 2))
    tops, bottoms = energy.cumsum(0), energy.flip(0).cumsum(0)
    distance = torch.arange(1, n, dtype=w.dtype, device=w.device)
    pairs = (0.5 * (tops + bottoms)).flip(0)[1:]
    # The transform's rounding over 0 is no correlation.
    found = torch.where(pairs > 0, products, torch.nan) / pairs
    return Profile(distance, found, (groups * (n - distance) * m).rsqrt())
