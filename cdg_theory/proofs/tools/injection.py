"""Rounding, one operation at a time: what an error of the size of its result does to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


class Off:
    """Hands on what operations return: twice as much of the one at a place, its error being 1.

    One operation gives a number or a row of columns; a larger array holds a row for each.
    """

    def __init__(self, place: int = -1) -> None:
        self.place, self.made = place, 0

    def __call__(self, value: Any) -> Any:
        """Count the operations, and return their results."""
        at = self.place - self.made
        if np.ndim(value) < 2:
            self.made += 1
            return 2 * value if at == 0 else value
        rows = value.reshape(-1, value.shape[-1])
        self.made += len(rows)
        if 0 <= at < len(rows):
            rows[at] *= 2
        return rows.reshape(value.shape)


def injected(solve: Callable[[Off], Any]) -> tuple[Any, Any]:
    """Return a result, and the moduli of what an error in each of its operations does, summed.

    Examples
    --------
    >>> injected(lambda off: off(off(3 + 4) - 5))
    (2, 9)
    """
    right = solve(off := Off())
    return right, sum(abs(solve(Off(place)) - right) for place in range(off.made))
