"""The kernels on the CPU (Numba), on torch's own threads."""
