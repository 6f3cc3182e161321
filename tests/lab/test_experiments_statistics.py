"""Intervals cover at their level, tests err at theirs, and pairing is by seed."""

import math

import numpy as np
import pytest

from cdg_torch.lab.train.statistics import compare, corrected, mean_interval


def test_student_interval_covers_at_its_level() -> None:
    rng = np.random.default_rng(0)
    trials = 2000
    covered = 0
    for values in 3 + 2 * rng.standard_normal((trials, 6)):
        interval = mean_interval(values.tolist())
        covered += interval.low <= 3 <= interval.high
    # Four standard deviations of a binomial count.
    assert abs(covered - 0.95 * trials) < 4 * math.sqrt(trials * 0.95 * 0.05)


def test_sign_flip_test_is_exact_under_the_null() -> None:
    rng = np.random.default_rng(1)
    trials, pairs = 400, 8
    rejected = 0
    for differences in rng.standard_normal((trials, pairs)):
        comparison = compare(dict(enumerate(differences)), dict.fromkeys(range(pairs), 0.0))
        rejected += comparison.p_value <= 0.05
    # With 2⁸ sign choices the level that is reached is 12/256.
    level = 12 / 256
    assert abs(rejected - level * trials) < 4 * math.sqrt(trials * level * (1 - level))


def test_pairs_are_matched_by_seed_not_by_order() -> None:
    method = {2: 0.9, 0: 0.5, 1: 0.7}
    baseline = {0: 0.4, 1: 0.6, 2: 0.8}
    comparison = compare(method, baseline)
    assert comparison.difference.mean == pytest.approx(0.1)
    assert comparison.difference.half_width == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="not paired"):
        compare({0: 1.0, 1: 1.0}, {0: 1.0, 2: 1.0})


def test_a_constant_difference_has_no_width() -> None:
    assert compare({0: 2.0, 1: 2.0}, {0: 1.0, 1: 1.0}).effect == math.inf
    same = compare({0: 1.0, 1: 3.0}, {0: 1.0, 1: 3.0})
    assert (same.effect, same.p_value, same.difference.excludes_zero) == (0.0, 1.0, False)


def test_bootstrap_agrees_with_student_on_many_values() -> None:
    values = np.random.default_rng(2).standard_normal(400).tolist()
    student, bootstrap = (mean_interval(values, kind=k) for k in ("student", "bootstrap"))
    assert bootstrap.half_width == pytest.approx(student.half_width, rel=0.1)


def test_correction_never_lowers_a_p_value() -> None:
    p_values = [0.001, 0.02, 0.03, 0.9]
    assert all(c >= p for c, p in zip(corrected(p_values), p_values, strict=True))
    assert corrected([]) == []


@pytest.mark.parametrize("values", [[1.0], [1.0, math.nan]])
def test_too_little_data_is_refused(values) -> None:
    with pytest.raises(ValueError, match="two finite values"):
        mean_interval(values)
