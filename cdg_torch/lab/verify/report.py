r"""All results of a verification together: the verdict, the table, JSON and Markdown."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

import cdg_theory

if TYPE_CHECKING:
    from cdg_theory.certificates import Finding
    from cdg_theory.ledger import Result
    from cdg_torch.lab.verify.matrix import Case, CaseResult


@dataclass(frozen=True, slots=True)
class TableRow:
    """All certificates of one path, metric and dtype."""

    path: str
    metric: str
    dtype: str
    results: tuple[CaseResult, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.results)

    @property
    def holds(self) -> bool:
        """Whether all of them hold."""
        return all(result.holds for result in self.results)

    @property
    def _largest(self) -> tuple[Case, Finding]:
        findings = (
            (result.case, finding)
            for result in self.results
            for finding in result.failures or result.certificate.findings
        )
        # A failure comes before anything that holds.
        return max(findings, key=lambda entry: (not entry[1].holds, entry[1].error_ulp))

    @property
    def largest(self) -> Finding:
        """The finding with the largest error, or the largest that breaks its bound."""
        return self._largest[1]

    @property
    def place(self) -> str:
        """Where that is."""
        case, finding = self._largest
        return f"n = {case.n}, {case.layout}, {finding.kind}, row {finding.row}"


@dataclass(slots=True)
class Report:
    """What was checked, in the order in which it was.

    ================  =====================================================================
    field             meaning
    ================  =====================================================================
    ``theorems``      results of the ledger: statements, and perturbed statements if they ran
    ``certificates``  one result per case
    ``left_out``      theorems for which a quick run had no time
    ================  =====================================================================
    """

    theorems: list[Result] = field(default_factory=list)
    certificates: list[CaseResult] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """One line for each theorem or certificate that failed, saying where."""
        # A statement must hold, and a perturbed statement must be refused.
        lines = [
            f"theorem {result.id}: "
            + ("its check accepts the perturbed statement: " if result.perturbed else "refuted: ")
            + result.statement
            for result in self.theorems
            if result.holds == result.perturbed
        ]
        lines += [
            f"certificate: {result.case}: {finding}"
            for result in self.certificates
            for finding in result.failures
        ]
        return lines

    @property
    def holds(self) -> bool:
        """Whether something was checked and nothing failed."""
        return bool(self.theorems or self.certificates) and not self.failures

    @property
    def rows(self) -> list[TableRow]:
        """The certificates by path, metric and dtype, in the order in which they ran."""
        grouped: dict[tuple[str, str, str], list[CaseResult]] = {}
        for result in self.certificates:
            case = result.case
            grouped.setdefault((case.path, case.metric, case.dtype), []).append(result)

        return [
            TableRow(*key, tuple(results))
            for key, results in sorted(grouped.items(), key=lambda entry: entry[0][0])
        ]

    def to_json(self) -> str:
        """Return everything as JSON, certificates as ``Certificate.from_json`` reads them."""
        content: dict[str, Any] = {
            "version": cdg_theory.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "holds": self.holds,
            "failures": self.failures,
            "theorems": [asdict(result) for result in self.theorems],
            "theorems_left_out": self.left_out,
            "certificates": [
                {
                    "case": asdict(result.case),
                    "seconds": result.seconds,
                    "holds": result.holds,
                    "certificate": asdict(result.certificate),
                }
                for result in self.certificates
            ],
        }
        return json.dumps(content, indent=1, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Return a report for people."""
        lines = [
            "# Verification",
            "",
            f"**{'Everything holds.' if self.holds else 'FAILED.'}** channel-directed-gradients "
            f"{cdg_theory.__version__}, torch {torch.__version__}, Python "
            f"{platform.python_version()}, {platform.machine()}.",
            "",
        ]
        if self.failures:
            lines += ["## Failures", "", *(f"- {line}" for line in self.failures), ""]
        if self.theorems:
            refused = {
                result.id: "no" if result.holds else "yes"
                for result in self.theorems
                if result.perturbed
            }
            lines += [
                "## Theorems",
                "",
                "| theorem | kind | holds | perturbed statement refused | seconds |",
                "| --- | --- | --- | --- | --- |",
                *(
                    f"| {r.id} | {r.kind} | {'yes' if r.holds else '**no**'} | "
                    f"{refused.get(r.id, 'not run')} | {r.seconds:.2f} |"
                    for r in self.theorems
                    if not r.perturbed
                ),
                "",
            ]
        if self.left_out:
            lines += [f"Left out for lack of time: {', '.join(self.left_out)}.", ""]
        if self.certificates:
            lines += [
                "## Certificates",
                "",
                "The largest error, in ulp at the largest entry of the exact column, and theorem "
                "7's bound at the same place. Every entry was held against its own bound.",
                "",
                "| path | metric | dtype | cases | error | bound | where |",
                "| --- | --- | --- | --- | --- | --- | --- |",
                *(
                    f"| {row.path} | {row.metric} | {row.dtype} | {row.count} | "
                    f"{row.largest.error_ulp:.3g} | {row.largest.bound_ulp:.3g} | "
                    f"{row.place} |"
                    for row in self.rows
                ),
                "",
            ]
        return "\n".join(lines)
