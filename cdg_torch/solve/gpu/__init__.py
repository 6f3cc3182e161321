"""The kernels on the GPU (Triton)."""
