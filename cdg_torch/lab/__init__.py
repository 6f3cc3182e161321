"""The lab beside the core: what measures, verifies, trains and prints. The core never imports it.

``train``      training experiments: one protocol for all methods, records, statistics, reports
``bench``      what the gradient in the metric costs, as ratios to the memory's speed
``verify``     every code path against exact arithmetic, every theorem
``notebooks``  the pages of the documentation as Jupyter notebooks
``cli``        the command ``cdg``
``baselines``  what else is done to gradients, to compare with
``output``     tables and progress bars on the terminal
``drawing``    figures in one style
``files``      results are written whole or not at all
"""
