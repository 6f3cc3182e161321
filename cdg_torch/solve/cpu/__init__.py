"""The kernels on the CPU: a block of columns, all its rows, stays in cache between the sweeps.

``vectors``   a block of columns as one value of Numba's, so that kernels read like formulas
``single``    the kernels for float32 and the 16-bit types
``double``    the same for float64
``tiles``     a list of tensors on one thread
``threads``   the threads that share a list
``compiled``  how kernels are compiled
``run_cpu``   a list of tensors, in parts of equal work
"""
