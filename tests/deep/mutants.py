"""The mutants of a source file: every small fault that somebody could have typed.

Each mutant changes one place of the syntax tree. What is changed:

==================  =======================================================================
operator            change
==================  =======================================================================
``arithmetic``      ``+`` and ``-``, ``*`` and ``/`` exchanged; ``//``, ``**``, ``@`` to ``*``;
                    ``%`` to ``//``; ``<<`` and ``>>`` exchanged; also in ``+=`` and its kin
``comparison``      ``<`` and ``<=``, ``>`` and ``>=`` exchanged (off by one); ``==`` and ``!=``,
                    ``is`` and ``is not``, ``in`` and ``not in`` exchanged
``constant``        an integer plus and minus 1; a float plus 1 and negated; a bool flipped
``sign``            a unary minus or a ``not`` dropped
``condition``       the test of ``if``, ``while``, ``x if y else z`` or a comprehension negated
``boolean``         ``and`` and ``or`` exchanged
``arguments``       the first two positional arguments of a call exchanged
``deletion``        a call for its effect, ``x += y``, ``x.a = y``, ``x[i] = y``, ``raise``,
                    ``break`` or ``continue`` dropped
``return``          ``None`` returned instead
==================  =======================================================================

What is left alone, because no test could or should notice (each is a rule of ``_left_alone``, or
stands where it applies): text, which strings and formatted strings are, with error messages
(``msg = ...`` and what is raised); annotations, type aliases and ``cast``; imports and what only a
type checker sees; ``__all__``; decorators (``slots``, ``frozen``, cache sizes); assertions, which
state what holds already; ``prefetch``, which asks for speed only; the keywords in
``SPEED_OR_GUARD``; the order of the arguments of functions in ``COMMUTATIVE``. A mutant that
compiles to the same code is none.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
COMPARISON = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
# Exchanging these negates the comparison: as a condition it would be the same mutant twice.
NEGATING = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
COMMUTATIVE = {"max", "min", "maximum", "minimum", "gcd", "lcm", "hypot", "Max", "Min", "Eq"}
# ``strict`` guards against lengths that never differ; the others concern speed, or where a warning
# is said to come from.
SPEED_OR_GUARD = {"strict", "maxsize", "cache", "nogil", "stacklevel", "non_blocking", "copy"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one file.

    ``name`` tells it from all others and outlives changes elsewhere in the file: the function, the
    change, and a number where a function holds the same change twice. ``lines`` are those whose
    execution executes the change; ``function`` is empty outside of functions. ``is_case`` says
    that it only chooses another case for a check: a literal that a loop runs over, that a name is
    bound to, or that a draw is handed; or by what a statement is made wrong on purpose.
    """

    path: str
    index: int
    operator: str
    function: str
    name: str
    lines: tuple[int, int]
    is_case: bool = False


@dataclass(slots=True)
class _Edit:
    operator: str
    holder: ast.AST
    field: str
    position: int | None
    new: ast.AST
    scope: tuple[str, ...]
    in_function: bool
    lines: tuple[int, int]
    context: ast.AST
    is_case: bool

    def swap(self, node: object) -> object:
        """Put a node where the edit is; return what was there."""
        if self.position is None:
            old = getattr(self.holder, self.field)
            setattr(self.holder, self.field, node)
        else:
            siblings = getattr(self.holder, self.field)
            old, siblings[self.position] = siblings[self.position], node
        return old


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_alias(node: ast.stmt) -> bool:
    """Whether a statement names a type: ``Array = NDArray[...]``, ``Metric_ = A | B``."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    name, value = node.targets[0].id, node.value
    subscript = isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name)
    union = isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr)
    return name[:1].isupper() and not name.isupper() and (subscript or union)


def _left_alone(node: ast.AST, field: str) -> bool:
    """Whether nothing inside a node is changed: the rules of the module's docstring."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.JoinedStr():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "msg")]):
            return True
        case ast.AugAssign(target=ast.Name(id="msg")):
            return True
        case ast.Call(func=ast.Name(id="cast" | "TypeVar")):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="prefetch"))):
            return True
        case ast.keyword(arg=str(word)) if word in SPEED_OR_GUARD:
            return True
        case ast.BinOp(op=ast.BitOr()):  # joins types in this library, never numbers
            return True
        case ast.stmt() if _is_alias(node):
            return True
    return field in {"annotation", "returns", "decorator_list", "exc", "cause"}


def _constants(node: ast.Constant) -> list[object]:
    value = node.value
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [value + 1.0, -value] if value else [1.0]
    return []


def _replacements(node: ast.AST) -> Iterator[tuple[str, str, int | None, ast.AST]]:
    """Yield (operator, field, position, new child) for changes inside a node, children apart."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in ARITHMETIC:
            text = any(
                isinstance(part, ast.JoinedStr | ast.Constant) and not _is_number(part)
                for part in (getattr(node, "left", None), getattr(node, "right", None))
            )
            if not text:
                yield "arithmetic", "op", None, ARITHMETIC[type(op)]()
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                yield "comparison", "ops", i, COMPARISON[type(op)]()
        case ast.BoolOp(op=op):
            yield "boolean", "op", None, ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.Call(func=func, args=[first, second, *_]):
            plain = not any(isinstance(x, ast.Starred) for x in (first, second))
            if plain and _name(func) not in COMMUTATIVE and ast.dump(first) != ast.dump(second):
                swapped = ast.Call(func, [second, first, *node.args[2:]], node.keywords)
                yield "arguments", "", None, swapped
    tests = {"test": getattr(node, "test", None)}
    if isinstance(node, ast.If | ast.While | ast.IfExp) and tests["test"] is not None:
        negated = _negated(tests["test"])
        if negated is not None:
            yield "condition", "test", None, negated
    if isinstance(node, ast.comprehension):
        for i, test in enumerate(node.ifs):
            negated = _negated(test)
            if negated is not None:
                yield "condition", "ifs", i, negated


def _is_number(node: ast.Constant | ast.JoinedStr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _negated(test: ast.expr) -> ast.expr | None:
    twice = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        twice = isinstance(test.ops[0], NEGATING)
    return None if twice else ast.UnaryOp(ast.Not(), test)


def _is_deletable(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
            return True
        case ast.Break() | ast.Continue():
            return True
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return True
    return False


def _itself(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield (operator, replacement) for changes of a node as a whole."""
    match node:
        case ast.Constant():
            for value in _constants(node):
                yield "constant", ast.Constant(value)
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            yield "sign", operand
        case ast.Return(value=ast.expr() as value):
            # Both are false; ``return True`` is tried as a constant.
            if not (isinstance(value, ast.Constant) and value.value in (None, False)):
                yield "return", ast.Return(ast.Constant(None))
    if isinstance(node, ast.stmt) and _is_deletable(node):
        yield "deletion", ast.Pass()


# What a literal case may be made with.
MAKERS = {"Fraction", "Integer", "Matrix", "Metric", "Rational", "product", "range"}


# What draws, or makes a member of a class that is drawn from.
DRAWS = ("rng.", "draw", "_draw", "random.Random", "np.random.", "polynomial", "trigonometric")


def _is_literal(node: ast.AST) -> bool:
    inner = list(ast.walk(node))
    made = {_name(call.func) for call in inner if isinstance(call, ast.Call)}
    names = {name.id for name in inner if isinstance(name, ast.Name)}
    return isinstance(node, ast.expr) and made <= MAKERS and names <= MAKERS | {"sp", "itertools"}


def _is_case(node: ast.AST, holder: ast.AST, field: str) -> bool:
    """Whether everything inside a node only chooses a case; see :class:`Mutant`."""
    if isinstance(holder, ast.If | ast.IfExp) and _name(holder.test) == "perturbed":
        return field == "body"
    if isinstance(holder, ast.For | ast.comprehension) and field == "iter":
        return _is_literal(node)
    if isinstance(holder, ast.Assign) and field == "value":
        return _is_literal(node)
    if isinstance(holder, ast.Call) and field in {"args", "keywords"}:
        head = ast.unparse(holder.func)
        value = node.value if isinstance(node, ast.keyword) else node
        return head.startswith(DRAWS) and _is_literal(value)
    return False


def _is_short(node: ast.AST | None) -> bool:
    """Whether a node can be read in a list as a whole."""
    if isinstance(node, ast.stmt) and hasattr(node, "body"):
        return False
    return isinstance(node, ast.expr | ast.stmt) and len(ast.unparse(node)) <= 72


def _edits(
    node: ast.AST,
    holder: ast.AST,
    field: str,
    position: int | None,
    scope: tuple[str, ...] = (),
    in_function: bool = False,
    lines: tuple[int, int] = (1, 1),
    context: ast.AST | None = None,
    is_case: bool = False,
) -> Iterator[_Edit]:
    if _left_alone(node, field):
        return
    is_case = is_case or _is_case(node, holder, field)
    if isinstance(node, ast.stmt):
        # A compound statement's own line; its test or iterable, if that spans several.
        head = getattr(node, "test", None) or getattr(node, "iter", None)
        compound = hasattr(node, "body")
        end = head.end_lineno if head is not None and compound else node.end_lineno
        lines = (node.lineno, node.lineno if compound and head is None else end)
        context = node
    elif isinstance(node, ast.expr) and not _is_short(context):
        context = node

    def edit(operator: str, where: tuple, new: ast.AST, shown: ast.AST) -> _Edit:
        return _Edit(operator, *where, new, scope, in_function, lines, shown, is_case)

    for operator, new in _itself(node):
        shown = node if isinstance(node, ast.stmt) else context
        yield edit(operator, (holder, field, position), new, shown or node)
    for operator, name, at, new in _replacements(node):
        where = (holder, field, position) if operator == "arguments" else (node, name, at)
        yield edit(operator, where, new, context or node)
    is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    if is_function or isinstance(node, ast.ClassDef):
        scope = (*scope, getattr(node, "name", "<lambda>"))
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for i, child in enumerate(children):
            if not isinstance(child, ast.AST):
                continue
            inside = in_function or (is_function and name == "body")
            where = i if isinstance(value, list) else None
            yield from _edits(child, node, name, where, scope, inside, lines, context, is_case)


def _line(node: ast.AST) -> str:
    """Return the first line of a node's source, cut to what can be read in a list."""
    text = ast.unparse(node).split("\n")[0]
    return text if len(text) <= 120 else text[:117] + "..."


def _parsed(source: str) -> tuple[ast.Module, list[_Edit]]:
    tree = ast.parse(source)
    found = [edit for i, child in enumerate(tree.body) for edit in _edits(child, tree, "body", i)]
    return tree, found


def _apply(edit: _Edit) -> object:
    old = edit.swap(None)
    edit.swap(old)
    new = edit.new
    if isinstance(old, ast.AST) and hasattr(old, "lineno"):
        for node in ast.walk(new):
            if not hasattr(node, "lineno") and isinstance(node, ast.expr | ast.stmt):
                ast.copy_location(node, old)
    edit.swap(new)
    return old


def same_code(a: CodeType, b: CodeType) -> bool:
    """Whether two code objects do the same, wherever their lines are."""

    def parts(code: CodeType) -> tuple:
        constants = [c for c in code.co_consts if not isinstance(c, CodeType)]
        shown = [(type(c), repr(c)) for c in constants]
        return code.co_code, shown, code.co_names, code.co_varnames, code.co_freevars

    inner_a = [c for c in a.co_consts if isinstance(c, CodeType)]
    inner_b = [c for c in b.co_consts if isinstance(c, CodeType)]
    return (
        parts(a) == parts(b)
        and len(inner_a) == len(inner_b)
        and all(same_code(x, y) for x, y in zip(inner_a, inner_b, strict=True))
    )


def mutants(source: str, path: str = "") -> list[Mutant]:
    r"""Return all mutants of a file.

    Examples
    --------
    >>> [mutant.name for mutant in mutants("def f(a, b):\n    return a - b")]
    ['f: return a - b -> return None', 'f: return a - b -> return a + b']
    """
    tree, edits = _parsed(source)
    original = compile(tree, path, "exec")
    found: list[Mutant] = []
    names: Counter[str] = Counter()
    for index, edit in enumerate(edits):
        before = _line(edit.context)
        old = _apply(edit)
        # What is shown may be the very node that is replaced.
        after = _line(edit.new if edit.context is old else edit.context)
        code = compile(tree, path, "exec")
        edit.swap(old)
        if same_code(original, code):
            continue
        function = ".".join(edit.scope)
        name = f"{function}: {before} -> {after}".lstrip(": ")
        names[name] += 1
        if names[name] > 1:
            name += f" #{names[name]}"
        found.append(
            Mutant(
                path,
                index,
                edit.operator,
                function if edit.in_function else "",
                name,
                edit.lines,
                edit.is_case,
            )
        )
    return found


def tree_of(source: str, index: int | None) -> ast.Module:
    """Return the syntax tree with one mutant in it, or none; ``index`` as in :class:`Mutant`."""
    tree, edits = _parsed(source)
    if index is not None:
        _apply(edits[index])
    return tree
