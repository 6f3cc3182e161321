"""``cdg train SPEC…``: do the runs of specs that are not done yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console


def train(specs: Sequence[Path], output: Path, *, workers: int | None = None) -> list[Path]:
    """Do every experiment of some specs; return the paths of the records.

    Each experiment has a file of its own in the output folder. Started again, after a kill or
    with more seeds in the spec, it does what is missing. All specs are read before the first run.

    Parameters
    ----------
    specs
        TOML files; see :func:`cdg_torch.lab.train.specs.read_specs`.
    output
        Folder for the JSON lines files.
    workers
        How many processes train; by default one per core, or per GPU.
    """
    from cdg_torch.lab.cli.demo import progress_bar
    from cdg_torch.lab.train.analysis import finding, summarise
    from cdg_torch.lab.train.protocol import conduct
    from cdg_torch.lab.train.specs import read_specs
    from cdg_torch.lab.train.tables import LEGEND, terminal

    console = Console()
    paths = []
    for experiment in read_specs(specs):
        path = output / f"{experiment.name}.jsonl"
        with progress_bar(console, experiment.run_count, experiment.name) as advance:
            records = conduct(experiment, path, workers=workers, on_record=advance)
        rows = summarise(records)
        if rows:
            console.print(terminal(rows, experiment.name))
            console.print(f"[dim]{LEGEND}.", highlight=False)
        else:
            console.print("a search without final runs: cdg report ranks what it found")
        for row in rows:
            if row.comparison is not None:
                console.print(finding(row), highlight=False)
        console.print(f"wrote {path.resolve()}", highlight=False, soft_wrap=True)
        paths.append(path)
    return paths
