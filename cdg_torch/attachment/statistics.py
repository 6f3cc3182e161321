"""What the transform did to each tensor, on request: norms and channel correlations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from cdg_torch.correlation import channel_correlation
from cdg_torch.devices import widened

if TYPE_CHECKING:
    from torch import Tensor

    from cdg_torch.attachment.held import Acting


@dataclass(frozen=True, slots=True)
class TensorStatistics:
    """Norms and correlations of one tensor at the last step, before and after the transform.

    The norms are Euclidean. The correlations are those of :func:`cdg_torch.channel_correlation`,
    between neighbouring output channels.

    ===================  ================================
    field                meaning
    ===================  ================================
    ``raw_norm``         norm before the transform
    ``norm``             norm after it
    ``raw_correlation``  correlation before the transform
    ``correlation``      correlation after it
    ===================  ================================

    See Also
    --------
    cdg_torch.Handle.stats : Returns one for each tensor.
    cdg_torch.channel_correlation : The correlation.

    Examples
    --------
    >>> from cdg_torch.attachment.statistics import TensorStatistics
    >>> one = TensorStatistics(raw_norm=2.0, norm=1.0, raw_correlation=0.0, correlation=0.5)
    >>> one.norm / one.raw_norm
    0.5
    """

    raw_norm: float
    norm: float
    raw_correlation: float
    correlation: float


def _measure(tensor: Tensor, dim: int, groups: int) -> Tensor:
    # A sharded tensor is gathered: one more reason why statistics have to be asked for.
    if hasattr(tensor, "full_tensor"):
        tensor = tensor.full_tensor()
    real = widened((torch.view_as_real(tensor) if tensor.is_complex() else tensor).detach())
    return torch.stack(
        [
            torch.linalg.vector_norm(real),
            channel_correlation(real, dim, groups=groups),
        ]
    )


def _measure_all(acting: Acting, tensors: Sequence[Tensor]) -> list[Tensor]:
    return [_measure(t, e.dim, e.groups) for e, t in zip(acting.entries, tensors, strict=True)]


class Statistics:
    """Collects on the device, and moves numbers to the host only when they are read."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._raw: list[Tensor] = []
        self._sent: list[Tensor] = []

    def before(self, acting: Acting, tensors: Sequence[Tensor]) -> None:
        """Measure the tensors before the transform."""
        self._names = tuple(entry.name for entry in acting.entries)
        self._raw = _measure_all(acting, tensors)

    def after(self, acting: Acting, tensors: Sequence[Tensor]) -> None:
        """Measure them after it."""
        self._sent = _measure_all(acting, tensors)

    def read(self) -> dict[str, TensorStatistics]:
        """Return the numbers of the last step; waits for the device."""
        result = {}
        for name, raw, sent in zip(self._names, self._raw, self._sent, strict=True):
            (raw_norm, raw_correlation), (norm, correlation) = raw.tolist(), sent.tolist()
            result[name] = TensorStatistics(raw_norm, norm, raw_correlation, correlation)
        return result
