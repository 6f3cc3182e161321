"""The metric family: four weights, a boundary condition and a spacing, as declared data.

Everything in the library, the continuum theory, the discrete operators, the linear-time
algorithms and the optimizers, reads a metric from this one object and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from cdg_theory.checks import described, finite_number, one_of
from cdg_theory.display import linear_combination

Boundary = Literal["natural", "periodic"]
Spacing = Literal["normalized", "unit"]
_BOUNDARIES, _SPACINGS = get_args(Boundary), get_args(Spacing)

#: Between these lie all weights that are not 0: their products with n², and the reciprocals of
#: those, stay away from both ends of float64.
SMALLEST, LARGEST = 1e-150, 1e150
#: The largest ratio of another term's weight to a curvature above 0: its square is a float64 too.
STEEPEST = 1e100
#: Between these lie all lengths in channels: fourth powers are weights of a curvature.
SHORTEST, LONGEST = 1e-25, 1e37

_TERMS = ("fluctuation", "derivative", "curvature")


def _strength(lam: object, *, zero: str) -> float:
    number = finite_number("lam", lam, cure=zero)
    if number <= 0:
        msg = f"lam must be finite and > 0, got {number}; {zero}"
        raise ValueError(msg)
    return number


@dataclass(frozen=True, slots=True)
class Metric:
    r"""An inner product on functions of the output channel, :math:`o \in [0,1]`.

    .. math::

        \langle h, k\rangle = \alpha\,\bar h\,\bar k
            + \beta \int_0^1 (h-\bar h)(k-\bar k)\,do
            + \gamma \int_0^1 h'\,k'\,do
            + \delta \int_0^1 h''\,k''\,do,
        \qquad \bar h = \int_0^1 h\,do .

    Here :math:`h, k` are two functions of the output channel, and :math:`\bar h` is the mean of
    :math:`h`. The gradient of a loss in the metric is the :math:`k` with
    :math:`\langle h,k\rangle=\int gh\,do` for every :math:`h`, where :math:`g` is the ordinary one.

    On a tensor with :math:`n` output channels it becomes the Gram matrix
    :math:`M = \alpha P + \beta (I-P) + \gamma s L + \delta s^2 L^2`, with
    :math:`P = \mathbf 1\mathbf 1^T/n`, :math:`L` the Laplacian of the path (natural) or of the
    cycle (periodic), and :math:`s = n^2` (normalized spacing) or :math:`s = 1` (unit spacing).

    ===============  ==================  ====================================================
    symbol           argument            meaning
    ===============  ==================  ====================================================
    :math:`\alpha`   ``mean``            weight of the mean over output channels, > 0
    :math:`\beta`    ``fluctuation``     weight of what is left when the mean is taken off, >= 0
    :math:`\gamma`   ``derivative``      weight of the derivative along output channels, >= 0
    :math:`\delta`   ``curvature``       weight of the second derivative, >= 0
    (end condition)  ``boundary``        ``"natural"`` (Neumann) or ``"periodic"``
    :math:`s`        ``spacing``         ``"normalized"`` (channels fill [0,1]) or ``"unit"``
    ===============  ==================  ====================================================

    With a curvature term, functions have slope 0 at natural ends. The term is then that of the
    squared Laplacian, with the same cosines and waves (theorem 18).

    The weights are dimensionless; with unit spacing ``derivative`` is in channels squared and
    ``curvature`` in channels to the fourth.
    The library admits the convex cone :math:`\alpha>0,\ \beta,\gamma,\delta\ge0,\
    \beta+\gamma+\delta>0`, as far as float64 reaches: weights other than 0 lie between 1e-150 and
    1e150, and no weight but the mean's is more than 1e100 times a curvature above 0.
    The exact condition for positive definiteness is a little weaker (theorem 1): slightly
    negative :math:`\beta` can still be definite, and is refused here all the same.

    The cone is convex: metrics can be added, and multiplied by numbers > 0. Without derivative and
    curvature there is no boundary and no spacing; two metrics that have them must have the same.

    Raises
    ------
    TypeError
        If a weight is not a real number.
    ValueError
        If the weights lie outside the cone or the range, or ``boundary`` or ``spacing`` is unknown.

    See Also
    --------
    cdg_theory.fit_metric : The member that fits given columns.
    cdg_torch.riemannian_gradient : Uses it on a tensor.
    cdg_torch.attach : Trains with it.
    cdg_theory.continuum.InnerProduct : The same with SymPy's symbols.
    cdg_torch.blend : A metric between this one and L².

    Examples
    --------
    >>> from cdg_theory import Metric
    >>> Metric.reweighted_h0(10.0)
    Metric(mean=1.0, fluctuation=10.0, derivative=0.0, curvature=0.0, boundary='natural', ...)
    >>> Metric.sobolev(0.5).derivative
    0.5
    >>> 0.5 * Metric.l2() + 0.5 * Metric.sobolev(8.0, boundary="periodic")
    Metric(mean=1.0, fluctuation=0.5, derivative=4.0, curvature=0.0, boundary='periodic', ...)
    >>> Metric(mean=0.0)
    Traceback (most recent call last):
    ...
    ValueError: mean must be > 0, got 0.0; the mean over output channels needs a positive weight...

    Notes
    -----
    Source: arXiv 2008.10766, the sections on re-weighted H⁰ and channel-directed Sobolev metrics.
    """

    mean: float = 1.0
    fluctuation: float = 1.0
    derivative: float = 0.0
    curvature: float = 0.0
    # Keyword-only: Metric(1, 0, 1, "periodic") would read like another weight.
    boundary: Boundary = field(default="natural", kw_only=True)
    spacing: Spacing = field(default="normalized", kw_only=True)

    def __post_init__(self) -> None:
        weights = {
            "mean": finite_number("mean", self.mean, cure="1.0 keeps the mean as it is"),
            **{
                name: finite_number(name, getattr(self, name), cure="0.0 leaves the term out")
                for name in _TERMS
            },
        }
        mean, *terms = weights.values()
        if mean <= 0:
            msg = (
                f"mean must be > 0, got {mean}; the mean over output channels needs a positive "
                "weight, 1.0 keeps it as it is"
            )
            raise ValueError(msg)
        for name in _TERMS:
            if weights[name] < 0:
                msg = f"{name} must be >= 0, got {weights[name]}; use 0.0 to leave the term out"
                raise ValueError(msg)
        if not any(terms):
            msg = (
                f"{', '.join(_TERMS[:-1])} and {_TERMS[-1]} are all 0, so the form is not "
                "definite; give one of them a positive weight, or use Metric.l2() for no smoothing"
            )
            raise ValueError(msg)
        for name, weight in weights.items():
            if weight != 0 and not SMALLEST <= weight <= LARGEST:
                msg = (
                    f"{name} must lie between {SMALLEST:g} and {LARGEST:g}, got {weight}; "
                    "scale all weights, which scales the gradient inversely"
                    + ("" if name == "mean" else ", or use 0.0 to leave the term out")
                )
                raise ValueError(msg)
        curvature = weights["curvature"]
        if curvature and curvature * STEEPEST < max(terms):
            msg = (
                f"curvature must be at least {1 / STEEPEST:g} times the fluctuation and the "
                f"derivative, got {curvature} beside {max(terms)}; use 0.0 to leave the term out"
            )
            raise ValueError(msg)
        one_of("boundary", self.boundary, _BOUNDARIES)
        one_of("spacing", self.spacing, _SPACINGS)
        # Integers and NumPy scalars become floats; -0.0 becomes 0.0.
        for name, weight in weights.items():
            object.__setattr__(self, name, weight + 0.0)

    @classmethod
    def l2(cls) -> Metric:
        """Return the ordinary L² metric, (1, 1, 0): its gradient is the gradient torch computes.

        Examples
        --------
        >>> Metric.l2().is_multiple_of_l2
        True
        """
        return cls(1.0, 1.0, 0.0)

    @classmethod
    def reweighted_h0(cls, lam: float) -> Metric:
        r"""Return the paper's re-weighted H⁰ metric, :math:`(1, \lambda, 0)`.

        Its gradient is :math:`k = \bar g + (g-\bar g)/\lambda`: :math:`\lambda>1` smooths,
        :math:`\lambda=1` is the ordinary gradient, :math:`\lambda<1` sharpens.

        Raises
        ------
        TypeError, ValueError
            If ``lam`` is not a finite number > 0.

        Examples
        --------
        >>> from cdg_theory import discrete
        >>> discrete.riemannian_gradient([1.0, 2.0, 6.0], Metric.reweighted_h0(2.0))
        array([2. , 2.5, 4.5])
        """
        return cls(1.0, _strength(lam, zero="use Metric.l2() for no smoothing"), 0.0)

    @classmethod
    def sobolev(
        cls, lam: float, *, boundary: Boundary = "natural", spacing: Spacing = "normalized"
    ) -> Metric:
        r"""Return the paper's channel-directed Sobolev metric, :math:`(1, 0, \lambda)`.

        Its gradient keeps the mean and damps mode :math:`m` by :math:`\lambda\pi^2m^2` (natural)
        or :math:`4\lambda\pi^2m^2` (periodic). There is no zero-smoothing limit: as
        :math:`\lambda\to0` the gradient diverges, and :math:`\lambda<1/\pi^2` (natural)
        amplifies the lowest mode.

        Raises
        ------
        TypeError, ValueError
            If ``lam`` is not a finite number > 0, or ``boundary`` or ``spacing`` is unknown.

        Examples
        --------
        >>> metric = Metric.sobolev(0.5, boundary="periodic")
        >>> metric.mean, metric.fluctuation, metric.derivative
        (1.0, 0.0, 0.5)
        """
        weight = _strength(lam, zero="use Metric.l2() for no smoothing")
        return cls(1.0, 0.0, weight, boundary=boundary, spacing=spacing)

    @classmethod
    def ordinary_sobolev(
        cls, lam: float, *, boundary: Boundary = "natural", spacing: Spacing = "normalized"
    ) -> Metric:
        r"""Return the ordinary H¹ metric, :math:`(1, 1, \lambda)`.

        Osher et al. (2018) use it on the rasterised tensor, periodic, with unit spacing, by FFT.
        Here it acts along output channels, in linear time. Mode :math:`m` is divided by
        :math:`1+\lambda\pi^2m^2` (natural) or :math:`1+4\lambda\pi^2m^2` (periodic), so
        :math:`\lambda\to0` is the ordinary gradient.

        Raises
        ------
        TypeError, ValueError
            If ``lam`` is not a finite number > 0, or ``boundary`` or ``spacing`` is unknown.

        Examples
        --------
        >>> metric = Metric.ordinary_sobolev(0.01)
        >>> metric.mean, metric.fluctuation, metric.derivative
        (1.0, 1.0, 0.01)
        """
        weight = _strength(lam, zero="use Metric.l2() for no smoothing")
        return cls(1.0, 1.0, weight, boundary=boundary, spacing=spacing)

    @classmethod
    def biharmonic(
        cls, lam: float, *, boundary: Boundary = "natural", spacing: Spacing = "normalized"
    ) -> Metric:
        r"""Return the second-order member :math:`(1, 0, 0, \lambda)`, of the squared Laplacian.

        As :meth:`sobolev`, with the second derivative in place of the first: mode :math:`m` is
        damped by :math:`\lambda(\pi m)^4` (natural) or :math:`\lambda(2\pi m)^4` (periodic).

        Raises
        ------
        TypeError, ValueError
            If ``lam`` is not a finite number > 0, or ``boundary`` or ``spacing`` is unknown.

        Examples
        --------
        >>> metric = Metric.biharmonic(0.1)
        >>> metric.fluctuation, metric.derivative, metric.curvature
        (0.0, 0.0, 0.1)
        """
        weight = _strength(lam, zero="use Metric.l2() for no smoothing")
        return cls(1.0, 0.0, 0.0, weight, boundary=boundary, spacing=spacing)

    @classmethod
    def spline(
        cls, lam: float, *, boundary: Boundary = "natural", spacing: Spacing = "normalized"
    ) -> Metric:
        r"""Return the second-order member :math:`(1, 1, 0, \lambda)`, a smoothing spline's.

        Its gradient minimises :math:`\int(k-g)^2 + \lambda\int k''^2`, as a cubic smoothing spline
        does, over functions of slope 0 at natural ends.

        Raises
        ------
        TypeError, ValueError
            If ``lam`` is not a finite number > 0, or ``boundary`` or ``spacing`` is unknown.

        Examples
        --------
        >>> metric = Metric.spline(1e-4)
        >>> metric.fluctuation, metric.derivative, metric.curvature
        (1.0, 0.0, 0.0001)
        """
        weight = _strength(lam, zero="use Metric.l2() for no smoothing")
        return cls(1.0, 1.0, 0.0, weight, boundary=boundary, spacing=spacing)

    @classmethod
    def of_length(
        cls, length: float, *, derivative_order: int = 2, boundary: Boundary = "natural"
    ) -> Metric:
        r"""Return the member that smooths over a given number of channels.

        .. math::

            M = P + (I-P) + \ell^2L \quad\text{(first order)}, \qquad
            M = P + (I-P) + \ell^4L^2 \quad\text{(second order)}

        The mean is kept. A wave of :math:`2\pi\ell` channels is about halved, longer waves are
        nearly kept, shorter ones nearly removed. So a learning rate keeps its meaning for what
        varies slowly.

        ===============  ====================  ===============================================
        symbol           argument              meaning
        ===============  ====================  ===============================================
        :math:`\ell`     ``length``            in channels, > 0
        (order)          ``derivative_order``  1 or 2: which derivative the metric penalizes
        (end condition)  ``boundary``          ``"natural"`` or ``"periodic"``
        ===============  ====================  ===============================================

        Raises
        ------
        TypeError, ValueError
            If ``length`` is no number from 1e-25 to 1e37, ``derivative_order`` neither 1 nor 2, or
            ``boundary`` is unknown.

        Examples
        --------
        >>> Metric.of_length(3.0, derivative_order=1) == Metric(1.0, 1.0, 9.0, spacing="unit")
        True
        """
        ell = finite_number("length", length, cure="in channels, 4.0 for example")
        if not SHORTEST <= ell <= LONGEST:
            msg = (
                f"length must lie between {SHORTEST:g} and {LONGEST:g} channels, got {ell}; 4.0 is "
                "usual, Metric.l2() has no smoothing"
            )
            raise ValueError(msg)
        if not isinstance(derivative_order, int) or derivative_order not in {1, 2}:
            msg = f"derivative_order must be 1 or 2, got {described(derivative_order)}"
            raise ValueError(msg)
        weights = (ell**2, 0.0) if derivative_order == 1 else (0.0, ell**4)
        return cls(1.0, 1.0, *weights, boundary=boundary, spacing="unit")

    @property
    def is_multiple_of_l2(self) -> bool:
        """Whether the gradient is the ordinary one up to the factor ``1/mean``."""
        return self.derivative_order == 0 and self.fluctuation == self.mean

    @property
    def derivative_order(self) -> int:
        """The highest derivative in the form: 0, 1 (derivative) or 2 (curvature)."""
        return 2 if self.curvature else int(self.derivative != 0)

    def __add__(self, other: object) -> Metric:
        if not isinstance(other, Metric):
            return NotImplemented
        space = self if self.derivative_order else other
        for name in ("boundary", "spacing"):
            ours, theirs = getattr(self, name), getattr(other, name)
            if self.derivative_order and other.derivative_order and ours != theirs:
                msg = (
                    f"metrics that are added must have the same {name}, got {ours!r} and "
                    f"{theirs!r}: their derivatives differ"
                )
                raise ValueError(msg)
        weights = {name: getattr(self, name) + getattr(other, name) for name in ("mean", *_TERMS)}
        return replace(space, **weights)

    def __mul__(self, factor: object) -> Metric:
        c = finite_number("factor", factor, cure="a metric is multiplied by a number > 0")
        if c <= 0:
            msg = f"factor must be > 0, got {c}: a metric is multiplied by a number > 0"
            raise ValueError(msg)
        return replace(self, **{name: c * getattr(self, name) for name in ("mean", *_TERMS)})

    __rmul__ = __mul__

    def _repr_latex_(self) -> str:
        smooth, square = ("L", "L^2") if self.spacing == "unit" else ("n^2L", "n^4L^2")
        graph = "path" if self.boundary == "natural" else "cycle"
        terms = [
            (self.mean, "P"),
            (self.fluctuation, "(I-P)"),
            (self.derivative, rf"{smooth}_{{\text{{{graph}}}}}"),
            (self.curvature, rf"{square}_{{\text{{{graph}}}}}"),
        ]
        return f"$M = {linear_combination(terms)}$"

    def stiffness(self, n: int) -> float:
        r"""Return :math:`\gamma s`, the weight of the graph Laplacian for ``n`` output channels."""
        return self.derivative * (n * n if self.spacing == "normalized" else 1)

    def rigidity(self, n: int) -> float:
        r"""Return :math:`\delta s^2`, the weight of the Laplacian's square for ``n`` channels."""
        return self.curvature * (n**4 if self.spacing == "normalized" else 1)


def check_normalized(metric: Metric) -> None:
    """Refuse a metric whose derivatives are per channel where there is no number of channels.

    Raises
    ------
    ValueError
        If its spacing is ``"unit"`` and it has a derivative or a curvature.
    """
    if metric.derivative_order and metric.spacing == "unit":
        msg = (
            f"spacing must be 'normalized' on [0, 1], got {metric}; for n channels take "
            "derivative / n**2, curvature / n**4 and spacing='normalized'"
        )
        raise ValueError(msg)


def check_metric(metric: object) -> None:
    """Refuse anything but a Metric.

    Raises
    ------
    TypeError
        If ``metric`` is not a :class:`cdg_theory.Metric`.
    """
    if not isinstance(metric, Metric):
        msg = (
            f"metric must be a cdg_theory.Metric, got {described(metric)}; for example "
            "Metric.reweighted_h0(10.0)"
        )
        raise TypeError(msg)
