"""Columns in segments, which a thread keeps: every length, and who serves what is too long, T5, T7.

In Triton's interpreter (or compiled, where a GPU is), as ``test_gpu_interpreted``.
"""

import itertools

import numpy as np
import pytest
import torch

import cdg_torch
from cdg_torch import Metric
from cdg_torch.solve.coefficients import FIXED, SWEEPS, coefficients
from cdg_torch.solve.columns import Part
from cdg_torch.solve.gpu import run_gpu
from cdg_torch.solve.gpu.segments import (
    SEGMENT_COUNTS,
    SEGMENT_ROWS,
    THREADS,
    segment_tables,
)
from cdg_torch.solve.plan import kept_plan
from tests.tools.kernel_cases import GENERAL, GENERAL_CYCLE, H0, MEMBERS, SOBOLEV
from tests.tools.kernel_errors import NARROW, error_in_eps, gradient_of_size, oracle

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
HEIGHTS = [count * SEGMENT_ROWS for count in SEGMENT_COUNTS]


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
    return {(kind, cut): len(own) for (kind, cut, _), own in plan.programs.items()}


def check(metric, *shapes) -> None:
    tensors = [gradient_of_size(shape, torch.float32, device=DEVICE) for shape in shapes]
    expected = [oracle(g, metric) for g in tensors]
    apart = [cdg_torch.riemannian_gradient(g, metric) for g in tensors]
    cdg_torch.riemannian_gradients_(tensors, metric)
    for g, k, exact in zip(tensors, apart, expected, strict=True):
        assert error_in_eps(g, exact) <= NARROW, g.shape
        assert torch.equal(g, k), g.shape


def test_who_serves_which_length() -> None:
    shapes = [(height + more, 1) for height in HEIGHTS for more in (0, 1)]
    expected = dict.fromkeys([(SWEEPS, count) for count in SEGMENT_COUNTS], 2)
    expected[SWEEPS, SEGMENT_COUNTS[0]], expected[SWEEPS, 0] = 1, 1
    assert launches(MEMBERS[GENERAL], *shapes) == expected


@pytest.mark.parametrize("member", [H0, SOBOLEV])
def test_without_beta_and_gamma_both_nothing_is_cut(member) -> None:
    assert {cut for _, cut in launches(MEMBERS[member], (64, 3))} == {0}


@pytest.mark.parametrize("member", [GENERAL, GENERAL_CYCLE])
@pytest.mark.parametrize("height", HEIGHTS)
def test_one_below_at_and_one_above_every_limit(height, member) -> None:
    check(MEMBERS[member], *((height + more, 3) for more in (-1, 0, 1)))


@pytest.mark.parametrize("member", [GENERAL, GENERAL_CYCLE])
def test_the_last_row_begins_or_ends_a_segment(member) -> None:
    check(MEMBERS[member], *((3 * SEGMENT_ROWS + more, 2) for more in (-1, 0, 1, 2)))


@pytest.mark.parametrize("count", SEGMENT_COUNTS)
def test_more_columns_than_a_program_takes(count) -> None:
    width = THREADS // count
    shape = (count * SEGMENT_ROWS - 5, 2 * width + 1)
    assert launches(MEMBERS[GENERAL], shape) == {(SWEEPS, count): 3}
    check(MEMBERS[GENERAL], shape)


@pytest.mark.parametrize("member", [GENERAL, GENERAL_CYCLE])
def test_the_tables_go_on_beyond_the_last_row(member) -> None:
    metric, n, count = MEMBERS[member], 41, 4
    values = coefficients(metric, n).values
    end, start, before, after = values[FIXED : FIXED + 4 * n].reshape(4, n)
    height, found = count * SEGMENT_ROWS, segment_tables(values, n, count)
    assert len(found) == FIXED + 4 * height + 3 * count
    ends, down, up, starts = found[FIXED : FIXED + 4 * height].reshape(4, height)
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


def test_products_that_leave_the_normal_numbers_do_no_harm() -> None:
    # p is nearly γ/β, and P its sixteenth power: subnormal, and 0.
    for power in (-59, -64, -67, -400):
        check(Metric(1.0, 1.0, 2.0**power, spacing="unit"), (40, 3))


@pytest.mark.usefixtures("no_segments")
@pytest.mark.parametrize("member", [GENERAL, GENERAL_CYCLE])
def test_without_tuples_all_is_swept_in_blocks(member) -> None:
    shapes = [(2, 1), (3, 33), (32, 3), (63, 1), (65, 3), (300, 3)]
    assert {cut for _, cut in launches(MEMBERS[member], *shapes)} == {0}
    check(MEMBERS[member], *shapes)


def test_several_metrics_and_lengths_find_their_own_tables() -> None:
    metrics = [MEMBERS[name] for name in (GENERAL, GENERAL_CYCLE, H0)]
    cases = [*itertools.product(metrics, [(20, 2), (70, 2)])]
    tensors = [gradient_of_size(shape, torch.float32, device=DEVICE) for _, shape in cases]
    expected = [oracle(g, metric) for g, (metric, _) in zip(tensors, cases, strict=True)]
    cdg_torch.riemannian_gradients_(tensors, [metric for metric, _ in cases])
    for g, exact in zip(tensors, expected, strict=True):
        assert error_in_eps(g, exact) <= NARROW


# The interpreter is NumPy, which remarks upon inf - inf.
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("row", [0, 15, 16, 69])
def test_only_its_own_column_is_spoiled(row) -> None:
    clean = gradient_of_size((70, 4), torch.float32, device=DEVICE)
    g = clean.clone()
    g[row, 2] = float("nan")
    k, expected = (cdg_torch.riemannian_gradient(t, MEMBERS[GENERAL]) for t in (g, clean))
    others = torch.arange(4, device=DEVICE) != 2
    assert torch.equal(k[:, others], expected[:, others])
    assert not k[:, 2].isfinite().any()
