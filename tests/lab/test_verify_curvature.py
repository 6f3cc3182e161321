"""``cdg verify``'s rows with a curvature hold on the theory's own algorithms, figures included."""

import numpy as np
import pytest

from cdg_theory.certificates import examine
from cdg_theory.discrete import riemannian_gradient
from cdg_theory.proofs.rounding.pairs import pair_functional_gradient
from cdg_theory.rounding.formats import FORMATS
from cdg_torch.lab.verify import Case, CaseResult
from cdg_torch.lab.verify.matrix import COLUMNS, METRICS, holds_digits

CURVED = [name for name, metric in METRICS.items() if metric.derivative_order == 2]


def verdict(name: str, n: int, dtype: str) -> CaseResult:
    """Return what cdg verify would say of the closing sweeps, or for float32 of known constants."""
    metric, algorithm = METRICS[name], "functionals" if dtype == "float32" and n > 1 else "closing"
    inside = pair_functional_gradient if algorithm == "functionals" else riemannian_gradient

    def solve(g):
        return FORMATS[dtype].round(inside(g.astype(np.float64), metric))

    exam = examine(metric, n, columns=COLUMNS, dtype=dtype, algorithm=algorithm)
    return CaseResult(Case("reference", name, n, dtype, "contiguous"), exam.judge(solve), 0.0)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", CURVED)
def test_every_row_holds(name, dtype) -> None:
    for n in (1, 2, 3, 5, 64, 257):
        assert not verdict(name, n, dtype).failures


def test_every_kind_of_roots_and_weights_has_a_row() -> None:
    rows = [METRICS[name] for name in CURVED]
    discriminants = {
        np.sign(m.derivative**2 - 4 * m.fluctuation * m.curvature) for m in rows if m.fluctuation
    }
    assert discriminants == {-1.0, 0.0, 1.0}
    assert {(m.fluctuation > 0, m.derivative > 0) for m in rows} == {
        (False, False),
        (False, True),
        (True, False),
        (True, True),
    }
    assert {m.boundary for m in rows} == {"natural", "periodic"}
    assert {m.spacing for m in rows} == {"normalized", "unit"}


def test_the_alternating_gradient_has_no_figure_where_float64_cannot_hold_it() -> None:
    # k is 1e-10 of what M⁻¹ makes of a smooth column: the errors of those numbers are seen.
    name, n = "biharmonic λ=0.01 periodic", 600
    result = verdict(name, n, "float32")
    errors = {f.kind: f.max_ulp for f in result.certificate.findings}
    assert errors["alternating"] > 8.0
    assert result.figure("alternating") == np.inf
    assert {result.figure(kind) for kind in errors if kind != "alternating"} == {8.0}
    assert result.holds


def test_where_it_can_the_figure_is_asked() -> None:
    metric, room = METRICS["biharmonic λ=0.01"], 7.5 * 2.0**-23
    held = [holds_digits(metric, n, "alternating", room) for n in (1, 2, 64, 90, 91)]
    assert held == [True, True, True, True, False]
    assert holds_digits(metric, 4096, "constant", room)
