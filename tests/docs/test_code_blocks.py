"""Every code block of the README and of the pages runs; every shell command in them exists.

Pages that are notebooks run when the site is built, so they are left out here.
"""

import re
import shlex
import timeit
import tomllib
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

import cdg_torch

ROOT = Path(__file__).parents[2]
SYBIL = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()], path=str(ROOT))
FENCE = re.compile(r"^(`{3,})\{?([\w-]*)\}?.*?\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)


# Pages with a section whose blocks have a test of their own, against loops written by hand.
SECTIONS = {
    "docs/howto/training-loop.md": ("\n## Recipes\n", "tests/attach/test_recipes.py"),
    "docs/howto/frameworks.md": ("\n## Recipes\n", "tests/attach/test_frameworks.py"),
}


def is_notebook(path: Path) -> bool:
    return "\nfile_format: mystnb" in path.read_text(encoding="utf-8")[:200]


def documents() -> list[Path]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for path in sorted((ROOT / "docs").rglob("*.md")):
        if not path.relative_to(ROOT / "docs").parts[0].startswith("_") and not is_notebook(path):
            found.append(path)
    return found


def blocks(path: Path, *languages: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [body for _, language, body in FENCE.findall(text) if language in languages]


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


PYTHON = [path for path in documents() if blocks(path, "python")]
PAGES = sorted({*documents(), *(ROOT / "docs").rglob("*.md")})
SHELL = [path for path in PAGES if blocks(path, "shell", "bash", "console", "sh")]


@pytest.mark.parametrize("path", PYTHON, ids=names(PYTHON))
def test_python_blocks_run(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    document = SYBIL.parse(path)
    examples = list(document.examples())
    assert len(examples) >= len(blocks(path, "python"))
    name = path.relative_to(ROOT).as_posix()
    if name in SECTIONS:
        heading, other = SECTIONS[name]
        end = document.text.index(heading)
        assert path.name in (ROOT / other).read_text(encoding="utf-8")
        examples = [example for example in examples if example.region.start < end]
        model = torch.nn.Conv2d(1, 4, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        document.namespace |= {"cdg_torch": cdg_torch, "Metric": cdg_torch.Metric}
        document.namespace |= {"model": model, "optimizer": optimizer}
    for example in examples:
        example.evaluate()


def commands(path: Path) -> list[list[str]]:
    found = []
    for block in blocks(path, "shell", "bash", "console", "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.removeprefix("$ ").split("&&"):
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                    words = words[1:]
                if words:
                    found.append([words[0].removeprefix(".venv/bin/"), *words[1:]])
    return found


def check(command: list[str]) -> None:
    """Refuse a command whose target, extra, subcommand, option, module or file does not exist."""
    program, *words = command
    if program in {"python", "python3"} and words[0] == "-m":
        check(words[1:])
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words) <= set(targets), f"make has no target {words}"
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for wanted in re.findall(r"\[([\w,-]+)\]", " ".join(words)):
            assert set(wanted.split(",")) <= set(extras["optional-dependencies"]), wanted
    elif program == "cdg":
        from typer.main import get_command

        from cdg_torch.lab.cli import app

        group: Any = get_command(app)
        assert words[0] in group.commands, f"cdg has no command {words[0]!r}"
        # Parses and checks the options; runs nothing. The shell expands patterns, so here too.
        matches = [sorted(map(str, ROOT.glob(word))) if "*" in word else [word] for word in words]
        assert all(matches), f"no file matches a pattern of {words}"
        group.commands[words[0]].make_context(words[0], [*chain(*matches[1:])])
    elif program == "timeit":
        # Nothing but statements to run: so they run, once.
        assert timeit.main(["-n", "1", "-r", "1", *words]) is None, f"timeit refuses {words}"
    elif program in {"ruff", "mypy", "pytest", "venv", "sphinx", "git", "cd", "nox", "jupyter"}:
        pass
    elif program in {"torchrun", "python", "python3"}:
        script = next(word for word in words if word.endswith(".py"))
        assert (ROOT / script).is_file(), f"{script} does not exist"
    else:
        msg = f"unknown command {program!r}: teach this test how to check it"
        raise AssertionError(msg)


@pytest.mark.parametrize("path", SHELL, ids=names(SHELL))
def test_shell_commands_exist(path: Path) -> None:
    made = set()
    for command in commands(path):
        # What an earlier command of the page has written is there for the reader.
        check([str(ROOT) if word in made else word for word in command])
        made |= {value for option, value in pairwise(command) if option == "--output"}


@pytest.mark.parametrize(
    "command", ["make coffee", "pip install .[nothing]", "cdg fly", "frobnicate", "torchrun no.py"]
)
def test_an_unknown_command_is_seen(command: str) -> None:
    with pytest.raises(AssertionError):
        check(shlex.split(command))
