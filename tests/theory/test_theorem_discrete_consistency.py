"""Theorem 6: order 2 and the a priori bounds; mutants are refused."""

import pytest

from cdg_theory import Metric, ledger
from cdg_theory.discrete import riemannian_gradient
from cdg_theory.proofs.discrete import consistency as discrete_consistency

IDS = [theorem.id for theorem in discrete_consistency.THEOREMS]


@pytest.mark.parametrize("name", IDS)
def test_holds(name) -> None:
    assert ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", IDS)
def test_perturbed_statement_is_refused(name) -> None:
    assert not ledger.verify([name], perturbed=True)[0].holds


def _off_by_a_channel(g, metric):
    spaced = Metric(
        metric.mean, metric.fluctuation, metric.derivative * (1 + 1 / len(g)) ** 2,
        boundary=metric.boundary,
    )  # fmt: skip
    return riemannian_gradient(g, spaced)


@pytest.mark.parametrize("name", ["T6.natural", "T6.periodic"])
def test_a_spacing_of_n_plus_one_is_of_first_order(name, monkeypatch) -> None:
    monkeypatch.setattr(discrete_consistency, "riemannian_gradient", _off_by_a_channel)
    assert not ledger.verify([name])[0].holds


@pytest.mark.parametrize("name", ["T6.natural", "T6.periodic"])
def test_a_wrong_constant_of_second_order_breaks_the_bound(name, monkeypatch) -> None:
    def shifted(g, metric):
        return riemannian_gradient(g, metric) + 1e4 / len(g) ** 2

    monkeypatch.setattr(discrete_consistency, "riemannian_gradient", shifted)
    assert not ledger.verify([name])[0].holds


def test_orders_are_what_they_are_called() -> None:
    assert discrete_consistency.orders([1.0, 0.25, 0.125]) == [2.0, 1.0]
