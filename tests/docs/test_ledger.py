"""The ledger page has every theorem: status, refused variant, links to proof, tests and code."""

import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from cdg_theory import ledger

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger_pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    import ledger_pages

    return ledger_pages


def entries(site: Path) -> dict[str, str]:
    """Return the text of each theorem's section, by its anchor."""
    text = (site / "reference" / "ledger.html").read_text(encoding="utf-8")
    pieces = re.split(r'<section id="(ledger-[\w-]+)">', text)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def test_every_theorem_has_its_entry(site: Path, ledger_pages: ModuleType) -> None:
    found = entries(site)
    assert len(found) == len(ledger.theorems())
    for theorem in ledger.theorems():
        entry = found[ledger_pages.label(theorem.id)]
        assert theorem.id in entry
        assert f'href="../{theorem.page.removesuffix(".md")}.html"' in entry
        assert f"{theorem.proof.__module__}.html" in entry
        for name in ledger_pages.tests_of(theorem):
            assert f"claims.html#{ledger_pages.test_label(name)}" in entry


def test_an_entry_says_what_the_check_said(
    ledger_pages: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    theorem = ledger.theorem("T5.pivots")
    monkeypatch.setattr(
        ledger_pages, "verdicts", lambda: {theorem.id: ledger_pages.Verdict(True, True, 0.123)}
    )
    assert ": statement holds, variant refused (0.12 s)" in ledger_pages.entry(theorem)
    monkeypatch.setenv(ledger_pages.NOT_RUN, "1")
    assert ": not run; see `tests/theory/test_ledger_holds.py`" in ledger_pages.entry(theorem)


@pytest.mark.parametrize("row", [[False, 0.1, False], [True, 0.1, True]])
def test_a_ledger_that_does_not_hold_stops_the_build(
    ledger_pages: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, row: list[object]
) -> None:
    kept = tmp_path / "docs" / "_build" / "ledger" / "digest.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"T5.pivots": row}))
    monkeypatch.setattr(ledger_pages, "ROOT", tmp_path)
    monkeypatch.setattr(ledger_pages, "sources_digest", lambda _: "digest")
    ledger_pages.verdicts.cache_clear()
    with pytest.raises(RuntimeError, match="does not hold"):
        ledger_pages.verdicts()


def test_tests_are_those_of_the_theorem(ledger_pages: ModuleType) -> None:
    tests = {theorem.id: ledger_pages.tests_of(theorem) for theorem in ledger.theorems()}
    assert tests["T5.pivots"] == [
        "theory/test_ledger_holds.py",
        "theory/test_theorem_discrete_sweeps.py",
    ]
    # One id begins like the other.
    assert tests["T2.mercer"] == tests["T2.mercer-general"]
    assert "theory/test_theorem_rounding_bound.py" in tests["T7.enclosure"]
    for theorem in ledger.theorems():
        assert all("/test_theorem_" in name for name in tests[theorem.id][1:])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("theorems 5 and 7", {5, 7}),
        ("Theorem 3, the limits", {3}),
        ("T7: the bound", {7}),
        ("(T12.mesh)", {12}),
        ("Theorems 4, 9 and 12, any metric", {4, 9, 12}),
        ("nothing", set()),
    ],
)
def test_numbers_are_read(ledger_pages: ModuleType, text: str, numbers: set[int]) -> None:
    assert ledger_pages.numbers(text) == numbers


def test_a_theorem_without_a_test_stops_the_build(
    ledger_pages: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_pages, "claims", dict)
    with pytest.raises(RuntimeError, match="no test file names"):
        ledger_pages.tests_of(ledger.theorems()[0])


def test_every_test_file_has_its_claim(site: Path, ledger_pages: ModuleType) -> None:
    text = (site / "reference" / "claims.html").read_text(encoding="utf-8")
    for name in ledger_pages.claims():
        assert f'<section id="{ledger_pages.test_label(name)}">' in text, name
