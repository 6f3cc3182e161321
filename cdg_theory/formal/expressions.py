"""Expressions of the small language: what a piece of Python is in Coq, and of which kind."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace

from cdg_theory.formal.language import KINDS, PARTS, RECORDS, TAKEN

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


class NotTranslated(ValueError):  # noqa: N818 - what is said of a function
    """A function says something that the small language cannot say."""


@dataclass(frozen=True)
class Value:
    """A piece of Coq, its kind, and by how much its length exceeds the number of rows.

    Parts are those of a tuple; a constant keeps its number until it is known what kind it is of.
    """

    text: str
    kind: str
    more: int = 0
    parts: tuple[Value, ...] = ()


def coq_name(name: str) -> str:
    """Return a name that Coq has not taken."""
    return name + "_" if name in TAKEN else name


def tuple_of(values: list[Value]) -> Value:
    """Return a tuple of values."""
    return Value(f"({', '.join(value.text for value in values)})", "tuple", parts=tuple(values))


def parts_of(text: str, parts: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return the parts of a tuple, taken from what stands for the whole; functions stay."""
    named = []
    for i, part in enumerate(parts):
        own = text
        for _ in range(len(parts) - 1 - max(i, 1)):
            own = f"(fst {own})"
        own = f"({'snd' if i else 'fst'} {own})"
        known = part.kind == "function"
        named.append(part if known else replace(part, text=own, parts=parts_of(own, part.parts)))
    return tuple(named)


def of_kind(text: str, kind: str, more: int = 0) -> Value:
    """Return a value with its parts, if its kind is that of a tuple."""
    parts = tuple(Value("", part, more) for part in PARTS.get(kind, ()))
    return Value(text, kind, more, parts_of(text, parts))


def kinds_of(value: Value) -> tuple[tuple[str, int], ...]:
    """Return the kinds and lengths of the parts of a tuple."""
    return tuple((part.kind, part.more) for part in value.parts)


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


class Expressions:
    """Translates the expressions of one function, whose names it knows."""

    def __init__(self) -> None:
        self.done: dict[tuple[str, str], Function] = {}
        self.module = ""
        self.env: dict[str, Value] = {}
        self.size = ""
        self.root = False

    def _refusal(self, node: ast.AST) -> NotTranslated:
        return NotTranslated(
            f"cannot translate {ast.unparse(node)!r}: it is outside of the small language of "
            "cdg_theory/formal/translate.py; say it in other words, or teach the translator"
        )

    def _inner(self, option: Value) -> str:
        return option.text.strip("()").split()[0].rstrip("_") + "'"

    def _match(self, option: Value, asked: ast.expr, none: str, some: Callable[[], str]) -> str:
        """Return both cases of an option; in the second it is known to be there."""
        inner, before = self._inner(option), self.env
        self.env = before | {ast.unparse(asked): of_kind(inner, option.kind[:-1], option.more)}
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
            parts = parts_of(row, function.result.parts)
            return replace(function.result, text=row, parts=parts)
        result = [part.kind for part in function.result.parts]
        if len(mores) > 1 or result != ["F", "F"] or not {*function.kinds} <= {"R", "F", "FF"}:
            raise self._refusal(call)
        return of_kind(f"({''.join(lets)}by_row (fun j' => {row}))", "aa", mores.pop())

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
            entries = parts_of(once(value.text), entries)
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
                own = self._value(operand)
                if own.kind == "a":
                    return replace(own, text=f"(fun j' => - {_at(own.text)})")
                return Value(f"(- {self._field(own, node).text})", "F")
            case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=2)):
                return self._binary(self._value(base), ast.Mult(), self._value(base), node)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                both = self._binary(self._value(left), ast.Mult(), self._value(right), node)
                if {self._value(left).kind, self._value(right).kind} == {"a"}:
                    return Value(f"(sum {both.text} {self._length(both.more)})", "F")
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(self._value(left), op, self._value(right), node)
            case ast.BoolOp(op=ast.Or(), values=[first, second]) if (
                self._value(first).kind == "none"
            ):
                return self._value(second)
            case ast.Tuple(elts=items):
                return tuple_of([self._value(item) for item in items])
            case ast.List(elts=items):
                return self._list([self._value(item) for item in items], node)
            case ast.IfExp(test=ast.Name(id=name)) if self._kind(name) == "b":
                yes, no = self._value(node.body), self._value(node.orelse)
                if (yes.kind, kinds_of(yes)) != (no.kind, kinds_of(no)):
                    raise self._refusal(node)
                text = f"(if {coq_name(name)} then {yes.text} else {no.text})"
                return replace(yes, text=text, parts=parts_of(text, yes.parts))
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
                    return of_kind(f"({field} {record.text})", kind, more)
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
                return tuple_of([Value(f"({own.text} {at})", "F") for own in lists])
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
            return replace(tuple_of(items), kind="aa")
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
            tuple_of([Value(t, "a", len(items)) for t in texts]), kind="l", more=len(items)
        )

    def _slice(self, array: Value, cut: ast.Slice) -> Value:
        if array.kind == "l":
            if ast.unparse(cut) != "::-1":
                raise self._refusal(cut)
            both = tuple_of([self._slice(part, cut) for part in array.parts])
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
        said = [ast.unparse(keyword) for keyword in call.keywords]
        if said != (["axis=0"] if function == "roll" else []):
            raise self._refusal(call)
        match function, args:
            case "array", [array]:
                return self._value(array)
            case "append", [first, array]:
                value = self._value(array)
                return Value(
                    f"(append {self._value(first).text} {value.text})", "a", value.more + 1
                )
            case "roll", [array, by] if ast.unparse(by) in {"1", "-1"}:
                value, step = self._value(array), "prev" if ast.unparse(by) == "1" else "next"
                at = f"({step} {self._length(value.more)} j')"
                if value.kind == "a":
                    return replace(value, text=f"(fun j' => {value.text} {at})")
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
