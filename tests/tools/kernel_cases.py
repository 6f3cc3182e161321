"""What the tests of the kernels share: members of the family, by name, and dtypes."""

import pytest

from cdg_torch import Metric
from cdg_torch.lab.verify import paths
from cdg_torch.lab.verify.matrix import METRICS

# Second order: pure, with one lower term and with both; real, complex and double roots; both ends.
CURVED = {
    "biharmonic": Metric.biharmonic(0.11),
    "biharmonic periodic": Metric.biharmonic(0.11, boundary="periodic"),
    "spline": Metric.spline(0.1),
    "spline periodic unit": Metric.spline(2.0, boundary="periodic", spacing="unit"),
    "real roots": Metric(0.5, 1.0, 3.0, 2.0, spacing="unit"),
    "double root, periodic": Metric(1.0, 1.0, 2.0, 1.0, boundary="periodic", spacing="unit"),
    "double root nearly": Metric(1.0, 1.0, 2.0 + 2.0**-30, 1.0, spacing="unit"),
    "no fluctuation": Metric(1.0, 0.0, 1.0, 0.01),
    "no fluctuation, periodic": Metric(2.0, 0.0, 0.3, 0.5, boundary="periodic"),
    "light fluctuation": Metric(1.0, 1e-12, 0.0, 10.0),
    "light fluctuation, periodic": Metric(1.0, 1e-12, 2e-6, 1.0, boundary="periodic"),
}
MEMBERS = METRICS | CURVED
DTYPES = list(paths.DTYPES.values())
# One of the second order for each end; where they take seconds each, the others wait for the long
# run.
AT_ONCE = ("biharmonic λ=0.01 periodic", "(2, 1, 2, 1) unit")


def most_at_once(names):
    """Return members as parameters, those of the second order but two as slow ones."""
    waits = [METRICS[name].curvature > 0 and name not in AT_ONCE for name in names]
    marks = [[pytest.mark.slow] if slow else [] for slow in waits]
    return [pytest.param(name, marks=own) for name, own in zip(names, marks, strict=True)]


SMOOTHING = [name for name, metric in METRICS.items() if not metric.is_multiple_of_l2]
# A fluctuation that weighs 1e-12 of what the mean does: what is left of the mean shows.
LIGHT = {
    "h0, light": Metric(0.5, 1e-12),
    "general, light": Metric(0.5, 1e-12, 1e-12),
    "general, light, cycle": Metric(0.5, 1e-12, 1e-12, boundary="periodic"),
}
# Times n², the largest weight would take subnormal numbers for normal ones.
MODERATE = [name for name, metric in MEMBERS.items() if metric.derivative < 1e12]
L2, H0, GENERAL, GENERAL_CYCLE = "L²", "H⁰ λ=0.1, α=2", "H¹ λ=0.1", "H¹ λ=2 periodic unit"
SOBOLEV, SOBOLEV_CYCLE = "Sobolev λ=0.11", "Sobolev λ=0.11 periodic"
