"""From a run to its record, whatever is trained."""

from __future__ import annotations

import statistics

import torch

from cdg_torch.lab.train.gan import train_gan
from cdg_torch.lab.train.runs import Record, Run
from cdg_torch.lab.train.supervised import train_supervised


def train(run: Run, device: str = "cpu") -> Record:
    """Train once and return the record.

    The seed decides the initial weights and the order of the batches; with one thread on a CPU
    the record's ``results`` are the same every time, to the last bit.
    """
    loop = train_gan if run.model == "dcgan" else train_supervised
    results, seconds = loop(run, device)
    return {
        "key": run.key,
        "run": run.as_dict(),
        "results": results,
        "timing": {
            "seconds_per_step": statistics.median(seconds),
            "device": device,
            "torch": torch.__version__,
        },
    }
