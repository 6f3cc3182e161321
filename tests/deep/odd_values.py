"""Values that nobody should pass, and some that one may: by name, made anew for each call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from cdg_theory import Metric

ODD_VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "False": lambda: False,
    "zero": lambda: 0,
    "one": lambda: 1,
    "minus one": lambda: -1,
    "three": lambda: 3,
    "a huge int": lambda: 10**30,
    "an int beyond float": lambda: 10**400,
    "0.0": lambda: 0.0,
    "0.5": lambda: 0.5,
    "-1.0": lambda: -1.0,
    "1e308": lambda: 1e308,
    "5e-324": lambda: 5e-324,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "a NumPy nan": lambda: np.float64("nan"),
    "a NumPy int": lambda: np.int64(2),
    "a complex number": lambda: 1j,
    "a word": lambda: "sobolev",
    "no word": lambda: "",
    "bytes": lambda: b"\x80\x04.",
    "an empty list": list,
    "a list": lambda: [1.0, 2.0],
    "a list of None": lambda: [None],
    "an empty tuple": tuple,
    "an empty dict": dict,
    "a dict": lambda: {"metric": 1.0},
    "an object": object,
    "a class": lambda: Metric,
    "a function": lambda: len,
    "a generator": lambda: (x for x in (1, 2)),
    "a metric": Metric.l2,
    "a module": lambda: nn.Conv2d(1, 2, 1),
    "a dtype": lambda: torch.float32,
    "a NumPy array": lambda: np.ones((4, 2)),
    "a NumPy array of words": lambda: np.array(["a", "b"]),
    "a NumPy array of ints": lambda: np.arange(4),
    "an empty NumPy array": lambda: np.ones((0, 3)),
    "a tensor": lambda: torch.ones(4, 2),
    "a number as a tensor": lambda: torch.tensor(2.0),
    "an empty tensor": lambda: torch.ones(0, 3),
    "rows without columns": lambda: torch.ones(4, 0),
    "an int tensor": lambda: torch.ones(4, 2, dtype=torch.int64),
    "a bool tensor": lambda: torch.ones(4, 2, dtype=torch.bool),
    "a complex tensor": lambda: torch.ones(4, 2, dtype=torch.complex64),
    "an 8-bit tensor": lambda: torch.ones(4, 2).to(torch.float8_e4m3fn),
    "a sparse tensor": lambda: torch.ones(4, 2).to_sparse(),
    "a sparse row tensor": lambda: torch.eye(4).to_sparse_csr(),
    "a meta tensor": lambda: torch.ones(4, 2, device="meta"),
    "a nested tensor": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "a quantized tensor": lambda: torch.quantize_per_tensor(torch.ones(4, 2), 0.1, 0, torch.qint8),
    "a parameter": lambda: nn.Parameter(torch.ones(4, 2)),
    "an operand of nans": lambda: torch.full((5,), math.nan, dtype=torch.float64),
    "an operand out of range": lambda: torch.tensor([1.0, 1.0, 0.0, 7.0, 0.0]).double(),
    "an operand between": lambda: torch.tensor([1.0, 1.0, 0.0, 0.5, 0.0]).double(),
    "an operand, negative": lambda: torch.tensor([1.0, 1.0, 0.0, -1.0, 0.0]).double(),
    "an operand of floats": lambda: torch.ones(5),
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
