"""The theorem ledger: what is claimed, how a machine checks it, and whether it holds.

Theorems are declared beside their proofs, one topic per module of :mod:`cdg_theory.proofs`, each
module with a tuple ``THEOREMS``. This module collects them and runs their checks. A check takes
what is claimed as its argument. Every theorem also carries a *perturbed* statement, false by a
sign, a factor or an end condition: the same check with another claim, which it must refuse. A
check that cannot fail proves nothing.

Wherever ids are taken, ``"T5.pivots"`` is one statement and ``"T5"`` is all of theorem 5. Give one,
several, or a list; none means all::

    ledger.prove("T5.pivots")
    ledger.verify(["T1", "T5.pivots"])
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

from cdg_theory.checks import described
from cdg_theory.display import formula, mark, table, text

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["symbolic", "exact", "numeric"]


@dataclass(frozen=True, slots=True, repr=False)
class Theorem:
    """One entry of the ledger.

    ==============  ==============================================================================
    field           meaning
    ==============  ==============================================================================
    ``id``          ``"T5.inverse-path"``: the number of the theorem in the ledger and a slug
    ``title``       a few words
    ``statement``   the theorem in words, plain text
    ``tex``         the theorem as a formula
    ``scope``       for which n, weights, boundaries, functions, optimizers it is claimed
    ``kind``        ``"symbolic"`` (for all n, weights, or functions of a class), ``"exact"``
                    (rational arithmetic, no rounding, on drawn cases) or ``"numeric"`` (floating
                    point, with a bound derived beforehand)
    ``check``       decides the statement
    ``variant``     the same check with another claim, the perturbed statement: must return False
    ``perturbed``   the perturbed statement in words
    ``page``        where the docs prove it, relative to ``docs/``
    ``formal``      the theorems of ``formal/Statements.v`` that say it, in part or whole, and that
                    Coq's kernel checks (:mod:`cdg_theory.formal`); often none
    ==============  ==============================================================================

    See Also
    --------
    cdg_theory.ledger.theorem : Finds one.
    cdg_theory.ledger.Result : What a check of it says.

    Examples
    --------
    >>> from cdg_theory.ledger import theorem
    >>> one = theorem("T5.pivots")
    >>> one.number, one.kind
    (5, 'symbolic')
    """

    id: str
    title: str
    statement: str
    tex: str
    scope: str
    kind: Kind
    check: Callable[[], bool]
    variant: Callable[[], bool]
    perturbed: str
    page: str
    formal: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """The theorem's number in the ledger: 5 for ``"T5.inverse-path"``."""
        return int(self.id[1 : self.id.index(".")])

    @property
    def proof(self) -> Callable[..., bool]:
        """The function that decides it, whatever is claimed."""
        return self.check.func if isinstance(self.check, partial) else self.check

    def __repr__(self) -> str:
        return (
            f"{self.id}, {self.title} ({self.kind})\n  {self.statement}\n  {self.tex}\n"
            f"  Scope: {self.scope}\n  Must be refused: {self.perturbed}"
            + (f"\n  Checked by Coq's kernel: {', '.join(self.formal)}" if self.formal else "")
        )

    def _repr_html_(self) -> str:
        return table(
            (f"{self.id} ({self.kind})", self.title),
            [
                ("statement", text(self.statement)),
                ("formula", formula(self.tex)),
                ("scope", text(self.scope)),
                ("must be refused", text(self.perturbed)),
                *([("checked by Coq's kernel", text(", ".join(self.formal)))] * bool(self.formal)),
            ],
        )


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one check.

    ==============  ==============================================================================
    field           meaning
    ==============  ==============================================================================
    ``theorem``     the :class:`Theorem`
    ``perturbed``   whether the perturbed statement was checked, not the statement
    ``holds``       must be true, and false for a perturbed statement
    ``seconds``     how long it took, the perturbed statement included where both were checked
    ``refused``     whether the perturbed statement was refused as well; None where it was not
                    tried beside the statement
    ==============  ==============================================================================

    See Also
    --------
    cdg_theory.ledger.Results : Several of them.
    cdg_theory.ledger.Theorem : What was checked.

    Examples
    --------
    >>> from cdg_theory.ledger import verify
    >>> [one] = verify("T5.one-line")
    >>> one.id, one.verdict
    ('T5.one-line', 'holds')
    """

    theorem: Theorem
    perturbed: bool
    holds: bool
    seconds: float
    refused: bool | None = None

    @property
    def id(self) -> str:
        """The theorem's id."""
        return self.theorem.id

    @property
    def kind(self) -> Kind:
        """What kind of check it was."""
        return self.theorem.kind

    @property
    def statement(self) -> str:
        """What was checked, in words."""
        return self.theorem.perturbed if self.perturbed else self.theorem.statement

    @property
    def tex(self) -> str:
        """The theorem as a formula."""
        return self.theorem.tex

    @property
    def as_it_must_be(self) -> bool:
        """Whether the statement holds, or the perturbed one is refused; both, where both ran."""
        return self.holds != self.perturbed and self.refused is not False

    @property
    def verdict(self) -> str:
        """Whether the statement holds and its variant was refused, in words."""
        verdict = "holds" if self.holds else "does not hold"
        if self.perturbed:
            return f"perturbed: {verdict}"
        variant = {True: ", variant refused", False: ", VARIANT ACCEPTED", None: ""}
        return verdict + variant[self.refused]


class Results(tuple[Result, ...]):
    """A tuple of results, in the order asked for. It shows itself as a table, in notebooks as HTML.

    See Also
    --------
    cdg_theory.ledger.verify : Returns it.
    cdg_theory.ledger.prove : Returns it.
    cdg_theory.ledger.Result : Its entries.

    Examples
    --------
    >>> from cdg_theory.ledger import verify
    >>> [one.holds for one in verify("T5.one-line", "T5.pivots")]
    [True, True]
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(
            f"{mark(r.as_it_must_be)} {r.id:28} {r.verdict} ({r.seconds:.2f} s)\n  {r.statement}"
            for r in self
        )

    def _repr_html_(self) -> str:
        rows = [
            (
                text(r.id),
                f"{text(r.statement)}<br>{'' if r.perturbed else formula(r.tex)}",
                f"{mark(r.as_it_must_be)} {text(r.verdict)}",
                f"{r.seconds:.2f} s",
            )
            for r in self
        ]
        return table(("theorem", "statement", "checked by machine", "time"), rows)


class NotProved(Exception):  # noqa: N818 - what is said of a theorem
    """A statement does not hold, or its perturbed variant was accepted.

    ===========  ==================================
    field        meaning
    ===========  ==================================
    ``results``  the :class:`Results` of all checks
    ===========  ==================================

    See Also
    --------
    cdg_theory.ledger.prove : Raises it.

    Examples
    --------
    >>> from cdg_theory.ledger import NotProved, Result, Results, theorem
    >>> wrong = Result(theorem("T5.one-line"), perturbed=False, holds=False, seconds=0.1)
    >>> print(NotProved(Results([wrong])))
    not proved: T5.one-line (does not hold)
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        failed = [f"{r.id} ({r.verdict})" for r in results if not r.as_it_must_be]
        super().__init__(f"not proved: {', '.join(failed)}")


@cache
def theorems() -> tuple[Theorem, ...]:
    """Return every theorem, ordered by number, then as declared.

    Raises
    ------
    ValueError
        If two theorems share an id.

    See Also
    --------
    cdg_theory.ledger.theorem : One, by its id.
    cdg_theory.ledger.select : Some, by their ids.
    cdg_theory.ledger.prove : Checks them.

    Examples
    --------
    >>> from cdg_theory.ledger import theorems
    >>> sorted({theorem.kind for theorem in theorems()} - {"exact", "numeric", "symbolic"})
    []
    """
    from cdg_theory import proofs

    found: dict[str, Theorem] = {}
    for module in pkgutil.walk_packages(proofs.__path__, f"{proofs.__name__}."):
        loaded = importlib.import_module(module.name)
        for theorem in getattr(loaded, "THEOREMS", ()):
            if theorem.id in found:
                msg = f"two theorems have the id {theorem.id!r}; give one of them another slug"
                raise ValueError(msg)
            found[theorem.id] = theorem
    return tuple(sorted(found.values(), key=lambda theorem: theorem.number))


def select(ids: str | Iterable[str] | None = None, *more: str) -> tuple[Theorem, ...]:
    """Return the theorems of some ids, in the order given; all if none is given.

    ========  ==================================================================================
    argument  meaning
    ========  ==================================================================================
    ``ids``   one id, a list of ids, or None for all theorems; ``"T5"`` selects all of theorem 5
    ``more``  further ids
    ========  ==================================================================================

    Raises
    ------
    TypeError
        If the ids are not strings.
    ValueError
        If an id is unknown.

    See Also
    --------
    cdg_theory.ledger.theorem : One.
    cdg_theory.ledger.theorems : All.
    cdg_theory.ledger.verify : Checks what it selects.

    Examples
    --------
    >>> from cdg_theory.ledger import select
    >>> [theorem.id for theorem in select("T9.coordinates", "T13.penalty")]
    ['T9.coordinates', 'T13.penalty']
    >>> {theorem.number for theorem in select("T5")}
    {5}
    """
    known = {theorem.id: theorem for theorem in theorems()}
    if ids is None and not more:
        return tuple(known.values())
    first: list[object] = [ids]
    if isinstance(ids, Iterable) and not isinstance(ids, str | bytes):
        first = list(ids)
    chosen: dict[str, Theorem] = {}
    unknown: list[str] = []
    for name in (*first, *more):
        if not isinstance(name, str):
            msg = (
                f"ids must be theorem ids or a list of them, got {described(name)}; for example "
                '"T5.inverse-path", or "T5" for all of theorem 5'
            )
            raise TypeError(msg)
        found = {key: known[key] for key in known if name in (key, key.partition(".")[0])}
        chosen |= found
        if not found:
            unknown.append(name)
    if unknown:
        msg = f"unknown ids {unknown}; ledger.theorems() lists the {len(known)} known"
        raise ValueError(msg)
    return tuple(chosen.values())


def theorem(id: str) -> Theorem:
    """Return the theorem with an id.

    ========  ==========================
    argument  meaning
    ========  ==========================
    ``id``    its id, as ``"T5.pivots"``
    ========  ==========================

    Raises
    ------
    TypeError
        If the id is not a string.
    ValueError
        If the id is unknown, or belongs to several statements.

    See Also
    --------
    cdg_theory.ledger.theorems : All of them.
    cdg_theory.ledger.select : Several at once.
    cdg_theory.ledger.prove : Checks it.

    Examples
    --------
    >>> from cdg_theory.ledger import theorem
    >>> theorem("T5.pivots").kind
    'symbolic'
    """
    found = select(id)
    if len(found) != 1:
        msg = f"{id!r} has {len(found)} statements; ledger.select({id!r}) returns them"
        raise ValueError(msg)
    return found[0]


def run(
    ids: str | Iterable[str] | None = None, *more: str, perturbed: bool = False
) -> Iterator[Result]:
    """Check theorems one after the other, and yield each result when it is there.

    =============  ================================================================================
    argument       meaning
    =============  ================================================================================
    ``ids``        one id, a list of ids, or None for all theorems; ``"T5"`` selects all of theorem
                   5
    ``more``       further ids
    ``perturbed``  whether to check the perturbed statements instead, which must not hold
    =============  ================================================================================

    Raises
    ------
    TypeError
        If the ids are not strings.
    ValueError
        If an id is unknown.

    See Also
    --------
    cdg_theory.ledger.verify : Returns them together.
    cdg_theory.ledger.prove : Raises an error if one does not hold.

    Examples
    --------
    >>> from cdg_theory.ledger import run
    >>> [result.holds for result in run("T5.one-line", perturbed=True)]
    [False]
    """
    return (_checked(theorem, perturbed=perturbed) for theorem in select(ids, *more))


def _checked(theorem: Theorem, *, perturbed: bool) -> Result:
    start = time.perf_counter()
    holds = theorem.variant() if perturbed else theorem.check()
    return Result(theorem, perturbed, holds, time.perf_counter() - start)


def verify(ids: str | Iterable[str] | None = None, *more: str, perturbed: bool = False) -> Results:
    """Check theorems and return the results.

    With ``perturbed=True`` the perturbed statements are checked, and every result must come back
    with ``holds=False``.

    =============  ================================================================================
    argument       meaning
    =============  ================================================================================
    ``ids``        one id, a list of ids, or None for all theorems; ``"T5"`` selects all of theorem
                   5
    ``more``       further ids
    ``perturbed``  whether to check the perturbed statements instead, which must not hold
    =============  ================================================================================

    Returns
    -------
    Results
        One :class:`Result` for each theorem; they show themselves as a table.

    Raises
    ------
    TypeError
        If the ids are not strings.
    ValueError
        If an id is unknown.

    See Also
    --------
    cdg_theory.ledger.prove : Checks the perturbed statements too, and raises.
    cdg_theory.ledger.run : One after the other.
    cdg_theory.ledger.proved : A yes or a no.

    Examples
    --------
    >>> from cdg_theory.ledger import verify
    >>> [result] = verify("T5.one-line")
    >>> result.holds
    True
    """
    return Results(run(ids, *more, perturbed=perturbed))


def _tried(ids: str | Iterable[str] | None, *more: str) -> Results:
    results = []
    for theorem in select(ids, *more):
        claim, variant = (_checked(theorem, perturbed=perturbed) for perturbed in (False, True))
        seconds = claim.seconds + variant.seconds
        results.append(Result(theorem, False, claim.holds, seconds, refused=not variant.holds))
    return Results(results)


def prove(ids: str | Iterable[str] | None = None, *more: str) -> Results:
    """Check theorems and their perturbed variants; raise an error if one check fails.

    Each statement must hold, and its perturbed variant must be refused. The results show
    themselves: in a notebook as a table of statements, formulas and times.

    ========  ==================================================================================
    argument  meaning
    ========  ==================================================================================
    ``ids``   one id, a list of ids, or None for all theorems; ``"T5"`` selects all of theorem 5
    ``more``  further ids
    ========  ==================================================================================

    Returns
    -------
    Results
        One :class:`Result` for each theorem.

    Raises
    ------
    NotProved
        If a statement does not hold, or its variant is accepted. The error names the ids.
    TypeError
        If the ids are not strings.
    ValueError
        If an id is unknown.

    See Also
    --------
    cdg_theory.ledger.proved : The same as True or False.
    cdg_theory.ledger.verify : The statements alone.
    cdg_theory.ledger.theorem : What a theorem says.

    Examples
    --------
    >>> from cdg_theory.ledger import prove
    >>> [result.verdict for result in prove("T5.one-line", "T5.pivots")]
    ['holds, variant refused', 'holds, variant refused']
    """
    results = _tried(ids, *more)
    if not all(result.as_it_must_be for result in results):
        raise NotProved(results)
    return results


def proved(ids: str | Iterable[str] | None = None, *more: str) -> bool:
    """Return whether theorems hold and their perturbed variants are refused.

    ========  ==================================================================================
    argument  meaning
    ========  ==================================================================================
    ``ids``   one id, a list of ids, or None for all theorems; ``"T5"`` selects all of theorem 5
    ``more``  further ids
    ========  ==================================================================================

    Raises
    ------
    TypeError
        If the ids are not strings.
    ValueError
        If an id is unknown.

    See Also
    --------
    cdg_theory.ledger.prove : Raises an error instead.
    cdg_theory.ledger.verify : The results.

    Examples
    --------
    >>> from cdg_theory.ledger import proved
    >>> proved("T5.one-line", "T5.pivots")
    True
    """
    return all(result.as_it_must_be for result in _tried(ids, *more))
