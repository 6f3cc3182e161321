r"""What :func:`cdg_theory.certify` found: a record that can be printed, stored and read again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from cdg_theory.checks import described
from cdg_theory.display import mark, table, text
from cdg_theory.metric import Metric


@dataclass(frozen=True, slots=True)
class Finding:
    """The columns of one kind: the entry closest to its bound, and the largest error.

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
    ``max_ulp``     the largest error in any of the columns, in the same unit; it may be at
                    another entry, whose bound is wider
    ==============  =======================================================================

    See Also
    --------
    cdg_theory.certificates.Certificate : Has one for each kind of gradient.

    Examples
    --------
    >>> from cdg_theory import Metric, certify
    >>> wrong = certify(lambda g: g, Metric.reweighted_h0(4.0), 8).worst
    >>> wrong.holds, wrong.share > 1
    (False, True)
    """

    kind: str
    error_ulp: float
    bound_ulp: float
    row: int
    column: int
    expected: float
    got: float
    max_ulp: float

    @property
    def share(self) -> float:
        """The error divided by its bound: the largest of all entries of this kind.

        Raises
        ------
        ZeroDivisionError
            If the bound is 0, which no bound of theorem 7 is.
        """
        return self.error_ulp / self.bound_ulp

    @property
    def holds(self) -> bool:
        """Whether every entry of this kind is within its bound: this one comes nearest to it."""
        return self.error_ulp <= self.bound_ulp

    def __str__(self) -> str:
        place = f"{self.kind}, row {self.row}, column {self.column}"
        text = f"{self.error_ulp:.4g} ulp, bound {self.bound_ulp:.4g} ulp, at {place}"
        if not self.holds:
            text += f": expected {self.expected!r}, got {self.got!r}"
        return f"{text}; largest error {self.max_ulp:.4g} ulp"


def _checked(given: Any, kind: Any) -> dict[str, Any]:
    """Return fields, if each is of the type that a record of this kind declares."""
    # Of an annotation such as tuple[Finding, ...] the first word says enough.
    words = {entry.name: str(entry.type).partition("[")[0] for entry in fields(kind)}
    types = {"str": str, "int": int, "float": int | float, "Metric": Metric, "tuple": tuple}
    for name, value in dict(given).items():
        wanted = types[words[name]]
        if isinstance(value, bool) or not isinstance(value, wanted) or value == ():
            msg = f"{name} must be of type {words[name]}, got {described(value)}"
            raise TypeError(msg)
    return dict(given)


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

    ``bound`` and ``holds`` belong to ``worst``, the finding whose error is the largest fraction of
    its bound. ``max_ulp`` is the largest error of all. It may belong to another finding, with
    a wider bound.

    See Also
    --------
    cdg_theory.certify : Makes it.
    cdg_theory.certificates.Finding : Its parts.

    Examples
    --------
    >>> from cdg_theory import Metric, certify, discrete
    >>> from cdg_theory.certificates import Certificate
    >>> metric = Metric.reweighted_h0(4.0)
    >>> found = certify(lambda g: discrete.riemannian_gradient(g, metric), metric, 8)
    >>> found.holds, Certificate.from_json(found.to_json()) == found
    (True, True)
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
        return max(self.findings, key=lambda finding: finding.share)

    @property
    def holds(self) -> bool:
        """Whether every entry of every drawn gradient is within theorem 7's bound."""
        return self.worst.holds

    @property
    def max_ulp(self) -> float:
        """The largest error of any entry, in ulp at the largest entry of its exact column."""
        return max(finding.max_ulp for finding in self.findings)

    @property
    def bound(self) -> float:
        """The bound at the entry that is closest to its bound, in the same unit."""
        return self.worst.bound_ulp

    def to_json(self) -> str:
        """Return the certificate as JSON text, which :meth:`from_json` reads back exactly."""
        # Python's json writes an infinite error as Infinity and reads it again.
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Return the certificate that :meth:`to_json` wrote as ``text``.

        Raises
        ------
        ValueError
            If the text is not a certificate.
        """
        try:
            table: dict[str, Any] = json.loads(text)
            table["metric"] = Metric(**table["metric"])
            table["findings"] = tuple(
                Finding(**_checked(finding, Finding)) for finding in table["findings"]
            )
            certificate = cls(**_checked(table, cls))
            str(certificate)  # its findings can be compared: a bound of 0 is none
        except (ArithmeticError, KeyError, TypeError, ValueError, RecursionError) as error:
            msg = f"not a certificate: {error}; give what to_json() returned"
            raise ValueError(msg) from error
        return certificate

    @property
    def _head(self) -> str:
        verdict = "holds" if self.holds else "FAILS"
        return (
            f"Certificate {verdict}: n = {self.n}, {self.dtype} ({self.accumulator} inside), "
            f"{self.algorithm}, {self.columns} columns, seed {self.seed}"
        )

    def _repr_html_(self) -> str:
        rows = [
            (
                f"{mark(f.holds)} {text(f.kind)}",
                *(f"{ulp:.3g}" for ulp in (f.error_ulp, f.bound_ulp, f.max_ulp)),
                str(f.row),
            )
            for f in self.findings
        ]
        names = ("gradients", "error in ulp", "bound in ulp", "largest error", "row")
        return f"<p>{text(self._head)}<br>{text(str(self.metric))}</p>{table(names, rows)}"

    def __str__(self) -> str:
        lines = [self._head, f"  {self.metric}"]
        for finding in self.findings:
            mark = " " if finding.holds else "!"
            lines.append(f"{mark} {finding}")
        return "\n".join(lines)
