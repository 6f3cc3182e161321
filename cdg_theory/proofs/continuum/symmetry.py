r"""Theorem 3: what the gradient keeps and which relabellings of the channels it commutes with.

A relabelling :math:`\phi` of [0, 1] that keeps lengths commutes with a gradient if and only if
:math:`G(\phi(o),\phi(s))=G(o,s)`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum import (
    InnerProduct,
    generic,
    green_function,
    integral,
    mean,
    o,
    riemannian_gradient,
    s,
    weak_residual,
)
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.proofs.tools.kernels import curved_members, kernels_of

if TYPE_CHECKING:
    from cdg_theory.continuum import GreenFunction
    from cdg_theory.metric import Boundary

PAGE = "theory/spectra-and-limits.md"
alpha, beta, gamma, lam = sp.symbols("alpha beta gamma lambda", positive=True)
shift = sp.Symbol("c", positive=True)


def _mean(weight: Any = alpha) -> bool:
    """Test the weak form of arbitrary g and k with h = 1."""
    g, k = generic("g"), generic("k")
    inner = InnerProduct(alpha, beta, gamma, curvature=sp.Symbol("delta", positive=True))
    return sp.expand(weak_residual(inner, k, g, sp.Integer(1)) - weight * mean(k) + mean(g)) == 0


def _h0_rearrangements(of_mean: Any = 1 - 1 / lam) -> bool:
    r"""Check that cutting the channels at c and exchanging the two parts keeps the mean.

    The H⁰ gradient is :math:`g/\lambda` plus ``of_mean`` times :math:`\bar g` at every point, so it
    commutes with all that keeps means; every permutation of n blocks is made of such exchanges. A
    Sobolev gradient is no such combination.
    """
    g = generic("g")
    degree = sp.Symbol("p", positive=True, integer=True)
    moved = integral((o + shift) ** degree, 0, 1 - shift)
    moved += integral((o + shift - 1) ** degree, 1 - shift)
    h0 = riemannian_gradient(g, InnerProduct.reweighted_h0(lam)) - g / lam - of_mean * mean(g)
    sobolev = riemannian_gradient(o**2, InnerProduct.sobolev(lam)) - o**2 / lam
    kept = sp.simplify(moved - integral(o**degree)) == 0
    return kept and vanishes(h0) and o in sp.expand(sobolev).free_symbols


def _kernels(boundary: Boundary) -> list[GreenFunction]:
    """Return the kernels of members of first and of second order."""
    curved = curved_members(boundary)
    first = [kernel for _, kernel in kernels_of(boundary)]
    return first + [green_function(curved[name]) for name in ("biharmonic", "different")]


def _reversal(relabelled: Any = 1 - o) -> bool:
    """Check that a relabelling leaves the natural kernel as it is, and that a shift does not."""

    def unchanged(kernel: GreenFunction, to: Any) -> bool:
        # Where channels keep their order the left half stays left.
        piece = kernel.left if to.diff(o) > 0 else kernel.right
        return vanishes(piece.subs({o: to, s: to.subs(o, s)}, simultaneous=True) - kernel.left)

    return all(
        unchanged(kernel, relabelled) and not unchanged(kernel, o + shift)
        for kernel in _kernels("natural")
    )


def _circle(boundary: Boundary = "periodic") -> bool:
    """Check rotations, those that carry one of the channels past the end too, and reflections."""

    def moved(piece: Any, o_by: Any, s_by: Any) -> Any:
        return piece.subs({o: o + o_by, s: s + s_by}, simultaneous=True)

    for kernel in _kernels(boundary):
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
        "mean of the ordinary gradient, whatever β, γ, δ and the boundary.",
        tex=r"\langle k,1\rangle=\alpha\bar k=\bar g",
        scope="all g, all weights, both boundaries",
        kind="symbolic",
        check=_mean,
        variant=partial(_mean, weight=beta),
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
        check=_h0_rearrangements,
        variant=partial(_h0_rearrangements, of_mean=1),
        perturbed="It is g/λ + ḡ.",
        page=PAGE,
    ),
    Theorem(
        id="T3.reversal",
        title="natural Sobolev commutes with the reversal",
        statement="G(1−o,1−s) = G(o,s), and no shift has this property.",
        tex=r"G(1-o,1-s)=G(o,s)",
        scope="β ≥ 0, γ > 0, natural; with a curvature, roots (0, 0) and (2μ, μ)",
        kind="symbolic",
        check=_reversal,
        variant=partial(_reversal, relabelled=o + shift),
        perturbed="The same of shifts.",
        page=PAGE,
    ),
    Theorem(
        id="T3.circle",
        title="periodic Sobolev commutes with rotations and reflections",
        statement="G depends on the distance round the circle only.",
        tex=r"G(o+c,s+c)=G(o+c,s+c-1)=G(1-o,1-s)=G(o,s)",
        scope="β ≥ 0, γ > 0, periodic, every rotation; with a curvature, roots (0, 0) and (2μ, μ)",
        kind="symbolic",
        check=_circle,
        variant=partial(_circle, boundary="natural"),
        perturbed="The same of the natural kernel.",
        page=PAGE,
    ),
)
