"""Channel-directed gradients: the theory, checked by machine.

``Metric``      the metric family, as declared data
``discrete``    the metric on n output channels: matrices, inverses, linear-time algorithms
``ledger``      the theorems, each with a machine check and a perturbed statement it must refuse

Importing this package loads NumPy and nothing heavier; SymPy and SciPy come when asked for.
"""

from __future__ import annotations

from cdg_theory import discrete, ledger
from cdg_theory.metric import Metric

__all__ = ["Metric", "discrete", "ledger"]

__version__ = "0.1.0"
