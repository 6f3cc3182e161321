r"""The family of inner products on functions of the output channel.

.. math::

    \langle h, k\rangle = \alpha\,\bar h\,\bar k
        + \beta \int_0^1 (h-\bar h)(k-\bar k)\,do
        + \gamma \int_0^1 h'\,k'\,do,
    \qquad \bar u = \int_0^1 u\,do .

Three terms, three weights: how much a change of the mean costs, how much a change of what is left
when the mean is taken off, how much roughness. Everything else in this package is derived from
:meth:`InnerProduct.__call__`, which is that formula and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import sympy as sp

from cdg_theory.checks import one_of
from cdg_theory.continuum.functions import integral, mean, o
from cdg_theory.metric import Boundary, Metric, check_metric, check_normalized

#: α, γ and μ = √(β/γ), apart from any symbol that a reader may use.
_WEIGHTS = tuple(sp.Dummy(name, positive=True) for name in ("alpha", "gamma", "mu"))


@dataclass(frozen=True)
class InnerProduct:
    r"""One member of the family, with numbers or symbols as weights.

    ==============  ===============  =====================================================
    symbol          field            meaning
    ==============  ===============  =====================================================
    :math:`\alpha`  ``mean``         weight of the mean
    :math:`\beta`   ``fluctuation``  weight of the fluctuation :math:`h-\bar h`
    :math:`\gamma`  ``derivative``   weight of the derivative
    (space)         ``boundary``     ``"natural"``: all functions with a square-integrable
                                     derivative; ``"periodic"``: those with h(0) = h(1)
    ==============  ===============  =====================================================

    Weights of any sign are admitted: theorem 1 asks for which of them the form is definite, so it
    needs the others too. :meth:`check_definite` refuses those.

    Raises
    ------
    ValueError
        If ``boundary`` is neither word.
    sympy.SympifyError
        If a weight is not a number or a symbolic expression.

    Examples
    --------
    >>> from cdg_theory.continuum import generic, o
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
    boundary: Boundary = "natural"

    def __post_init__(self) -> None:
        one_of("boundary", self.boundary, get_args(Boundary))
        for name in ("mean", "fluctuation", "derivative"):
            object.__setattr__(self, name, sp.sympify(getattr(self, name), strict=True))

    def check_definite(self) -> None:
        r"""Refuse a form that is certainly not positive definite.

        :math:`\alpha>0,\ \gamma\ge0,\ \beta+\gamma\mu_1>0` with :math:`\mu_1=\pi^2` (natural) or
        :math:`4\pi^2` (periodic): theorem 1. Symbols whose signs are not known are let through.

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
        """
        first = (1 if self.boundary == "natural" else 4) * sp.pi**2
        lowest = self.fluctuation + self.derivative * first
        for says, value, holds in (
            ("mean", self.mean, self.mean > 0),
            ("derivative", self.derivative, self.derivative >= 0),
            (f"fluctuation + derivative*{first}", lowest, lowest > 0),
        ):
            if holds == False:  # noqa: E712 - undecided relations are neither
                msg = (
                    f"the form must be positive definite, but {says} = {value}; theorem 1 says "
                    "which weights are"
                )
                raise ValueError(msg)

    def __call__(self, h: Any, k: Any) -> Any:
        r"""Return :math:`\langle h,k\rangle`."""
        alpha, beta, gamma = self.mean, self.fluctuation, self.derivative
        form = (
            alpha * mean(h) * mean(k)
            + beta * integral((h - mean(h)) * (k - mean(k)))
            + gamma * integral(sp.diff(h, o) * sp.diff(k, o))
        )
        return sp.expand(form)

    def _repr_latex_(self) -> str:
        terms = (
            (self.mean, r"\bar h\,\bar k"),
            (self.fluctuation, r"\int_0^1(h-\bar h)(k-\bar k)\,do"),
            (self.derivative, r"\int_0^1h'k'\,do"),
        )
        shown = [
            symbol if weight == 1 else rf"\left({sp.latex(weight)}\right){symbol}"
            for weight, symbol in terms
            if weight != 0
        ]
        space = "" if self.boundary == "natural" else r",\qquad h(0)=h(1),\ k(0)=k(1)"
        return rf"$\displaystyle\langle h,k\rangle = {' + '.join(shown)}{space}$"

    @classmethod
    def l2(cls) -> InnerProduct:
        """Return the ordinary inner product, (1, 1, 0)."""
        return cls(1, 1, 0)

    @classmethod
    def reweighted_h0(cls, lam: Any) -> InnerProduct:
        r"""Return the re-weighted H⁰ product, :math:`(1,\lambda,0)`."""
        return cls(1, lam, 0)

    @classmethod
    def sobolev(cls, lam: Any, boundary: Boundary = "natural") -> InnerProduct:
        r"""Return the channel-directed Sobolev product H̃¹, :math:`(1,0,\lambda)`."""
        return cls(1, 0, lam, boundary)

    @classmethod
    def ordinary_sobolev(cls, lam: Any, boundary: Boundary = "natural") -> InnerProduct:
        r"""Return the ordinary H¹ product, :math:`(1,1,\lambda)`."""
        return cls(1, 1, lam, boundary)

    @classmethod
    def general(cls, boundary: Boundary = "natural") -> InnerProduct:
        r"""Return the general member, :math:`(\alpha,\ \gamma\mu^2,\ \gamma)`.

        Writing :math:`\beta=\gamma\mu^2` with :math:`\mu=\sqrt{\beta/\gamma}` loses nothing and
        keeps every formula rational in :math:`\mu` and in exponentials of it.
        """
        alpha, gamma, mu = sp.symbols("alpha gamma mu", positive=True)
        return cls(alpha, gamma * mu**2, gamma, boundary)

    def with_symbols(self) -> tuple[InnerProduct, dict[Any, Any]]:
        r"""Return this member with symbols for its positive weights, and what they stand for.

        Equations are solved once, with symbols: solving them over the number field of
        :math:`\sqrt{\beta/\gamma}` would be the same work again and very much slower. Weights that
        are 0 stay 0, since they decide which equation it is.

        Examples
        --------
        >>> InnerProduct.sobolev(3).with_symbols()[0].fluctuation
        0
        """
        alpha, gamma, mu = _WEIGHTS
        if self.derivative == 0:
            return self, {}
        values = {alpha: self.mean, gamma: self.derivative}
        if self.fluctuation == 0:
            return InnerProduct(alpha, 0, gamma, self.boundary), values
        values[mu] = sp.sqrt(sp.cancel(self.fluctuation / self.derivative))
        return InnerProduct(alpha, gamma * mu**2, gamma, self.boundary), values

    @classmethod
    def of(cls, metric: Metric) -> InnerProduct:
        """Return the inner product of a :class:`~cdg_theory.Metric`, its weights as rationals.

        Raises
        ------
        TypeError
            If ``metric`` is not a metric.
        ValueError
            If its spacing is "unit" and it has a derivative: the continuum is the unit interval,
            and knows no number of channels.

        Examples
        --------
        >>> from cdg_theory import Metric
        >>> InnerProduct.of(Metric(1, 0.5, 0.25)).derivative
        1/4
        """
        check_metric(metric)
        check_normalized(metric)
        alpha, beta, gamma = map(sp.Rational, (metric.mean, metric.fluctuation, metric.derivative))
        return cls(alpha, beta, gamma, metric.boundary)

    @classmethod
    def from_terms(
        cls,
        *,
        square: Any = 0,
        mean: Any = 0,
        fluctuation: Any = 0,
        derivative: Any = 0,
        length: Any = 1,
        boundary: Boundary = "natural",
    ) -> InnerProduct:
        r"""Return the member that another arrangement of the terms is, on any interval.

        .. math:: a\int_0^\ell hk\,dt + b\,\bar h\bar k + c\int_0^\ell(h-\bar h)(k-\bar k)\,dt
            + d\int_0^\ell \dot h\,\dot k\,dt, \qquad t=\ell\,o,\quad \bar u=\tfrac1\ell\int u\,dt

        ==============  ============  ==========================================
        symbol          argument      meaning
        ==============  ============  ==========================================
        :math:`a`       square        weight of the plain product
        :math:`b`       mean          weight of the product of the means
        :math:`c`       fluctuation   weight of the fluctuations' product
        :math:`d`       derivative    weight of the derivatives' product
        :math:`\ell`    length        length of the interval
        ==============  ============  ==========================================

        The weights are found by testing the form with 1, :math:`o-\frac12` and
        :math:`o^2-o+\frac16`, not looked up.

        Examples
        --------
        >>> a, b, d, length = sp.symbols("a b d ell", positive=True)
        >>> InnerProduct.from_terms(square=a, mean=b, derivative=d)
        InnerProduct(mean=a + b, fluctuation=a, derivative=d, boundary='natural')

        Sundaramoorthi, Yezzi and Mennucci make the curve's length drop out by dividing the first
        term by it and multiplying the second with it:

        >>> InnerProduct.from_terms(mean=1, derivative=length * d, length=length)
        InnerProduct(mean=1, fluctuation=0, derivative=d, boundary='natural')
        """
        a, b, c, d, ell = (
            sp.sympify(x, strict=True) for x in (square, mean, fluctuation, derivative, length)
        )

        def form(h: Any) -> Any:
            # t = ℓo: dt = ℓ do and d/dt = (1/ℓ) d/do.
            h_bar = integral(h)
            return (
                a * ell * integral(h * h)
                + b * h_bar**2
                + c * ell * integral((h - h_bar) ** 2)
                + d / ell * integral(sp.diff(h, o) ** 2)
            )

        alpha, beta, gamma = sp.symbols("alpha beta gamma")
        candidate = cls(alpha, beta, gamma, boundary)
        probes = (sp.Integer(1), o - sp.Rational(1, 2), o**2 - o + sp.Rational(1, 6))
        equations = [candidate(h, h) - form(h) for h in probes]
        found = sp.solve(equations, [alpha, beta, gamma], dict=True)[0]
        return cls(
            sp.expand(found[alpha]), sp.expand(found[beta]), sp.expand(found[gamma]), boundary
        )
