r"""Theorems 5 and 9 about the reader's functions: exact solves, powers of M, the inner product.

Drawn weights lie between 1/8 and 99, and n is at most 12. The functions under test are exact, or
err by some n rounding units of the size of the numbers that are multiplied.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.discrete.operators import gram_matrix, inner_product
from cdg_theory.discrete.spectrum import gram_power
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.proofs.tools.exact_matrices import exact_gram


def _metrics(seed: int) -> Iterator[tuple[Metric, int]]:
    """Draw a metric for every n, boundary, spacing and pattern of zero weights."""
    draw = random.Random(seed)
    patterns = ((1, 0), (0, 1), (1, 1))
    for n, boundary, spacing in product(
        (1, 2, 3, 7, 12), ("natural", "periodic"), ("normalized", "unit")
    ):
        for beta, gamma in patterns:
            alpha, b, c = (draw.randint(1, 99) / draw.choice((1, 2, 4, 8)) for _ in "abc")
            yield Metric(alpha, beta * b, gamma * c, boundary=boundary, spacing=spacing), n


def _columns(rng: random.Random, n: int, entry: Callable[[int], Any]) -> Any:
    return np.array([[entry(rng.randint(-99, 99)) for _ in range(2)] for _ in range(n)])


def _exact_solves(solve: Callable[..., Any] = riemannian_gradient) -> bool:
    """Multiply the exact gradient by the Gram matrix, in fractions and with symbols."""
    draw = random.Random(5)
    t = sp.Symbol("t")
    for metric, n in _metrics(55):
        weights = map(Fraction, (metric.mean, metric.fluctuation, metric.stiffness(n)))
        gram = exact_gram(*weights, n, periodic=metric.boundary == "periodic")
        g = _columns(draw, n, lambda x: Fraction(x, 7))
        if (gram @ solve(g, metric) != g).any():
            return False
        symbolic = g + _columns(draw, n, lambda x: x * t)
        rest = sp.Matrix(gram) * sp.Matrix(solve(symbolic, metric)) - sp.Matrix(symbolic)
        if rest.expand() != sp.zeros(n, 2):
            return False
    return True


def _close(a: Any, b: Any, size: Any) -> bool:
    # Some ten operations with n terms each.
    return bool(np.abs(a - b).max() <= 64 * 12 * np.finfo(float).eps * size)


def _powers(exponents: Callable[[float, float], float] = lambda p, q: p + q) -> bool:
    """Check M¹ = M, M^p M^q = M^{p+q}, and that M^p is symmetric."""
    for metric, n in _metrics(99):
        gram = gram_matrix(metric, n)
        powers = {p: gram_power(metric, n, p) for p in (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5)}
        if not _close(powers[1.0], gram, np.linalg.norm(gram)):
            return False
        for p, q in ((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, 1.0), (1.0, -1.0)):
            size = np.linalg.norm(powers[p]) * np.linalg.norm(powers[q])
            if not _close(powers[p] @ powers[q], gram_power(metric, n, exponents(p, q)), size):
                return False
        if not all(_close(x, x.T, np.linalg.norm(x)) for x in powers.values()):
            return False
    return True


def _gradient_of(product_: Callable[..., float] = inner_product) -> bool:
    """Check ⟨k,h⟩ = Σgh for k = M⁻¹g and every unit vector h, and that the product is symmetric."""
    draw = random.Random(9)
    for metric, n in _metrics(999):
        g = _columns(draw, n, float)
        k, units = riemannian_gradient(g, metric), np.eye(2 * n).reshape(-1, n, 2)
        size = np.linalg.norm(g) * np.linalg.cond(gram_matrix(metric, n))
        for h in units:
            value = product_(k, h, metric)
            if not _close(value, np.vdot(g, h), size) or not _close(
                value, product_(h, k, metric), size
            ):
                return False
    return True


def _euclidean(h: Any, k: Any, metric: Metric) -> float:  # noqa: ARG001
    return float(np.vdot(h, k))


THEOREMS = (
    Theorem(
        id="T5.exact-arrays",
        title="Exact solves",
        statement="On arrays of fractions or of symbolic expressions the public function returns "
        "the exact gradient: M times it is g.",
        tex=r"M\,(M^{-1}g)=g",
        scope="drawn weights, n = 1, 2, 3, 7, 12, both boundaries and spacings; entries in ℚ[t]",
        kind="exact",
        check=_exact_solves,
        variant=partial(_exact_solves, lambda g, _: g),
        perturbed="The same of the ordinary gradient.",
        page="theory/discretization.md",
    ),
    Theorem(
        id="T9.powers",
        title="Powers of the Gram matrix",
        statement="The matrices that gram_power returns are symmetric powers: they multiply by "
        "adding exponents, and the first is M.",
        tex=r"M^pM^q=M^{p+q},\qquad M^1=M",
        scope="drawn weights, n = 1, 2, 3, 7, 12, both boundaries and spacings, to 64·12 ε of the "
        "factors' norms",
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
        scope="drawn weights and g, every unit vector h, n = 1, 2, 3, 7, 12, both boundaries and "
        "spacings, to 64·12 ε of |g| and the condition number",
        kind="numeric",
        check=_gradient_of,
        variant=partial(_gradient_of, _euclidean),
        perturbed="The same in the Euclidean product.",
        page="theory/descent.md",
    ),
)
