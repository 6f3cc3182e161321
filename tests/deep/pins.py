"""What the test command installs is pinned, once each, within the ranges that are supported."""

from __future__ import annotations

import tomllib
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.deep.figures import ROOT, Figure, judged, timed

PROJECT = "channel-directed-gradients"
# What comes with an environment, whatever is installed there.
OF_PYTHON = {PROJECT, "pip", "setuptools", "wheel"}


def problems(constraints: str, pyproject: str) -> tuple[list[str], int]:
    """Return what is wrong with the pins, and how many packages are installed."""
    installed = {canonicalize_name(d.name): Version(d.version) for d in metadata.distributions()}
    pins: dict[str, Version] = {}
    found = []
    for line in filter(None, (line.partition("#")[0].strip() for line in constraints.splitlines())):
        name, _, version = line.partition("==")
        if not version or canonicalize_name(name) in pins:
            found.append(f"the line {line!r} pins nothing, or again")
        else:
            pins[canonicalize_name(name)] = Version(version)
    for name in sorted(installed.keys() - OF_PYTHON | pins.keys()):
        pin, here = pins.get(name), installed.get(name)
        if pin is None:
            found.append(f"{name} {here} is installed and not pinned")
        elif here is None:
            found.append(f"{name} is pinned and not installed")
        # A local build ("2.13.0+cpu") is of the version pinned.
        elif pin.public != here.public:
            found.append(f"{name} {here} is installed, {pin} is pinned")
    project = tomllib.loads(pyproject)["project"]
    for lines in (project["dependencies"], *project["optional-dependencies"].values()):
        for supported in map(Requirement, lines):
            pin = pins.get(canonicalize_name(supported.name))
            if pin is not None and not supported.specifier.contains(pin):
                found.append(f"{pin} is pinned, {supported} is supported")
    return found, len(installed)


# (what is done to the pins, what must then be said)
SPOILT = (
    (lambda text: text.replace("numpy==", "# numpy=="), "numpy", "not pinned"),
    (lambda text: text + "\nnumpy==1.0\n", "numpy==1.0", "again"),
    (lambda text: text.replace("rich==", "rich>="), "rich", "pins nothing"),
    (lambda text: text.replace("sympy==1.", "sympy==0."), "sympy", "is supported"),
    (lambda text: text + "\nleft-over==1.0\n", "left-over", "not installed"),
)


def judge() -> Figure:
    """Check the pins, after pins that were spoilt on purpose."""
    constraints, pyproject = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("constraints.txt", "pyproject.toml")
    )
    with timed() as seconds:
        wrong, count = problems(constraints, pyproject)
        for spoil, name, expected in SPOILT:
            said, _ = problems(spoil(constraints), pyproject)
            if not any(name in line and expected in line for line in said):
                wrong.append(f"not noticed: {name} ({expected})")
    promise = "every package of the test command is pinned once, to what is installed and supported"
    found = f"{count} packages, {len(SPOILT)} lists spoilt on purpose"
    return judged("security", promise, found, wrong, seconds())
