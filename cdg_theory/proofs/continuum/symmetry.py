r"""Theorem 3: what the gradient keeps and which relabellings of the channels it commutes with.

A relabelling :math:`\phi` of [0, 1] that keeps lengths commutes with a gradient if and only if
:math:`G(\phi(o),\phi(s))=G(o,s)`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sympy as sp

from cdg_theory.continuum import (
    InnerProduct,
    generic,
    integral,
    mean,
    o,
    riemannian_gradient,
    s,
    weak_residual,
)
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.continuum.greens import kernels_of

PAGE = "theory/spectra-and-limits.md"


def _mean(perturbed: bool) -> bool:
    """Test the weak form of arbitrary g and k with h = 1."""
    alpha, beta, gamma = sp.symbols("alpha beta gamma", positive=True)
    g, k = generic("g"), generic("k")
    inner = InnerProduct(alpha, beta, gamma)
    weight = beta if perturbed else alpha
    return sp.expand(weak_residual(inner, k, g, sp.Integer(1)) - weight * mean(k) + mean(g)) == 0


def _h0_rearrangements(perturbed: bool) -> bool:
    r"""Check that cutting the channels at c and exchanging the two parts keeps the mean.

    The H⁰ gradient is :math:`g/\lambda` plus a multiple of :math:`\bar g`, point by point, so it
    commutes with all that keeps means; every permutation of n blocks is made of such exchanges.
    """
    cut, lam = sp.Symbol("c", positive=True), sp.Symbol("lambda", positive=True)
    degree = sp.Symbol("p", positive=True, integer=True)
    moved = integral((o + cut) ** degree, 0, 1 - cut) + integral((o + cut - 1) ** degree, 1 - cut)
    g = generic("g")
    if perturbed:
        k = riemannian_gradient(o**2, InnerProduct.sobolev(lam))
    else:
        k = riemannian_gradient(g, InnerProduct.reweighted_h0(lam))
    # Apart from g itself and its mean, o must not occur in the gradient.
    return sp.simplify(moved - integral(o**degree)) == 0 and o not in (
        k.subs({mean(g): sp.Symbol("g_bar"), g: sp.Symbol("g")}).free_symbols
    )


def _reversal(perturbed: bool) -> bool:
    """Check G(1−o, 1−s) = G(o, s), and that a shift changes the natural kernel."""
    for _, kernel in kernels_of("natural"):
        reverse = {o: 1 - o, s: 1 - s}
        reversed_ = kernel.right.subs(reverse, simultaneous=True)
        shift = sp.Symbol("c", positive=True)
        shifted = kernel.left.subs({o: o + shift, s: s + shift}, simultaneous=True)
        same = vanishes(shifted - kernel.left) if perturbed else vanishes(reversed_ - kernel.left)
        if not same or (not perturbed and vanishes(shifted - kernel.left)):
            return False
    return True


def _circle(perturbed: bool) -> bool:
    """Check rotations, those that carry one of the channels past the end too, and reflections."""
    shift = sp.Symbol("c", positive=True)

    def moved(piece: Any, o_by: Any, s_by: Any) -> Any:
        return piece.subs({o: o + o_by, s: s + s_by}, simultaneous=True)

    for _, kernel in kernels_of("natural" if perturbed else "periodic"):
        left, right = kernel.left, kernel.right
        claims = [
            moved(left, shift, shift),  # neither passes the end
            moved(right, shift, shift - 1),  # s does, and comes out left of o
            right.subs({o: 1 - o, s: 1 - s}, simultaneous=True),
        ]
        if not all(vanishes(claim - left) for claim in claims):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T3.mean",
        title="the mean is kept",
        statement="Tested with h = 1 the weak form says αk̄ = ḡ: with α = 1 the gradient has the "
        "mean of the ordinary gradient, whatever β, γ and the boundary.",
        tex=r"\langle k,1\rangle=\alpha\bar k=\bar g",
        scope="all g, all weights, both boundaries",
        kind="symbolic",
        check=partial(_mean, False),
        variant=partial(_mean, True),
        perturbed="βk̄ = ḡ.",
        page="theory/weak-form.md",
    ),
    Theorem(
        id="T3.h0-rearrangements",
        title="re-weighted H⁰ does not see the order of channels",
        statement="The re-weighted H⁰ gradient is made of g at the same channel and of the mean; "
        "so it commutes with every exchange of parts of the channels, hence every permutation.",
        tex=r"(\operatorname{grad}L)\circ\phi=\tfrac1\lambda\,g\circ\phi"
        r"+(1-\tfrac1\lambda)\,\overline{g\circ\phi}",
        scope="all g; exchanges at every cut, on powers of every degree",
        kind="symbolic",
        check=partial(_h0_rearrangements, False),
        variant=partial(_h0_rearrangements, True),
        perturbed="The same of the channel-directed Sobolev gradient.",
        page=PAGE,
    ),
    Theorem(
        id="T3.reversal",
        title="natural Sobolev commutes with the reversal",
        statement="G(1−o,1−s) = G(o,s), and no shift has this property.",
        tex=r"G(1-o,1-s)=G(o,s)",
        scope="β ≥ 0, γ > 0, natural",
        kind="symbolic",
        check=partial(_reversal, False),
        variant=partial(_reversal, True),
        perturbed="The same of shifts.",
        page=PAGE,
    ),
    Theorem(
        id="T3.circle",
        title="periodic Sobolev commutes with rotations and reflections",
        statement="G depends on the distance round the circle only.",
        tex=r"G(o+c,s+c)=G(o+c,s+c-1)=G(1-o,1-s)=G(o,s)",
        scope="β ≥ 0, γ > 0, periodic, every rotation",
        kind="symbolic",
        check=partial(_circle, False),
        variant=partial(_circle, True),
        perturbed="The same of the natural kernel.",
        page=PAGE,
    ),
)
