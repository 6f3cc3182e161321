r"""Theorem 7: the bounds are those of the derivation, term by term, evaluated with dense matrices.

A bound that is a little too wide lies above every error, and one a little too narrow above most:
that errors stay below it cannot pin it. So the steps of the page stand here once more, in the
plainest form: what a closed sweep does to an error is the modulus of a matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.sweeps import sweep_factors
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.rounding.bounds import factor_errors, forward_error_bound, stored
from cdg_theory.rounding.formats import FORMATS
from cdg_theory.rounding.functionals import functional_error_bound, sum_is_exact
from cdg_theory.rounding.pairs import V

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Relative = tuple[Array, Array, Array, Array | None]
    Bound = Callable[..., tuple[Array, Array]]

PAGE = "theory/rounding-derivation.md"
METRICS = (
    Metric(2.0, 3.0, 0.0),
    *(
        Metric(*weights, boundary=boundary, spacing=spacing)  # type: ignore[arg-type]
        for boundary in ("natural", "periodic")
        for weights, spacing in (
            ((2.0, 0.3, 0.05), "normalized"),
            ((2.0, 0.0, 0.05), "normalized"),
            ((0.5, 5.0, 0.7), "unit"),
        )
    ),
)
# float16 shows what the smallest normal number adds, float32 the terms of second order, float64 the
# factors' own errors.
ACCUMULATORS = ("float16", "float32", "float64")
SIZES = (1, 2, 3, 8)
SAME = 1e-9


def _normalized(weights: Array, errors: Array) -> Array:
    """Return the relative errors of h/Σh: its own, the sum's, n−1 additions and a division."""
    return errors + weights @ errors + (len(weights) + 1) * V


def _factor_errors(metric: Metric, n: int) -> Relative:
    """Return err(p), err(1/pivot) and the errors of the closing weights: step "the factors"."""
    factors = sweep_factors(metric, n)
    beta, c = metric.fluctuation, metric.stiffness(n)
    if factors.flux is not None:
        q = c / (c + beta / 2 + np.sqrt(beta * c + beta**2 / 4))
        # E is accurate to 5v and p to (1−q)·(v + 5v) + 2v; a power adds a rounding per factor.
        carry = np.full(n - 1, (1 - q) * 6 * V + 2 * V)
        gain = np.full(n, q * V + (1 - q) * 5 * V + 2 * V)
        powers = np.arange(n) * ((1 - q) * 6 + 3) * V + 4 * V
        flux = _normalized(factors.flux, powers)
        return carry, gain, flux[::-1], flux
    E, e, carries, gains = beta, 0.0, [], []
    for _ in range(n):
        p = c / (c + E)
        carries.append((1 - p) * (V + e) + 2 * V)
        # The pivot c + E weighs v and e by its two parts; it is rounded, and so is its reciprocal.
        gains.append(p * V + (1 - p) * e + 2 * V)
        following = beta + p * E
        share = p * E / following if E else 0.0
        E, e = following, share * ((1 - p) * V + p * e + 3 * V) + V
    # h_i is the product of the carries from i on.
    powers = np.array([sum(error + V for error in carries[i : n - 1]) for i in range(n)])
    return np.array(carries[:-1]), np.array(gains), _normalized(factors.closure, powers), None


def _sweep_matrix(carry: Array) -> Array:
    """Return F with (Fr)_i = r_i + p_{i−1}(Fr)_{i−1}; its transpose sweeps backward."""
    n = len(carry) + 1
    return np.array([[np.prod(carry[j:i]) if j <= i else 0.0 for j in range(n)] for i in range(n)])


@dataclass(frozen=True)
class _Steps:
    """The steps of the page for one accumulator; ``sums`` is what a sum's error counts beside n."""

    metric: Metric
    n: int
    accumulator: str
    sums: int

    @property
    def u(self) -> float:
        return FORMATS[self.accumulator].unit_roundoff

    @property
    def tiny(self) -> float:
        return FORMATS[self.accumulator].smallest_normal

    @property
    def slack(self) -> float:
        return 40 * self.n * self.u

    def mean(self, values: Array, errors: Array) -> Array:
        roundings = (self.n + self.sums) * self.u
        bound: Array = roundings * np.abs(values).mean(0) + errors.mean(0) + self.tiny
        return bound

    def sweep(
        self,
        F: Array,
        values: Array,
        errors: Array,
        carried: Array,
        weights: Array | None,
        weight_error: Array | None,
    ) -> tuple[Array, Array]:
        """Return what a sweep, closed where it has weights, makes of values and of errors."""
        swept: Array = F @ values
        # What a carry multiplies is the row before; going backward, the one after.
        forward = not np.triu(F, 1).any()
        padded = np.array([0.0, *carried] if forward else [*carried, 0.0])
        before = np.roll(np.abs(swept), 1 if forward else -1, axis=0)
        local = errors + self.u * np.abs(swept) + self.tiny + padded[:, None] * before
        if weights is None or weight_error is None:
            return swept, F @ local
        column, total = weights[:, None], swept.sum(0)
        closed = F - column * F.sum(0)
        remainder = np.abs(closed) @ local - F @ local
        out = closed @ values
        error = F @ local + remainder + self.slack * (F @ local + np.abs(remainder))
        known = (weight_error + 3 * self.u)[:, None]
        error += column * (self.n * self.u * np.abs(swept).sum(0) + known * np.abs(total))
        return out, error + self.u * np.abs(out) + self.tiny * (1 + np.abs(total))

    def sweeps(self, r: Array, errors: Array) -> tuple[Array, Array]:
        """Return x and its error: forward, gain, backward."""
        factors = sweep_factors(self.metric, self.n)
        carry, gain, closure, flux = _factor_errors(self.metric, self.n)
        F, carried = _sweep_matrix(factors.carry), factors.carry * (carry + 2 * self.u)
        y, error = self.sweep(F, r, errors, carried, factors.flux, flux)
        column = factors.gain[:, None]
        y, error = column * y, column * error
        error = error + (gain + 2 * self.u)[:, None] * np.abs(y) + self.tiny
        return self.sweep(F.T, y, error, carried, factors.closure, closure)

    def bound(self, g: Array) -> tuple[Array, Array]:
        """Return k and the bound, before the last rounding."""
        alpha, beta = self.metric.mean, self.metric.fluctuation
        mean, r = g.mean(0), g - g.mean(0)
        first = self.mean(g, np.zeros_like(g))
        local = self.u * (np.abs(r) + first) + self.tiny
        shift = self.mean(np.abs(r) + first, local)
        if self.metric.derivative:
            x, error = self.sweeps(r, 2 * local)
            ones = np.ones((self.n, 1))
            response, response_error = self.sweeps(ones, 0 * ones)
            error = error + (np.abs(response) + response_error) * shift
        else:
            x = r / beta
            error = (2 * local + shift) / beta + 2 * self.u * np.abs(x) + self.tiny
        k = mean / alpha + x
        error = error + (shift + 3 * self.u * np.abs(mean)) / alpha + self.u * np.abs(k) + self.tiny
        return k, error / (1 - self.slack)


def _functional_bound(g: Array, metric: Metric, accumulator: str, sums: int) -> tuple[Array, Array]:
    """Return k and the bound for kernels that know the constants, before the last rounding."""
    n, fmt = len(g), FORMATS[accumulator]
    u, moduli = fmt.unit_roundoff, np.abs(g)
    average = moduli.mean(0)
    mean_error = np.where(sum_is_exact(g, fmt.precision), 2.0, n + sums + 1.0) * u * average
    k = forward_error_bound(g, metric).gradient
    if not metric.derivative:
        error = (mean_error + 4 * u * np.abs(g - g.mean(0))) / metric.fluctuation
    else:
        factors = sweep_factors(metric, n)
        carry, gain_error, _, flux = _factor_errors(metric, n)
        F, step = _sweep_matrix(factors.carry), max(carry, default=0.0) + 8 * u
        first, start, start_error = moduli + average, 0.0, 0.0
        if factors.flux is not None and flux is not None:
            start = moduli.sum(0)
            start_error = (flux.max() + (2 * n + 8) * u) * start
        one_hot = np.eye(n)[:, [-1]] - 1.0 / n
        # Of the part of mean zero alone: what is said of the mean is divided by its weight.
        weights = forward_error_bound(one_hot, replace(metric, mean=2.0**400))
        end_error = ((weights.bound + (n + 4) * u * np.abs(weights.gradient)) * moduli).sum(0)
        gain, last = factors.gain[:, None], np.abs(k[-1])
        if metric.fluctuation == 0:
            # Any sum is of all numbers, at most, and meets as many roundings whatever its order.
            roundings, held = (1.5 * n + 16) * u, start / 2 + first.sum(0)
            flow = (2.5 * n + 8) * u * start + roundings * held + n * mean_error
            risen = n * factors.gain[0] * (flow + (gain_error[0] + roundings) * held)
            error = np.ones((n, 1)) * (end_error + roundings * last + risen)
        else:
            along = 0.0 if factors.flux is None else (factors.flux / factors.flux[0])[:, None]
            size, error = F @ first + along * start, along * start_error
            error = error + F @ (step * size + mean_error)
            size, error = gain * size, gain * error + (gain_error + step)[:, None] * gain * size
            h = (factors.closure / factors.closure[-1])[:, None]
            error = F.T @ (error + step * (F.T @ size + h * last)) + h * end_error
    error = error + (mean_error + 4 * u * average) / metric.mean + 2 * u * np.abs(k)
    return k, (error + n * fmt.smallest_normal) / (1 - 40 * n * u)


def _gradients(n: int) -> Iterator[Array]:
    """Yield columns with short significands and means, columns over many decades, and zeros."""
    rng = np.random.default_rng(n)
    short = rng.standard_normal((n, 3)) + np.array([0.0, 4.0, -1.0])
    yield short.astype(np.float32).astype(float)
    yield rng.standard_normal((n, 2)) * 10.0 ** np.arange(0, 2 * n, 2)[:, None]
    yield np.zeros((n, 1))


def _same(found: Any, page: Any) -> bool:
    if found is None or page is None:
        return found is page
    return np.allclose(found, page, rtol=SAME, atol=1e-300)


def _closing(sums: int = 1) -> bool:
    """Compare the factors' errors and the bound of sweeps that close themselves."""
    for metric, n in product(METRICS, SIZES):
        if metric.derivative:
            known = factor_errors(metric, n)
            fields = known.carry, known.gain, known.closure, known.flux
            if not all(map(_same, fields, _factor_errors(metric, n))):
                return False
        for accumulator, g in product(ACCUMULATORS, _gradients(n)):
            found = forward_error_bound(g, metric, dtype=accumulator, accumulator=accumulator)
            k, bound = _Steps(metric, n, accumulator, sums).bound(g)
            # Entries of k that are nearly 0 are known as well as the column's largest one.
            near = SAME * np.abs(k).max()
            if abs(found.gradient - k).max() > near or not _same(found.bound, bound):
                return False
    return True


def _functionals(sums: int = 1) -> bool:
    """Compare the bound of kernels that know the constants, and when their sums are exact."""
    columns = [[1.0, 3.0, 0.0], [1.0, 2.0**-51, 0.0], [1.0, 2.0**-60, 0.0], [0.0, 0.0, 0.0]]
    columns += [[2.0**-30, 0.0, 5 * 2.0**-33], [2.0**90, 3 * 2.0**88, 0.0], [1.0, 2.0**-52, 0.0]]
    for precision, exact in ((53, [1, 1, 0, 1, 1, 1, 0]), (11, [1, 0, 0, 1, 1, 1, 0])):
        if sum_is_exact(np.array(columns).T, precision).tolist() != list(map(bool, exact)):
            return False
    for metric, n, accumulator in product(METRICS, SIZES, ACCUMULATORS):
        formats = {"dtype": accumulator, "accumulator": accumulator}
        for g in _gradients(n):
            found = functional_error_bound(g, metric, **formats)
            k, bound = _functional_bound(g, metric, accumulator, sums)
            closing = forward_error_bound(g, metric, **formats).bound
            near = SAME * np.abs(k).max()
            if abs(found.gradient - k).max() > near:
                return False
            if not _same(found.bound, np.maximum(bound, closing)):
                return False
    return True


def _last_rounding(way: float = 1.0) -> bool:
    r"""Compare the last rounding, to bfloat16: half an ulp at :math:`|k|+\text{error}`.

    From float64 by ``way`` of float32: first that one's roundoff, and its smallest number.
    """
    single, least = way * 2.0**-24, way * 2.0**-149
    cases = [
        (1.0, 0.0, "float32", 2.0**-8),
        (1.0, 1.5, "float32", 1.5 + 2.0**-7),
        (1.0, 0.0, "float64", single + least + 2.0**-8),
        (1.0, 0.5, "float64", 0.5 + 1.5 * single + least + 2.0**-8),
        (0.0, 0.0, "float64", least + 2.0**-134),
        (1.0, 0.5, "bfloat16", 0.5),
    ]
    return all(
        stored(np.array([k]), np.array([error]), FORMATS["bfloat16"], FORMATS[inner]) == expected
        for k, error, inner, expected in cases
    )


_SCOPE = "seven members, n in {1, 2, 3, 8}, three accumulators, columns of three kinds"

THEOREMS = (
    Theorem(
        id="T7.derived-closing",
        title="Rounding: the bound is the derivation's, term by term",
        statement="What the code computes in linear time is the page's bound, evaluated with the "
        "dense matrices of the closed sweeps; the errors of the factors are the recursion's.",
        tex=r"\epsilon=\sum_j|N_{ij}|\,\ell_j+\dots",
        scope=_SCOPE,
        kind="numeric",
        check=_closing,
        variant=partial(_closing, sums=0),
        perturbed="The same with n for n + 1 roundings in a mean.",
        page=PAGE,
    ),
    Theorem(
        id="T7.derived-functionals",
        title="Rounding: the bound with known constants is the derivation's",
        statement="The bound of kernels that know the constants is the page's, evaluated with the "
        "dense matrices of the sweeps on moduli.",
        tex=r"\epsilon_e=\sum_j\bigl(\mathrm{err}(w_j)+(n+4)u|w_j|\bigr)|g_j|",
        scope=_SCOPE,
        kind="numeric",
        check=_functionals,
        variant=partial(_functionals, sums=0),
        perturbed="The same with n + 1 for n + 2 roundings in the mean.",
        page="theory/rounding-variants.md",
    ),
    Theorem(
        id="T7.last-rounding",
        title="Rounding: the last one",
        statement=(
            "Storing a result in a narrower format adds half an ulp, taken at the largest "
            "value that the entry may have. The 16-bit formats are reached from float64 by "
            "way of float32, which adds a unit roundoff of float32."
        ),
        tex=r"\tfrac12\mathrm{ulp}_{\mathrm{out}}(|k_i|+\epsilon_i)+2^{-24}(|k_i|+\epsilon_i)",
        scope="six cases of bfloat16, exact",
        kind="exact",
        check=_last_rounding,
        variant=partial(_last_rounding, way=0.0),
        perturbed="Float64 is rounded to bfloat16 at once.",
        page=PAGE,
    ),
)
