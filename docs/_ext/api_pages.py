"""Write one API page per public module, and a table of the public names of each package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import ModuleType


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


def _home(module: ModuleType, export: str) -> str | None:
    return getattr(getattr(module, export), "__module__", None)


def _has_docstring(found: object) -> bool:
    return inspect.isclass(found) or inspect.isroutine(found) or inspect.ismodule(found)


def write(folder: Path, packages: Iterable[str]) -> None:
    """Write the pages afresh, so that none outlives its module."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for package in packages:
        names = list(_modules(package))
        for name in names:
            children = [
                child
                for child in names
                if child.startswith(f"{name}.") and child.count(".") == name.count(".") + 1
            ]
            lines = [name, "=" * len(name), "", f".. automodule:: {name}"]
            if children:
                # A name is documented once, where it is defined; a package lists what it exports.
                module = importlib.import_module(name)
                exports = getattr(module, "__all__", ())
                own = [name_ for name_ in exports if _home(module, name_) == name]
                lines += ["   :no-members:", "", f".. currentmodule:: {name}", ""]
                documented = [e for e in exports if _has_docstring(getattr(module, e))]
                if documented:
                    lines += [".. autosummary::", "", *(f"   {e}" for e in documented), ""]
                if data := [f"``{e}``" for e in exports if e not in documented]:
                    lines += [f"Data: {', '.join(data)}.", ""]
                for export in own:
                    kind = "class" if inspect.isclass(getattr(module, export)) else "function"
                    lines += [f".. auto{kind}:: {export}", ""]
                lines += [".. toctree::", "   :maxdepth: 1", "", *(f"   {c}" for c in children), ""]
            (folder / f"{name}.rst").write_text("\n".join(lines), encoding="utf-8")
