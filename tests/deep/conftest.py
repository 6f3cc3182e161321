"""Only the tests of the deep checks are collected: the checks themselves are run by `make deep`."""

from pathlib import Path

collect_ignore = [p.name for p in Path(__file__).parent.glob("*.py") if p.name[:5] != "test_"]
