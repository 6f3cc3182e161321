"""Every command can be read on any encoding, width and path, and says at once what stops it."""

import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from cdg_theory import ledger
from cdg_torch import extras
from cdg_torch.lab.bench import figures, measurements, run
from cdg_torch.lab.bench.measurements import Cost
from cdg_torch.lab.cli import app, experiments
from cdg_torch.lab.notebooks import Library
from cdg_torch.lab.train import demo, plots, report, store
from cdg_torch.lab.train.models import build
from tests.tools import records

SPEC = """
name = "spéc λ"
data = "digits"
options = { train = 16, validation = 8 }
model = "tiny-cnn"
rates = [0.03]
select_seeds = 1
final_seeds = 2
methods = [{ name = "SGD" }, { name = "H⁰ λ=4 [x]", metric = { fluctuation = 4.0 } }]
"""
SMALL = replace(
    demo.DEMO, options={"train": 16, "validation": 8}, epochs=1, rates=(0.1,), select_seeds=1,
    final_seeds=2,
)  # fmt: skip
SMALL_ORDERED = replace(
    demo.ORDERED_DEMO, options={"train": 32, "repeat": 1}, epochs=1, rates=(0.1,), select_seeds=1,
    final_seeds=2,
)  # fmt: skip


def draw(*arguments: object) -> bool:
    path = next(argument for argument in arguments if isinstance(argument, Path))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return True


def measure(found, *_: object) -> None:
    found.rows.append(Cost("ResNet-18", "our CPU kernels", "H⁰ λ=10", 1.5, 1.6, 1.7, 0.5))
    found.tensors["ResNet-18"], found.numbers["ResNet-18"], found.floors["ResNet-18"] = 20, 11, 0.3


@pytest.fixture
def brief(monkeypatch) -> None:
    """Leave every command what it reads, prints and writes, and nearly none of its work."""
    theorems = ledger.theorems()[:2]
    monkeypatch.setattr(ledger, "theorems", lambda: theorems)
    monkeypatch.setattr(demo, "DEMO", SMALL)
    monkeypatch.setattr(demo, "ORDERED_DEMO", SMALL_ORDERED)
    monkeypatch.setattr(experiments, "verify", lambda **_: True)
    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(measurements, "_cores_busy", lambda: 0.0)
    page = property(lambda library: [library.pages["theory/conversions"]])  # names no theorem
    monkeypatch.setattr(Library, "notebooks", page)
    for module, name in (
        (figures, "draw_cost"), (figures, "draw_scaling"), (plots, "draw_training"),
        (demo, "draw_training"), (report, "draw_training"), (report, "draw_differences"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, draw)


# By command: what it is given, with {input} and {out} for folders, and what it writes there.
COMMANDS = {
    "verify": ("--theory --markdown {out}/page.md", "page.md"),
    "demo": ("--workers 0 --output {out}", "results.jsonl"),
    "train": ("{input}/spec.toml --workers 0 --output {out}", "spéc λ.jsonl"),
    "report": ("{input} --output {out}", "report.md"),
    "correlation": ("{input}/net.pt --figure {out}/net.png", "net.png"),
    "diagnose": ("angles --batches 4 --json {out}/found.json", "found.json"),
    "bench": ("--quick --output {out}", "cost.json"),
    "notebooks": ("{out}", "index.ipynb"),
}


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """Return a folder with a blank and letters in its name, and in it a file for every command."""
    folder = tmp_path_factory.mktemp("ein gäbe λ")
    (folder / "spec.toml").write_text(SPEC, encoding="utf-8")
    torch.save(build("tiny-cnn", 1, 10).state_dict(), folder / "net.pt")
    small = replace(records.EXPERIMENT, select_seeds=1, final_seeds=2)
    rates = {("SGD", 8): 0.1, ("H⁰", 8): 0.01}
    for one in small.select_runs() + small.final_runs(records.chosen(small, rates)):
        store.append(folder / "records.jsonl", records.record(one, 0.5))
    return folder


def words(command: str, **folders: Path) -> list[str]:
    return [command, *(word.format(**folders) for word in COMMANDS[command][0].split())]


def test_every_command_is_walked() -> None:
    from typer.main import get_command

    assert get_command(app).commands.keys() == COMMANDS.keys()


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("encoding", "columns"),
    [("utf-8", 80), ("cp1252", 80), ("latin-1", 40), ("ascii", 40), ("ascii", 20)],
)
def test_any_encoding_and_width(tmp_path, given, command, encoding, columns) -> None:
    out = tmp_path / "öut λ"
    runner = CliRunner(charset=encoding)
    done = runner.invoke(
        app,
        words(command, input=given, out=out),
        env={"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"},
    )
    assert done.exit_code == 0, done.output
    assert (out / COMMANDS[command][1]).is_file()
    assert "Traceback" not in done.output
    lines = [line for line in done.output.splitlines() if not line.startswith("wrote ")]
    assert max(map(len, lines), default=0) <= columns
    assert done.output.isascii() or encoding != "ascii"
    # Greek and superscripts are words and digits where the encoding has none.
    assert "?" not in done.output


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    tmp_path, given, command, monkeypatch
) -> None:
    for module, name in ((ledger, "run"), (run, "measure"), (demo, "conduct")):
        monkeypatch.setattr(module, name, None)  # what would be work
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, words(command, input=given, out=tmp_path / "file" / "out"))
    assert done.exit_code == 2
    assert "could not be written (Not a directory)" in done.output
    assert len(done.output.splitlines()) == 1, done.output


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("command", [*COMMANDS, "--help"])
def test_a_pipe_that_nobody_reads(tmp_path, given, command, monkeypatch, capsys) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(os.fdopen(writing, "wb")))
    arguments = words(command, input=given, out=tmp_path) if command in COMMANDS else [command]
    with pytest.raises(SystemExit) as ended:
        app(arguments)
    assert ended.value.code == 141
    sys.stdout.close()
    monkeypatch.undo()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(
    ("command", "hidden"),
    [
        ("demo", "sklearn"), ("demo", "torchmetrics"), ("demo", "matplotlib"), ("train", "sklearn"),
        ("train", "torchmetrics"), ("report", "matplotlib"), ("correlation", "matplotlib"),
        ("bench", "matplotlib"),
    ],
)  # fmt: skip
def test_a_missing_extra_is_named_before_the_work(
    tmp_path, given, command, hidden, monkeypatch
) -> None:
    find = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == hidden else find(name))
    monkeypatch.setattr(demo, "conduct", None)
    monkeypatch.setattr(experiments, "verify", None)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, words(command, input=given, out=out))
    assert done.exit_code == 2
    assert done.output == f"Error: {extras.missing(hidden)}\n"
    assert not out.exists()
