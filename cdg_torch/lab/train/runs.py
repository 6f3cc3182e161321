"""One training run as data: everything that decides its outcome, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdg_theory.checks import described
from cdg_torch.lab.train.methods import Method

Record = dict[str, Any]
"""What a run leaves: ``key``, ``run``, ``results`` (repeatable), ``timing`` (of this machine)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training: data, network, method, learning rate, batch, length, seed, stage.

    Two stages: ``"select"`` runs choose the learning rate on validation images and never see the
    test; ``"final"`` runs evaluate the test once, when training is over.

    Examples
    --------
    >>> run = Run(data="digits", model="tiny-cnn", method=Method(name="SGD"), lr=0.1, seed=0)
    >>> Run.parse(run.as_dict()).key == run.key
    True
    """

    data: str
    model: str
    method: Method
    lr: float
    seed: int
    batch: int = 8
    epochs: int = 1
    stage: str = "final"
    augment: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that :meth:`parse` reads and JSON can hold."""
        return {
            "data": self.data,
            "options": dict(sorted(self.options.items())),
            "model": self.model,
            "method": self.method.as_dict(),
            "lr": self.lr,
            "seed": self.seed,
            "batch": self.batch,
            "epochs": self.epochs,
            "augment": self.augment,
            "stage": self.stage,
        }

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Run:
        """Return the run that a table of plain values describes."""
        return cls(**{**table, "method": Method.parse(table["method"])})

    @property
    def key(self) -> str:
        """A short hash of everything that decides the outcome: equal keys, equal results."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


_NUMBER = (int, float)
_CORRELATION: dict[str, Any] = {
    **dict.fromkeys(("layer", "direction", "pairs"), str),
    **dict.fromkeys(("scale", "weights", "change"), _NUMBER),
}
# What reports read of a record: tables, types, and of a list every entry.
_SHAPE: dict[str, Any] = {
    "run": {},
    "results": {
        "curve": [dict.fromkeys(("epoch", "train_loss", "score", "loss"), _NUMBER)],
        "validation": _NUMBER,
        "diverged": bool,
    },
    "timing": {"seconds_per_step": _NUMBER},
}
_FINAL: dict[str, Any] = {"results": {"test": _NUMBER, "correlations": [_CORRELATION]}}


def _difference(value: object, wanted: Any, place: str) -> str:
    """Return where a value differs from what is wanted, "" if nowhere."""
    if isinstance(wanted, list) and isinstance(value, list):
        rows = (_difference(row, wanted[0], f"{place}[{i}]") for i, row in enumerate(value))
        return next(filter(None, rows), "")
    if isinstance(wanted, dict) and isinstance(value, dict):
        for name, inner in wanted.items():
            if name not in value:
                return f"{place} has no {name!r}"
            if found := _difference(value[name], inner, f"{place}.{name}"):
                return found
        return ""
    kind = type(wanted) if isinstance(wanted, dict | list) else wanted
    return "" if isinstance(value, kind) else f"{place} is {described(value)}"


def difference(record: Record) -> str:
    """Return how a record differs from those of this version, "" if it does not.

    Examples
    --------
    >>> difference({"key": "0123456789abcdef"})
    "the record has no 'run'"
    """
    if found := _difference(record, _SHAPE, "the record"):
        return found
    try:
        run = Run.parse(record["run"])
    except (KeyError, TypeError, ValueError) as error:
        return f"its run is none of ours: {error}"
    if not record["results"]["curve"]:
        return "its learning curve is empty"
    return _difference(record, _FINAL, "the record") if run.stage == "final" else ""
