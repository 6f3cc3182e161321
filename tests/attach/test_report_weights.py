"""The report prints a metric's weights, the curvature's only where there is one."""

from cdg_torch import Metric
from tests.tools.training_loops import attached_network


def test_the_fourth_weight_is_printed_where_it_is_not_0() -> None:
    _, _, handle = attached_network()
    handle.metric = Metric(1.0, 0.5, 0.25)
    assert "metric (mean, fluctuation, derivative)\n" in str(handle.report())
    assert "(1, 0.5, 0.25, natural, normalized)\n" in str(handle.report())
    handle.metric = Metric.spline(2.0, boundary="periodic")
    assert "metric (mean, fluctuation, derivative, curvature)\n" in str(handle.report())
    assert "(1, 1, 0, 2, periodic, normalized)\n" in str(handle.report())
