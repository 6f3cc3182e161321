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

from tests.deep.figures import LITTLE, ROOT, Figure, Report, judged, timed
from tests.tools.without import FEATURES, run_without

# What depends on other packages' versions: kernels, hooks, special functions, the command line.
SELECTION = """
    attach/test_update.py attach/test_zero_smoothing.py theory/test_discrete_operators.py
    lab/test_experiments_cli.py lab/test_experiments_statistics.py lab/test_extras_missing.py
    gradient/test_dense.py gradient/test_small_weights.py kernels/test_cpu_layouts.py
    kernels/test_cpu_lockstep.py sharded/test_equals_whole.py
"""
THEORY = """
    theory/test_discrete_exact.py theory/test_discrete_operators.py theory/test_discrete_spectrum.py
    theory/test_theorem_discrete_inverse.py theory/test_theorem_continuum_gradient.py
    ../cdg_theory
"""
SESSIONS = {
    "oldest": ("the lower end of every supported range works (torch's apart)", SELECTION),
    "newest": ("the newest releases work (torch's apart)", SELECTION),
    **{
        f"theory-{python}": (f"the theory works without torch on Python {python}", THEORY)
        for python in ("3.11", "3.12", "3.13")
    },
}
NOT_RUN = {
    "every supported torch works, and on every Python": "ten gigabytes: `nox -s torch-2.6` and its "
    "like, by hand, with what came out under Supported versions",
}


def session(name: str, promise: str, selection: str) -> Figure:
    """Run a session of nox, if this machine has a Python for it."""
    # Every Python here, pyenv's among them: after the others, but before pyenv's shims, which
    # refuse what is not switched on.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = [x for x in os.environ.get("PATH", "").split(os.pathsep) if "shims" not in x]
    path = os.pathsep.join([*kept, *map(str, sorted(pyenv.glob("versions/3.*/bin")))])
    python = name.partition("-")[2]
    if python and shutil.which(f"python{python}", path=path) is None:
        return Figure("versions", promise, f"no Python {python} here", None, 0.0)
    tests = [os.path.normpath(f"tests/{name}") for name in selection.split()]
    command = [sys.executable, "-m", "nox", "--no-color", "-s", name, "--", "-q", *tests]
    environment = {**os.environ, "PATH": path}
    with timed() as seconds:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    versions = re.search(r"^versions: (.*)$", said, re.MULTILINE)
    counts = re.search(r"^(\d+ (?:passed|failed).*) in [\d.]+s", said, re.MULTILINE)
    found = f"{counts[1]} with {versions[1]}" if versions and counts else said.strip()[-400:]
    wrong = re.findall(r"^(?:FAILED|ERROR) .*$", said, re.MULTILINE)
    if not wrong and (done.returncode or not (versions and counts)):
        wrong.append(f"nox ended with {done.returncode}")
    return judged("versions", promise, found, wrong, seconds())


def without(packages: tuple[str, ...]) -> Figure:
    """Hide the packages, one at a time and all together."""
    wrong = []
    with timed() as seconds:
        for case in {*((name,) for name in packages), packages}:
            try:
                refusals = run_without(*case)["refusals"]
            except subprocess.CalledProcessError as error:
                refusals = {", ".join(case): error.stderr.strip()[-300:]}
            wrong += [
                f"without {name}: {said}"
                for name, said in refusals.items()
                if "is not installed; " not in said
            ]
    promise = (
        "without an optional package everything else works, and what needs it says what installs it"
    )
    found = f"{', '.join(packages)}: each alone and all together"
    return judged("versions", promise, found, wrong, seconds())


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
