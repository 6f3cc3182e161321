"""What torch does only from some release on: before it, tests of it are skipped, and say why."""

import pytest
import torch


def needs_torch(release: str, because: str) -> pytest.MarkDecorator:
    """Skip a test where torch is older than ``release``, which is ``"2.10"`` for one."""
    parts = tuple(map(int, release.split(".")))
    return pytest.mark.skipif(
        torch.__version__ < parts, reason=f"torch before {release}: {because}"
    )


needs_fsdp2_on_cpus = needs_torch("2.7", "FSDP2 does not run on CPUs")
