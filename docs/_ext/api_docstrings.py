"""Docstrings on the site: references to re-exported names, and lists of names as lists."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import sys
import types
from typing import TYPE_CHECKING, Any

import api_tasks
from docutils import nodes
from sphinx.addnodes import desc, desc_signature, pending_xref

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

OURS = ("cdg_theory", "cdg_torch")
# Other projects are named, not linked: the site is built and read without a network.
OTHERS = {
    "abc", "argparse", "collections", "contextlib", "dataclasses", "enum", "flint", "fractions",
    "functools", "lightning", "matplotlib", "nn", "np", "numba", "numbers", "numpy", "os",
    "pathlib", "plt", "rich", "scipy", "sklearn", "sp", "sympy", "torch", "torchmetrics", "triton",
    "typer", "types", "typing", "typing_extensions",
}  # fmt: skip


@functools.cache
def _imports(module: str) -> dict[str, str]:
    """Return the names a module imports, those for type checkers alone included."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _defining_module(node: nodes.Node, module: str) -> str:
    """Return the module whose text a node comes from: public names are documented elsewhere."""
    while node := node.parent:
        if isinstance(node, desc) and isinstance(signature := node[0], desc_signature):
            found = _locate(f"{signature.get('module')}.{signature.get('fullname')}")
            return getattr(found, "__module__", None) or module
    return module


def keep_places(_app: Sphinx, doctree: nodes.document) -> None:
    """Give each public entry the anchor of the place where it is defined, too.

    The pages of source text link back to that place.
    """
    for signature in doctree.findall(desc_signature):
        name = f"{signature.get('module')}.{signature.get('fullname')}"
        place = api_tasks.place_of(name)
        if name in signature["ids"] and place != name:
            signature["ids"].append(place)


def drop_plain_bases(_app: Sphinx, doctree: nodes.document) -> None:
    """Say nothing of what a class is derived from where that is ``object``."""
    for paragraph in list(doctree.findall(nodes.paragraph)):
        if paragraph.astext() == "Bases: object":
            paragraph.parent.remove(paragraph)


def link_back_to_places(_app: Sphinx, env: BuildEnvironment) -> None:
    """Let ``sphinx.ext.viewcode`` link back to where things are defined, one prefix per module."""
    modules = getattr(env, "_viewcode_modules", {})
    for module, entry in modules.items():
        if entry:
            modules[module] = (*entry[:3], module)


def qualify(_app: Sphinx, doctree: nodes.document) -> None:
    """Give a bare name the module that it is imported from, or defined in."""
    for node in doctree.findall(pending_xref):
        module = node.get("py:module")
        if node.get("refdomain") == "py" and module:
            home = _defining_module(node, module)
            head, dot, rest = node["reftarget"].partition(".")
            if place := _imports(home).get(head):
                node["reftarget"] = place + dot + rest
            elif home != module and head not in OTHERS and _locate(f"{home}.{head}") is not None:
                node["reftarget"] = f"{home}.{node['reftarget']}"


def _locate(name: str) -> Any:
    """Return the object with a dotted name, or None."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        try:
            for part in parts[cut:]:
                found = getattr(found, part)
        except AttributeError:
            return None
        return found
    return None


def _canonical(found: Any) -> str | None:
    """Return the name under which the API pages document an object."""
    if inspect.ismodule(found):
        return found.__name__
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    return api_tasks.public_name(f"{module}.{name}") if module and name else None


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.Element | None:
    """Resolve :class:`cdg_theory.Metric`, documented where it is defined; let others' names be."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    root = target.split(".")[0]
    if root in OTHERS:
        return contnode
    candidates = [target] if root in OURS else []
    if module := node.get("py:module"):
        candidates.append(f"{module}.{target}")
    domain = env.domains["py"]
    for candidate in candidates:
        found = _locate(candidate)
        if found is None:
            continue
        name = _canonical(found)
        # Data, private classes and dunder methods exist, but the pages have no entry for them.
        if name is None or name.split(".")[0] not in OURS or name.rpartition(".")[2][0] == "_":
            return contnode
        for role in ("obj", "mod"):
            link = domain.resolve_xref(env, node["refdoc"], app.builder, role, name, node, contnode)
            if link is not None:
                return link
    # A role in a docstring must lead somewhere; an annotation may name an alias of a type.
    return None if isinstance(contnode, nodes.literal) else contnode


_NAMED = re.compile(r"^(``[^`]+``(?:, ``[^`]+``)*)\s{2,}(\S.*)$")


def _linked(names: str, module: str) -> str:
    """Return "``name``, ``other``" with a link for each that has an entry or a page."""

    def link(match: re.Match[str]) -> str:
        place = _canonical(_locate(f"{module}.{match[1]}"))
        documented = place in api_tasks.public_names().values() or place in sys.modules
        return f":py:obj:`{match[1]} <{place}>`" if documented else match[0]

    return re.sub(r"``(\w+)``", link, names)


def list_names(
    _app: Sphinx, what: str, name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Turn aligned lines "``name``  what it is" in a module's docstring into a list of links."""
    if what != "module":
        return
    out: list[str] = []
    for paragraph in "\n".join(lines).split("\n\n"):
        rows = paragraph.split("\n")
        # A row of a table looks the same; a table has borders.
        if any(_NAMED.match(row) for row in rows) and not any(
            set(row) == {"=", " "} for row in rows
        ):
            started = False
            for row in rows:
                if match := _NAMED.match(row):
                    out += ([] if started else [""]) + [f"* {_linked(match[1], name)}: {match[2]}"]
                    started = True
                else:
                    out.append(f"  {row.strip()}" if started else row)
        else:
            out += rows
        out.append("")
    lines[:] = out


def skip_aliases(
    _app: Sphinx, _what: str, _name: str, found: object, _skip: bool, _options: object
) -> bool | None:
    """Leave out type aliases: autodoc takes ``dict[str, Any]`` for a class and fails on it."""
    return True if isinstance(found, types.GenericAlias) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the hooks."""
    app.connect("autodoc-skip-member", skip_aliases)
    app.connect("doctree-read", qualify)
    app.connect("doctree-read", keep_places)
    app.connect("doctree-read", drop_plain_bases)
    app.connect("env-updated", link_back_to_places)
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-docstring", list_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
