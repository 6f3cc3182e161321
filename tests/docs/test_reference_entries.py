"""Every entry of the API reference has equation, letters, arguments, errors, example, relatives."""

import ast
import builtins
import doctest
import importlib
import inspect
import re
import tomllib
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from numpydoc.docscrape import NumpyDocString

from cdg_theory import ledger
from cdg_torch import CDGWarning

TASKS = tomllib.loads((Path(__file__).parents[2] / "docs" / "api" / "tasks.toml").read_text())
NAMES = [name for task in TASKS.values() for name in task["names"]]
# What is no formula: records of results, lookups, switches, words.
NO_EQUATION = {
    "cdg_theory.certificates.Certificate", "cdg_theory.certificates.Examination",
    "cdg_theory.certificates.Finding", "cdg_theory.fit.Member", "cdg_theory.ledger.NotProved",
    "cdg_theory.ledger.Result", "cdg_theory.ledger.Results", "cdg_theory.ledger.Theorem",
    "cdg_theory.ledger.prove", "cdg_theory.ledger.proved", "cdg_theory.ledger.run",
    "cdg_theory.ledger.select", "cdg_theory.ledger.theorem", "cdg_theory.ledger.theorems",
    "cdg_theory.ledger.verify", "cdg_theory.rounding.float_format", "cdg_torch.CDGWarning",
    "cdg_torch.Diagnosis", "cdg_torch.Report", "cdg_torch.Rule", "cdg_torch.attached",
    "cdg_torch.attachment.report.Row", "cdg_torch.attachment.statistics.TensorStatistics",
    "cdg_torch.backend", "cdg_torch.metric_operand",
}  # fmt: skip
# They refuse nothing, or are what the library makes and users only read.
NO_ERRORS = {
    "cdg_theory.certificates.Certificate", "cdg_theory.certificates.Examination",
    "cdg_theory.certificates.Finding", "cdg_theory.continuum.GreenFunction",
    "cdg_theory.continuum.StrongForm", "cdg_theory.discrete.SweepFactors", "cdg_theory.fit.Fit",
    "cdg_theory.fit.Member", "cdg_theory.ledger.NotProved", "cdg_theory.ledger.Result",
    "cdg_theory.ledger.Results", "cdg_theory.ledger.Theorem", "cdg_theory.rounding.FloatFormat",
    "cdg_theory.rounding.bounds.ErrorBound", "cdg_torch.CDGWarning", "cdg_torch.Diagnosis",
    "cdg_torch.Handle", "cdg_torch.LayerDiagnosis", "cdg_torch.Report", "cdg_torch.attached",
    "cdg_torch.attachment.report.Row", "cdg_torch.attachment.statistics.TensorStatistics",
    "cdg_torch.correlation.Profile",
}  # fmt: skip
# Named in the entry by the function whose arguments they are; made by the library alone.
NOT_TOLD = {"cdg_torch.Handle": {"optimizer", "attachment"}}
# Their arguments are those of what they derive from.
BARE = (CDGWarning, ledger.Results)


def load(name: str) -> Any:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def documented(name: str) -> str:
    return inspect.getdoc(load(name)) or ""


def arguments_of(name: str, found: Any) -> dict[str, inspect.Parameter]:
    if found in BARE:
        return {}
    left_out = {"args", "kwargs", *NOT_TOLD.get(name, ())}
    parameters = inspect.signature(found).parameters
    return {key: value for key, value in parameters.items() if key not in left_out}


def is_described(argument: str, doc: str) -> bool:
    """Whether a row of a table or an item of "Parameters" tells what an argument is."""
    items = [n.strip() for item in NumpyDocString(doc)["Parameters"] for n in item.name.split(",")]
    row = rf"^(?:\S.*\s{{2,}})?``(?:\w+,\s*)*{argument}(?:,\s*\w+)*``,?(?:\s{{2,}}\S|$)"
    return argument in items or re.search(row, doc, re.MULTILINE) is not None


@pytest.mark.parametrize("name", NAMES)
def test_its_equation(name) -> None:
    doc = documented(name)
    assert (":math:" in doc or ".. math::" in doc) is (name not in NO_EQUATION)


# Notation that every reader has: the differential, transposition, the numbers e and π.
KNOWN = set("dTeπ")
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Delta": "Δ", "Lambda": "Λ", "Sigma": "Σ", "Omega": "Ω", "ell": "ℓ",
}  # fmt: skip
NO_LETTERS = re.compile(r"\\(?:text|math(?:rm|bf)|operatorname|begin|end)\s*\{[^}]*\}")


def letters(tex: str) -> set[str]:
    """Return the letters of a formula, Greek ones as themselves."""
    tex = NO_LETTERS.sub(" ", tex)
    macros = {GREEK[name] for name in re.findall(r"\\([A-Za-z]+)", tex) if name in GREEK}
    return macros | set(re.findall(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", " ", tex)))


def untold(doc: str) -> set[str]:
    """Return the letters of displayed equations that nothing before the examples speaks of."""
    displayed, words = [], []
    for line in doc.partition("\nExamples\n")[0].split("\n"):
        if ".. math::" in line:
            displayed.append(line.partition(".. math::")[2])
            inside = True
        elif displayed and inside and (not line or line.startswith("    ")):
            displayed.append(line)
        else:
            inside = False
            words.append(line)
    inline = re.findall(r":math:`([^`]*)`", "\n".join(words))
    plain = re.sub(r":math:`[^`]*`", " ", "\n".join(words))
    alone = re.findall(r"(?<![\w`])([A-Za-zα-ωΓ-Ωℓ])(?![a-z'`])", plain)
    return letters("\n".join(displayed)) - set().union(*map(letters, inline)) - {*alone} - KNOWN


@pytest.mark.parametrize("name", NAMES)
def test_the_letters_of_its_equation(name) -> None:
    assert untold(documented(name)) == set()


def test_an_untold_letter_is_seen() -> None:
    equation = "Say.\n\n.. math::\n\n    v = \\eta\\,g^T\n\n"
    assert untold(equation) == {"v", "η", "g"}
    assert untold(equation + "Here :math:`v` is a velocity, g a gradient.") == {"η"}


@pytest.mark.parametrize("name", NAMES)
def test_its_arguments_with_their_types(name) -> None:
    found = load(name)
    arguments = arguments_of(name, found)
    doc = documented(name)
    assert [argument for argument in arguments if not is_described(argument, doc)] == []
    assert [key for key, one in arguments.items() if one.annotation is one.empty] == []


METHODS = {
    f"{name}.{method}": function
    for name in NAMES
    if inspect.isclass(load(name))
    for method, member in vars(load(name)).items()
    if method[0] != "_"
    and isinstance(function := getattr(member, "__func__", member), FunctionType)
}


@pytest.mark.parametrize("name", METHODS)
def test_the_arguments_of_a_method(name) -> None:
    doc = f"{inspect.getdoc(METHODS[name])}\n{inspect.getdoc(load(name.rpartition('.')[0]))}"
    arguments = [*inspect.signature(METHODS[name]).parameters][1:]
    assert [one for one in arguments if f"``{one}``" not in doc] == []


@pytest.mark.parametrize("name", NAMES)
def test_its_errors(name) -> None:
    assert bool(NumpyDocString(documented(name))["Raises"]) is (name not in NO_ERRORS)


def undefined(code: str) -> set[str]:
    """Return the names that a program reads and nothing in it defines, imports or binds."""
    nodes = [*ast.walk(ast.parse(code))]
    read = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    bound = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    bound |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    bound |= {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
    imported = [one for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for one in n.names]
    bound |= {(one.asname or one.name).partition(".")[0] for one in imported}
    return read - bound - set(dir(builtins))


# That it runs, and prints what it says, is tested with all other docstrings.
@pytest.mark.parametrize("name", NAMES)
def test_its_example_can_be_copied(name) -> None:
    examples = doctest.DocTestParser().get_examples(documented(name))
    assert examples
    assert undefined("".join(example.source for example in examples)) == set()


# Nearly every program calls one of them, and hardly any the class itself.
PRESETS = [
    name for name, member in vars(load("cdg_theory.Metric")).items() if type(member) is classmethod
]


@pytest.mark.parametrize("name", PRESETS)
def test_the_example_of_a_named_metric(name) -> None:
    doc = inspect.getdoc(METHODS[f"cdg_theory.Metric.{name}"]) or ""
    assert doctest.DocTestParser().get_examples(doc)


@pytest.mark.parametrize("name", NAMES)
def test_its_nearest_relatives(name) -> None:
    relatives = [
        other for group, _ in NumpyDocString(documented(name))["See Also"] for other, _ in group
    ]
    assert 1 <= len(set(relatives) - {name}) == len(relatives) <= 5
    # By full name, and with an entry of their own.
    assert [one for one in relatives if one not in {*NAMES, *METHODS}] == []
