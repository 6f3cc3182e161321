"""Channel correlation of trained networks, read from a file of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cdg_torch.correlation import channel_correlation, correlation_scale
from cdg_torch.extras import optional
from cdg_torch.lab.drawing import HUES, figure_of

if TYPE_CHECKING:
    from collections.abc import Iterator


DIRECTIONS = ("output", "input", "kernel 1", "kernel 2", "kernel 3")
"""The axes of a convolution's weight, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """One tensor along one axis; ``scale`` is the spread that white noise would show."""

    name: str
    shape: tuple[int, ...]
    direction: str
    neighbours: float
    neighbours_scale: float
    all_pairs: float
    all_pairs_scale: float


def _tensors(tree: object, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor of nested mappings with its dotted name."""
    if isinstance(tree, Tensor):
        yield prefix.removesuffix("."), tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _tensors(value, f"{prefix}{key}.")


def load_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict, from a ``.safetensors`` file or one by ``torch.save``.

    Checkpoints that nest the state dict among other things are searched. Nothing is unpickled
    but tensors and plain containers (``weights_only``).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read that way, or holds no tensor.
    """
    if not path.is_file():
        msg = f"{path} is not a file; name a .pt, .pth or .safetensors file of weights"
        raise FileNotFoundError(msg)
    if path.suffix == ".safetensors":
        weights = _read_safetensors(path)
    else:
        try:
            tree = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            # torch raises UnpicklingError, RuntimeError, EOFError and more on foreign files.
            msg = (
                f"{path} cannot be read as a file of tensors ({type(error).__name__}); a whole "
                "pickled model is refused, since reading it would run its code: save "
                "model.state_dict() instead"
            )
            raise ValueError(msg) from error
        weights = dict(_tensors(tree))
    if not weights:
        msg = f"{path} holds no tensor"
        raise ValueError(msg)
    return weights


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with optional():
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    try:
        return load_file(path)
    except SafetensorError as error:
        msg = f"{path} is not a whole .safetensors file ({error}); copy or save it again"
        raise ValueError(msg) from error


def correlations(
    weights: Mapping[str, Tensor], *, transposed: Sequence[str] = ()
) -> list[Correlation]:
    """Return the correlation of every convolution's weights along each of its axes.

    A file of weights does not say which layer a tensor belongs to. Taken for convolutions are
    floating-point tensors of three to five axes, (out, in, kernel …); names that match one of
    the patterns in ``transposed`` are read as (in, out, kernel …). Groups are unknown, so that
    with grouped convolutions some neighbours are of different groups.

    Examples
    --------
    >>> rows = correlations({"conv.weight": torch.ones(4, 1, 3, 1), "bias": torch.ones(4)})
    >>> [(row.direction, row.neighbours) for row in rows]
    [('output', 1.0), ('kernel 1', 1.0)]
    """
    rows = []
    for name, weight in weights.items():
        # What channel_correlation does not read, is no convolution's either: 8 bits, sparse.
        readable = weight.is_floating_point() and weight.layout is torch.strided
        readable = readable and not weight.is_nested and weight.element_size() > 1
        if not readable or weight.is_meta or not 3 <= weight.ndim <= 5 or not weight.any():
            continue
        flipped = any(fnmatchcase(name, pattern) for pattern in transposed)
        channels = ("input", "output") if flipped else ("output", "input")
        kernels = tuple(f"kernel {axis + 1}" for axis in range(weight.ndim - 2))
        shape = tuple(weight.shape)
        for axis, direction in enumerate((*channels, *kernels)):
            if shape[axis] < 2:
                continue
            rows.append(
                Correlation(
                    name=name,
                    shape=shape,
                    direction=direction,
                    neighbours=float(channel_correlation(weight, axis)),
                    neighbours_scale=correlation_scale(shape, axis),
                    all_pairs=float(channel_correlation(weight, axis, pairs="all")),
                    all_pairs_scale=correlation_scale(shape, axis, pairs="all"),
                )
            )
    return rows


def draw_correlations(rows: Sequence[Correlation], title: str, path: Path) -> None:
    """Draw the correlation of every tensor along every axis, as PNG."""
    names = list(dict.fromkeys(row.name for row in rows))
    found = {row.direction for row in rows}
    directions = [d for d in DIRECTIONS if d in found]
    with figure_of(max(7, 0.25 * len(names)), 6, path) as figure:
        panels: Any = figure.subplots(2, 1, sharex=True)
        for axes, field, label in (
            (panels[0], "neighbours", "neighbours"),
            (panels[1], "all_pairs", "all pairs"),
        ):
            for direction, hue in zip(directions, HUES[1:], strict=False):
                own = [row for row in rows if row.direction == direction]
                places = [names.index(row.name) for row in own]
                values = [getattr(row, field) for row in own]
                axes.plot(places, values, "o", ms=4, color=hue, label=direction)
            axes.axhline(0, color="#b4b4bd", lw=0.8, zorder=0)
            axes.set_ylabel(f"correlation,\n{label}")
        panels[0].legend(frameon=False, ncols=len(directions))
        step = max(1, len(names) // 40)
        panels[1].set_xticks(range(0, len(names), step), names[::step], rotation=90, fontsize=7)
        figure.suptitle(title)
