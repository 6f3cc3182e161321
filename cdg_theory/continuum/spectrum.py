r"""Modes, eigenvalues and smoothing factors.

A mode e with eigenvalue :math:`\Lambda` satisfies :math:`\langle e,h\rangle=\Lambda\int e\,h\,do`
for every h: the metric only rescales it, and its smoothing factor :math:`1/\Lambda` is what the
gradient keeps of it.

=========  ======================  ===================================
boundary   frequency ω             modes
=========  ======================  ===================================
natural    :math:`m\pi`            :math:`\cos m\pi o`
periodic   :math:`2m\pi`           :math:`\cos 2m\pi o,\ \sin 2m\pi o`
=========  ======================  ===================================

with the eigenvalue :math:`\beta+\gamma\omega^2+\delta\omega^4`, and 1 with :math:`\alpha`.

The frequencies come from the end conditions (:func:`end_determinant`), the eigenvalues from
applying the derived operator to the modes (:func:`eigenvalue`). A curvature has the same modes, as
its functions have the slopes of the first-order equation's. Theorems 2 and 18.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import sympy as sp

from cdg_theory.continuum.functions import mean, o
from cdg_theory.continuum.inner_product import InnerProduct
from cdg_theory.continuum.weak_form import strong_form

if TYPE_CHECKING:
    from cdg_theory.metric import Boundary

#: The number of a mode, 1, 2, 3, …
mode_number = sp.Symbol("m", integer=True, positive=True)


def end_determinant(boundary: Boundary, frequency: Any) -> Any:
    r"""Return the determinant of the end conditions on :math:`\cos\omega o,\ \sin\omega o`.

    A combination of the two satisfies the end conditions, without being 0, exactly where the
    determinant vanishes: these are the frequencies of the modes. With :math:`\omega=i\rho` the
    waves become exponentials, and the determinant shows that none of them is a mode.

    Examples
    --------
    >>> omega = sp.Symbol("omega", positive=True)
    >>> end_determinant("natural", omega)
    omega**2*sin(omega)
    >>> end_determinant("periodic", omega)
    -2*omega*(cos(omega) - 1)
    """
    form = strong_form(InnerProduct(sp.Integer(1), sp.Integer(0), sp.Integer(1), boundary))
    waves = (sp.cos(frequency * o), sp.sin(frequency * o))
    conditions = sp.Matrix([form.end_conditions(wave) for wave in waves]).T
    return sp.factor(sp.trigsimp(sp.expand(conditions.det())))


@cache
def first_frequency(boundary: Boundary) -> Any:
    r"""Return the smallest positive frequency: :math:`\pi` (natural) or :math:`2\pi` (periodic).

    It is the first positive zero of :func:`end_determinant`; the other frequencies are its
    multiples.

    Examples
    --------
    >>> first_frequency("natural"), first_frequency("periodic")
    (pi, 2*pi)
    """
    omega = sp.Symbol("omega", positive=True)
    zeros = sp.solveset(end_determinant(boundary, omega), omega, sp.Interval.Lopen(0, 2 * sp.pi))
    return min(zeros)


def modes(boundary: Boundary, m: Any = mode_number) -> tuple[Any, ...]:
    r"""Return the modes number ``m``: one cosine (natural), or a cosine and a sine (periodic).

    Examples
    --------
    >>> modes("periodic")
    (cos(2*pi*m*o), sin(2*pi*m*o))
    """
    wave = m * first_frequency(boundary) * o
    return (sp.cos(wave),) if boundary == "natural" else (sp.cos(wave), sp.sin(wave))


def eigenvalue(inner: InnerProduct, m: Any = mode_number) -> Any:
    r"""Return the eigenvalue of mode ``m``, by applying the operator to the mode; ``m`` may be 0.

    Examples
    --------
    >>> from cdg_theory.continuum import InnerProduct
    >>> alpha, beta, gamma = sp.symbols("alpha beta gamma")
    >>> eigenvalue(InnerProduct(alpha, beta, gamma))
    beta + pi**2*gamma*m**2
    >>> eigenvalue(InnerProduct(alpha, beta, gamma, "periodic"))
    beta + 4*pi**2*gamma*m**2
    >>> eigenvalue(InnerProduct.biharmonic(gamma))
    pi**4*gamma*m**4
    >>> eigenvalue(InnerProduct(alpha, beta, gamma), 0)
    alpha
    """
    mode = modes(inner.boundary, m)[0] if m != 0 else sp.Integer(1)
    return sp.expand(sp.simplify(strong_form(inner).apply(mode) / mode))


def smoothing_factor(inner: InnerProduct, m: Any = mode_number) -> Any:
    r"""Return what the gradient keeps of mode ``m``: 1 over its eigenvalue.

    Examples
    --------
    >>> from cdg_theory.continuum import InnerProduct
    >>> smoothing_factor(InnerProduct.sobolev(sp.Symbol("lambda")))
    1/(pi**2*lambda*m**2)
    """
    return 1 / eigenvalue(inner, m)


def coefficient(u: Any, mode: Any) -> Any:
    r"""Return :math:`\int u\,e / \int e^2`, the coefficient of the mode e in u.

    Examples
    --------
    >>> coefficient(o, modes("natural")[0])
    2*((-1)**m - 1)/(pi**2*m**2)
    """
    return sp.factor(sp.simplify(mean(sp.expand(u * mode)) / mean(sp.expand(mode**2))))
