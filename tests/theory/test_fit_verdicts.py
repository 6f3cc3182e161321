"""Theorem 15, on drawn columns: fit_metric finds kind and weights, at its stated error rates."""

import numpy as np
import pytest
from scipy.stats import binom

from cdg_theory import Metric
from cdg_theory.discrete import gram_power
from cdg_theory.fit import fit_metric

LEVEL, DRAWS, TRIALS = 0.1, 99, 60
# No more trials may err than a binomial law of the stated level gives once in ten thousand.
MOST = int(binom.ppf(1 - 1e-4, TRIALS, LEVEL))


def drawn(member: Metric, n: int, count: int, rng, *, dependent: bool = False):
    """Columns of N(0, M⁻¹); if dependent, 25 of them stand for each independent one."""
    y = gram_power(member, n, -0.5) @ rng.standard_normal((n, count))
    return np.repeat(y, 25, axis=1) if dependent else y


@pytest.mark.parametrize("dependent", [False, True], ids=["independent", "dependent"])
@pytest.mark.parametrize(
    ("member", "right"),
    [(Metric.l2(), "none"), (Metric.reweighted_h0(8.0), "exchangeable")],
    ids=["white", "exchangeable"],
)
def test_cries_wolf_at_the_stated_rate_whatever_the_columns_dependence(
    member, right, dependent
) -> None:
    rng = np.random.default_rng(3)
    columns = [drawn(member, 12, 6, rng, dependent=dependent) for _ in range(TRIALS)]
    found = [fit_metric(y, level=LEVEL, draws=DRAWS) for y in columns]
    assert sum(fit.order_p <= LEVEL / 2 for fit in found) <= MOST
    if right == "none":
        assert sum(fit.verdict != "none" for fit in found) <= MOST


@pytest.mark.parametrize(
    ("member", "verdict"),
    [
        (Metric.l2(), "none"),
        (Metric.reweighted_h0(8.0), "exchangeable"),
        (Metric.sobolev(0.2), "ordered"),
        (Metric(1.0, 1.0, 4.0, boundary="periodic", spacing="unit"), "ordered"),
        (Metric.spline(1e-3), "ordered"),
        (Metric.biharmonic(40.0, boundary="periodic", spacing="unit"), "ordered"),
    ],
    ids=["white", "exchangeable", "Sobolev", "H¹ periodic", "spline", "biharmonic periodic"],
)
@pytest.mark.parametrize("dependent", [False, True], ids=["independent", "dependent"])
def test_tells_the_kind(member, verdict, dependent) -> None:
    y = drawn(member, 32, 200, np.random.default_rng(5), dependent=dependent)
    fit = fit_metric(y, boundary=member.boundary, spacing=member.spacing, draws=DRAWS, level=0.05)
    assert fit.verdict == verdict
    # Within four standard deviations of the mean's own law: 2/N of variance, N columns.
    assert abs(fit.scale - 1) <= 4 * np.sqrt(2 / 200) or verdict == "none"


def test_weights_lie_within_their_likelihood_interval() -> None:
    member, n, count = Metric(1.0, 0.7, 0.03, 2e-4), 32, 300
    missed = 0
    rng = np.random.default_rng(7)
    for _ in range(20):
        y = drawn(member, n, count, rng)
        best = fit_metric(y, draws=1).candidates["second order"]
        precisions = np.linalg.eigvalsh(gram_power(member, n, 1.0))
        true = count / 2 * np.log(precisions).sum() - 0.5 * np.einsum(
            "ij,ik,kj->", y, gram_power(member, n, 1.0), y
        )
        # The true member's likelihood is below the best one's, by half a χ² of four unknowns.
        below = best.loglik - (true - n * count / 2 * np.log(2 * np.pi))
        assert below >= -1e-6
        missed += below > 9.49 / 2
    # 5 % each; one in ten thousand times more than five of twenty.
    assert missed <= binom.ppf(1 - 1e-4, 20, 0.05)


def test_units_do_not_matter_but_to_the_scale() -> None:
    y = drawn(Metric.spline(1e-3), 16, 50, np.random.default_rng(9))
    one, other = (fit_metric(factor * y, draws=9) for factor in (1.0, 2.0**300))
    assert one.metric == other.metric
    assert other.scale == one.scale * 2.0**600
    assert other.loglik == pytest.approx(one.loglik - 16 * 50 * 300 * np.log(2), rel=1e-12)


def test_a_spacing_is_only_a_unit() -> None:
    y = drawn(Metric.spline(1e-3), 16, 50, np.random.default_rng(9))
    normalized, unit = (fit_metric(y, spacing=s, draws=9).metric for s in ("normalized", "unit"))
    assert unit.curvature == pytest.approx(normalized.curvature * 16.0**4, rel=1e-12)


def test_a_missing_mean_is_said() -> None:
    y = drawn(Metric.spline(1e-3), 16, 50, np.random.default_rng(9))
    fit = fit_metric(y - y.mean(axis=0), draws=199)
    assert fit.verdict == "ordered"
    assert "nothing is said of its weight" in fit.why
    assert fit.mean_p == 1


def test_other_axes_tell_columns_apart() -> None:
    y = drawn(Metric.sobolev(0.2), 16, 12, np.random.default_rng(9))
    moved = y.reshape(16, 3, 4).transpose(1, 0, 2)
    assert fit_metric(moved, axis=1, draws=9) == fit_metric(y, draws=9)


def test_shows_itself() -> None:
    fit = fit_metric(drawn(Metric.sobolev(0.2), 16, 12, np.random.default_rng(9)))
    assert repr(fit).startswith("Fit(ordered: neighbouring channels correlate by +0.")
    assert "second order" in fit._repr_html_()
