"""What the library warns of: one category, and always the user's line."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
from functools import cache

import torch

# Whatever may stand between the user's line and a warning: this package, torch's decorators around
# its functions, and what Python puts between an import and the file that is imported.
_INSIDE = (
    os.path.join(os.path.dirname(__file__), ""),
    os.path.join(os.path.dirname(torch.__file__), ""),
    os.path.join(os.path.dirname(importlib.__file__), ""),
    contextlib.__file__,
    "<frozen ",
)


class CDGWarning(UserWarning):
    """The category of every warning that ``cdg_torch`` gives.

    To silence them all: ``warnings.filterwarnings("ignore", category=cdg_torch.CDGWarning)``.

    See Also
    --------
    cdg_torch.attach : Says which warnings it gives.

    Examples
    --------
    >>> from cdg_torch import CDGWarning
    >>> issubclass(CDGWarning, UserWarning)
    True
    """


def say(message: str) -> None:
    """Warn of something, at the line outside the library that led to it."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame = frame.f_back
    # A stacklevel would be counted by other rules, which leave out the frames of an import.
    warnings.warn_explicit(
        message,
        CDGWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


@cache
def say_once(message: str) -> None:
    """Warn of something as :func:`say` does, the first time that it is met in this process."""
    say(message)
