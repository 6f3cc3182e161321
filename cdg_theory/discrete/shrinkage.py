r"""How much of each channel mode to keep: what smoothing leaves of the noise, and of the signal.

A column is observed as signal plus noise, uncorrelated with each other. In mode m of the channels
they have the second moments :math:`s_m` and :math:`\nu_m`, and a smoother keeps the share
:math:`\kappa_m` of both. It errs by (theorem 15)

.. math:: R(\kappa) = \sum_m (1-\kappa_m)^2 s_m + \kappa_m^2\,\nu_m
    = \sum_m \frac{s_m\nu_m}{s_m+\nu_m}
    + \sum_m (s_m+\nu_m)\Big(\kappa_m-\frac{s_m}{s_m+\nu_m}\Big)^2 .

A metric with the eigenvalues :math:`\lambda_m` is such a smoother in two ways. One step with the
rate τ keeps :math:`\tau/\lambda_m`. A linear layer that is trained for the time t keeps
:math:`1-e^{-\sigma t/\lambda_m}` of what it would learn in the end (theorem 16).

The functions of one mode are functions over any field, for the theorems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import described, finite_number, float_rows
from cdg_theory.discrete.spectrum import eigenvalues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Metric


def mode_risk(kappa: Any, s: Any, nu: Any) -> Any:
    r"""Return the mean squared error in one mode, :math:`(1-\kappa)^2s+\kappa^2\nu`."""
    return (1 - kappa) ** 2 * s + kappa**2 * nu


def mode_factor(s: Any, nu: Any) -> Any:
    r"""Return the share of one mode that errs least, :math:`s/(s+\nu)`."""
    return s / (s + nu)


def _modes(name: str, value: object, *, like: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Return finite numbers, one for each mode.

    Raises
    ------
    ValueError
        If they are anything else, or another number of modes than ``like`` has.
    """
    found = float_rows(name, value, kinds="fiu").astype(np.float64)
    if found.ndim != 1 or (like is not None and found.shape != like.shape):
        wanted = "(n,)" if like is None else str(like.shape)
        msg = f"{name} must have one entry per channel mode, shape {wanted}, got {found.shape}"
        raise ValueError(msg)
    if not np.isfinite(found).all():
        at = int((~np.isfinite(found)).argmax())
        msg = f"{name} must be finite in every mode, got {float(found[at])} in mode {at}"
        raise ValueError(msg)
    return found


def _moments(signal: object, noise: object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the second moments of signal and noise, one of each for every mode.

    Raises
    ------
    ValueError
        If one of them is negative.
    """
    s = _modes("signal", signal)
    nu = _modes("noise", noise, like=s)
    for name, found in (("signal", s), ("noise", nu)):
        if (found < 0).any():
            at = int((found < 0).argmax())
            msg = (
                f"{name} must be >= 0 in every mode, got {found[at]} in mode {at}; where noise was "
                "subtracted from a measurement, cut it off at 0"
            )
            raise ValueError(msg)
    return s, nu


def risk(factors: Any, signal: Any, noise: Any) -> float:
    r"""Return the mean squared error of a smoother, summed over the modes.

    .. math:: R(\kappa) = \sum_m (1-\kappa_m)^2 s_m + \kappa_m^2\,\nu_m

    ================  ===========  ======================================================
    symbol            argument     meaning
    ================  ===========  ======================================================
    :math:`R`         (returned)   the expected error, in the square of the signal's unit
    :math:`\kappa_m`  ``factors``  what the smoother keeps of mode m, shape (n,)
    :math:`s_m`       ``signal``   second moment of the signal in mode m, >= 0, (n,)
    :math:`\nu_m`     ``noise``    second moment of the noise in mode m, >= 0, (n,)
    ================  ===========  ======================================================

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, or a second moment is negative or not finite.

    See Also
    --------
    cdg_theory.discrete.best_factors : The factors that make it smallest.
    cdg_theory.discrete.best_scale : The best multiple of given factors.
    cdg_torch.diagnose : The same for measured gradients.

    Examples
    --------
    >>> from cdg_theory.discrete import risk
    >>> risk([1.0, 0.5], signal=[4.0, 1.0], noise=[1.0, 1.0])
    1.5

    Notes
    -----
    Theorem 15. The modes may be correlated with one another; signal and noise may not.
    """
    s, nu = _moments(signal, noise)
    kappa = _modes("factors", factors, like=s)
    return float(mode_risk(kappa, s, nu).sum())


def best_factors(signal: Any, noise: Any) -> NDArray[np.float64]:
    r"""Return the factors of the smoother with the smallest mean squared error.

    .. math:: \kappa_m = \frac{s_m}{s_m+\nu_m}

    The smoother keeps the share :math:`\kappa_m` of mode m. Where a mode has neither signal nor
    noise, every factor is as good as every other. It is 1 then.

    =============  ==========  =======================================================
    symbol         argument    meaning
    =============  ==========  =======================================================
    :math:`s_m`    ``signal``  second moment of the signal in mode m, >= 0, shape (n,)
    :math:`\nu_m`  ``noise``   second moment of the noise in mode m, >= 0, shape (n,)
    =============  ==========  =======================================================

    Returns
    -------
    numpy.ndarray
        Shape (n,), between 0 and 1.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, an entry is not finite, or a second moment is negative.

    See Also
    --------
    cdg_theory.discrete.risk : What it minimises.
    cdg_theory.discrete.best_scale : The best multiple of given factors.
    cdg_theory.fit_metric : The metric whose factors these are, from samples.

    Examples
    --------
    >>> from cdg_theory.discrete import best_factors
    >>> best_factors(signal=[4.0, 1.0, 0.0], noise=[1.0, 1.0, 0.0])
    array([0.8, 0.5, 1. ])

    Notes
    -----
    Theorem 15. For exchangeable channels all modes m >= 1 are alike, and the smoother is a
    re-weighted H⁰ metric (theorem 14).
    """
    s, nu = _moments(signal, noise)
    empty = s + nu == 0
    return np.asarray(mode_factor(s + empty, nu))


def best_scale(factors: Any, signal: Any, noise: Any) -> float:
    r"""Return the t for which the factors :math:`t\kappa_m` have the smallest mean squared error.

    .. math:: t = \frac{\sum_m s_m\kappa_m}{\sum_m(s_m+\nu_m)\kappa_m^2}

    A learning rate can make up for this number. So compare metrics only after each has its own best
    scale.

    ================  ===========  =======================================================
    symbol            argument     meaning
    ================  ===========  =======================================================
    :math:`\kappa_m`  ``factors``  what the smoother keeps of mode m, shape (n,)
    :math:`s_m`       ``signal``   second moment of the signal in mode m, >= 0, shape (n,)
    :math:`\nu_m`     ``noise``    second moment of the noise in mode m, >= 0, shape (n,)
    ================  ===========  =======================================================

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, an entry is not finite, a second moment is negative, or the factors are 0
        in every mode that has signal or noise.

    See Also
    --------
    cdg_theory.discrete.risk : What it minimises.
    cdg_theory.discrete.best_factors : The best factors, mode by mode.

    Examples
    --------
    >>> from cdg_theory.discrete import best_scale
    >>> best_scale([1.0, 1.0], signal=[1.0, 1.0], noise=[1.0, 3.0])
    0.3333333333333333

    Notes
    -----
    Theorem 15.
    """
    s, nu = _moments(signal, noise)
    kappa = _modes("factors", factors, like=s)
    power = ((s + nu) * kappa**2).sum()
    if power == 0:
        msg = (
            "factors must not be 0 in all modes that have signal or noise, got "
            f"{described(factors)}; no scale is then better than another"
        )
        raise ValueError(msg)
    return float((s * kappa).sum() / power)


def early_stopping(
    metric: Metric, n: int, time: float, *, loss_curvature: float = 1.0
) -> NDArray[np.float64]:
    r"""Return what descent in a metric has learnt of each channel mode by a given time.

    .. math:: \kappa_m = 1-e^{-\sigma t/\lambda_m}

    =================  ==================  =====================================================
    symbol             argument            meaning
    =================  ==================  =====================================================
    :math:`\kappa_m`   (returned)          the fraction of mode m that is learnt
    :math:`\lambda_m`  ``metric``          eigenvalues of the metric on n channels
    :math:`n`          ``n``               number of output channels, >= 1
    :math:`t`          ``time``            learning rate times number of steps, >= 0
    :math:`\sigma`     ``loss_curvature``  the loss's curvature along a mode of the data, > 0
    =================  ==================  =====================================================

    Returns
    -------
    numpy.ndarray
        Shape (n,): the fraction of its final value that each mode has reached.

    Raises
    ------
    TypeError
        If ``metric`` is not a metric, ``time`` or ``loss_curvature`` not a real number, or ``n``
        not an integer.
    ValueError
        If ``n`` < 1, ``time`` < 0 or ``loss_curvature`` <= 0.

    See Also
    --------
    cdg_theory.discrete.best_stopping : When to stop.
    cdg_theory.discrete.risk : The error of these factors.
    cdg_theory.discrete.eigenvalues : The rates.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import early_stopping
    >>> early_stopping(Metric.reweighted_h0(2.0), 3, time=2.0).round(3)
    array([0.865, 0.632, 0.632])

    Notes
    -----
    Theorem 16: one linear layer with squared loss, small steps. With steps of size τ the factor
    is :math:`1-(1-\tau\sigma/\lambda_m)^{t/\tau}`.
    """
    t = finite_number("time", time, cure="it is the learning rate times the number of steps")
    if t < 0:
        msg = f"time must be >= 0, got {t}; it is the learning rate times the number of steps"
        raise ValueError(msg)
    return np.asarray(-np.expm1(-_positive_curvature(loss_curvature) * t / eigenvalues(metric, n)))


def best_stopping(
    metric: Metric, signal: Any, noise: Any, *, loss_curvature: float = 1.0
) -> NDArray[np.float64]:
    r"""Return when descent in a metric should stop, for each channel mode by itself.

    .. math:: t_m = \frac{\lambda_m}\sigma\,\log\Big(1+\frac{s_m}{\nu_m}\Big)

    The time :math:`t_m` is the learning rate times the number of steps, for mode m.
    A metric in which all modes should stop at the same time is as good as the best smoother.

    =================  ==================  =========================================================
    symbol             argument            meaning
    =================  ==================  =========================================================
    :math:`\lambda_m`  ``metric``          eigenvalues of the metric on n channels
    :math:`s_m`        ``signal``          second moment in mode m of the signal in the weights that
                                           training would end with, >= 0, shape (n,)
    :math:`\nu_m`      ``noise``           the same of the noise; noise of variance ν on the targets
                                           is ν/σ there
    :math:`\sigma`     ``loss_curvature``  the loss's curvature along a mode of the data, > 0
    =================  ==================  =========================================================

    Returns
    -------
    numpy.ndarray
        Shape (n,): for each mode, learning rate times number of steps.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes differ, a second moment is negative or not finite, or ``loss_curvature`` <= 0.

    See Also
    --------
    cdg_theory.discrete.early_stopping : What is learnt by a given time.
    cdg_theory.discrete.best_factors : What the best smoother keeps.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> from cdg_theory.discrete import best_stopping
    >>> best_stopping(Metric.l2(), signal=[3.0, 1.0, 0.0], noise=[1.0, 1.0, 1.0]).round(3)
    array([1.386, 0.693, 0.   ])

    Notes
    -----
    Theorem 16. Without noise it is infinite; without signal, or without either, it is 0.
    """
    s, nu = _moments(signal, noise)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(s > 0, np.log1p(s / nu), 0.0)
    return np.asarray(eigenvalues(metric, len(s)) / _positive_curvature(loss_curvature) * gain)


def _positive_curvature(loss_curvature: object) -> float:
    cure = "it is an eigenvalue of the data's AᵀA"
    sigma = finite_number("loss_curvature", loss_curvature, cure=cure)
    if sigma <= 0:
        msg = f"loss_curvature must be > 0, got {sigma}; {cure}"
        raise ValueError(msg)
    return sigma
