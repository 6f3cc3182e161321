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
from dataclasses import replace
from types import ModuleType

from cdg_theory.formal.expressions import (
    Expressions,
    Function,
    Value,
    coq_name,
    of_kind,
    parts_of,
    tuple_of,
)
from cdg_theory.formal.language import COQ_TYPES, TRANSLATED

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


class Translator(Expressions):
    """One function after the other; what was translated before can be called."""

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
            self.env[argument.arg] = of_kind(coq_name(argument.arg), base, -int(less))
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
            result = values[0] if len(values) == 1 else tuple_of(values)
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

    # Statements: each a line "let … in".

    def _let(self, name: str, value: Value) -> None:
        self.lets.append(f"let {coq_name(name)} := {value.text} in")
        self._name_is(name, value)

    def _name_is(self, name: str, value: Value) -> None:
        parts = parts_of(coq_name(name), value.parts)
        self.env[name] = replace(value, text=coq_name(name), parts=parts)
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
                return coq_name(name)
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
                self._bind(target, of_kind("((fun _ => 0), (fun _ => 0))", "l"))
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
                self.env[ast.unparse(asked)] = of_kind(inner, option.kind[:-1])
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
        self.env[ast.unparse(asked)] = of_kind(inner, option.kind[:-1])

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
            case ast.BinOp(left=left, op=ast.Sub(), right=ast.Constant(value=1)) if (
                self._value(left).text == self.size
            ):
                return Value(self._length(-1), "length", -1)
        count = self._value(bound)
        if count.kind not in {"n", "length"}:
            raise self._refusal(bound)
        return count


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
