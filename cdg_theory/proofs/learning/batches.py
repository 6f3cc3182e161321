r"""Theorem 15: signal and noise of each mode, measured from independent batches without bias."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import get_args

import numpy as np
import sympy as sp

from cdg_theory.discrete.moments import held_out_risk, measured_moments, mode_products
from cdg_theory.discrete.shrinkage import best_scale, risk
from cdg_theory.discrete.spectrum import to_modes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary

PAGE = "theory/measured-spectra.md"
BOUNDARIES = get_args(Boundary)
s, nu = sp.symbols("s nu", positive=True)
# What a batch's gradient may be, each as likely: three channels, two columns, small whole numbers.
OUTCOMES = np.array([
    [[1.0, 2.0], [0.0, -1.0], [2.0, 2.0]],
    [[3.0, -1.0], [1.0, 0.0], [2.0, 1.0]],
    [[2.0, 0.0], [5.0, 1.0], [-1.0, 3.0]],
])  # fmt: skip
FACTORS = np.array([1.0, 0.5, 0.25])


def _near(found: object, expected: object) -> bool:
    # Sums of fewer than 2000 products of numbers below 10: 2000·100·2⁻⁵³ = 2.2e-11.
    return bool(np.all(np.abs(np.asarray(found) - np.asarray(expected)) <= 2.5e-11))


def _moments(excess: int = 0) -> bool:
    r"""Take expectations: of the estimates as linear functions, and over all outcomes by number.

    ``excess``: how much of ν/B is claimed to be in the signal's expectation.
    """
    for count in (2, 3, 4, 5):
        expected = np.full((count, count), s) + nu * np.eye(count, dtype=int).astype(object)
        signal, noise = measured_moments(expected)
        if sp.expand(signal - s - excess * nu / count) != 0 or sp.expand(noise - nu) != 0:
            return False
    for boundary, count in product(BOUNDARIES, (2, 3)):
        modes = to_modes(np.moveaxis(OUTCOMES, 1, 0), boundary)
        mean = modes.mean(axis=1, keepdims=True)
        true = (abs(mean) ** 2).mean(axis=(1, 2)), (abs(modes - mean) ** 2).mean(axis=(1, 2))
        estimates = [
            measured_moments(mode_products(np.array(batches), boundary))
            for batches in product(OUTCOMES, repeat=count)
        ]
        averages = [np.mean([one[k] for one in estimates], axis=0) for k in (0, 1)]
        if not all(_near(*pair) for pair in zip(averages, true, strict=True)):
            return False
        # A smoother that other batches chose, here the true moments.
        risks = [held_out_risk(FACTORS, true, one) for one in estimates]
        scale = best_scale(FACTORS, *true)
        if not _near(np.mean(risks), risk(scale * FACTORS, *true)):
            return False
    return True


THEOREMS = (
    Theorem(
        id="T15.moments",
        title="signal and noise from independent batches",
        statement=(
            "The products of a mode's coefficients in the gradients of two different batches "
            "have the signal s as their mean. A batch's own product has s + ν, where ν is the "
            "noise. So both are estimated without bias, and so is the risk of a smoother that "
            "was chosen from other batches."
        ),
        tex=r"\mathbb E\,\frac{1}{B(B-1)}\sum_{b\ne c}P_{bc}=s,\qquad "
        r"\mathbb E\,\frac1B\sum_bP_{bb}=s+\nu",
        scope="two to five batches whose errors are independent of mean 0, of any law, given the "
        "products' expectations; these, and the risk, over all outcomes of a law with three "
        "values, dependent columns and modes, both boundaries, by number",
        kind="symbolic",
        check=_moments,
        variant=partial(_moments, excess=1),
        perturbed="The square of the batches' mean does: its expectation is s + ν/B.",
        page=PAGE,
    ),
)
