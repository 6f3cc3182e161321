"""The recipes of a page, run as printed, and the loop by hand that they are compared with.

The by-hand loop has the transform written into it, axis by axis, and no attach.
"""

import re
from functools import partial
from pathlib import Path

import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric
from tests.tools.small_training import batches, network
from tests.tools.training_loops import train, transform_by_hand

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
H0 = Metric.reweighted_h0(10.0)
LOADER = batches(6)


def recipes(page: Path) -> dict[str, str]:
    """Return the code under each heading of the section "Recipes"."""
    section = page.read_text().split("\n## Recipes\n")[1].split("\n## ")[0]
    parts = re.split(r"^### (.*)$", section, flags=re.MULTILINE)[1:]
    found = {}
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        assert len(blocks) <= 1, f"{heading}: one block per recipe"
        if blocks:
            found[heading] = blocks[0]
    return found


def run_recipe(page: Path, heading: str, **names) -> dict:
    """Execute a recipe in a fresh namespace and return the namespace."""
    space = {"torch": torch, "nn": nn, "cdg_torch": cdg_torch, "Metric": Metric}
    space |= {"make_model": network, "loader": LOADER, **names}
    exec(compile(recipes(page)[heading], f"<recipe {heading}>", "exec"), space)
    return space


def untested(page: Path, tests: str) -> set[str]:
    """Return the headings of recipes that a file of tests does not run."""
    return set(recipes(page)) ^ set(re.findall(r'run\(\s*"(.*?)"', Path(tests).read_text()))


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def by_hand(make_optimizer=sgd, *, metric=lambda _: H0, before=(), after=(), data=LOADER):
    model = network()
    optimizer = make_optimizer(model)
    for index, batch in enumerate(data):
        transform = partial(transform_by_hand, metric=metric(index))
        train(model, optimizer, [batch], *before, transform, *after)
    return model


def clip(model) -> None:
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
