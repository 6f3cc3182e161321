"""The kernels on the GPU: one launch for all gradients of a list that one kernel serves.

``programs``       the kernels for columns of any length
``segments``       the kernel that keeps short columns in registers
``pair_segments``  the same with a curvature
``run_gpu``        the tables of a list on the device, and the launch
"""
