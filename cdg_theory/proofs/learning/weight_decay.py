r"""Theorem 9 on weight decay: decay that enters untransformed is a smoothness prior.

:math:`M^{-1}g+\omega w` is the gradient, in the metric, of
:math:`L+\frac\omega2\langle w,Mw\rangle` (T9.weight-decay). Here: where descent with it ends, how
well it is conditioned beside the same penalty in the loss, and what momentum, decoupled decay and
Adam make of it.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import is_zero, vanish
from cdg_theory.proofs.tools.drawn_matrices import SPD, draw_matrix, draw_spd

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/weight-decay.md"
tau, theta, omega, h = sp.symbols("tau theta omega h", positive=True)


def _limit(prior: Callable[[SPD], Any] = lambda metric: metric.matrix) -> bool:
    r"""Solve for the rest of descent with untransformed decay on drawn least-squares problems.

    At rest :math:`M^{-1}A^T(Aw-b)+\omega w=0`. Claimed is
    :math:`(A^TA+\omega M)^{-1}A^Tb=M^{-1}A^T(AM^{-1}A^T+\omega I)^{-1}b`, whatever the start, and
    that steps below 2 over the largest eigenvalue of :math:`AM^{-1}A^T`, plus ω, get there. Its
    trace is at least that eigenvalue; definiteness is decided by leading minors.
    """
    rng = random.Random(9)
    for n, rows in ((2, 1), (3, 2), (2, 3), (3, 3)):
        metric, A, b = draw_spd(rng, n), draw_matrix(rng, rows, n), draw_matrix(rng, rows, 1)
        decay = sp.Rational(rng.randint(1, 5), 3)
        smooth = metric.inverse * A.T
        rest = (A.T * A + decay * prior(metric)).LUsolve(A.T * b)
        if smooth * (A * rest - b) + decay * rest != sp.zeros(n, 1):
            return False
        if smooth * (A * smooth + decay * sp.eye(rows)).LUsolve(b) != rest:
            return False
        # In the metric the error is multiplied by I − τ(M⁻¹AᵀA + ωI): between −1 and 1.
        step = 2 / ((A * smooth).trace() + decay) * sp.Rational(99, 100)
        hessian = A.T * A + decay * metric.matrix
        if not (
            hessian.is_positive_definite
            and (2 / step * metric.matrix - hessian).is_positive_definite
        ):
            return False
    return True


def _conditioning(bound: Callable[[SPD], Any] = lambda metric: min(metric.values)) -> bool:
    r"""Bound the curvature in the metric on both sides, exactly; and find where it is attained.

    :math:`\omega M\le H+\omega M\le(\omega+\Lambda/\lambda_{\min})M` as forms. With the
    curvature Λ along the metric's softest mode and none elsewhere both bounds are eigenvalues.
    Plain descent on the penalised loss has :math:`H+\omega M`, whose condition number is then
    :math:`\omega\lambda_{\max}/(\Lambda+\omega\lambda_{\min})` or more.
    """
    rng = random.Random(91)
    for n in (2, 3, 4):
        metric, half = draw_spd(rng, n), draw_matrix(rng, n, max(n - 1, 1))
        decay, curved = sp.Rational(1, rng.randint(2, 9)), half * half.T
        top = curved.trace()  # at least its largest eigenvalue
        above = decay + top / bound(metric)
        hessian = curved + decay * metric.matrix
        for form in (hessian - decay * metric.matrix, above * metric.matrix - hessian):
            if not form.is_positive_semidefinite:
                return False
        order = sorted(range(n), key=lambda m: metric.values[m])
        softest, stiffest = (metric.vectors[:, order[m]] for m in (0, -1))
        hessian = 7 * softest * softest.T + decay * metric.matrix
        inside = metric.inverse * hessian
        if inside * softest != (decay + 7 / bound(metric)) * softest:
            return False
        if inside * stiffest != decay * stiffest:
            return False
        low, high = min(metric.values), max(metric.values)
        if (
            hessian * stiffest != decay * high * stiffest
            or hessian * softest != (7 + decay * low) * softest
        ):
            return False
    return True


def _momentum(entering: int = 1) -> bool:
    r"""Take a step with a buffer: decay in the gradient is decay of v, and w = Rv carries over.

    R stands for :math:`M^{-1/2}`; symbols do not commute. Decay enters as :math:`\omega R^{p-1}w`
    with p the number ``entering``.
    """
    R, g, v, u = sp.symbols("R g v u", commutative=False)
    w, buffer = R * v, R * u
    in_v = theta * u + (R * g + omega * v)  # the gradient of L(Rv) + ω|v|²/2
    in_w = theta * buffer + (R * R * g + omega * R**entering * v)
    nesterov_v = v - tau * (R * g + omega * v + theta * in_v)
    nesterov_w = w - tau * (R * R * g + omega * R**entering * v + theta * in_w)
    differences = (
        R * in_v - in_w,
        R * (v - tau * in_v) - (w - tau * in_w),
        R * nesterov_v - nesterov_w,
    )
    return all(sp.expand(difference) == 0 for difference in differences)


def _decoupled(weight: Any = omega * (1 - theta)) -> bool:
    r"""Find the rest of decoupled decay with momentum, and the steps for which it gets there.

    Along an eigenvector, with curvature h in the metric and minimum :math:`w^*`: the buffer becomes
    :math:`\theta u+h(w-w^*)`, and w becomes :math:`(1-\tau\omega)w-\tau u`. Claimed is the rest of
    the loss plus the penalty with the given weight, :math:`hw^*/(h+\text{weight})`.
    """
    w, u, target, y, z = sp.symbols("w u w* y z")
    new_u = theta * u + h * (w - target)
    new_w = (1 - tau * omega) * w - tau * new_u
    rest = sp.solve([new_u - u, new_w - w], [w, u], dict=True)[0]
    if not is_zero(rest[w] - h * target / (h + weight)):
        return False
    # Stable exactly if three numbers are positive (theorem 16, momentum): see the scope.
    matrix = sp.Matrix([[new_w.diff(w), new_w.diff(u)], [new_u.diff(w), new_u.diff(u)]])
    polynomial = matrix.charpoly(z).as_expr()
    mapped = sp.cancel(polynomial.subs(z, (1 + y) / (1 - y)) * (1 - y) ** 2)
    square, linear, constant = sp.Poly(sp.expand(mapped), y).all_coeffs()
    return vanish(
        [
            constant - tau * (h + weight),
            linear - 2 * (1 - theta + theta * tau * omega),
            square - (2 * (1 + theta) - tau * (h + omega * (1 + theta))),
        ]
    )


def _adam(update_rests_at: str = "ridge") -> bool:
    r"""Say at which of three points Adam's four arrangements are at rest, in exact numbers.

    The loss is :math:`\frac12|w-b|^2`; "prior" is its minimum with
    :math:`\frac\omega2\langle w,Mw\rangle`, "ridge" with :math:`\frac\omega2|w|^2`. Coupled Adam
    stands still where what it is given vanishes. Decoupled decay holds w where
    :math:`\omega w=-K\operatorname{sign}(g)`, K acting on the update, or
    :math:`-\operatorname{sign}(Kg)`: with :math:`|\cdot|\le1` for the sign of 0.
    """
    metric, decay, b = sp.Matrix([[3, -1], [-1, 3]]) / 2, sp.Rational(1, 2), sp.Matrix([5, 1])
    K, unit, ones = metric.inv(), sp.eye(2), sp.Matrix([1, 1])
    points = {
        "prior": (unit + decay * metric).LUsolve(b),
        "ridge": (unit + decay * unit).LUsolve(b),
        "box": K * ones / decay,  # where ωMw = (1, 1)
    }
    b_far = sp.Matrix([50, 40])

    def at_rest(given: Callable[[Any], Any]) -> list[str]:
        return [name for name, w in points.items() if given(w) == sp.zeros(2, 1)]

    coupled_gradient = at_rest(lambda w: K * (w - b) + decay * w)
    coupled_update = at_rest(lambda w: w - b + decay * w)
    # Far from the minimum g < 0 in both entries, so its sign is −1, that of Kg as well.
    decoupled_update = at_rest(lambda w: K * (w - b_far).applyfunc(sp.sign) + decay * w)
    decoupled_gradient = (K * (ones / decay - b_far)).applyfunc(sp.sign) + ones
    return (
        coupled_gradient == ["prior"]
        and coupled_update == [update_rests_at]
        and decoupled_update == ["box"]
        and decoupled_gradient == sp.zeros(2, 1)
    )


THEOREMS = (
    Theorem(
        id="T9.decay-limit",
        title="where descent with untransformed decay ends",
        statement=(
            "On least squares, descent with untransformed weight decay ω ends, from every "
            "start, at the minimum of |Aw − b|²/2 + (ω/2)⟨w,Mw⟩: the smooth solution that "
            "this penalty in the loss would give."
        ),
        tex=r"w_\infty=(A^TA+\omega M)^{-1}A^Tb=M^{-1}A^T(AM^{-1}A^T+\omega I)^{-1}b",
        scope="every SPD M, ω > 0; steps below 2/(λ_max(AM⁻¹Aᵀ) + ω); drawn problems with fewer "
        "and more equations than unknowns, rational. If the library's gradient is K = cM⁻¹, the "
        "prior's weight is ω/c",
        kind="exact",
        check=_limit,
        variant=partial(_limit, prior=lambda metric: metric.power(0)),
        perturbed="At the minimum with the ordinary penalty (ω/2)|w|².",
        page=PAGE,
    ),
    Theorem(
        id="T9.decay-conditioning",
        title="how well the problem with decay is conditioned",
        statement=(
            "Let a convex loss have a curvature H between 0 and Λ. With the penalty "
            "(ω/2)⟨w,Mw⟩ its curvature relative to the metric lies between ω and ω + "
            "Λ/λ_min(M), however stiff the metric's rough modes are; plain descent on the "
            "penalised loss meets condition numbers of ωλ_max(M)/(Λ + ωλ_min(M))."
        ),
        tex=r"\omega M\preceq H+\omega M\preceq\Bigl(\omega+\frac\Lambda{\lambda_{\min}(M)}\Bigr)M,"
        r"\qquad\kappa\le1+\frac\Lambda{\omega\,\lambda_{\min}(M)}",
        scope="0 ≤ H ≤ ΛI, every SPD M; drawn, rational; both bounds attained",
        kind="exact",
        check=_conditioning,
        variant=partial(_conditioning, bound=lambda metric: max(metric.values)),
        perturbed="Between ω and ω + Λ/λ_max(M).",
        page=PAGE,
    ),
    Theorem(
        id="T9.decay-momentum",
        title="decay with momentum",
        statement="SGD with momentum, Nesterov's too, on the Riemannian gradient with "
        "untransformed coupled decay is SGD with momentum on the penalised loss in the "
        "coordinates v = M^{1/2}w, step for step.",
        tex=r"w=M^{-1/2}v:\quad M^{-1}g+\omega w=M^{-1/2}\nabla_v\bigl(L+\tfrac\omega2|v|^2\bigr)",
        scope="every constant SPD M, every differentiable loss; SGD",
        kind="symbolic",
        check=_momentum,
        variant=partial(_momentum, entering=3),
        perturbed="The same with the decay transformed as well.",
        page=PAGE,
    ),
    Theorem(
        id="T9.decay-decoupled",
        title="decoupled decay with momentum is weaker",
        statement="Decay that is taken off the weights beside a momentum buffer has the weight "
        "ω(1 − θ): SGD rests at the minimum of the loss plus (ω(1 − θ)/2)⟨w,Mw⟩.",
        tex=r"h(w-w^*)+\omega(1-\theta)\,w=0",
        scope="quadratic losses, along eigenvectors of M⁻¹H; converges exactly for "
        "τ(h + ω(1 + θ)) < 2(1 + θ), 0 ≤ θ < 1",
        kind="symbolic",
        check=_decoupled,
        variant=partial(_decoupled, weight=omega),
        perturbed="It has the weight ω.",
        page=PAGE,
    ),
    Theorem(
        id="T9.decay-adam",
        title="where Adam with decay comes to rest",
        statement=(
            "Let K take the ordinary gradient to the one in the metric, and let the metric's "
            "prior be the penalty (ω/2)⟨w,Mw⟩. Adam with coupled decay rests at the minimum "
            "with that penalty if the gradient is transformed, though it is no descent in M, "
            "and at that of plain ridge if the update is. AdamW rests where ωMw = −sign g if "
            "the update is transformed, and where ωw = −sign(Kg) if the gradient is."
        ),
        tex=r"K(w-b)+\omega w=0;\quad w-b+\omega w=0;\quad\omega Mw=-\operatorname{sign}g;\quad"
        r"\omega w=-\operatorname{sign}(Kg)",
        scope="points of rest, in one example with exact numbers; bias correction and ε left out",
        kind="exact",
        check=_adam,
        variant=partial(_adam, update_rests_at="prior"),
        perturbed="On the update, coupled Adam rests at the prior's minimum.",
        page=PAGE,
    ),
)
