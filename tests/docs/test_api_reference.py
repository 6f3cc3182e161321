"""The API reference: every public name under one task, no other; lists of names are lists."""

import importlib
import inspect
import re
from collections import Counter
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import cdg_theory
import cdg_torch
from cdg_theory import ledger

EXT = Path(__file__).parents[2] / "docs" / "_ext"
# Packages whose __all__ is for users; those of the others is for the library itself.
FACES = [
    "cdg_theory", "cdg_theory.certificates", "cdg_theory.continuum", "cdg_theory.discrete",
    "cdg_theory.rounding", "cdg_torch", "cdg_torch.attachment", "cdg_torch.diagnosis",
    "cdg_torch.lab.baselines",
]  # fmt: skip


@pytest.fixture
def extensions(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXT))
    return importlib.import_module


def place(found: Any) -> str:
    return f"{found.__module__}.{found.__qualname__}"


def exported() -> set[str]:
    """Return where the functions and classes are defined that the packages export to users."""
    found = [
        value
        for face in map(importlib.import_module, FACES)
        for value in (getattr(face, name) for name in face.__all__)
        if not inspect.ismodule(value) and hasattr(value, "__qualname__")
    ]
    found += [
        value
        for name, value in vars(ledger).items()
        if name[0] != "_"
        and getattr(value, "__module__", "") in {ledger.__name__, "cdg_theory.theorem"}
    ]
    return set(map(place, found))


def test_what_is_exported_has_a_task(extensions) -> None:
    assert exported() - extensions("api_tasks").public_names().keys() == set()


def test_a_name_has_one_task(extensions) -> None:
    tasks = extensions("api_tasks").tasks()
    counts = Counter(name for task in tasks for name in (*task.names, *task.data))
    assert max(counts.values()) == 1
    assert len(extensions("api_tasks").public_names()) == sum(len(task.names) for task in tasks)


def test_the_index_has_every_task(extensions) -> None:
    index = (EXT.parent / "api" / "index.md").read_text(encoding="utf-8")
    listed = [
        line.removeprefix("generated/") for line in index.splitlines() if line[:9] == "generated"
    ]
    assert listed == [
        *(task.slug for task in extensions("api_tasks").tasks()),
        "internals/cdg_theory",
        "internals/cdg_torch",
    ]


MODULES = [
    name
    for package in (cdg_theory, cdg_torch)
    for _, name, _ in walk_packages(package.__path__, f"{package.__name__}.")
    if "__main__" not in name
]


@pytest.mark.parametrize("module", ["cdg_theory", "cdg_torch", *MODULES])
def test_a_list_of_names_is_a_list(module, extensions) -> None:
    doc = inspect.getdoc(importlib.import_module(module)) or ""
    paragraphs = [paragraph.split("\n") for paragraph in doc.split("\n\n")]
    # A table has borders, and its rows may begin with a name.
    prose = [p for p in paragraphs if not any(row and set(row) == {"=", " "} for row in p)]
    lists = [p for p in prose if any(re.match(r"``.*``.*\s{2,}\S", row) for row in p)]
    lines = doc.split("\n")
    extensions("api_docstrings").list_names(None, "module", module, None, None, lines)
    items = [line for line in lines if re.match(r"\* (``|:py:obj:`)", line)]
    assert len(items) == sum(row.startswith("``") for p in lists for row in p)


def test_the_opening_list_names_everything_exported() -> None:
    doc = cdg_torch.__doc__ or ""
    assert [name for name in cdg_torch.__all__ if f"``{name}``" not in doc] == []
