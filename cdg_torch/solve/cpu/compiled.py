"""How kernels are compiled: once per machine, kept on disk, free of Python's global lock."""

# mypy: disable-error-code="no-untyped-call, attr-defined"
# Numba's caches carry no types.

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from cdg_torch.extras import optional
from cdg_torch.notices import say_once

with optional():
    from numba import njit, types
    from numba.core.caching import FunctionCache
    from numba.core.ccallback import CFunc
    from numba.core.runtime import rtsys


# The ``numpy`` error model spares the test for division by zero in every row; no kernel divides by
# a number that can be 0.
OPTIONS: Any = {"nogil": True, "error_model": "numpy"}


def compiled(function: Any) -> Any:
    """Compile a function for other compiled functions to call."""
    return njit(**OPTIONS)(function)


class _Kept(FunctionCache):
    """Machine code on disk, loaded without all that Numba types and compiles with.

    Numba imports these tables before it looks into a cache, which takes half a second, with SciPy's
    linear algebra among them. Kept code needs none of it, but the symbols of Numba's runtime.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def entry(function: Any) -> Any:
    """Compile a function to a C function ``void(void *)``, and keep the machine code.

    Beside the source, or in the user's cache directory where the source may not be written to.
    Where neither may, each process compiles anew.
    """
    # What `numba.cfunc` makes, but for the cache.
    run = CFunc(function, ((types.voidptr,), types.void), {}, {"error_model": "numpy"})
    try:
        run._cache = _Kept(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        say_once(
            "the compiled CPU kernels cannot be cached: neither the installation nor the user's "
            "cache directory can be written to, so each process compiles them for some seconds; "
            "set NUMBA_CACHE_DIR to a directory that can be written to"
        )
    run.compile()
    return run


# Numba keeps what a function calls together with it, but compiles anew only when the function's
# own file changes. A kept function therefore closes over this digest of all kernels.
SOURCES = hashlib.sha256(
    b"".join(file.read_bytes() for file in sorted(Path(__file__).parents[1].rglob("*.py")))
).hexdigest()
