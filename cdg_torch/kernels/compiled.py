"""How kernels are compiled: once per machine, kept on disk, free of Python's global lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compiled"]


def compiled(function: Callable[..., None]) -> Any:
    """Compile a kernel.

    Numba keeps the machine code beside the source, or in the user's cache directory where the
    source may not be written to. The ``numpy`` error model spares the test for division by zero
    in every row; no kernel divides by a number that can be 0.
    """
    return njit(nogil=True, cache=True, error_model="numpy")(function)
