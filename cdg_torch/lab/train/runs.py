"""One training run as data: everything that decides its outcome, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
