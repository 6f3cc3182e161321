"""Theorem 9 on weight decay: the prior, its conditioning, momentum, Adam; mutants are refused."""

import numpy as np
import pytest

from cdg_theory import Metric, discrete
from tests.tools.planted import refusals, squared

test_mutant_is_refused = refusals(
    ("T9.decay-limit", "draw_spd", squared),
    ("T9.decay-conditioning", "draw_spd", squared),
)


@pytest.mark.parametrize("theta", [0.0, 0.8])
@pytest.mark.parametrize("coupled", [True, False], ids=["coupled", "decoupled"])
def test_the_library_ends_at_the_prior(theta, coupled) -> None:
    # |w − b|²/2 with momentum: coupled decay has the weight ω, decoupled ω(1 − θ).
    metric, omega, step, n = Metric(1.0, 1.0, 0.5, spacing="unit"), 0.3, 0.2, 6
    target, w, buffer = np.array([3.0, -1.0, 2.0, 0.0, 1.0, -2.0]), np.ones(n), np.zeros(n)
    for _ in range(600):
        k = discrete.riemannian_gradient(w - target, metric)
        buffer = theta * buffer + k + omega * w * coupled
        w = w - step * buffer - step * omega * w * (not coupled)
    weight = omega if coupled else omega * (1 - theta)
    prior = np.linalg.solve(np.eye(n) + weight * discrete.gram_matrix(metric, n), target)
    np.testing.assert_allclose(w, prior, rtol=0, atol=1e-13)
