r"""Fast kernels for k = M⁻¹g: one read and one write of main memory, for every metric.

``tables``    the numbers a kernel needs for one metric and one n, from the proven sweeps
``layout``    a strided tensor as rows along the output channel and columns beside it
``jobs``      a list of tensors as one table
``lanes``     a block of columns as one value of Numba's, so that kernels read like formulas
``compiled``  how they are compiled
``cpu``       the kernels on the CPU, for float32 and the 16-bit types
``double``    the same for float64
``drive``     a list of tensors on one thread
``threads``   the threads that share a list
``run_cpu``   a list of tensors on the CPU
``gpu``       the kernel on the GPU
``run_gpu``   a list of tensors on the GPU

Numba and Triton are imported when a kernel first runs, and neither is required.
"""
