"""A certificate's ``max_ulp`` is the largest error of any entry, however far from its bound.

Recomputed here in fractions, for β = 0, from the definition of the gradient.
"""

from fractions import Fraction

import numpy as np
import pytest

from cdg_theory import Metric
from cdg_theory.certificates import examine
from cdg_theory.discrete import riemannian_gradient

N, METRIC = 24, Metric.sobolev(0.11)


def exact(column) -> list[Fraction]:
    """Return the Sobolev gradient of a column of floats: two running sums, in fractions."""
    g = [Fraction(float(value)) for value in column]
    mean, c = sum(g) / N, Fraction(METRIC.derivative) * N * N
    flux, level, levels = Fraction(0), Fraction(0), [Fraction(0)]
    for value in g[:-1]:
        flux += value - mean
        level -= flux / c
        levels.append(level)
    return [mean + level - sum(levels) / N for level in levels]


def test_it_is_the_largest_error_in_units_of_the_columns_last_place() -> None:
    exam = examine(METRIC, N, columns=18)
    k = riemannian_gradient(exam.gradient, METRIC)
    # A solver that errs by a quarter of the widest bound, and by half of the narrowest.
    widths = exam.bound / np.where(k.any(axis=0), np.abs(k).max(axis=0), np.nan)
    for place, part in ((np.nanargmax(widths), 0.25), (np.nanargmin(widths), 0.5)):
        k.ravel()[place] += part * exam.bound.ravel()[place]
    certificate = exam.judge(lambda _: k)
    found = {kind: Fraction(0) for kind in exam.kinds}
    for j, kind in enumerate(exam.kinds):
        solution = exact(exam.gradient[:, j])
        largest = float(max(map(abs, solution)))
        if largest:
            ulp = Fraction(2) ** (int(np.frexp(largest)[1]) - 53)
            error = max(abs(Fraction(float(a)) - b) for a, b in zip(k[:, j], solution, strict=True))
            found[kind] = max(found[kind], error / ulp)
    assert certificate.holds
    for finding in certificate.findings:
        assert finding.max_ulp == pytest.approx(float(found[finding.kind]), rel=1e-4)
    assert certificate.max_ulp == max(finding.max_ulp for finding in certificate.findings)
    # It is not the error of the finding nearest its bound.
    assert certificate.max_ulp > 2 * certificate.worst.error_ulp
