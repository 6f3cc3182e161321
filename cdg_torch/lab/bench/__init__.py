"""The benchmark: what the gradient in a metric costs, beside a pass over memory and other methods.

``workloads``     the gradients of real networks, as lists of shapes
``candidates``    what is timed: ours, and what users would take instead
``timing``        interleaved rounds, each sample between two samples of the floor
``memory``        the extra memory of a candidate, in a process of its own
``steps``         the share of a training step
``overhead``      what an attached step adds to many small tensors, on the host
``first_use``     the imports, and compiling the kernels
``measurements``  what came out, as data: JSON, tables, Markdown
``figures``       the measurements as pictures
``run``           all of it in one run, on the CPU or on a GPU
"""
