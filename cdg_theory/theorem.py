"""What a theorem of the ledger declares, and what its check says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

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
