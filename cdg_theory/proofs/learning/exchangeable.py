r"""Theorem 14: hidden channels have no order, so their best smoother is a re-weighted H⁰ metric.

Relabelling the hidden channels of a network, in the layer that makes them and in the layer that
reads them, changes nothing. Second moments of signal and noise then commute with every
permutation, and so does the best linear smoother. A metric that knows an order pays for it.
"""

from __future__ import annotations

import random
from functools import partial
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum.noise import best_h0
from cdg_theory.discrete import inverse, noise
from cdg_theory.discrete.shrinkage import mode_factor, mode_risk
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.algebra import is_zero, vanish
from cdg_theory.proofs.tools.drawn_matrices import draw_matrix, draw_spd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGE = "theory/exchangeable.md"
s0, s1, nu0, nu1 = sp.symbols("s0 s1 nu0 nu1", positive=True)
n, beta = sp.symbols("n beta", positive=True)


def _swaps(size: int) -> list[list[int]]:
    """Return the swaps of neighbours, which generate all permutations."""
    return [[*range(i), i + 1, i, *range(i + 2, size)] for i in range(size - 1)]


def _h0(size: int) -> Any:
    """Return M⁻¹ of the re-weighted H⁰ metric (1, β, 0), in closed form."""
    return sp.Matrix(
        size, size, lambda i, j: sp.Rational(1, size) + inverse.h0_entry(int(i == j), size, beta)
    )


def _sobolev(size: int) -> Any:
    """Return M⁻¹ of the channel-directed Sobolev metric with c = 1, natural ends."""
    return sp.Matrix(
        size,
        size,
        lambda i, j: sp.Rational(1, size) + inverse.path_entry(min(i, j), max(i, j), size),
    )


def _relabelled(smoother: Callable[[int], Any] = _h0) -> bool:
    r"""Take a step of both layers, then swap two channels; and the other way about.

    The loss is :math:`\ell(\sum_iV_i\varphi(W_ix))` with arbitrary functions ℓ (of two outputs) and
    φ, on three hidden channels with two inputs. Both ways must end at the same weights.
    """
    size, tau = 3, sp.Symbol("tau")
    W = sp.Matrix(size, 2, sp.symbols("w:6"))
    V = sp.Matrix(2, size, sp.symbols("v:6"))
    x = sp.Matrix(sp.symbols("x:2"))
    outputs = V * (W * x).applyfunc(sp.Function("phi"))
    loss = sp.Function("loss")(*outputs)
    # By the hidden layer's weights, smoothed; by the reading layer's, plain.
    gradients = [sp.Matrix(*X.shape, [loss.diff(entry) for entry in X]) for X in (W, V)]
    stepped = W - tau * smoother(size) * gradients[0], V - tau * gradients[1]
    for order in _swaps(size):
        swapped = W.extract(order, [0, 1]), V.extract([0, 1], order)
        entries = dict(zip([*W, *V], [*swapped[0], *swapped[1]], strict=True))
        first_swapped = [X.xreplace(entries) for X in stepped]
        then_swapped = stepped[0].extract(order, [0, 1]), stepped[1].extract([0, 1], order)
        for one, other in zip(first_swapped, then_swapped, strict=True):
            if (one - other).expand() != sp.zeros(*one.shape):
                return False
    return True


def _commutant(
    group: Callable[[int], Iterable[tuple[int, ...]]] = lambda n: permutations(range(n)),
) -> bool:
    r"""Check that two entries (i,j), (k,m) are equal wherever i = j and k = m, or neither.

    :math:`A\Pi=\Pi A` says :math:`A_{\pi(i)\pi(j)}=A_{ij}`: entries are equal along orbits of index
    pairs. Two pairs have at most four indices, and a permutation of these extends to all n by
    leaving the rest where they are: n = 4 decides every larger n.
    """
    for size in (1, 2, 3, 4):
        moves = list(group(size))
        pairs = list(product(range(size), repeat=2))
        for i, j in pairs:
            orbit = {(move[i], move[j]) for move in moves}
            if orbit != {(k, m) for k, m in pairs if (k == m) == (i == j)}:
                return False
    # Equal on the diagonal and equal off it: a combination of P and I − P.
    a, b = sp.symbols("a b")
    on, off = a / n + b * (1 - 1 / n), a / n - b / n
    return vanish([on - off - b, on + (n - 1) * off - a])


def _best_is_h0(strength: Any = s0 * (s1 + nu1) / (s1 * (s0 + nu0))) -> bool:
    r"""Complete the square, for matrices that do not commute; then put in those that do.

    With C = S + N, :math:`(K-I)S(K-I)^T+KNK^T=(K-SC^{-1})C(K-SC^{-1})^T+S-SC^{-1}S`: no direction
    in which another smoother is better. D is what K differs by.
    """
    S, C, Ci, D, Dt = sp.symbols("S C Ci D Dt", commutative=False)
    K, Kt = D + S * Ci, Dt + Ci * S
    error = sp.expand((K - 1) * S * (Kt - 1) + K * (C - S) * Kt)
    least = S - S * Ci * S
    if sp.expand(error.subs(C * Ci, 1).subs(Ci * C, 1) - D * C * Dt - least) != 0:
        return False
    # S = s₀P + s₁Q and C commute, and PQ = 0: the factors are those of each part by itself.
    mean, rest = mode_factor(s0, nu0), mode_factor(s1, nu1)
    for equal in (0, 1):
        smoother = mean / n + rest * (equal - 1 / n)
        h0 = 1 / n + inverse.h0_entry(equal, n, strength)
        if not is_zero(smoother - mean * h0):
            return False
    # With the mean left as it is, it is theorem 8's λ* = 1 + V/F.
    return is_zero(best_h0((n - 1) * s1, (n - 1) * nu1) - 1 / rest)


def _price(weight: Any = s1 + nu1) -> bool:
    r"""Add up the errors of n − 1 modes and take off those of their average factor κ̄.

    :math:`T=\sum\kappa_m` and :math:`Q=\sum\kappa_m^2`, so that
    :math:`\sum(\kappa_m-\bar\kappa)^2=Q-T^2/(n-1)`.
    """
    kappa, T, Q = sp.symbols("kappa T Q")
    square, linear, constant = sp.Poly(mode_risk(kappa, s1, nu1), kappa).all_coeffs()
    error = (n - 1) * constant + linear * T + square * Q
    alike = (n - 1) * mode_risk(T / (n - 1), s1, nu1)
    return is_zero(error - alike - weight * (Q - T**2 / (n - 1)))


def _fractions(path: Any = 5 * (n + 1) / (2 * n**2 + 7), cycle: Any = None) -> bool:
    r"""Find the best scale t of the factors :math:`1/\ell_m`, and what it gains over dropping all.

    :math:`\sum1/\ell_m` is the trace of :math:`L^+`, :math:`\sum1/\ell_m^2` that of its square.
    """
    i, t = sp.Symbol("i", integer=True, nonnegative=True), sp.Symbol("t")
    ends = {
        "path": (inverse.path_entry(i, i, n), noise.path_sobolev_trace(n), path),
        "cycle": (
            inverse.cycle_entry(sp.Integer(0), n),
            noise.cycle_sobolev_trace(n),
            5 * (n + 1) / (n**2 + 11) if cycle is None else cycle,
        ),
    }
    square, linear, _ = sp.Poly(mode_risk(t, s1, nu1), t).all_coeffs()

    def gain(total: Any, squares: Any) -> Any:
        # Of −(linear · tT + square · t²Q), greatest where its slope is 0.
        risen = -(linear * t * total + square * t**2 * squares)
        (best,) = sp.solve(sp.diff(risen, t), t)
        return risen.subs(t, best)

    for diagonal, squares, claimed in ends.values():
        total = sp.summation(sp.expand(diagonal), (i, 0, n - 1))
        if not is_zero(gain(total, squares) / gain(n - 1, n - 1) - claimed):
            return False
    return True


def _columns(
    factor: Callable[[Any, Any], Any] = lambda S, N: mode_factor(S.trace(), N.trace()),
) -> bool:
    r"""Check the form with columns, and the best smoothers, on drawn second moments.

    ``factor`` says what a smoother :math:`K\otimes I` keeps, from the columns' second moments.
    """
    rng = random.Random(14)
    for size, width in ((2, 2), (3, 2), (2, 3)):
        P = sp.ones(size, size) / size
        Q, unit = sp.eye(size) - P, sp.eye(width)
        parts = [[draw_spd(rng, width).matrix for _ in range(2)] for _ in (P, Q)]
        S, N = (
            sp.kronecker_product(P, parts[0][k]) + sp.kronecker_product(Q, parts[1][k])
            for k in (0, 1)
        )
        for order in _swaps(size):
            swap = sp.kronecker_product(sp.eye(size).extract(order, range(size)), unit)
            if swap * S != S * swap:
                return False

        def error(K: Any, S: Any = S, N: Any = N) -> Any:
            return ((K - sp.eye(K.rows)) * S * (K - sp.eye(K.rows)).T + K * N * K.T).trace()

        # Of all: each part by itself, mixing columns.
        mixing = [A * (A + B).inv() for A, B in parts]
        best = sp.kronecker_product(P, mixing[0]) + sp.kronecker_product(Q, mixing[1])
        if best * (S + N) != S:
            return False
        # Of those that treat every column alike: the square is completed around H⁰.
        mean, rest = (factor(A, B) for A, B in parts)
        h0 = mean * P + rest * Q
        total = sum((parts[0][k].trace() * P + parts[1][k].trace() * Q for k in (0, 1)), 0 * P)
        least = error(sp.kronecker_product(h0, unit))
        for _ in range(3):
            K = draw_matrix(rng, size, size) / 4
            above = ((K - h0) * total * (K - h0).T).trace()
            if error(sp.kronecker_product(K, unit)) != least + above:
                return False
        if error(best) >= least:
            return False
    return True


def _cross_entropy(z: Any) -> Any:
    """Return the loss of the logits z against arbitrary probabilities, which add up to 1."""
    p = [*sp.symbols("p1:3"), 1 - sum(sp.symbols("p1:3"))]
    total = sum(map(sp.exp, z))
    return -sum(p[i] * sp.log(sp.exp(z[i]) / total) for i in range(3))


def _one_against_rest(z: Any) -> Any:
    """Return the sum of the classes' own logistic losses."""
    p = sp.symbols("p1:4")
    return sum(sp.log(1 + sp.exp(z[i])) - p[i] * z[i] for i in range(3))


def _softmax(loss: Callable[[Any], Any] = _cross_entropy) -> bool:
    r"""Differentiate by the logits: the mean over classes is 0, and H⁰ divides by β."""
    z, powers = sp.symbols("z1:4", real=True), sp.symbols("e1:4", positive=True)
    exponentials = dict(zip(map(sp.exp, z), powers, strict=True))
    gradient = sp.Matrix([sp.diff(loss(z), logit).subs(exponentials) for logit in z])
    return is_zero(sum(gradient)) and vanish(_h0(3) * gradient - gradient / beta)


THEOREMS = (
    Theorem(
        id="T14.commutant",
        title="what commutes with every permutation",
        statement="A matrix that commutes with every permutation of n channels is aP + b(I − P): "
        "one number on the diagonal, one off it. So are second moments of exchangeable channels.",
        tex=r"A\,\Pi=\Pi A\ \text{for all}\ \Pi\iff A=aP+b(I-P)",
        scope="every n: two index pairs have at most four indices, so n = 4 decides all larger n; "
        "n = 1, 2, 3 directly",
        kind="symbolic",
        check=_commutant,
        variant=partial(
            _commutant,
            group=lambda n: [tuple((i + k) % n for i in range(n)) for k in range(n)],
        ),
        perturbed="Commuting with the rotations is enough.",
        page=PAGE,
        formal=("T14_commutant",),
    ),
    Theorem(
        id="T14.relabelling",
        title="training does not give hidden channels an order",
        statement="Swapping two hidden channels, in their own layer and in the one that reads "
        "them, and taking a step are the same in either order: with the ordinary gradient and in "
        "every re-weighted H⁰ metric. Channels that start exchangeable stay so.",
        tex=r"w^+(\Pi w)=\Pi\,w^+(w)",
        scope="three channels, two inputs, two outputs, arbitrary activation and loss; "
        "the pair of channels swapped is all that the argument uses",
        kind="symbolic",
        check=_relabelled,
        variant=partial(_relabelled, smoother=_sobolev),
        perturbed="The same of the channel-directed Sobolev metric.",
        page=PAGE,
    ),
    Theorem(
        id="T14.best-is-h0",
        title="the best smoother of exchangeable channels is H⁰",
        statement=(
            "Let signal and noise have the second moments s₀ and ν₀ in the mean, and s₁ and "
            "ν₁ in every other mode. Then the best linear smoother is s₀/(s₀+ν₀) times the "
            "re-weighted H⁰ gradient with λ* = s₀(s₁+ν₁)/(s₁(s₀+ν₀)). If the mean is to be "
            "kept as it is, λ* = 1 + ν₁/s₁."
        ),
        tex=r"S(S+N)^{-1}=\tfrac{s_0}{s_0+\nu_0}\bigl(P+\tfrac1{\lambda^*}(I-P)\bigr),\quad"
        r"\lambda^*=\frac{s_0(s_1+\nu_1)}{s_1(s_0+\nu_0)}",
        scope="every n, all s, ν > 0, signal and noise uncorrelated; among all linear smoothers, "
        "symmetric or not, and in every direction at once",
        kind="symbolic",
        check=_best_is_h0,
        variant=partial(_best_is_h0, strength=(s1 + nu1) / s1),
        perturbed="λ* = 1 + ν₁/s₁ where the learning rate shrinks the mean as well.",
        page=PAGE,
    ),
    Theorem(
        id="T14.price",
        title="the price of an order",
        statement=(
            "On exchangeable channels a smoother with factors κ_m that differ from mode to "
            "mode has a squared error larger by (s₁+ν₁) Σ(κ_m − κ̄)² than H⁰ with their "
            "average κ̄; s₁ and ν₁ are the second moments of signal and noise in a mode."
        ),
        tex=r"R(\kappa)-R(\bar\kappa)=(s_1+\nu_1)\sum_{m\ge1}(\kappa_m-\bar\kappa)^2",
        scope="every n ≥ 2, all factors on the modes m ≥ 1; the mean treated alike",
        kind="symbolic",
        check=_price,
        variant=partial(_price, weight=nu1),
        perturbed="The error is larger by the noise's part only, ν₁ Σ(κ_m − κ̄)².",
        page=PAGE,
        formal=("T14_price",),
    ),
    Theorem(
        id="T14.fractions",
        title="what pure Sobolev keeps of the gain",
        statement="On exchangeable channels, each at its own best scale, the channel-directed "
        "Sobolev metric keeps the fraction 5(n+1)/(2n²+7) (natural) or 5(n+1)/(n²+11) (periodic) "
        "of what H⁰ gains over dropping the fluctuation.",
        tex=r"\frac{(\operatorname{tr}L^+)^2}{(n-1)\operatorname{tr}((L^+)^2)}"
        r"=\frac{5(n+1)}{2n^2+7},\quad\frac{5(n+1)}{n^2+11}",
        scope="every n ≥ 2, β = 0, both boundaries, all s₁, ν₁ > 0",
        kind="symbolic",
        check=_fractions,
        variant=partial(_fractions, cycle=5 * (n + 1) / (2 * n**2 + 7)),
        perturbed="The path's fraction on the cycle too.",
        page=PAGE,
    ),
    Theorem(
        id="T14.softmax",
        title="on a softmax head H⁰ is a learning rate",
        statement="The gradient of cross-entropy by the logits has the mean 0 over the classes, "
        "so a re-weighted H⁰ metric only divides it by λ. Its mean has neither signal nor noise, "
        "and the ratio λ* of exchangeable channels is 0/0.",
        tex=r"\mathbf 1^T(p(z)-y)=0\ \Rightarrow\ M^{-1}g=\tfrac1\lambda g",
        scope="three classes, all logits and all target probabilities, symbolic",
        kind="symbolic",
        check=_softmax,
        variant=partial(_softmax, loss=_one_against_rest),
        perturbed="The same of one logistic loss for each class.",
        page=PAGE,
    ),
    Theorem(
        id="T14.columns",
        title="several columns",
        statement="With correlated columns second moments are P⊗A + (I − P)⊗B. The best smoother "
        "of all mixes columns; of those that treat every column alike the best is H⁰, with the "
        "columns' second moments added up.",
        tex=r"S=P\otimes A+(I-P)\otimes B,\qquad "
        r"\kappa_1=\frac{\operatorname{tr}B_s}{\operatorname{tr}B_s+\operatorname{tr}B_\nu}",
        scope="drawn second moments, two and three channels and columns, rational; the form for "
        "every n by theorem 14 applied to every pair of columns",
        kind="exact",
        check=_columns,
        variant=partial(
            _columns,
            factor=lambda S, N: sum(mode_factor(S[c, c], N[c, c]) / S.rows for c in range(S.rows)),
        ),
        perturbed="With the average of the columns' best factors.",
        page=PAGE,
    ),
)
