r"""Theorems 1, 5, 9 for functions that users call: sums of metrics, exact solves, powers."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.discrete.operators import inner_product
from cdg_theory.discrete.spectrum import gram_power
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.proofs.tools.rational_members import CURVED, MEMBERS, U, gram_of

SIZES = (1, 2, 3, 7, 12)
CASES = *product(MEMBERS, SIZES), *product(CURVED, SIZES[:4])
SCOPE = (
    f"44 members of every kind, both boundaries and spacings, n in {set(SIZES)}, up to 7 with a "
    "curvature"
)


def _close(a: Any, b: Any, size: Any) -> bool:
    # Products of some matrices whose sums have n terms: a few n roundings of what they are made of.
    return bool(np.abs(a - b).max() <= 64 * max(SIZES) * U * size)


def _columns(rng: random.Random, n: int, entry: Callable[[int], Any]) -> Any:
    return np.array([[entry(rng.randint(-99, 99)) for _ in range(2)] for _ in range(n)])


def _cone(factor: Callable[[Any], Any] = lambda x: x) -> bool:
    """Compare the Gram matrix of a combination with that of its parts, in rational numbers."""
    # Without the last four, whose weights a sum would round.
    for one, other in product(MEMBERS + CURVED[:-4], repeat=2):
        both = one.derivative_order and other.derivative_order
        if both and (one.boundary, one.spacing) != (other.boundary, other.spacing):
            continue
        for n in SIZES[:3]:
            parts = factor(2) * gram_of(one, n) + gram_of(other, n) / 4
            if (gram_of(2 * one + other * 0.25, n) != parts).any():
                return False
    return True


def _exact_solves(solve: Callable[..., Any] = riemannian_gradient) -> bool:
    """Multiply the exact gradient by the Gram matrix, in fractions and with symbols."""
    draw, t = random.Random(5), sp.Symbol("t")
    for metric, n in CASES:
        gram = gram_of(metric, n)
        g = _columns(draw, n, lambda x: Fraction(x, 7))
        if (gram @ solve(g, metric) != g).any():
            return False
        if n > 3 - bool(metric.curvature):
            continue  # symbols are slow
        symbolic = g + _columns(draw, n, lambda x: x * t)
        rest = sp.Matrix(gram) * sp.Matrix(solve(symbolic, metric)) - sp.Matrix(symbolic)
        if rest.expand() != sp.zeros(n, 2):
            return False
    return True


def _powers(total: Callable[[float, float], float] = lambda p, q: p + q) -> bool:
    """Check M¹ = M, M^p M^q = M^{p+q}, and that M^p is symmetric."""
    for metric, n in CASES:
        powers = {p: gram_power(metric, n, p) for p in (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5)}
        norms = {p: np.linalg.norm(power) for p, power in powers.items()}
        if not _close(powers[1.0], gram_of(metric, n).astype(float), norms[1.0]):
            return False
        if not all(_close(power, power.T, norms[p]) for p, power in powers.items()):
            return False
        for p, q in ((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, 1.0), (1.0, -1.0)):
            expected = gram_power(metric, n, total(p, q))
            if not _close(powers[p] @ powers[q], expected, norms[p] * norms[q]):
                return False
    return True


def _gradient_of(form: Callable[..., float] = inner_product) -> bool:
    """Check ⟨k,h⟩ = Σgh for k = M⁻¹g and every unit vector h, and that the product is symmetric."""
    draw = random.Random(9)
    for metric, n in CASES:
        g = _columns(draw, n, float)
        k = riemannian_gradient(g, metric)
        size = np.linalg.norm(gram_of(metric, n).astype(float)) * np.linalg.norm(k)
        for h in np.eye(2 * n).reshape(-1, n, 2):
            value = form(k, h, metric)
            if not _close(value, np.vdot(g, h), size) or not _close(
                value, form(h, k, metric), size
            ):
                return False
    return True


def _euclidean(h: Any, k: Any, _: Metric) -> float:
    return float(np.vdot(h, k))


THEOREMS = (
    Theorem(
        id="T1.cone",
        title="Metrics add and scale",
        statement="The Gram matrix of a combination of metrics, with factors > 0, is the "
        "combination of their Gram matrices.",
        tex=r"M_{a\,m_1+b\,m_2}=a\,M_{m_1}+b\,M_{m_2}",
        scope="all pairs that can be added out of 40 members of every kind, n in {1, 2, 3}",
        kind="exact",
        check=_cone,
        variant=partial(_cone, lambda x: x * x),
        perturbed="The same with a².",
        page="theory/metric-family.md",
    ),
    Theorem(
        id="T5.exact-arrays",
        title="Exact solves",
        statement="On arrays of fractions or of symbolic expressions the public function returns "
        "the exact gradient: M times it is g.",
        tex=r"M\,(M^{-1}g)=g",
        scope=f"{SCOPE}; drawn g, with entries in ℚ[t] up to n = 3, with a curvature up to n = 2",
        kind="exact",
        check=_exact_solves,
        variant=partial(_exact_solves, lambda g, _: g),
        perturbed="The same of the ordinary gradient.",
        page="theory/linear-time.md",
    ),
    Theorem(
        id="T9.powers",
        title="Powers of the Gram matrix",
        statement="The matrices that gram_power returns are symmetric powers: they multiply by "
        "adding exponents, and the first is M.",
        tex=r"M^pM^q=M^{p+q},\qquad M^1=M",
        scope=f"{SCOPE}; p from −1 to 3/2",
        kind="numeric",
        check=_powers,
        variant=partial(_powers, lambda p, q: p * q),
        perturbed="The same with the product of the exponents.",
        page="theory/descent.md",
    ),
    Theorem(
        id="T9.inner-product",
        title="The gradient in the discrete inner product",
        statement="In the inner product that the library computes, M⁻¹g is the gradient: its "
        "product with every h is Σgh.",
        tex=r"\langle M^{-1}g,h\rangle_M=\sum gh\quad\text{for all }h",
        scope=f"{SCOPE}; drawn g, every unit vector h",
        kind="numeric",
        check=_gradient_of,
        variant=partial(_gradient_of, _euclidean),
        perturbed="The same in the Euclidean product.",
        page="theory/descent.md",
    ),
)
