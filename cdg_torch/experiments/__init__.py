"""Does it generalise better? Training runs that anybody can repeat, and what to make of them.

==================  =====================================================================
module              holds
==================  =====================================================================
``data``            data sets, as tensors split into training, validation and test
``models``          the networks, one family per file
``methods``         what is compared: a base optimizer, a metric, a direction
``runs``            one training run as data, and its identity
``training``        the loop that turns a run into a record
``store``           records as JSON lines: appended whole, found again after a kill
``harness``         runs spread over processes
``statistics``      paired comparisons with intervals
``plots``           figures
==================  =====================================================================

Needs the extra ``experiments`` (scikit-learn, torchmetrics, matplotlib).
"""
