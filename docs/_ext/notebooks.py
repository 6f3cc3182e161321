"""Where executed notebooks are kept, and how their figures look."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


def sources_digest(root: Path) -> str:
    """Return a digest of the library's sources: what a notebook's outputs depend on."""
    digest = hashlib.sha256()
    for package in ("cdg_theory", "cdg_torch"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def prepare(docs: Path) -> Path:
    """Set up the notebooks' kernels and return the folder for their cached outputs.

    A cache keyed on the cells alone would go on showing results of code that has changed, and its
    assertions would pass unexecuted. This one lies in a folder named after the sources.
    """
    cache = docs / "_build" / "notebooks" / sources_digest(docs.parent)
    if cache.parent.is_dir():
        for stale in cache.parent.iterdir():
            if stale != cache:
                shutil.rmtree(stale, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    # IPython writes into its folder, so it gets a copy.
    ipython = docs / "_build" / "ipython"
    shutil.copytree(docs / "_ipython", ipython, dirs_exist_ok=True)
    os.environ["IPYTHONDIR"] = str(ipython)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(docs.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # The debugger that ships with the kernel warns about frozen modules on standard error.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    return cache
