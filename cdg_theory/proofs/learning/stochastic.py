r"""Theorem 17: stochastic descent in a metric, down to a floor; and metrics that change.

A step is :math:`w^+=w-\tau M^{-1}(g+\epsilon)` with unbiased noise of covariance σ²I in each
column. The loss has the smoothness constant Λ in the ordinary norm, and satisfies the inequality of
Polyak and Łojasiewicz in the metric, :math:`g^TM^{-1}g\ge2\mu(L-L^*)`. Everything is said of
values of the loss, which know of no metric: so the metric may change from step to step.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.discrete.noise import variance_kept
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.proofs.tools.algebra import is_zero
from cdg_theory.proofs.tools.drawn_matrices import SPD, draw_matrix, draw_spd
from cdg_theory.proofs.tools.rational_members import U, inverse_gram_of

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/stochastic-descent.md"
tau, smooth, lowest, mu, trace, noise = sp.symbols("tau Lambda lambda mu T sigma2", positive=True)
# Of one step: what is taken off the distance to the least loss, and what the noise adds.
RATE = tau * mu * (2 - tau * smooth / lowest)
ADDED = smooth * tau**2 * noise * trace / 2
FLOOR = tau * smooth * lowest * noise * trace / (2 * mu * (2 * lowest - tau * smooth))


def _one_step(rate: Any = RATE) -> bool:
    r"""Take the expectation of the smoothness bound, mode by mode, and put the inequalities in.

    In a mode of M with the eigenvalue :math:`m=\lambda_{\min}+d`, g² is g's share and
    :math:`\mathbb E\epsilon^2=\sigma^2`, :math:`\mathbb E\epsilon=0`.
    """
    g, epsilon, d, gap = sp.symbols("g epsilon d gap", nonnegative=True)
    m = lowest + d
    move = -tau * (g + epsilon) / m
    change = sp.Poly(sp.expand(g * move + smooth * move**2 / 2), epsilon)
    moments = {0: 1, 1: 0, 2: noise}
    expected = sum(c * moments[power] for (power,), c in change.terms())
    # In the metric's own square g²/m, and the noise's part: traces of M⁻².
    kept = -tau * (1 - tau * smooth / (2 * lowest)) * g**2 / m
    added = ADDED.subs(trace, 1 / m**2)
    slack = sp.factor(sp.simplify(kept + added - expected))
    if not is_zero(slack - smooth * tau**2 * g**2 * d / (2 * lowest * m**2)):
        return False
    # Summed, with Σg²/m ≥ 2μ·gap; the factor before it is ≥ 0 for τ ≤ 2λ_min/Λ.
    after = gap - tau * (1 - tau * smooth / (2 * lowest)) * 2 * mu * gap
    return is_zero(after - (1 - rate) * gap)


def _error_after(H: Any, metric: SPD, w: Any, step: Any, white: Any) -> Any:
    """Return the expected loss wᵀHw/2 after one step, exactly."""
    moved = w - step * metric.inverse * H * w
    spread = white * step**2 * (metric.inverse * H * metric.inverse).trace()
    return ((moved.T * H * moved)[0] + spread) / 2


def _drawn(power: int = -2) -> bool:
    r"""Take the step exactly on drawn quadratic losses, and compare with the bound.

    Metric and curvature have different modes; the constants are λ_min(M), λ_max(H) and
    :math:`\mu=\lambda_{\min}(H)/\lambda_{\max}(M)`. For :math:`M=mI`, :math:`H=\Lambda I` the bound
    is attained. The noise kept is claimed to be the trace of a power of M.
    """
    rng = random.Random(17)
    for n in (1, 2, 3):
        flat = SPD(sp.eye(n), (sp.Rational(3, 2),) * n), SPD(sp.eye(n), (sp.Integer(5),) * n)
        for metric, curvature in ((draw_spd(rng, n), draw_spd(rng, n)), flat):
            H, w, white = curvature.matrix, draw_matrix(rng, n, 1), sp.Rational(2, 3)
            top = max(curvature.values)
            step = sp.Rational(rng.randint(1, 9), 10) * 2 * min(metric.values) / top
            constants = {
                tau: step,
                smooth: top,
                lowest: min(metric.values),
                mu: min(curvature.values) / max(metric.values),
                noise: white,
                trace: metric.power(power).trace(),
            }
            before = (w.T * H * w)[0] / 2
            bound = ((1 - RATE) * before + ADDED).subs(constants)
            after = _error_after(H, metric, w, step, white)
            if after > bound or (metric is flat[0] and after != bound):
                return False
    # The trace is what theorem 8 has in closed form.
    members = Metric.reweighted_h0(4.0), Metric.sobolev(0.25), Metric(1.0, 1.0, 0.5)
    for member in (*members, Metric.spline(0.5), Metric(1.0, 0.0, 0.5, 0.25)):
        squares = (inverse_gram_of(member, 5) ** 2).sum()
        # A sum of 25 positive terms, as theorem 8 has it.
        if abs(5 * variance_kept(member, 5) / float(squares) - 1) > 36 * U:
            return False
    return True


def _floor(floor: Any = FLOOR) -> bool:
    r"""Check that distances above the floor contract: :math:`(1-c)e+b-F=(1-c)(e-F)` for cF = b.

    And :math:`0<c\le1` for steps below :math:`2\lambda_{\min}/\Lambda`, as
    :math:`\mu\lambda_{\min}\le\Lambda`.
    """
    e, x, y = sp.symbols("e x y", positive=True)
    if not is_zero((1 - RATE) * e + ADDED - floor - (1 - RATE) * (e - floor)):
        return False
    # x = τΛ/λ in (0, 2), y = μλ/Λ in (0, 1]: c = yx(2 − x), and x(2 − x) = 1 − (1 − x)².
    rate = RATE.subs({tau: x * lowest / smooth, mu: y * smooth / lowest})
    if not is_zero(rate - y * (1 - (1 - x) ** 2)):
        return False
    # Attained: a quadratic of curvature Λ in M = mI, n modes, comes to rest at just this loss.
    m, n, rest = sp.symbols("m n rest", positive=True)
    factor = 1 - tau * smooth / m
    stays = sp.Eq(rest, factor**2 * rest + smooth / 2 * n * (tau / m) ** 2 * noise)
    constants = {lowest: m, mu: smooth / m, trace: n / m**2}
    return is_zero(sp.solve(stays, rest)[0] - floor.subs(constants))


def _same_speed(exponent: int = 2) -> bool:
    r"""Compare two metrics at small steps and one rate :math:`c=2\tau\mu`: the ratio of floors."""
    c, trace_of, mu_of = sp.symbols("c T0 mu0", positive=True)

    def at_speed(constant: Any, kept: Any) -> Any:
        # To first order in τ, with the step that gives the rate c.
        first = sp.series(FLOOR, tau, 0, 2).removeO()
        return first.subs({trace: kept}).subs(tau, c / (2 * mu)).subs(mu, constant)

    ratio = at_speed(mu, trace) / at_speed(mu_of, trace_of)
    return is_zero(ratio - trace / trace_of * (mu_of / mu) ** exponent)


def _changing(floor_of: Callable[..., Any] = max) -> bool:
    r"""Carry the bound over a step with a metric of its own, and try it on drawn schedules.

    If :math:`b_t\le c_tF`, then :math:`(1-c_t)e+b_t-F=(1-c_t)(e-F)-(c_tF-b_t)`. For multiples of
    the identity the recursion is exact, so a floor that is too low is passed.
    """
    c, b, e, F = sp.symbols("c b e F")
    if not is_zero((1 - c) * e + b - F - ((1 - c) * (e - F) - (c * F - b))):
        return False
    rng = random.Random(170)
    for n in (2, 3):
        curvature = draw_spd(rng, n)
        flat = SPD(sp.eye(n), (sp.Integer(4),) * n)
        drawn = [draw_spd(rng, n), draw_spd(rng, n)]
        plain = [SPD(sp.eye(n), (sp.Integer(m),) * n) for m in (3, 1)]
        for metrics, loss in ((drawn, curvature), (plain, flat)):
            H, white, bounds = loss.matrix, sp.Rational(1, 2), []
            covariance = sp.eye(n)  # of w, about 0: its expected loss is tr(H·covariance)/2
            product, start = sp.Integer(1), H.trace() / 2
            for number in range(6):
                # Three steps in one metric, three shorter ones in the other.
                metric = metrics[number // 3]
                step = min(metric.values) / max(loss.values) / (1 + number // 3)
                constants = {
                    tau: step,
                    smooth: max(loss.values),
                    lowest: min(metric.values),
                    mu: min(loss.values) / max(metric.values),
                    noise: white,
                    trace: metric.power(-2).trace(),
                }
                matrix = sp.eye(n) - step * metric.inverse * H
                covariance = matrix * covariance * matrix.T + white * step**2 * metric.power(-2)
                product *= 1 - RATE.subs(constants)
                bounds.append(FLOOR.subs(constants))
                floor = floor_of(bounds)
                if (H * covariance).trace() / 2 > floor + product * max(start - floor, 0):
                    return False
    return True


def _resonance(stable: bool = False) -> bool:
    r"""Alternate two metrics with momentum θ = 0.9, exactly; each by itself converges.

    The matrix of two steps has the determinant θ²: it is stable exactly if its trace lies within
    :math:`\pm(1+\theta^2)`. Without momentum alternating is stable.
    """
    small, large = sp.Rational(1, 10), sp.Rational(37, 10)  # τσ/λ in the two metrics

    def converges(damping: Any, *paces: Any) -> bool:
        whole = sp.eye(2)
        for pace in paces:
            whole = sp.Matrix([[1 - pace, -damping], [pace, damping]]) * whole
        return bool(whole.det() < 1 and abs(whole.trace()) < 1 + whole.det())

    theta = sp.Rational(9, 10)
    alone = converges(theta, small) and converges(theta, large)
    plain = converges(sp.Integer(0), small, large / 2)
    return alone and plain and converges(theta, small, large) == stable


THEOREMS = (
    Theorem(
        id="T17.contraction",
        title="one step of stochastic descent",
        statement="Steps τ below 2λ_min/Λ contract the expected distance to the least loss by "
        "1 − τμ(2 − τΛ/λ_min), up to what the noise adds, Λτ²σ²tr(M⁻²)/2 per column.",
        tex=r"\mathbb E(L^+-L^*)\le\Bigl(1-\tau\mu\bigl(2-\tfrac{\tau\Lambda}{\lambda_{\min}}"
        r"\bigr)\Bigr)(L-L^*)+\tfrac12\Lambda\tau^2\sigma^2\operatorname{tr}(M^{-2})",
        scope="every SPD M; Λ the ordinary smoothness constant, μ that of Polyak and Łojasiewicz "
        "in the metric; unbiased noise of covariance σ²I; no momentum, no Adam",
        kind="symbolic",
        check=_one_step,
        variant=partial(_one_step, rate=tau * mu * (2 - 2 * tau * smooth / lowest)),
        perturbed="The same with 1 − τμ(2 − 2τΛ/λ_min).",
        page=PAGE,
    ),
    Theorem(
        id="T17.drawn",
        title="one step of stochastic descent, on drawn losses",
        statement="On drawn quadratic losses the expected loss after one step lies under the "
        "bound, with μ = λ_min(H)/λ_max(M); for a multiple of the identity it is the bound. The "
        "trace of M⁻² is n times theorem 8's variance_kept.",
        tex=r"\mu\ge\frac{\mu_E}{\lambda_{\max}(M)}",
        scope="metric and curvature with different modes, n ≤ 3, rational; variance_kept on five "
        "members, to rounding",
        kind="exact",
        check=_drawn,
        variant=partial(_drawn, power=-1),
        perturbed="With tr(M⁻¹) for tr(M⁻²).",
        page=PAGE,
    ),
    Theorem(
        id="T17.noise-floor",
        title="the noise floor",
        statement="Above τΛλ_min σ²tr(M⁻²)/(2μ(2λ_min − τΛ)) per column the expected loss "
        "contracts; quadratic losses come to rest at just that.",
        tex=r"\mathbb E(L_t-L^*)-F\le(1-c)^t\,(L_0-L^*-F),\qquad "
        r"F=\frac{\tau\Lambda\lambda_{\min}\sigma^2\operatorname{tr}(M^{-2})}"
        r"{2\mu(2\lambda_{\min}-\tau\Lambda)}",
        scope="as T17.contraction, constant step and metric; attained for M = mI",
        kind="symbolic",
        check=_floor,
        variant=partial(_floor, floor=2 * FLOOR),
        perturbed="Twice that is the floor.",
        page=PAGE,
    ),
    Theorem(
        id="T17.same-speed",
        title="when a metric lowers the floor",
        statement="At equal speed and small steps the floors of two metrics are as tr(M⁻²)/μ²: "
        "a metric gains on the ordinary gradient only if the noise it keeps falls by more than "
        "μ² does.",
        tex=r"\frac{F_M}{F_I}=\frac{\operatorname{tr}(M^{-2})}{n}\Bigl(\frac{\mu_I}{\mu_M}\Bigr)^2",
        scope="to first order in the step, steps chosen for one rate c = 2τμ",
        kind="symbolic",
        check=_same_speed,
        variant=partial(_same_speed, exponent=1),
        perturbed="The floors are as tr(M⁻²)/μ.",
        page=PAGE,
    ),
    Theorem(
        id="T17.changing-metrics",
        title="metrics and steps that change",
        statement="With a metric and a step of its own at every time the factors multiply, and "
        "the floor is at most the highest of those used.",
        tex=r"\mathbb E(L_T-L^*)-F\le\prod_{t<T}(1-c_t)\,(L_0-L^*-F)^+,\qquad F=\max_tF_t",
        scope="every sequence of SPD metrics and steps τ < 2λ_min/Λ that does not depend on the "
        "noise; the step of the induction symbolic, schedules drawn, rational",
        kind="symbolic",
        check=_changing,
        variant=partial(_changing, floor_of=min),
        perturbed="The floor is at most the lowest of those used.",
        page=PAGE,
    ),
    Theorem(
        id="T17.resonance",
        title="with momentum, changing metrics can diverge",
        statement="With momentum two metrics that converge by themselves can diverge in "
        "alternation; without it they cannot.",
        tex=r"\theta=0.9,\ \tfrac{\tau\sigma}{\lambda}=0.1,\,3.7,\,0.1,\,3.7,\dots",
        scope="one counter-example with exact numbers",
        kind="exact",
        check=_resonance,
        variant=partial(_resonance, stable=True),
        perturbed="In this example momentum converges in alternation.",
        page=PAGE,
    ),
)
