"""Write the API reference: one page per task for public names, and one per module for the rest."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import shutil
from typing import TYPE_CHECKING

import api_tasks

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterable, Iterator
    from pathlib import Path

    from api_tasks import Task


def _modules(package: str) -> Iterator[str]:
    yield package
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if info.name.startswith("_"):
            continue
        name = f"{package}.{info.name}"
        if info.ispkg:
            yield from _modules(name)
        else:
            yield name


def _public() -> ItemsView[str, str]:
    return api_tasks.public_names().items()


def _entry(name: str) -> str:
    found = api_tasks.load(name)
    if not inspect.isclass(found):
        return f".. autofunction:: {name}"
    kind = "exception" if issubclass(found, BaseException) else "class"
    return f".. auto{kind}:: {name}"


def _summary(names: Iterable[str]) -> list[str]:
    head = [".. py:currentmodule:: None", "", ".. autosummary::", "   :nosignatures:", ""]
    return [*head, *(f"   {name}" for name in names), ""]


def _data(names: Iterable[str]) -> list[str]:
    listed = ", ".join(f"``{name}``" for name in names)
    return [f"Data: {listed}.", ""] if listed else []


def _task_page(task: Task) -> list[str]:
    lines = [task.title, "=" * len(task.title), "", task.intro, "", *_summary(task.names)]
    lines += _data(task.data)
    for name in task.names:
        lines += [_entry(name), ""]
    return lines


def _place(found: object) -> str:
    """Return where an object is defined; a module is its own place."""
    if inspect.ismodule(found):
        return found.__name__
    return f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"


def _listed(module: str) -> tuple[list[str], list[str]]:
    """Return what a page lists: what a package exports, or what is public; and data."""
    exports = getattr(importlib.import_module(module), "__all__", ())
    if not exports:
        return [name for place, name in _public() if place.rpartition(".")[0] == module], []
    doc = importlib.import_module(module).__doc__ or ""
    exports = [name for name in exports if f"``{name}``" not in doc]  # listed at the head
    found = {name: api_tasks.load(f"{module}.{name}") for name in exports}
    data = [
        name
        for name, value in found.items()
        if not (inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value))
    ]
    linked = [api_tasks.public_name(_place(found[name])) for name in exports if name not in data]
    return linked, data


def _module_page(module: str, children: list[str]) -> list[str]:
    """Return the page of a module. Public names are documented by task, and here only listed."""
    listed, data = _listed(module)
    own = [place.rpartition(".")[2] for place, _ in _public() if place.rpartition(".")[0] == module]
    lines = [module, "=" * len(module), "", f".. automodule:: {module}"]
    if children:
        lines.append("   :no-members:")
    elif own:
        lines.append(f"   :exclude-members: {', '.join(own)}")
    lines.append("")
    if listed:
        head = "Exported names:" if children else "Public names, documented by task:"
        lines += [head, "", *_summary(listed)]
    lines += _data(data)
    if not children:
        return lines
    for name in listed:
        own = name.rpartition(".")[0] == module and not inspect.ismodule(api_tasks.load(name))
        if own and name not in api_tasks.public_names().values():
            lines += [_entry(name), ""]
    return [*lines, ".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in children), ""]


def write(folder: Path, packages: Iterable[str]) -> None:
    """Write the pages afresh, so that none outlives its module."""
    shutil.rmtree(folder, ignore_errors=True)
    internals = folder / "internals"
    internals.mkdir(parents=True)
    for task in api_tasks.tasks():
        page = folder / f"{task.slug}.rst"
        page.write_text("\n".join(_task_page(task)), encoding="utf-8")
    for package in packages:
        names = list(_modules(package))
        for name in names:
            children = [
                child
                for child in names
                if child.startswith(f"{name}.") and child.count(".") == name.count(".") + 1
            ]
            page = internals / f"{name}.rst"
            page.write_text("\n".join(_module_page(name, children)), encoding="utf-8")
