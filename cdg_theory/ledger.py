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
from functools import cache

from cdg_theory.checks import described
from cdg_theory.theorem import Kind as Kind
from cdg_theory.theorem import NotProved as NotProved
from cdg_theory.theorem import Result as Result
from cdg_theory.theorem import Results as Results
from cdg_theory.theorem import Theorem as Theorem


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
