"""Values that nobody should pass, and some that one may: by the text that makes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from cdg_theory import Metric

# As they are written, so that a failure can be repeated; each is evaluated anew for each call.
# fmt: off
_WRITTEN = (
    "None", "True", "False", "0", "1", "-1", "3", "10**30", "10**400", "0.0", "0.5", "-1.0",
    "1e308", "5e-324", "math.nan", "math.inf", "-math.inf", "np.float64('nan')", "np.int64(2)",
    "1j", "'sobolev'", "''", "b'\\x80\\x04.'", "[]", "[1.0, 2.0]", "[None]", "()", "{}",
    "{'metric': 1.0}", "object()", "Metric", "len", "(x for x in (1, 2))", "Metric.l2()",
    "nn.Conv2d(1, 2, 1)", "torch.float32",
    "np.ones((4, 2))", "np.array(['a', 'b'])", "np.arange(4)", "np.ones((0, 3))",
    "torch.ones(4, 2)", "torch.tensor(2.0)", "torch.ones(0, 3)", "torch.ones(4, 0)",
    "torch.ones(4, 2, dtype=torch.int64)", "torch.ones(4, 2, dtype=torch.bool)",
    "torch.ones(4, 2, dtype=torch.complex64)", "torch.ones(4, 2).to(torch.float8_e4m3fn)",
    "torch.ones(4, 2).to_sparse()", "torch.eye(4).to_sparse_csr()",
    "torch.ones(4, 2, device='meta')",
    "torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])",
    "torch.quantize_per_tensor(torch.ones(4, 2), 0.1, 0, torch.qint8)",
    "nn.Parameter(torch.ones(4, 2))",
    # What could be a metric as a tensor: five numbers.
    "torch.full((5,), math.nan).double()", "torch.tensor([1.0, 1.0, 0.0, 7.0, 0.0]).double()",
    "torch.tensor([1.0, 1.0, 0.0, 0.5, 0.0]).double()",
    "torch.tensor([1.0, 1.0, 0.0, -1.0, 0.0]).double()", "torch.ones(5)",
)
# fmt: on
_NAMES = {"math": math, "np": np, "torch": torch, "nn": nn, "Metric": Metric}
ODD_VALUES: dict[str, Callable[[], Any]] = {
    written: partial(eval, written, _NAMES) for written in _WRITTEN
}


def words_for(value: object) -> set[str]:
    """Return the words of which an error about a value should use one."""
    words = {type(value).__name__}
    if isinstance(value, int | float | complex | str | bytes | np.generic) or value is None:
        words |= {repr(value), str(value)}
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                words |= {str(float(value)), f"{value:g}"}
            except OverflowError:
                words |= {str(value)[:10]}
    elif isinstance(value, torch.Tensor):
        words |= {str(value.dtype), str(value.layout), "DTensor", f"on {value.device}"}
        words |= set() if value.is_nested else {str(tuple(value.shape))}
        if value.dtype == torch.float64:  # a metric's operand, and an error may print it
            words |= {str(tuple(value.tolist()))}
    elif isinstance(value, np.ndarray):
        words |= {str(value.dtype), str(value.shape)}
    elif isinstance(value, list | tuple | dict):
        words |= {repr(value), f"got {len(value)}", f"{len(value)} tensors"} | set().union(
            *map(words_for, value)
        )
    else:
        words |= {repr(value)}
    return words - {""}
