"""``cdg verify``: everything right is exit 0; a planted error is named, with its place, exit 1."""

import dataclasses
import json

import pytest

from cdg_theory import ledger
from cdg_theory.certificates import Certificate
from cdg_torch.lab.verify import matrix
from tests.tools.commands import cdg


@pytest.fixture(autouse=True)
def _no_interpreter(monkeypatch) -> None:
    """Triton's interpreter would take most of the time, and has tests of its own."""
    monkeypatch.setenv("TRITON_INTERPRET", "0")


def _halve_last_row(path):
    """Return the path with k's last output channel halved, in float32 only."""

    def transform(g, metric, dim, groups):
        k = path.transform(g, metric, dim, groups)
        if g.dtype.itemsize == 4:
            k.select(dim, -1).mul_(0.5)
        return k

    return dataclasses.replace(path, transform=transform)


def test_quick_holds_and_reports(tmp_path) -> None:
    files = tmp_path / "report.json", tmp_path / "report.md"
    done = cdg("verify", "--quick", "--json", files[0], "--markdown", files[1])
    assert "Everything holds" in done.output
    content = json.loads(files[0].read_text())
    assert content["holds"] is True
    assert content["failures"] == []
    kinds = {(c["case"]["path"], c["case"]["dtype"]) for c in content["certificates"]}
    assert {(path, "float32") for path in ("reference", "cpu", "in place", "attach")} <= kinds
    assert {("reference", dtype) for dtype in matrix.DTYPES} <= kinds
    for entry in content["certificates"]:
        assert Certificate.from_json(json.dumps(entry["certificate"])).holds is entry["holds"]
    assert "**Everything holds.**" in files[1].read_text()


def test_quick_leaves_out_no_path_kernel_dtype_or_layout() -> None:
    def seen(*fields, **options):
        chosen = matrix.cases(**options)
        kernels = [matrix.kernel(matrix.METRICS[case.metric]) for case in chosen]
        return {
            (kernel, *(getattr(case, name) for name in fields))
            for kernel, case in zip(kernels, chosen, strict=True)
        }

    assert len(seen()) == 8
    assert seen("path", "dtype", quick=True) == seen("path", "dtype")
    assert seen("path", "layout", quick=True) == seen("path", "layout")


def test_a_wrong_row_is_found_and_named(monkeypatch, tmp_path) -> None:
    first = ledger.theorems()[:1]
    monkeypatch.setattr(ledger, "theorems", lambda: first)
    broken = _halve_last_row(matrix.PATHS["reference"])
    monkeypatch.setitem(matrix.PATHS, "reference", broken)
    target = tmp_path / "report.json"
    done = cdg("verify", "--quick", "--json", target, exit_code=1)
    assert "Verification failed" in done.output
    content = json.loads(target.read_text())
    assert content["holds"] is False
    for entry in content["certificates"]:
        case, certificate = entry["case"], entry["certificate"]
        if case["path"] != "reference" or case["dtype"] != "float32":
            assert entry["holds"]
        elif case["n"] > 1 and case["layout"] == "contiguous":
            assert not entry["holds"]
            constant = next(f for f in certificate["findings"] if f["kind"] == "constant")
            assert constant["row"] == case["n"] - 1
            assert constant["got"] == pytest.approx(constant["expected"] / 2, rel=1e-6)
    # The terminal says metric, n, dtype, layout, kind of gradient, row and column.
    assert "reference, H⁰ λ=10, n = 64, float32, contiguous" in done.output
    assert "at constant, row 63, column" in done.output


def test_theory_alone_runs_no_certificate(monkeypatch, tmp_path) -> None:
    # One theorem is enough to see the switch: the whole ledger has tests of its own.
    first = ledger.theorems()[:1]
    monkeypatch.setattr(ledger, "theorems", lambda: first)
    target, page = tmp_path / "report.json", tmp_path / "report.md"
    cdg("verify", "--theory", "--json", target, "--markdown", page)
    content = json.loads(target.read_text())
    assert [(r["id"], r["perturbed"]) for r in content["theorems"]] == [
        (first[0].id, False),
        (first[0].id, True),
    ]
    assert content["certificates"] == []
    lines = page.read_text(encoding="utf-8").splitlines()
    table = lines[lines.index("## Theorems") + 2 :]
    assert table[0].startswith("| theorem | kind | holds | perturbed statement refused |")
    assert table[2].startswith(f"| {first[0].id} | {first[0].kind} | yes | yes |")
    assert "## Certificates" not in lines


@pytest.mark.parametrize("accepts", [False, True], ids=["refuted", "accepts-the-perturbed"])
def test_a_failing_theorem_is_named(monkeypatch, accepts) -> None:
    broken = dataclasses.replace(
        ledger.theorems()[0], check=lambda: accepts, variant=lambda: accepts
    )
    monkeypatch.setattr(ledger, "theorems", lambda: (broken,))
    done = cdg("verify", "--theory", exit_code=1)
    assert f"theorem {broken.id}" in done.output
    assert ("accepts the perturbed statement" if accepts else "refuted") in done.output
