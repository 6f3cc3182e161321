"""Importing the packages loads nothing heavier than NumPy (theory) and torch (torch side)."""

from tests.tools.commands import python

HEAVY = {"flint", "matplotlib", "numba", "rich", "scipy.linalg", "scipy.sparse", "scipy.stats"}
HEAVY |= {"sklearn", "sympy", "torchmetrics", "triton", "typer"}


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    return set(python("-c", code).split())


def test_theory_does_not_import_torch() -> None:
    loaded = modules_after("import cdg_theory")
    assert "cdg_theory" in loaded
    assert not loaded & (HEAVY | {"torch", "cdg_torch"})


def test_torch_side_adds_only_torch() -> None:
    # torch itself may import what it likes; only what our package adds counts.
    ours = modules_after("import cdg_torch") - modules_after("import torch, numpy")
    assert "cdg_torch" in ours
    assert not ours & HEAVY


def test_theory_never_imports_torch_even_when_used() -> None:
    loaded = modules_after(
        "import numpy as np\nfrom cdg_theory import Metric, discrete\n"
        "discrete.gram_operator(Metric.sobolev(1.0), 8) @ np.ones(8)\n"
        "discrete.riemannian_gradient(np.ones((8, 2)), Metric.sobolev(1.0))"
    )
    assert "scipy.sparse" in loaded
    assert not loaded & {"torch", "cdg_torch"}
