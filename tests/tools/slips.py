"""Slips of the pen, planted in functions of the library: a sign, a number, a name at a time.

A slip is a function's own source with one place changed. Planted, it replaces the function's code,
so whoever has imported the function runs it; caches are emptied before and after. What refuses
arguments is left alone: a refusal is no mathematics, and has tests of its own. The ledger refuses
a slip if a theorem's check does, or accepts its false variant, or breaks down, or does not end.
"""

from __future__ import annotations

import ast
import functools
import gc
import hashlib
import importlib
import inspect
import pkgutil
import signal
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from cdg_theory.ledger import Theorem

BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip
COMPARED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE,
    ast.LtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
PAIRS = (
    "natural periodic", "mean fluctuation", "fluctuation derivative", "alpha beta", "beta gamma",
    "left right", "lo hi", "first last", "above below", "min max", "sin cos", "sinh cosh",
    "dct idct", "fft ifft", "carry_forward carry_backward", "closure flux", "carry gain",
)  # fmt: skip
NOTHING = {
    "InnerProduct.from_terms: o - sp": "any three probes tell the terms apart",
    "InnerProduct.from_terms: o ** 2": "any three probes tell the terms apart",
    "InnerProduct.from_terms: sp.Integer(1) ->": "any three probes tell the terms apart",
    "InnerProduct.from_terms: sp.Rational(1": "any three probes tell the terms apart",
    "InnerProduct.__call__: (h - mean(h)) * (k - mean(k)) -> (h +": "k − k̄ has mean 0",
    "InnerProduct.__call__: (h - mean(h)) * (k - mean(k)) -> (h - mean(h)) * (k +": "so has h − h̄",
    "InnerProduct.__post_init__: ('mean'": "numbers stay Python's where SymPy's would do",
    "GreenFunction.is_reproducing: (self.left - self.right).subs(o, s) -> "
    "(self.left - self.right).subs(s": "o = s, either way round",
    "weak_residual: inner(k, h) - integral(g * h) -> inner(h, k)": "the form is symmetric",
    "_antiderivative: len(waves) == 1 -> len(waves) == 2": "SymPy's search: slower",
    "enclose_gradient: max(missing": "how many bits the next round gets",
    "_binary_places: 53 - int(exponents.min()) -> 54": "a finer scale",
    "_Columns.__init__: -52 ->": "what is taken for rounding, twice or half as much of it",
    "_ldexp: max(0, abs(integer).bit_length() - 64) -> max(1": "63 bits for 64",
    "_ldexp: abs(integer).bit_length() - 64 ->": "65 bits for 64",
    "scaled_integers: shift >= 0 -> shift >= 1": "a shift by 0, either way",
    "travelled: loads[0] -> loads[1]": "only its shape is asked",
    "travelled_open: loads[0] -> loads[1]": "only its shape is asked",
    "travelled_open: errors[0] -> errors[1]": "only its shape is asked",
    "_swept_pairs: z[0] -> z[1]": "only its shape is asked",
    "flux_map: np.eye": "a product with the field's 1",
    "flux_map: -1 -> -2": "NumPy reads any negative number so",
    "_sweep_factors: (factors.": "which arrays are read-only",
    "_sweep_errors: factors.flux is not None and known.flux is not None -> "
    "factors.flux is not None or": "the two are given together",
    "factor_errors: p * E / (metric.fluctuation + p * E) if E else 0.0 -> "
    "p * E / (metric.fluctuation + p * E) if E else 1.0": "multiplied by 1 − p = 0",
}
"""What the slips that begin like this do, instead of changing anything."""
COMMUTING = {"min", "max", "minimum", "maximum", "Add", "Mul"}
OTHER = {a: b for pair in PAIRS for a, b in (pair.split(), pair.split()[::-1])}


@dataclass(frozen=True)
class Slip:
    """One changed place: the function, what it says instead, and its code."""

    function: FunctionType
    line: int
    change: str
    code: CodeType

    @property
    def said(self) -> str:
        """The function and the change, wherever they stand."""
        return f"{self.function.__qualname__}: {self.change}"

    @property
    def changes_something(self) -> bool:
        """Whether a result changes that something is claimed of."""
        return not self.said.startswith(tuple(NOTHING))

    def __str__(self) -> str:
        return f"{_name(self.function)}, line {self.line}: {self.change}"


def _name(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def functions_of(*packages: str) -> dict[str, FunctionType]:
    """Return the functions that packages' sources define, methods and properties too, by name."""
    found = {}
    for package in packages:
        top = importlib.import_module(package)
        inside = pkgutil.walk_packages(getattr(top, "__path__", ()), f"{package}.")
        for module in (top, *(importlib.import_module(info.name) for info in inside)):
            found |= {_name(function): function for function in _defined_in(module)}
    return found


def _defined_in(module: ModuleType) -> Iterator[FunctionType]:
    inside = vars(module).items()
    classes = [(f"{n}.", vars(c)) for n, c in inside if inspect.isclass(c)]
    for prefix, members in (("", vars(module)), *classes):
        for name, member in members.items():
            if isinstance(member, property):
                member = member.fget
            function = inspect.unwrap(getattr(member, "__func__", member))
            code = getattr(function, "__code__", None)
            # What dataclasses write has no source, and what others define has another.
            own = getattr(code, "co_filename", None) == module.__file__
            if own and function.__qualname__ == prefix + name:
                yield function


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def _definition(function: FunctionType) -> ast.FunctionDef:
    """Return the place of a function in its module's tree."""
    place: Any = _tree(function.__code__.co_filename)
    for name in function.__qualname__.split("."):
        (place,) = (node for node in place.body if getattr(node, "name", "") == name)
    return place


def _compiled(function: FunctionType) -> CodeType:
    """Return what the tree, as it now is, makes of a function."""
    file = function.__code__.co_filename
    found = [compile(_tree(file), file, "exec", dont_inherit=True)]
    for code in found:
        if code.co_qualname == function.__qualname__:
            return code
        found += [c for c in code.co_consts if isinstance(c, CodeType)]
    raise AssertionError(function)


def _says_or_refuses(node: ast.AST) -> bool:
    """Whether a statement refuses arguments, words an error, or is a docstring."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If | ast.For):
        return any(isinstance(inner, ast.Raise) or _says_or_refuses(inner) for inner in node.body)
    targets = getattr(node, "targets", [])
    return isinstance(node, ast.Raise) or [getattr(t, "id", "") for t in targets] == ["msg"]


def _nodes(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the places of a function where a slip can happen, and what is around them."""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _says_or_refuses(child):
                yield child, node
                yield from _nodes(child)


def _changes(node: ast.AST, known: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield a field of a node and what it can wrongly be."""
    match node:
        case ast.BinOp(left=ast.Constant(value=0), op=ast.Mult()):
            pass  # a zero of another's shape or field
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in BINARY:
            yield "op", BINARY[type(op)]()
        case ast.UnaryOp(op=ast.USub()):
            yield "op", ast.UAdd()
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            yield "ops", [COMPARED[type(op)]()]
        case ast.BoolOp(op=op):
            yield "op", ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.Constant(value=str(word)) if word in OTHER:
            yield "value", OTHER[word]
        case ast.Constant(value=number) if type(number) is int:
            yield "value", number + 1
        case ast.Constant(value=float(number)):
            yield "value", 2 * number + (number == 0)
        case ast.Attribute(attr=name) if name in OTHER:
            yield "attr", OTHER[name]
        case ast.Name(id=name, ctx=ast.Load()) if OTHER.get(name) in known:
            yield "id", OTHER[name]
        case ast.Call(args=[one, other, *rest]) if type(one) is type(other):
            commutes = ast.unparse(node.func).rpartition(".")[2] in COMMUTING
            if not commutes and ast.dump(one) != ast.dump(other):
                yield "args", [other, one, *rest]


def slips_of(function: FunctionType) -> Iterator[Slip]:
    """Yield every slip of a function."""
    definition = _definition(function)
    known = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
    # Not in the defaults of arguments, which no code holds.
    for node, around in _nodes(ast.Module(definition.body, [])):
        # A number or a name alone says little.
        told = around if isinstance(around, ast.expr) else node
        for field, wrong in _changes(node, known):
            right, before = getattr(node, field), ast.unparse(told)
            setattr(node, field, wrong)
            try:
                code, after = _compiled(function), ast.unparse(told)
            finally:
                setattr(node, field, right)
            yield Slip(function, getattr(node, "lineno", 0), f"{before} -> {after}", code)


def drawn(functions: Iterable[FunctionType], seed: int) -> list[Slip]:
    """Return all slips of functions, in an order that only the seed and what they are decide."""
    slips = [slip for function in functions for slip in slips_of(function)]
    return sorted(slips, key=lambda s: hashlib.sha256(f"{seed} {s}".encode()).hexdigest())


def forget() -> None:
    """Empty the caches of the library: what was computed may be computed by other code now."""
    for thing in gc.get_objects():
        if type(thing) is functools._lru_cache_wrapper:
            home = str(getattr(thing, "__module__", ""))
            if home.startswith("cdg_theory") and home != "cdg_theory.ledger":
                thing.cache_clear()


@dataclass(frozen=True)
class Run:
    """What a theorem executed, and the seconds it took."""

    executed: frozenset[str]
    seconds: float


CALLED: set[str] = set()


@contextmanager
def watched(functions: Mapping[str, FunctionType]) -> Iterator[None]:
    """Let functions enter their names in ``CALLED``."""
    right = {name: function.__code__ for name, function in functions.items()}
    for name, function in functions.items():
        definition = _definition(function)
        (line,) = ast.parse(f"__import__({__name__!r}, fromlist='x').CALLED.add({name!r})").body
        for part in ast.walk(line):
            ast.copy_location(part, definition.body[0])
        definition.body.insert(0, line)
        try:
            function.__code__ = _compiled(function)
        finally:
            del definition.body[0]
    try:
        yield
    finally:
        for name, function in functions.items():
            function.__code__ = right[name]
        forget()


def run(theorem: Theorem) -> Run:
    """Check a theorem, while functions are watched, as if nothing had been computed before."""
    forget()
    CALLED.clear()
    start = time.perf_counter()
    assert theorem.check(), theorem.id
    return Run(frozenset(CALLED), time.perf_counter() - start)


class _OutOfTime(BaseException):
    """Raised by the alarm, past whatever catches exceptions."""


def _ring(*_: Any) -> None:
    raise _OutOfTime


def refuses(theorem: Theorem, seconds: float) -> bool:
    """Whether a theorem notices what is planted; no verdict in so many seconds is a refusal."""
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return not theorem.check() or theorem.variant()
    except (Exception, _OutOfTime):
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def refused_by(slip: Slip, ran: Mapping[Theorem, Run]) -> Theorem | None:
    """Return the first theorem that refuses a slip, of those that execute it, the quickest first.

    It gets ten times the seconds that it took before, and ten more.
    """
    ours = [theorem for theorem in ran if _name(slip.function) in ran[theorem].executed]
    right = slip.function.__code__
    for theorem in sorted(ours, key=lambda theorem: ran[theorem].seconds):
        forget()
        slip.function.__code__ = slip.code
        try:
            if refuses(theorem, 10 * ran[theorem].seconds + 10):
                return theorem
        finally:
            slip.function.__code__ = right
            forget()
    return None
