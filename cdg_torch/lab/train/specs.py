"""Experiments declared in small TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cdg_theory.checks import described
from cdg_torch.lab.train.protocol import Experiment


def _experiments(table: dict[str, Any]) -> list[Experiment]:
    several = table.pop("experiment", [{}])
    if not isinstance(several, list) or not all(isinstance(one, dict) for one in several):
        msg = f"experiment must be tables, [[experiment]], got {described(several)}"
        raise TypeError(msg)
    return [Experiment.parse({**table, **one}) for one in several]


def read_spec(path: Path) -> list[Experiment]:
    """Return the experiments of a spec.

    Keys are those of :class:`~cdg_torch.lab.train.protocol.Experiment`, with ``[[methods]]``
    as tables of :class:`~cdg_torch.lab.train.methods.Method`; a file may hold several, as
    ``[[experiment]]`` tables, whose missing keys are taken from the top of the file::

        rates = [0.01, 0.1]
        model = "small-cnn"

        [[methods]]
        name = "SGD"

        [[methods]]
        name = "H⁰ 4"
        metric = { fluctuation = 4.0 }

        [[experiment]]
        name = "digits"
        data = "digits"

        [[experiment]]
        name = "fashion"
        data = "fashion"
        options = { train = 5000, validation = 2000 }

    Raises
    ------
    ValueError
        If the file is not TOML, or an experiment is not complete.
    """
    with path.open("rb") as file:
        try:
            table = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            msg = f"{path} is not a TOML file: {error}"
            raise ValueError(msg) from error
        except UnicodeDecodeError as error:
            msg = f"{path} is not a TOML file: it is not text in UTF-8 ({error})"
            raise ValueError(msg) from error
    try:
        return _experiments(table)
    except (TypeError, ValueError) as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from error


def read_specs(paths: Sequence[Path]) -> list[Experiment]:
    """Return the experiments of several specs; each names a file of records, so names differ.

    Raises
    ------
    ValueError
        As :func:`read_spec`, or if two experiments share a name.
    """
    experiments = [experiment for path in paths for experiment in read_spec(path)]
    names = [experiment.name for experiment in experiments]
    if len(set(names)) < len(names):
        msg = f"experiments of {', '.join(map(str, paths))} share a name: {names}; rename one"
        raise ValueError(msg)
    return experiments
