"""The theorem ledger: what is claimed, how a machine checks it, and whether it holds.

Theorems are declared beside their proofs, one topic per module of :mod:`cdg_theory.proofs`, each
module with a tuple ``THEOREMS``. This module collects them and runs their checks. A check takes
what is claimed as its argument. Every theorem also carries a *perturbed* statement, false by a
sign, a factor or an end condition: the same check with another claim, which it must refuse. A
check that cannot fail proves nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

from cdg_theory.checks import described

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

Kind = Literal["symbolic", "exact", "numeric"]


@dataclass(frozen=True, slots=True)
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
    ==============  ==============================================================================
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

    @property
    def number(self) -> int:
        """The theorem's number in the ledger: 5 for ``"T5.inverse-path"``."""
        return int(self.id[1 : self.id.index(".")])

    @property
    def proof(self) -> Callable[..., bool]:
        """The function that decides it, whatever is claimed."""
        return self.check.func if isinstance(self.check, partial) else self.check


@dataclass(frozen=True, slots=True)
class Result:
    """What a check said: ``holds`` must be true, and false for a perturbed statement."""

    id: str
    statement: str
    kind: Kind
    holds: bool
    seconds: float
    perturbed: bool


@cache
def theorems() -> tuple[Theorem, ...]:
    """Return every theorem, ordered by number, then as declared.

    Raises
    ------
    ValueError
        If two theorems share an id.

    Examples
    --------
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


def run(ids: Collection[str] | None = None, *, perturbed: bool = False) -> Iterator[Result]:
    """Check theorems one after the other, yielding each result as it comes.

    Raises
    ------
    TypeError
        If ``ids`` is not a list of strings.
    ValueError
        If an id is unknown.
    """
    chosen = {theorem.id: theorem for theorem in theorems()}
    if ids is not None:
        wanted = list(ids) if isinstance(ids, list | tuple | set | frozenset) else [None]
        if not all(isinstance(name, str) for name in wanted):
            msg = (
                f"ids must be a list of theorem ids, got {described(ids)}; for example "
                '["T5.inverse-path"]'
            )
            raise TypeError(msg)
        if unknown := [name for name in wanted if name not in chosen]:
            msg = f"unknown ids {unknown}; ledger.theorems() lists the {len(chosen)} known"
            raise ValueError(msg)
        chosen = {name: chosen[name] for name in map(str, wanted)}
    for theorem in chosen.values():
        start = time.perf_counter()
        holds = theorem.variant() if perturbed else theorem.check()
        seconds = time.perf_counter() - start
        statement = theorem.perturbed if perturbed else theorem.statement
        yield Result(theorem.id, statement, theorem.kind, holds, seconds, perturbed)


def verify(ids: Collection[str] | None = None, *, perturbed: bool = False) -> tuple[Result, ...]:
    """Check theorems (all of them, unless ``ids`` are given) and return the results.

    With ``perturbed=True`` the perturbed statements are checked, and every result must come back
    with ``holds=False``.

    Raises
    ------
    TypeError
        If ``ids`` is not a list of strings.
    ValueError
        If an id is unknown.
    """
    return tuple(run(ids, perturbed=perturbed))


def proved(*ids: str) -> bool:
    """Return whether theorems (all of them, unless named) hold and refuse what is perturbed.

    Raises
    ------
    ValueError
        If an id is unknown.

    Examples
    --------
    >>> proved("T5.one-line", "T5.pivots")
    True
    """
    wanted = ids or None
    return all(result.holds for result in run(wanted)) and not any(
        result.holds for result in run(wanted, perturbed=True)
    )
