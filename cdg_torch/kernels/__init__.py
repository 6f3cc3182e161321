r"""Fast kernels for k = M⁻¹g: one read and one write of main memory, for every metric.

``tables``   the numbers a kernel needs for one metric and one n, from the proven sweeps
``layout``   a strided tensor as rows along the output channel and columns beside it
``plan``     a list of tensors as one table, cached from step to step
``lanes``    a block of columns as one value of Numba's, so that kernels read like formulas
``cpu``      the kernels on the CPU (Numba)
``threads``  the threads that share a list of tensors
``gpu``      the kernels on the GPU (Triton)

Numba and Triton are imported when a kernel first runs, and neither is required.
"""
