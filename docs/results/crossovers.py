"""Draw where the gain on ordered outputs ends, and tell what the metric adds to its rivals.

Run from the project's root: python docs/results/crossovers.py
Reads the records of the crossovers, the rivals and the longer trainings; writes crossovers.inc,
crossovers-samples.png, crossovers-outputs.png, crossovers-noise.png, rivals.inc and time.inc beside
this file.
"""

from collections.abc import Mapping
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
    SPREAD: ("#D55E00", ":", "^", "with spread targets"),
}
TASKS = {"shoes": "error of shoes' angle, degrees", "curves": "error of curves, thousandths"}
# File, title, label of the axis; then by task what is on it and which records are there.
FIGURES = {
    "samples": (
        "Errors by the number of training samples",
        "training samples",
        {
            "shoes": {100: "size-shoes-100", 300: "cross-shoes", 1000: "size-shoes-1000",
                      3000: "size-shoes-3000"},
            "curves": {300: "size-curves-300", 1000: "cross-curves", 3000: "size-curves-3000"},
        },
    ),
    "outputs": (
        "Errors by the number of outputs",
        "outputs of the network",
        {
            "shoes": {24: "bins-shoes-24", 192: "cross-shoes", 384: "bins-shoes-384"},
            "curves": {16: "bins-curves-16", 64: "cross-curves", 128: "bins-curves-128"},
        },
    ),
    "noise": (
        "Errors by the noise of the training labels",
        "standard deviation of the noise: degrees; percent",
        {
            "shoes": {0: "cross-shoes", 20: "noise-shoes-20", 40: "noise-shoes-40"},
            "curves": {10: "cross-curves", 50: "noise-curves-50", 150: "noise-curves-150"},
        },
    ),
}  # fmt: skip


def rows_of(name: str) -> dict[str, MethodScore]:
    """Return the rows of an experiment by method; none if it was not run."""
    path = HERE / "records" / f"ordered-{name}.jsonl"
    records = store.read_checked(path).values() if path.exists() else []
    return {row.method.name: row for row in summarise(records)}


def against(one: MethodScore, other: MethodScore) -> Comparison:
    """Return one method minus another, paired by seed."""
    return compare(one.scores, other.scores)


def told(comparison: Comparison, scale: float) -> str:
    """Return a difference with its interval."""
    interval = comparison.difference
    return f"{scale * interval.mean:+.2f} ± {scale * interval.half_width:.2f}"


def draw(name: str) -> None:
    """Draw errors over one setting, one panel for each task."""
    title, label, tasks = FIGURES[name]
    with figure_of(9, 3.8, HERE / f"crossovers-{name}.png") as figure:
        panels = figure.subplots(1, len(tasks))
        for axes, (task, settings) in zip(panels, tasks.items(), strict=True):
            for method, (colour, line, mark, words) in LOOKS.items():
                rows = {at: rows_of(record)[method] for at, record in settings.items()}
                axes.errorbar(
                    list(rows),
                    [-row.scale * row.score.mean for row in rows.values()],
                    yerr=[row.scale * row.score.half_width for row in rows.values()],
                    color=colour, linestyle=line, marker=mark, ms=5, capsize=2, label=words,
                )  # fmt: skip
            if name != "noise":
                axes.set_xscale("log")
                axes.set_xticks(list(settings), list(map(str, settings)))
                axes.minorticks_off()
            axes.set(xlabel=label, ylabel=TASKS[task], ylim=(0, None))
        panels[0].legend()
        figure.suptitle(title)


def crossover_table() -> str:
    """Return all errors and differences of the crossovers."""
    lines, p_values = [], []
    for name, (_, _, tasks) in FIGURES.items():
        for task, settings in tasks.items():
            for at, record in settings.items():
                rows = rows_of(record)
                full, base, spread = (rows[m] for m in (HEADLINE, "SGD", SPREAD))
                gain, rival = against(full, base), against(full, spread)
                share = gain.difference.mean / -base.score.mean
                errors = [f"{-row.scale * row.score.mean:.2f}" for row in (base, full, spread)]
                lines.append(
                    [task, name, str(at), *errors, told(gain, full.scale), f"{share:.0%}",
                     told(rival, full.scale)]
                )  # fmt: skip
                p_values.append(gain.p_value)
    for line, p in zip(lines, holm(p_values), strict=True):
        line.insert(8, f"{p:.3f}")
    names = ("task", "what varies", "at", "SGD", "full", "spread", "full minus SGD", "saved")
    return ResultTable((*names, "p (Holm)", "full minus spread"), lines, left=(0, 1)).markdown()


def rivals_table() -> str:
    """Return each rival without and with the metric."""
    lines = []
    for task in ("pitch", "shoes", "curves"):
        rows = rows_of(f"rivals-{task}")
        pairs = [name for name in rows if f"{name}, with the metric" in rows]
        found = {name: against(rows[f"{name}, with the metric"], rows[name]) for name in pairs}
        p_values = holm([comparison.p_value for comparison in found.values()])
        for name, p in zip(pairs, p_values, strict=True):
            own, both = rows[name], rows[f"{name}, with the metric"]
            lines.append(
                [task, name, f"{-own.scale * own.score.mean:.2f}",
                 f"{-own.scale * both.score.mean:.2f}", told(found[name], own.scale), f"{p:.3f}",
                 told(against(both, rows[HEADLINE]), own.scale)]
            )  # fmt: skip
    names = ("task", "rival", "its error", "with the metric", "difference", "p (Holm)")
    return ResultTable((*names, "with it minus full"), lines, left=(0, 1)).markdown()


def time_table() -> str:
    """Return the full method against others that train for as long as it does."""
    lines = []
    for task in ("shoes", "curves"):
        full = rows_of(f"cross-{task}")[HEADLINE]
        others: Mapping[str, MethodScore] = rows_of(f"time-{task}")
        found = {name: against(full, row) for name, row in others.items()}
        p_values = holm([comparison.p_value for comparison in found.values()])
        for (name, row), p in zip(others.items(), p_values, strict=True):
            lines.append(
                [task, name, f"{-row.scale * row.score.mean:.2f}",
                 f"{-full.scale * full.score.mean:.2f}", told(found[name], full.scale), f"{p:.3f}"]
            )  # fmt: skip
    names = ("task", "method, more epochs", "its error", "full", "full minus it", "p (Holm)")
    return ResultTable(names, lines, left=(0, 1)).markdown()


def main() -> None:
    """Write the tables and the figures."""
    for name in FIGURES:
        draw(name)
    for file, text in (
        ("crossovers.inc", crossover_table()),
        ("rivals.inc", rivals_table()),
        ("time.inc", time_table()),
    ):
        (HERE / file).write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
