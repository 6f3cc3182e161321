"""An experiment as data, and the protocol that all experiments follow.

1. *Select*: each method is trained with each learning rate of one grid, on the same few seeds;
   the rate with the best mean validation score is its own. The test images are not looked at. A
   method may have a grid of its own, of rates and of what else it has to choose; then every
   method of the experiment tries equally many candidates.
2. *Final*: each method is trained with its rate on fresh seeds, the same for every method, and
   meets the test images once, when its training is over.

A search has no final stage: it ranks methods by their best validation score, and what it finds is
confirmed by an experiment with seeds of its own.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from cdg_theory.checks import described, finite_number, one_of, whole_number
from cdg_torch.lab.train.cluster import cluster_pool
from cdg_torch.lab.train.data import DATASETS, ORDERED, PACKAGES, check_options
from cdg_torch.lab.train.harness import execute, worker_pool
from cdg_torch.lab.train.methods import Method
from cdg_torch.lab.train.models import MODELS
from cdg_torch.lab.train.runs import Record, Run

Cell = tuple[str, int]
"""A method's name and a batch size: what a learning rate is chosen for."""

Candidate = tuple[Method, float]
"""A method with all its settings, and a learning rate: what is chosen."""

# Seeds of the two stages never meet.
_SELECT_SEEDS_FROM = 10_000


def _rate(value: object) -> float:
    rate = finite_number("rates", value, cure="a learning rate is a number > 0")
    if rate <= 0:
        msg = f"rates must be > 0, got {rate}; a learning rate is a number > 0"
        raise ValueError(msg)
    return rate


def _grid(table: Mapping[str, Any]) -> tuple[Method, tuple[Method, ...], tuple[float, ...]]:
    """Return the first of a method's variants, all of them, and the factors of its rates."""
    if not isinstance(table, Mapping) or not isinstance(table.get("grid"), Mapping):
        if isinstance(table, Mapping) and "grid" in table:
            msg = f"grid must be a table of lists, got {described(table['grid'])}"
            raise TypeError(msg)
        method = Method.parse(table)
        return method, (method,), (1.0,)
    grid = dict(table["grid"])
    if not all(isinstance(values, list) and values for values in grid.values()):
        msg = f"grid must be a table of lists that are not empty, got {described(table['grid'])}"
        raise ValueError(msg)
    factors = tuple(_rate(factor) for factor in grid.pop("factors", [1.0]))
    rest = {key: value for key, value in table.items() if key != "grid"}
    variants = tuple(
        Method.parse(
            rest if not grid else {**rest, "ordered": {**rest.get("ordered", {}), **settings}}
        )
        for settings in (
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        )
    )
    return variants[0], variants, factors


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is trained: one task, one network, several methods, one grid and budget for all.

    ====================  ==============================================================
    field                 meaning
    ====================  ==============================================================
    ``name``              names the files of the results
    ``data, options``     the data set and the arguments of its loader
    ``model``             the network
    ``methods``           the first without a metric is the baseline of its optimizer
    ``rates``             learning rates, the same grid for every method
    ``batches``           batch sizes
    ``epochs``            passes over the training images
    ``select_seeds``      how many seeds choose the learning rate
    ``final_seeds``       how many seeds the comparison is made on; 0 makes it a search
    ``first_seed``        the seed of both stages that the others are counted from
    ``augment``           shift and mirror the training images
    ``grids``             candidates of the methods that have a grid of their own, by name
    ====================  ==============================================================

    Raises
    ------
    ValueError
        If a list is empty, two methods share a name, there is one final seed, or one method has
        more candidates than another.
    """

    name: str
    data: str
    model: str
    methods: tuple[Method, ...]
    rates: tuple[float, ...]
    batches: tuple[int, ...] = (8,)
    epochs: int = 1
    select_seeds: int = 2
    final_seeds: int = 5
    first_seed: int = 0
    augment: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    grids: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("methods", "rates", "batches"):
            if not getattr(self, name):
                msg = f"{name} of experiment {self.name!r} must not be empty"
                raise ValueError(msg)
        names = [method.name for method in self.methods]
        if len(set(names)) < len(names):
            msg = f"methods of experiment {self.name!r} share a name: {names}; rename one"
            raise ValueError(msg)
        if min(self.select_seeds, self.epochs) < 1 or not (
            self.final_seeds == 0 or self.final_seeds >= 2
        ):
            msg = (
                "select_seeds and epochs must be >= 1 and final_seeds 0 or >= 2, got "
                f"{self.select_seeds}, {self.epochs} and {self.final_seeds}"
            )
            raise ValueError(msg)
        counts = {method.name: len(self.candidates(method)) for method in self.methods}
        if len(set(counts.values())) > 1:
            msg = (
                f"methods of experiment {self.name!r} must have equally many candidates, got "
                f"{counts}; lengthen the shorter grids"
            )
            raise ValueError(msg)
        reach = self.first_seed + max(self.select_seeds, self.final_seeds)
        if not 0 <= self.first_seed <= reach <= _SELECT_SEEDS_FROM:
            msg = (
                f"first_seed must be >= 0 and the last seed below {_SELECT_SEEDS_FROM}, got "
                f"{self.first_seed} and {reach - 1}"
            )
            raise ValueError(msg)

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Experiment:
        """Return the experiment that a table of plain values describes.

        Raises
        ------
        TypeError
            If a value is of the wrong type.
        ValueError
            If a key is unknown, missing, or a value is none of the choices.
        """
        known = {entry.name for entry in fields(cls)} - {"grids"}
        unknown = sorted(set(table) - known)
        missing = sorted({"name", "data", "model", "methods", "rates"} - set(table))
        if unknown or missing:
            msg = (
                f"keys of an experiment: unknown {unknown}, missing {missing}; known are "
                f"{', '.join(sorted(known))}"
            )
            raise ValueError(msg)
        values = dict(table)
        name = values["name"]
        # It names files, and they lie in the folder for results.
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w .+-]*", name):
            msg = (
                "name must be a word that can name a file: letters, digits, spaces, and -, _, . "
                f"or + after the first; got {described(name)}"
            )
            raise ValueError(msg)
        one_of("data", values["data"], (*DATASETS, *ORDERED))
        ordered = values["data"] in ORDERED
        one_of("model", values["model"], ("perceptron",) if ordered else (*MODELS, "dcgan"))
        for key in ("methods", "rates", "batches"):
            if not isinstance(values.get(key, []), list | tuple):
                msg = f"{key} must be a list, got {described(values[key])}"
                raise TypeError(msg)
        for key, least in (
            ("epochs", 1),
            ("select_seeds", 1),
            ("final_seeds", 0),
            ("first_seed", 0),
        ):
            if key in values:
                whole_number(key, values[key], least=least)
        if not isinstance(values.get("augment", False), bool):
            msg = f"augment must be true or false, got {described(values['augment'])}"
            raise TypeError(msg)
        if not isinstance(values.get("options", {}), Mapping):
            msg = f"options must be a table, got {described(values['options'])}"
            raise TypeError(msg)
        check_options(values["data"], values.get("options", {}))
        values["rates"] = tuple(_rate(rate) for rate in values["rates"])
        parsed = [_grid(method) for method in values["methods"]]
        values["methods"] = tuple(method for method, _, _ in parsed)
        values["grids"] = {
            method.name: tuple(
                (variant, rate * factor)
                for variant, rate, factor in itertools.product(variants, values["rates"], factors)
            )
            for method, variants, factors in parsed
        }
        if "batches" in values:
            values["batches"] = tuple(
                whole_number("batches", batch, least=1) for batch in values["batches"]
            )
        return cls(**values)

    def _run(self, method: Method, batch: int, rate: float, seed: int, stage: str) -> Run:
        return Run(
            data=self.data,
            options=self.options,
            model=self.model,
            method=method,
            lr=rate,
            seed=seed,
            batch=batch,
            epochs=self.epochs,
            augment=self.augment,
            stage=stage,
        )

    @property
    def packages(self) -> set[str]:
        """The optional packages that its runs import."""
        judged = set() if self.model in {"dcgan", "perceptron"} else {"torchmetrics"}
        return judged | PACKAGES.get(self.data, set())

    def candidates(self, method: Method) -> tuple[Candidate, ...]:
        """Return what a method chooses from."""
        return self.grids.get(method.name) or tuple((method, rate) for rate in self.rates)

    def select_runs(self) -> list[Run]:
        """Return the runs that choose the learning rates."""
        first = _SELECT_SEEDS_FROM + self.first_seed
        seeds = range(first, first + self.select_seeds)
        return [
            self._run(variant, batch, rate, seed, "select")
            for seed, batch, method in itertools.product(seeds, self.batches, self.methods)
            for variant, rate in self.candidates(method)
        ]

    def final_runs(self, chosen: Mapping[Cell, Candidate]) -> list[Run]:
        """Return the runs that the comparison is made on."""
        return [
            self._run(variant, batch, rate, seed, "final")
            for seed, batch, method in itertools.product(
                range(self.first_seed, self.first_seed + self.final_seeds),
                self.batches,
                self.methods,
            )
            for variant, rate in [chosen[method.name, batch]]
        ]

    @property
    def run_count(self) -> int:
        """How many runs there are in both stages."""
        tried = len(self.candidates(self.methods[0])) * self.select_seeds
        return len(self.methods) * len(self.batches) * (tried + self.final_seeds)


def trials(
    records: Iterable[Record],
) -> dict[Cell, dict[Candidate, list[dict[str, Any]]]]:
    """Return the results of the runs that choose, by method and batch, by candidate."""
    found: dict[Cell, dict[Candidate, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in records:
        run = record["run"]
        if run["stage"] == "select":
            candidate = Method.parse(run["method"]), run["lr"]
            found[run["method"]["name"], run["batch"]][candidate].append(record["results"])
    return found


def choose_candidates(records: Iterable[Record]) -> dict[Cell, Candidate]:
    """Return the candidate of each method and batch: best mean validation score.

    Equal scores are told apart by the validation loss, NaN being the worst.
    """

    def merit(results: list[dict[str, Any]]) -> tuple[float, float]:
        loss = fmean(result["curve"][-1]["loss"] for result in results)
        score = fmean(result["validation"] for result in results)
        return score, -loss if loss == loss else float("-inf")

    return {
        cell: max(tried, key=lambda candidate: merit(tried[candidate]))
        for cell, tried in trials(records).items()
    }


def conduct(
    experiment: Experiment,
    path: Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    on_record: Callable[[Record], None] | None = None,
    on_shared: Callable[[], None] | None = None,
) -> list[Record]:
    """Do both stages; return all records in the order of the experiment, not of completion.

    Records that ``path`` holds already are taken from there: after a kill, the same call goes on.
    Two such calls at a time share the work, see :func:`~cdg_torch.lab.train.harness.execute`.
    Runs are done by ``workers`` processes here, or by the Dask ``cluster`` at an address.
    """
    select = experiment.select_runs()
    with cluster_pool(cluster) if cluster else worker_pool(workers) as pool:
        do = partial(execute, path=path, pool=pool, on_record=on_record, on_shared=on_shared)
        chosen = do(select)
        records = do(final := experiment.final_runs(choose_candidates(chosen.values())))
    return [chosen[run.key] for run in select] + [records[run.key] for run in final]
