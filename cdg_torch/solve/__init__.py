r"""k = M⁻¹g for lists of tensors: one plan, and the implementations that serve it.

``plan``          a list of jobs, planned once: who serves which tensor
``backends``      which implementation serves a tensor
``reference``     plain PyTorch: the readable version that every faster one is held against
``blocked``       plain PyTorch, in a number of operations that does not depend on n
``columns``       strided tensors as rows along the output channel and columns beside it
``coefficients``  the numbers a kernel needs for one metric and one n, from the proven sweeps
``cpu``           kernels for main memory (Numba): one read and one write of it
``gpu``           kernels for CUDA devices (Triton)

Numba and Triton are imported when a kernel first runs, and neither is required.
"""

from __future__ import annotations

from cdg_torch.solve.plan import Job, Planned, solve

__all__ = ["Job", "Planned", "solve"]
