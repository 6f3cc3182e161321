r"""White noise through a metric: what is kept, what it costs, which strength is best.

A stochastic gradient is signal plus noise. Per channel the noise is roughly independent, so along
o it is white: every mode carries the same variance :math:`\epsilon^2` (:math:`\sigma^2/n` for n
channels of variance :math:`\sigma^2`, in the orthonormal modes). The gradient keeps
:math:`1/\Lambda_m^2` of it in mode m, so of the fluctuation's noise it keeps

.. math:: \sum_{m\ge1}\frac1{\Lambda_m^2} = \iint \bigl(G-\tfrac1\alpha\bigr)^2 do\,ds
    = -\frac{d}{d\beta}\int\bigl(G(o,o)-\tfrac1\alpha\bigr)\,do ,

====================================  =======================  ============================
member                                natural                  periodic
====================================  =======================  ============================
Sobolev :math:`(1,0,\gamma)`          :math:`1/90\gamma^2`     :math:`1/720\gamma^2`
biharmonic :math:`(1,0,0,\delta)`     :math:`1/9450\delta^2`   :math:`1/1209600\delta^2`
====================================  =======================  ============================

and in closed form for every member with a derivative or a curvature. On a long chain of channels
one unit apart, per channel,

.. math:: \frac1{2\pi}\int_{-\pi}^{\pi}\frac{d\theta}{(\beta+4\gamma\sin^2\frac\theta2)^2}
    = \frac{\beta+2\gamma}{(\beta(\beta+4\gamma))^{3/2}} .

Smoothing also takes from the signal. :func:`best_h0` and :func:`best_lambda` say where the sum of
both is least. Theorem 8.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from cdg_theory.continuum.functions import at, expanded, integral, o, s
from cdg_theory.continuum.greens import kernel_of
from cdg_theory.continuum.inner_product import InnerProduct


def fluctuation_trace(inner: InnerProduct) -> Any:
    r"""Return :math:`\int(G(o,o)-1/\alpha)\,do=\sum_{m\ge1}1/\Lambda_m`.

    Examples
    --------
    >>> from cdg_theory.continuum import InnerProduct
    >>> gamma = sp.Symbol("gamma", positive=True)
    >>> fluctuation_trace(InnerProduct.sobolev(gamma))
    1/(6*gamma)
    """
    inner.check_definite()
    factors, values = inner.factors()
    return _trace(factors).xreplace(values)


def fluctuation_power(inner: InnerProduct) -> Any:
    r"""Return :math:`\iint(G-1/\alpha)^2\,do\,ds=\sum_{m\ge1}1/\Lambda_m^2`.

    Examples
    --------
    >>> from cdg_theory.continuum import InnerProduct
    >>> gamma = sp.Symbol("gamma", positive=True)
    >>> fluctuation_power(InnerProduct.sobolev(gamma))
    1/(90*gamma**2)
    >>> fluctuation_power(InnerProduct.sobolev(gamma, "periodic"))
    1/(720*gamma**2)
    >>> fluctuation_power(InnerProduct.biharmonic(gamma))
    1/(9450*gamma**2)
    """
    inner.check_definite()
    factors, values = inner.factors()
    return _power(factors).xreplace(values)


@cache
def _trace(factors: tuple[InnerProduct, ...]) -> Any:
    return integral(kernel_of(factors).diagonal - 1 / factors[0].mean)


@cache
def _power(factors: tuple[InnerProduct, ...]) -> Any:
    r"""Return the sum of squares, that of second order by those of first order.

    .. math:: \frac1{(x+p)^2(x+q)^2} = \frac1{(q-p)^2}\Bigl(\frac1{(x+p)^2}+\frac1{(x+q)^2}
        -\frac2{(x+p)(x+q)}\Bigr),\qquad
        \frac1{(x+p)^4} = \frac16\,\frac{d^2}{dp^2}\frac1{(x+p)^2}
    """
    first, second = factors[0], factors[-1]
    if len(factors) == 1 or first.fluctuation == second.fluctuation == 0:
        left = expanded(kernel_of(factors).left - 1 / first.mean)
        # G is symmetric: the square is twice the triangle o < s.
        triangle = integral(expanded(left**2), 0, s)
        return 2 * integral(triangle.subs(s, o))
    p, q, delta = first.fluctuation, second.fluctuation / second.derivative, second.derivative
    squares, mu, nu = _power((first,)), sp.sqrt(p), sp.sqrt(q)
    if p == q:
        for _ in range(2):
            squares = sp.diff(squares, mu) / (2 * mu)
        return squares / 6 / delta**2
    again = InnerProduct(first.mean, q, 1, first.boundary)
    squares += squares.xreplace({mu: nu}) if q != 0 else _power((again,))
    return (squares - 2 * delta * _trace(factors)) / (delta * (q - p)) ** 2


def chain_power(beta: Any, gamma: Any) -> Any:
    r"""Return the noise kept per channel by a long chain, one channel being one unit.

    With :math:`z=e^{i\theta}` the integral of the smoothing factor runs round the unit circle, and
    of its two poles :math:`r` and :math:`1/r` one lies inside; minus the derivative by
    :math:`\beta` is the integral of the factor's square.

    Examples
    --------
    >>> b, c = sp.symbols("beta gamma", positive=True)
    >>> chain_power(b, c)
    (beta + 2*gamma)/(beta**(3/2)*(beta + 4*gamma)**(3/2))
    """
    z = sp.Symbol("z")
    b, c = sp.symbols("b c", positive=True)
    # (β + 2γ − γ(z + 1/z)) z, the denominator of dθ/(β + 4γ sin²(θ/2)) = dz/(iz …).
    denominator = sp.expand(z * (b + 2 * c - c * (z + 1 / z)))
    inside = (b + 2 * c - sp.sqrt(b * (b + 4 * c))) / (2 * c)
    residue = 1 / sp.diff(denominator, z).subs(z, inside)
    power = sp.factor(sp.powdenest(sp.simplify(-sp.diff(residue, b))))
    return power.subs({b: beta, c: gamma}, simultaneous=True)


def best_h0(fluctuation: Any, noise: Any) -> Any:
    r"""Return the λ of the re-weighted H⁰ metric with the least mean squared error.

    ==============  ===============  ======================================================
    symbol          argument         meaning
    ==============  ===============  ======================================================
    :math:`F`       ``fluctuation``  :math:`\int(g-\bar g)^2` of the noiseless gradient
    :math:`V`       ``noise``        the noise's expected :math:`\int(\xi-\bar\xi)^2`
    ==============  ===============  ======================================================

    The error :math:`(1-1/\lambda)^2F+V/\lambda^2` is stationary at one λ only.

    Examples
    --------
    >>> F, V = sp.symbols("F V", positive=True)
    >>> best_h0(F, V)
    1 + V/F
    """
    lam, f, v = sp.symbols("lambda F V", positive=True)
    error = (1 - 1 / lam) ** 2 * f + v / lam**2
    (best,) = sp.solve(sp.diff(error, lam), lam)
    return sp.expand(best).subs({f: fluctuation, v: noise}, simultaneous=True)


def worst_bias(smoothness: Any) -> Any:
    r"""Return the factor φ in the worst bias of the ordinary H¹ metric.

    The bias is :math:`\varphi C^2\lambda^q`. Mode by mode the metric takes away :math:`x/(1+x)`
    with :math:`x=\lambda\omega^2`. Among signals with :math:`\sum\omega^{2q}c_\omega^2\le C^2`,
    the worst has all its weight where
    :math:`(x/(1+x))^2x^{-q}` is greatest. For :math:`0<q<2` that is at :math:`x=(2-q)/q`; for
    q = 2 the supremum, 1, is approached as :math:`x\to0`, and no smoother signal gains more than
    :math:`\lambda^2`.

    .. math:: \varphi(q) = (q/2)^q\,(1-q/2)^{2-q}

    The sum is :math:`\int (g')^2` for q = 1, and :math:`\int (g'')^2` for q = 2 *only if g meets
    the end conditions*: :math:`g'(0)=g'(1)=0` (natural), g and g′ periodic. A smooth signal with
    slopes at natural ends has smoothness q < 3/2 and no more; :func:`end_bias` says what it loses.

    Raises
    ------
    ValueError
        If the smoothness is a number outside (0, 2].

    Examples
    --------
    >>> worst_bias(1), worst_bias(2)
    (1/4, 1)
    """
    q = sp.nsimplify(smoothness, rational=True)
    if q.is_number and not 0 < q <= 2:
        msg = f"smoothness must lie in (0, 2], got {q}; a smoother signal has the bias of 2"
        raise ValueError(msg)
    x = sp.Symbol("x", positive=True)
    lost = (x / (1 + x)) ** 2 / x**q
    if q == 2:
        return sp.limit(sp.simplify(lost), x, 0)
    (worst,) = sp.solve(sp.numer(sp.together(sp.simplify(sp.diff(sp.log(lost), x)))), x)
    return sp.simplify(lost.subs(x, worst))


def end_bias(g: Any) -> Any:
    r"""Return :math:`(g'(0)^2+g'(1)^2)/2`: what slopes at natural ends cost, over λ^{3/2}.

    Times :math:`\lambda^{3/2}` it is the bias :math:`\int(k-g)^2` of the ordinary H¹ metric to
    leading order as :math:`\lambda\to0`, for a smooth signal g: the gradient k has no slope at the
    ends. Where both slopes of g vanish, the bias is :math:`\lambda^2\int(g'')^2` to leading order.

    Examples
    --------
    >>> end_bias(o)
    1
    """
    slope = sp.diff(g, o)
    return (at(slope, 0) ** 2 + at(slope, 1) ** 2) / 2


def noise_bound(lam: Any) -> Any:
    r"""Return :math:`1/(4\sqrt\lambda)`, which bounds the noise kept by the ordinary H¹ metric.

    The factors :math:`(1+\lambda\omega_m^2)^{-2}` fall with m, so their sum lies below the
    integral over all frequencies, and above it less 1 (natural) or 2 (periodic): as
    :math:`\lambda\to0` the bound is attained.

    Examples
    --------
    >>> noise_bound(sp.Symbol("lambda", positive=True))
    1/(4*sqrt(lambda))
    """
    x, ell = sp.symbols("x ell", positive=True)
    total = sp.integrate(1 / (1 + x**2) ** 2, (x, 0, sp.oo))
    # x = √λ π m, dm = dx / (π√λ).
    return (total / (sp.pi * sp.sqrt(ell))).subs(ell, lam)


def best_lambda(smoothness: Any, size: Any, noise: Any) -> Any:
    r"""Return the λ of the ordinary H¹ metric with the least worst-case mean squared error.

    ==================  ==============  ===================================================
    symbol              argument        meaning
    ==================  ==============  ===================================================
    :math:`q`           ``smoothness``  in (0, 2]: how many derivatives the signal has
    :math:`C`           ``size``        their size, :math:`\sum\omega^{2q}c_\omega^2\le C^2`
    :math:`\epsilon^2`  ``noise``       variance of the noise in each mode
    ==================  ==============  ===================================================

    .. math::

        \lambda^*
        = \arg\min_\lambda \Bigl(\varphi C^2\lambda^q+\frac{\epsilon^2}{4\sqrt\lambda}\Bigr)
        = \Bigl(\frac{\epsilon^2}{8q\varphi C^2}\Bigr)^{2/(2q+1)}

    Examples
    --------
    >>> best_lambda(2, sp.Symbol("C", positive=True), sp.Symbol("epsilon", positive=True) ** 2)
    2**(2/5)*epsilon**(4/5)/(4*C**(4/5))
    """
    lam, c, v, phi = sp.symbols("lambda C V phi", positive=True)
    q = sp.nsimplify(smoothness, rational=True)
    # The slope of the bias is a power of λ, and so is the noise's: their quotient is one too.
    rising, falling = (sp.diff(term, lam) for term in (phi * c**2 * lam**q, v * noise_bound(lam)))
    quotient = sp.powsimp(sp.expand(-falling / rising))  # a constant times λ^-(q + 1/2)
    best = quotient.subs(lam, 1) ** (1 / (q + sp.Rational(1, 2)))
    values = {c: size, v: noise, phi: worst_bias(q)}
    return sp.powsimp(sp.expand_power_base(best.subs(values, simultaneous=True)))
