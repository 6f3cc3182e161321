r"""Functions of the output channel :math:`o\in[0,1]`, their integrals, and a test of equality.

==================  ==========================================================================
symbol              here
==================  ==========================================================================
:math:`o`           ``o``, the output channel as a continuous variable
:math:`s`           ``s``, the channel where a unit gradient sits (the source of a kernel)
:math:`h(o)`        ``generic("h")``, an arbitrary smooth function: nothing is assumed of it
:math:`\int u\,do`  ``integral(u)``, linear, left unevaluated on arbitrary functions
:math:`\bar u`      ``mean(u)``, the same integral, since the interval has length 1
==================  ==========================================================================
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from cdg_theory.checks import whole_number

o = sp.Symbol("o", real=True)
s = sp.Symbol("s", real=True)


def expanded(u: Any) -> Any:
    """Return ``u`` as a sum of products, with denominators left in factors.

    SymPy's own ``expand`` would multiply an exp(-o) into them, and hide which factors depend on o.

    Examples
    --------
    >>> mu = sp.Symbol("mu")
    >>> expanded((o + 1) * sp.exp(-o) / (mu + 1))
    o*exp(-o)/(mu + 1) + exp(-o)/(mu + 1)
    """
    u = sp.sympify(u, strict=True)
    denominators = {
        power: sp.Dummy()
        for power in u.atoms(sp.Pow)
        if power.base.is_Add and power.exp.is_negative and o not in power.free_symbols
    }
    back = {name: power for power, name in denominators.items()}
    return sp.expand(u.xreplace(denominators)).xreplace(back)


def collected(u: Any) -> Any:
    """Return ``u`` as a sum over functions of o, each with one factored coefficient.

    Examples
    --------
    >>> mu = sp.Symbol("mu")
    >>> collected(sp.exp(-o) / (mu + 1) + o + mu * sp.exp(-o) / (mu + 1))
    o + exp(-o)
    """
    coefficients: dict[Any, Any] = {}
    for term in sp.Add.make_args(expanded(u)):
        constant, varying = term.as_independent(o, as_Add=False)
        coefficients[varying] = coefficients.get(varying, 0) + constant
    return sp.Add(*(sp.factor(constant) * f for f, constant in coefficients.items()))


def generic(name: str) -> Any:
    """Return an arbitrary smooth function :math:`h(o)`, known by its name only.

    ========  ======================
    argument  meaning
    ========  ======================
    ``name``  what to call it, a str
    ========  ======================

    Raises
    ------
    TypeError
        If ``name`` is not a str.

    See Also
    --------
    cdg_theory.continuum.polynomial : A function with unknown coefficients.
    cdg_theory.continuum.trigonometric : Likewise.

    Examples
    --------
    >>> from cdg_theory.continuum import generic, o
    >>> generic("h").diff(o)
    Derivative(h(o), o)
    """
    return sp.Function(name, real=True)(o)


def polynomial(degree: int, name: str = "a") -> Any:
    r"""Return a polynomial :math:`\sum_ja_jo^j` of a given degree, with symbols as coefficients.

    ==========  ==================================
    argument    meaning
    ==========  ==================================
    ``degree``  the largest j, a whole number >= 0
    ``name``    the coefficients' letter, a str
    ==========  ==================================

    Raises
    ------
    ValueError
        If ``degree`` is not a whole number >= 0.

    See Also
    --------
    cdg_theory.continuum.trigonometric : A sum of waves.
    cdg_theory.continuum.generic : An arbitrary function.

    Examples
    --------
    >>> from cdg_theory.continuum import polynomial
    >>> polynomial(2)
    a0 + a1*o + a2*o**2
    """
    whole_number("degree", degree, least=0)
    return sp.Add(*(sp.Symbol(f"{name}{j}", real=True) * o**j for j in range(degree + 1)))


def trigonometric(modes: int, name: str = "b") -> Any:
    r"""Return :math:`b_0+\sum_m b_m\cos(m\pi o)+c_m\sin(m\pi o)` with symbols as coefficients.

    =========  ==================================
    argument   meaning
    =========  ==================================
    ``modes``  the largest m, a whole number >= 0
    ``name``   the coefficients' letter, a str
    =========  ==================================

    Raises
    ------
    ValueError
        If ``modes`` is not a whole number >= 0.

    See Also
    --------
    cdg_theory.continuum.polynomial : A polynomial.
    cdg_theory.continuum.generic : An arbitrary function.

    Examples
    --------
    >>> from cdg_theory.continuum import trigonometric
    >>> trigonometric(1)
    b0 + b1*cos(pi*o) + b1_*sin(pi*o)
    """
    whole_number("modes", modes, least=0)
    total = sp.Symbol(f"{name}0", real=True)
    for m in range(1, modes + 1):
        cosine, sine = (sp.Symbol(f"{name}{m}{tail}", real=True) for tail in ("", "_"))
        total += cosine * sp.cos(m * sp.pi * o) + sine * sp.sin(m * sp.pi * o)
    return total


def integral(u: Any, lower: Any = 0, upper: Any = 1) -> Any:
    r"""Return :math:`\int u\,do`, linear in ``u``, constants taken out of it.

    Known functions are integrated. An integral over an arbitrary function of o stays as it is.

    =========  =========  ====================================================
    symbol     argument   meaning
    =========  =========  ====================================================
    :math:`u`  ``u``      an expression in o
    (from)     ``lower``  where the integral begins, a number or an expression
    (to)       ``upper``  where it ends
    =========  =========  ====================================================

    Raises
    ------
    sympy.SympifyError
        If ``u`` is not a SymPy expression or a number.

    See Also
    --------
    cdg_theory.continuum.mean : Over the whole interval.
    cdg_theory.continuum.integrate_by_parts : Takes derivatives off a function.

    Examples
    --------
    >>> from cdg_theory.continuum import generic, integral, o
    >>> h = generic("h")
    >>> integral(3 * h + 2 * o)
    3*Integral(h(o), (o, 0, 1)) + 1
    """
    total = sp.Integer(0)
    if lower == upper:
        return total
    for term in sp.Add.make_args(expanded(u)):
        constant, varying = term.as_independent(o, as_Add=False)
        # An inner integral over o is a number: o is bound in it.
        numbers = [factor for factor in sp.Mul.make_args(varying) if o not in factor.free_symbols]
        constant *= sp.Mul(*numbers)
        varying = sp.Mul(*(f for f in sp.Mul.make_args(varying) if o in f.free_symbols))
        if varying.has(AppliedUndef):
            total += constant * _integral_of_arbitrary(varying, lower, upper)
        else:
            antiderivative = _antiderivative(varying)
            total += constant * (antiderivative.subs(o, upper) - antiderivative.subs(o, lower))
    return total


def _integral_of_arbitrary(u: Any, lower: Any, upper: Any) -> Any:
    r"""Return :math:`\int u`, where an arbitrary function, or its running integral, is a factor.

    :math:`\int p\,F = [PF]-\int P f` with P the antiderivative of p and F that of f: so each
    integral is a single one, and equal ones look alike.
    """
    running = [f for f in sp.Mul.make_args(u) if isinstance(f, sp.Integral)]
    rest = u / running[0] if len(running) == 1 else None
    if rest is None or rest.has(AppliedUndef) or running[0].limits[0][2] != o:
        return sp.Integral(u, (o, lower, upper))
    f, start = running[0].function, running[0].limits[0][1]
    primitive = _antiderivative(rest)
    ends = (primitive.subs(o, end) * integral(f, start, end) for end in (upper, lower))
    return next(ends) - next(ends) - integral(primitive * f, lower, upper)


def _antiderivative(u: Any) -> Any:
    r"""Return an antiderivative, at once for :math:`o^j` times one exponential, cosine or sine.

    There SymPy's search is slow, and integrating by parts j times is not:
    :math:`\int o^jf=\sum_i(-1)^i\,(o^j)^{(i)}F_{i+1}`, with F_i the i-th antiderivative of f.
    """
    waves = [f for f in sp.Mul.make_args(u) if isinstance(f, (sp.exp, sp.cos, sp.sin))]
    power = u / waves[0] if len(waves) == 1 else None
    if power is None or not power.is_polynomial(o) or sp.diff(waves[0].args[0], o, 2) != 0:
        return sp.integrate(u, o)
    frequency = sp.diff(waves[0].args[0], o)
    total, wave = sp.Integer(0), waves[0]
    while power != 0:
        # The antiderivative of f is its derivative over ±c²: + for exp, − for cos and sin.
        sign = 1 if isinstance(wave, sp.exp) or wave.has(sp.exp) else -1
        wave = sign * sp.diff(wave, o) / frequency**2
        total += power * wave
        power = -sp.diff(power, o)
    return total


def at(u: Any, point: Any) -> Any:
    """Return the value of ``u`` at a point; integrals from a point to itself are 0.

    Examples
    --------
    >>> at(1 + integral(generic("g"), 0, o), 0)
    1
    """
    value = u.subs(o, point)
    empty = {i: 0 for i in value.atoms(sp.Integral) if i.limits[0][1] == i.limits[0][2]}
    return value.xreplace(empty)


def mean(u: Any) -> Any:
    r"""Return :math:`\bar u=\int_0^1 u\,do`.

    =========  ========  ==================
    symbol     argument  meaning
    =========  ========  ==================
    :math:`u`  ``u``     an expression in o
    =========  ========  ==================

    Raises
    ------
    sympy.SympifyError
        If ``u`` is not a SymPy expression or a number.

    See Also
    --------
    cdg_theory.continuum.integral : Between other ends.

    Examples
    --------
    >>> from cdg_theory.continuum import mean, polynomial
    >>> mean(polynomial(2))
    a0 + a1/2 + a2/3
    """
    return integral(u)


def vanishes(expression: Any) -> bool:
    """Return whether :math:`u(o)=0` for every o, and whatever the symbols in u are.

    For expressions in powers, exponentials, hyperbolic and trigonometric functions. They are all
    written in exponentials, and each exponential of a monomial becomes a symbol. What is left is
    a rational function, whose numerator is expanded. So the answer is a decision, not the outcome
    of a search for a simplification.

    =========  ==============  ==============
    symbol     argument        meaning
    =========  ==============  ==============
    :math:`u`  ``expression``  the expression
    =========  ==============  ==============

    Raises
    ------
    sympy.SympifyError
        If ``expression`` is not a SymPy expression or a number.

    See Also
    --------
    cdg_theory.continuum.weak_residual : An expression to try it on.

    Examples
    --------
    >>> import sympy as sp
    >>> from cdg_theory.continuum import o, vanishes
    >>> vanishes(sp.cosh(o) ** 2 - sp.sinh(o) ** 2 - 1)
    True
    >>> vanishes(sp.cosh(o) ** 2 + sp.sinh(o) ** 2 - 1)
    False
    """
    rational = sp.expand(sp.sympify(expression, strict=True).rewrite(sp.exp), power_exp=True)
    if rational == 0:
        return True
    if integrals := rational.atoms(sp.Integral):
        # Numbers that depend on an arbitrary function: each one's coefficient must vanish.
        independent = {number: sp.Dummy() for number in integrals}
        parts = sp.collect(rational.xreplace(independent), independent.values(), evaluate=False)
        return all(map(vanishes, parts.values()))
    names: dict[Any, tuple[Any, Any]] = {}
    for exponential in rational.atoms(sp.exp):
        coefficient, monomial = exponential.args[0].expand().as_coeff_Mul()
        names[exponential] = (coefficient, monomial)
    # exp(x) and exp(x/2) are powers of one symbol, so that no relation between them is lost.
    finest: dict[Any, Any] = {}
    for coefficient, monomial in names.values():
        step = finest.get(monomial, sp.Integer(1))
        finest[monomial] = sp.Rational(1, sp.ilcm(step.q, sp.Rational(coefficient).q))
    symbols = {monomial: sp.Dummy() for monomial in finest}
    rational = rational.xreplace(
        {
            exponential: symbols[monomial] ** (coefficient / finest[monomial])
            for exponential, (coefficient, monomial) in names.items()
        }
    )
    numerator, _ = sp.fraction(sp.together(rational))
    return bool(sp.expand(numerator) == 0)
