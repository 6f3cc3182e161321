r"""The family of inner products on functions of the output channel.

.. math::

    \langle h, k\rangle = \alpha\,\bar h\,\bar k
        + \beta \int_0^1 (h-\bar h)(k-\bar k)\,do
        + \gamma \int_0^1 h'\,k'\,do
        + \delta \int_0^1 h''\,k''\,do,
    \qquad \bar u = \int_0^1 u\,do .

Four terms, four weights: how much a change of the mean costs, how much a change of what is left
when the mean is taken off, how much slope, how much curvature. Everything else in this package is
derived from :meth:`InnerProduct.__call__`, which is that formula and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

import sympy as sp

from cdg_theory.checks import described, one_of
from cdg_theory.continuum.functions import integral, mean, o
from cdg_theory.metric import Boundary, Metric, check_metric, check_normalized

#: α, γ or δ, μ and ν, apart from any symbol that a reader may use.
_WEIGHTS = tuple(sp.Dummy(name, positive=True) for name in ("alpha", "gamma", "mu", "nu"))
_TERMS = ("fluctuation", "derivative", "curvature")


def _square_root(u: Any) -> Any:
    """Return √u; the squares of factors come out of the root."""
    return sp.sqrt(sp.factor(u))


@dataclass(frozen=True)
class InnerProduct:
    r"""An inner product of the family, with numbers or symbols as weights.

    .. math::

        \langle h, k\rangle = \alpha\,\bar h\,\bar k + \beta\int_0^1 (h-\bar h)(k-\bar k)\,do
            + \gamma\int_0^1 h'\,k'\,do + \delta\int_0^1 h''\,k''\,do

    of two functions :math:`h, k` of the output channel :math:`o`; :math:`\bar h` is the mean of h.

    ==============  ===============  =====================================================
    symbol          field            meaning
    ==============  ===============  =====================================================
    :math:`\alpha`  ``mean``         weight of the mean
    :math:`\beta`   ``fluctuation``  weight of the fluctuation :math:`h-\bar h`
    :math:`\gamma`  ``derivative``   weight of the derivative
    :math:`\delta`  ``curvature``    weight of the second derivative
    (space)         ``boundary``     ``"natural"``: all functions with a square-integrable
                                     derivative; ``"periodic"``: those with h(0) = h(1)
    ==============  ===============  =====================================================

    With a curvature the functions have a square-integrable second derivative, and slopes as on the
    Laplacian's domain: natural :math:`h'(0)=h'(1)=0`, periodic :math:`h'(0)=h'(1)`. The term is
    then that of :math:`(-\Delta)^2`, with the modes of the other terms. On all functions with a
    second derivative it would have other modes: those of a beam with free ends.

    Weights of any sign are admitted: theorem 1 asks for which of them the form is definite, so it
    needs the others too. :meth:`check_definite` refuses those.

    Raises
    ------
    ValueError
        If ``boundary`` is unknown.
    sympy.SympifyError
        If a weight is not a number or a symbolic expression.

    See Also
    --------
    cdg_theory.Metric : The same with floats, on n channels.
    cdg_theory.continuum.riemannian_gradient : The gradient in it.
    cdg_theory.continuum.green_function : Its kernel.
    cdg_theory.continuum.strong_form : Its equation.

    Examples
    --------
    >>> import sympy as sp
    >>> from cdg_theory.continuum import InnerProduct, generic, o
    >>> sobolev = InnerProduct.sobolev(sp.Symbol("lambda"))
    >>> sobolev(o, o**2)
    lambda + 1/6

    On arbitrary functions the integrals stay as they are:

    >>> InnerProduct.l2()(generic("h"), generic("k"))
    Integral(h(o)*k(o), (o, 0, 1))
    """

    mean: Any
    fluctuation: Any
    derivative: Any
    # Keyword-only: InnerProduct(1, 0, 1, "periodic") is as old as the other three terms.
    curvature: Any = field(default=0, kw_only=True)
    boundary: Boundary = "natural"

    def __post_init__(self) -> None:
        one_of("boundary", self.boundary, get_args(Boundary))
        for name in ("mean", *_TERMS):
            object.__setattr__(self, name, sp.sympify(getattr(self, name), strict=True))

    @property
    def derivative_order(self) -> int:
        """The highest derivative in the form: 0, 1 (derivative) or 2 (curvature)."""
        return 2 if self.curvature != 0 else int(self.derivative != 0)

    def check_definite(self) -> None:
        r"""Raise an error if the form is certainly not positive definite.

        :math:`\alpha>0` and, with :math:`\omega=\omega_1m,\ \omega_1=\pi` (natural) or
        :math:`2\pi` (periodic), :math:`\beta+\gamma\omega^2+\delta\omega^4>0` for **every**
        :math:`m\ge1`, and no less for :math:`m\to\infty`: theorems 1 and 18. Without curvature the
        smallest value is at m = 1. With curvature and :math:`\gamma<0` it is next to
        :math:`\omega^2=-\gamma/2\delta`. Symbols of unknown sign raise no error.

        Raises
        ------
        ValueError
            If one of the conditions is false.

        Examples
        --------
        >>> InnerProduct(1, -20, 1).check_definite()
        Traceback (most recent call last):
        ...
        ValueError: the form must be positive definite, but fluctuation + derivative*pi**2 = ...

        Positive at the first mode, negative at the second:

        >>> InnerProduct(1, 1400, -80, curvature=1).check_definite()
        Traceback (most recent call last):
        ...
        ValueError: the form must be positive definite, but fluctuation + derivative*4*pi**2 + ...
        """
        steepest = "curvature" if self.curvature != 0 else "derivative"
        mean, leading = self.mean, getattr(self, steepest)
        conditions = [("mean", mean, mean > 0), (steepest, leading, leading >= 0)]
        for square in self._lowest_squares():
            value = sp.expand(
                self.fluctuation + self.derivative * square + self.curvature * square**2
            )
            says = f"fluctuation + derivative*{square}"
            says += f" + curvature*{square**2}" if self.curvature != 0 else ""
            conditions.append((says, value, value > 0))
        for says, value, holds in conditions:
            if holds == False:  # noqa: E712 - undecided relations are neither
                msg = (
                    f"the form must be positive definite, but {says} = {value}; theorems 1 and 18 "
                    "have the exact condition"
                )
                raise ValueError(msg)

    def _lowest_squares(self) -> list[Any]:
        """Return ω² of the modes of which one has the lowest eigenvalue."""
        first = (1 if self.boundary == "natural" else 4) * sp.pi**2
        bottom = -self.derivative / (2 * self.curvature) / first if self.curvature != 0 else 0
        if (bottom > 1) != True:  # noqa: E712 - undecided relations are neither
            return [first]
        below = sp.floor(sp.sqrt(bottom))
        return [first * m**2 for m in (below, below + 1)]

    def __call__(self, h: Any, k: Any) -> Any:
        r"""Return :math:`\langle h,k\rangle`."""
        alpha, beta, gamma, delta = (getattr(self, name) for name in ("mean", *_TERMS))
        form = (
            alpha * mean(h) * mean(k)
            + beta * integral((h - mean(h)) * (k - mean(k)))
            + gamma * integral(sp.diff(h, o) * sp.diff(k, o))
            + delta * integral(sp.diff(h, o, 2) * sp.diff(k, o, 2))
        )
        return sp.expand(form)

    def _repr_latex_(self) -> str:
        terms = (
            (self.mean, r"\bar h\,\bar k"),
            (self.fluctuation, r"\int_0^1(h-\bar h)(k-\bar k)\,do"),
            (self.derivative, r"\int_0^1h'k'\,do"),
            (self.curvature, r"\int_0^1h''k''\,do"),
        )
        shown = [
            symbol if weight == 1 else rf"\left({sp.latex(weight)}\right){symbol}"
            for weight, symbol in terms
            if weight != 0
        ]
        space = "" if self.boundary == "natural" else r",\qquad h(0)=h(1),\ k(0)=k(1)"
        if self.curvature != 0:
            natural = r",\qquad h'=k'=0\text{ at the ends}"
            space = space + r",\ h'(0)=h'(1),\ k'(0)=k'(1)" if space else natural
        return rf"$\displaystyle\langle h,k\rangle = {' + '.join(shown)}{space}$"

    @classmethod
    def l2(cls) -> InnerProduct:
        """Return the ordinary inner product, (1, 1, 0)."""
        return cls(1, 1, 0)

    @classmethod
    def reweighted_h0(cls, lam: Any) -> InnerProduct:
        r"""Return the re-weighted H⁰ product, :math:`(1,\lambda,0)`, with λ = ``lam``."""
        return cls(1, lam, 0)

    @classmethod
    def sobolev(cls, lam: Any, boundary: Boundary = "natural") -> InnerProduct:
        r"""Return the channel-directed Sobolev product H̃¹, :math:`(1,0,\lambda)`.

        ``lam`` and ``boundary`` are those of :meth:`cdg_theory.Metric.sobolev`.
        """
        return cls(1, 0, lam, boundary)

    @classmethod
    def ordinary_sobolev(cls, lam: Any, boundary: Boundary = "natural") -> InnerProduct:
        r"""Return the ordinary H¹ product, :math:`(1,1,\lambda)`.

        ``lam`` and ``boundary`` are those of :meth:`cdg_theory.Metric.ordinary_sobolev`.
        """
        return cls(1, 1, lam, boundary)

    @classmethod
    def biharmonic(cls, lam: Any, boundary: Boundary = "natural") -> InnerProduct:
        r"""Return the product of the squared Laplacian, :math:`(1,0,0,\lambda)`.

        ``lam`` and ``boundary`` are those of :meth:`cdg_theory.Metric.biharmonic`.
        """
        return cls(1, 0, 0, boundary, curvature=lam)

    @classmethod
    def spline(cls, lam: Any, boundary: Boundary = "natural") -> InnerProduct:
        r"""Return the smoothing spline's product, :math:`(1,1,0,\lambda)`.

        ``lam`` and ``boundary`` are those of :meth:`cdg_theory.Metric.spline`.
        """
        return cls(1, 1, 0, boundary, curvature=lam)

    @classmethod
    def general(cls, boundary: Boundary = "natural") -> InnerProduct:
        r"""Return the general member of first order, :math:`(\alpha,\ \gamma\mu^2,\ \gamma)`.

        With :math:`\beta=\gamma\mu^2`, :math:`\mu=\sqrt{\beta/\gamma}`, every formula is rational
        in :math:`\mu` and in exponentials of it. ``boundary`` is as in the class.
        """
        alpha, gamma, mu = sp.symbols("alpha gamma mu", positive=True)
        return cls(alpha, gamma * mu**2, gamma, boundary)

    @classmethod
    def with_roots(
        cls, alpha: Any, mu: Any, nu: Any, delta: Any, boundary: Boundary = "natural"
    ) -> InnerProduct:
        r"""Return the member of second order whose operator has the factors of two of first order.

        .. math:: \delta(\omega^2+\mu^2)(\omega^2+\nu^2)=\beta+\gamma\omega^2+\delta\omega^4,
            \qquad \beta=\delta\mu^2\nu^2,\quad\gamma=\delta(\mu^2+\nu^2)

        ``alpha`` is the mean's weight, ``delta`` the curvature's. The roots ``mu`` and ``nu`` are
        two real numbers, or :math:`\kappa\pm i\tau`, or equal. With ν = 0 there is no fluctuation
        term, and with μ = ν = 0 no derivative either.

        Examples
        --------
        >>> kappa, tau, delta = sp.symbols("kappa tau delta", positive=True)
        >>> member = InnerProduct.with_roots(1, kappa + sp.I * tau, kappa - sp.I * tau, delta)
        >>> sp.factor(member.fluctuation), sp.factor(member.derivative)
        (delta*(kappa**2 + tau**2)**2, 2*delta*(kappa - tau)*(kappa + tau))
        """
        beta, gamma = delta * mu**2 * nu**2, delta * (mu**2 + nu**2)
        return cls(alpha, sp.expand(beta), sp.expand(gamma), boundary, curvature=delta)

    def factors(self) -> tuple[tuple[InnerProduct, ...], dict[Any, Any]]:
        r"""Return members of at most first order, with symbols as weights, and their values.

        Their gradients, taken one after the other, are this member's. Without a curvature it is one
        member. With it there are two: :math:`(\alpha,\mu^2,1)` and then
        :math:`(1,\delta\nu^2,\delta)`, with μ and ν as in :meth:`with_roots`. The first divides the
        mean by α, both together mode ω by :math:`\delta(\omega^2+\mu^2)(\omega^2+\nu^2)`.
        The roots may be complex: no step of the theory asks whether a symbol is real. Theorem 18.

        Equations are solved once, with symbols: solving them over the number field of
        :math:`\sqrt{\beta/\gamma}` would be the same work again and very much slower. Weights that
        are 0 stay 0, and roots that are equal stay so, since they decide which equation it is.

        Examples
        --------
        >>> [factor.fluctuation for factor in InnerProduct.sobolev(3).factors()[0]]
        [0]
        >>> two, values = InnerProduct.spline(sp.Rational(1, 4)).factors()
        >>> [factor.fluctuation.xreplace(values) for factor in two]
        [(1 + I)**2, (1 - I)**2/4]
        """
        alpha, leading, mu, nu = _WEIGHTS
        if self.derivative_order == 0:
            return (self,), {}
        values = {alpha: self.mean}
        if self.derivative_order == 1:
            values[leading] = self.derivative
            values[mu] = _square_root(self.fluctuation / self.derivative)
            rate = mu if values[mu] != 0 else 0
            return (InnerProduct(alpha, leading * rate**2, leading, self.boundary),), values
        one, other = self._roots()
        values |= {leading: self.curvature, mu: one, nu: other}
        rates = (mu if one != 0 else 0), (mu if one == other else nu)
        first, second = rates[0] ** 2, rates[1] ** 2 if other != 0 else 0
        return (
            InnerProduct(alpha, first, 1, self.boundary),
            InnerProduct(1, leading * second, leading, self.boundary),
        ), values

    def _roots(self) -> tuple[Any, Any]:
        r"""Return μ and ν of :meth:`with_roots`.

        Complex where it is certain that :math:`\gamma^2<4\beta\delta`, and equal where it is
        certain that :math:`\gamma^2=4\beta\delta`. Otherwise they are written with the square root
        of :math:`\gamma^2-4\beta\delta`, and hold for either sign.
        """
        p, q = (sp.cancel(w / self.curvature) for w in (self.derivative, self.fluctuation))
        root = _square_root(p**2 - 4 * q)
        if root.is_imaginary:
            # |μ|² = √q, Re μ² = p/2.
            kappa, tau = (sp.sqrt((sp.sqrt(q) + sign * p / 2) / 2) for sign in (1, -1))
            return kappa + sp.I * tau, kappa - sp.I * tau
        return _square_root((p + root) / 2), _square_root((p - root) / 2)

    @classmethod
    def of(cls, metric: Metric) -> InnerProduct:
        """Return the inner product of a :class:`~cdg_theory.Metric`, its weights as rationals.

        Raises
        ------
        TypeError
            If ``metric`` is not a metric.
        ValueError
            If its spacing is "unit" and it has a derivative or a curvature: the continuum is the
            unit interval, and knows no number of channels.

        Examples
        --------
        >>> from cdg_theory import Metric
        >>> InnerProduct.of(Metric(1, 0.5, 0.25)).derivative
        1/4
        """
        check_metric(metric)
        check_normalized(metric)
        alpha, beta, gamma, delta = (
            sp.Rational(getattr(metric, name)) for name in ("mean", *_TERMS)
        )
        return cls(alpha, beta, gamma, metric.boundary, curvature=delta)

    @classmethod
    def from_terms(
        cls,
        *,
        square: Any = 0,
        mean: Any = 0,
        fluctuation: Any = 0,
        derivative: Any = 0,
        curvature: Any = 0,
        length: Any = 1,
        boundary: Boundary = "natural",
    ) -> InnerProduct:
        r"""Return the member that equals a form with its terms arranged otherwise, on any interval.

        .. math:: a\int_0^\ell hk\,dt + b\,\bar h\bar k + c\int_0^\ell(h-\bar h)(k-\bar k)\,dt
            + d\int_0^\ell \dot h\,\dot k\,dt + e\int_0^\ell \ddot h\,\ddot k\,dt,
            \qquad t=\ell\,o,\quad \bar u=\tfrac1\ell\int u\,dt

        ==============  ===============  ===========================================
        symbol          argument         meaning
        ==============  ===============  ===========================================
        :math:`a`       ``square``       weight of the plain product
        :math:`b`       ``mean``         weight of the product of the means
        :math:`c`       ``fluctuation``  weight of the fluctuations' product
        :math:`d`       ``derivative``   weight of the derivatives' product
        :math:`e`       ``curvature``    weight of the second derivatives' product
        :math:`\ell`    ``length``       length of the interval
        (space)         ``boundary``     ``"natural"`` or ``"periodic"``
        ==============  ===============  ===========================================

        The weights are found by applying the form to 1 and to three modes, which tell the four
        terms apart.

        Examples
        --------
        >>> a, b, d, length = sp.symbols("a b d ell", positive=True)
        >>> InnerProduct.from_terms(square=a, mean=b, derivative=d)
        InnerProduct(mean=a + b, fluctuation=a, derivative=d, curvature=0, boundary='natural')

        Sundaramoorthi, Yezzi and Mennucci make the curve's length drop out by dividing the first
        term by it and multiplying the second with it:

        >>> InnerProduct.from_terms(mean=1, derivative=length * d, length=length)
        InnerProduct(mean=1, fluctuation=0, derivative=d, curvature=0, boundary='natural')
        """
        a, b, c, d, e, ell = (
            sp.sympify(x, strict=True)
            for x in (square, mean, fluctuation, derivative, curvature, length)
        )

        def form(h: Any) -> Any:
            # t = ℓo: dt = ℓ do and d/dt = (1/ℓ) d/do.
            h_bar = integral(h)
            return (
                a * ell * integral(h * h)
                + b * h_bar**2
                + c * ell * integral((h - h_bar) ** 2)
                + d / ell * integral(sp.diff(h, o) ** 2)
                + e / ell**3 * integral(sp.diff(h, o, 2) ** 2)
            )

        weights = sp.symbols("alpha beta gamma delta")
        alpha, beta, gamma, delta = weights
        candidate = cls(alpha, beta, gamma, boundary, curvature=delta)
        probes = (sp.Integer(1), *(sp.cos(m * sp.pi * o) for m in (2, 4, 6)))
        equations = [candidate(h, h) - form(h) for h in probes]
        found = sp.solve(equations, weights, dict=True)[0]
        alpha, beta, gamma, delta = (sp.expand(found[weight]) for weight in weights)
        return cls(alpha, beta, gamma, boundary, curvature=delta)


def check_inner_product(inner: object) -> None:
    """Refuse anything but an inner product.

    Raises
    ------
    TypeError
        If ``inner`` is not an :class:`InnerProduct`.
    """
    if not isinstance(inner, InnerProduct):
        msg = (
            f"inner must be a cdg_theory.continuum.InnerProduct, got {described(inner)}; "
            "InnerProduct.of(metric) is that of a cdg_theory.Metric"
        )
        raise TypeError(msg)
