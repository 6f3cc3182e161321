"""Other versions than those tested together; ``nox -l`` lists the sessions.

``oldest``     the lower end of every range in pyproject.toml
``newest``     the newest releases, of torch the oldest: its other CPU builds are not on PyPI
``torch``      the newest torch and the newest releases; not run unless asked for, being large
``theory``     ``cdg_theory`` on every Python, without torch

Words after ``--`` replace the selection of tests:
``nox -s oldest -- tests/lab/test_files_intact.py``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import nox
from packaging.requirements import Requirement

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13")
TOOLS = ("hypothesis", "nox", "packaging", "pytest", "python-flint")

EVERYTHING = (
    "tests", "cdg_theory", "cdg_torch",
    # These need what the sessions do not install: a browser and the training frameworks, Triton,
    # what the pins are about.
    "--ignore=tests/docs", "--ignore=tests/deep",
    "--ignore=tests/attach/test_frameworks.py",
    "--ignore=tests/kernels/test_gpu_interpreted.py", "--ignore=cdg_torch/solve/gpu/programs.py",
    "--ignore=cdg_torch/solve/gpu/run_gpu.py",
)  # fmt: skip

nox.options.sessions = ["oldest", "newest", "theory"]
nox.options.reuse_existing_virtualenvs = True


def supported(*parts: str) -> dict[str, Requirement]:
    """Return the requirements of the project and of some of its extras, by name."""
    lines = list(PROJECT["dependencies"])
    for part in parts:
        lines += PROJECT["optional-dependencies"][part]
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def lowest(requirement: Requirement) -> str:
    """Return the lower end of a range, as a pin."""
    (least,) = (clause.version for clause in requirement.specifier if clause.operator == ">=")
    return f"{requirement.name}=={least}"


def test(session: nox.Session, packages: list[str], selection: tuple[str, ...]) -> None:
    """Install packages, say which versions there are then, and run tests on the sources here."""
    session.install("--upgrade", *packages, *TOOLS)
    names = [Requirement(package).name for package in packages]
    session.run(
        "python",
        "-c",
        "import sys; from importlib.metadata import version; "
        "print('versions: Python', sys.version.split()[0], "
        "*(f'· {name} {version(name)}' for name in sys.argv[1:]))",
        *names,
    )
    session.run(
        "python",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        *(session.posargs or selection),
        env={
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "NUMBA_CACHE_DIR": str(Path(session.virtualenv.location, "numba")),
        },
    )


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """Test the lower end of every range."""
    packages = supported("fast", "experiments")
    # First and alone, so that no other package's requirement picks a different build.
    session.install(lowest(packages["torch"]))
    # Of the same age as the oldest matplotlib, which warns next to newer ones.
    extra = ["pyparsing<3.3"]
    test(session, [lowest(package) for package in packages.values()] + extra, EVERYTHING)


@nox.session(python=PYTHONS[0])
def newest(session: nox.Session) -> None:
    """Test the newest release of everything but torch."""
    packages = supported("fast", "experiments")
    session.install(lowest(packages["torch"]))
    pins = [lowest(package) if name == "torch" else name for name, package in packages.items()]
    test(session, pins, EVERYTHING)


@nox.session(python=PYTHONS[0])
def torch(session: nox.Session) -> None:
    """Test the newest torch; several gigabytes, with the libraries for GPUs."""
    test(session, list(supported("fast", "experiments")), EVERYTHING)


@nox.session(python=PYTHONS)
def theory(session: nox.Session) -> None:
    """Test the theory alone, where torch is not installed."""
    test(session, [name for name in supported() if name != "torch"], ("tests/theory", "cdg_theory"))
