"""From the files of records to a Markdown report with tables and figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cdg_torch.experiments import store
from cdg_torch.experiments.analysis import Row, finding, summarise
from cdg_torch.experiments.plots import HUES, draw_training, figure_of
from cdg_torch.experiments.statistics import mean_interval
from cdg_torch.experiments.tables import LEGEND, markdown
from cdg_torch.files import replacing

if TYPE_CHECKING:
    from cdg_torch.experiments.runs import Record

__all__ = ["draw_differences", "write_report"]


def draw_differences(rows: Sequence[Row], title: str, path: Path) -> bool:
    """Draw the paired difference of every method to its baseline, one panel per batch size.

    Returns
    -------
    bool
        Whether there was anything to draw.
    """
    compared = [row for row in rows if row.comparison is not None]
    if not compared:
        return False
    batches = sorted({row.batch for row in compared})
    names = list(dict.fromkeys(row.method.name for row in compared))
    with figure_of(3 + 3 * len(batches), 1.2 + 0.35 * len(names), path) as figure:
        panels = figure.subplots(1, len(batches), sharey=True, squeeze=False)[0]
        for axes, batch in zip(panels, batches, strict=True):
            for row in (row for row in compared if row.batch == batch):
                assert row.comparison is not None
                interval, place = row.comparison.difference, names.index(row.method.name)
                seeds = sorted(row.scores)
                axes.errorbar(
                    row.scale * interval.mean,
                    place,
                    xerr=row.scale * interval.half_width,
                    fmt="o",
                    ms=4,
                    color=HUES[1] if interval.excludes_zero else "#8a8a93",
                    label=f"{len(seeds)} seeds",
                )
            axes.axvline(0, color="#1b1b1f", lw=0.8)
            axes.set(title=f"batch {batch}", xlabel="difference to baseline")
        panels[0].set_yticks(range(len(names)), names)
        panels[0].invert_yaxis()
        figure.suptitle(title)
    return True


def _bootstrap_line(row: Row) -> str:
    assert row.comparison is not None
    interval = row.comparison.bootstrap
    low, high = row.scale * interval.low, row.scale * interval.high
    return f"{finding(row)} Bootstrap interval: {low:+.2f} to {high:+.2f}."


def _selection(records: Sequence[Record]) -> str:
    """Return the mean validation score of every method at every learning rate, as Markdown."""
    scores: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        run = record["run"]
        if run["stage"] == "select":
            scores[run["method"]["name"]][run["lr"]].append(record["results"]["validation"])
    rates = sorted({rate for by_rate in scores.values() for rate in by_rate})
    lines = [
        "| method | " + " | ".join(f"{rate:g}" for rate in rates) + " |",
        "| --- |" + " ---: |" * len(rates),
    ]
    for name, by_rate in scores.items():
        cells = [
            f"{sum(by_rate[rate]) / len(by_rate[rate]):.4f}" if rate in by_rate else "–"
            for rate in rates
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _correlation_table(records: Sequence[Record]) -> str:
    """Return what training added to the weights: mean correlation over layers and seeds."""
    values: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record["run"]["stage"] == "final":
            for row in record["results"]["correlations"]:
                if row["change"] == row["change"]:
                    place = (row["direction"], row["pairs"])
                    values[record["run"]["method"]["name"]][place].append(row["change"])
    if not values:
        return ""
    places = [(d, p) for d in ("output", "input") for p in ("neighbours", "all")]
    lines = [
        "| method | " + " | ".join(f"{d}, {p}" for d, p in places) + " |",
        "| --- |" + " ---: |" * len(places),
    ]
    for name, by_place in values.items():
        cells = [
            f"{mean_interval(by_place[place]).mean:+.3f}" if len(by_place[place]) > 1 else "–"
            for place in places
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _section(name: str, records: Sequence[Record], folder: Path) -> str:
    rows = summarise(records)
    parts = [f"## {name}\n"]
    if not rows:
        return parts[0] + "\nNo final run yet.\n"
    first = rows[0]
    seeds = max(len(row.scores) for row in rows)
    parts.append(f"{first.data}, {first.model}, {seeds} seeds.\n")
    for batch in sorted({row.batch for row in rows}):
        parts.append(f"### Batch {batch}\n")
        parts.append(markdown([row for row in rows if row.batch == batch]))
    lines = [f"- {_bootstrap_line(row)}" for row in rows if row.comparison is not None]
    parts.append("\n".join(lines) + "\n")
    if draw_differences(rows, name, folder / f"{name}-differences.png"):
        parts.append(f"![Paired differences]({name}-differences.png)\n")
    smallest = min(row.batch for row in rows)
    shown = [record for record in records if record["run"]["batch"] == smallest]
    draw_training(shown, f"{name}, batch {smallest}", folder / f"{name}-training.png")
    parts.append(f"![Learning curves and correlations]({name}-training.png)\n")
    parts.append(f"Validation score by learning rate, batch {smallest}:\n")
    parts.append(_selection(shown))
    if table := _correlation_table(shown):
        parts.append("Correlation of what training added to the weights, mean over layers:\n")
        parts.append(table)
    return "\n".join(parts)


def write_report(files: Sequence[Path], folder: Path) -> Path:
    """Write ``report.md`` and its figures; one section per file of records.

    Raises
    ------
    ValueError
        If a file holds no record.
    """
    sections = []
    for path in sorted(files):
        records = list(store.read(path).values())
        if not records:
            msg = f"{path} holds no record; cdg train makes them"
            raise ValueError(msg)
        # The order of the file is that of completion; that of the report must not be.
        records.sort(key=lambda r: (r["run"]["batch"], r["run"]["seed"]))
        sections.append(_section(path.stem, records, folder))
    report = folder / "report.md"
    head = f"# Results\n\nWritten by `cdg report`. {LEGEND[0].upper()}{LEGEND[1:]}.\n\n"
    with replacing(report) as beside:
        beside.write_text(head + "\n".join(sections), encoding="utf-8")
    return report
