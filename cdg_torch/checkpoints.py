"""Metrics as a checkpoint holds them: plain numbers and strings, checked when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from cdg_theory import Metric
from cdg_theory.checks import described

_FIELDS = {field.name for field in fields(Metric)}
# What earlier versions did not know, and what it was then.
_ADDED = {"curvature": 0.0}


def saved_metrics(state: object, key: str, count: int) -> tuple[Metric | None, ...]:
    """Return the metrics, one for each rule, that a state dict holds under ``key``.

    Raises
    ------
    TypeError
        If ``state`` is not a mapping.
    ValueError
        If it holds anything else there, or another number of metrics.
    """
    if not isinstance(state, Mapping):
        msg = f"state must be what state_dict() returned, got {described(state)}"
        raise TypeError(msg)
    saved = state.get(key)
    if not isinstance(saved, list | tuple):
        msg = (
            f"state[{key!r}] must be a list with one metric for each rule, got {described(saved)}; "
            f"load what state_dict() returned, not {described(dict(state))}"
        )
        raise ValueError(msg)  # noqa: TRY004 - the mapping is one, its content is wrong
    if len(saved) != count:
        msg = (
            f"state[{key!r}] has {len(saved)} rules, this handle has {count}; attach with the "
            "same rules, or assign handle.metric yourself"
        )
        raise ValueError(msg)
    return tuple(_metric(one, f"state[{key!r}][{index}]") for index, one in enumerate(saved))


def _metric(saved: object, name: str) -> Metric | None:
    if saved is None:
        return None
    if not isinstance(saved, Mapping) or set(saved) | set(_ADDED) != _FIELDS:
        msg = (
            f"{name} must be None or hold {', '.join(sorted(_FIELDS))}, got {described(saved)}; "
            "load what state_dict() returned"
        )
        raise ValueError(msg)
    try:
        return Metric(**(_ADDED | dict(saved)))
    except TypeError as error:
        msg = f"{name} is no metric: {error}"
        raise ValueError(msg) from error
