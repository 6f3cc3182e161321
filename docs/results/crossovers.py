"""Draw where the gain on ordered outputs ends, and tell what the metric adds to its rivals.

Run from the project's root: python docs/results/crossovers.py
Reads the records of the ordered experiments; writes samples.inc, samples.png, rivals.inc and
time.inc beside this file.
"""

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
SAMPLES = {
    "shoes": {100: "size-shoes-100", 300: "cross-shoes", 1000: "size-shoes-1000",
              3000: "size-shoes-3000"},
    "curves": {300: "size-curves-300", 1000: "cross-curves", 3000: "size-curves-3000"},
}  # fmt: skip
PANELS = {
    "shoes": ("Angle of shoes", "mean error, degrees"),
    "curves": ("Sparse curves", "mean squared error, thousandths"),
}
RIVALS = ("pitch", "curves")


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


def draw_samples(path: Path) -> None:
    """Draw errors over the number of training samples, one panel for each task."""
    with figure_of(9, 4, path) as figure:
        panels = figure.subplots(1, len(SAMPLES))
        for axes, (task, records) in zip(panels, SAMPLES.items(), strict=True):
            found = {count: rows_of(name) for count, name in records.items()}
            for method, (colour, line, mark, words) in LOOKS.items():
                own = [rows[method] for rows in found.values()]
                axes.errorbar(
                    list(found), [-row.scale * row.score.mean for row in own],
                    yerr=[row.scale * row.score.half_width for row in own],
                    color=colour, linestyle=line, marker=mark, ms=5, capsize=2, label=words,
                )  # fmt: skip
            axes.set_xscale("log")
            axes.set_xticks(list(found), list(map(str, found)))
            axes.minorticks_off()
            title, words = PANELS[task]
            axes.set(title=title, xlabel="training samples", ylabel=words, ylim=(0, None))
        panels[0].legend()
        figure.suptitle("Error by the number of training samples")


def sample_table() -> str:
    """Return errors and differences by the number of training samples."""
    lines = []
    for task, records in SAMPLES.items():
        found = {count: rows_of(name) for count, name in records.items()}
        gains = {count: against(rows[HEADLINE], rows["SGD"]) for count, rows in found.items()}
        p_values = holm([gain.p_value for gain in gains.values()])
        for (count, rows), p in zip(found.items(), p_values, strict=True):
            scale, base = rows["SGD"].scale, -rows["SGD"].score.mean
            errors = [f"{-scale * rows[method].score.mean:.2f}" for method in LOOKS]
            saved = f"{100 * gains[count].difference.mean / base:.0f} %"
            rival = told(against(rows[HEADLINE], rows[SPREAD]), scale)
            gain = told(gains[count], scale)
            lines.append([task, str(count), *errors, gain, f"{p:.3f}", saved, rival])
    names = ("task", "samples", *LOOKS, "full minus SGD", "p (Holm)", "saved", "full minus spread")
    return ResultTable(names, lines, left=(0,)).markdown()


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
    """Return the full method against others that are given half as many epochs again."""
    lines = []
    for task in SAMPLES:
        full = rows_of(f"cross-{task}")[HEADLINE]
        others = rows_of(f"time-{task}")
        found = {name: against(full, row) for name, row in others.items()}
        p_values = holm([comparison.p_value for comparison in found.values()])
        for (name, row), p in zip(others.items(), p_values, strict=True):
            errors = [f"{-row.scale * score.mean:.2f}" for score in (row.score, full.score)]
            lines.append([task, name, *errors, told(found[name], row.scale), f"{p:.3f}"])
    names = ("task", "method, 12 epochs", "its error", "full, 8 epochs", "full minus it")
    return ResultTable((*names, "p (Holm)"), lines, left=(0, 1)).markdown()


def main() -> None:
    """Write the tables and the figure."""
    draw_samples(HERE / "samples.png")
    for file, text in (
        ("samples.inc", sample_table()),
        ("rivals.inc", rivals_table()),
        ("time.inc", time_table()),
    ):
        (HERE / file).write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
