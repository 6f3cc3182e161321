"""fit_metric refuses bad input with cause, value and cure, and nothing else."""

import numpy as np
import pytest

from cdg_theory.fit import fit_metric

GOOD = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("samples", "arguments", "error", "message"),
    [
        (GOOD.astype(complex), {}, TypeError, "samples must hold floating-point numbers"),
        (GOOD[:1], {}, ValueError, r"two channels and a column, got shape \(1, 3\)"),
        (GOOD[:, :0], {}, ValueError, r"two channels and a column, got shape \(4, 0\)"),
        (0 * GOOD, {}, ValueError, r"not all zero, .*, got 0\.0"),
        (GOOD + np.inf, {}, ValueError, "must be finite .*, got inf"),
        (GOOD * np.nan, {}, ValueError, "must be finite .*, got nan"),
        (1e-200 * GOOD, {}, ValueError, "got 1.1e-199; scale them"),
        (GOOD, {"axis": 2}, ValueError, "axis must be one of the 2 axes of samples, got 2"),
        (GOOD, {"level": 1.0}, ValueError, "level must lie between 0 and 1, got 1.0"),
        (GOOD, {"draws": 0}, ValueError, "draws must be a whole number >= 1, got 0"),
        (GOOD, {"boundary": "open"}, ValueError, "boundary must be one of"),
        (GOOD, {"spacing": "mine"}, ValueError, "spacing must be one of"),
    ],
)
def test_says_cause_value_and_cure(samples, arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        fit_metric(samples, **arguments)


@pytest.mark.parametrize(
    "samples",
    [
        np.ones((4, 3)),
        np.eye(4),
        np.array([[1.0], [2.0]]),
        np.array([[1.0, -1.0], [0.0, 0.0], [-1.0, 1.0]]),
        GOOD.astype(np.int32),
    ],
    ids=["constant", "identity", "two numbers", "three channels", "integers"],
)
def test_answers_where_little_can_be_told(samples) -> None:
    fit = fit_metric(samples, draws=9)
    assert fit.verdict in {"none", "exchangeable"}
    assert 0 < fit.order_p <= 1
