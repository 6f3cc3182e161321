"""Networks whose outputs have an order: metrics on a layer, controls, rivals.

==============  =========================================================================
module          holds
==============  =========================================================================
``treatment``   what is done to a layer, to the targets and to the loss, as data
``losses``      targets, losses, errors
``prepare``     the network of a run, with its optimizer and its metric
``prediction``  what theorems 14 and 15 say before training
==============  =========================================================================
"""
