"""Theorems 15 and 16, in use: risks against drawn data, best factors and times, what is refused."""

import numpy as np
import pytest

from cdg_theory import Metric, discrete

SIGNAL, NOISE = np.array([4.0, 2.0, 1.0, 0.5, 0.0]), np.array([0.0, 1.0, 1.0, 2.0, 1.0])


def test_risk_is_the_mean_squared_error_of_the_smoother() -> None:
    # The metric is the smoother; columns of signal and noise have the second moments exactly.
    metric, n = Metric(2.0, 1.0, 0.25, spacing="unit"), len(SIGNAL)
    signal, noise = (
        discrete.from_modes(np.diag(np.sqrt(moments)), "natural") for moments in (SIGNAL, NOISE)
    )
    error = 0.0
    for column in range(n):
        for sign in (1, -1):  # uncorrelated: either sign of the noise beside each signal
            seen = signal[:, column] + sign * noise[:, column]
            smooth = discrete.riemannian_gradient(seen, metric)
            error += ((smooth - signal[:, column]) ** 2).sum() / 2
    assert error == pytest.approx(
        discrete.risk(1 / discrete.eigenvalues(metric, n), SIGNAL, NOISE), rel=1e-14
    )


def test_no_other_factors_and_no_other_scale_err_less() -> None:
    best = discrete.best_factors(SIGNAL, NOISE)
    least = discrete.risk(best, SIGNAL, NOISE)
    shape = np.array([1.0, 0.5, 0.3, 0.2, 0.1])
    scale = discrete.best_scale(shape, SIGNAL, NOISE)
    scaled = discrete.risk(scale * shape, SIGNAL, NOISE)
    for change in (-0.1, 0.1):
        for mode in range(len(SIGNAL)):
            other = best + change * (np.arange(len(SIGNAL)) == mode)
            assert discrete.risk(other, SIGNAL, NOISE) > least
        assert discrete.risk((scale + change) * shape, SIGNAL, NOISE) > scaled


def test_stopped_at_its_best_time_each_mode_keeps_the_best_share() -> None:
    metric = Metric.reweighted_h0(3.0)
    times = discrete.best_stopping(metric, SIGNAL, NOISE, loss_curvature=2.0)
    # Without noise never stop; without signal, do not start.
    assert times[0] == np.inf
    assert times[-1] == 0
    for mode in range(1, len(SIGNAL)):
        kept = discrete.early_stopping(metric, len(SIGNAL), times[mode], loss_curvature=2.0)[mode]
        assert kept == pytest.approx(discrete.best_factors(SIGNAL, NOISE)[mode], abs=1e-15)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: discrete.risk([1.0], [1.0], [-1.0]), ValueError, "noise must be >= 0 .* mode 0"),
        (lambda: discrete.risk([1.0], [1.0, 1.0], [1.0, 1.0]), ValueError, r"shape \(2,\), got"),
        (lambda: discrete.risk([[1.0]], [[1.0]], [[1.0]]), ValueError, r"signal .* shape \(n,\)"),
        (lambda: discrete.best_factors([np.nan], [1.0]), ValueError, "finite .* mode 0"),
        (lambda: discrete.best_factors(["x"], [1.0]), TypeError, "floating-point"),
        (lambda: discrete.best_scale([0.0], [1.0], [1.0]), ValueError, "must not be 0 in all"),
        (lambda: discrete.early_stopping(Metric.l2(), 2, -1.0), ValueError, "time must be >= 0"),
        (
            lambda: discrete.early_stopping(Metric.l2(), 2, 1.0, loss_curvature=0.0),
            ValueError,
            "curvature must be > 0",
        ),
        (
            lambda: discrete.best_stopping(Metric.l2(), [1.0], [1.0], loss_curvature=True),
            TypeError,
            "curvature must be a real number",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
