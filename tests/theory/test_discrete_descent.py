"""A step along the NumPy gradient lowers the loss by what theorem 4 promises, at every order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory import discrete
from tests.tools.exact_oracle import EPS, rounding_allowance
from tests.tools.strategies import FIRST_ORDER, SECOND_ORDER, channel_counts, gradients, metrics


def excess(target, metric, part):
    """Return by how much a step misses the promise, and what rounding may make of that.

    The loss is |w − target|²/2, so that Λ = 1, and the step is taken from 0.
    """
    n = len(target)
    k = discrete.riemannian_gradient(-target, metric)
    step = part * discrete.eigenvalues(metric, n).min()
    promise = step * (1 - part / 2) * (target * k).sum()
    change = (0.5 * (step * k) ** 2 + step * k * target).sum()
    # k is off by its allowance; the sums by n roundings of their terms.
    off = rounding_allowance(target, metric)
    slack = step * (off * (2 * np.abs(target) + step * (np.abs(k) + off))).sum()
    terms = (step * np.abs(k * target) + (step * k) ** 2).sum()
    return change - promise, slack + 4 * (n + 4) * EPS * terms


@pytest.mark.parametrize("members", [FIRST_ORDER, SECOND_ORDER], ids=["first", "second"])
@given(st.data(), channel_counts(), st.floats(0.1, 1.9))
def test_a_step_keeps_the_promise(members, data, n, part) -> None:
    metric = data.draw(metrics(members=members))
    missed, allowed = excess(data.draw(gradients(n, columns=(1,))), metric, part)
    assert missed <= allowed


@pytest.mark.parametrize("members", [FIRST_ORDER, SECOND_ORDER], ids=["first", "second"])
@given(st.data(), channel_counts(), st.floats(0.1, 1.9))
def test_along_the_softest_mode_it_does_no_more(members, data, n, part) -> None:
    metric = data.draw(metrics(members=members))
    units = np.zeros((n, 1))
    units[discrete.eigenvalues(metric, n).argmin()] = 1.0
    softest = np.ascontiguousarray(discrete.from_modes(units, metric.boundary).real)
    missed, allowed = excess(softest, metric, part)
    # The mode is one to the roundings of a transform.
    assert abs(missed) <= allowed + 64 * (n + 4) * EPS
