"""A Metric lies in the cone mean > 0, other weights >= 0 and not all 0, or is refused."""

import copy
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from cdg_theory import Metric


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mean": 0.0}, ValueError, r"mean must be > 0, got 0\.0; .*1\.0 keeps it"),
        ({"mean": -1}, ValueError, r"mean must be > 0, got -1\.0"),
        ({"mean": math.nan}, ValueError, r"mean must be finite, got nan; 1\.0 keeps"),
        ({"fluctuation": -0.5}, ValueError, r"fluctuation must be >= 0, got -0\.5; use 0\.0"),
        ({"derivative": -1e-9}, ValueError, r"derivative must be >= 0, got -1e-09; use 0\.0"),
        ({"derivative": math.inf}, ValueError, r"derivative must be finite, got inf; 0\.0 leaves"),
        ({"fluctuation": 0.0}, ValueError, r"all 0, so the form is not definite; .*Metric\.l2"),
        ({"curvature": -2.0}, ValueError, r"curvature must be >= 0, got -2\.0; use 0\.0"),
        ({"curvature": math.nan}, ValueError, r"curvature must be finite, got nan; 0\.0 leaves"),
        ({"curvature": 1e-200}, ValueError, r"curvature must lie between .*, got 1e-200"),
        ({"curvature": "1"}, TypeError, r"curvature must be a real number, got '1' of type str"),
        (
            {"derivative": 1e60, "curvature": 1e-50},
            ValueError,
            r"curvature must be at least 1e-100 times .*, got 1e-50 beside 1e\+60; use 0\.0",
        ),
        (
            {"mean": 1e200},
            ValueError,
            r"mean must lie between 1e-150 and 1e\+150, got 1e\+200; scale",
        ),
        ({"fluctuation": 1e-200}, ValueError, r"got 1e-200; .*or use 0\.0 to leave the term out"),
        ({"derivative": 1e305}, ValueError, r"derivative must lie between .*, got 1e\+305"),
        ({"mean": "1"}, TypeError, r"mean must be a real number, got '1' of type str"),
        ({"mean": True}, TypeError, r"mean must be a real number, got True of type bool"),
        ({"derivative": 1j}, TypeError, r"derivative must be a real number, got 1j"),
        ({"fluctuation": None}, TypeError, r"fluctuation must be a real number, got None"),
        ({"boundary": "dirichlet"}, ValueError, r"boundary must be one of 'natural', 'periodic'"),
        ({"spacing": 2.0}, ValueError, r"spacing must be one of 'normalized', 'unit', got 2\.0"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_refused_with_cause_value_and_cure(arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        Metric(**arguments)


STRONG = [
    *(Metric.reweighted_h0, Metric.sobolev, Metric.ordinary_sobolev),
    *(Metric.biharmonic, Metric.spline),
]


@pytest.mark.parametrize("make", STRONG)
@pytest.mark.parametrize("lam", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_strength_must_be_finite_and_positive(make, lam) -> None:
    with pytest.raises(ValueError, match=r"lam must be finite.*got .*; use Metric\.l2\(\) for no"):
        make(lam)


def test_a_curvature_may_be_1e100_times_lighter_than_the_rest_but_no_lighter() -> None:
    lightest = Metric(1e150, 1e40, 1e50, 1e-50)
    assert lightest.curvature == 1e-50
    assert Metric(1.0, 0.0, 0.0, 1e-150).derivative_order == 2
    with pytest.raises(ValueError, match="at least 1e-100 times the fluctuation"):
        replace(lightest, fluctuation=2e50)


def test_weights_are_positional_and_ends_are_not() -> None:
    metric = Metric(2, 3, 4, 5)
    assert (metric.derivative, metric.curvature) == (4.0, 5.0)
    with pytest.raises(TypeError):
        Metric(1.0, 1.0, 1.0, "periodic")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("metric", "weights"),
    [
        (Metric.l2(), (1, 1, 0, 0)),
        (Metric.reweighted_h0(7), (1, 7, 0, 0)),
        (Metric.sobolev(7), (1, 0, 7, 0)),
        (Metric.ordinary_sobolev(7), (1, 1, 7, 0)),
        (Metric.biharmonic(7), (1, 0, 0, 7)),
        (Metric.spline(7), (1, 1, 0, 7)),
        (Metric(np.float32(0.5), np.int64(2), -0.0, -0.0), (0.5, 2, 0, 0)),
    ],
    ids=str,
)
def test_members_of_the_family(metric, weights) -> None:
    found = (metric.mean, metric.fluctuation, metric.derivative, metric.curvature)
    assert found == weights
    assert all(type(weight) is float for weight in found)
    assert (metric.boundary, metric.spacing) == ("natural", "normalized")
    # -0.0 == 0.0, but prints and divides differently.
    assert all(math.copysign(1, weight) == 1 for weight in found)


def test_the_order_is_that_of_the_highest_derivative() -> None:
    assert Metric.reweighted_h0(2.0).derivative_order == 0
    assert Metric.sobolev(2.0).derivative_order == 1
    assert Metric.biharmonic(2.0).derivative_order == 2
    assert Metric(1.0, 1.0, 1.0, 1e-9).derivative_order == 2


def test_it_prints_what_makes_it() -> None:
    metric = Metric.spline(0.5, boundary="periodic", spacing="unit")
    assert repr(metric) == (
        "Metric(mean=1.0, fluctuation=1.0, derivative=0.0, curvature=0.5, boundary='periodic', "
        "spacing='unit')"
    )
    assert eval(repr(metric)) == metric


def test_only_equal_mean_and_fluctuation_without_derivative_is_a_multiple_of_l2() -> None:
    assert Metric.l2().is_multiple_of_l2
    assert Metric(3.0, 3.0).is_multiple_of_l2
    assert not Metric(3.0, 3.0, 1e-150).is_multiple_of_l2
    assert not Metric(3.0, 3.0, 0.0, 1e-90).is_multiple_of_l2
    assert not Metric(3.0, 2.0).is_multiple_of_l2


@pytest.mark.parametrize("n", [1, 2, 7, 512])
def test_stiffness_follows_the_spacing(n) -> None:
    assert Metric.sobolev(0.5).stiffness(n) == 0.5 * n**2
    assert Metric.sobolev(0.5, spacing="unit").stiffness(n) == 0.5
    assert Metric.spline(0.5).rigidity(n) == 0.5 * n**4
    assert Metric.spline(0.5, spacing="unit").rigidity(n) == 0.5


@pytest.mark.parametrize("order", [1, 2])
def test_is_a_value(order) -> None:
    make = (Metric.sobolev, Metric.biharmonic)[order - 1]
    metric = make(2.0, boundary="periodic", spacing="unit")
    twin = Metric(1.0, *[0.0] * order, 2.0, boundary="periodic", spacing="unit")
    assert metric == twin
    assert hash(metric) == hash(twin)
    assert metric != make(2.0)
    assert metric != replace(metric, curvature=3.0)
    assert pickle.loads(pickle.dumps(metric)) == metric
    assert copy.deepcopy(metric) == metric
    with pytest.raises(AttributeError):
        metric.mean = 2.0  # type: ignore[misc]
