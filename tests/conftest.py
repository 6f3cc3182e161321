"""Test profiles: every run draws the same examples, and no run depends on the machine's cores."""

import importlib.util
import os

# Read by BLAS, OpenMP and torch when they load: two test processes must not fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# Read when a Triton kernel is defined: without a GPU, its interpreter runs the kernels' logic.
# The theory is tested where there is no torch, too.
if importlib.util.find_spec("torch") is not None:
    import torch

    if not torch.cuda.is_available():
        os.environ.setdefault("TRITON_INTERPRET", "1")

from hypothesis import HealthCheck, settings

# derandomize: a failure on one machine is a failure on all; database=None leaves nothing behind.
# Wall-clock deadlines would fail a shared machine, not a wrong formula.
settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,
)
settings.register_profile("deep", settings.get_profile("ci"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
