"""How kernels are compiled: once per machine, kept on disk, free of Python's global lock."""

# mypy: disable-error-code="no-untyped-call, attr-defined"
# Numba's caches carry no types.

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from cdg_torch.extras import optional
from cdg_torch.notices import say_once

with optional():
    import numba
    from numba import njit, types
    from numba.core.caching import FunctionCache, IndexDataCacheFile
    from numba.core.ccallback import CFunc
    from numba.core.runtime import rtsys


# The ``numpy`` error model spares the test for division by zero in every row; no kernel divides by
# a number that can be 0.
OPTIONS: Any = {"nogil": True, "error_model": "numpy"}


def compiled(function: Any) -> Any:
    """Compile a function for other compiled functions to call."""
    return njit(**OPTIONS)(function)


class _Files(IndexDataCacheFile):
    """Machine code on disk: one file for each key, named after it, with a digest at its end.

    Numba's own files are numbered, and an index, written before them, says which is whose. Two
    processes that begin at once, or one that ends between the two, can leave an index that names
    the code of another storage type. Here there is nothing to disagree with.
    """

    def __init__(self, folder: str, name: str) -> None:
        super().__init__(folder, name, None)
        self.folder, self.name = Path(folder), name

    def _names(self, key: Any) -> tuple[str, str]:
        """Return the name of a key's file, and the pattern of those of other sources."""
        signature, processor, code = key
        where, what = (
            hashlib.sha256(repr(part).encode()).hexdigest()[:16]
            for part in ((numba.__version__, signature, processor), code)
        )
        return f"{self.name}.{where}.{what}.nbc", f"{self.name}.{where}.*.nbc"

    def _dump(self, obj: Any) -> bytes:
        data: bytes = super()._dump(obj)
        return data + hashlib.sha256(data).digest()  # which reading the data leaves alone

    def load(self, key: Any) -> Any:
        """Return what was kept under a key; None if there is nothing, or it is damaged."""
        name, _ = self._names(key)
        try:
            kept = (self.folder / name).read_bytes()
        except OSError:
            return None
        whole = hashlib.sha256(kept[:-32]).digest() == kept[-32:]
        return self._load_data(name) if whole else None

    def save(self, key: Any, data: Any) -> None:
        """Keep code, whole or not at all, instead of that of older sources."""
        name, others = self._names(key)
        try:
            self._save_data(name, data)
        except OSError as error:
            say_once(f"the compiled CPU kernels cannot be kept in {self.folder}: {error}")
            return
        for older in self.folder.glob(others):
            if older.name != name:
                with suppress(OSError):
                    older.unlink()


class _Kept(FunctionCache):
    """Machine code on disk, loaded without all that Numba types and compiles with.

    Numba imports these tables before it looks into a cache, which takes half a second, with SciPy's
    linear algebra among them. Kept code needs none of it, but the symbols of Numba's runtime.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = _Files(self.cache_path, self._impl.filename_base)

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
