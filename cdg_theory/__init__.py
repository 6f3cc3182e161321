"""Channel-directed gradients: the theory, checked by machine.

``Metric``      the metric family, as declared data
``continuum``   the metric on functions of the output channel: gradients, kernels, spectra, noise
``discrete``    the metric on n output channels: matrices, inverses, linear-time algorithms
``fit_metric``  the member of the family that given columns are most likely drawn from
``certify``     any solver against the exact gradient, with a derived bound on its error
``ledger``      the theorems, each with a machine check and a perturbed statement it must refuse

Importing this package loads NumPy and nothing heavier; SymPy and SciPy come when asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cdg_theory import discrete, ledger
from cdg_theory.fit import fit_metric
from cdg_theory.metric import Metric

if TYPE_CHECKING:
    from cdg_theory import continuum as continuum
    from cdg_theory.certificates import certify as certify

__all__ = ["Metric", "certify", "continuum", "discrete", "fit_metric", "ledger"]

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    # SymPy takes half a second to load: the continuum comes when somebody asks for it, and
    # so does what only checks.
    if name == "continuum":
        return importlib.import_module("cdg_theory.continuum")
    if name == "certify":
        return importlib.import_module("cdg_theory.certificates").certify
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
