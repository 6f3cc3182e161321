"""Theorem 6: order 2 and the a priori bounds; mutants are refused."""

from dataclasses import replace

from cdg_theory.proofs.discrete.consistency import orders
from tests.tools.planted import refusals


def off_by_a_channel(gradient):
    """Take the spacing for 1/(n + 1): an error of first order."""
    return lambda g, metric: gradient(
        g, replace(metric, derivative=metric.derivative * (1 + 1 / len(g)) ** 2)
    )


def shifted(gradient):
    """Add an error of second order that is larger than the bound."""
    return lambda g, metric: gradient(g, metric) + 1e4 / len(g) ** 2


test_mutant_is_refused = refusals(
    *(
        (name, "riemannian_gradient", mutate)
        for name in ("T6.natural", "T6.periodic")
        for mutate in (off_by_a_channel, shifted)
    )
)


def test_orders_are_what_they_are_called() -> None:
    assert orders([1.0, 0.25, 0.125]) == [2.0, 1.0]
