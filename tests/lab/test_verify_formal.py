"""``cdg verify --formal``: proved is exit 0, refused is exit 1, no Coq is exit 2 and one line."""

import pytest

from cdg_theory.formal import kernel
from tests.tools.commands import cdg
from tests.tools.coq import version_of_coq


def test_without_coq_it_cannot_tell(monkeypatch) -> None:
    monkeypatch.setattr(kernel.shutil, "which", lambda _: None)
    said = cdg("verify", "--formal", exit_code=2).output.strip()
    assert said.startswith("Error: not installed: coqc and coqchk, ")
    assert "apt-get install coq" in said
    assert "\n" not in said


def test_it_stands_alone() -> None:
    assert "stands alone" in cdg("verify", "--formal", "--quick", exit_code=2).output


def test_a_refused_proof_is_named(monkeypatch) -> None:
    refusal = kernel.NotChecked("Path", "Unable to unify")

    def refuse(_: object) -> None:
        raise refusal

    monkeypatch.setattr(kernel, "check_proofs", refuse)
    said = cdg("verify", "--formal", exit_code=1).output
    assert "FAILED Coq refuses Path.v: Unable to unify" in said


@pytest.mark.parametrize(("axioms", "exit_code"), [((), 0), (("wish",), 1)])
def test_assumptions_are_shown(monkeypatch, axioms, exit_code) -> None:
    found = kernel.Assumed("T5_sweeps_path", axioms)
    report = kernel.KernelReport("8.16.1", (found,), 325)
    monkeypatch.setattr(kernel, "check_proofs", lambda _: report)
    said = cdg("verify", "--formal", exit_code=exit_code).output
    assert "T5.sweeps-path" in said
    assert ("wish" if axioms else "closed under the global context") in said
    assert ("Verification failed" if axioms else "Everything holds: Coq 8.16.1, 1 theorems") in said


@pytest.mark.slow
def test_all_of_it() -> None:
    version_of_coq()
    said = cdg("verify", "--formal").output
    assert "T5_sweeps_path" in said
    assert "Everything holds" in said
