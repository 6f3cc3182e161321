"""The CPU kernels as the Python that they are: stand-ins for what compiles them.

Numba takes seconds to compile one mutant of a kernel. But a kernel is a Python function over lanes,
and needs only something that behaves like lanes: here, a NumPy array of ``LANES`` float64. With the
stand-ins in place, ``cpu``, ``double`` and ``drive`` run in the interpreter, line by line, whatever
functions they define, and the suite's own tests of the kernels run on them.

What this covers: every formula, loop, index, address and branch of those files, and the rounding to
each storage type. What it does not: :mod:`cdg_torch.solve.cpu.vectors` itself; the contraction of a
product and a sum to one rounding (of ``rest``, what the mean's own rounding lost, only a last digit
of the sum is seen here, or nothing); integers of 64 bits; speed.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np

LANES = 16
_counter = threading.Lock()


class _Lanes(np.ndarray):
    """A value: ``x += y`` makes a new one, as it does of a number."""

    def __iadd__(self, other: Any) -> Any:
        return self + other

    def __isub__(self, other: Any) -> Any:
        return self - other

    def __imul__(self, other: Any) -> Any:
        return self * other

    def __itruediv__(self, other: Any) -> Any:
        return self / other


def _memory(address: int, count: int, dtype: Any) -> np.ndarray:
    dtype = np.dtype(dtype)
    memory = (ctypes.c_char * (count * dtype.itemsize)).from_address(int(address))
    return np.frombuffer(memory, dtype)


def spread(value: float) -> Any:
    return np.full(LANES, value, np.float64).view(_Lanes)


def larger(one: Any, other: Any) -> Any:
    a, b = np.abs(np.asarray(one)), np.abs(np.asarray(other))
    return np.where(np.isnan(a) | np.isnan(b), np.nan, np.maximum(a, b)).view(_Lanes)


def power_of_two(size: Any) -> Any:
    size = np.abs(np.asarray(size))
    finite = np.isfinite(size)
    exponent = np.frexp(np.where(finite, size, 1.0))[1] - 1
    # Below the smallest normal number, 0 among them, there is one power for all.
    exponent = np.where(size < 2.0**-1022, -1022, np.clip(exponent, -1022, 1022))
    return np.ldexp(1.0, np.where(finite, exponent, 0)).view(_Lanes)


def inverse_power(power: Any) -> Any:
    return (1.0 / np.asarray(power)).view(_Lanes)


def load(tag: np.ndarray, address: int, index: int) -> Any:
    stored = _memory(address + index * tag.itemsize, LANES, tag.dtype)
    if tag.dtype == np.uint16:
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    elif tag.dtype == np.int16:
        stored = stored.view(np.float16)
    return stored.astype(np.float64).view(_Lanes)


def store(tag: np.ndarray, address: int, index: int, value: Any) -> None:
    place = _memory(address + index * tag.itemsize, LANES, tag.dtype)
    value = np.asarray(value)
    if tag.dtype != np.float64:
        value = value.astype(np.float32)
    if tag.dtype == np.uint16:
        bits = value.view(np.uint32).astype(np.uint64)
        upper = bits >> 16
        rounded = (bits + 0x7FFF + (upper & 1)) >> 16
        place[:] = np.where(np.isnan(value), upper | 0x40, rounded).astype(np.uint16)
    elif tag.dtype == np.int16:
        place[:] = value.astype(np.float16).view(np.int16)
    else:
        place[:] = value


def move(tag: np.ndarray, src: int, i: int, dst: int, j: int) -> None:
    ctypes.memmove(int(dst + j * tag.itemsize), int(src + i * tag.itemsize), tag.itemsize)


def prefetch(tag: Any, address: int, index: int, level: int) -> None:
    """Do nothing: the place need not exist."""


def pointer(address: int) -> int:
    return int(address)


def next_number(place: int, offset: int) -> int:
    with _counter:
        counter = _memory(place + offset, 1, np.int64)
        found = int(counter[0])
        counter[0] = found + 1
    return found


def carray(address: int, shape: Any, dtype: Any) -> Any:
    """Stand in for Numba's: an array at an address, with fields as attributes."""
    shape = tuple(int(s) for s in shape) if isinstance(shape, tuple) else (int(shape),)
    array = _memory(address, int(np.prod(shape)), dtype).reshape(shape)
    return array.view(np.recarray) if array.dtype.names else array


def compiled(function: Any) -> Any:
    return function


def entry(function: Any) -> Any:
    """Make a C function of a Python one, as ``numba.cfunc`` does."""

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def call(address: int) -> None:
        # Compiled code divides 0 by 0 without a word.
        with np.errstate(all="ignore"):
            function(address)

    return types.SimpleNamespace(ctypes=call)


LIKE_LANES = (
    "LANES", "inverse_power", "larger", "load", "move", "next_number", "pointer", "power_of_two",
    "prefetch", "spread", "store",
)  # fmt: skip


def stand_ins() -> dict[str, types.ModuleType]:
    """Return the modules that take the place of the kernels' compiler and lanes."""
    lanes = types.ModuleType("cdg_torch.solve.cpu.vectors")
    for name in LIKE_LANES:
        setattr(lanes, name, globals()[name])
    compiler = types.ModuleType("cdg_torch.solve.cpu.compiled")
    compiler.compiled, compiler.entry = compiled, entry  # type: ignore[attr-defined]
    compiler.SOURCES = "interpreted"  # type: ignore[attr-defined]
    return {lanes.__name__: lanes, compiler.__name__: compiler}


def interpret(root: Path) -> None:  # noqa: ARG001  what prepares an arena is told where it is
    """Put the stand-ins in place, before the kernels are imported."""
    import numba

    numba.carray = carray
    sys.modules.update(stand_ins())
