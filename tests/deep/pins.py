"""What the test command installs is pinned, once each, within the ranges that are supported."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.deep.figures import Figure, timed

ROOT = Path(__file__).parents[2]
PROJECT = "channel-directed-gradients"
# Installed by the Makefile beside the extra `test`, without what it asks for.
WITHOUT_DEPENDENCIES = ("timm",)


def pinned(text: str) -> tuple[dict[str, Version], list[str]]:
    """Return the versions that constraints pin, and the lines that pin nothing or pin twice."""
    pins: dict[str, Version] = {}
    wrong = []
    for line in text.splitlines():
        bare = line.partition("#")[0].strip()
        if not bare:
            continue
        requirement = Requirement(bare)
        name = canonicalize_name(requirement.name)
        exact = [clause for clause in requirement.specifier if clause.operator == "=="]
        if name in pins or len(exact) != 1 or len(requirement.specifier) != 1:
            wrong.append(line)
        else:
            pins[name] = Version(exact[0].version)
    return pins, wrong


def declared(text: str) -> dict[str, list[Requirement]]:
    """Return the requirements of a pyproject by extra; those of all under the empty name."""
    project = tomllib.loads(text)["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {name: [Requirement(line) for line in lines] for name, lines in groups.items()}


def wanted(groups: dict[str, list[Requirement]], extras: Iterable[str]) -> list[Requirement]:
    """Return what the project itself asks for with some extras."""
    found, done, queue = list(groups[""]), set(), list(extras)
    while queue:
        extra = queue.pop()
        if extra in done:
            continue
        done.add(extra)
        for requirement in groups[extra]:
            if canonicalize_name(requirement.name) == PROJECT:
                queue += requirement.extras
            else:
                found.append(requirement)
    return [r for r in found if r.marker is None or r.marker.evaluate()]


def closure(requirements: Iterable[Requirement]) -> dict[str, Version]:
    """Return everything installed here that the requirements lead to."""
    found: dict[str, Version] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = list(requirements)
    while queue:
        requirement = queue.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        distribution = metadata.distribution(name)
        found[name] = Version(distribution.version)
        for line in distribution.requires or ():
            more = Requirement(line)
            choices = [{"extra": extra} for extra in (extras or {""})]
            if more.marker is None or any(more.marker.evaluate(choice) for choice in choices):
                queue.append(more)
    return found


def problems(constraints: str, pyproject: str) -> tuple[list[str], int]:
    """Return what is wrong with the pins, and how many packages are installed."""
    pins, wrong = pinned(constraints)
    groups = declared(pyproject)
    requirements = wanted(groups, ["test"])
    installed = closure(requirements)
    for name in WITHOUT_DEPENDENCIES:
        installed[name] = Version(metadata.version(name))
    found = [f"the line {line!r} pins nothing, or again" for line in wrong]
    for name, version in sorted(installed.items()):
        if name not in pins:
            found.append(f"{name} {version} is installed and not pinned")
        # A local build ("2.13.0+cpu") is of the version pinned.
        elif pins[name].public != version.public:
            found.append(f"{name} {version} is installed, {pins[name]} is pinned")
    found += [f"{name} is pinned and not needed" for name in sorted(pins.keys() - installed)]
    for requirement in requirements:
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is not None and not requirement.specifier.contains(pin):
            found.append(f"{pin} is pinned, {requirement} is supported")
    return found, len(installed)


# (what is done to the pins, what must then be said)
SPOILT = (
    (lambda text: text.replace("numpy==", "# numpy=="), "numpy", "not pinned"),
    (lambda text: text + "\nnumpy==1.0\n", "numpy==1.0", "again"),
    (lambda text: text.replace("rich==", "rich>="), "rich", "pins nothing"),
    (lambda text: text.replace("sympy==1.", "sympy==0."), "sympy", "is supported"),
    (lambda text: text + "\nleft-over==1.0\n", "left-over", "not needed"),
)


def run() -> list[Figure]:
    """Check the pins, after pins that were spoilt on purpose."""
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    with timed() as seconds:
        missed = []
        for spoil, name, expected in SPOILT:
            said, _ = problems(spoil(constraints), pyproject)
            if not any(name in line and expected in line for line in said):
                missed.append(f"{name} ({expected})")
        found, count = problems(constraints, pyproject)
    text = f"{count} packages, {len(SPOILT)} spoilt lists refused"
    if found or missed:
        text = f"not noticed: {', '.join(missed)}" if missed else "; ".join(found)
    promise = "every package of the test command is pinned once, to what is installed and supported"
    return [Figure("security", promise, text, not (found or missed), seconds())]
