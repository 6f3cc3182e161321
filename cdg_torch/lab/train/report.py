"""From the files of records to a Markdown report with tables and figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cdg_torch.lab.drawing import HUES, figure_of, headline
from cdg_torch.lab.files import write_text
from cdg_torch.lab.output import ResultTable
from cdg_torch.lab.train import store
from cdg_torch.lab.train.analysis import LEGEND, MethodScore, finding, score_table, summarise
from cdg_torch.lab.train.headline import duel_table, overview
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.plots import draw_training
from cdg_torch.lab.train.protocol import choose_candidates, trials
from cdg_torch.lab.train.statistics import corrected
from cdg_torch.lab.train.titles import short_title, title_of

if TYPE_CHECKING:
    from cdg_torch.lab.train.runs import Record

_STAGES = ("select", "final")

# What pages call the tables of the headline method, by base.
_OVERVIEWS = {
    "sgd": "ordered overview",
    "adam": "ordered overview, Adam",
    "adamw": "ordered overview, AdamW",
}


def draw_differences(rows: Sequence[MethodScore], title: str, path: Path) -> bool:
    """Draw the paired difference of every method to its baseline, one panel per batch size.

    Filled points have intervals without 0, hollow ones cannot be told from the baseline.

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
    with figure_of(3.5 + 3 * len(batches), 1.7 + 0.35 * len(names), path) as figure:
        panels = figure.subplots(1, len(batches), sharey=True, squeeze=False)[0]
        for axes, batch in zip(panels, batches, strict=True):
            for row in (row for row in compared if row.batch == batch):
                assert row.comparison is not None
                interval, place = row.comparison.difference, names.index(row.method.name)
                told = interval.excludes_zero
                axes.errorbar(
                    row.scale * interval.mean,
                    place,
                    xerr=row.scale * interval.half_width,
                    fmt="o" if told else "s",
                    ms=5,
                    color=HUES[1] if told else "#6a6a73",
                    markerfacecolor=None if told else "white",
                )
            axes.axvline(0, color="#1b1b1f", lw=0.8)
            axes.set(title=f"batch {batch}", xlabel="score less the baseline's, points")
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylabel("method")
        panels[0].invert_yaxis()
        figure.supxlabel("filled circles: the 95 % interval excludes 0", fontsize=9)
        headline(figure, title)
    return True


def _bootstrap_line(row: MethodScore) -> str:
    assert row.comparison is not None
    interval = row.comparison.bootstrap
    low, high = row.scale * interval.low, row.scale * interval.high
    return f"{finding(row)} Bootstrap interval: {low:+.2f} to {high:+.2f}."


def _settings(method: Method) -> str:
    """Return a method's name, with what it chose on ordered outputs."""
    if method.ordered is None or method.ordered.is_plain:
        return method.name
    own = method.ordered.as_dict()
    chosen = [f"{key} {value:g}" for key, value in own.items() if type(value) in {int, float}]
    return ", ".join([method.name, *chosen])


def _selection(records: Sequence[Record]) -> str:
    """Return the mean validation score of every method at every learning rate, as Markdown."""
    found: dict[str, dict[float, str]] = defaultdict(dict)
    for tried in trials(records).values():
        for (method, rate), results in tried.items():
            found[_settings(method)][rate] = f"{_validation(results):.4f}"
    rates = sorted({rate for by_rate in found.values() for rate in by_rate})
    rows = [[name, *(by_rate.get(r, "–") for r in rates)] for name, by_rate in found.items()]
    return ResultTable(("method", *(f"{rate:g}" for rate in rates)), rows).markdown()


def _validation(results: Sequence[dict[str, Any]]) -> float:
    return fmean(result["validation"] for result in results)


def _correlation_table(records: Sequence[Record]) -> str:
    """Return what training added to the weights: mean correlation over layers and seeds."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record["run"]["stage"] == "final":
            for row in record["results"]["correlations"]:
                if row["change"] == row["change"]:
                    place = f"{row['direction']}, {row['pairs']}"
                    values[record["run"]["method"]["name"]][place].append(row["change"])
    if not values:
        return ""
    places = [f"{d}, {p}" for d in ("output", "input") for p in ("neighbours", "all")]
    rows = [
        [
            name,
            *(f"{fmean(own[p]):+.3f}" if len(own[p]) > 1 else "–" for p in places),
        ]
        for name, own in values.items()
    ]
    return ResultTable(("method", *places), rows).markdown()


def _setting(records: Sequence[Record]) -> str:
    """Return what was trained, and how much, in one sentence."""
    runs = [record["run"] for record in records]
    first = runs[0]
    options = ", ".join(f"{name} {value}" for name, value in first["options"].items())
    seeds = {s: len({run["seed"] for run in runs if run["stage"] == s}) for s in _STAGES}
    rates = sorted({run["lr"] for run in runs if run["stage"] == "select"})
    compared = f"; compared on {seeds['final']} seeds" if seeds["final"] else ""
    return (
        f"{first['data']}{f' ({options})' if options else ''}, {first['model']}, epochs: "
        f"{first['epochs']}; rates chosen among {', '.join(f'{rate:g}' for rate in rates)} (seeds: "
        f"{seeds['select']}){compared}.\n"
    )


def _reach(rows: Sequence[MethodScore]) -> str:
    """Return how small a p-value these comparisons can give, in one sentence."""
    compared = [row.comparison for row in rows if row.comparison is not None]
    if not compared:
        return ""
    pairs = min(comparison.pairs for comparison in compared)
    smallest = corrected([2.0 ** (1 - pairs)] + [1.0] * (len(compared) - 1))[0]
    return (
        f"Seeds: {pairs}, comparisons: {len(compared)}. One method that differs alone can reach a "
        f"corrected p of {smallest:.4f} at best.\n"
    )


def _ranking(records: Sequence[Record]) -> str:
    """Return methods by their best mean validation score, as Markdown: what a search found."""
    found = trials(records)
    best = {cell: (own[1], found[cell][own]) for cell, own in choose_candidates(records).items()}
    rows = [
        (name, str(batch), f"{rate:g}", f"{_validation(results):.4f}", str(len(results)))
        for (name, batch), (rate, results) in sorted(
            best.items(), key=lambda entry: -_validation(entry[1][1])
        )
    ]
    return ResultTable(("method", "batch", "rate", "validation", "seeds"), rows).markdown()


def _marked(name: str, text: str) -> str:
    """Return text between comments, so that a page can include it by name."""
    return f"<!-- {name} -->\n\n{text}\n<!-- end -->\n"


def _seen(rows: Sequence[MethodScore]) -> str:
    """Return what the figure of differences shows, for readers who do not see it."""
    shown: dict[str, list[str]] = {"above": [], "below": [], "about": []}
    for row in rows:
        if row.comparison is not None:
            interval = row.comparison.difference
            side = "above" if interval.mean > 0 else "below"
            name = f"{row.method.name} (batch {row.batch})"
            shown[side if interval.excludes_zero else "about"].append(name)
    parts = [f"{side} 0: {', '.join(names)}" for side, names in shown.items() if names]
    return f"Differences to the baseline with their intervals; {'; '.join(parts)}"


def _folded(summary: str, text: str) -> str:
    """Return text that opens at a click, on the pages and wherever Markdown is shown."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n</details>\n"


def _section(path: Path, records: Sequence[Record], folder: Path) -> str:
    rows = summarise(records)
    name, title = path.stem, title_of(path, records[0]["run"]["data"])
    parts = [f"## {title}\n", _setting(records)]
    if not rows:
        parts.append("By validation score; the test images were not touched.\n")
        parts.append(_marked(name, _ranking(records)))
        return "\n".join(parts)
    for batch in sorted({row.batch for row in rows}):
        parts.append(f"### Batch {batch}\n")
        table = score_table([row for row in rows if row.batch == batch])
        parts.append(_marked(f"{name} {batch}", table.markdown()))
        if duelled := duel_table([row for row in rows if row.batch == batch]):
            parts.append(_marked(f"{name} headline", duelled.markdown()))
    parts.append(_reach(rows))
    lines = [f"- {_bootstrap_line(row)}" for row in rows if row.comparison is not None]
    parts.append(_marked(f"{name} findings", "\n".join(lines) + "\n"))
    if draw_differences(rows, title, folder / f"{name}-differences.png"):
        parts.append(f"![{_seen(rows)}]({name}-differences.png)\n")
    smallest = min(row.batch for row in rows)
    shown = [record for record in records if record["run"]["batch"] == smallest]
    draw_training(shown, f"{title} (batch {smallest})", folder / f"{name}-training.png")
    added = _correlation_table(shown)
    words = f"{title}: training loss and validation score by epoch"
    words += ", and the correlation along output channels that training added" if added else ""
    parts.append(f"![{words}]({name}-training.png)\n")
    chosen = f"Validation score by learning rate, batch {smallest}"
    parts.append(_folded(chosen, _selection(shown)))
    if added:
        words = "Correlation of what training added to the weights, mean over layers"
        parts.append(_folded(words, added))
    return "\n".join(parts)


def _place(record: Record) -> tuple[object, ...]:
    """Return the sort key of a record, which does not depend on the order of completion."""
    run = record["run"]
    method = run["method"]
    smoothed = "metric" in method or "centralize" in method
    return run["batch"], run["seed"], smoothed, method["name"], run["lr"], run["stage"]


def write_report(files: Sequence[Path], folder: Path) -> Path:
    """Write ``report.md`` and its figures; one section per file of records.

    Raises
    ------
    ValueError
        If a file holds no record, or those of another version; if ``titles.toml`` beside it is
        no table of titles.
    """
    sections, compared = [], []
    for path in sorted(files):
        records = list(store.read_checked(path).values())
        if not records:
            msg = f"{path} holds no record; cdg train makes them"
            raise ValueError(msg)
        records.sort(key=_place)
        sections.append(_section(path, records, folder))
        compared.append((short_title(path, records[0]["run"]["data"]), summarise(records)))
    tables = [
        _marked(name, table.markdown())
        for optimizer, name in _OVERVIEWS.items()
        if (table := overview(compared, optimizer)) is not None
    ]
    if tables:
        sections.append("\n".join(["## Ordered outputs\n", *tables]))
    report = folder / "report.md"
    head = f"# Results\n\nWritten by `cdg report`. {LEGEND[0].upper()}{LEGEND[1:]}.\n\n"
    write_text(report, head + "\n".join(sections))
    return report
