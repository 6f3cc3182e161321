"""Training experiments that anybody can repeat: which metrics generalise better, and how surely.

==================  =====================================================================
module              holds
==================  =====================================================================
``data``            data sets, as tensors split into training, validation and test
``models``          the networks, one family per file
``methods``         what is compared: a base optimizer, a metric, a direction
``runs``            one training run as data, and its identity
``task``            what the loop needs: images, one step, validation and test
``supervised``      the task of classification and segmentation
``ordered``         the task of outputs with an order: treatments, rivals, predictions
``gan``             the task of a DCGAN, with the distance of ``frechet``
``training``        the loop: from a run to its record
``store``           records as JSON lines: appended whole, found again after a kill
``harness``         runs spread over processes
``cluster``         runs spread over a Dask cluster
``protocol``        an experiment: rates chosen on validation, the test touched once
``specs``           experiments declared in TOML
``statistics``      paired comparisons with intervals
``analysis``        the table of a comparison, and what it says
``headline``        one method, named beforehand, against each of the others
``plots``           learning curves and correlations
``report``          all of it as Markdown
``noise``           gradient noise before and after, against theorem 8
``networks``        channel correlation of networks that others trained
==================  =====================================================================

Needs the extra ``experiments`` (scikit-learn, torchmetrics, matplotlib).
"""
