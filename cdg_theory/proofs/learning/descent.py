r"""Theorem 4: the loss falls along the gradient, how fast, and for which steps.

Claims about the flow are claims about any inner product. In discrete time the loss is assumed to
be smooth in the ordinary norm, :math:`L(w+h)\le L(w)+\int g\,h+\frac\Lambda2\|h\|^2`; the metric
enters through its softest direction, :math:`\|h\|^2\le\langle h,h\rangle/\lambda_{\min}`.
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import sympy as sp

from cdg_theory.continuum import InnerProduct, integral, polynomial, riemannian_gradient
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.tools.drawn_matrices import draw_matrix, draw_spd
from cdg_theory.proofs.tools.exact_matrices import exact_gram, identity, laplacian

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/descent.md"
n = sp.Symbol("n", integer=True, positive=True)
M, g = sp.MatrixSymbol("M", n, n), sp.MatrixSymbol("g", n, 1)
k = M.I * g


def _flow(square: Any = k.T * M * k) -> bool:
    r"""Compute dL/dt for :math:`\dot w=-k` on matrices of symbolic size and on functions.

    By the chain rule it is :math:`-g^Tk` (:math:`-\int g\,k`). It must be minus the square of k in
    the metric.
    """
    rate = -(g.T * k)
    symmetric = square.doit().subs(M.T, M).doit()
    if (rate + symmetric).doit() != sp.ZeroMatrix(1, 1):
        return False
    lam = sp.Symbol("lambda", positive=True)
    loss_gradient = polynomial(2)
    for inner in (InnerProduct.reweighted_h0(lam), InnerProduct.sobolev(lam)):
        direction = riemannian_gradient(loss_gradient, inner)
        change = -integral(loss_gradient * direction)
        if not vanishes(change + inner(direction, direction)):
            return False
    return True


def _steepest(measure: InnerProduct) -> bool:
    r"""Check the identity behind the Cauchy–Schwarz inequality, in the metric.

    :math:`\bigl\|\,\|k\|^2h-\langle k,h\rangle k\,\bigr\|^2
    =\|k\|^2\bigl(\|k\|^2\|h\|^2-\langle k,h\rangle^2\bigr)`, h measured as claimed: so
    :math:`\int g\,h=\langle k,h\rangle\le\|k\|\,\|h\|`, with equality at multiples of k only.
    """
    inner = InnerProduct.general()
    h, k = polynomial(1, "h"), polynomial(1, "k")
    rise = inner(k, h)
    across = inner(k, k) * h - rise * k
    return vanishes(inner(across, across) - inner(k, k) * (inner(k, k) * measure(h, h) - rise**2))


def _step(bound_by: Callable[[tuple[Any, ...]], Any] = min) -> bool:
    r"""Check the promised decrease exactly, and that it is none at the bound.

    Losses are quadratic with known curvature; the metrics are arbitrary SPD matrices with known
    eigenvalues, one of which bounds the step.
    """
    rng = random.Random(4)
    for n in (1, 2, 3, 4):
        metric, curvature = draw_spd(rng, n), draw_spd(rng, n)
        eigenvalue = bound_by(metric.values)
        # A loss with the curvature Λ in every direction, at the metric's softest, is the worst
        # case; the other is drawn.
        worst_start = metric.vectors[:, metric.values.index(min(metric.values))]
        flat = max(curvature.values) * sp.eye(n)
        for hessian, w in ((curvature.matrix, draw_matrix(rng, n, 1)), (flat, worst_start)):
            top = max(curvature.values)
            g = hessian * w
            k = metric.inverse * g
            square = (k.T * metric.matrix * k)[0]
            for part in (sp.Rational(1, 3), sp.Rational(9, 10), sp.Rational(1)):
                tau = part * 2 * eigenvalue / top
                moved = w - tau * k
                change = ((moved.T * hessian * moved)[0] - (w.T * hessian * w)[0]) / 2
                promise = -tau * (1 - tau * top / (2 * eigenvalue)) * square
                if change > promise:
                    return False
        # At the worst case the promise is kept with equality: the bound cannot be improved.
        k = metric.inverse * flat * worst_start
        tau = 2 * min(metric.values) / max(curvature.values)
        if (worst_start - tau * k) != -worst_start:
            return False
    return True


def _falls(hessian: Any, w: Any, direction: Any) -> Any:
    """Return the slope of wᵀHw/2 along minus the direction: < 0 where the loss falls."""
    return -((hessian * w).T * direction)[0]


def _scope(sign: int = 1) -> bool:
    """Exhibit slopes of one sign: under momentum, coupled weight decay, and Adam's first step."""
    rng = random.Random(44)
    metric = draw_spd(rng, 2)
    unit, w = sp.eye(2), sp.Matrix([1, 0])
    # Momentum: the velocity was gained elsewhere and carries uphill.
    momentum = sp.Rational(9, 10) * sp.Matrix([-3, 0]) + metric.inverse * unit * w
    # Coupled weight decay: near the minimum of L, which is not 0, decay wins.
    minimum, decay = sp.Matrix([1, 1]), sp.Rational(1, 10)
    near = minimum * sp.Rational(99, 100)
    with_decay = metric.inverse * (near - minimum) + decay * near
    # Adam's first step goes along the sign of the gradient. Here k = (5, −1, −1).
    k = sp.Matrix([5, -1, -1])
    laplacian = sp.Matrix([[1, -1, 0], [-1, 2, -1], [0, -1, 1]])
    sobolev = sp.ones(3, 3) / 3 + laplacian / 20
    g = sobolev * k
    slopes = [
        _falls(unit, w, momentum),
        _falls(unit, near - minimum, with_decay),
        -(g.T * k.applyfunc(sp.sign))[0],
    ]
    return all(sign * slope > 0 for slope in slopes)


def _sign_descent(largest: int = 2) -> bool:
    r"""Check :math:`\operatorname{sign}(k)^TMk\ge\min(\alpha,2\beta-\alpha)\|k\|_1`.

    For all k and graphs. With :math:`N=\|k\|_1` and :math:`m=\bar k\sum\operatorname{sign}k_i` the
    left side is :math:`\beta N+(\alpha-\beta)m
    +c\sum(\operatorname{sign}a-\operatorname{sign}b)(a-b)`, the sum over the graph's edges. No
    edge's term is negative and :math:`|m|\le N`: as sums of products of numbers ≥ 0. ``largest`` is
    that 2, and no larger one will do.
    """
    p, q, a, b, z, c = sp.symbols("p q A B z c", nonnegative=True)
    alpha, beta, N, m, edges = sp.symbols("alpha beta N m edges", nonnegative=True)

    def at_least_zero(expression: Any) -> bool:
        terms = sp.Add.make_args(sp.expand(expression))
        return all(bool(term.is_nonnegative) for term in terms)

    ends = [(sp.Integer(sign), sign * size) for size in (p, q) for sign in (-1, 0, 1)]
    no_edge = all(at_least_zero((s - t) * (x - y)) for s, x in ends[:3] for t, y in ends[3:])
    # p positive entries with the sum A, q negative ones with the sum −B, z zeros.
    n, norm, level = p + q + z, a + b, (a - b) * (p - q)
    mean = at_least_zero(n * norm - level) and at_least_zero(n * norm + level)
    rise = beta * N + (alpha - beta) * m + c * edges
    floors = [
        rise - alpha * N - ((beta - alpha) * (N - m) + c * edges),  # α ≤ β
        rise - (largest * beta - alpha) * N - ((alpha - beta) * (N + m) + c * edges),  # α ≥ β
    ]
    # Attained as n → ∞, by one large entry against many that are next to 0, γ = 0.
    count = sp.Symbol("n", positive=True)
    attained = sp.limit(beta + (alpha - beta) * (2 - count) / count, count, sp.oo)
    zero = [*floors, attained - (largest * beta - alpha)]
    return no_edge and mean and all(sp.expand(term) == 0 for term in zero)


def _sign_curvature(depth: int = 4) -> bool:
    r"""Check :math:`\operatorname{sign}(k)^TL^2k\ge-4\|k\|_1`, with equality in a limit.

    ``depth`` is that 4.

    For a symmetric A the left side is at least :math:`\sum_j|k_j|\,(A_{jj}-\sum_{i\ne j}|A_{ij}|)`.
    A row of L² reaches two neighbours on either side: n ≤ 9 has every kind of row. One large entry
    against the signs of its row has the sum that is lowest.
    """
    for boundary, count in product(get_args(Boundary), range(1, 10)):
        square = laplacian(
            laplacian(identity(count), periodic=boundary == "periodic"),
            periodic=boundary == "periodic",
        )
        if min(2 * square.diagonal() - abs(square).sum(axis=0)) < -depth:
            return False
    # The spline on five channels, δs² a little below and above 1/4: climbs from there on.
    signs = np.array([-1, 1, 1, 1, -1], dtype=object)
    k = signs * np.array([Fraction(1, 10**6)] * 2 + [1] + [Fraction(1, 10**6)] * 2)
    rises = [
        bool(signs @ exact_gram(1, 1, 0, 5, d=Fraction(1, 4) + more, periodic=False) @ k < 0)
        for more in (Fraction(-1, 100), Fraction(1, 100))
    ]
    return rises == [False, True]


THEOREMS = (
    Theorem(
        id="T4.flow",
        title="the loss falls along the flow",
        statement="Along dw/dt = −grad L the loss falls at the rate ‖grad L‖², measured in the "
        "metric.",
        tex=r"\frac{dL}{dt}=-\int g\,k=-\langle k,k\rangle",
        scope="every SPD matrix of every size; every differentiable loss; plain gradient flow",
        kind="symbolic",
        check=_flow,
        variant=partial(_flow, square=g.T * g),
        perturbed="It falls at the rate ‖g‖², the ordinary square of the ordinary gradient.",
        page=PAGE,
    ),
    Theorem(
        id="T4.steepest",
        title="the gradient is the direction of steepest descent",
        statement="Among all h of one length in the metric, −grad L lowers the loss fastest, and "
        "no other direction does.",
        tex=r"\Bigl|\int g\,h\Bigr|\le\|k\|\,\|h\|,\quad\text{equality iff } h\parallel k",
        scope="every positive definite member; the identity is checked on polynomials with "
        "symbolic coefficients, and uses bilinearity and symmetry only",
        kind="symbolic",
        check=partial(_steepest, InnerProduct.general()),
        variant=partial(_steepest, InnerProduct.l2()),
        perturbed="The same with the ordinary length of h.",
        page=PAGE,
    ),
    Theorem(
        id="T4.step",
        title="steps that lower the loss",
        statement="If the loss has the smoothness constant Λ in the ordinary norm, a step τ lowers "
        "it by at least τ(1 − τΛ/2λ_min)‖k‖²: any step below 2λ_min(M)/Λ lowers it, and at that "
        "step there is a loss that does not fall.",
        tex=r"L(w-\tau k)\le L(w)-\tau\Bigl(1-\frac{\tau\Lambda}{2\lambda_{\min}(M)}\Bigr)"
        r"\langle k,k\rangle",
        scope="drawn quadratic losses and SPD M, n ≤ 4, rational, and the worst case for each; "
        "plain gradient descent; says nothing of momentum, Adam or coupled weight decay",
        kind="exact",
        check=_step,
        variant=partial(_step, bound_by=max),
        perturbed="The same with λ_max(M) for λ_min(M).",
        page=PAGE,
    ),
    Theorem(
        id="T4.scope",
        title="where descent is not claimed",
        statement="With momentum, with coupled weight decay and along Adam's first step (the sign "
        "of a channel-directed Sobolev gradient with small λ) the loss can rise.",
        tex=r"-g^T\operatorname{sign}(M^{-1}g)>0",
        scope="three counter-examples, each with exact numbers",
        kind="exact",
        check=_scope,
        variant=partial(_scope, sign=-1),
        perturbed="In these three examples the loss falls.",
        page=PAGE,
    ),
    Theorem(
        id="T4.sign-descent",
        title="where Adam's first step still descends",
        statement="If α < 2β, the sign of the Riemannian gradient is a direction of descent: in "
        "re-weighted H⁰ with λ > 1/2 and in ordinary Sobolev metrics.",
        tex=r"g^T\operatorname{sign}(k)\ge\min(\alpha,2\beta-\alpha)\,\|k\|_1",
        scope="every k, every n, every graph, α, β ≥ 0, no curvature; attained in the limit of "
        "many channels",
        kind="symbolic",
        check=_sign_descent,
        variant=partial(_sign_descent, largest=20),
        perturbed="It is one for α < 20β: 20β − α for 2β − α.",
        page=PAGE,
    ),
    Theorem(
        id="T18.sign-descent",
        title="a curvature weakens the descent of the sign",
        statement=(
            "A curvature δ lowers the bound of T4.sign-descent by at most 4δs², where s is 1 "
            "with unit spacing and n² with normalized spacing, and for some gradients by that "
            "much. So the sign of the gradient still descends for 4δs² < min(α, 2β − α). In "
            "the spline metric it can climb for δs² > 1/4, which holds for nearly every δ "
            "with normalized spacing."
        ),
        tex=r"g^T\operatorname{sign}(k)\ge\bigl(\min(\alpha,2\beta-\alpha)-4\delta s^2\bigr)"
        r"\|k\|_1",
        scope="every k, both boundaries, every n by the kinds of rows, which n ≤ 9 has all; "
        "attained by one large entry on five channels, natural ends",
        kind="exact",
        check=_sign_curvature,
        variant=partial(_sign_curvature, depth=3),
        perturbed="The same with 3δs².",
        page=PAGE,
    ),
)
