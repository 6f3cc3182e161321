"""What a public function or class raises itself, its section "Raises" names."""

import ast
import importlib
import inspect
import textwrap
from pkgutil import walk_packages
from types import FunctionType

import pytest
from numpydoc.docscrape import NumpyDocString

import cdg_theory
import cdg_torch

# Packages that say what is public, and two modules that are used by their names.
FACES = ["cdg_theory", "cdg_theory.ledger", "cdg_torch", "cdg_torch.lab.baselines"] + [
    name
    for package in (cdg_theory, cdg_torch)
    for _, name, is_package in walk_packages(package.__path__, f"{package.__name__}.")
    if is_package
]


def public_callables() -> dict[str, tuple[list[FunctionType], str]]:
    """Return, by name, the functions whose errors a docstring answers for, and the docstring."""
    found = {}
    for face in map(importlib.import_module, FACES):
        for name in getattr(face, "__all__", [name for name in vars(face) if name[0] != "_"]):
            value = getattr(face, name)
            if isinstance(value, FunctionType):
                found[f"{value.__module__}.{name}"] = ([value], inspect.getdoc(value) or "")
            elif inspect.isclass(value) and value.__module__.startswith("cdg_"):
                own = {
                    name: getattr(member, "__func__", getattr(member, "fget", member))
                    for name, member in vars(value).items()
                }
                making = [own[n] for n in ("__init__", "__new__", "__post_init__") if n in own]
                place = f"{value.__module__}.{name}"
                found[place] = (making, inspect.getdoc(value) or "")
                for method, function in own.items():
                    if isinstance(function, FunctionType) and method[0] != "_":
                        found[f"{place}.{method}"] = ([function], inspect.getdoc(function) or "")
    return found


CALLABLES = public_callables()


def raised(function: FunctionType) -> set[str]:
    """Return the names of the exceptions that the function's own text raises."""
    try:
        lines = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    except OSError:  # written by @dataclass
        return set()
    calls = [node.exc for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Raise)]
    names = [call.func for call in calls if isinstance(call, ast.Call)]
    return {ast.unparse(name).rpartition(".")[2] for name in names}


@pytest.mark.parametrize("name", CALLABLES)
def test_what_it_raises_is_documented(name) -> None:
    functions, doc = CALLABLES[name]
    promised = {
        kind.strip().rpartition(".")[2]
        for entry in NumpyDocString(doc)["Raises"]
        for kind in entry.type.split(",")
    }
    assert set().union(*map(raised, functions)) <= promised
