r"""Theorem 13: what related methods share with these metrics, and what they do not."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import is_zero
from cdg_theory.proofs.tools.drawn_matrices import SPD, draw_matrix, draw_spd

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "theory/neighbours.md"
a, b, c = sp.symbols("a b c", positive=True)
PRECISION = sp.Matrix([[a, b], [b, c]])


def _cycle(n: int) -> Any:
    """Return the Laplacian 2I − S − Sᵀ of the cycle on n nodes."""
    shift = sp.Matrix(n, n, lambda i, j: sp.Integer(i == (j + 1) % n))
    return 2 * sp.eye(n) - shift - shift.T


def _laplacian_smoothing(alike: tuple[int, ...] = (1,)) -> bool:
    r"""Smooth a gradient on one number of a tensor with n rows and c columns, exactly.

    Laplacian smoothing solves :math:`(I+\sigma L)x=g` on the raster of all numbers; the ordinary
    Sobolev metric solves the same along each column. ``alike`` are the c where both are one.
    """
    sigma, n = sp.Rational(1, 2), 4
    for columns in (1, 3):
        size = n * columns
        one = sp.zeros(n, columns)
        one[1, 0] = 1
        raster = (sp.eye(size) + sigma * _cycle(size)).LUsolve(one.reshape(size, 1))
        smoothed = raster.reshape(n, columns)
        along_columns = (sp.eye(n) + sigma * _cycle(n)).LUsolve(one)
        same = smoothed == along_columns
        if same != (columns in alike):
            return False
        # What it leaks: into the other columns, while the raster's mean is kept, not the column's.
        leaked = sum(smoothed[:, 1:]) if columns > 1 else 0
        if sum(smoothed) != 1 or (columns > 1) is not bool(leaked > 0):
            return False
    return True


def _centralization(towards: Any = sp.oo) -> bool:
    r"""Gradient centralization Q = I − P on the other axes: singular, commuting, a limit.

    P is any symbol with :math:`P^2=P`; :math:`wP+Q` is the metric that gives the mean over the
    other axes the weight w.
    """
    projector, w = sp.Symbol("P", commutative=False), sp.Symbol("w", positive=True)

    def reduced(expression: Any) -> Any:
        return sp.expand(sp.expand(expression).subs(projector**2, projector))

    q = 1 - projector
    inverse = projector / w + q
    limit = sp.limit(1 / w, w, towards)
    if reduced((w * projector + q) * inverse - 1) != 0 or reduced(q * q - q) != 0:
        return False
    # In the limit the inverse tends to Q; it annihilates P, so no metric has Q as its inverse.
    if limit != 0 or reduced(q * projector) != 0:
        return False
    # The other axes' Q and the output channels' M⁻¹ act on different sides of a gradient.
    rng = random.Random(13)
    metric, columns = draw_spd(rng, 4), 3
    g = draw_matrix(rng, 4, columns)
    other = sp.eye(columns) - sp.ones(columns, columns) / columns
    if (metric.inverse * g) * other != metric.inverse * (g * other):
        return False
    # Along output channels it would remove exactly what α = 1 keeps.
    constant, along = sp.ones(4, 1), sp.eye(4) - sp.ones(4, 4) / 4
    return along * constant == sp.zeros(4, 1)


def _fisher_gaussian(on_outputs: Any = PRECISION) -> bool:
    r"""Derive the Fisher matrix of :math:`y=Wx+\epsilon`, :math:`\epsilon\sim N(0,\Sigma)`.

    The score is differentiated from the log-likelihood with symbols; the expectation replaces
    :math:`\epsilon_a\epsilon_b` by :math:`\Sigma_{ab}` and :math:`x_jx_l` by :math:`C_{jl}`: x and
    ε are independent.
    """
    n = 2
    W = sp.Matrix(n, n, sp.symbols("W:4"))
    x, y, e = (sp.Matrix(sp.symbols(f"{name}:2")) for name in ("x", "y", "e"))
    sigma = PRECISION.inv()
    moments = sp.Matrix(n, n, sp.symbols("C00 C01 C01 C11"))
    residual = y - W * x
    log_likelihood = -(residual.T * PRECISION * residual)[0] / 2
    scores = [
        sp.expand(sp.diff(log_likelihood, W[i, j]).subs(zip(y, W * x + e, strict=True)))
        for i in range(n)
        for j in range(n)
    ]

    def expectation(polynomial: Any) -> Any:
        total = sp.Integer(0)
        for powers, coefficient in sp.Poly(polynomial, *e, *x).terms():
            noise = [i for i in range(n) for _ in range(powers[i])]
            inputs = [i for i in range(n) for _ in range(powers[n + i])]
            total += coefficient * sigma[tuple(noise)] * moments[tuple(inputs)]
        return total

    fisher = sp.Matrix(n * n, n * n, lambda p, q: expectation(sp.expand(scores[p] * scores[q])))
    product = sp.kronecker_product(on_outputs, moments)
    return sp.simplify(fisher - product) == sp.zeros(n * n, n * n)


def _fisher_softmax(share: int = 1) -> bool:
    r"""Derive the Fisher matrix of a categorical output; ``share`` of :math:`pp^T` is taken off.

    Any class i has a probability :math:`p=e^z/(e^z+r)`, another one j the same with another z, and
    r is what all others add: two logits show every entry. A score is
    :math:`\partial_i\log p_y=\delta_{iy}-p_i`, and the mean over y of a product of two of them is
    :math:`\sum_yp_y(\delta_{iy}-p_i)(\delta_{jy}-p_j)`.
    """
    z, other = sp.symbols("z0 z1", real=True)
    rest = sp.Symbol("r", positive=True)
    total = sp.exp(z) + sp.exp(other) + rest
    own, theirs = sp.exp(z) / total, sp.exp(other) / total
    scores = [
        sp.diff(sp.log(own), z) - (1 - own),
        sp.diff(sp.log(theirs), z) + own,
        sp.diff(sp.log(rest / total), z) + own,
    ]
    p, q = sp.symbols("p q", positive=True)
    on = p * (1 - p) ** 2 + (1 - p) * p**2
    off = -p * (1 - p) * q - q * p * (1 - q) + (1 - p - q) * p * q
    constant = on - p * (1 - p)  # the row's sum: its own entry, and −p times all other p's
    zero = [on - (p - share * p**2), off + share * p * q, constant]
    depends = sp.diff(p - share * p**2, p) != 0
    return all(map(vanishes, scores + zero)) and bool(depends)


def _penalty(smoothing: Callable[[SPD], Any] = lambda metric: metric.inverse) -> bool:
    r"""Compare where descent in the metric and descent on a penalised loss come to rest.

    The first where the smoothed gradient, in full, vanishes.
    """
    rng = random.Random(131)
    for n in (2, 3, 4):
        metric, hessian = draw_spd(rng, n), draw_spd(rng, n).matrix
        minimum = draw_matrix(rng, n, 1) + sp.ones(n, 1) * 7
        # L = (w − w*)ᵀH(w − w*)/2: at rest where M⁻¹g = 0, only at w*, or where g + Mw/10 = 0.
        smoothed = smoothing(metric) * hessian
        penalised = (hessian + metric.matrix / 10).LUsolve(hessian * minimum)
        if smoothed.rank() < n or penalised == minimum:
            return False
        # That it is the metric's: ⟨M⁻¹g, h⟩ = gᵀh for all h.
        if metric.matrix * smoothed != hessian:
            return False
    # Vanishing penalty on an under-determined problem: the interpolant of theorem 10, from 0.
    rho = sp.Symbol("rho", positive=True)
    metric = draw_spd(rng, 2)
    row, b = sp.Matrix([[2, 1]]), sp.Matrix([3])
    ridge = (row.T * row + rho * metric.matrix).LUsolve(row.T * b)
    nearest = metric.inverse * row.T * (row * metric.inverse * row.T).inv() * b
    return all(
        sp.limit(sp.cancel(found), rho, 0) == wanted
        for found, wanted in zip(ridge, nearest, strict=True)
    )


def _proximal(divisor: int = 2) -> bool:
    r"""Complete the square of the linear model plus the squared length over 2τ.

    Beside :math:`d^*=-\tau M^{-1}g` it is :math:`\langle d-d^*,d-d^*\rangle/2\tau` larger.
    """
    tau = sp.Symbol("tau", positive=True)
    for n in (1, 2, 3):
        d, g = (sp.Matrix(sp.symbols(f"{name}:{n}")) for name in "dg")
        metric = sp.Matrix(n, n, lambda i, j: sp.Symbol(f"m{min(i, j)}{max(i, j)}"))

        def length(v: Any, metric: Any = metric) -> Any:
            return (v.T * metric * v)[0] / (divisor * tau)

        best = -tau * metric.inv() * g
        excess = (g.T * (d - best))[0] + length(d) - length(best)
        if not is_zero(excess - length(d - best)):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T13.laplacian-smoothing",
        title="Laplacian smoothing mixes columns",
        statement="On a tensor of one column Osher et al.'s Laplacian smoothing is the gradient in "
        "the periodic ordinary Sobolev metric with unit spacing. With more columns it runs along "
        "the raster: it leaks into the other columns and keeps the mean of the raster only.",
        tex=r"(I+\sigma L_{\text{raster}})^{-1}\ne(I+\sigma L_n)^{-1}\otimes I",
        scope="n = 4, σ = 1/2, exact, one and three columns",
        kind="exact",
        check=_laplacian_smoothing,
        variant=partial(_laplacian_smoothing, alike=(1, 3)),
        perturbed="It is the same with three columns.",
        page=PAGE,
    ),
    Theorem(
        id="T13.centralization",
        title="gradient centralization acts on the other axes, and is no metric",
        statement=(
            "Gradient centralization removes the mean over all axes but the output's. It is a "
            "singular projection Q, so the gradient in no metric, but the limit of gradients "
            "in metrics where that mean has an ever larger weight w. It commutes with every "
            "channel-directed metric."
        ),
        tex=r"(wP+Q)^{-1}=\tfrac1wP+Q\xrightarrow{w\to\infty}Q",
        scope="every projection; commutation on a drawn metric and gradient, by associativity",
        kind="symbolic",
        check=_centralization,
        variant=partial(_centralization, towards=0),
        perturbed="It is the limit where that mean has an ever smaller weight.",
        page=PAGE,
    ),
    Theorem(
        id="T13.fisher-gaussian",
        title="when the natural gradient is channel-directed",
        statement="For y = Wx + ε with Gaussian noise ε of precision M the Fisher matrix is "
        "M ⊗ E[xxᵀ]: with white inputs the natural gradient is M⁻¹g, so the metric says which "
        "noise is expected on the outputs.",
        tex=r"F=\Sigma^{-1}\otimes\mathbb E[xx^T]",
        scope="two outputs, two inputs, all symbolic",
        kind="symbolic",
        check=_fisher_gaussian,
        variant=partial(_fisher_gaussian, on_outputs=PRECISION.inv()),
        perturbed="The same with the covariance for the precision.",
        page=PAGE,
    ),
    Theorem(
        id="T13.fisher-softmax",
        title="the natural gradient of a softmax is not channel-directed",
        statement=(
            "The Fisher matrix of a categorical output with probabilities p is singular along "
            "the constant, which every metric of the family weighs with α > 0, and it depends "
            "on the weights of the network."
        ),
        tex=r"F=\operatorname{diag}(p)-pp^T,\qquad F\mathbf 1=0",
        scope="any number of classes, all logits: entry by entry, on the diagonal and off it",
        kind="symbolic",
        check=_fisher_softmax,
        variant=partial(_fisher_softmax, share=0),
        perturbed="It is diag(p), which weighs the constant.",
        page=PAGE,
    ),
    Theorem(
        id="T13.penalty",
        title="a metric is not a smoothness penalty",
        statement="A metric does not move the minimum, a penalty on roughness does. They meet "
        "where the minimum is not unique: as the penalty vanishes, its minimiser tends to the "
        "interpolant that descent in the metric finds from 0.",
        tex=r"\lim_{\rho\to0}\arg\min_w|Aw-b|^2+\rho\|w\|_M^2=\arg\min_{Aw=b}\|w\|_M",
        scope="drawn quadratic losses and one under-determined problem, rational",
        kind="exact",
        check=_penalty,
        variant=partial(_penalty, smoothing=lambda metric: 0 * metric.matrix),
        perturbed="The same of what does not move at all, M⁻¹ = 0.",
        page=PAGE,
    ),
    Theorem(
        id="T13.proximal",
        title="one step is a penalty on the step's roughness",
        statement=(
            "The step −τM⁻¹g minimises the linear model of the loss plus 1/(2τ) times the "
            "squared length of the step in the metric."
        ),
        tex=r"-\tau M^{-1}g=\arg\min_d\ g^Td+\tfrac1{2\tau}\langle d,d\rangle",
        scope="every symmetric M with an inverse and every g, written out for n ≤ 3; the square is "
        "one of SPD M only",
        kind="symbolic",
        check=_proximal,
        variant=partial(_proximal, divisor=1),
        perturbed="The same with 1/τ for 1/(2τ).",
        page=PAGE,
    ),
)
