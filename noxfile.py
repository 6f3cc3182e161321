"""Other versions than those tested together, and what is published; ``nox -l`` lists the sessions.

``oldest``         the lower end of every range in pyproject.toml but torch's and SymPy's
``newest``         the newest releases of everything but torch
``theory``         ``cdg_theory`` on every Python, without torch
``package``        the sdist and the wheel: built, checked, installed, and used
``torch-2.6``      the lower end of every range, torch among them
``torch-2.8``,
``torch-2.11``,
``torch-newest``   another torch, with the newest releases that it takes

``oldest``, ``newest`` and ``package`` use the torch of constraints.txt. The sessions of another
torch run only when asked for: its wheels on PyPI are built for GPUs and do not load without CUDA's
libraries. These are installed once for all sessions of one CUDA, four gigabytes each, beside the
sessions' environments of two or three. No GPU is used.

Words after ``--`` replace the selection of tests:
``nox -s oldest -- tests/lab/test_files_intact.py``.
"""

from __future__ import annotations

import shutil
import tarfile
import tomllib
from pathlib import Path

import nox
from packaging.requirements import Requirement

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13")
TOOLS = ("hypothesis", "nox", "numpydoc", "packaging", "pytest", "python-flint")

# Of every torch that people may have, some: the Python that its session has.
TORCHES = {"2.6": "3.11", "2.8": "3.12", "2.11": "3.12", "newest": "3.13"}
# A torch loads any libraries of its CUDA's major version: these are torch 2.10's and torch 2.15's.
PARTS = "cublas,cudart,cufft,cufile,cupti,curand,cusolver,cusparse,nvjitlink,nvrtc,nvtx"
LIBRARIES = {
    "12": (
        f"cuda-toolkit[{PARTS}]==12.8.1", "nvidia-cudnn-cu12==9.10.2.21",
        "nvidia-cusparselt-cu12==0.7.1", "nvidia-nccl-cu12==2.27.5", "nvidia-nvshmem-cu12==3.4.5",
    ),
    "13": (
        f"cuda-toolkit[{PARTS}]==13.2.2", "nvidia-cudnn-cu13==9.26.0.51",
        "nvidia-cusparselt-cu13==0.8.1", "nvidia-nccl-cu13==2.30.7", "nvidia-nvshmem-cu13==3.7.2",
    ),
}  # fmt: skip
# Installed without what they ask for: torch, and through it the libraries once more.
ASK_FOR_TORCH = ("torchmetrics", "lightning-utilities")

EVERYTHING = (
    "tests", "cdg_theory", "cdg_torch",
    # These need what the sessions do not install: a browser and the training frameworks. Triton's
    # interpreter is slow.
    "--ignore=tests/docs", "--ignore=tests/deep",
    "--ignore=tests/attach/test_frameworks.py",
    "--ignore=tests/kernels/test_gpu_interpreted.py", "--ignore=cdg_torch/solve/gpu/programs.py",
    "--ignore=cdg_torch/solve/gpu/run_gpu.py",
)  # fmt: skip

nox.options.sessions = ["oldest", "newest", "theory", "package"]
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


def ask(session: nox.Session, code: str) -> str:
    """Return what the session's Python prints."""
    said = session.run("python", "-c", code, silent=True)
    return str(said).strip()


def install_torch(session: nox.Session, wanted: str) -> dict[str, str]:
    """Install a torch alone; return what else it asks for, its libraries for GPUs left out.

    If it does not load without these, they are installed once, in the folder that all sessions
    share. torch looks for them in every folder on ``sys.path``.
    """
    session.install("--no-deps", "--upgrade", wanted)
    lines = ask(session, "from importlib.metadata import *; print(*requires('torch'), sep='\\n')")
    here = {"python_version": str(session.python), "extra": ""}
    asked = [line for line in map(Requirement, lines.splitlines())
             if line.marker is None or line.marker.evaluate(here)]  # fmt: skip
    gpu = [line for line in asked if line.name.startswith(("nvidia-", "cuda-"))]
    if gpu:
        cuda = "12" if any(line.name.endswith("-cu12") for line in gpu) else "13"
        shared = Path(session.cache_dir, f"cuda-{cuda}")
        if not shared.exists():
            session.install("--target", str(shared), *LIBRARIES[cuda])
        site = ask(session, "import sysconfig; print(sysconfig.get_path('purelib'))")
        Path(site, "cuda.pth").write_text(f"{shared.resolve()}\n", encoding="utf-8")
    # Triton compiles the GPU kernels without a GPU too; builds of torch without CUDA do not ask.
    mine = {"triton": "triton"}
    return mine | {line.name: f"{line.name}{line.specifier}" for line in asked if line not in gpu}


def run_tests(
    session: nox.Session,
    packages: list[str],
    selection: tuple[str, ...],
    torch: str = "",
    root: Path = ROOT,
) -> None:
    """Install packages, say which versions there are then, and run the tests of the sources."""
    beside = install_torch(session, torch) if torch else {}
    named = {Requirement(package).name: package for package in packages}
    # SymPy is torch's to choose.
    alone = [line for name, line in named.items() if name not in {*ASK_FOR_TORCH, *beside}]
    session.install("--upgrade", *alone, *beside.values(), *TOOLS)
    if torch:
        after = [named.get(name, name) for name in ASK_FOR_TORCH]
        session.install("--upgrade", "--no-deps", *after)
    session.run(
        "python",
        "-c",
        "import sys; from importlib.metadata import version; "
        "print('versions: Python', sys.version.split()[0], "
        "*(f'· {name} {version(name)}' for name in sys.argv[1:]))",
        *named,
        *(["torch"] if torch else []),
    )
    env = {
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
        # Triton's interpreter is slow, and an older one fails with newer NumPy.
        "TRITON_INTERPRET": "0",
        "NUMBA_CACHE_DIR": str(Path(session.virtualenv.location, "numba")),
    }
    with session.chdir(root):
        tests = session.posargs or selection
        session.run("python", "-m", "pytest", "-p", "no:cacheprovider", *tests, env=env)


def pinned_torch() -> str:
    """Return the torch of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (pin,) = (line for line in lines if line.startswith("torch=="))
    return pin


def ten_lines() -> str:
    """Return the program of the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return readme.partition("```python\n")[2].partition("```")[0]


def all_but_torch() -> list[Requirement]:
    """Return what the tests use, torch left out."""
    return [line for name, line in supported("fast", "experiments").items() if name != "torch"]


def lower_ends() -> list[str]:
    """Return the lower end of every range but torch's."""
    # pyparsing of the same age as the oldest matplotlib, which warns next to newer ones.
    return [*map(lowest, all_but_torch()), "pyparsing<3.3"]


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """Test the lower end of every range but torch's and SymPy's."""
    run_tests(session, lower_ends(), EVERYTHING, torch=pinned_torch())


@nox.session(python=PYTHONS[0])
def newest(session: nox.Session) -> None:
    """Test the newest release of everything but torch."""
    names = [line.name for line in all_but_torch()]
    run_tests(session, names, EVERYTHING, torch=pinned_torch())


@nox.session(python=PYTHONS)
def theory(session: nox.Session) -> None:
    """Test the theory alone, where torch is not installed."""
    run_tests(
        session, [name for name in supported() if name != "torch"], ("tests/theory", "cdg_theory")
    )


@nox.session(python=PYTHONS[0])
def package(session: nox.Session) -> None:
    """Build and check what is published; test the sdist by itself; install the wheel and use it."""
    made = Path(session.create_tmp())
    shutil.rmtree(made / "dist", ignore_errors=True)
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(made / "dist"), str(ROOT))
    wheel, sdist = sorted(map(str, (made / "dist").iterdir()), key=lambda name: name[-3:] != "whl")
    session.run("twine", "check", "--strict", wheel, sdist)

    # An installed torch stays as it is; the library verifies itself, with Numba and without.
    fresh = made / "fresh"
    session.run("python", "-m", "venv", "--clear", str(fresh))
    python = str(fresh / "bin" / "python")
    pip = python, "-m", "pip"
    session.run(*pip, "install", pinned_torch(), external=True)
    before = str(session.run(*pip, "freeze", silent=True, external=True)).splitlines()
    for what in (wheel, f"{wheel}[fast]"):
        session.run(*pip, "install", what, external=True)
        after = str(session.run(*pip, "freeze", silent=True, external=True)).splitlines()
        if changed := set(before) - set(after):
            session.error(f"installing {what} has changed {sorted(changed)}")
        with session.chdir(made):  # away from the sources
            session.run(python, "-c", ten_lines(), external=True)
            session.run(str(fresh / "bin" / "cdg"), "verify", "--quick", external=True)

    # The notebooks run from the wheel, in Jupyter as its extra installs it.
    session.run(*pip, "install", f"{wheel}[notebooks]", external=True)
    with session.chdir(made):
        session.run(str(fresh / "bin" / "cdg"), "notebooks", "notebooks", external=True)
        files = sorted(map(str, (made / "notebooks").glob("*.ipynb")))
        session.run(str(fresh / "bin" / "jupyter"), "execute", *files, external=True)

    # The sdist has its tests with it.
    with tarfile.open(sdist) as archive:
        archive.extractall(made, filter="data")
    root = made / Path(sdist).name.removesuffix(".tar.gz")
    pins = [line.name for line in all_but_torch()]
    run_tests(session, pins, EVERYTHING, torch=pinned_torch(), root=root)


def with_torch(version: str) -> None:
    """Declare the session of a torch."""

    @nox.session(name=f"torch-{version}", python=TORCHES[version])
    def torch(session: nox.Session) -> None:
        wanted = "torch" if version == "newest" else f"torch=={version}.*"
        packages = [line.name for line in all_but_torch()]
        if wanted == f"{lowest(supported()['torch'])}.*":
            packages = lower_ends()
        run_tests(session, packages, EVERYTHING, torch=wanted)


for version in TORCHES:
    with_torch(version)
