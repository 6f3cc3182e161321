r"""Signal and noise of a model's gradients by channel mode, and what follows for each layer.

``findings``    what was found: a table, rules for ``attach``, JSON
``measuring``   gradients of independent batches, nothing of the model changed
``predicting``  what a metric gains, one half of the batches judging the other
``diagnosing``  ``diagnose``: verdict, prediction and advice for every layer
"""

from cdg_torch.diagnosis.diagnosing import diagnose
from cdg_torch.diagnosis.findings import Diagnosis, LayerDiagnosis

__all__ = ["Diagnosis", "LayerDiagnosis", "diagnose"]
