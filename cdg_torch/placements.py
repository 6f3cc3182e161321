r"""What a DTensor's placements mean for the output-channel axis: who holds which rows.

=================================  ============================================================
placement on a mesh dimension      what a rank does
=================================  ============================================================
``Shard`` along the axis           exchanges a few numbers with the others of that dimension
``Shard`` along any other axis     computes alone: its columns are whole
``Replicate``                      computes alone, as all others do
``Partial`` sum or average         computes alone: M⁻¹ is linear, the sum of the parts follows
any of them on a dimension of 1    computes alone
``Shard`` along the axis twice     refused, as are strided shards along it, other reductions, and
                                   meshes whose ranks do not count upwards
=================================  ============================================================

Everything here is read from metadata that all ranks share, so all of them decide alike: either
every rank enters the exchange, or every rank computes alone, or every rank raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch.distributed.tensor import Partial, Replicate, Shard
from torch.utils._python_dispatch import _disable_current_modes

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def cutting_dimension(tensor: DTensor, dim: int, name: str) -> int | None:
    """Return the mesh dimension that cuts axis ``dim`` into blocks of rows, None if none does.

    Raises
    ------
    ValueError
        If the placements leave a rank with rows that are not one contiguous block, or with parts
        whose reduction is not linear, or if the mesh does not count its ranks upwards.
    """
    mesh, placements = tensor.device_mesh, tensor.placements
    cutting = []
    for mesh_dim, placement in enumerate(placements):
        if mesh.size(mesh_dim) == 1 or type(placement) is Replicate:
            continue
        if type(placement) is Partial:
            if placement.reduce_op not in {"sum", "avg"}:
                msg = (
                    f"{name} has placement {placement!r}, whose reduction is not linear; "
                    "redistribute it to Replicate() or Shard() first"
                )
                raise ValueError(msg)
        elif getattr(placement, "dim", None) is None:
            msg = (
                f"{name} has the unknown placement {placement!r}; redistribute it to Replicate() "
                "or Shard() first"
            )
            raise ValueError(msg)
        elif placement.dim % tensor.ndim == dim:  # type: ignore[attr-defined]
            cutting.append(mesh_dim)
    if not cutting:
        return None
    if len(cutting) > 1 or type(placements[cutting[0]]) is not Shard:
        msg = (
            f"{name} is cut along its output channels, axis {dim}, in a way that is not served: "
            f"placements {placements} on a mesh of shape {tuple(mesh.shape)}; one mesh dimension "
            "may cut that axis, with Shard(); place another axis, or Replicate(), on the others "
            "(fully_shard takes shard_placement_fn=lambda parameter: Shard(1))"
        )
        raise ValueError(msg)
    with _disable_current_modes():  # where tensors are fake, the mesh is not
        ranks = mesh.mesh.numpy()
    if (np.diff(ranks, axis=cutting[0]) < 0).any():
        msg = (
            f"{name} lies on the mesh {ranks.tolist()}, whose ranks do not count upwards: torch's "
            "own scatter and gather disagree there about who holds which rows; make the mesh with "
            "init_device_mesh, or list the ranks in rising order"
        )
        raise ValueError(msg)
    return cutting[0]


class Piece(NamedTuple):
    """Rows ``start`` to ``stop`` of a rank, which belong to one group of channels."""

    group: int
    start: int
    stop: int

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.stop - self.start


class Holding(NamedTuple):
    """What a rank holds: ``groups`` whole ones from row ``start`` on, and parts of at most two."""

    rows: int
    start: int
    groups: int
    parts: tuple[Piece, ...]


class Partner(NamedTuple):
    """A rank that holds part of a group: which of its parts, and how many rows."""

    rank: int
    part: int
    rows: int


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How the rows of a tensor lie on the ranks of one mesh dimension.

    ============  ===========================================================================
    ``shares``    what each rank holds
    ``partners``  the ranks that share a group, in the order of its rows; only groups that lie
                  on several ranks
    ``parts``     the largest number of parts on a rank: 0 (nothing to exchange), 1 or 2
    ============  ===========================================================================
    """

    shares: tuple[Holding, ...]
    partners: dict[int, tuple[Partner, ...]]
    parts: int


@lru_cache(maxsize=1024)
def row_layout(n: int, groups: int, ranks: int) -> RowLayout:
    """Return who holds what of ``n`` rows in ``groups`` groups, cut as ``torch.chunk`` cuts.

    Examples
    --------
    Five rows on three ranks, two each and the last one short; and two groups of three on two
    ranks, where nothing is cut:

    >>> [share.parts[0].rows for share in row_layout(5, 1, 3).shares]
    [2, 2, 1]
    >>> row_layout(6, 2, 2).parts
    0
    """
    size, chunk = n // groups, -(-n // ranks)
    shares = []
    partners: dict[int, list[Partner]] = {}
    for rank in range(ranks):
        first, last = min(n, rank * chunk), min(n, (rank + 1) * chunk)
        pieces = [
            Piece(group, max(first, group * size) - first, min(last, (group + 1) * size) - first)
            for group in range(first // size, -(-last // size))
        ]
        parts = tuple(piece for piece in pieces if piece.rows < size)
        whole = [piece.start for piece in pieces if piece.rows == size]
        shares.append(Holding(last - first, min(whole, default=0), len(whole), parts))
        for part, piece in enumerate(parts):
            partners.setdefault(piece.group, []).append(Partner(rank, part, piece.rows))
    most = max(len(share.parts) for share in shares)
    return RowLayout(tuple(shares), {g: tuple(ps) for g, ps in partners.items()}, most)
