r"""What is translated, and what the language of the translation knows.

======  ==========================================================================
kind    meaning
======  ==========================================================================
F       an element of the field
Z       an integer, as an exponent
n       the number of rows
b       a truth value
a       an array with a row for each; ``a-1`` has one less
FF      two elements of the field
aa      two arrays, or one array of two rows
l       a list of pairs: in Coq a pair of arrays
Z->F    a function of an integer
a->a    a function of an array
FFF     three elements of the field
S       :class:`~cdg_theory.discrete.sweeps.SweepFactors`; ``S?`` is that or None
R       :class:`~cdg_theory.discrete.curvature.Ring`
C       :class:`~cdg_theory.discrete.curvature.CurvatureFactors`
======  ==========================================================================
"""

from __future__ import annotations

from types import ModuleType

from cdg_theory.discrete import blocks, curvature, inverse, network, shrinkage, sweeps

#: What is translated, in the order of use, with the kinds of the parameters.
TRANSLATED: tuple[tuple[ModuleType, dict[str, str]], ...] = (
    (sweeps, {
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
    }),
    (inverse, {
        "h0_entry": "F F F",
        "path_entry": "F F F",
        "cycle_entry": "F F",
        "path_resolvent": "Z Z Z F Z->F",
        "cycle_resolvent": "Z Z F Z->F",
        "cycle_drop": "Z Z F Z->F",
    }),
    (shrinkage, {"mode_risk": "F F F"}),
    (network, {
        "solve_path": "a a a a a F F",
        "solve_cycle": "a a a a a F F",
        "solve_network": "a a a a a a F F F b",
    }),
    (blocks, {
        "solve_alone": "a F F",
        "split_offsets": "a a",
        "finish_block": "a FFF a->a",
    }),
    (curvature, {
        "Ring.times": "R FF FF",
        "Ring.act": "R FF FF",
        "Ring.inverse": "R FF",
        "eliminate_pair": "F F F F",
        "pair_carries": "F F F n",
        "carry_forward": "a a R aa-1",
        "carry_backward": "a a R aa-1",
        "_plus": "FF FF",
        "_minus": "FF FF",
        "solve_path": "aa C",
        "homogeneous_pairs": "l-1 R F n",
        "path_pair_factors": "F F F n",
        "cycle_pair_factors": "F F F n",
        "curvature_factors": "F F F n b",
        "seam_flux": "a C",
        "close_seam": "aa FF C",
        "solve_curvature": "a C",
    }),
    (sweeps, {"solve_second_order": "a F C"}),
)  # fmt: skip
COQ_TYPES = {
    "F": "F", "Z": "Z", "n": "nat", "b": "bool", "a": "array", "FF": "F * F", "FFF": "F * F * F",
    "aa": "array * array", "l": "array * array", "S": "factors", "S?": "option factors",
    "R": "ring", "C": "pair_factors",
    "F->F": "F -> F", "Z->F": "Z -> F", "a->a": "array -> array",
}  # fmt: skip
#: What tuples are made of.
PARTS = {"FF": ("F", "F"), "FFF": ("F", "F", "F"), "aa": ("a", "a"), "l": ("a", "a")}
#: The fields of Python's records: their names in ``Arrays.v``, their kinds, and what their lengths
#: have more than the number of rows.
RECORDS = {
    "SweepFactors": {
        "carry": ("carry", "a", -1), "gain": ("gain", "a", 0), "closure": ("closure", "a", 0),
        "flux": ("flux", "a?", 0),
    },
    "Ring": {"c": ("ring_c", "F", 0), "omega": ("ring_omega", "F", 0)},
    "CurvatureFactors": {
        "ring": ("pair_ring", "R", 0), "carry": ("pair_carry", "aa", -1),
        "closure": ("pair_closure", "aa", 0), "seam": ("seam", "aa?", 0),
        "release": ("release", "FF?", 0),
    },
}  # fmt: skip
KINDS = {"S": "SweepFactors", "R": "Ring", "C": "CurvatureFactors"}
#: Names of ``Arrays.v`` and of Coq: a local variable of that name gets an underscore.
TAKEN = {
    *(field for fields in RECORDS.values() for field, _, _ in fields.values()),
    "mean", "sum", "number", "power", "factors", "pair_factors", "ring", "array", "set", "append",
    "reversed", "left", "right", "S", "O",
}  # fmt: skip
