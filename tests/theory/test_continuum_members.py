"""The named inner products of the continuum have the weights of the metrics of the same name."""

import pytest

from cdg_theory import Metric
from cdg_theory.continuum import InnerProduct

MEMBERS = ["l2", "reweighted_h0", "sobolev", "ordinary_sobolev", "biharmonic", "spline"]


@pytest.mark.parametrize("boundary", ["natural", "periodic"])
@pytest.mark.parametrize("name", MEMBERS)
def test_the_same_weights(name, boundary) -> None:
    arguments = [] if name == "l2" else [0.25]
    options = {"boundary": boundary} if name not in MEMBERS[:2] else {}
    member = getattr(InnerProduct, name)(*arguments, **options)
    metric = getattr(Metric, name)(*arguments, **options)
    for weight in ("mean", "fluctuation", "derivative", "curvature"):
        assert float(getattr(member, weight)) == getattr(metric, weight)
    assert member.boundary == metric.boundary
