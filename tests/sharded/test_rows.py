"""T11, T18 rank by rank: what blocks hand over, and what a rank makes of it, without any processes.

The rows of all ranks together are those of the whole tensor, the digits of a large mean included.
"""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from cdg_theory import Metric
from cdg_torch import riemannian_gradient
from cdg_torch.placements import row_layout
from cdg_torch.sharded import _Cut
from cdg_torch.solve import Job
from tests.tools.kernel_cases import LIGHT, MEMBERS, SMOOTHING

CURVED = {
    "biharmonic": Metric.biharmonic(0.11),
    "biharmonic, cycle": Metric.biharmonic(0.11, boundary="periodic"),
    "spline, unit": Metric.spline(2.0, spacing="unit"),
    "all four, cycle": Metric(0.5, 1e-9, 3.0, 2.0, boundary="periodic"),
}
CUT = {name: MEMBERS[name] for name in SMOOTHING} | CURVED


def shared_rows(g: Tensor, metric: Metric, groups: int, ranks: int) -> Iterator[tuple[Tensor, int]]:
    """Yield the rows of every group that several ranks share, and its first row's index."""
    layout = row_layout(len(g), groups, ranks)
    size = len(g) // groups
    # Axis 1, where a mistaken axis shows.
    locals_ = [part.mT.contiguous() for part in g.split([share.rows for share in layout.shares])]
    cuts = [
        _Cut(Job(torch.empty_like(rows), rows, metric, 1), layout, rank, None, 0)
        for rank, rows in enumerate(locals_)
    ]
    given = torch.zeros(ranks, *cuts[0].shape, dtype=torch.float64)
    for cut in cuts:
        cut.summarize(given[cut.rank])
    for cut in cuts:
        cut.finish(given.flatten(1))
    for group, partners in layout.partners.items():
        rows = [
            cuts[p.rank].job.out.narrow(1, layout.shares[p.rank].parts[p.part].start, p.rows)
            for p in partners
        ]
        yield torch.cat(rows, 1).mT, group * size


# 24 rows in one group and in two, of which the second of three ranks has parts of both; uneven.
@pytest.mark.parametrize(("n", "groups", "ranks"), [(24, 1, 2), (24, 2, 3), (31, 1, 4)])
@pytest.mark.parametrize("member", CUT)
def test_all_rows_are_those_of_the_whole(member, n, groups, ranks) -> None:
    g = torch.randn(n, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(n)) + 3.0
    whole = riemannian_gradient(g.float(), CUT[member], groups=groups)
    found = list(shared_rows(g.float(), CUT[member], groups, ranks))
    assert found
    for rows, start in found:
        # Rounded once each: the two may lie on two sides of a tie.
        expected = whole[start : start + len(rows)]
        torch.testing.assert_close(rows, expected, rtol=2.0**-23, atol=0)


@pytest.mark.parametrize("member", [*CUT, *LIGHT])
def test_a_constant_column_is_divided_by_the_weight_of_the_mean(member) -> None:
    metric = (CUT | LIGHT)[member]
    constants = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    g = constants.expand(62, -1).contiguous()
    ((rows, _),) = shared_rows(g, metric, 1, 3)
    assert torch.equal(rows, g / metric.mean)


def test_a_light_mean_beside_a_stiff_derivative() -> None:
    # The rounding error of a mean that is 0 must not be divided by the weight of the mean. Whole
    # numbers in two blocks of 8 rows have exact means.
    generator = torch.Generator().manual_seed(0)
    g = torch.randint(-9, 9, (16, 5), generator=generator).double()
    g[-1] -= g.sum(0)
    metric = Metric(1e-12, 0.3, 1.0, spacing="unit")
    ((rows, _),) = shared_rows(g, metric, 1, 2)
    whole = riemannian_gradient(g, metric)
    # M⁻¹ without the mean is at most 1/0.3, and 16 rows meet fewer than 40 roundings each.
    allowed = 16 * 40 * 2.0**-53 * float(g.abs().sum(0).max()) / 0.3
    torch.testing.assert_close(rows, whole, rtol=0, atol=allowed)
