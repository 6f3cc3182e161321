r"""Theorem 10: among all interpolants, descent in the metric finds the one nearest to its start.

A loss :math:`\frac12|Aw-b|^2` with fewer equations than unknowns has many minimisers. Which one is
found depends on the metric, and not on the step: every step adds a combination of
:math:`M^{-1}A^T`, that is, of *smoothed* rows of A. This is why what training adds to the weights
is correlated along channels.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum import InnerProduct, green_function, integral, o, polynomial, s
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.tools.drawn_matrices import SPD, draw_matrix, draw_spd

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PAGE = "theory/implicit-bias.md"
CHANNELS = (sp.Rational(1, 4), sp.Rational(2, 3))
start = sp.Symbol("w0", commutative=False)
lam = sp.Symbol("lambda", positive=True)


def _span(origin: Any = start) -> bool:
    r"""Take one step from :math:`w=w_0+M^{-1}A^Tz`: w − origin is :math:`M^{-1}A^T(z-\tau(Aw-b))`.

    Matrices are symbols that do not commute.
    """
    inverse, rows, z, b = sp.symbols("Minv At z b", commutative=False)
    columns = sp.Symbol("A", commutative=False)
    tau = sp.Symbol("tau", positive=True)
    w = start + inverse * rows * z
    residual = columns * w - b
    after = w - tau * inverse * rows * residual
    return bool(sp.expand(after - origin - inverse * rows * (z - tau * residual)) == 0)


def _draw(rng: random.Random) -> tuple[SPD, Any, Any, Any]:
    """Return a metric, equations of full rank, right sides and a start, all rational."""
    while True:
        n = rng.randint(2, 5)
        metric, rows = draw_spd(rng, n), draw_matrix(rng, rng.randint(1, n - 1), n)
        if rows.rank() == rows.rows:
            return metric, rows, draw_matrix(rng, rows.rows, 1), draw_matrix(rng, n, 1)


def _nearest(smoothing: Callable[[SPD], Any] = lambda metric: metric.inverse) -> bool:
    r"""Check that the interpolant with smoothed rows is the nearest in the metric, exactly.

    Any other is :math:`w^*+d` with Ad = 0, and :math:`\langle w^*-w_0,d\rangle=z^TAd=0`: its
    squared distance is larger by :math:`\langle d,d\rangle`.
    """
    rng = random.Random(10)
    for _ in range(12):
        metric, rows, b, start = _draw(rng)
        smooth = smoothing(metric)
        z = (rows * smooth * rows.T).inv() * (b - rows * start)
        nearest = start + smooth * rows.T * z
        if rows * nearest != b:
            return False
        for d in rows.nullspace():
            if ((nearest - start).T * metric.matrix * d)[0] != 0:
                return False
    return True


def _converges(top: Callable[[Collection[Any]], Any] = max) -> bool:
    r"""Check the residuals: :math:`r^+=(I-\tau AM^{-1}A^T)r` contracts exactly below the bound.

    With :math:`A=R\,\mathrm{diag}(a)\,Q^T`, Q the modes of M, :math:`S=AM^{-1}A^T` has the
    eigenvalues :math:`a_i^2/\lambda_i`. :math:`I-\tau S` has its own in (−1, 1) exactly if S and
    :math:`\frac2\tau I-S` are positive definite: decided by leading minors, in rationals, for
    steps a thousandth below and above the bound.
    """
    rng = random.Random(100)
    for m in (1, 2, 2, 3, 3):
        metric, turn = draw_spd(rng, m + 1), draw_spd(rng, m).vectors
        weights = [sp.Integer(rng.randint(1, 9)) for _ in range(m)]
        rows = turn * sp.diag(*weights) * metric.vectors[:, :m].T
        b, start = draw_matrix(rng, m, 1), draw_matrix(rng, m + 1, 1)
        S = rows * metric.inverse * rows.T
        eigenvalues = [a**2 / value for a, value in zip(weights, metric.values, strict=False)]
        for part, contracts in ((sp.Rational(999, 1000), True), (sp.Rational(1001, 1000), False)):
            tau = 2 / top(eigenvalues) * part
            margin = 2 / tau * sp.eye(m) - S
            if (S.is_positive_definite and margin.is_positive_definite) != contracts:
                return False
            w = start - tau * metric.inverse * rows.T * (rows * start - b)
            if (rows * w - b) != (sp.eye(m) - tau * S) * (rows * start - b):
                return False
    return True


def _splines(kernels: tuple[Boundary, Boundary] = ("natural", "periodic")) -> bool:
    r"""Check, for values prescribed at two channels, that Green's functions are orthogonal to rest.

    The nearest interpolant is a combination of :math:`G(\cdot,s_1),G(\cdot,s_2)`: whatever vanishes
    at both channels, and nothing else is asked of it but equal ends if periodic, is orthogonal to
    it. ``kernels`` are those of natural and of periodic ends.
    """
    boundaries: tuple[Boundary, Boundary] = ("natural", "periodic")
    for boundary, own in zip(boundaries, kernels, strict=True):
        gamma = sp.Symbol("gamma", positive=True)
        inner = InnerProduct(sp.Integer(1), sp.Integer(0), gamma, boundary)
        rest = sp.prod(o - channel for channel in CHANNELS) * polynomial(3, "d")
        if boundary == "periodic":
            first = sp.Symbol("d0", real=True)
            (closing,) = sp.solve(rest.subs(o, 1) - rest.subs(o, 0), first)
            rest = rest.subs(first, closing)
        kernel = green_function(InnerProduct(sp.Integer(1), sp.Integer(0), gamma, own))
        for channel in CHANNELS:
            left, right = (piece.subs(s, channel) for piece in (kernel.left, kernel.right))
            # The inner product, integrated on either side of the kink; β = 0.
            means = integral(left, 0, channel) + integral(right, channel, 1)
            slopes = integral(left.diff(o) * rest.diff(o), 0, channel) + integral(
                right.diff(o) * rest.diff(o), channel, 1
            )
            if not vanishes(inner.mean * means * integral(rest) + inner.derivative * slopes):
                return False
    return True


def _correlation(keep: Any = 1 / lam**2) -> bool:
    r"""Compute the correlation of two channels of smoothed white noise in H⁰, n and λ symbols.

    The covariance is P + keep (I − P): :math:`M^{-2}=P+(I-P)/\lambda^2`, with :math:`P^2=P`.
    """
    n = sp.Symbol("n", positive=True)
    off = 1 / n - keep / n
    on = off + keep
    claimed = (lam**2 - 1) / (lam**2 + n - 1)
    return vanishes(off / on - claimed) and claimed.subs(lam, 1) == 0


THEOREMS = (
    Theorem(
        id="T10.span",
        title="training adds smoothed rows",
        statement=(
            "Every step of descent in the metric from w₀ keeps w − w₀ a combination of the "
            "columns of M⁻¹Aᵀ. The weights w themselves are one only if w₀ is."
        ),
        tex=r"w_t-w_0=M^{-1}A^Tz_t,\qquad z_{t+1}=z_t-\tau(Aw_t-b)",
        scope="least squares, every SPD M, every step size, by induction",
        kind="symbolic",
        check=_span,
        variant=partial(_span, origin=0),
        perturbed="It keeps w itself such a combination.",
        page=PAGE,
    ),
    Theorem(
        id="T10.nearest",
        title="the interpolant found is the nearest in the metric",
        statement=(
            "Among the solutions of Aw = b one has w − w₀ in the span of T10.span: w₀ + "
            "M⁻¹Aᵀ(AM⁻¹Aᵀ)⁻¹(b − Aw₀). It is the one nearest to w₀ in the metric."
        ),
        tex=r"w^*=\arg\min_{Aw=b}\|w-w_0\|_M",
        scope="A of full row rank, every SPD M; drawn rational systems",
        kind="exact",
        check=_nearest,
        variant=partial(_nearest, smoothing=lambda metric: metric.power(0)),
        perturbed="The interpolant that plain gradient descent finds does.",
        page=PAGE,
    ),
    Theorem(
        id="T10.converges",
        title="descent converges to that interpolant",
        statement=(
            "Every step of size τ multiplies the residual r = Aw − b by I − τAM⁻¹Aᵀ. This is "
            "a contraction for every step below 2 over the largest eigenvalue of AM⁻¹Aᵀ, and "
            "for none above."
        ),
        tex=r"r_{t+1}=(I-\tau AM^{-1}A^T)\,r_t",
        scope="A of full row rank with its right singular vectors among the modes of M, so that "
        "the eigenvalues are known; drawn rational systems, steps one per mille off the bound",
        kind="exact",
        check=_converges,
        variant=partial(_converges, top=sum),
        perturbed="The bound is 2 over the sum of the eigenvalues.",
        page=PAGE,
    ),
    Theorem(
        id="T10.splines",
        title="the nearest function with given values is a spline",
        statement="Where values are prescribed at some channels, the nearest function in the "
        "metric is a combination of their Green's functions.",
        tex=r"d(s_1)=d(s_2)=0\ \Rightarrow\ \langle G(\cdot,s_j),d\rangle=0",
        scope="channel-directed Sobolev, both boundaries, polynomials d with symbolic coefficients",
        kind="symbolic",
        check=_splines,
        variant=partial(_splines, kernels=("periodic", "natural")),
        perturbed="The same with the Green's functions of the two boundaries exchanged.",
        page=PAGE,
    ),
    Theorem(
        id="T10.correlation",
        title="how correlated channels become",
        statement="One step on white noise in the re-weighted H⁰ metric gives any two channels the "
        "correlation (λ² − 1)/(λ² + n − 1): none for λ = 1, all for λ → ∞.",
        tex=r"\operatorname{corr}(k_i,k_j)=\frac{\lambda^2-1}{\lambda^2+n-1}",
        scope="every n ≥ 2, every λ > 0, i ≠ j",
        kind="symbolic",
        check=_correlation,
        variant=partial(_correlation, keep=1 / lam),
        perturbed="The same with the covariance M⁻¹ for M⁻².",
        page=PAGE,
    ),
)
