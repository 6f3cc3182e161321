"""Nothing at import or in a step needs what exists on Linux only. Simulated: see the tool.

Without torch's OpenMP the thread pool serves, and without ``/proc`` nothing is missed.
"""

import os

import pytest

from tests.tools.commands import python
from tests.tools.elsewhere import MISSING


@pytest.mark.slow
@pytest.mark.parametrize("system", MISSING)
def test_everything_is_imported_and_works_without_a_word(system) -> None:
    known = {**os.environ, "TRITON_INTERPRET": "0"}
    assert python("-m", "tests.tools.elsewhere", system, env=known) == ""
