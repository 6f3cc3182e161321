"""``cdg diagnose``: whether a network's layers have an order along their output channels."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
import typer
from torch.nn import functional

from cdg_torch.diagnosis import Diagnosis, diagnose
from cdg_torch.diagnosis.findings import COLUMNS
from cdg_torch.extras import optional
from cdg_torch.lab.files import check_writable, write_text
from cdg_torch.lab.output import ResultTable, Terminal, say_written

if TYPE_CHECKING:
    from torch import Tensor, nn

    Subject = tuple[nn.Module, Iterable[Any], Callable[[nn.Module, Any], Tensor]]

#: Of the demonstrations' networks, the size of a batch, and how many there are.
BATCH, BATCHES = 32, 30


def _digits(batches: int, _seed: int) -> Subject:
    """Return a convolutional network that tells digits apart: no layer has an order."""
    from cdg_torch.lab.train.data.digits import digits
    from cdg_torch.lab.train.models.cnn import tiny_cnn

    data = digits().train
    most = len(data.images) // BATCH
    if batches > most:
        msg = f"{batches} batches of {BATCH} images are more than the digits have; {most} at most"
        raise typer.BadParameter(msg)
    return _subject(tiny_cnn(1, 10), data.images, data.targets, batches)


def _angles(batches: int, seed: int) -> Subject:
    """Return a perceptron whose outputs are angles by which a digit was turned, in order."""
    from cdg_torch.lab.train.data import load_ordered
    from cdg_torch.lab.train.ordered.prepare import perceptron

    samples = {"repeat": 1, "train": batches * BATCH}
    data = load_ordered("digit-angles", samples, seed).dataset
    model = perceptron(data.train.images[0].numel(), data.classes)
    return _subject(model, data.train.images, data.train.targets.long(), batches)


def _subject(model: nn.Module, images: Tensor, targets: Tensor, batches: int) -> Subject:
    def loss(network: nn.Module, batch: Tensor) -> Tensor:
        return functional.cross_entropy(network(images[batch]), targets[batch])

    # Every image once: what the batches have in common is then the population's gradient.
    return model, torch.randperm(len(images))[: batches * BATCH].chunk(batches), loss


#: Name: what it is, what makes it, and the ends of its channels.
DEMONSTRATIONS = {
    "digits": ("a convolutional network for digits, untrained", _digits, "natural"),
    "angles": ("a head that tells the angle of a turned digit, untrained", _angles, "periodic"),
}


@contextmanager
def _theirs(source: str) -> Iterator[None]:
    """Say of an error in the user's own code that it is theirs, with its traceback."""
    try:
        yield
    except Exception as error:
        Terminal(stderr=True).print("".join(traceback.format_exception(error)), soft_wrap=True)
        msg = f"{source} raised {type(error).__name__}: {error}"
        raise typer.BadParameter(msg) from error


def _loaded(source: str) -> Subject:
    """Return what the function MODULE:FUNCTION of the user returns."""
    module, _, name = source.partition(":")
    if not module or not name:
        msg = (
            f"source must be demo, {', '.join(DEMONSTRATIONS)} or MODULE:FUNCTION, got {source!r}; "
            "the function takes nothing and returns (model, batches, loss)"
        )
        raise typer.BadParameter(msg)
    # As python -m has it: modules beside the user's own are found when the function runs, too.
    sys.path.insert(0, str(Path.cwd()))
    with _theirs(source):
        made = getattr(importlib.import_module(module), name)()
    if not isinstance(made, tuple) or len(made) != 3:
        msg = f"{source} must return (model, batches, loss), got {type(made).__name__}"
        raise typer.BadParameter(msg)
    model, batches, loss = made

    def drawn() -> Iterator[Any]:
        with _theirs(source):
            yield from batches

    def their_loss(network: nn.Module, batch: Any) -> Tensor:
        with _theirs(source):
            return loss(network, batch)

    return model, drawn(), their_loss


def _printed(console: Terminal, title: str, found: Diagnosis) -> None:
    names = ("tensor", *COLUMNS)
    console.print(ResultTable(names, found.rows(), title, left=(0, 1, 2, 7)))
    for name, reason in found.left_out.items():
        console.print(f"left out {name}: {reason}", style="dim")


def _subjects(
    source: str, batches: int | None, seed: int
) -> Iterator[tuple[str, Subject, str | None]]:
    """Yield title, subject and boundary of everything that a source names."""
    if source in {"demo", *DEMONSTRATIONS}:
        for name, (title, make, boundary) in DEMONSTRATIONS.items():
            if source in {"demo", name}:
                torch.manual_seed(seed)
                with optional():
                    subject = make(batches or BATCHES, seed)
                yield title, subject, boundary
    elif batches:
        msg = f"--batches is for the demonstrations; the function {source} decides its own"
        raise typer.BadParameter(msg)
    else:
        yield source, _loaded(source), None


def diagnose_layers(
    source: Annotated[
        str,
        typer.Argument(help="demo, digits, angles, or MODULE:FUNCTION that returns your own."),
    ] = "demo",
    batches: Annotated[
        int | None, typer.Option(min=2, help=f"Of the demonstrations; {BATCHES} if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the demonstrations and the permutations.")] = 0,
    periodic: Annotated[
        bool, typer.Option("--periodic", help="The last output channel is beside the first.")
    ] = False,
    level: Annotated[
        float, typer.Option(help="Half of it: the share of layers called ordered in error.")
    ] = 0.05,
    json: Annotated[Path | None, typer.Option(help="Write everything there.")] = None,
) -> None:
    """Say for each layer whether its output channels have an order, and what a metric gains.

    Looked at are the gradients of a handful of independent batches, at the present weights. A
    function of yours, as in cdg diagnose mymodule:subject, returns (model, batches, loss), and
    loss(model, batch) is a scalar tensor.
    """
    if json is not None:
        check_writable(json)
    console = Terminal()
    everything = []
    for title, (model, drawn, loss), ends in _subjects(source, batches, seed):
        boundary: Any = "periodic" if periodic else ends or "natural"
        found = diagnose(model, drawn, loss, boundary=boundary, level=level, seed=seed)
        _printed(console, f"{title}: {found.batches} batches", found)
        everything.append(found)
    console.print(
        "Channels: ordered, exchangeable or none, by permuting the mean gradient's channels; p "
        "corrected over the layers. Neighbours: their correlation, the mean taken off. Signal: its "
        "share of one batch's squared gradient. Predicted gain: less mean squared error of one "
        "batch's gradient, chosen by one half of the batches, judged by the other.",
        style="dim",
    )
    if json is not None:
        write_text(json, f"[{','.join(one.to_json() for one in everything)}]\n")
        say_written(console, json)
