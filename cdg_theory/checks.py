"""Argument checks shared by all modules: cause, value and cure in one sentence."""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

_PRINTED = (bool, int, float, complex, str, bytes, list, tuple, dict, np.generic)


def qualified(kind: type) -> str:
    """Return the name of a class, with its module: many packages have an ``SGD``.

    Examples
    --------
    >>> qualified(float), qualified(np.ndarray)
    ('float', 'numpy.ndarray')
    """
    within = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{within}{kind.__qualname__}"


def described(value: object) -> str:
    """Return what an error calls a value: short, whatever it is.

    Examples
    --------
    >>> described(10.0), described(np.ones(3)), described(np.ndarray)
    ('10.0 of type float', 'an object of type numpy.ndarray', 'the class numpy.ndarray')
    """
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {qualified(value)}"
    shown = "an object"
    if isinstance(value, _PRINTED):
        shown = " ".join(reprlib.repr(value).split())  # a module's fills several lines
    return f"{shown} of type {qualified(type(value))}"


def one_of(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse anything but one of a few words.

    Raises
    ------
    ValueError
        If ``value`` is none of them.
    """
    # Arrays and tensors answer == entry by entry.
    if not isinstance(value, str) or value not in choices:
        named = ", ".join(map(repr, choices))
        msg = f"{name} must be one of {named}, got {described(value)}"
        raise ValueError(msg)


def finite_number(name: str, value: object, *, cure: str) -> float:
    """Return ``value`` as a float.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is not finite.
    """
    # bool is a Real to Python, but Metric(True) is a slip, not a weight.
    if isinstance(value, bool) or not isinstance(value, (float, Real)):
        msg = f"{name} must be a real number, got {described(value)}; {cure}"
        raise TypeError(msg)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        msg = f"{name} must be finite, got {reprlib.repr(value)}; {cure}"
        raise ValueError(msg)
    return number


def whole_number(name: str, value: object, *, least: int) -> int:
    """Return ``value``, a whole number that is not too small.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{name} must be a whole number >= {least}, got {described(value)}"
        raise ValueError(msg)
    return value


def channel_count(n: object) -> int:
    """Return ``n`` as a positive int, or say why it cannot be a number of output channels.

    Raises
    ------
    TypeError
        If ``n`` is not an integer.
    ValueError
        If ``n`` < 1.
    """
    try:
        count = operator.index(n)  # type: ignore[arg-type]  # operator.index is the check
    except (TypeError, RuntimeError):  # torch's own complaint is the other one
        count = None
    if count is None or isinstance(n, bool):
        msg = f"n, the number of output channels, must be an integer, got {described(n)}"
        raise TypeError(msg)
    if count < 1:
        msg = f"n, the number of output channels, must be >= 1, got {count}"
        raise ValueError(msg)
    return count


def float_rows(name: str, value: object, *, kinds: str = "f") -> np.ndarray[Any, np.dtype[Any]]:
    """Return ``value`` as an array of numbers with at least one row along axis 0.

    Parameters
    ----------
    name
        What to call it in an error.
    value
        Anything that NumPy reads.
    kinds
        The kinds of numbers that will do, as ``numpy.dtype.kind``.

    Raises
    ------
    TypeError
        If it does not hold such numbers.
    ValueError
        If it has no axis 0, or no rows.
    """
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever an object does when NumPy asks
        msg = f"{name} must be an array of floating-point numbers, got {described(value)}"
        raise TypeError(msg) from error
    if array.ndim and array.dtype.kind not in kinds:
        msg = (
            f"{name} must hold floating-point numbers, got {described(value)} with dtype "
            f"{array.dtype}; convert it first"
        )
        raise TypeError(msg)
    if array.ndim == 0 or len(array) == 0:
        msg = (
            f"{name} must have an axis 0 with at least one row, got {described(value)} and "
            f"shape {array.shape}"
        )
        raise ValueError(msg)
    return array
