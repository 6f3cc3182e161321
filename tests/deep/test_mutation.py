"""The mutation run tells a test that notices from one that does not.

On a package of a few lines, whose functions are in caches and properties, and run on ranks; and on
a file that a compiler would read.
"""

import sys
from pathlib import Path

import pytest

from tests.deep import mutation
from tests.deep.mutation import Tried, _change, meet, mutants_of, mutmut, outcomes, undecorated

ROOT = Path(__file__).parents[2]

SETTINGS = """
[tool.mutmut]
source_paths = ["cdg_tiny"]
pytest_add_cli_args_test_selection = ["tests"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "tests.deep.mutant_plugin"]
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
pythonpath = ["."]
"""
SOURCE = '''
from functools import lru_cache


@lru_cache(maxsize=8)
def doubled(number):
    """Return twice the number."""
    return 2 * number


class Box:
    @property
    def weight(self):
        """Return the weight of an empty box."""
        return 3
'''
TESTS = """
from cdg_tiny.cached import Box, doubled


def test_first():
    doubled(5)


def test_second():
    assert doubled(5) == 10
    assert Box().weight


def test_sees_the_dispatcher():
    assert doubled(5) == 10
    assert doubled.__wrapped__.__closure__ is None
"""


@pytest.mark.slow
def test_cached_functions_and_properties_are_mutated(tmp_path) -> None:
    """The first test fills the cache; the second must not be handed what it holds."""
    for name, text in {
        "pyproject.toml": SETTINGS,
        "cdg_tiny/__init__.py": "",
        "cdg_tiny/cached.py": SOURCE,
        "tests/deep/mutant_plugin.py": (ROOT / "tests/deep/mutant_plugin.py").read_text(),
        "tests/test_cached.py": TESTS,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    mutation.prepare(tmp_path, "cdg_tiny", "tests")
    mutation.start(tmp_path, "cdg_tiny")
    assert mutation.shorten(tmp_path) == 1
    mutmut(tmp_path, "run", "cdg_tiny.cached.*")
    found = {name: status for name, (_, status) in outcomes(tmp_path).items() if "cached" in name}
    assert sum("doubled" in name for name in found) == 2
    assert found == {name: "killed" if "doubled" in name else "survived" for name in found}
    (survivor,) = (name for name, status in found.items() if status == "survived")
    shown = mutmut(tmp_path, "show", survivor).splitlines()
    assert _change(shown) == "- return 3 + return 4"


def test_a_control_that_is_confused_stops_the_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mutation, "mutmut", lambda *_, **__: "")
    monkeypatch.setattr(mutation, "outcomes", lambda _: {"a.planted.noticed": ("", "survived")})
    with pytest.raises(RuntimeError, match="should be"):
        mutation.start(tmp_path, "a")


def test_wrappers_follow_their_function() -> None:
    source = "@cache\ndef f():\n    return 1\n@other\ndef g():\n    return 2\n"
    expected = "def f():\n    return 1\nf = cache(f)\n@other\ndef g():\n    return 2\n"
    assert undecorated(source) == expected


def test_kernels_are_mutated_in_their_file(tmp_path) -> None:
    source = "def compiled(f): return f\n@compiled\ndef f(a):\n    return a + 2\n"
    texts = [make() for make in mutants_of(source)]
    assert texts == [source.replace("+", "-"), source.replace("2", "3")]
    (tmp_path / "kernel.py").write_text(texts[1])
    for wanted, outcome in {2: "killed", 3: "survived"}.items():
        test = f"from kernel import f\ndef test(): assert f(0) == {wanted}\n"
        (tmp_path / "test_it.py").write_text(test)
        assert meet(tmp_path, ["test_it.py"], 60.0) == outcome
    assert meet(tmp_path, ["test_it.py"], 0.1) == "timeout"


def test_a_survivor_is_counted_and_listed() -> None:
    tried = Tried(10)
    for outcome in ("killed", "timeout", "survived", "no tests"):
        tried.add(outcome, f"a.py: {outcome}")
    figure = tried.figure("the arithmetic", 1.0)
    assert "killed 2 of 4" in figure.found
    assert "Lived: 2 in a.py" in figure.found
    assert figure.details == ("a.py: no tests (no test runs it)", "a.py: survived")
    assert not figure.holds


def test_ranks_are_forked_and_tell_what_they_ran(tmp_path, monkeypatch) -> None:
    pytest.importorskip("torch")
    state = pytest.importorskip("mutmut.state").state()
    from tests.deep import mutant_plugin
    from tests.tools import ranks

    monkeypatch.setattr(ranks, "mp", ranks.mp)
    monkeypatch.setattr(state, "_stats", set())
    mutant_plugin.pytest_collection_finish()
    assert ranks.mp is not sys.modules["torch.multiprocessing"]
    ranks.mp.start_processes(_ran, (2, tmp_path), nprocs=2, start_method="forkserver")
    assert state._stats == {"ran 0", "ran 1"}


def _ran(rank: int, *_) -> None:
    from mutmut.state import state

    state()._stats.add(f"ran {rank}")
