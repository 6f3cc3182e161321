"""Theorem 7 for the sweeps in differences: their factors, and the NumPy model of a kernel."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.cholesky import cholesky_factors, solve_from_end
from cdg_theory.discrete.curvature import (
    CurvatureFactors,
    Ring,
    carry_forward,
    eliminate_pair,
    pair_carries,
    solve_path,
)
from cdg_theory.discrete.sweeps import factors_of
from cdg_theory.ledger import Theorem
from cdg_theory.rounding.differences import CholeskyErrors, as_pairs, cholesky_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Metric

PAGE = "theory/rounding-variants.md"


def _factors(allowed: float = 1.0) -> bool:
    """Compare the factors with those of the same p and q in rational numbers."""
    n = 24
    for beta, c, d in product((0.0, 0.3, 1e12), (0.0, 0.7, 1e-12, 1e9), (1e-12, 0.6, 1e12)):
        known = cholesky_errors(beta, c, d, n)
        exact = cholesky_factors(Fraction(beta / d), Fraction(c / d), Fraction(1), n)
        computed = (known.p, known.p_error), (known.s, known.s_error)
        for (found, errors), right in zip(computed, exact, strict=True):
            for one, error, number in zip(found, errors, right, strict=True):
                if abs(Fraction(float(one)) - number) > Fraction(allowed * float(error)):
                    return False
    return True


def difference_functional_gradient(grad: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    """Return k = M⁻¹g, n > 1, by sweeps in differences; numbers count from the column's first.

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> metric = Metric(1.0, 0.0, 0.0, 1.0, spacing="unit")
    >>> difference_functional_gradient(np.array([[1.0], [2.0], [6.0]]), metric).ravel()
    array([0.55555556, 2.88888889, 5.55555556])
    """
    g = np.asarray(grad, dtype=np.float64)
    base = g[0].copy()
    g = g - base
    n, mean = len(g), g.mean(axis=0)
    factors = factors_of(metric, n)
    assert isinstance(factors, CurvatureFactors)
    load = np.full((n, 1), -1.0 / n)
    load[-1] += 1.0
    x_end = solve_path((0 * load, load), factors)[0][:, 0] @ g
    flux: Any = (0.0, 0.0)
    if factors.seam is not None and factors.release is not None:
        a, b = factors.seam
        flux = factors.ring.act(factors.release, (-(b @ g), -(a @ g)))
        x_end = x_end + factors.ring.act((a[-1], b[-1]), flux)[0]
    weights = metric.fluctuation, metric.stiffness(n), metric.rigidity(n)
    x = solve_from_end(g - mean, weights, x_end, flux)
    return np.asarray((base + mean) / metric.mean + x)


class _Run:
    """The sweeps in differences on rational numbers, with an error put into one operation."""

    def __init__(self, weights: tuple[Fraction, Fraction, Fraction], n: int) -> None:
        beta, self.c, self.d = weights
        self.weights, self.n = weights, n
        self.p, self.s = cholesky_factors(*weights, n)
        A, B = [Fraction(0)], [Fraction(1)]
        for _ in range(n - 1):
            _, following, rise = eliminate_pair(self.c / self.d, beta / self.d, A[-1], B[-1])
            A.append(following)
            B.append(rise)
        levels = np.array(B)
        support, none = beta * np.array(A) / levels, np.zeros(0)
        self.known = CholeskyErrors(self.p, self.s, none, none, support, levels)
        self.ring = Ring(self.c, beta * self.d)
        self.carry: Any = np.array(pair_carries(*weights, n)).reshape(n - 1, 2).T

    def swept(self, r: Any, x_end: Any, flux: Any, errors: dict[str, Any]) -> Any:
        """Return x; ``errors`` are those of each row's z, y, v and eta, and of the last v."""
        none = np.full(self.n, Fraction(0))
        off: dict[str, Any] = dict.fromkeys(("z", "y", "v", "eta"), none) | errors
        level, moment = flux
        y, handed, z = self.c * level + moment, self.d * level, none.copy()
        for i in range(self.n - 1):
            y = y + r[i] + off["y"][i]
            z[i] = y + handed + off["z"][i]
            y, handed = y - self.s[i] * z[i], self.p[i] * z[i]
        x, v = np.full(self.n, self.d * x_end + off["eta"][-1]), self.d * level + off["v"][-1]
        for i in reversed(range(self.n - 1)):
            v = self.p[i] * (v + z[i]) - self.s[i] * x[i + 1] + off["v"][i]
            x[i] = x[i + 1] + v + off["eta"][i]
        return x / self.d

    def answered(self, loads: Any, locals_: Any, last_v: Any) -> Any:
        """Return the level of what the sweeps over pairs make of loads and local errors."""
        along: Any = self.known.support + np.full(self.n, self.c)
        u, w = loads[0], loads[1] - along * loads[0]
        carry_forward(u, w, self.ring, self.carry)
        x, m = locals_[0].copy(), locals_[1].copy()
        m[-1] += (last_v - self.d * u[-1]) / self.known.B[-1]
        for i in reversed(range(self.n - 1)):
            element = self.carry[0, i], self.carry[1, i]
            level, moment = self.ring.act(element, (x[i + 1] + u[i], m[i + 1] + w[i]))
            x[i], m[i] = x[i] + level, m[i] + moment
        return x


def _injected(share: int = 1) -> bool:
    """Put an error into each operation, and compare with ``share`` times what it is for pairs."""
    weights = ("1/1000 0 10", "1 2/3 1/5", "0 1 3", "7 0 1/100")
    for text, n in product(weights, (2, 3, 6)):
        beta, c, d = map(Fraction, text.split())
        run = _Run((beta, c, d), n)
        r = np.array([Fraction(i * i % 7 - i) for i in range(n)])
        given = r, Fraction(1, 3), (Fraction(2, 7), Fraction(-3, 5))
        right = run.swept(*given, {})
        if (right != solve_from_end(r - 0, run.weights, *given[1:])).any():
            return False
        for name, i in product(("z", "y", "v", "eta"), range(n)):
            one = np.full(n, Fraction(0))
            one[i] = Fraction(share)
            errors = {each: (one if each == name else 0 * one) for each in ("z", "y", "v", "eta")}
            last_v = errors["v"][-1]
            z, y, v = (np.append(errors[each][:-1], 0)[:, None] for each in ("z", "y", "v"))
            loads, locals_ = as_pairs(run.known, run.d, z, y, v, errors["eta"][:, None])
            answer = run.answered(np.stack(loads)[..., 0], np.stack(locals_)[..., 0], last_v)
            found = run.swept(*given, {each: error / share for each, error in errors.items()})
            if (found - right != answer).any():
                return False
    return True


THEOREMS = (
    Theorem(
        id="T7.injected",
        title="Rounding: errors of the sweeps in differences are errors of pairs",
        statement=(
            "An error put into any one operation changes the result by what the sweeps over pairs "
            "make of the load and the local error that the derivation gives for it."
        ),
        tex=r"\zeta_i\to\tfrac{B_i\zeta_i}d\bigl(1,-\tfrac{\beta A_i}{B_i}-c\bigr)\ "
        r"\text{and}\ (0,\zeta_i),\qquad (\nu_i,\eta_i)\to\bigl(\tfrac{\nu_i+\eta_i}d,"
        r"\tfrac{\nu_i}{B_i}+s_{i-1}(\nu_i+\eta_i)\bigr)",
        scope="rational arithmetic, every operation of n in {2, 3, 6} rows, four members",
        kind="exact",
        check=_injected,
        variant=partial(_injected, share=2),
        perturbed="The same with twice the load and the local error.",
        page=PAGE,
    ),
    Theorem(
        id="T7.cholesky-factors",
        title="Rounding: the factors of the sweeps in differences",
        statement=(
            "The factors that float64 holds err by what a step's rounding does, and by the error "
            "of the step before, which each step multiplies by the square of R."
        ),
        tex=r"\delta E_{i+1}=\tau_{i+1}+R_i^2\,\delta E_i,\qquad "
        r"\delta p_i=(1-p_i)^2\,\delta\frac{B_i}{N_i},\qquad v=2^{-53}",
        scope="against rational arithmetic, 24 rows, 36 members with weights from 1e-12 to 1e12",
        kind="exact",
        check=_factors,
        variant=partial(_factors, allowed=1 / 16),
        perturbed="The same with a sixteenth of each bound.",
        page=PAGE,
    ),
)
