"""certify draws numbers that the storage type holds: rounding agrees with NumPy's and torch's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdg_theory.certificates.draws import KINDS, draw_column
from cdg_theory.rounding.formats import FORMATS, float_format

REFERENCE = {
    "float64": lambda x: x,
    "float32": lambda x: x.astype(np.float32),
    # NumPy rounds float64 to float16 at once. torch goes by way of float32: give it that.
    "float16": lambda x: x.astype(np.float16),
    "bfloat16": lambda x: torch.from_numpy(x.astype(np.float32)).bfloat16().double().numpy(),
}


@pytest.mark.parametrize("name", FORMATS)
@given(values=st.lists(st.floats(-6e4, 6e4, width=32), min_size=1))
def test_rounding_is_the_machines(name, values) -> None:
    x = np.array(values, dtype=np.float64)
    np.testing.assert_array_equal(FORMATS[name].round(x), REFERENCE[name](x).astype(np.float64))


@pytest.mark.parametrize("name", FORMATS)
def test_the_table_agrees_with_torch(name) -> None:
    limits, entry = torch.finfo(getattr(torch, name)), FORMATS[name]
    assert limits.eps == 2 * entry.unit_roundoff
    assert limits.smallest_normal == entry.smallest_normal
    # tiny·eps is the distance of neighbours around zero.
    assert limits.tiny * limits.eps == entry.smallest_subnormal
    assert limits.max == (2 - limits.eps) * 2.0**entry.max_exp


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 33])
def test_draws_are_representable_and_zero_where_they_say_so(name, kind, n) -> None:
    column = draw_column(kind, n, FORMATS[name], np.random.default_rng(3))
    assert column.shape == (n,)
    assert column.any() == (kind != "zero")
    np.testing.assert_array_equal(REFERENCE[name](column).astype(np.float64), column)


@pytest.mark.parametrize("name", FORMATS)
def test_the_largest_number_is_kept(name) -> None:
    largest = torch.finfo(getattr(torch, name)).max
    assert FORMATS[name].round(np.array([largest])) == largest


def test_what_overflows_is_refused() -> None:
    with pytest.raises(OverflowError, match="65520 is larger than float16 holds"):
        FORMATS["float16"].round(np.array([65520.0]))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="'float64', 'float32', 'float16', 'bfloat16', got 'f4'"):
        float_format("f4")
