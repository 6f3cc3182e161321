r"""What :func:`cdg_theory.certify` found: a record that can be printed, stored and read again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from cdg_theory.metric import Metric

__all__ = ["Certificate", "Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The worst entry among the columns of one kind: where the error is closest to its bound.

    ==============  =======================================================================
    field           meaning
    ==============  =======================================================================
    ``kind``        the family of gradients, see :mod:`cdg_theory.certificates.draws`
    ``error_ulp``   the error there, in ulp at the largest entry of the exact column
    ``bound_ulp``   theorem 7's bound there, in the same unit
    ``row``         output channel of the entry
    ``column``      which of the drawn columns
    ``expected``    the exact entry, rounded to float64
    ``got``         what the solver returned
    ==============  =======================================================================
    """

    kind: str
    error_ulp: float
    bound_ulp: float
    row: int
    column: int
    expected: float
    got: float

    @property
    def holds(self) -> bool:
        """Whether the error is within the bound (every entry's is, for this one is the worst)."""
        return self.error_ulp <= self.bound_ulp

    def __str__(self) -> str:
        place = f"{self.kind}, row {self.row}, column {self.column}"
        if self.holds:
            return f"{self.error_ulp:.4g} ulp, bound {self.bound_ulp:.4g} ulp ({place})"
        return (
            f"{self.error_ulp:.4g} ulp, bound {self.bound_ulp:.4g} ulp, at {place}: "
            f"expected {self.expected!r}, got {self.got!r}"
        )


@dataclass(frozen=True, slots=True)
class Certificate:
    """The verdict on a solver: every drawn gradient, compared with the exact solution.

    ===============  ======================================================================
    field            meaning
    ===============  ======================================================================
    ``metric``       the metric whose gradient the solver claims to compute
    ``n``            number of output channels
    ``dtype``        storage type of gradient and result
    ``accumulator``  type of the solver's arithmetic, which the bound assumes
    ``algorithm``    which of theorem 7's two bounds was applied
    ``columns``      how many gradients were drawn
    ``seed``         from which seed
    ``findings``     one :class:`Finding` for each kind of gradient
    ===============  ======================================================================

    ``max_ulp`` and ``bound`` belong to the worst finding, the one whose error is the largest
    fraction of its bound, so that ``holds`` is ``max_ulp <= bound``.
    """

    metric: Metric
    n: int
    dtype: str
    accumulator: str
    algorithm: str
    columns: int
    seed: int
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Finding:
        """The finding whose error is the largest fraction of its bound."""
        return max(self.findings, key=lambda finding: finding.error_ulp / finding.bound_ulp)

    @property
    def holds(self) -> bool:
        """Whether every entry of every drawn gradient is within theorem 7's bound."""
        return self.worst.holds

    @property
    def max_ulp(self) -> float:
        """The error at the worst entry, in ulp at the largest entry of its column."""
        return self.worst.error_ulp

    @property
    def bound(self) -> float:
        """The bound at the worst entry, in the same unit."""
        return self.worst.bound_ulp

    def to_json(self) -> str:
        """Return the certificate as JSON text, which :meth:`from_json` reads back exactly."""
        # Python's json writes an infinite error as Infinity and reads it again.
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Return the certificate that :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not a certificate.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            fields["metric"] = Metric(**fields["metric"])
            fields["findings"] = tuple(Finding(**finding) for finding in fields["findings"])
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            msg = f"not a certificate: {error}"
            raise ValueError(msg) from error

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "FAILS"
        lines = [
            f"Certificate {verdict}: n = {self.n}, {self.dtype} ({self.accumulator} inside), "
            f"{self.algorithm}, {self.columns} columns, seed {self.seed}",
            f"  {self.metric}",
        ]
        for finding in self.findings:
            mark = " " if finding.holds else "!"
            lines.append(f"{mark} {finding}")
        return "\n".join(lines)
