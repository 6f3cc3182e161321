"""Draw where the gain on ordered outputs ends, and tell what the metric adds to its rivals.

Run from the project's root: python docs/results/crossovers.py
Reads the records of the ordered experiments. Writes beside this file a table and a figure for each
thing that was varied (samples, outputs, label_noise), rivals.inc and time.inc.
"""

from dataclasses import dataclass
from pathlib import Path

from cdg_torch.lab.drawing import figure_of
from cdg_torch.lab.output import ResultTable
from cdg_torch.lab.train import store
from cdg_torch.lab.train.analysis import MethodScore, summarise
from cdg_torch.lab.train.headline import HEADLINE
from cdg_torch.lab.train.statistics import Comparison, compare, holm

HERE = Path(__file__).parent
SPREAD = "spread targets"
# Okabe and Ito's colours, which colour-blind readers tell apart; lines and marks differ too.
LOOKS = {
    "SGD": ("#000000", "-", "o", "SGD"),
    HEADLINE: ("#0072B2", "--", "s", "with the metric (full)"),
    SPREAD: ("#D55E00", ":", "^", "with soft targets"),
}


@dataclass(frozen=True)
class Crossover:
    """What is varied: records by task and number, what the numbers are, and how they are drawn."""

    file: str
    column: str
    title: str
    labels: dict[str, str]
    records: dict[str, dict[int, str]]
    scale: str = "log"


SAMPLES = Crossover(
    "samples",
    "samples",
    "Error by the number of training samples",
    dict.fromkeys(("shoes", "curves"), "training samples"),
    {
        "shoes": {100: "size-shoes-100", 300: "cross-shoes", 1000: "size-shoes-1000",
                  3000: "size-shoes-3000"},
        "curves": {300: "size-curves-300", 1000: "cross-curves", 3000: "size-curves-3000"},
    },
)  # fmt: skip
OUTPUTS = Crossover(
    "outputs",
    "outputs",
    "Error by the number of outputs",
    {"shoes": "bins", "curves": "points"},
    {
        "shoes": {24: "bins-shoes-24", 192: "cross-shoes", 384: "bins-shoes-384"},
        "curves": {16: "bins-curves-16", 64: "cross-curves", 128: "bins-curves-128"},
    },
)
NOISE = Crossover(
    "label_noise",
    "noise",
    "Error by the noise of the training labels",
    {"shoes": "noise of labels, degrees", "curves": "noise of the point seen, percent"},
    {
        "shoes": {0: "cross-shoes", 20: "noise-shoes-20", 40: "noise-shoes-40"},
        "curves": {10: "cross-curves", 50: "noise-curves-50", 150: "noise-curves-150"},
    },
    scale="linear",
)
PANELS = {
    "shoes": ("Angle of shoes", "mean error, degrees"),
    "curves": ("Sparse curves", "mean squared error, thousandths"),
}
RIVALS = ("shoes", "jitter", "digits", "pitch", "curves")


def rows_of(name: str) -> dict[str, MethodScore]:
    """Return the rows of an experiment by method."""
    records = store.read_checked(HERE / "records" / f"ordered-{name}.jsonl").values()
    return {row.method.name: row for row in summarise(records)}


def against(one: MethodScore, other: MethodScore) -> Comparison:
    """Return one method minus another, paired by seed."""
    return compare(one.scores, other.scores)


def told(comparison: Comparison, scale: float) -> str:
    """Return a difference with its interval."""
    interval = comparison.difference
    return f"{scale * interval.mean:+.2f} ± {scale * interval.half_width:.2f}"


def draw(crossover: Crossover) -> None:
    """Draw errors over what is varied, one panel for each task."""
    with figure_of(9, 4, HERE / f"{crossover.file}.png") as figure:
        panels = figure.subplots(1, len(crossover.records))
        for axes, (task, records) in zip(panels, crossover.records.items(), strict=True):
            found = {number: rows_of(name) for number, name in records.items()}
            for method, (colour, line, mark, words) in LOOKS.items():
                own = [rows[method] for rows in found.values()]
                axes.errorbar(
                    list(found), [-row.scale * row.score.mean for row in own],
                    yerr=[row.scale * row.score.half_width for row in own],
                    color=colour, linestyle=line, marker=mark, ms=5, capsize=2, label=words,
                )  # fmt: skip
            axes.set_xscale(crossover.scale)
            axes.set_xticks(list(found), list(map(str, found)))
            axes.minorticks_off()
            title, words = PANELS[task]
            axes.set(title=title, xlabel=crossover.labels[task], ylabel=words, ylim=(0, None))
        panels[0].legend()
        figure.suptitle(crossover.title)


def crossover_table(crossover: Crossover) -> str:
    """Return errors and differences by what is varied."""
    lines = []
    for task, records in crossover.records.items():
        found = {number: rows_of(name) for number, name in records.items()}
        gains = {number: against(rows[HEADLINE], rows["SGD"]) for number, rows in found.items()}
        p_values = holm([gain.p_value for gain in gains.values()])
        for (number, rows), p in zip(found.items(), p_values, strict=True):
            scale, base = rows["SGD"].scale, -rows["SGD"].score.mean
            errors = [f"{-scale * rows[method].score.mean:.2f}" for method in LOOKS]
            saved = f"{100 * gains[number].difference.mean / base:.0f} %"
            rival = told(against(rows[HEADLINE], rows[SPREAD]), scale)
            gain = told(gains[number], scale)
            lines.append([task, str(number), *errors, gain, f"{p:.3f}", saved, rival])
    names = ("task", crossover.column, *LOOKS, "full minus SGD", "p (Holm)", "saved")
    return ResultTable((*names, "full minus spread"), lines, left=(0,)).markdown()


def rivals_table() -> str:
    """Return each rival without and with the metric."""
    lines = []
    for task in RIVALS:
        rows = rows_of(f"rivals-{task}")
        pairs = [name for name in rows if f"{name}, with the metric" in rows]
        found = {name: against(rows[f"{name}, with the metric"], rows[name]) for name in pairs}
        p_values = holm([comparison.p_value for comparison in found.values()])
        for name, p in zip(pairs, p_values, strict=True):
            own, both = rows[name], rows[f"{name}, with the metric"]
            errors = [f"{-own.scale * row.score.mean:.2f}" for row in (own, both)]
            lines.append(
                [task, name, *errors, told(found[name], own.scale), f"{p:.3f}",
                 told(against(both, rows[HEADLINE]), own.scale)]
            )  # fmt: skip
    names = ("task", "rival", "its error", "with the metric", "difference", "p (Holm)")
    return ResultTable((*names, "with it minus full"), lines, left=(0, 1)).markdown()


def time_table() -> str:
    """Return the full method, 8 epochs, against others that are given as much time as it takes."""
    lines = []
    for task in SAMPLES.records:
        full = rows_of(f"cross-{task}")[HEADLINE]
        others = [(row, "12") for row in rows_of(f"time-{task}").values()]
        others += [(row, "4") for row in rows_of(f"time-penalty-{task}").values()]
        found = [against(full, row) for row, _ in others]
        p_values = holm([comparison.p_value for comparison in found])
        for (row, epochs), comparison, p in zip(others, found, p_values, strict=True):
            errors = [f"{-row.scale * score.mean:.2f}" for score in (row.score, full.score)]
            gain = told(comparison, row.scale)
            lines.append([task, row.method.name, epochs, *errors, gain, f"{p:.3f}"])
    names = ("task", "method", "epochs", "its error", "full, 8 epochs", "full minus it")
    return ResultTable((*names, "p (Holm)"), lines, left=(0, 1)).markdown()


def main() -> None:
    """Write the tables and the figures."""
    tables = {"rivals": rivals_table(), "time": time_table()}
    for crossover in (SAMPLES, OUTPUTS, NOISE):
        draw(crossover)
        tables[crossover.file] = crossover_table(crossover)
    for file, text in tables.items():
        (HERE / f"{file}.inc").write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
