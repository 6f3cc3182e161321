r"""The results of a verification: the verdict, tables, JSON and Markdown."""

from __future__ import annotations

import json
import platform
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

import cdg_theory
from cdg_torch.lab.output import ResultTable

if TYPE_CHECKING:
    from cdg_theory.certificates import Finding
    from cdg_theory.ledger import Result
    from cdg_torch.lab.verify.matrix import Case, CaseResult


_SAID = ("id", "statement", "kind", "holds", "seconds", "perturbed")


@dataclass(frozen=True, slots=True)
class CaseGroup:
    """All certificates of one path, metric and dtype."""

    path: str
    metric: str
    dtype: str
    results: tuple[CaseResult, ...]

    @property
    def holds(self) -> bool:
        """Whether all of them hold."""
        return all(result.holds for result in self.results)

    @property
    def nearest(self) -> tuple[Case, Finding]:
        """The case and finding whose error is the largest fraction of its bound."""
        findings = ((result.case, result.certificate.worst) for result in self.results)
        return max(findings, key=lambda entry: entry[1].share)

    @property
    def max_ulp(self) -> float:
        """The largest error, in ulp at the largest entry of its exact column."""
        return max(result.certificate.max_ulp for result in self.results)

    @property
    def errors(self) -> str:
        """The largest error, in ulp, and the largest share of its bound that any error is."""
        return f"{self.max_ulp:.1f} | {self.nearest[1].share:.0%}"


@dataclass(slots=True)
class Verification:
    """The results of a verification, in the order in which they came.

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
    def groups(self) -> list[CaseGroup]:
        """The certificates by path, metric and dtype, in the order in which they ran."""
        grouped: dict[tuple[str, str, str], list[CaseResult]] = defaultdict(list)
        for result in self.certificates:
            grouped[result.case.path, result.case.metric, result.case.dtype].append(result)
        keys = sorted(grouped, key=lambda key: key[0])
        return [CaseGroup(*key, tuple(grouped[key])) for key in keys]

    def to_json(self) -> str:
        """Return everything as JSON, certificates as ``Certificate.from_json`` reads them."""
        content: dict[str, Any] = {
            "version": cdg_theory.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "holds": self.holds,
            "failures": self.failures,
            "theorems": [{name: getattr(r, name) for name in _SAID} for r in self.theorems],
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
        """Return the report as Markdown."""
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
            lines += ["## Theorems", "", self._theorem_table().markdown()]
        if self.left_out:
            lines += [f"Left out for lack of time: {', '.join(self.left_out)}.", ""]
        if self.certificates:
            lines += [
                "## Certificates",
                "",
                "The largest error, in ulp at the largest entry of the exact column; then error "
                "and theorem 7's bound where the error is the largest fraction of its bound. Every "
                "entry was held against its own bound.",
                "",
                self._certificate_table().markdown(),
            ]
        return "\n".join(lines)

    def _theorem_table(self) -> ResultTable:
        refused = {r.id: "no" if r.holds else "yes" for r in self.theorems if r.perturbed}
        rows = [
            (
                r.id,
                r.kind,
                "yes" if r.holds else "**no**",
                refused.get(r.id, "not run"),
                f"{r.seconds:.2f}",
            )
            for r in self.theorems
            if not r.perturbed
        ]
        names = ("theorem", "kind", "holds", "perturbed statement refused", "seconds")
        return ResultTable(names, rows, left=range(4))

    def _certificate_table(self) -> ResultTable:
        rows = []
        for group in self.groups:
            case, finding = group.nearest
            cells = (
                group.path,
                group.metric,
                group.dtype,
                str(len(group.results)),
                f"{group.max_ulp:.3g}",
                f"{finding.error_ulp:.3g}",
                f"{finding.bound_ulp:.3g}",
                f"n = {case.n}, {case.layout}, {finding.kind}, row {finding.row}",
            )
            rows.append(cells)
        names = ("path", "metric", "dtype", "cases", "largest", "error", "bound", "where")
        return ResultTable(names, rows, left=(0, 1, 2, 7))
