"""Argument checks shared by the modules of the theory."""

from __future__ import annotations

import operator

__all__ = ["channel_count"]


def channel_count(n: object) -> int:
    """Return ``n`` as a positive int, or say why it cannot be a number of output channels.

    Raises
    ------
    TypeError
        If ``n`` is not an integer.
    ValueError
        If ``n`` < 1.
    """
    if isinstance(n, bool):
        msg = f"n, the number of output channels, must be an integer, got {n!r}"
        raise TypeError(msg)
    try:
        count = operator.index(n)  # type: ignore[arg-type]  # operator.index is the check
    except TypeError:
        msg = f"n, the number of output channels, must be an integer, got {n!r}"
        raise TypeError(msg) from None
    if count < 1:
        msg = f"n, the number of output channels, must be >= 1, got {count}"
        raise ValueError(msg)
    return count
