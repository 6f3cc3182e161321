"""``cdg verify``: all theorems, and all torch paths against exact arithmetic, on the terminal."""

from __future__ import annotations

import os
import time
from itertools import groupby, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdg_theory import ledger
from cdg_torch.lab.files import check_writable, write_text
from cdg_torch.lab.output import ResultTable, Terminal, progress_bar, say_written

if TYPE_CHECKING:
    from rich.progress import Progress

    from cdg_torch.lab.verify import Verification

#: A quick run starts no further theorem after this many seconds.
QUICK_SECONDS = 6.0


def _run_theorems(found: Verification, progress: Progress, *, quick: bool, deadline: float) -> None:
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
            found.left_out.append(theorem.id)
            continue
        what = f"{theorem.id}{' perturbed' if perturbed else ''}"
        progress.update(task, description=f"theorems: {what}")
        found.theorems += ledger.run([theorem.id], perturbed=perturbed)
        progress.advance(task)
    progress.update(task, description="theorems", completed=len(found.theorems))


def _run_certificates(found: Verification, progress: Progress, *, quick: bool) -> None:
    from cdg_torch.lab.verify import cases, run_cases

    chosen = cases(quick=quick)
    task = progress.add_task("certificates", total=len(chosen))
    for result in run_cases(chosen):
        found.certificates.append(result)
        case = result.case
        progress.update(
            task, advance=1, description=f"certificates: {case.path}, {case.metric}, n = {case.n}"
        )
    progress.update(task, description="certificates")


def _theorem_table(found: Verification) -> ResultTable:
    """Return one row per theorem of the ledger: how many statements, of which kinds."""
    numbers = {theorem.id: theorem.number for theorem in ledger.theorems()}
    rows = []
    for number in sorted({numbers[result.id] for result in found.theorems}):
        results = [result for result in found.theorems if numbers[result.id] == number]
        straight = [result for result in results if not result.perturbed]
        bent = [result for result in results if result.perturbed]
        cells = (
            str(number),
            str(len(straight)),
            str(sum(result.holds for result in straight)),
            f"{sum(not result.holds for result in bent)} of {len(bent)}" if bent else "not run",
            ", ".join(sorted({result.kind for result in straight})),
            f"{sum(result.seconds for result in results):.1f}",
        )
        rows.append(cells)
    names = ("theorem", "statements", "hold", "perturbed, refused", "checked how", "seconds")
    return ResultTable(names, rows, "Theorems", left=(0, 4))


def _certificate_table(found: Verification, path: str) -> ResultTable:
    """Return one row per metric and one column per dtype: largest error, largest share."""
    groups = {(g.metric, g.dtype): g for g in found.groups if g.path == path}
    metrics, dtypes = (list(dict.fromkeys(names)) for names in zip(*groups, strict=True))
    rows = []
    for metric in metrics:
        own = {dtype: groups[metric, dtype] for dtype in dtypes if (metric, dtype) in groups}
        cells = [metric, str(sum(len(group.results) for group in own.values()))]
        for dtype in dtypes:
            cell = own[dtype].errors if dtype in own else ""
            holds = dtype not in own or own[dtype].holds
            cells.append(cell if holds else f"{cell} FAILS")
        rows.append(cells)
    title = f"{path}: largest error, in ulp of the largest entry | largest share of its bound"
    return ResultTable(("metric", "cases", *dtypes), rows, title)


def _formal(console: Terminal) -> bool:
    """Have Coq's kernel check the formal proofs, and show what they assume."""
    from cdg_theory.formal.kernel import FILES, NotChecked, check_proofs

    start = time.perf_counter()
    with progress_bar(console) as progress:
        # The files, the drawn values, the assumptions, the second check.
        task = progress.add_task("formal proofs", total=len(FILES) + 4)

        def tell(file: str) -> None:
            progress.update(task, advance=1, description=f"formal proofs: {file}")

        try:
            report = check_proofs(tell)
        except NotChecked as refusal:
            console.print(f"FAILED {refusal}", style="red", soft_wrap=True)
            return False
    ids = {name: theorem.id for theorem in ledger.theorems() for name in theorem.formal}
    rows = [
        (
            t.name,
            ids[t.name.removesuffix("_refuted")],
            ", ".join(t.axioms) or "closed under the global context",
        )
        for t in report.theorems
    ]
    names = ("theorem of Coq", "in the ledger", "assumptions")
    console.print(ResultTable(names, rows, "Checked by Coq's kernel", left=(0, 1, 2)))
    found = f"{len(rows)} theorems, {report.values} values computed alike, coqchk"
    verdict, style = (
        ("Everything holds", "green") if report.holds else ("Verification failed", "red")
    )
    seconds = time.perf_counter() - start
    console.print(f"{verdict}: Coq {report.version}, {found} in {seconds:.0f} s.", style=style)
    return report.holds


def verify(
    quick: Annotated[bool, typer.Option("--quick", help="A few of each, under 20 s.")] = False,
    theory: Annotated[bool, typer.Option("--theory", help="Only the theorems.")] = False,
    formal: Annotated[
        bool, typer.Option("--formal", help="Only the formal proofs; needs Coq; a minute or two.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write everything as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a Markdown report.")] = None,
) -> bool:
    """Check every theorem, and every torch path against exact arithmetic."""
    if formal:
        if quick or theory or json or markdown:
            msg = "--formal stands alone: it checks the formal proofs and writes no report"
            raise typer.BadParameter(msg)
        return _formal(Terminal())
    import torch

    from cdg_torch.lab.verify import Verification
    from cdg_torch.lab.verify.paths import PATHS

    console = Terminal()
    check_writable(*(path for path in (json, markdown) if path is not None))
    if not quick and not torch.cuda.is_available():
        # Read when a Triton kernel is defined: its logic can be checked without a device.
        os.environ.setdefault("TRITON_INTERPRET", "1")
    found = Verification()
    start = time.perf_counter()
    with progress_bar(console) as progress:
        if not theory:
            _run_certificates(found, progress, quick=quick)
        # However slow the machine, some theorems are checked.
        deadline = max(start + QUICK_SECONDS, time.perf_counter() + QUICK_SECONDS / 3)
        _run_theorems(found, progress, quick=quick, deadline=deadline)
    console.print(_theorem_table(found))
    if found.left_out:
        console.print(
            f"{len(found.left_out)} more theorems and all perturbed statements need the full "
            "run, cdg verify without --quick."
        )
    for name in dict.fromkeys(group.path for group in found.groups):
        console.print(_certificate_table(found, name))
    for path in PATHS.values():
        if not theory and (reason := path.missing()):
            console.print(f"Not run here: the path {path.name!r}, {reason}.")
    for line in found.failures:
        console.print(f"FAILED {line}", style="red", soft_wrap=True)
    for file, text in ((json, found.to_json), (markdown, found.to_markdown)):
        if file is not None:
            write_text(file, text())
            say_written(console, file)
    checked = f"{len(found.theorems)} statements and {len(found.certificates)} certificates"
    seconds = time.perf_counter() - start
    verdict, style = (
        ("Everything holds", "green") if found.holds else ("Verification failed", "red")
    )
    console.print(f"{verdict}: {checked} in {seconds:.0f} s.", style=style)
    return found.holds
