r"""Which member of the family do these columns come from? Likelihood, and tests that are exact.

Columns drawn from :math:`N(0,\sigma^2M^{-1})` are independent from mode to mode. With
:math:`S_m` the mean over columns of the squared coefficient in mode m, and the precisions
:math:`\theta_m=\mu_m/\sigma^2` of the modes m ≥ 1, which are linear in the weights,

.. math:: \theta_m = b + c\,\ell_m + d\,\ell_m^2, \qquad b, c, d \ge 0,

twice the negative log-likelihood per column is, up to a constant, the convex function
:math:`\sum_m(\theta_mS_m-\log\theta_m)`. At its minimum over all multiples of one θ,
:math:`\sum_m\theta_mS_m=n-1`. **On the slice where this holds** only :math:`-\sum\log\theta_m` is
left: with the three terms scaled to lie on the slice, the weights are the proportions of a mixture,
one unknown for the first order, two for the second. Each is where a
falling derivative crosses 0. The mean's precision is :math:`1/S_0`.

**Three verdicts.** *Exchangeable* columns have the form aP + b(I−P): re-weighted H⁰, and no order
of the channels. *None*: white. What is *ordered* is told by permuting the channels:
under exchangeability every order of the rows is as likely as the one at hand, however the columns
depend on each other, so the rank of the likelihood ratio among those of permuted rows is a p-value
without any approximation. Its χ² law, which needs independent columns, and would be a
mixture since b, c, d = 0 is an end of their range, is not used. White against exchangeable is told
by flipping signs of rows at random, which leaves independent symmetric rows as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cdg_theory.checks import finite_number, float_rows, whole_number
from cdg_theory.discrete.spectrum import laplacian_eigenvalues, to_modes
from cdg_theory.display import table, text
from cdg_theory.metric import LARGEST, SMALLEST, Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Boundary, Spacing

    Array = NDArray[np.float64]

Verdict = Literal["none", "exchangeable", "ordered"]
#: A p-value is settled when so many draws have reached the observed statistic.
ENOUGH = 20
#: Permutations whose modes are computed together.
BATCH = 16


@dataclass(frozen=True, slots=True)
class Member:
    """One candidate: the most likely metric of its kind, and how likely it is.

    ==========  ===================================
    field       meaning
    ==========  ===================================
    ``metric``  the most likely metric of this kind
    ``scale``   σ², as in :class:`Fit`
    ``loglik``  log-likelihood of the columns
    ==========  ===================================

    See Also
    --------
    cdg_theory.fit.Fit : Holds four of them.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric, fit_metric
    >>> columns = np.random.default_rng(0).standard_normal((16, 50))
    >>> sorted(fit_metric(columns).candidates)
    ['exchangeable', 'first order', 'second order', 'white']
    >>> fit_metric(columns).candidates["white"].metric == Metric.l2()
    True
    """

    metric: Metric
    scale: float
    loglik: float


@dataclass(frozen=True, slots=True, repr=False)
class Fit:
    r"""What :func:`cdg_theory.fit_metric` found.

    ====================  ======================================================================
    field                 meaning
    ====================  ======================================================================
    ``metric``            the most likely member of the kind that the verdict names
    ``scale``             :math:`\sigma^2`: columns are drawn from :math:`N(0,\sigma^2M^{-1})`
    ``loglik``            its log-likelihood, for independent columns
    ``verdict``           ``"none"``, ``"exchangeable"`` or ``"ordered"``
    ``order_p``           p-value of "the order of the channels does not matter"
    ``mean_p``            p-value of "the channels are white", against a mean of other size
    ``neighbours``        effect size: the correlation of neighbouring channels, mean taken off;
                          −1/(n−1) where there is no order
    ``level``             at which the two p-values were judged, half of it each
    ``candidates``        the most likely members: white, exchangeable, first and second order
    ``why``               the verdict in one sentence, with what cannot be told
    ====================  ======================================================================

    See Also
    --------
    cdg_theory.fit_metric : Makes it.
    cdg_theory.fit.Member : A candidate.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import fit_metric
    >>> steps = np.random.default_rng(0).standard_normal((32, 200))
    >>> fit = fit_metric(steps.cumsum(axis=0))
    >>> fit.verdict, fit.neighbours > 0.5
    ('ordered', True)
    """

    metric: Metric
    scale: float
    loglik: float
    verdict: Verdict
    order_p: float
    mean_p: float
    neighbours: float
    level: float
    candidates: dict[str, Member]
    why: str

    def __repr__(self) -> str:
        return f"Fit({self.verdict}: {self.why}\n    {self.metric}, scale={self.scale:.6g})"

    def _repr_html_(self) -> str:
        rows = [("verdict", text(f"{self.verdict}: {self.why}"))]
        rows += [
            (name, text(f"log-likelihood {one.loglik:.6g}, {one.metric}"))
            for name, one in self.candidates.items()
        ]
        return table(("fit", ""), rows)


def mixture_slope(p: Any, one: Any, other: Any) -> Any:
    r"""Return the slope in p of :math:`\sum_m\log((1-p)u_m+pv_m)`, which falls with p."""
    return ((other - one) / ((1 - p) * one + p * other)).sum(-1)


def _crossing(slope: Callable[[float], float]) -> float:
    """Return where a falling slope changes its sign on [0, 1]: an end, if it does not."""
    from scipy.optimize import brentq

    if slope(1.0) >= 0:
        return 1.0
    if slope(0.0) <= 0:
        return 0.0
    return float(brentq(slope, 0.0, 1.0, xtol=2.0**-60, rtol=4 * 2.0**-52, maxiter=200))


def _split(one: Array, other: Array) -> float:
    """Return the share of the second of two spectra that makes the data likeliest."""
    return _crossing(lambda p: float(mixture_slope(p, one, other)))


def _splits(one: Array, other: Array) -> Array:
    """Return the same for many pairs of spectra at once, (…, modes), by bisection."""
    low, high = np.zeros(one.shape[:-1]), np.ones(one.shape[:-1])
    for _ in range(60):
        middle = (low + high) / 2
        rises = mixture_slope(middle[..., None], one, other) > 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return low


def most_likely(spectra: list[Array]) -> Array:
    r"""Return the proportions, >= 0 and of sum 1, that maximise :math:`\sum_m\log\sum_kp_ku_{km}`.

    One to three spectra (modes,) of positive numbers; the function is concave in the proportions.

    Examples
    --------
    >>> u, v = np.array([1.0, 3.0]), np.array([3.0, 1.0])
    >>> most_likely([u, v])
    array([0.5, 0.5])
    """
    if len(spectra) == 1:
        return np.ones(1)
    *first, last = spectra
    if len(first) == 1:
        share = _split(first[0], last)
        return np.array([1 - share, share])

    def between(p: float) -> float:
        # What the first two share, given the third.
        if p == 1:  # nothing is left to share: the one that would gain more
            return float((first[1] / last).sum() > (first[0] / last).sum())
        u, v = ((1 - p) * spectrum + p * last for spectrum in first)
        return _split(u, v)

    def slope(p: float) -> float:
        share = between(p)
        return float(mixture_slope(p, (1 - share) * first[0] + share * first[1], last))

    share = _crossing(slope)
    split = between(share)
    return np.array([(1 - share) * (1 - split), (1 - share) * split, share])


def _negative(theta: Array, S: Array) -> Array:
    negative: Array = (theta * S - np.log(theta)).sum(-1)
    return negative


class _Columns:
    """Columns as second moments: what every statistic is computed from."""

    def __init__(self, y: Array, boundary: Boundary) -> None:
        self.n, self.count = y.shape
        self.boundary = boundary
        # Of the two ways to the modes' second moments the cheaper: columns, or their Gram matrix.
        self.gram = y @ y.T / self.count if self.n < self.count else None
        self.y = y / math.sqrt(self.count)
        self.ell = laplacian_eigenvalues(boundary, self.n)[1:]
        # What is nothing but rounding is not taken for a mode of no variance.
        self.floor = (self.n * 2.0**-52) ** 2 * max(float((self.y**2).sum()), 2.0**-1000)

    def moments(self, orders: NDArray[np.intp]) -> Array:
        """Return S_m of the rows in each order, (orders, n)."""
        found = np.empty((len(orders), self.n))
        for at, order in enumerate(orders):
            if self.gram is None:
                modes = to_modes(self.y[order], self.boundary)
                found[at] = (abs(modes) ** 2).sum(axis=1)
            else:
                half = to_modes(self.gram[np.ix_(order, order)], self.boundary)
                both = to_modes(half.conj().T, self.boundary)
                found[at] = np.diagonal(both).real
        return np.maximum(found, self.floor)

    def order_statistic(self, S: Array) -> Array:
        """Return the log-likelihood ratio per column of first order against exchangeable."""
        S = S[..., 1:]
        one = 1 / S.sum(-1, keepdims=True) + 0 * S
        other = self.ell / (S * self.ell).sum(-1, keepdims=True)
        share = _splits(one, other)[..., None]
        gain: Array = np.log(((1 - share) * one + share * other) / one).sum(-1)
        return gain

    def mean_statistic(self, signs: Array) -> Array:
        """Return the log-likelihood ratio per column of exchangeable against white."""
        total = float((self.y**2).sum())
        along = (
            ((signs @ self.y) ** 2).sum(-1)
            if self.gram is None
            else ((signs @ self.gram) * signs).sum(-1)
        ) / self.n
        inside = np.maximum(along, self.floor)
        outside = np.maximum(total - along, self.floor)
        rest = self.n - 1
        statistic: Array = (
            self.n * math.log(total / self.n) - np.log(inside) - rest * np.log(outside / rest)
        )
        return statistic


def _p_value(observed: float, draw: Callable[[int], Any], draws: int) -> float:
    """Return a Monte Carlo p-value, which stops early where it is large (Besag and Clifford)."""
    # Statistics of equal rows differ by rounding: what is that near counts as reached.
    least = observed - 1e-9 * max(1.0, abs(observed))
    reached = done = 0
    while done < draws:
        values = draw(min(BATCH, draws - done))
        for value in values:
            done += 1
            reached += bool(value >= least)
            if reached == ENOUGH:
                return reached / done
    return (reached + 1) / (draws + 1)


def _member(
    S: Array, terms: list[Any], places: list[int], ends: dict[str, Any], s: int
) -> tuple[Metric, float, float]:
    """Return metric, scale and likelihood of the most likely sum of the given terms.

    The metric's mean has weight 1, so the scale is :math:`S_0`.
    """
    rest = S[1:]
    n = len(S)
    spectra = [term / (term * rest).sum() for term in terms]
    shares = most_likely(spectra)
    weights = np.zeros(3)
    for place, share, term in zip(places, shares, terms, strict=True):
        weights[place] = (n - 1) * share / (term * rest).sum()
    ell = ends.pop("ell")
    theta = weights[0] + (weights[1] + weights[2] * ell) * ell
    scale = float(S[0])
    # A term that no mode notices is rounding.
    for place, term in zip(places, terms, strict=True):
        if (weights[place] * term <= n * 2.0**-50 * theta).all():
            weights[place] = 0.0
    b, c, d = (scale * weights / np.array([1.0, s, float(s) ** 2])).tolist()
    metric = Metric(1.0, b, c, d, **ends)
    negative = float(_negative(theta, rest)) + 1 + math.log(S[0])
    return metric, scale, negative


def fit_metric(
    samples: Any,
    *,
    axis: int = 0,
    boundary: Boundary = "natural",
    spacing: Spacing = "normalized",
    level: float = 0.01,
    draws: int = 999,
    seed: int = 0,
) -> Fit:
    r"""Return the metric that fits given columns best, and whether their channels have an order.

    The columns are taken as draws from the normal distribution :math:`N(0,\sigma^2M^{-1})`; the
    metric with the largest likelihood is returned:

    .. math:: \hat M = \arg\min_M\; \sum_m \Big(\frac{\mu_m}{\sigma^2}S_m
        - \log\frac{\mu_m}{\sigma^2}\Big)

    ================  =============  ==========================================================
    symbol            argument       meaning
    ================  =============  ==========================================================
    columns           ``samples``    real array of any shape; every other axis numbers columns
    :math:`S_m`                      mean over the columns of the squared coefficient in mode m
    :math:`\mu_m`                    eigenvalue of M in mode m
    (channels)        ``axis``       the axis of the n channels
    (end condition)   ``boundary``   ``"natural"`` or ``"periodic"``
    :math:`s`         ``spacing``    ``"normalized"`` or ``"unit"``, of the metric
    (level)           ``level``      chance of a false "ordered" or "exchangeable", in (0, 1)
    (draws)           ``draws``      number of random permutations, and of sign flips, in the tests
    (seed)            ``seed``       of the random numbers
    ================  =============  ==========================================================

    The metric's mean has weight 1: its gradient keeps the mean. Where the data have no mean, as the
    gradient of a softmax's logits, nothing is said of α, and ``why`` says so.

    Returns
    -------
    Fit
        Verdict, metric, and what is behind them; it prints itself.

    Raises
    ------
    TypeError
        If ``samples`` does not hold real numbers.
    ValueError
        If it has fewer than two channels, no such axis, an entry that is not finite, or nothing
        but zeros; if ``level`` is not between 0 and 1, ``draws`` not >= 1 or ``seed`` not >= 0.

    See Also
    --------
    cdg_theory.fit.Fit : What is returned.
    cdg_torch.diagnose : The same question for the layers of a network.
    cdg_torch.channel_profile : A picture of the order.
    cdg_theory.Metric : The family.

    Examples
    --------
    >>> import numpy as np
    >>> from cdg_theory import Metric, fit_metric
    >>> from cdg_theory.discrete import gram_power
    >>> rng = np.random.default_rng(0)
    >>> root = gram_power(Metric.spline(1e-3), 64, -0.5)
    >>> fit = fit_metric(root @ rng.standard_normal((64, 200)))
    >>> fit.verdict, f"{fit.metric.curvature:.1g}"
    ('ordered', '0.001')
    >>> fit_metric(rng.standard_normal((64, 200))).verdict
    'none'

    Notes
    -----
    Theorem 15: with noise of variance ν, the best smoother of such columns is the gradient in
    :math:`I+\tfrac{\nu}{\sigma^2}M`, which is ``Metric.l2() + nu / fit.scale * fit.metric``.
    """
    wide = float_rows("samples", samples, kinds="fiu").astype(np.float64)
    if not isinstance(axis, int) or not -wide.ndim <= axis < wide.ndim:
        msg = f"axis must be one of the {wide.ndim} axes of samples, got {axis!r}"
        raise ValueError(msg)
    rows = np.moveaxis(wide, axis, 0)
    y = rows.reshape(len(rows), -1)
    n = len(y)
    if n < 2 or y.shape[1] == 0:
        msg = f"samples must have two channels and a column, got shape {wide.shape}, axis {axis}"
        raise ValueError(msg)
    largest = float(np.abs(y).max())
    if not SMALLEST <= largest <= LARGEST:
        msg = (
            f"samples must be finite and not all zero, their largest entry between {SMALLEST:g} "
            f"and {LARGEST:g}, got {largest}; scale them; Fit.scale then scales by the square"
        )
        raise ValueError(msg)
    level = finite_number("level", level, cure="0.01 is usual")
    if not 0 < level < 1:
        msg = f"level must lie between 0 and 1, got {level}; 0.01 is usual"
        raise ValueError(msg)
    draws = whole_number("draws", draws, least=1)
    seed = whole_number("seed", seed, least=0)
    columns = _Columns(y / largest, boundary)
    (S,) = columns.moments(np.arange(n)[None])
    seen = S[0] > n * 2.0**-52 * S[1:].sum()
    if not seen:
        S[0] = S[1:].mean()

    s = n * n if spacing == "normalized" else 1
    ends: dict[str, Any] = {"boundary": boundary, "spacing": spacing}
    ell = columns.ell
    terms = [np.ones(n - 1), ell, ell**2]
    candidates: dict[str, Member] = {}
    white = largest**2 * float(S.mean())
    constant = n * math.log(2 * math.pi) + 2 * n * math.log(largest)
    negative = n + n * math.log(S.mean())
    count = y.shape[1]
    candidates["white"] = Member(Metric.l2(), white, -count / 2 * (negative + constant))
    kinds = {"exchangeable": [0], "first order": [0, 1], "second order": [0, 1, 2]}
    for name, places in kinds.items():
        own = [terms[place] for place in places]
        metric, scale, negative = _member(S, own, places, {**ends, "ell": ell}, s)
        loglik = -count / 2 * (negative + constant)
        candidates[name] = Member(metric, largest**2 * scale, loglik)

    rng = np.random.default_rng(seed)
    order_p = _p_value(
        float(columns.order_statistic(S)),
        lambda many: columns.order_statistic(
            columns.moments(np.array([rng.permutation(n) for _ in range(many)]))
        ),
        draws,
    )
    mean_p = 1.0
    if seen:
        mean_p = _p_value(
            float(columns.mean_statistic(np.ones((1, n)))[0]),
            lambda many: columns.mean_statistic(rng.choice([-1.0, 1.0], size=(many, n))),
            draws,
        )
    fluctuation = columns.y - columns.y.mean(axis=0)
    energy = float((fluctuation**2).sum())
    products = float((fluctuation[1:] * fluctuation[:-1]).sum())
    neighbours = products / energy * n / (n - 1) if energy else 0.0
    verdict, chosen, why = _judge(candidates, order_p, mean_p, level, neighbours, seen=bool(seen))
    best = candidates[chosen]
    return Fit(
        metric=best.metric,
        scale=best.scale,
        loglik=best.loglik,
        verdict=verdict,
        order_p=order_p,
        mean_p=mean_p,
        neighbours=neighbours,
        level=level,
        candidates=candidates,
        why=why,
    )


def _judge(
    candidates: dict[str, Member],
    order_p: float,
    mean_p: float,
    level: float,
    neighbours: float,
    *,
    seen: bool,
) -> tuple[Verdict, str, str]:
    """Return the verdict, the candidate that it names, and one sentence."""
    unseen = "" if seen else "; the mean over channels is 0, so nothing is said of its weight"
    if order_p <= level / 2:
        # Of the two orders the second where its curvature pays for one more parameter (AIC).
        gain = candidates["second order"].loglik - candidates["first order"].loglik
        chosen = "second order" if gain > 1 else "first order"
        why = (
            f"neighbouring channels correlate by {neighbours:+.2f}, and in no other order "
            f"of the channels so much (p = {order_p:.2g}){unseen}"
        )
        return "ordered", chosen, why
    if mean_p <= level / 2:
        why = f"a common mean (p = {mean_p:.2g}), and no order seen (p = {order_p:.2g})"
        return "exchangeable", "exchangeable", why
    why = f"no order seen (p = {order_p:.2g}), and no common mean (p = {mean_p:.2g}){unseen}"
    return "none", "white", why
