"""The kernels on the GPU: one launch for all gradients of a list that one kernel serves.

``programs``  the kernels
``run_gpu``   the tables of a list on the device, and the launch
"""
