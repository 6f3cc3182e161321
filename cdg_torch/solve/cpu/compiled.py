"""How kernels are compiled: once per machine, kept on disk, free of Python's global lock."""

# mypy: disable-error-code="no-untyped-call, attr-defined"
# Numba's caches carry no types.

from __future__ import annotations

import hashlib
import os
import pickle
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from cdg_torch.extras import optional
from cdg_torch.notices import say_once

with optional():
    import numba
    from numba import njit, types
    from numba.core.caching import FunctionCache
    from numba.core.ccallback import CFunc
    from numba.core.runtime import rtsys
    from numba.core.serialize import dumps


# The ``numpy`` error model spares the test for division by zero in every row; no kernel divides by
# a number that can be 0.
OPTIONS: Any = {"nogil": True, "error_model": "numpy"}


def compiled(function: Any) -> Any:
    """Compile a function for other compiled functions to call."""
    return njit(**OPTIONS)(function)


class _Files:
    """Machine code on disk: one file for each key, named after it, with a digest of what it holds.

    Numba's own files are numbered, and an index, written before them, says which is whose. Two
    processes that begin at once, or one that ends between the two, can leave an index that names
    the code of another storage type. Here there is nothing to disagree with.
    """

    def __init__(self, folder: str, name: str) -> None:
        self.folder, self.name = Path(folder), name

    def _path(self, key: Any) -> Path:
        """Return the place of a key: signature, processor, and hashes of the code."""
        signature, processor, code = key
        where, what = (
            hashlib.sha256(repr(part).encode()).hexdigest()[:16]
            for part in ((numba.__version__, signature, processor), code)
        )
        return self.folder / f"{self.name}.{where}.{what}.nbc"

    def load(self, key: Any) -> Any:
        """Return what was kept under a key; None if there is nothing, or it is damaged."""
        try:
            kept = self._path(key).read_bytes()
        except OSError:
            return None
        digest, data = kept[:32], kept[32:]
        return pickle.loads(data) if hashlib.sha256(data).digest() == digest else None

    def save(self, key: Any, code: Any) -> None:
        """Keep code, whole or not at all, instead of that of older sources."""
        path, data = self._path(key), dumps(code)
        draft = path.with_suffix(f".{uuid.uuid4().hex[:16]}")
        try:
            draft.write_bytes(hashlib.sha256(data).digest() + data)
            os.replace(draft, path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            say_once(f"the compiled CPU kernels cannot be kept in {self.folder}: {error}")
            return
        where = path.name.split(".")[-3]
        for older in self.folder.glob(f"{self.name}.{where}.*.nbc"):
            if older != path:
                with suppress(OSError):
                    older.unlink()


class _Kept(FunctionCache):
    """Machine code on disk, loaded without all that Numba types and compiles with.

    Numba imports these tables before it looks into a cache, which takes half a second, with SciPy's
    linear algebra among them. Kept code needs none of it, but the symbols of Numba's runtime.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = _Files(  # type: ignore[assignment]
            self.cache_path, self._impl.filename_base
        )

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
