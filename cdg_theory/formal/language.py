r"""What is translated, and what the language of the translation knows.

======  ==========================================================================
kind    meaning
======  ==========================================================================
F       an element of the field
Z       an integer, as an exponent
n       the number of rows
a       an array with a row for each; ``a-1`` has one less
Z->F    a function of an integer
a->a    a function of an array
FFF     three elements of the field
S       :class:`~cdg_theory.discrete.sweeps.SweepFactors`; ``S?`` is that or None
======  ==========================================================================
"""

from __future__ import annotations

from types import ModuleType

from cdg_theory.discrete import blocks, inverse, shrinkage, sweeps

#: What is translated, in the order of use, with the kinds of the parameters.
TRANSLATED: dict[ModuleType, dict[str, str]] = {
    sweeps: {
        "eliminate_row": "F F F",
        "path_pivots": "F F n",
        "path_factors": "F F n",
        "cycle_factors": "F F n",
        "cycle_excess": "F F",
        "split_mean": "a",
        "carry_forward": "a a-1",
        "carry_backward": "a a-1",
        "close": "a a",
        "solve_fluctuation": "a S",
        "solve_gram": "a F F S?",
    },
    inverse: {
        "h0_entry": "F F F",
        "path_entry": "F F F",
        "cycle_entry": "F F",
        "path_resolvent": "Z Z Z F Z->F",
        "cycle_resolvent": "Z Z F Z->F",
        "cycle_drop": "Z Z F Z->F",
    },
    shrinkage: {"mode_risk": "F F F"},
    blocks: {
        "solve_alone": "a F F",
        "solve_path": "a a-1 a a a-1 F F",
        "finish_block": "a FFF a->a",
    },
}
COQ_TYPES = {
    "F": "F", "Z": "Z", "n": "nat", "a": "array", "FFF": "F * F * F", "S": "factors",
    "S?": "option factors", "F->F": "F -> F", "Z->F": "Z -> F", "a->a": "array -> array",
}  # fmt: skip
#: Fields of the factors and what their lengths have more than the number of rows.
FIELDS = {"carry": ("a", -1), "gain": ("a", 0), "closure": ("a", 0), "flux": ("a?", 0)}
#: Names of ``Arrays.v`` and of Coq: a local variable of that name gets an underscore.
TAKEN = {
    *FIELDS, "mean", "sum", "number", "power", "factors", "array", "set", "append", "reversed",
    "left", "right", "S", "O",
}  # fmt: skip
