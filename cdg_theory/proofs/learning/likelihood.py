r"""Theorem 15, continued: the most likely member for measured columns, and what tells an order.

:mod:`cdg_theory.fit` rests on three things: the scale can be taken out of the likelihood, what is
left is concave in the shares of the terms, and the rank among permuted channels is a p-value.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory import fit
from cdg_theory.discrete.spectrum import gram_power, laplacian_eigenvalues
from cdg_theory.fit import fit_metric, mixture_slope, most_likely
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.proofs.tools.algebra import is_zero, vanish

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PAGE = "theory/measured-spectra.md"
MEMBERS = (
    Metric.reweighted_h0(3.0),
    Metric.sobolev(0.2),
    Metric(1.0, 0.5, 0.02, boundary="periodic"),
    Metric.spline(1e-3),
    Metric(1.0, 0.0, 2.0, 3.0, boundary="periodic", spacing="unit"),
)


def _slice(size: Callable[[Any], Any] = lambda modes: modes) -> bool:
    r"""Take the scale out, and differentiate what is left along a line between two spectra.

    Of :math:`\sum(t\theta_mS_m-\log t\theta_m)` over N modes with :math:`A=\sum\theta_mS_m` the
    least is at t = N/A, where the first sum is N. On the slice the slope of the log-likelihood in
    the share is the sum that the code bisects, and its own slope is minus a square, mode by mode.
    """
    t, A, modes = sp.symbols("t A N", positive=True)
    objective = t * A - modes * sp.log(t)
    (least,) = sp.solve(sp.diff(objective, t), t)
    if not is_zero(least * A - size(modes)):
        return False
    if not is_zero(sp.diff(objective, t, 2) - modes / t**2):
        return False
    p, u, v = sp.symbols("p u v", positive=True)
    mode = sp.log((1 - p) * u + p * v)
    # The code's sum, executed on one mode of symbols.
    (slope,) = np.atleast_1d(mixture_slope(p, np.array([u]), np.array([v])))
    square = ((v - u) / ((1 - p) * u + p * v)) ** 2
    return vanish([sp.diff(mode, p) - slope, sp.diff(slope, p) + square])


def _shares_are_best(spectra: list[NDArray[np.float64]], shares: NDArray[np.float64]) -> bool:
    r"""Whether no share can be moved to a gain: the conditions of Karush, Kuhn and Tucker.

    :math:`\sum_mu_{km}/\sum_jp_ju_{jm}` is the number of modes where the share is positive, and no
    more anywhere. After 60 bisections a share is off by 2⁻⁶⁰ and by rounding; the sum's relative
    slope in it is at most the number of modes times the square of the spectra's largest ratio.
    """
    mix = sum(share * spectrum for share, spectrum in zip(shares, spectra, strict=True))
    for share, spectrum in zip(shares, spectra, strict=True):
        ratio = spectrum / mix
        off = 64 * 2.0**-52 * len(ratio) * float(max(1.0, *(ratio**2)))
        total = float(ratio.sum())
        if total > len(ratio) + off or (share > 0 and total < len(ratio) - off / min(share, 1.0)):
            return False
    return abs(float(sum(shares)) - 1) <= 4 * 2.0**-52


def _likeliest(power: float = -0.5) -> bool:
    r"""Find the member from columns whose second moments are exactly its own.

    The columns are those of :math:`\sigma M^{-1/2}` times √n: then :math:`S_m=\sigma^2/\mu_m`, and
    the slope of the likelihood is 0 at M. Shares are bisected to 2⁻⁶⁰; a weight is off by the
    rounding of the modes, magnified by the ratio of the largest to the smallest eigenvalue.
    """
    rng = np.random.default_rng(15)
    for count in (2, 3):
        for _ in range(10):
            spectra = [np.exp(rng.standard_normal(6)) for _ in range(count)]
            if not _shares_are_best(spectra, most_likely(spectra)):
                return False
    n, sigma = 12, 3.0
    for member in MEMBERS:
        columns = sigma * np.sqrt(n) * gram_power(member, n, power)
        found = fit_metric(columns, boundary=member.boundary, spacing=member.spacing, draws=1)
        order = ("exchangeable", "first order", "second order")[member.derivative_order]
        best = found.candidates[order]
        s = n * n if member.spacing == "normalized" else 1
        ell = laplacian_eigenvalues(member.boundary, n)[1:]

        def spectrum(metric: Metric, s: int = s, ell: Any = ell) -> Any:
            return metric.fluctuation + (metric.derivative + metric.curvature * s * ell) * s * ell

        true = spectrum(member)
        tolerance = 64 * n * 2.0**-52 * (true.max() / true.min()) ** 2
        if abs(best.scale / sigma**2 - 1) > tolerance:
            return False
        if (abs(spectrum(best.metric) / true - 1) > tolerance).any():
            return False
    return True


def _dealt(values: list[float]) -> Callable[[int], list[float]]:
    """Return a draw that deals the values one after the other."""
    queue = iter(values)
    return lambda many: list(itertools.islice(queue, many))


def _order_test(level: Callable[[int, int], Fraction] = Fraction) -> bool:
    r"""Try every order of the channels, and every sequence of draws.

    A column's statistic in all n! orders, a hundredth apart where they differ: the share of orders
    whose rank is among the k largest is at most k/n!. And the stopped p-value: for a rank that
    is uniform among the draws, the chance of p ≤ c is at most c, for every value c that it takes.
    """
    rng = np.random.default_rng(4)
    columns = fit._Columns(rng.standard_normal((4, 3)) * [[1.0], [2.0], [3.0], [4.0]], "natural")
    orders = np.array(list(itertools.permutations(range(4))))
    statistics = columns.order_statistic(columns.moments(orders)).round(9)
    ranks = [(statistics >= own).sum() for own in statistics]
    for k in range(1, 25):
        if Fraction(sum(int(rank) <= k for rank in ranks), 24) > level(k, 24):
            return False
    # The observed value and five draws, in every order of their ranks.
    draws, enough, known = 5, 2, fit.ENOUGH
    values = []
    fit.ENOUGH = enough
    try:
        for observed, *others in itertools.permutations(map(float, range(draws + 1))):
            values.append(fit._p_value(observed, _dealt(others), draws))
    finally:
        fit.ENOUGH = known
    for value in set(values):
        chance = Fraction(sum(other <= value for other in values), len(values))
        claimed = Fraction(value).limit_denominator(100)
        if chance > level(claimed.numerator, claimed.denominator):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T15.slice",
        title="the scale is eliminated from the likelihood",
        statement=(
            "Let θₘ be a spectrum of precisions and Sₘ the second moments that were measured. "
            "Among the multiples tθ the likelihood is largest where Σ tθₘSₘ is the number of "
            "modes. Among the spectra with this scale it is concave in the shares of the "
            "terms."
        ),
        tex=r"\min_t\sum_m\bigl(t\theta_mS_m-\log t\theta_m\bigr)"
        r"\ \text{at}\ \sum_mt\theta_mS_m=n-1,\qquad "
        r"\frac{d^2}{dp^2}\log\bigl((1-p)u+pv\bigr)=-\Bigl(\frac{v-u}{(1-p)u+pv}\Bigr)^2\le0",
        scope="all positive spectra and second moments, any number of modes",
        kind="symbolic",
        check=_slice,
        variant=partial(_slice, size=lambda modes: modes / 2),
        perturbed="It is largest where that sum is half the number of modes.",
        page=PAGE,
    ),
    Theorem(
        id="T15.likeliest",
        title="the most likely member",
        statement=(
            "No other shares of the metric's terms are more likely than those that the search "
            "finds, and columns with exactly a member's second moments give back this member "
            "and its scale."
        ),
        tex=r"\sum_m\frac{u_{km}}{\sum_jp_ju_{jm}}\le n-1\quad\text{with equality where }p_k>0",
        scope="drawn spectra of two and three terms; five members, 12 channels; tolerances from "
        "rounding and the ratio of eigenvalues",
        kind="numeric",
        check=_likeliest,
        variant=partial(_likeliest, power=0.5),
        perturbed="Columns of √M give M.",
        page=PAGE,
    ),
    Theorem(
        id="T15.order-test",
        title="the permutation test of an order is exact",
        statement="If every order of the channels is equally likely, the chance of a p-value ≤ c "
        "is at most c: for the rank among all orders, and for draws that stop early.",
        tex=r"\Pr(p\le c)\le c",
        scope="whatever the columns' dependence; all 24 orders of 4 channels, and all orders of 6 "
        "values with 5 draws that stop at the second",
        kind="exact",
        check=_order_test,
        variant=partial(_order_test, level=lambda k, count: Fraction(k, 2 * count)),
        perturbed="The chance is at most c/2.",
        page=PAGE,
    ),
)
