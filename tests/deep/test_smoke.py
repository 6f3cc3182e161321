"""Every part of the deep checks runs, at tiny effort, and finds its promises kept."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deep import figures
from tests.deep.figures import PARTS, Figure, Measured

ROOT = Path(__file__).parents[2]


def mute(what: str, done: int, total: int) -> None:
    assert what
    assert 0 <= done <= total


# Not all of them are short.
@pytest.mark.slow
# Fuzzing makes a sparse tensor to see it refused, and torch says that such tensors are new.
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("part", [part for part in PARTS if part != "mutation"])
def test_a_part_runs(part) -> None:
    found = importlib.import_module(f"tests.deep.{part}").run(effort=0.001, report=mute)
    assert found
    assert all(figure.part == part for figure in found)
    assert any(figure.holds for figure in found)
    assert [figure for figure in found if figure.holds is False] == []


def test_the_command_fails_when_a_promise_is_broken(tmp_path) -> None:
    """A part that cannot be imported is a broken promise, on the terminal and in the file."""
    program = (
        "import runpy, sys; sys.modules['tests.deep.pins'] = None; "
        "sys.argv = ['deep', 'security', '--json', sys.argv[1]]; "
        "sys.path.insert(0, ''); runpy.run_path('tests/deep', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "deep.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "1 broken" in done.stdout
    (figure,) = json.loads((tmp_path / "deep.json").read_text())["security"]["figures"]
    assert figure["holds"] is False


def test_figures_survive_their_file_and_other_parts_stay(tmp_path) -> None:
    path = tmp_path / "deep.json"
    kept = Figure("edges", "no overflow", "3 cases", True, 1.0)
    figures.save(path, {"edges": Measured((kept,), 1.0, "here")})
    new = Figure("fuzz", "a | b", "not run: no time", None, 0.0)
    figures.save(path, {"fuzz": Measured((new,), 0.5, "there")})
    parts = figures.load(path)
    assert parts["edges"].figures == (kept,)
    assert parts["fuzz"].figures == (new,)
    text = "\n".join(figures.markdown(parts))
    assert r"| a \| b | not run: no time | not run |" in text
    assert "50% of the full amount" in text
    assert text.count("Not measured.") == len(PARTS) - 2
