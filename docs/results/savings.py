"""Draw the share of SGD's error that each kind of method saves on the eight ordered tasks.

Run from the project's root: python docs/results/savings.py
Reads the records of the main table. Writes savings.png beside this file.
"""

from pathlib import Path

from cdg_torch.lab.drawing import figure_of
from cdg_torch.lab.train import store
from cdg_torch.lab.train.analysis import MethodScore, summarise
from cdg_torch.lab.train.headline import HEADLINE, role_of
from cdg_torch.lab.train.statistics import compare

HERE = Path(__file__).parent
TASKS = {
    "curves": "sparse curves",
    "shoes": "angles of shoes",
    "pitch": "pitch of instruments",
    "digits": "angles of digits",
    "jitter": "angles of shoes, jittered",
    "spectra": "noisy spectra",
    "grey": "grey levels",
    "profiles": "row profiles",
}
# Colours that the colour-blind tell apart; the marks differ too.
LOOKS = {
    "best control": ("0.45", "s"),
    "metric alone": ("#56B4E9", "v"),
    "metric, matched start, decay (full)": ("#0072B2", "o"),
    "best rival (soft targets, penalty, …)": ("#D55E00", "^"),
}


def chosen(rows: list[MethodScore]) -> list[MethodScore]:
    """Return one row for each look, in their order; the best of a role by test score."""
    by_name = {row.method.name: row for row in rows}

    def best(role: str) -> MethodScore:
        return max((row for row in rows if role_of(row) == role), key=lambda row: row.score.mean)

    return [best("control"), by_name["second order"], by_name[HEADLINE], best("rival")]


def main() -> None:
    """Draw the figure, and print its numbers."""
    with figure_of(7, 5, HERE / "savings.png") as figure:
        axes = figure.subplots()
        for place, (task, title) in enumerate(TASKS.items()):
            records = store.read_checked(HERE / "records" / f"ordered-{task}.jsonl").values()
            rows = summarise(records)
            base = next(row for row in rows if row.method.is_baseline)
            for shift, row, (label, (colour, mark)) in zip(
                (-0.24, -0.08, 0.08, 0.24), chosen(rows), LOOKS.items(), strict=True
            ):
                saved = compare(row.scores, base.scores).difference
                share, half = (100 * x / -base.score.mean for x in (saved.mean, saved.half_width))
                axes.errorbar(
                    share, place + shift, xerr=half, color=colour, marker=mark, ms=6, capsize=2,
                    linestyle="none", label=label if place == 0 else None,
                )  # fmt: skip
                print(f"{title}: {row.method.name} {share:.0f} ± {half:.0f} %")
        axes.axvline(0, color="k", linewidth=1)
        axes.set_yticks(range(len(TASKS)), list(TASKS.values()))
        axes.invert_yaxis()
        axes.grid(visible=True, axis="x", alpha=0.3)
        axes.set(xlabel="share of tuned SGD's error that is saved, percent", ylabel="task")
        figure.legend(loc="outside upper center", ncols=2, frameon=False)


if __name__ == "__main__":
    main()
