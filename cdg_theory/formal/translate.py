r"""Python to Coq, statement by statement: the code that the proofs are about is the code that runs.

The functions in :data:`~cdg_theory.formal.language.TRANSLATED` run over any field, and are written
in a small language. An array becomes a function of its index; lengths are counted here, in terms of
one number of rows. A function that works in place becomes one that returns its first argument; a
loop becomes an iterated update (``Arrays.v``). Trailing axes are dropped: what is done to every
column alike is done to one. Parameters with a default stand at it. All else is refused: nothing is
guessed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType

from cdg_theory.formal.language import COQ_TYPES, FIELDS, TAKEN, TRANSLATED

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

HEADER = """\
(** Generated from cdg_theory/discrete/ by cdg_theory/formal/translate.py: not edited by hand.

    A function of Python is a function here, by the same name; [size] is the number of rows. *)
From Cdg Require Import Fields Arrays.
Require Import ZArith.
Local Open Scope field_scope.

Section Code.
Context {F : field}.
Local Notation array := (nat -> F).
Local Notation factors := (@factors F).

"""


class NotTranslated(ValueError):  # noqa: N818 - what is said of a function
    """A function says something that the small language cannot say."""


@dataclass(frozen=True)
class Value:
    """A piece of Coq, its kind, and what its length has more than the number of rows.

    Parts are those of a tuple; a constant keeps its number until it is known what kind it is of.
    """

    text: str
    kind: str
    more: int = 0
    parts: tuple[Value, ...] = ()


def _name(name: str) -> str:
    return name + "_" if name in TAKEN else name


def _tuple(values: list[Value]) -> Value:
    return Value(f"({', '.join(value.text for value in values)})", "tuple", parts=tuple(values))


def _at(array: str) -> str:
    """Return the entry j' of an array."""
    body = array.removeprefix("(fun j' => ")
    return f"({body}" if body != array else f"{array} j'"


class Translator:
    """One function after the other; what was translated before can be called."""

    def __init__(self) -> None:
        self.done: dict[str, tuple[list[str], bool, Value]] = {}

    def function(self, source: ast.FunctionDef, kinds: list[str]) -> str:
        """Return a function's definition.

        Raises
        ------
        NotTranslated
            If it says something that the language lacks.
        """
        arguments = source.args.args
        required = arguments[: len(arguments) - len(source.args.defaults)]
        self.env = {argument.arg: Value("None", "none") for argument in arguments[len(required) :]}
        self.lets: list[str] = []
        if len(required) != len(kinds) or len(arguments) != len(required) + len(self.env):
            raise self._refusal(source.args)
        for argument, kind in zip(required, kinds, strict=True):
            base, _, less = kind.partition("-") if kind[-1].isdigit() else (kind, "", "0")
            parts = (Value("", "F"),) * len(kind) if kind == "FFF" else ()
            self.env[argument.arg] = Value(_name(argument.arg), base, -int(less), parts)
        self.root = False
        named = [value.text for value in self.env.values() if value.kind == "n"]
        self.size = named[0] if named else "size"
        parameters = [(v.text, v.kind) for v in self.env.values() if v.kind != "none"]
        if not named and {"a", "S", "S?"} & {kind for _, kind in parameters}:
            parameters.append(("size", "n"))
        *body, last = source.body[1:] if ast.get_docstring(source) else source.body
        for statement in body:
            self._statement(statement)
        in_place = not (isinstance(last, ast.Return) and last.value is not None)
        if isinstance(last, ast.Return) and last.value is not None:
            result = self._value(last.value)
        else:
            self._statement(last)
            result = self.env[required[0].arg]
        self.done[source.name] = [kind for _, kind in parameters], in_place, result
        if self.root:
            parameters.insert(0, ("sqrt", "F->F"))
        typed = " ".join(f"({name} : {COQ_TYPES[kind]})" for name, kind in parameters)
        lines = "".join(f"  {line}\n" for line in self.lets)
        return f"Definition {source.name} {typed} :=\n{lines}  {result.text}.\n"

    def _refusal(self, node: ast.AST) -> NotTranslated:
        return NotTranslated(
            f"cannot translate {ast.unparse(node)!r}: it is outside of the small language of "
            "cdg_theory/formal/translate.py; say it in other words, or teach the translator"
        )

    # Statements: each a line "let … in".

    def _let(self, name: str, value: Value) -> None:
        self.lets.append(f"let {_name(name)} := {value.text} in")
        self.env[name] = replace(value, text=_name(name))

    def _bind(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(id=name) if value.kind == "function":
                self.env[name] = value
            case ast.Name(id=name):
                self._let(name, value)
            case ast.Tuple(elts=targets) if len(targets) == len(value.parts):
                names = [ast.unparse(item) for item in targets]
                if not any(part.kind == "function" for part in value.parts):
                    self.lets.append(f"let '({', '.join(map(_name, names))}) := {value.text} in")
                for name, part in zip(names, value.parts, strict=True):
                    known = part.kind == "function"
                    self.env[name] = part if known else replace(part, text=_name(name))
            case ast.Subscript(value=ast.Name(id=name), slice=index):
                array = self.env[name]
                value = self._field(value, target)
                self._let(
                    name,
                    replace(
                        array, text=f"(set {array.text} {self._index(index, array)} {value.text})"
                    ),
                )
            case _:
                raise self._refusal(target)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[target], value=value):
                self._bind(target, self._value(value))
            case ast.AugAssign(target=target, op=op, value=value):
                self._bind(
                    target, self._binary(self._value(target), op, self._value(value), statement)
                )
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[item]
                )
            ):
                array = self.env[name]
                # In round i of its loop a list has grown by i.
                text = f"(set {array.text} ({array.more} + {self.round}) {self._value(item).text})"
                self._let(name, replace(array, text=text))
            case ast.Expr(value=ast.Call(args=[ast.Name(id=name), *_]) as call):
                if not self._called(call)[1]:
                    raise self._refusal(statement)
                self._let(name, replace(self.env[name], text=self._value(call).text))
            case ast.If(
                test=ast.Compare(left=left, ops=[ast.IsNot()]),
                body=[ast.Expr(value=ast.Call(args=[ast.Name(id=name), *_]) as call)],
                orelse=[],
            ):
                option, before = self._value(left), self.env[name]
                text = self._match(option, left, before.text, lambda: self._value(call).text)
                self._let(name, replace(before, text=text))
            case ast.For(target=ast.Name(id=index), iter=rounds, body=body, orelse=[]):
                self._loop(index, rounds, body)
            case _:
                raise self._refusal(statement)

    def _loop(self, index: str, rounds: ast.expr, body: list[ast.stmt]) -> None:
        match rounds:
            case ast.Call(func=ast.Name(id="range"), args=[bound]):
                way = "for_up"
            case ast.Call(
                func=ast.Name(id="reversed"),
                args=[ast.Call(func=ast.Name(id="range"), args=[bound])],
            ):
                way = "for_down"
            case _:
                raise self._refusal(rounds)
        before, outside, self.lets = dict(self.env), self.lets, []
        self.env[index], self.round = Value(index, "index"), index
        stored = {
            ast.unparse(node.value)
            for statement in body
            for node in ast.walk(statement)
            if (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
            or (isinstance(node, ast.Attribute) and node.attr == "append")
        }
        for statement in body:
            self._statement(statement)
        # Arrays are what the loop changes: all else that it binds ends with its round.
        inside, self.lets, self.env = self.lets, outside, before
        texts = [self.env[name].text for name in self.env if name in stored]
        state = f"({', '.join(texts)})" if len(texts) > 1 else texts[0]
        binder = f"'{state}" if len(texts) > 1 else state
        count = self._value(bound).text
        self.lets += [
            f"let {binder} := {way} {count} (fun {index} {binder} =>",
            *(f"  {line}" for line in inside),
            f"  {state}) {state} in",
        ]

    # Expressions.

    def _match(self, option: Value, asked: ast.expr, none: str, some: Callable[[], str]) -> str:
        """Return both cases of an option; in the second it is known to be there."""
        inner = option.text.strip("()").split()[0].rstrip("_") + "'"
        before = self.env
        self.env = before | {ast.unparse(asked): Value(inner, option.kind[0], option.more)}
        text = some()
        self.env = before
        return f"match {option.text} with None => {none} | Some {inner} => {text} end"

    def _length(self, more: int) -> str:
        sign = "+" if more > 0 else "-"
        return f"({self.size} {sign} {abs(more)})%nat" if more else self.size

    def _index(self, node: ast.expr, array: Value) -> str:
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
                return self._length(array.more - 1)
            case ast.Constant(value=0):
                return "O"
            case ast.Name(id=name) if self.env[name].kind == "index":
                return name
            case ast.BinOp(left=ast.Name(id=name), op=ast.Add(), right=ast.Constant(value=1)):
                return f"(S {name})"
        raise self._refusal(node)

    def _field(self, value: Value, node: ast.AST) -> Value:
        """Return a constant or a length as an element of the field."""
        if value.kind == "F" or (value.kind == "constant" and value.text in {"0", "1"}):
            return replace(value, kind="F")
        if value.kind in {"constant", "n", "length"}:
            return Value(f"(number {value.text})", "F")
        raise self._refusal(node)

    def _binary(self, left: Value, op: ast.operator, right: Value, node: ast.AST) -> Value:
        if type(op) not in OPERATORS:
            raise self._refusal(node)
        sign, both = OPERATORS[type(op)], (left, right)
        if "Z" in (left.kind, right.kind):
            if not {left.kind, right.kind} <= {"Z", "constant"} or sign == "/":
                raise self._refusal(node)
            return Value(f"({left.text} {sign} {right.text})%Z", "Z")
        arrays = [value for value in both if value.kind == "a"]
        if not arrays:
            texts = [self._field(value, node).text for value in both]
            return Value(f"({texts[0]} {sign} {texts[1]})", "F")
        if len({array.more for array in arrays}) > 1:
            raise self._refusal(node)
        # A number that has to be computed is computed once.
        scalars = [self._field(value, node).text for value in both if value.kind != "a"]
        let = "".join(f"let s' := {text} in " for text in scalars if " " in text)
        scalar = "s'" if let else "".join(scalars)
        entries = [_at(value.text) if value.kind == "a" else scalar for value in both]
        return Value(f"({let}fun j' => {entries[0]} {sign} {entries[1]})", "a", arrays[0].more)

    def _called(self, call: ast.Call) -> tuple[list[str], bool, Value, str]:
        name = ast.unparse(call.func)
        alias = self.env.get(name)
        name = alias.text if alias is not None else name
        if name not in self.done:
            raise self._refusal(call)
        return *self.done[name], name

    def _value(self, node: ast.expr) -> Value:
        known = self.env.get(ast.unparse(node))
        if known is not None:
            return known
        match node:
            case ast.Name(id=name) if name in self.done:
                return Value(name, "function")
            case ast.Constant(value=None):
                return Value("None", "none")
            case ast.Constant(value=int(number)):
                return Value(str(number), "constant")
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
                return Value(f"(-{number})", "constant")
            case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=2)):
                return self._binary(self._value(base), ast.Mult(), self._value(base), node)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(self._value(left), op, self._value(right), node)
            case ast.BoolOp(op=ast.Or(), values=[first, second]) if (
                self._value(first).kind == "none"
            ):
                return self._value(second)
            case ast.Tuple(elts=items):
                return _tuple([self._value(item) for item in items])
            case ast.List(elts=items):
                text = "(fun _ => 0)"
                for i, item in enumerate(items):
                    text = f"(set {text} {i} {self._value(item).text})"
                return Value(text, "a", len(items))
            case ast.IfExp(test=ast.Compare(left=asked, ops=[ast.Is()]), body=none, orelse=some):
                body = self._value(none)
                return replace(
                    body,
                    text=self._match(
                        self._value(asked), asked, body.text, lambda: self._value(some).text
                    ),
                )
            case ast.IfExp(
                test=ast.Compare(left=asked, ops=[ast.Eq()], comparators=[ast.Constant(value=0)])
            ):
                zero, other = self._value(node.body), self._value(node.orelse)
                text = f"(if is_zero {self._value(asked).text} then {zero.text} else {other.text})"
                return replace(zero, text=text)
            case ast.Attribute(value=owner, attr=attribute) if attribute in FIELDS:
                kind, more = FIELDS[attribute]
                return Value(f"({attribute} {self._value(owner).text})", kind, more)
            case ast.Subscript(value=sliced, slice=ast.Slice() as cut):
                return self._slice(self._value(sliced), cut)
            case ast.Subscript(value=ast.Name(id=name), slice=index):
                array = self.env[name]
                return Value(f"({array.text} {self._index(index, array)})", "F")
            case ast.Call():
                return self._call(node)
        raise self._refusal(node)

    def _slice(self, array: Value, cut: ast.Slice) -> Value:
        match ast.unparse(cut):
            case "::-1":
                return replace(array, text=f"(reversed {array.text} {self._length(array.more)})")
            case ":-1":
                return replace(array, more=array.more - 1)
            case "1:":
                return Value(f"(fun j' => {array.text} (S j'))", "a", array.more - 1)
            case text if text == f":{self.size}":
                return replace(array, more=0)
        raise self._refusal(cut)

    def _call(self, call: ast.Call) -> Value:
        match call:
            case ast.Call(func=ast.Name(id="len"), args=[array]):
                return Value(self._length(self._value(array).more), "length")
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="math"), attr="sqrt"), args=[square]
            ):
                self.root = True
                return Value(f"(sqrt {self._value(square).text})", "F")
            case ast.Call(func=ast.Name(id="_column"), args=[weights, _]):
                return self._value(weights)
            case ast.Call(func=ast.Name(id="SweepFactors"), args=args):
                return self._factors(call, [self._value(argument) for argument in args])
            case ast.Call(func=ast.Name(id=name), args=[argument]) if "->" in self._kind(name):
                value, kind = self._value(argument), self._kind(name)
                if value.kind == "constant":
                    value = Value(f"{value.text}%Z", "Z")
                return Value(f"({self.env[name].text} {value.text})", kind[-1], value.more)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=function), args=args):
                return self._numpy(call, function, args)
            case ast.Call(func=ast.Attribute(value=array, attr="sum" | "mean" as function)):
                value = self._value(array)
                return Value(f"({function} {value.text} {self._length(value.more)})", "F")
            case ast.Call(func=ast.Attribute(value=array, attr="copy"), args=[]):
                return self._value(array)
            case ast.Call(func=ast.Name(), args=args):
                kinds, _, result, name = self._called(call)
                values = [v for v in map(self._value, args) if v.kind != "none"]
                if len(kinds) == len(values) + 1:
                    values.append(Value(self.size, "n"))
                texts = [
                    self._field(value, call).text if kind == "F" else value.text
                    for kind, value in zip(kinds, values, strict=True)
                ]
                return replace(result, text=f"({name} {' '.join(texts)})")
        raise self._refusal(call)

    def _kind(self, name: str) -> str:
        return self.env[name].kind if name in self.env else ""

    def _factors(self, call: ast.Call, values: list[Value]) -> Value:
        texts = []
        for (field, (kind, more)), value in zip(FIELDS.items(), values, strict=True):
            if value.kind != "none" and value.more != more:
                raise self._refusal(call)
            there = kind.endswith("?") and value.kind != "none"
            texts.append(f"{field} := {f'Some {value.text}' if there else value.text}")
        return Value(f"{{| {'; '.join(texts)} |}}", "S")

    def _numpy(self, call: ast.Call, function: str, args: list[ast.expr]) -> Value:
        match function, args:
            case "array", [array]:
                return self._value(array)
            case "append", [first, array]:
                value = self._value(array)
                return Value(
                    f"(append {self._value(first).text} {value.text})", "a", value.more + 1
                )
            case "cumprod", [array]:
                value = self._value(array)
                return replace(value, text=f"(cumprod {value.text})")
            case "zeros_like", [array]:
                return replace(self._value(array), text="(fun _ => 0)")
            case "power", [base, ast.Call(args=[length])] if ast.unparse(length) == self.size:
                return Value(f"(power {self._value(base).text})", "a")
            case "full", [length, value]:
                for more in (0, -1):
                    if ast.unparse(length) == (f"{self.size} - 1" if more else self.size):
                        return Value(f"(fun _ => {self._value(value).text})", "a", more)
        raise self._refusal(call)


def translation(source_of: Callable[[ModuleType], str] = inspect.getsource) -> str:
    """Return the text of ``Code.v``, from the modules' sources as they are.

    Raises
    ------
    NotTranslated
        If a function says something that the small language cannot say.

    Examples
    --------
    >>> "Definition solve_gram" in translation()
    True
    """
    translator, definitions = Translator(), []
    for module, functions in TRANSLATED.items():
        tree = ast.parse(source_of(module))
        found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        definitions.append(f"(** {module.__name__} *)\n")
        definitions.extend(
            translator.function(found[name], kinds.split()) for name, kinds in functions.items()
        )
    return HEADER + "\n".join(definitions) + "End Code.\n"
