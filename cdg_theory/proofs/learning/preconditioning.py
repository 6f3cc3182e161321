r"""Theorem 9: descent in the metric is plain descent in the coordinates :math:`w=M^{-1/2}v`.

Matrices are symbols that do not commute, R stands for :math:`M^{-1/2}`, so that
:math:`M^{-1}=R^2`; the gradient by v of :math:`L(Rv)` is :math:`Rg` (R is symmetric). Each claim is
the step of an induction: if the two states correspond before a step, they do after it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sympy as sp

from cdg_theory.continuum import InnerProduct, integral, o, polynomial, riemannian_gradient, s
from cdg_theory.continuum.functions import vanishes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary
from cdg_theory.proofs.tools.kernels import kernels_of

PAGE = "theory/descent.md"
R, g, v, u = sp.symbols("R g v u", commutative=False)
tau, rho, damping, decay = sp.symbols("tau rho d omega", positive=True)


def _zero(*expressions: Any) -> bool:
    return all(sp.expand(expression) == 0 for expression in expressions)


def _chain_rule() -> bool:
    """Check that the gradient by v of L(Rv) is R∇L, on an arbitrary function of two variables."""
    a, b, c, v1, v2, w1, w2 = sp.symbols("a b c v1 v2 w1 w2")
    loss = sp.Function("L")
    point = {w1: a * v1 + b * v2, w2: b * v1 + c * v2}
    outer = sp.Matrix([loss(w1, w2).diff(w) for w in (w1, w2)]).subs(point).doit()
    inner = sp.Matrix([loss(*point.values()).diff(x) for x in (v1, v2)]).doit()
    difference = inner - sp.Matrix([[a, b], [b, c]]) * outer
    return all(sp.simplify(entry) == 0 for entry in difference)


def _momentum(back: Any = R) -> bool:
    r"""Take one step of SGD on either side, w = back·v; states are position and buffer."""
    w, buffer = back * v, back * u
    # In v: buffer u, gradient Rg. In w: buffer, gradient k = M⁻¹g = RRg.
    new_u, new_buffer = rho * u + (1 - damping) * R * g, rho * buffer + (1 - damping) * R * R * g
    heavy_v, heavy_w = v - tau * new_u, w - tau * new_buffer
    nesterov_v = v - tau * (R * g + rho * new_u)
    nesterov_w = w - tau * (R * R * g + rho * new_buffer)
    plain_v, plain_w = v - tau * R * g, w - tau * R * R * g
    return _chain_rule() and _zero(
        back * new_u - new_buffer,
        back * heavy_v - heavy_w,
        back * nesterov_v - nesterov_w,
        back * plain_v - plain_w,
    )


def _weight_decay(entering: Any = R * v) -> bool:
    r"""Compare coupled decay, added after the transform, with a penalty's gradient.

    The penalty :math:`\frac\omega2\langle w,w\rangle=\frac\omega2|v|^2` has the gradient
    :math:`\omega v` by v and, in the metric, :math:`\omega w` by w: it enters *untransformed*. The
    ordinary penalty :math:`\frac\omega2|w|^2` would enter as :math:`\omega M^{-1}w`.
    """
    w = R * v
    in_v = v - tau * (R * g + decay * v)
    in_w = w - tau * (R * R * g + decay * entering)
    return _zero(R * in_v - in_w)


def _not_adam(ratio: Any) -> bool:
    r"""Take Adam's first step, along the sign of the gradient, on either side, exactly.

    Re-weighted H⁰ with λ = 4, two channels: R = P + (I − P)/2. The steps have the given ratio.
    """
    root = sp.Matrix([[3, 1], [1, 3]]) / 4
    gradient = sp.Matrix([1, -1])
    in_v = root * (root * gradient).applyfunc(sp.sign)
    in_w = (root * root * gradient).applyfunc(sp.sign)
    return bool(in_v == ratio * in_w)


def _self_adjoint(swap: dict[Any, Any]) -> bool:
    r"""Check :math:`G(o,s)=G(s,o)`, and :math:`\langle Ku,v\rangle=\int uv=\langle u,Kv\rangle`.

    K takes an ordinary gradient to the Riemannian one.
    """
    boundaries: tuple[Boundary, ...] = ("natural", "periodic")
    for boundary in boundaries:
        for _, kernel in kernels_of(boundary):
            if not vanishes(kernel.right.xreplace(swap) - kernel.left):
                return False
    inner = InnerProduct.sobolev(sp.Symbol("lambda", positive=True))
    one, other = polynomial(2, "u"), polynomial(2, "v")
    k_one, k_other = (riemannian_gradient(g, inner) for g in (one, other))
    return all(
        map(
            vanishes,
            [
                integral(k_one * other) - integral(one * k_other),
                inner(k_one, other) - integral(one * other),
                inner(k_one, other) - inner(one, k_other),
            ],
        )
    )


THEOREMS = (
    Theorem(
        id="T9.coordinates",
        title="plain descent in other coordinates",
        statement="SGD with the Riemannian gradient, plain, with momentum, dampening or Nesterov's "
        "look-ahead, is SGD with the ordinary gradient of v ↦ L(M^{-1/2}v), step for step.",
        tex=r"w=M^{-1/2}v:\quad v^+=v-\tau\nabla_v\ \Rightarrow\ w^+=w-\tau M^{-1}g",
        scope="every SPD M that does not change, every differentiable loss; SGD",
        kind="symbolic",
        check=_momentum,
        variant=partial(_momentum, back=R * R),
        perturbed="The same with w = M⁻¹v.",
        page=PAGE,
    ),
    Theorem(
        id="T9.weight-decay",
        title="coupled weight decay is a penalty in the metric",
        statement="Decay that is added to the Riemannian gradient untransformed, as the base "
        "optimizer does, is the gradient of the penalty (ω/2)⟨w,w⟩.",
        tex=r"w^+=w-\tau(M^{-1}g+\omega w)=w-\tau\operatorname{grad}"
        r"\bigl(L+\tfrac\omega2\langle w,w\rangle\bigr)",
        scope="every SPD M, SGD",
        kind="symbolic",
        check=_weight_decay,
        variant=partial(_weight_decay, entering=R * R * R * v),
        perturbed="The same of the ordinary penalty (ω/2)|w|².",
        page=PAGE,
    ),
    Theorem(
        id="T9.not-adam",
        title="Adam does not see the coordinates",
        statement="Adam in the coordinates v and Adam on the Riemannian gradient take different "
        "first steps already.",
        tex=r"M^{-1/2}\operatorname{sign}(M^{-1/2}g)\ne\operatorname{sign}(M^{-1}g)",
        scope="a counter-example with exact numbers",
        kind="exact",
        check=partial(_not_adam, sp.Rational(1, 2)),
        variant=partial(_not_adam, 1),
        perturbed="The two steps are equal.",
        page=PAGE,
    ),
    Theorem(
        id="T9.self-adjoint",
        title="smoothing is self-adjoint, in both inner products",
        statement="The operator K that takes ordinary to Riemannian gradients is symmetric in the "
        "ordinary product and in the metric's own.",
        tex=r"\int(Ku)v=\int u\,Kv,\qquad\langle Ku,v\rangle=\langle u,Kv\rangle=\int uv",
        scope="kernels of all members with γ > 0, both boundaries",
        kind="symbolic",
        check=partial(_self_adjoint, {o: s, s: o}),
        variant=partial(_self_adjoint, {o: 1 - o, s: s}),
        perturbed="The kernel is symmetric under reversing one of its arguments.",
        page=PAGE,
    ),
)
