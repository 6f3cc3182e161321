"""Theorems, results, metrics and certificates show themselves, in notebooks and plainly."""

import dataclasses

import pytest

from cdg_theory import Metric, certify, discrete, ledger
from cdg_theory.continuum import InnerProduct


def test_a_theorem_shows_its_words_and_its_formula() -> None:
    theorem = ledger.theorem("T5.pivots")
    shown = theorem._repr_html_()
    assert rf"\({theorem.tex}\)" in shown
    for words in (theorem.id, theorem.statement, theorem.perturbed):
        assert words in shown
        assert words in repr(theorem)


def test_signs_of_html_are_escaped() -> None:
    theorem = dataclasses.replace(ledger.theorem("T5.pivots"), tex="a<b", statement="a < b & c")
    shown = theorem._repr_html_()
    assert r"\(a&lt;b\)" in shown
    assert "a &lt; b &amp; c" in shown


def test_results_show_what_held_and_what_was_refused() -> None:
    theorem = ledger.theorem("T5.pivots")
    good = ledger.Result(theorem, False, True, 0.25, refused=True)
    bad = ledger.Result(theorem, False, True, 0.25, refused=False)
    variant = ledger.Result(theorem, True, False, 0.25)
    for results, mark, words in (
        ((good,), "✓", "holds, variant refused"),
        ((bad,), "✗", "holds, VARIANT ACCEPTED"),
        ((variant,), "✓", "perturbed: does not hold"),
    ):
        for shown in (repr(ledger.Results(results)), ledger.Results(results)._repr_html_()):
            assert f"{mark} " in shown
            assert words in shown
            assert "0.25 s" in shown
    assert theorem.perturbed in repr(ledger.Results([variant]))
    assert rf"\({theorem.tex}\)" in ledger.Results([good])._repr_html_()


@pytest.mark.parametrize(
    ("shown", "formula"),
    [
        (Metric.l2(), r"$M = P + (I-P)$"),
        (Metric.sobolev(0.5), r"$M = P + 0.5\,n^2L_{\text{path}}$"),
        (
            Metric(2.0, 1e-9, 3.0, boundary="periodic", spacing="unit"),
            r"$M = 2\,P + 1\cdot10^{-9}\,(I-P) + 3\,L_{\text{cycle}}$",
        ),
        (
            InnerProduct.sobolev(3),
            r"$\displaystyle\langle h,k\rangle = \bar h\,\bar k + "
            r"\left(3\right)\int_0^1h'k'\,do$",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_metrics_and_products_are_formulas(shown, formula) -> None:
    assert shown._repr_latex_() == formula


def test_a_certificate_is_a_table_of_its_findings() -> None:
    metric = Metric.sobolev(0.5)
    right = certify(lambda g: discrete.riemannian_gradient(g, metric), metric, 8)
    wrong = certify(lambda g: g, metric, 8)
    assert "✗" not in right._repr_html_()
    assert "Certificate holds: n = 8, float64" in right._repr_html_()
    assert "Certificate FAILS: n = 8, float64" in wrong._repr_html_()
    for finding in wrong.findings:
        assert f">{'✓' if finding.holds else '✗'} {finding.kind}<" in wrong._repr_html_()
