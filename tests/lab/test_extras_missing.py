"""A feature whose optional package is missing says so, and names the extra that installs it."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

from cdg_torch import extras
from tests.tools.without import FEATURES, run_without

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bare() -> dict:
    """Return what a process says that has none of the optional packages."""
    return run_without(*FEATURES)


def test_everything_optional_is_tried() -> None:
    assert FEATURES.keys() == extras.CURES.keys()


@pytest.mark.parametrize("package", FEATURES)
def test_the_refusal_names_the_cure(bare, package) -> None:
    assert bare["refusals"][package] == extras.missing(package)


def test_without_kernels_the_reference_serves_quietly_what_is_small(bare) -> None:
    assert bare["warnings"] == []


def test_the_extras_named_are_those_that_install_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for package in extras.CURES:
        name = extras.missing(package).partition(" ")[0]
        named = re.search(r"\[(\w+)\]", extras.CURES[package])
        if named is not None:
            requirements = project["optional-dependencies"][named[1]]
            assert any(line.startswith(f"{name}>=") for line in requirements), package


def test_only_the_optional_packages_are_spoken_of() -> None:
    cure = re.escape(extras.missing("numba"))
    with pytest.raises(ModuleNotFoundError, match=cure), extras.optional():
        raise ModuleNotFoundError(name="numba.core")
    with pytest.raises(ModuleNotFoundError, match="not_ours"), extras.optional():
        importlib.import_module("not_ours")
