"""Which tensors of a file are weights of layers, decided by name and kind, and why others are not.

A file of weights does not say which layer a tensor belongs to. Taken for a convolution's weight
is a tensor

- of 3 to 5 axes, two of them longer than 1: (out, in, kernel …),
- of 16-, 32- or 64-bit floats, dense, finite, not all 0,
- whose name ends in ``weight``, or in what weight norm and spectral norm call the tensor that they
  train (``weight_v``, ``weight_orig``, ``weight_bar``, ``parametrizations.weight.original`` and
  ``…original1``), of a layer that is not called a norm, an embedding, a bilinear layer, an expert
  or a low-rank factor,
- not in the state of an optimizer, nor among stored gradients,
- and no copy: the same tensor again, or an average, a best or an earlier state of weights that are
  in the file as well (``model_ema``, ``swa_model``, ``best_model``, ``teacher`` …). The name says
  that it may be one; names and shapes of all its tensors say whether it is.

A linear layer's weight is a tensor of two axes, both longer than 1, for which the rest holds too.
Everything else is left out, with its reason. Two networks of one kind whose names say nothing of
copies (``netG_A``, ``netG_B``) both count. Transposed convolutions cannot be told from others here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_OPTIMIZER = re.compile(r"(?:^|_)(?:opt|optim|optimizer)s?[A-Z\d]?(?:_|$)")
_GRADIENTS = re.compile(r"(?:^|_)(?:grad|gradient)s?(?:_|$)")
_AVERAGED = "n_averaged"  # what torch.optim.swa_utils.AveragedModel keeps beside the weights
_COPY = re.compile(
    r"(?:^|_)(?:ema|swa|avg|averaged?|shadow|best|teacher|target|momentum)\d*(?:_|$)|^encoder_k$"
)
# What may stand between the word that names a copy and the names of the network's own tensors.
_WRAPPERS = {"module", "_orig_mod", "model", "ema_model", "state_dict"}

_WEIGHT = re.compile(r"(?:weight|weight_v|weight_orig|weight_bar|weight\.original1?)$")
# By the dotted name of the layer.
_OTHER_LAYERS = (
    (r"(?:norm|(?:^|[._])(?:ln|bn|gn))_?\d*$", "a norm layer's"),
    (
        r"(?:^|\.)(?:\w*(?:pos|position|positional|tok|token|word|cls|time)_)?emb(?:ed(?:ding)?s?)?$",
        "an embedding's",
    ),
    (r"bilinear\w*$", "a bilinear layer's"),
    (r"(?:^|\.)experts(?:\.|$)", "an expert's"),
    (r"(?:^|\.)lora_", "a low-rank factor's"),
)
_LAYERS = tuple((re.compile(pattern, re.IGNORECASE), whose) for pattern, whose in _OTHER_LAYERS)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Weights of convolutions and of linear layers by name, and why every other tensor is none."""

    weights: dict[str, Tensor]
    linear: dict[str, Tensor]
    left_out: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    """A tensor: names of the containers it stands in, its own name, why it cannot be a weight."""

    folders: tuple[str, ...]
    key: str
    tensor: Tensor
    reason: str
    copy_at: int  # the first of its folders, counted from 1, that an averaged model fills; or 0

    @property
    def name(self) -> str:
        return ".".join((*self.folders, self.key))


def _walk(
    tree: object,
    folders: tuple[str, ...] = (),
    above: tuple[int, ...] = (),
    reason: str = "",
    copy_at: int = 0,
) -> Iterator[_Found]:
    """Yield every tensor of nested mappings and lists."""
    if not isinstance(tree, Mapping | list | tuple) or id(tree) in above:
        return
    own = folders[-1] if folders else ""
    if isinstance(tree, Mapping):
        # torch's form of an optimizer's state, and fastai's; in both, tensors by number or name.
        state = "state" in tree and ("param_groups" in tree or "hypers" in tree)
        copy_at = copy_at or (len(folders) if _AVERAGED in tree else 0)
        entries: Iterable[tuple[object, object]] = tree.items()
    else:
        state, entries = False, enumerate(tree)
    if state or _OPTIMIZER.search(own):
        reason = reason or "in an optimizer's state"
    elif _GRADIENTS.search(own):
        reason = reason or "gradients"
    for key, value in entries:
        if isinstance(value, Tensor):
            yield _Found(folders, str(key), value, reason, copy_at)
        else:
            yield from _walk(value, (*folders, str(key)), (*above, id(tree)), reason, copy_at)


def tensor_names(tree: object) -> list[str]:
    """Return the dotted names of all tensors of nested mappings and lists."""
    return [found.name for found in _walk(tree)]


def _kind(tensor: Tensor) -> str:
    """Return why a tensor is no dense array of floats that a correlation can be taken of."""
    refusals: tuple[tuple[str, Callable[[Tensor], bool]], ...] = (
        ("quantized", lambda t: t.is_quantized),
        ("sparse or nested", lambda t: t.layout is not torch.strided or t.is_nested),
        ("without values (on the meta device)", lambda t: t.is_meta),
        ("complex", torch.is_complex),
        ("integers or truth values", lambda t: not t.is_floating_point()),
        ("floats of 8 bits or fewer", lambda t: t.element_size() < 2),
    )
    return next((reason for reason, refuses in refusals if refuses(tensor)), "")


def _why_not(found: _Found) -> str:
    """Return why a tensor is no layer's weight, "" if it is taken for one."""
    tensor, name = found.tensor, found.name
    if reason := found.reason or _kind(tensor):
        return reason
    if tensor.ndim < 2:
        return "of fewer than two axes (biases, norms)"
    if tensor.ndim > 5:
        return "of more than five axes"
    leaf = _WEIGHT.search(name)
    if leaf is None:
        return "not named a weight"
    layer = name[: leaf.start()].removesuffix(".").removesuffix(".parametrizations")
    for pattern, whose in _LAYERS:
        if pattern.search(layer):
            return f"{whose}, by its name"
    if sum(length > 1 for length in tensor.shape) < 2:
        return "one number per channel"
    if not tensor.isfinite().all():
        return "not finite"
    return "" if tensor.any() else "all 0"


def _as_copy(found: _Found) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the name up to the word that says "copy", and what follows; None without the word."""
    parts = (*found.folders, *found.key.split("."))
    at = found.copy_at
    for place, part in enumerate(parts[:-1], start=1):
        # A layer that is called "target" is no copy; a network is.
        layer = place > len(found.folders) and _WEIGHT.fullmatch(".".join(parts[place:]))
        if not at and not layer and _COPY.search(part):
            at = place
    rest = list(parts[at:])
    while len(rest) > 1 and rest[0] in _WRAPPERS:
        del rest[0]
    return (parts[:at], tuple(rest)) if at or found.copy_at else None


def _copies(candidates: list[_Found]) -> set[str]:
    """Return the names of weights that are copies of others."""
    # By the end of the name without its dots, since some averages are stored so, and the shape.
    originals: set[tuple[str, torch.Size]] = set()

    def add(found: _Found) -> None:
        parts = found.name.split(".")
        originals.update(("".join(parts[i:]), found.tensor.shape) for i in range(len(parts)))

    groups: dict[tuple[str, ...], list[tuple[_Found, str]]] = defaultdict(list)
    for found in candidates:
        if (place := _as_copy(found)) is None:
            add(found)
        else:
            groups[place[0]].append((found, "".join(place[1])))
    copies: set[str] = set()
    for members in groups.values():
        if all((rest, found.tensor.shape) in originals for found, rest in members):
            copies.update(found.name for found, _ in members)
        else:  # a network of its own, or the only state of it that the file holds
            for found, _ in members:
                add(found)
    return copies


def sort_tensors(tree: object) -> Sorted:
    """Sort the tensors of nested mappings and lists, by the rule of this module.

    Examples
    --------
    >>> conv, moment = torch.ones(4, 2, 3), torch.ones(4, 2, 3)
    >>> adam = {"state": {0: {"exp_avg": moment}}, "param_groups": [{"params": [0]}]}
    >>> found = sort_tensors({"model": {"0.weight": conv, "0.bias": torch.ones(4)}, "a": adam})
    >>> list(found.weights)
    ['model.0.weight']
    >>> found.left_out["a.state.0.exp_avg"]
    "in an optimizer's state"
    """
    candidates: list[_Found] = []
    left_out: dict[str, str] = {}
    seen: set[object] = set()
    for found in _walk(tree):
        reason = _why_not(found)
        if not reason:
            w = found.tensor
            place = (w.untyped_storage().data_ptr(), w.storage_offset(), w.shape, w.stride())
            reason = "the same tensor under another name" if place in seen else ""
            seen.add(place)
        if reason:
            left_out[found.name] = reason
        else:
            candidates.append(found)
    copies = _copies(candidates)
    left_out |= dict.fromkeys(sorted(copies), "copies of weights that are shown")
    taken = {found.name: found.tensor for found in candidates if found.name not in copies}
    return Sorted(
        weights={name: tensor for name, tensor in taken.items() if tensor.ndim > 2},
        linear={name: tensor for name, tensor in taken.items() if tensor.ndim == 2},
        left_out=left_out,
    )
