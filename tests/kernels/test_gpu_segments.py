"""Columns in segments, which a thread keeps: every length, and who serves what is too long, T5, T7.

In Triton's interpreter (or compiled, where a GPU is), as ``test_gpu_interpreted``.
"""

import itertools

import numpy as np
import pytest
import torch

import cdg_torch
from cdg_torch import Metric
from cdg_torch.solve.coefficients import FIXED, PAIRS, SWEEPS, coefficients
from cdg_torch.solve.columns import Part
from cdg_torch.solve.gpu import run_gpu
from cdg_torch.solve.gpu.pair_segments import pair_segment_tables
from cdg_torch.solve.gpu.segments import (
    SEGMENT_COUNTS,
    SEGMENT_ROWS,
    THREADS,
    by_segments,
    segment_tables,
)
from cdg_torch.solve.plan import kept_plan
from tests.tools.kernel_cases import GENERAL, GENERAL_CYCLE, H0, MEMBERS, SOBOLEV
from tests.tools.kernel_errors import (
    NARROW,
    check_nearly_constant_columns,
    error_in_eps,
    gradient_of_size,
    oracle,
)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
HEIGHTS = [count * SEGMENT_ROWS for count in SEGMENT_COUNTS]
CURVED, CURVED_CYCLE = "spline", "no fluctuation, periodic"
CUT = {GENERAL: SWEEPS, GENERAL_CYCLE: SWEEPS, CURVED: PAIRS, CURVED_CYCLE: PAIRS}


@pytest.fixture(autouse=True)
def on_gpu():
    """Force the GPU kernels."""
    with cdg_torch.backend("gpu"):
        yield


@pytest.fixture
def no_segments(monkeypatch):
    """Let all columns be swept in blocks, as with a Triton that has no tuples."""
    monkeypatch.setattr(run_gpu, "_TUPLES", False)
    kept_plan.cache_clear()
    yield
    kept_plan.cache_clear()


def launches(metric, *shapes):
    """Return the kernels that a list of shapes is served by: kind, and number of segments."""
    parts = [Part(shape, (shape[1], 1), metric, 0, 1) for shape in shapes]
    plan = run_gpu.launch_plan(parts, torch.float32, torch.device(DEVICE), 1)
    return {(kind, cut): len(own) for (kind, cut, _), own in plan.lists.programs.items()}


def check(metric, *shapes) -> None:
    tensors = [gradient_of_size(shape, torch.float32, device=DEVICE) for shape in shapes]
    expected = [oracle(g, metric) for g in tensors]
    cdg_torch.riemannian_gradients_(tensors, metric)
    for g, exact in zip(tensors, expected, strict=True):
        assert error_in_eps(g, exact) <= NARROW, g.shape


@pytest.mark.parametrize("member", [GENERAL, CURVED])
def test_who_serves_which_length(member) -> None:
    kind, shapes = CUT[member], [(height + more, 1) for height in HEIGHTS for more in (0, 1)]
    expected = dict.fromkeys([(kind, count) for count in SEGMENT_COUNTS], 2)
    expected[kind, SEGMENT_COUNTS[0]], expected[kind, 0] = 1, 1
    assert launches(MEMBERS[member], *shapes) == expected


@pytest.mark.parametrize("member", [H0, SOBOLEV])
def test_without_beta_and_gamma_both_nothing_is_cut(member) -> None:
    assert {cut for _, cut in launches(MEMBERS[member], (64, 3))} == {0}


@pytest.mark.parametrize("member", CUT)
def test_one_below_at_and_one_above_every_limit(member) -> None:
    check(MEMBERS[member], *((height + more, 1) for height in HEIGHTS for more in (-1, 0, 1)))


@pytest.mark.parametrize("member", CUT)
def test_the_last_row_begins_or_ends_a_segment(member) -> None:
    check(MEMBERS[member], *((3 * SEGMENT_ROWS + more, 2) for more in (-1, 0, 1, 2)), (2, 1))


@pytest.mark.parametrize("count", SEGMENT_COUNTS)
def test_more_columns_than_a_program_takes(count) -> None:
    width = THREADS // count
    shape = (count * SEGMENT_ROWS - 5, width + 1)
    assert launches(MEMBERS[GENERAL], shape) == {(SWEEPS, count): 2}
    check(MEMBERS[GENERAL], shape)


@pytest.mark.parametrize("member", CUT)
def test_apart_and_in_place_are_the_same(member) -> None:
    g = gradient_of_size((50, 3), torch.float32, device=DEVICE)
    before = g.clone()
    k = cdg_torch.riemannian_gradient(g, MEMBERS[member])
    assert torch.equal(g, before)
    cdg_torch.riemannian_gradients_([g], MEMBERS[member])
    assert torch.equal(g, k)


def in_rows(table):
    """Return a table's numbers row by row."""
    return table.reshape(SEGMENT_ROWS, -1).T.ravel()


def test_segments_lie_side_by_side() -> None:
    n, count = 41, 4
    table = by_segments(np.arange(n) + 1.0, count, beyond=-1.0)
    assert table.shape == (SEGMENT_ROWS, count)
    assert table[0].tolist() == [1, 17, 33, -1]
    assert in_rows(table).tolist() == [*range(1, n + 1)] + [-1] * (count * SEGMENT_ROWS - n)


@pytest.mark.parametrize("member", [GENERAL, GENERAL_CYCLE])
def test_the_tables_go_on_beyond_the_last_row(member) -> None:
    metric, n, count = MEMBERS[member], 41, 4
    values = coefficients(metric, n).values
    end, start, before, after = values[FIXED : FIXED + 4 * n].reshape(4, n)
    height, found = count * SEGMENT_ROWS, segment_tables(values, n, count)
    assert len(found) == FIXED + 4 * height + 3 * count
    tables = found[FIXED : FIXED + 4 * height].reshape(4, height)
    ends, down, up, starts = map(in_rows, tables)
    for table, own, rows in ((ends, end, n), (starts, start, n), (down, after, n - 1)):
        assert np.array_equal(table[:rows], own[:rows])
        assert not table[rows:].any()
    assert np.array_equal(up[: n - 1], after[: n - 1])
    assert (up[n - 1 :] == 1).all()
    across, response, homogeneous = found[FIXED + 4 * height :].reshape(3, count)
    assert np.allclose(across, up.reshape(count, -1).prod(axis=1), rtol=1e-14, atol=0)
    # What enters a segment is p times what the row above it has made, by the recurrence itself.
    for table, r, w in ((response, 1.0, 0.0), (homogeneous, 0.0, 1.0)):
        for i, p in enumerate(after[:-1]):
            if i % SEGMENT_ROWS == 0:
                assert table[i // SEGMENT_ROWS] == pytest.approx(w, rel=1e-13), i
            w = p * (w + r)
    assert before[0] == 1


def test_the_tables_of_pairs_go_on_beyond_the_last_row() -> None:
    metric, n, count = MEMBERS[CURVED_CYCLE], 41, 4
    values, height = coefficients(metric, n).values, count * SEGMENT_ROWS
    found = pair_segment_tables(values, n, count)
    assert len(found) == FIXED + 5 * height + 4 * count
    assert np.array_equal(found[:FIXED], values[:FIXED])
    own = values[FIXED:].reshape(-1, n)[[4, 6, 7, 8, 9]]
    tables = [*map(in_rows, found[FIXED : FIXED + 5 * height].reshape(5, height))]
    for table, numbers, rows in zip(tables, own, (n, n, n, n - 1, n - 1), strict=True):
        assert np.array_equal(table[:rows], numbers[:rows])
        assert not table[rows:].any()
    # What a segment does to (1, 0) and (0, 1), by the recurrence itself.
    across = found[FIXED + 5 * height :].reshape(2, 2, count)
    for column, (y, z) in enumerate(np.eye(2)):
        for i, (p, s) in enumerate(zip(*tables[3:], strict=True)):
            z = z + y
            y, z = y - s * z, p * z
            if i % SEGMENT_ROWS == SEGMENT_ROWS - 1:
                segment = i // SEGMENT_ROWS
                assert across[:, column, segment] == pytest.approx([y, z], rel=1e-12, abs=1e-15)
                y, z = np.eye(2)[column]


@pytest.mark.parametrize(
    "weights", [(1.0, 2.0**power) for power in (-59, -67, -400)] + [(1.0, 0.0, 2.0**-150)]
)
def test_products_that_leave_the_normal_numbers_do_no_harm(weights) -> None:
    # p is nearly γ/β, and P its sixteenth power: subnormal, and 0.
    check(Metric(1.0, *weights, spacing="unit"), (40, 3))


@pytest.mark.usefixtures("no_segments")
@pytest.mark.parametrize("member", CUT)
def test_without_tuples_all_is_swept_in_blocks(member) -> None:
    # The last row's sweep is not asked for: a third block needs more than one.
    shapes = [(2, 1), (3, 10), (32, 3), (63, 1), (65, 2), (75, 1)]
    assert {cut for _, cut in launches(MEMBERS[member], *shapes)} == {0}
    check(MEMBERS[member], *shapes)


@pytest.mark.usefixtures("no_segments")
def test_in_blocks_a_nearly_constant_column_keeps_its_fluctuation() -> None:
    check_nearly_constant_columns(1e-150, DEVICE, most=3)


def test_several_metrics_and_lengths_find_their_own_tables() -> None:
    metrics = [MEMBERS[name] for name in (*CUT, H0)]
    cases = [*itertools.product(metrics, [(20, 2), (70, 2)])]
    tensors = [gradient_of_size(shape, torch.float32, device=DEVICE) for _, shape in cases]
    expected = [oracle(g, metric) for g, (metric, _) in zip(tensors, cases, strict=True)]
    cdg_torch.riemannian_gradients_(tensors, [metric for metric, _ in cases])
    for g, exact in zip(tensors, expected, strict=True):
        assert error_in_eps(g, exact) <= NARROW


# The interpreter is NumPy, which remarks upon inf - inf.
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("member", CUT)
def test_only_its_own_column_is_spoiled(member) -> None:
    clean = gradient_of_size((70, 6), torch.float32, device=DEVICE)
    g = clean.clone()
    spoiled = {0: (0, "nan"), 2: (15, "inf"), 3: (16, "-inf"), 5: (69, "inf")}
    for column, (row, bad) in spoiled.items():
        g[row, column] = float(bad)
    k, expected = (cdg_torch.riemannian_gradient(t, MEMBERS[member]) for t in (g, clean))
    others = [1, 4]
    assert torch.equal(k[:, others], expected[:, others])
    assert not k[:, [*spoiled]].isfinite().any()
