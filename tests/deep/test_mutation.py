"""The mutation run tells a test that notices from one that does not.

On a package of a few lines, with one sharp test and one weak one: planted mutants die, one that
means the same lives, one that only a weak test meets lives, and one that never ends is ended.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deep.interpreted import LIKE_LANES
from tests.deep.mutants import mutants
from tests.deep.mutation import KINDS, explained

ROOT = Path(__file__).parents[2]

SOURCE = '''
"""A tiny package."""

START = 10


def total(numbers):
    """Return the sum of numbers from START on."""
    result = START
    for number in numbers:
        result = result + number
    return result


def at_least_zero(number):
    """Return the number, or 0."""
    return number if number > 0 else 0


def weakly_tested(number):
    """Return twice the number."""
    return 2 * number


def untested(number):
    """Return the number less one."""
    return number - 1


def count_down(number):
    """Count to zero."""
    while number > 0:
        number -= 1
    return number
'''

TESTS = """
from tiny import at_least_zero, count_down, total, weakly_tested


def test_total():
    assert total([1, 2]) == 13


def test_at_least_zero():
    assert [at_least_zero(x) for x in (-2, 0, 3)] == [0, 0, 3]


def test_weakly():
    assert weakly_tested(0) == 0


def test_count_down():
    assert count_down(3) == 0
"""

LEFT_ALONE = '''
"""A docstring."""
from typing import TYPE_CHECKING, cast
if TYPE_CHECKING:
    limit = 1
__all__ = ["f"]
Number = int | float
Pair = tuple[Number, "3 < 4"]
@dataclass(frozen=True, slots=True)
class Box:
    size: "int | None"
@lru_cache(maxsize=256)
def f(a: "Literal[1]", b) -> "list[2]":
    """Return text."""
    assert a > 1, f"{a + 1}"
    msg = f"got {a - 1}, not " + b
    prefetch(a, b, 2)
    yield from zip(a, strict=True)
    yield max(a, b), cast(Number, a), f"{a:.{2 + 3}}"
'''

HUNT = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.deep.arena import Arena, Setting, cover
from tests.deep.mutants import mutants

root = Path(sys.argv[2])
copied = ("tiny", "test_tiny.py", "pytest.ini")
setting = Setting(root, ("test_tiny.py",), ("tiny",), copied, ("hypothesis",))
coverage, bad = cover(setting, lambda what, done, total: None)
assert not bad, bad
arena = Arena(setting, coverage, grace=1.0)
source = (root / "tiny/__init__.py").read_text()
found = {}
for mutant in mutants(source, "tiny/__init__.py"):
    if mutant.name in sys.argv[3:]:
        verdict = arena.meet(mutant, source, cap=1.0)
        found[mutant.name] = verdict.status, verdict.way, verdict.by
arena.close()
print(json.dumps(found))
"""

KILLED, SURVIVED = "killed", "survived"
EXPECTED = {
    # In place, by the test that is about it; the constant at module level by importing it anew.
    "total: result = result + number -> result = result - number": (KILLED, "swap"),
    "START = 10 -> START = 11": (KILLED, "import"),
    "at_least_zero: return number if number > 0 else 0 -> return None": (KILLED, "swap"),
    # Means the same: 0 is 0 either way.
    "at_least_zero: return number if number > 0 else 0 -> return number if number >= 0 else 0": (
        SURVIVED,
        "swap",
    ),
    # Its test asks for 0 alone.
    "weakly_tested: return 2 * number -> return 3 * number": (SURVIVED, "swap"),
    "untested: return number - 1 -> return number + 1": ("unreached", "swap"),
    "count_down: number -= 1 -> pass": ("timeout", "swap"),
}


def hunt(root: Path, tests: str, *names: str) -> subprocess.CompletedProcess:
    """Let mutants of the tiny package meet its tests."""
    (root / "tiny").mkdir()
    (root / "tiny" / "__init__.py").write_text(SOURCE)
    (root / "test_tiny.py").write_text(tests)
    (root / "pytest.ini").write_text("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    return subprocess.run(
        [sys.executable, "-c", HUNT, str(ROOT), str(root), *names],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict:
    """Return what became of every mutant of the tiny package."""
    done = hunt(tmp_path_factory.mktemp("tiny"), TESTS, *EXPECTED)
    assert done.returncode == 0, done.stderr
    return {name: tuple(verdict) for name, verdict in json.loads(done.stdout).items()}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_verdict_is_right(verdicts, name) -> None:
    status, way, by = verdicts[name]
    assert (status, way) == EXPECTED[name]
    test = {"START = 10 -> START = 11": "test_total"}.get(name, f"test_{name.split(':')[0]}")
    assert by == ("" if status != KILLED else f"test_tiny.py::{test}")


def test_tests_that_fail_anyway_kill_nobody(tmp_path) -> None:
    elsewhere = """

def test_place():
    import tiny
    assert tiny.total([]) == 10
    assert "mutants-" not in tiny.__file__
"""
    done = hunt(tmp_path, TESTS + elsewhere, "START = 10 -> START = 11")
    assert done.returncode != 0
    assert "tiny/__init__.py meets its tests as it is, and is" in done.stderr
    assert "test_tiny.py::test_place" in done.stderr


def test_no_mutant_is_made_of_text_types_or_guards() -> None:
    assert mutants(LEFT_ALONE) == []
    # The same places, where they count.
    assert len(mutants("x = [1, 2.0, True, a < b, a + b, -c, p and q]")) == 9


def test_every_operation_on_lanes_has_a_stand_in() -> None:
    lanes = pytest.importorskip("cdg_torch.solve.cpu.vectors")
    public = {n for n, f in vars(lanes).items() if getattr(f, "__module__", "") == lanes.__name__}
    assert set(LIKE_LANES) >= {n for n in public if n[0] != "_"}


def test_the_interpreted_kernels_round_as_the_compiled_ones_do() -> None:
    # Whole numbers of this size are exact in float64: contracted or not, the bits are the same.
    program = (
        "import sys, torch; from pathlib import Path; from tests.deep import interpreted; "
        "sys.argv[1] == 'compiled' or interpreted.interpret(Path('.')); import cdg_torch; "
        "g = (torch.arange(40.0)[:, None] * torch.arange(1.0, 22.0) % 17).to(torch.bfloat16); "
        "g[3, 4] = float('nan'); cdg_torch.backend('cpu').__enter__(); "
        "k = cdg_torch.riemannian_gradient(g, cdg_torch.Metric(1.0, 0.25, 0.0)); "
        "print(k.float().tolist())"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program, way], cwd=ROOT, capture_output=True, text=True,
            timeout=120, check=True,
        ).stdout
        for way in ("compiled", "interpreted")
    ]  # fmt: skip
    assert printed[0] == printed[1]
    assert "nan" in printed[0]


def test_every_survivor_on_the_list_is_a_mutant_still_and_has_a_kind() -> None:
    listed = explained()
    assert listed
    for path in {path for path, _ in listed}:
        source = (ROOT / path).read_text(encoding="utf-8")
        gone = {name for at, name in listed if at == path} - {m.name for m in mutants(source, path)}
        assert not gone, f"{path}: strike these from tests/deep/survivors.md"
    assert {reason.split(":")[0] for reason in listed.values()} <= set(KINDS)
