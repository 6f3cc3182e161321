"""A rank's rows are those of torch.chunk: whole groups, and parts of at most two others."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from cdg_torch.placements import row_layout


@given(size=st.integers(1, 12), groups=st.integers(1, 9), ranks=st.integers(1, 9))
def test_every_row_is_in_the_block_that_torch_gives_it(size, groups, ranks) -> None:
    n = size * groups
    group_of = torch.arange(n) // size
    chunks = [*torch.chunk(group_of, ranks), *[group_of[:0]] * ranks][:ranks]
    layout = row_layout(n, groups, ranks)
    for rank, (share, rows) in enumerate(zip(layout.shares, chunks, strict=True)):
        assert share.rows == len(rows)
        found = torch.full_like(rows, -1)
        for block in share.parts:
            assert 0 < block.rows < size
            assert (rank, block.rows) in [p[::2] for p in layout.partners[block.group]]
            found[block.start : block.stop] = block.group
        whole = slice(share.start, share.start + share.groups * size)
        assert torch.all(found[whole] == -1)
        found[whole] = rows[whole]
        counts = torch.bincount(rows[whole], minlength=groups)
        assert torch.equal(counts[counts > 0], torch.full((share.groups,), size))
        assert torch.equal(found, rows)


@given(size=st.integers(1, 12), groups=st.integers(1, 9), ranks=st.integers(1, 9))
def test_partners_hold_a_group_between_them(size, groups, ranks) -> None:
    layout = row_layout(size * groups, groups, ranks)
    for group, partners in layout.partners.items():
        assert len(partners) > 1
        assert sum(partner.rows for partner in partners) == size
        assert [p.rank for p in partners] == sorted({p.rank for p in partners})
        for partner in partners:
            assert layout.shares[partner.rank].parts[partner.part].group == group
    assert layout.parts == max(len(share.parts) for share in layout.shares) <= 2
