"""T7: the bounds are those of the derivation, term by term, evaluated here with dense matrices.

A bound that is a little too wide passes every other test, and one a little too narrow passes most:
that errors stay below it cannot pin it. So the page's steps stand here once more, in the plainest
form: what a closed sweep does to an error is the modulus of a matrix.
"""

from dataclasses import replace

import numpy as np
import pytest

from cdg_theory import Metric
from cdg_theory.discrete.sweeps import sweep_factors
from cdg_theory.rounding.bounds import V, factor_errors, forward_error_bound, stored
from cdg_theory.rounding.formats import FORMATS
from cdg_theory.rounding.functionals import functional_error_bound, sum_is_exact

METRICS = {
    "path": Metric(2.0, 0.3, 0.05),
    "path, sums": Metric(2.0, 0.0, 0.05),
    "path, short range": Metric(0.5, 5.0, 0.7, spacing="unit"),
    "cycle": Metric(2.0, 0.3, 0.05, boundary="periodic"),
    "cycle, sums": Metric(2.0, 0.0, 0.05, boundary="periodic"),
    "cycle, short range": Metric(0.5, 5.0, 0.7, boundary="periodic", spacing="unit"),
}
SIZES = [1, 2, 3, 8]


def normalized(weights, errors):
    """Return the relative errors of h/Σh: its own, the sum's, n−1 additions and a division."""
    return errors + weights @ errors + (len(weights) + 1) * V


def factor_errors_of_the_page(metric, n):
    """Return err(p), err(1/pivot) and the errors of the closing weights: step "the factors"."""
    factors = sweep_factors(metric, n)
    beta, c = metric.fluctuation, metric.stiffness(n)
    if metric.boundary == "periodic":
        q = c / (c + beta / 2 + np.sqrt(beta * c + beta**2 / 4))
        # E is accurate to 5v and p to (1−q)·(v + 5v) + 2v; a power adds a rounding per factor.
        carry = np.full(n - 1, (1 - q) * 6 * V + 2 * V)
        gain = np.full(n, q * V + (1 - q) * 5 * V + 2 * V)
        powers = np.arange(n) * ((1 - q) * 6 + 3) * V + 4 * V
        flux = normalized(factors.flux, powers)
        return carry, gain, flux[::-1], flux
    E, e, carry, gain = beta, 0.0, [], []
    for _ in range(n):
        p = c / (c + E)
        carry.append((1 - p) * (V + e) + 2 * V)
        # The pivot c + E weighs v and e by its two parts; it is rounded, and so is its reciprocal.
        gain.append(p * V + (1 - p) * e + 2 * V)
        following = beta + p * E
        share = p * E / following if E else 0.0
        E, e = following, share * ((1 - p) * V + p * e + 3 * V) + V
    # h_i is the product of the carries from i on.
    powers = np.array([sum(err + V for err in carry[i : n - 1]) for i in range(n)])
    return np.array(carry[:-1]), np.array(gain), normalized(factors.closure, powers), None


def sweep_matrix(carry):
    """Return F with (Fr)_i = r_i + p_{i−1}(Fr)_{i−1}; its transpose sweeps backward."""
    n = len(carry) + 1
    return np.array([[np.prod(carry[j:i]) if j <= i else 0.0 for j in range(n)] for i in range(n)])


class Steps:
    """The steps of the page for one accumulator."""

    def __init__(self, metric, n, accumulator):
        fmt = FORMATS[accumulator]
        self.metric, self.n, self.u, self.tiny = metric, n, fmt.unit_roundoff, fmt.smallest_normal
        self.slack = 40 * n * self.u

    def mean(self, values, errors):
        return (self.n + 1) * self.u * np.abs(values).mean(0) + errors.mean(0) + self.tiny

    def sweep(self, F, values, errors, carry, carry_error, weights, weight_error):
        """Return what a sweep, closed where it has weights, makes of values and of errors."""
        swept = F @ values
        # What a carry multiplies is the row before; going backward, the one after.
        carried = carry * (carry_error + 2 * self.u)
        forward = not np.triu(F, 1).any()
        padded = [0.0, *carried] if forward else [*carried, 0.0]
        before = np.roll(np.abs(swept), 1 if forward else -1, axis=0)
        local = errors + self.u * np.abs(swept) + self.tiny + np.array(padded)[:, None] * before
        if weights is None:
            return swept, F @ local
        column, total = weights[:, None], swept.sum(0)
        closed = F - column * F.sum(0)
        remainder = np.abs(closed) @ local - F @ local
        out = closed @ values
        error = F @ local + remainder + self.slack * (F @ local + np.abs(remainder))
        known = (weight_error + 3 * self.u)[:, None]
        error += column * (self.n * self.u * np.abs(swept).sum(0) + known * np.abs(total))
        return out, error + self.u * np.abs(out) + self.tiny * (1 + np.abs(total))

    def sweeps(self, r, errors):
        """Return x and its error: forward, gain, backward."""
        factors = sweep_factors(self.metric, self.n)
        carry, gain, closure, flux = factor_errors_of_the_page(self.metric, self.n)
        F = sweep_matrix(factors.carry)
        y, error = self.sweep(F, r, errors, factors.carry, carry, factors.flux, flux)
        column = factors.gain[:, None]
        y, error = column * y, column * error
        error = error + (gain + 2 * self.u)[:, None] * np.abs(y) + self.tiny
        return self.sweep(F.T, y, error, factors.carry, carry, factors.closure, closure)

    def bound(self, g):
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


def gradient(n):
    g = np.random.default_rng(n).standard_normal((n, 3)) + np.array([0.0, 4.0, -1.0])
    return g.astype(np.float32).astype(float)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("member", METRICS)
def test_factor_errors(member, n) -> None:
    known = factor_errors(METRICS[member], n)
    for found, page in zip(
        (known.carry, known.gain, known.closure, known.flux),
        factor_errors_of_the_page(METRICS[member], n),
        strict=True,
    ):
        assert (found is None) == (page is None)
        if page is not None:
            np.testing.assert_allclose(found, page, rtol=1e-9)


# float16 shows what the smallest normal number adds, float32 the terms of second order, float64 the
# factors' own errors.
ACCUMULATORS = ["float16", "float32", "float64"]


@pytest.mark.parametrize("accumulator", ACCUMULATORS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("member", [*METRICS, "one line"])
def test_closing_sweeps(member, n, accumulator) -> None:
    metric = METRICS.get(member, Metric(2.0, 3.0, 0.0))
    steps = Steps(metric, n, accumulator)
    for g in (gradient(n), np.zeros((n, 1))):
        found = forward_error_bound(g, metric, dtype=accumulator, accumulator=accumulator)
        k, bound = steps.bound(g)
        np.testing.assert_allclose(found.gradient, k, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.bound, bound, rtol=1e-9)


def functional_bound_of_the_page(g, metric, accumulator):
    """Return the bound for kernels that know the constants, before the last rounding."""
    n, fmt = len(g), FORMATS[accumulator]
    u = fmt.unit_roundoff
    moduli = np.abs(g)
    average = moduli.mean(0)
    mean_error = np.where(sum_is_exact(g, fmt.precision), 2.0, n + 2.0) * u * average
    k = forward_error_bound(g, metric).gradient
    if not metric.derivative:
        r = g - g.mean(0)
        error = (mean_error + 4 * u * np.abs(r)) / metric.fluctuation
    else:
        factors = sweep_factors(metric, n)
        carry, gain_error, _, flux = factor_errors_of_the_page(metric, n)
        F, step = sweep_matrix(factors.carry), max(carry, default=0.0) + 8 * u
        size, error = F @ (moduli + average), 0.0
        if flux is not None:
            start = (factors.flux / factors.flux[0])[:, None]
            size = size + start * moduli.sum(0)
            error = start * (flux.max() + (2 * n + 8) * u) * moduli.sum(0)
        error = error + F @ (step * size + mean_error)
        gain = factors.gain.copy()
        down = metric.fluctuation == 0
        if down and flux is None:
            gain[-1] = gain[0]
        size, error = gain[:, None] * size, gain[:, None] * error
        error = error + (gain_error + step)[:, None] * size
        one_hot = np.eye(n)[:, [0 if down else n - 1]] - 1.0 / n
        # Of the part of mean zero alone: what is said of the mean is divided by its weight.
        weights = forward_error_bound(one_hot, replace(metric, mean=2.0**400))
        end_error = ((weights.bound + (n + 4) * u * np.abs(weights.gradient)) * moduli).sum(0)
        S, h = F if down else F.T, (factors.closure / factors.closure[-1])[:, None]
        error = error + step * (S @ size + h * np.abs(k[0 if down else -1]))
        error = S @ error + h * end_error
    error = error + (mean_error + 4 * u * average) / metric.mean + 2 * u * np.abs(k)
    return k, (error + n * fmt.smallest_normal) / (1 - 40 * n * u)


@pytest.mark.parametrize("accumulator", ACCUMULATORS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("member", [*METRICS, "one line"])
def test_functionals(member, n, accumulator) -> None:
    metric = METRICS.get(member, Metric(2.0, 3.0, 0.0))
    wide = (
        np.random.default_rng(0).standard_normal((n, 2)) * 10.0 ** np.arange(0, 2 * n, 2)[:, None]
    )
    for g in (gradient(n), wide):
        # As wide a storage as the accumulator: nothing is added at the end.
        found = functional_error_bound(g, metric, dtype=accumulator, accumulator=accumulator)
        k, bound = functional_bound_of_the_page(g, metric, accumulator)
        closing = forward_error_bound(g, metric, dtype=accumulator, accumulator=accumulator).bound
        np.testing.assert_allclose(found.gradient, k, rtol=1e-9)
        np.testing.assert_allclose(found.bound, np.maximum(bound, closing), rtol=1e-9)


def test_the_accumulator_is_too_narrow_from_half_a_unit_on() -> None:
    # 40·n·u < 1/2 with u = 2⁻²⁴.
    longest = 2**24 // 80
    g = np.zeros((longest + 1, 1))
    metric = Metric.reweighted_h0(2.0)
    forward_error_bound(g[:-1], metric, accumulator="float32")
    with pytest.raises(ValueError, match="too narrow for n = 209716"):
        forward_error_bound(g, metric, accumulator="float32")


@pytest.mark.parametrize(
    ("k", "error", "inner", "expected"),
    [
        # Straight from float32: half an ulp of bfloat16, at |k| + error.
        (1.0, 0.0, "float32", 2.0**-8),
        (1.0, 1.5, "float32", 1.5 + 2.0**-7),
        # By way of float32: first its roundoff of |k| + error, and its smallest number.
        (1.0, 0.0, "float64", 2.0**-24 + 2.0**-8),
        (1.0, 0.5, "float64", 0.5 + 1.5 * 2.0**-24 + 2.0**-8),
        (0.0, 0.0, "float64", 2.0**-149 + 2.0**-134),
    ],
)
def test_the_last_rounding_to_bfloat16(k, error, inner, expected) -> None:
    k, error = np.array([k]), np.array([error])
    assert stored(k, error, FORMATS["bfloat16"], FORMATS[inner]) == expected
