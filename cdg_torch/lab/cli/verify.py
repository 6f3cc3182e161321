"""``cdg verify``: all theorems, and all torch paths against exact arithmetic, on the terminal."""

from __future__ import annotations

import os
import time
from itertools import groupby, zip_longest
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cdg_theory import ledger
from cdg_torch.lab.files import replacing
from cdg_torch.lab.verify import Report, cases, run_cases
from cdg_torch.lab.verify.paths import PATHS

#: A quick run starts no further theorem after this many seconds.
QUICK_SECONDS = 10.0


def _run_theorems(report: Report, progress: Progress, *, quick: bool, deadline: float) -> None:
    """Run the ledger, and the perturbed statements; a quick run does what its time allows."""
    if quick:
        # The first statement of every theorem, then the second of every theorem, and so on.
        grouped = [list(group) for _, group in groupby(ledger.theorems(), lambda t: t.number)]
        rounds = zip_longest(*grouped)
        jobs = [(theorem, False) for statements in rounds for theorem in statements if theorem]
    else:
        jobs = [(theorem, bent) for bent in (False, True) for theorem in ledger.theorems()]
    task = progress.add_task("theorems", total=len(jobs))
    for theorem, perturbed in jobs:
        if quick and time.perf_counter() > deadline:
            report.left_out.append(theorem.id)
            continue
        what = f"{theorem.id}{' perturbed' if perturbed else ''}"
        progress.update(task, description=f"theorems: {what}")
        report.theorems += ledger.run([theorem.id], perturbed=perturbed)
        progress.advance(task)
    progress.update(task, description="theorems", completed=len(report.theorems))


def _run_certificates(report: Report, progress: Progress, *, quick: bool) -> None:
    chosen = cases(quick=quick)
    task = progress.add_task("certificates", total=len(chosen))
    for result in run_cases(chosen):
        report.certificates.append(result)
        case = result.case
        progress.update(
            task, advance=1, description=f"certificates: {case.path}, {case.metric}, n = {case.n}"
        )
    progress.update(task, description="certificates")


def theorem_table(report: Report) -> Table:
    """Return one row per theorem of the ledger: how many statements, of which kinds."""
    table = Table(title="Theorems", title_justify="left")
    for name in ("theorem", "statements", "hold"):
        table.add_column(name, justify="left" if name == "theorem" else "right")
    table.add_column("perturbed, refused", justify="right")
    table.add_column("checked how")
    table.add_column("seconds", justify="right")
    by_number: dict[int, list[ledger.Result]] = {}
    numbers = {theorem.id: theorem.number for theorem in ledger.theorems()}
    for result in report.theorems:
        by_number.setdefault(numbers[result.id], []).append(result)
    for number, results in sorted(by_number.items()):
        straight = [result for result in results if not result.perturbed]
        bent = [result for result in results if result.perturbed]
        kinds = sorted({result.kind for result in straight})
        table.add_row(
            str(number),
            str(len(straight)),
            str(sum(result.holds for result in straight)),
            f"{sum(not result.holds for result in bent)} of {len(bent)}" if bent else "not run",
            ", ".join(kinds),
            f"{sum(result.seconds for result in results):.1f}",
        )
    return table


def certificate_table(report: Report, path: str) -> Table:
    """Return one row per metric and one column per dtype: the largest error, and its bound."""
    rows = [row for row in report.rows if row.path == path]
    dtypes = list(dict.fromkeys(row.dtype for row in rows))
    table = Table(
        title=f"{path}: largest error | its bound, in ulp of the largest entry",
        title_justify="left",
    )
    table.add_column("metric")
    table.add_column("cases", justify="right")
    for dtype in dtypes:
        table.add_column(dtype, justify="right")
    for metric in dict.fromkeys(row.metric for row in rows):
        of_metric = {row.dtype: row for row in rows if row.metric == metric}
        cells = []
        for dtype in dtypes:
            row = of_metric.get(dtype)
            if row is None:
                cells.append("")
                continue
            finding = row.largest
            cell = f"{finding.error_ulp:.2g} | {finding.bound_ulp:.2g}"
            cells.append(cell if row.holds else f"[bold red]{cell} FAILS[/]")
        table.add_row(metric, str(sum(row.count for row in of_metric.values())), *cells)
    return table


def verify(
    *,
    quick: bool = False,
    theory: bool = False,
    json: Path | None = None,
    markdown: Path | None = None,
    console: Console | None = None,
) -> bool:
    """Run the verification, show it, write what was asked for; return whether everything held.

    Parameters
    ----------
    quick
        A few cases of each kind, and as many theorems as fit in the time.
    theory
        Only the theorems.
    json, markdown
        Where to write the report, if anywhere.
    console
        Where to print.
    """
    console = console or Console()
    if not quick and not torch.cuda.is_available():
        # Read when a Triton kernel is defined: its logic can be checked without a device.
        os.environ.setdefault("TRITON_INTERPRET", "1")
    report = Report()
    start = time.perf_counter()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        if not theory:
            _run_certificates(report, progress, quick=quick)
        # However slow the machine, some theorems are checked.
        deadline = max(start + QUICK_SECONDS, time.perf_counter() + QUICK_SECONDS / 3)
        _run_theorems(report, progress, quick=quick, deadline=deadline)
    console.print(theorem_table(report))
    if report.left_out:
        console.print(
            f"{len(report.left_out)} more theorems and all perturbed statements need the full "
            "run, cdg verify without --quick."
        )
    for name in dict.fromkeys(row.path for row in report.rows):
        console.print(certificate_table(report, name))
    for path in PATHS.values():
        if not theory and (reason := path.missing()):
            console.print(f"Not run here: the path {path.name!r}, {reason}.", highlight=False)
    for line in report.failures:
        console.print(f"[bold red]FAILED[/] {line}", highlight=False, soft_wrap=True)
    for file, text in ((json, report.to_json), (markdown, report.to_markdown)):
        if file is not None:
            with replacing(file) as beside:
                beside.write_text(text(), encoding="utf-8")
            console.print(f"wrote {file.resolve()}", highlight=False, soft_wrap=True)
    checked = f"{len(report.theorems)} statements and {len(report.certificates)} certificates"
    seconds = time.perf_counter() - start
    verdict = "[green]Everything holds[/]" if report.holds else "[bold red]Verification failed[/]"
    console.print(f"{verdict}: {checked} in {seconds:.0f} s.", highlight=False)
    return report.holds
