r"""Python to Coq, statement by statement: the code that the proofs are about is the code that runs.

The functions in :data:`~cdg_theory.formal.language.TRANSLATED` run over any field, and are written
in a small language. An array becomes a function of its index; lengths are counted here, in terms of
one number of rows. A function that works in place becomes one that returns its first argument; a
loop becomes an iterated update (``Arrays.v``). Trailing axes are dropped: what is done to every
column alike is done to one. A function of numbers that is called with arrays is called for every
row, as NumPy does. Parameters with a default stand at it. What is asserted to be there is replaced
by zeros where it is not: there the code stops. All else is refused: nothing is guessed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType

from cdg_theory.formal.language import COQ_TYPES, KINDS, PARTS, RECORDS, TAKEN, TRANSLATED

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
Local Notation ring := (@ring F).
Local Notation pair_factors := (@pair_factors F).

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


def _parts_of(text: str, parts: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return the parts of a tuple, taken from what stands for the whole; functions stay."""
    named = []
    for i, part in enumerate(parts):
        own = text
        for _ in range(len(parts) - 1 - max(i, 1)):
            own = f"(fst {own})"
        own = f"({'snd' if i else 'fst'} {own})"
        known = part.kind == "function"
        named.append(part if known else replace(part, text=own, parts=_parts_of(own, part.parts)))
    return tuple(named)


def _of_kind(text: str, kind: str, more: int = 0) -> Value:
    """Return a value with its parts, if its kind is that of a tuple."""
    parts = tuple(Value("", part, more) for part in PARTS.get(kind, ()))
    return Value(text, kind, more, _parts_of(text, parts))


@dataclass(frozen=True)
class Function:
    """A translated function: its name in Coq, its parameters, which it changes, what it returns."""

    name: str
    kinds: tuple[str, ...]
    changed: tuple[int, ...]
    result: Value


def _at(array: str) -> str:
    """Return the entry j' of an array."""
    body = array.removeprefix("(fun j' => ")
    return f"({body}" if body != array else f"{array} j'"


def _written(body: list[ast.stmt]) -> set[str]:
    """Return the names that statements change: entries, in place, by appending, by being given."""
    names = set()
    for node in (node for statement in body for node in ast.walk(statement)):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
                names.add(name)
            case ast.Attribute(value=ast.Name(id=name), attr="append"):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Expr(value=ast.Call(func=ast.Name(), args=arguments)):
                names |= {argument.id for argument in arguments if isinstance(argument, ast.Name)}
    return names


class Translator:
    """One function after the other; what was translated before can be called."""

    def __init__(self) -> None:
        self.done: dict[tuple[str, str], Function] = {}
        self.module = ""

    def function(self, source: ast.FunctionDef, kinds: list[str], owner: str = "") -> str:
        """Return a function's definition, or that of a class's method.

        Raises
        ------
        NotTranslated
            If it says something that the language lacks.
        """
        arguments = [*source.args.args, *source.args.kwonlyargs]
        required = arguments[: len(arguments) - len(source.args.defaults)]
        self.env = {argument.arg: Value("None", "none") for argument in arguments[len(required) :]}
        self.lets: list[str] = []
        self.ends = ""
        self.round = ""
        if len(required) != len(kinds) or len(arguments) != len(required) + len(self.env):
            raise self._refusal(source.args)
        for argument, kind in zip(required, kinds, strict=True):
            base, _, less = kind.partition("-") if kind[-1].isdigit() else (kind, "", "0")
            self.env[argument.arg] = _of_kind(_name(argument.arg), base, -int(less))
        self.root = False
        named = [value.text for value in self.env.values() if value.kind == "n"]
        self.size = named[0] if named else "size"
        parameters = [(v.text, v.kind) for v in self.env.values() if v.kind != "none"]
        if not named and {"a", "aa", "S", "S?", "C"} & {kind for _, kind in parameters}:
            parameters.append(("size", "n"))
        *body, last = source.body[1:] if ast.get_docstring(source) else source.body
        for statement in body:
            self._statement(statement)
        changed: list[int] = []
        if isinstance(last, ast.Return) and last.value is not None:
            result = self._value(last.value)
        else:
            self._statement(last)
            changed = [i for i, own in enumerate(required) if own.arg in _written(source.body)]
            values = [self.env[required[i].arg] for i in changed]
            result = values[0] if len(values) == 1 else _tuple(values)
        name = f"{owner}_{source.name}" if owner else source.name
        if any(function.name == name for function in self.done.values()):
            name = f"{self.module}_{name}"
        taken = tuple(kind for _, kind in parameters)
        key = f"{owner}.{source.name}" if owner else source.name
        self.done[self.module, key] = Function(name, taken, tuple(changed), result)
        if self.root:
            parameters.insert(0, ("sqrt", "F->F"))
        typed = " ".join(f"({name} : {COQ_TYPES[kind]})" for name, kind in parameters)
        lines = "".join(f"  {line}\n" for line in self.lets)
        return f"Definition {name} {typed} :=\n{lines}  {result.text}{self.ends}.\n"

    def _refusal(self, node: ast.AST) -> NotTranslated:
        return NotTranslated(
            f"cannot translate {ast.unparse(node)!r}: it is outside of the small language of "
            "cdg_theory/formal/translate.py; say it in other words, or teach the translator"
        )

    # Statements: each a line "let … in".

    def _let(self, name: str, value: Value) -> None:
        self.lets.append(f"let {_name(name)} := {value.text} in")
        self._name_is(name, value)

    def _name_is(self, name: str, value: Value) -> None:
        parts = _parts_of(_name(name), value.parts)
        self.env[name] = replace(value, text=_name(name), parts=parts)
        for known in [key for key in self.env if key.startswith(f"{name}.")]:
            del self.env[known]

    def _pattern(self, target: ast.expr, value: Value) -> str:
        """Return a pattern for a tuple; its names are bound."""
        match target:
            case ast.Name(id=name):
                if value.kind == "function":
                    self.env[name] = value
                else:
                    self._name_is(name, value)
                return _name(name)
            case ast.Tuple(elts=targets) if len(targets) == len(value.parts):
                inner = [
                    self._pattern(own, part) for own, part in zip(targets, value.parts, strict=True)
                ]
                return f"({', '.join(inner)})"
        raise self._refusal(target)

    def _bind(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(id=name) if value.kind == "function":
                self.env[name] = value
            case ast.Name(id=name):
                self._let(name, value)
            case ast.Tuple(elts=targets) if len(targets) == len(value.parts):
                if any(isinstance(own, ast.Subscript) for own in targets):
                    names = [f"v{i}'" for i in range(len(targets))]
                    self.lets.append(f"let '({', '.join(names)}) := {value.text} in")
                    for name, own, part in zip(names, targets, value.parts, strict=True):
                        self._bind(own, replace(part, text=name))
                    return
                functions = any(part.kind == "function" for part in value.parts)
                pattern = self._pattern(target, value)
                if not functions:
                    self.lets.append(f"let '{pattern} := {value.text} in")
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
            case ast.AnnAssign(target=ast.Name() as target, value=ast.List(elts=[])) if (
                ast.unparse(statement.annotation) == "list[Element]"
            ):
                self._bind(target, _of_kind("((fun _ => 0), (fun _ => 0))", "l"))
            case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                self._bind(target, self._value(value))
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[item]
                )
            ) if self.round:
                self._append(name, self._value(item), statement)
            case ast.Expr(value=ast.Call(args=arguments) as call):
                self._change(arguments, call)
            case ast.Assert(test=ast.Compare(left=asked, ops=[ast.IsNot()])):
                self._assert(asked, self._value(asked))
            case ast.If(
                test=ast.Compare(left=asked, ops=[ast.Is()]),
                body=[ast.Return(value=ast.expr() as value)],
                orelse=[],
            ) if not self.round:
                option, none = self._value(asked), self._value(value)
                inner = self._inner(option)
                self.lets.append(f"match {option.text} with None => {none.text} | Some {inner} =>")
                self.ends += " end"
                self.env[ast.unparse(asked)] = _of_kind(inner, option.kind[:-1])
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

    def _append(self, name: str, item: Value, node: ast.AST) -> None:
        # In round i of its loop a list has grown by i.
        before = self.env[name]
        at = f"({before.more} + {self.round})"
        items = item.parts if before.kind == "l" else (item,)
        lists = before.parts if before.kind == "l" else (before,)
        if name in self.appended or len(items) != len(lists):
            raise self._refusal(node)
        self.appended.add(name)
        texts = [
            f"(set {own.text} {at} {self._field(entry, node).text})"
            for own, entry in zip(lists, items, strict=True)
        ]
        text = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
        self._let(name, replace(before, text=text))

    def _change(self, arguments: list[ast.expr], call: ast.Call) -> None:
        """Call a function that works in place."""
        targets = [arguments[i] for i in self._called(call).changed]
        if not targets or not all(isinstance(target, ast.Name) for target in targets):
            raise self._refusal(call)
        value = self._value(call)
        self._bind(targets[0] if len(targets) == 1 else ast.Tuple(elts=targets), value)

    def _assert(self, asked: ast.expr, option: Value) -> None:
        """Take what is there, and zeros where it is not: there the code stops."""
        zeros = {"aa?": "((fun _ => 0), (fun _ => 0))", "FF?": "(0, 0)"}
        if option.kind not in zeros:
            raise self._refusal(asked)
        inner = self._inner(option)
        some = (
            f"match {option.text} with None => {zeros[option.kind]} | Some {inner} => {inner} end"
        )
        self.lets.append(f"let {inner} := {some} in")
        self.env[ast.unparse(asked)] = _of_kind(inner, option.kind[:-1])

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
        if self.round or index in self.env:
            raise self._refusal(rounds)
        count = self._count(bound)
        before, outside, self.lets = dict(self.env), self.lets, []
        self.round = index if index != "_" else "i'"
        self.env[index] = Value(self.round, "index")
        self.appended: set[str] = set()
        for statement in body:
            self._statement(statement)
        # What it had before and changes is the loop's state: all else ends with its round.
        state = [name for name in before if name in _written(body)]
        after = {name: self.env[name] for name in state}
        inside, self.lets, self.env = self.lets, outside, before
        if any(after[name].kind != before[name].kind for name in state):
            raise self._refusal(rounds)
        texts = ", ".join(before[name].text for name in state)
        names = ", ".join(after[name].text for name in state)
        if names != texts:
            raise self._refusal(rounds)
        tuple_ = f"({texts})" if len(state) > 1 else texts
        binder = f"'{tuple_}" if len(state) > 1 else tuple_
        self.lets += [
            f"let {binder} := {way} {count.text} (fun {self.round} {binder} =>",
            *(f"  {line}" for line in inside),
            f"  {tuple_}) {tuple_} in",
        ]
        for name in self.appended:
            own = self.env[name]
            more = own.more + count.more
            parts = tuple(replace(part, more=more) for part in own.parts)
            self.env[name] = replace(own, more=more, parts=parts)
        self.round = ""

    def _count(self, bound: ast.expr) -> Value:
        match bound:
            case ast.BinOp(left=ast.Name(id=name), op=ast.Sub(), right=ast.Constant(value=1)) if (
                name == self.size
            ):
                return Value(self._length(-1), "length", -1)
        count = self._value(bound)
        if count.kind not in {"n", "length"}:
            raise self._refusal(bound)
        return count

    # Expressions.

    def _inner(self, option: Value) -> str:
        return option.text.strip("()").split()[0].rstrip("_") + "'"

    def _match(self, option: Value, asked: ast.expr, none: str, some: Callable[[], str]) -> str:
        """Return both cases of an option; in the second it is known to be there."""
        inner, before = self._inner(option), self.env
        self.env = before | {ast.unparse(asked): _of_kind(inner, option.kind[:-1], option.more)}
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

    def _called(self, call: ast.Call) -> Function:
        match call.func:
            case ast.Attribute(value=owner, attr=method):
                key = f"{KINDS[self._value(owner).kind]}.{method}"
            case _:
                alias = self.env.get(ast.unparse(call.func))
                key = alias.text if alias is not None else ast.unparse(call.func)
        return self._function(key, call)

    def _function(self, key: str, node: ast.AST) -> Function:
        """Return the module's own function of that name, or the only one."""
        own = self.done.get((self.module, key))
        others = [function for (_, name), function in self.done.items() if name == key]
        if own is None and len(others) != 1:
            raise self._refusal(node)
        return own or others[0]

    def _apply(self, call: ast.Call, values: list[Value]) -> Value:
        """Return a call; one with arrays for numbers is a call for every row."""
        function = self._called(call)
        if len(function.kinds) == len(values) + 1:
            values = [*values, Value(self.size, "n")]
        if len(function.kinds) != len(values):
            raise self._refusal(call)
        given = list(zip(function.kinds, values, strict=True))
        numbers = [v for kind, v in given if kind in {"F", "FF"}]
        mores = {own.more for v in numbers for own in v.parts or (v,) if own.kind == "a"}
        lets: list[str] = []
        texts = [
            self._argument(kind, value, call, lets if mores else None) for kind, value in given
        ]
        row = f"({function.name} {' '.join(texts)})"
        if not mores:
            parts = _parts_of(row, function.result.parts)
            return replace(function.result, text=row, parts=parts)
        result = [part.kind for part in function.result.parts]
        if len(mores) > 1 or result != ["F", "F"] or not {*function.kinds} <= {"R", "F", "FF"}:
            raise self._refusal(call)
        return _of_kind(f"({''.join(lets)}by_row (fun j' => {row}))", "aa", mores.pop())

    def _argument(self, kind: str, value: Value, call: ast.Call, lets: list[str] | None) -> str:
        """Return an argument as a parameter's kind wants it; of an array its row j' for a number.

        There ``lets`` take what has to be computed once for all rows.
        """
        if kind not in {"F", "FF"}:
            pair = kind == "aa" and [part.kind for part in value.parts] == ["a", "a"]
            length = kind == "n" and value.kind == "length"
            if kind in {value.kind, "S?", "Z", "a->a", "FFF"} or pair or length:
                return value.text
            raise self._refusal(call)

        def once(text: str) -> str:
            if lets is None or " " not in text:
                return text
            lets.append(f"let s{len(lets)}' := {text} in ")
            return f"s{len(lets) - 1}'"

        entries = value.parts if kind == "FF" else (value,)
        if len(entries) != len(kind):
            raise self._refusal(call)
        if kind == "FF" and {"a"} == {entry.kind for entry in entries}:
            entries = _parts_of(once(value.text), entries)
        texts = [
            _at(own.text) if own.kind == "a" else once(self._field(own, call).text)
            for own in entries
        ]
        return f"({', '.join(texts)})" if kind == "FF" else texts[0]

    def _value(self, node: ast.expr) -> Value:
        known = self.env.get(ast.unparse(node))
        if known is not None:
            return known
        match node:
            case ast.Name(id=name) if (self.module, name) in self.done:
                return Value(name, "function")
            case ast.Constant(value=None):
                return Value("None", "none")
            case ast.Constant(value=int(number)):
                return Value(str(number), "constant")
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
                return Value(f"(-{number})", "constant")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Value(f"(- {self._field(self._value(operand), node).text})", "F")
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
                return self._list([self._value(item) for item in items], node)
            case ast.IfExp(test=ast.Name(id=name)) if self._kind(name) == "b":
                yes, no = self._value(node.body), self._value(node.orelse)
                if yes.kind != no.kind:
                    raise self._refusal(node)
                return replace(yes, text=f"(if {_name(name)} then {yes.text} else {no.text})")
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
            case ast.Attribute(
                value=ast.Call(
                    func=ast.Attribute(
                        value=ast.Call(func=ast.Attribute(attr="array"), args=[pairs]),
                        attr="reshape",
                    ),
                ),
                attr="T",
            ) if ast.unparse(node).endswith(".reshape(-1, 2).T"):
                # A list of pairs is a pair of arrays here, and so is its transpose.
                listed = self._value(pairs)
                if listed.kind == "l":
                    return replace(listed, kind="aa", more=0)
            case ast.Attribute(value=ast.Name() | ast.Attribute() as owner, attr=attribute):
                record = self._value(owner)
                fields = RECORDS.get(KINDS.get(record.kind, ""), {})
                if attribute in fields:
                    field, kind, more = fields[attribute]
                    return _of_kind(f"({field} {record.text})", kind, more)
            case ast.Subscript(value=sliced, slice=ast.Slice() as cut):
                return self._slice(self._value(sliced), cut)
            case ast.Subscript(
                value=ast.Attribute(value=shaped, attr="shape"), slice=ast.Constant(value=1)
            ) if self._value(shaped).kind == "aa":
                return self._lengths(self._value(shaped))
            case ast.Subscript(slice=ast.Constant(value=int(i))) if self._value(node.value).parts:
                whole = self._value(node.value)
                if whole.kind != "l" and i < len(whole.parts):
                    return whole.parts[i]
            case ast.Subscript(
                value=ast.Name(id=name), slice=ast.Tuple(elts=[ast.Constant(value=int(i)), index])
            ) if self._kind(name) == "aa":
                own_row = self.env[name].parts[i]
                return Value(f"({own_row.text} {self._index(index, own_row)})", "F")
            case ast.Subscript(value=ast.Name(id=name), slice=index) if self._kind(name) == "l":
                lists = self.env[name].parts
                at = self._index(index, self.env[name])
                return _tuple([Value(f"({own.text} {at})", "F") for own in lists])
            case ast.Subscript(value=ast.Name(id=name), slice=index) if self._kind(name) == "a":
                array = self.env[name]
                return Value(f"({array.text} {self._index(index, array)})", "F")
            case ast.Call():
                return self._call(node)
        raise self._refusal(node)

    def _lengths(self, array: Value) -> Value:
        more = array.parts[0].more if array.parts else array.more
        return Value(self._length(more), "length", more)

    def _list(self, items: list[Value], node: ast.expr) -> Value:
        """Return a list of numbers, of pairs, or an array of two rows."""
        kinds = {tuple(part.kind for part in item.parts) or item.kind for item in items}
        if kinds == {"a"} and len(items) == 2:
            return replace(_tuple(items), kind="aa")
        sides = [[item] for item in items]
        if kinds == {("F", "F")}:
            sides = [[*item.parts] for item in items]
        elif not kinds <= {"F", "constant"}:
            raise self._refusal(node)
        texts = ["(fun _ => 0)"] * (len(sides[0]) if sides else 1)
        for i, own in enumerate(sides):
            entries = [self._field(entry, node).text for entry in own]
            texts = [f"(set {t} {i} {e})" for t, e in zip(texts, entries, strict=True)]
        if len(texts) == 1:
            return Value(texts[0], "a", len(items))
        return replace(
            _tuple([Value(t, "a", len(items)) for t in texts]), kind="l", more=len(items)
        )

    def _slice(self, array: Value, cut: ast.Slice) -> Value:
        if array.kind == "l":
            if ast.unparse(cut) != "::-1":
                raise self._refusal(cut)
            both = _tuple([self._slice(part, cut) for part in array.parts])
            return replace(both, kind="l", more=array.more)
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
                return self._lengths(self._value(array))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="math"), attr="sqrt"), args=[square]
            ):
                self.root = True
                return Value(f"(sqrt {self._value(square).text})", "F")
            case ast.Call(func=ast.Name(id="_column"), args=[weights, _]):
                return self._value(weights)
            case ast.Call(func=ast.Name(id=name), args=args) if name in RECORDS:
                return self._record(call, name, [self._value(argument) for argument in args])
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
            case ast.Call(func=ast.Name(), args=args, keywords=[]):
                return self._apply(call, [v for v in map(self._value, args) if v.kind != "none"])
            case ast.Call(func=ast.Attribute(value=owner), args=args, keywords=[]):
                return self._apply(call, [self._value(owner), *map(self._value, args)])
        raise self._refusal(call)

    def _kind(self, name: str) -> str:
        return self.env[name].kind if name in self.env else ""

    def _record(self, call: ast.Call, name: str, values: list[Value]) -> Value:
        texts = []
        for (field, kind, more), value in zip(RECORDS[name].values(), values, strict=True):
            lengths = {part.more for part in value.parts} or {value.more}
            base, parts = kind.rstrip("?"), tuple(part.kind for part in value.parts)
            there = kind.endswith("?") and value.kind != "none"
            right = value.kind == base or (parts and parts == PARTS.get(base))
            if (value.kind, kind[-1]) != ("none", "?") and not (right and lengths == {more}):
                raise self._refusal(call)
            texts.append(f"{field} := {f'Some {value.text}' if there else value.text}")
        kind = next(kind for kind, known in KINDS.items() if known == name)
        return Value(f"{{| {'; '.join(texts)} |}}", kind)

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
    for module, functions in TRANSLATED:
        tree = ast.parse(source_of(module))
        translator.module = module.__name__.rpartition(".")[2]
        found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            methods = (node for node in owner.body if isinstance(node, ast.FunctionDef))
            found |= {f"{owner.name}.{node.name}": node for node in methods}
        definitions.append(f"(** {module.__name__} *)\n")
        definitions.extend(
            translator.function(found[name], kinds.split(), name.rpartition(".")[0])
            for name, kinds in functions.items()
        )
    return HEADER + "\n".join(definitions) + "End Code.\n"
