"""What is public, and under which task: read from ``api/tasks.toml``."""

from __future__ import annotations

import importlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).parents[1] / "api" / "tasks.toml"


@dataclass(frozen=True, slots=True)
class Task:
    """One page of the reference; ``data`` are public objects without a docstring."""

    slug: str
    title: str
    intro: str
    names: tuple[str, ...]
    data: tuple[str, ...] = ()


@cache
def tasks() -> tuple[Task, ...]:
    """Return the tasks in the order of the file."""
    read = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(
        Task(slug, task["title"], task["intro"], tuple(task["names"]), tuple(task.get("data", ())))
        for slug, task in read.items()
    )


def load(name: str) -> Any:
    """Return the object with a public name."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


@cache
def public_names() -> dict[str, str]:
    """Return the public name of each object by the place where it is defined."""
    objects = {name: load(name) for task in tasks() for name in task.names}
    return {f"{found.__module__}.{found.__qualname__}": name for name, found in objects.items()}


def _renamed(name: str, names: Mapping[str, str]) -> str:
    """Return a dotted name with its longest known beginning replaced, as a member needs it."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        if new := names.get(".".join(parts[:cut])):
            return ".".join([new, *parts[cut:]])
    return name


def public_name(place: str) -> str:
    """Return what the pages call an object, or a member of a class, defined at a place."""
    return _renamed(place, public_names())


def place_of(name: str) -> str:
    """Return where an object is defined, or a member of a class, that has a public name."""
    return _renamed(name, {public: place for place, public in public_names().items()})
