"""Packages that only some features need, and what installs them."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRA = "pip install 'channel-directed-gradients[{}]' installs it"

CURES = {
    "numba": _EXTRA.format("fast"),
    "triton": "torch's CUDA builds bring it",
    "matplotlib": _EXTRA.format("experiments"),
    "PIL": _EXTRA.format("experiments"),
    "safetensors": _EXTRA.format("experiments"),
    "sklearn": _EXTRA.format("experiments"),
    "distributed": _EXTRA.format("cluster"),
    "torchmetrics": _EXTRA.format("experiments"),
    "jupytext": _EXTRA.format("notebooks"),
    "pybtex": _EXTRA.format("notebooks"),
}
"""What to do about each package that may be missing, by the name it is imported by."""

_DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}


def missing(package: str) -> str:
    """Return what to say of a missing package: its name and the cure.

    Examples
    --------
    >>> print(missing("sklearn"))
    scikit-learn is not installed; pip install 'channel-directed-gradients[experiments]' installs it
    """
    name = _DISTRIBUTIONS.get(package, package)
    return f"{name} is not installed; {CURES[package]}"


def require(*packages: str) -> None:
    """Refuse to begin what would stop halfway for want of a package.

    Raises
    ------
    ModuleNotFoundError
        If one of the packages, all in :data:`CURES`, is not installed.
    """
    for package in packages:
        if find_spec(package) is None:
            raise ModuleNotFoundError(missing(package), name=package)


@contextmanager
def optional() -> Iterator[None]:
    """Import here what may be missing.

    Yields
    ------
    None

    Raises
    ------
    ModuleNotFoundError
        If one of :data:`CURES` is missing: with its cure.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in CURES:
            raise
        raise ModuleNotFoundError(missing(package), name=package) from error
