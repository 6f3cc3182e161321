"""The oldest and newest versions that are supported, and none of the optional packages.

The sessions of ``noxfile.py``, with a short selection of tests; ``nox`` by itself runs them with
all. What this machine has no interpreter for, or is too large to fetch, is reported as not run.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.deep.figures import LITTLE, Figure, Report, timed
from tests.tools.without import FEATURES, run_without

ROOT = Path(__file__).parents[2]
# What depends on other packages' versions: kernels, hooks, special functions, the command line.
SELECTION = (
    "tests/attach/test_update.py",
    "tests/attach/test_zero_smoothing.py",
    "tests/theory/test_discrete_operators.py",
    "tests/lab/test_experiments_cli.py",
    "tests/lab/test_experiments_statistics.py",
    "tests/lab/test_extras_missing.py",
    "tests/gradient/test_dense.py",
    "tests/gradient/test_small_weights.py",
    "tests/kernels/test_cpu_layouts.py",
    "tests/kernels/test_cpu_lockstep.py",
    "tests/sharded/test_equals_whole.py",
)
THEORY = (
    "tests/theory/test_discrete_exact.py",
    "tests/theory/test_discrete_operators.py",
    "tests/theory/test_discrete_spectrum.py",
    "tests/theory/test_theorem_discrete_inverse.py",
    "tests/theory/test_theorem_continuum_gradient.py",
    "cdg_theory",
)
SESSIONS = {
    "oldest": ("the lower end of every supported range works", SELECTION),
    "newest": ("the newest releases work (torch the oldest supported)", SELECTION),
    "theory-3.11": ("the theory works without torch on Python 3.11", THEORY),
    "theory-3.12": ("the theory works without torch on Python 3.12", THEORY),
    "theory-3.13": ("the theory works without torch on Python 3.13", THEORY),
}
LARGE = "several gigabytes: PyPI has no other builds of torch without GPU libraries"
NOT_RUN = {
    "the newest torch works": f"`nox -s torch`, by hand ({LARGE})",
    "torch works on Python 3.12 and 3.13": f"{LARGE}",
}


def interpreters() -> dict[str, str]:
    """Return an environment whose PATH has every Python here, pyenv's among them."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    more = [str(path) for path in sorted(root.glob("versions/3.*/bin"))]
    # After the others, but before pyenv's shims, which refuse what is not switched on.
    kept = [x for x in os.environ.get("PATH", "").split(os.pathsep) if "shims" not in x]
    return {**os.environ, "PATH": os.pathsep.join([*kept, *more])}


def session(name: str, promise: str, selection: tuple[str, ...]) -> Figure:
    """Run a session of nox, if this machine has a Python for it."""
    environment = interpreters()
    python = name.partition("-")[2]
    if python and shutil.which(f"python{python}", path=environment["PATH"]) is None:
        return Figure("versions", promise, f"no Python {python} here", None, 0.0)
    with timed() as seconds:
        done = subprocess.run(
            [sys.executable, "-m", "nox", "--no-color", "-s", name, "--", "-q", *selection],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    said = done.stdout + done.stderr
    versions = re.search(r"^versions: (.*)$", said, re.MULTILINE)
    counts = re.search(r"^(\d+ (?:passed|failed).*) in [\d.]+s", said, re.MULTILINE)
    holds = done.returncode == 0 and versions is not None and counts is not None
    first = re.search(r"^(?:FAILED|ERROR) .*$", said, re.MULTILINE)
    found = f"{counts[1]} with {versions[1]}" if versions and counts else said.strip()[-400:]
    if not holds and first is not None:
        found += f"; {first[0]}"
    return Figure("versions", promise, found, holds, seconds())


def without(packages: tuple[str, ...]) -> Figure:
    """Hide the packages, one at a time and all together."""
    cases = [(name,) for name in packages]
    if len(packages) > 1:
        cases.append(packages)
    wrong = []
    with timed() as seconds:
        for case in cases:
            try:
                refusals = run_without(*case)["refusals"]
            except subprocess.CalledProcessError as error:
                wrong.append(f"without {', '.join(case)}: {error.stderr.strip()[-300:]}")
                continue
            for name, said in refusals.items():
                if "is not installed; " not in said:
                    wrong.append(f"without {name}: {said}")
    found = wrong[0] if wrong else f"{', '.join(packages)}: each alone and all together"
    promise = (
        "without an optional package everything else works, and what needs it says what installs it"
    )
    return Figure("versions", promise, found, not wrong, seconds())


def run(*, effort: float, report: Report) -> list[Figure]:
    """Hide the optional packages; from a tenth of the effort on, run the sessions too."""
    report("without optional packages", 0, 1 + len(SESSIONS))
    packages = tuple(FEATURES)
    figures = [without(packages if effort >= 0.1 else packages[:1])]
    for done, (name, (promise, selection)) in enumerate(SESSIONS.items()):
        report(name, 1 + done, 1 + len(SESSIONS))
        if effort < 0.1:
            figures.append(Figure("versions", promise, LITTLE, None, 0.0))
        elif importlib.util.find_spec("nox") is None:
            figures.append(Figure("versions", promise, "nox is not installed", None, 0.0))
        else:
            figures.append(session(name, promise, selection))
    return figures + [
        Figure("versions", promise, reason, None, 0.0) for promise, reason in NOT_RUN.items()
    ]
