"""Which axis of a weight is the output channel: read from the module, never from the shape.

======================  ====  ==========  ===================================================
module                  axis  blocks      because torch stores the weight as
======================  ====  ==========  ===================================================
``Conv1d–3d``           0     ``groups``  ``(out, in / groups, *kernel)``
``ConvTranspose1d–3d``  1     1           ``(in, out / groups, *kernel)``: axis 1 is one
                                          group's outputs already and is never split again
``Linear``              0     1           (out, in)
``Embedding``           1     1           (tokens, features)
bias of a convolution   0     ``groups``  (out,)
bias of ``Linear``      0     1           (out,)
norm layers             0     1           (channels,)
======================  ====  ==========  ===================================================

The lazy modules and every subclass follow their base class. Other modules have no known axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

_DIRECT = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# LayerNorm is left out: its weight may have several axes, none of them the output channel.
_NORMS = (_NormBase, nn.GroupNorm)

CONVOLUTIONS: tuple[type[nn.Module], ...] = (*_DIRECT, *_TRANSPOSED)
"""The modules whose weights the metric acts on unless told otherwise."""


@dataclass(frozen=True, slots=True)
class OutputAxis:
    """The output-channel axis of a parameter, and how many groups share it.

    ``ndim`` is the number of axes the parameter must have: a weight that a wrapper flattened
    or cut no longer has the axis that its module speaks of.
    """

    dim: int
    groups: int
    ndim: int


def output_axis(module: nn.Module, role: str) -> OutputAxis | None:
    """Return the output-channel axis of the parameter ``role`` of ``module``, None if unknown.

    Parameters
    ----------
    module
        The layer that computes with the parameter.
    role
        ``"weight"`` or ``"bias"``: what the parameter is to the layer.

    Examples
    --------
    >>> output_axis(nn.Conv2d(8, 6, 3, groups=2), "weight")
    OutputAxis(dim=0, groups=2, ndim=4)
    >>> output_axis(nn.ConvTranspose2d(8, 6, 3, groups=2), "weight")
    OutputAxis(dim=1, groups=1, ndim=4)
    >>> output_axis(nn.BatchNorm2d(4), "bias")
    OutputAxis(dim=0, groups=1, ndim=1)
    >>> output_axis(nn.LayerNorm(4), "weight") is None
    True
    """
    if role not in {"weight", "bias"}:
        return None
    if isinstance(module, CONVOLUTIONS):
        assert isinstance(module, _ConvNd)
        ndim = len(module.kernel_size) + 2
        if role == "bias":
            return OutputAxis(0, module.groups, 1)
        if isinstance(module, _TRANSPOSED):
            return OutputAxis(1, 1, ndim)
        return OutputAxis(0, module.groups, ndim)
    if isinstance(module, nn.Linear):
        return OutputAxis(0, 1, 2 if role == "weight" else 1)
    if isinstance(module, nn.Embedding):
        return OutputAxis(1, 1, 2)
    if isinstance(module, _NORMS):
        return OutputAxis(0, 1, 1)
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One place in a model where a parameter is registered.

    ==============  =======================================================================
    ``name``        dotted name, without the prefixes that DDP and ``torch.compile`` add
    ``owner, key``  the module that registers the parameter, and under which key
    ``layer``       the module that computes with it (its owner, unless parametrized)
    ``role``        what it is to the layer: "weight", "bias", …; "" if that is unknown
    ``note``        why the role is unknown, or "tied" and the like; "" if there is nothing
    ==============  =======================================================================
    """

    name: str
    owner: nn.Module
    key: str
    layer: nn.Module
    role: str
    note: str = ""

    @property
    def parameter(self) -> nn.Parameter | None:
        """The parameter that stands there now: it may have been replaced since."""
        return self.owner._parameters.get(self.key)

    @property
    def is_lazy(self) -> bool:
        """Whether the parameter still waits for its first forward pass to get a shape."""
        return self.parameter is not None and is_lazy(self.parameter)


# Wrappers that add a module level to every name. Compared by name: the classes' own modules
# are slow to import and need not be installed.
_TRANSPARENT = {
    "DistributedDataParallel": "module",
    "DataParallel": "module",
    "OptimizedModule": "_orig_mod",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
    "AveragedModel": "module",
}
# The factor of a low-rank update BA that comes first, as PEFT, torchtune and kohya name it.
_LORA = {"lora_A", "lora_a", "lora_down"}
_RANK = (
    "LoRA's first factor: its axis 0 is the rank of the update, no output channel; a Rule with "
    "dim= says otherwise"
)
_MAGNITUDE = "magnitude of weight_norm, which is not indexed like the weight"
# weight_norm and spectral_norm from here train a tensor that is indexed like the weight itself.
_PARAMETRIZATIONS = "torch.nn.utils.parametrizations"


def _trained_role(layer: nn.Module, key: str) -> tuple[str, str]:
    """Return role and note of a parameter registered on the layer itself."""
    # torch.nn.utils.weight_norm, spectral_norm and prune, the hook-based ones, rename the weight.
    base, _, suffix = key.rpartition("_")
    if suffix in {"v", "orig"} and base and base not in layer._parameters and hasattr(layer, base):
        return base, ""
    if suffix == "g" and f"{base}_v" in layer._parameters:
        return "", _MAGNITUDE
    return key, ""


def _parametrized_role(tensor_name: str, stack: nn.Module, key: str) -> tuple[str, str]:
    """Return role and note of a parameter that parametrizations turn into ``tensor_name``."""
    kinds = [type(child) for child in stack.children()]
    names = {kind.__name__ for kind in kinds}
    known = all(kind.__module__ == _PARAMETRIZATIONS for kind in kinds)
    if known and names <= {"_SpectralNorm", "_WeightNorm"}:
        if key == ("original1" if "_WeightNorm" in names else "original"):
            return tensor_name, ""
        return "", _MAGNITUDE
    return "", (
        f"parametrized by {', '.join(sorted(names))}: which axis of the trained tensor is the "
        "output channel is unknown; a Rule with dim= says it"
    )


def parameter_slots(model: nn.Module) -> Iterator[Slot]:
    """Yield every place in the model where a parameter is registered, tied ones repeatedly.

    Examples
    --------
    >>> [slot.name for slot in parameter_slots(nn.Sequential(nn.Linear(2, 2)))]
    ['0.weight', '0.bias']
    """
    seen: set[int] = set()

    def walk(module: nn.Module, prefix: str) -> Iterator[Slot]:
        if id(module) in seen:
            return
        seen.add(id(module))
        inner = _TRANSPARENT.get(type(module).__name__)
        in_lora = not _LORA.isdisjoint(prefix.split("."))
        for key, parameter in module._parameters.items():
            if parameter is not None:
                role, note = ("", _RANK) if in_lora else _trained_role(module, key)
                yield Slot(prefix + key, module, key, module, role, note)
        stacks: nn.Module | None = None
        if parametrize.is_parametrized(module):
            stacks = module.parametrizations  # type: ignore[assignment]
            assert stacks is not None
            for tensor_name, stack in stacks.named_children():
                seen.add(id(stack))
                where = f"{prefix}parametrizations.{tensor_name}."
                for key in stack._parameters:
                    role, note = _parametrized_role(tensor_name, stack, key)
                    yield Slot(where + key, stack, key, module, role, note)
                for child_name, child in stack.named_children():
                    yield from walk(child, f"{where}{child_name}.")
        for name, child in module.named_children():
            if child is not stacks:
                yield from walk(child, prefix if name == inner else f"{prefix}{name}.")

    yield from walk(model, "")


def convolution_weights(model: nn.Module) -> Iterator[tuple[Slot, OutputAxis]]:
    """Yield the weight of every convolution of the model, with its output-channel axis.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ConvTranspose2d(4, 6, 2), nn.Linear(6, 2))
    >>> [(slot.name, axis.dim) for slot, axis in convolution_weights(model)]
    [('0.weight', 0), ('1.weight', 1)]
    """
    for slot in parameter_slots(model):
        if slot.role == "weight" and isinstance(slot.layer, CONVOLUTIONS):
            axis = output_axis(slot.layer, slot.role)
            assert axis is not None
            yield slot, axis
