"""One build of the documentation, with warnings as errors, shared by the tests of this folder.

Its notebooks are executed from an installed wheel, with no clone around: one run shows both.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("cdg_theory", "cdg_torch", "docs", "pyproject.toml", "README.md", "LICENSE")


@pytest.hookimpl(tryfirst=True)  # before what is slow is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Minutes for whatever needs the site or the wheel. With `--dist loadgroup` one process has all
    # of it, and no other waits for the build.
    for item in items:
        if {"site", "installed"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("site"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of one run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder


@pytest.fixture(scope="session")
def installed(shared: Path) -> Path:
    """Return a folder with the wheel's contents."""
    source, wheels, folder = (shared / name for name in ("source", "wheels", "installed"))
    with FileLock(shared / "installed.lock"):
        if folder.is_dir():
            return folder
        source.mkdir()
        for name in BUILT_FROM:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("_build", "__pycache__", "generated")
                shutil.copytree(ROOT / name, source / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, source)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source]
        subprocess.run([*pip, *build], check=True)
        (wheel,) = wheels.iterdir()
        install = ["install", "--no-deps", "--no-index", "--target", folder, wheel]
        subprocess.run([*pip, *install], check=True)
    return folder


@pytest.fixture(scope="session")
def site(shared: Path, installed: Path) -> Path:
    """Return the folder of the built pages; a build that warns or fails fails every test here."""
    html, done = shared / "site", shared / "site.log"
    with FileLock(shared / "site.lock"):
        if not done.is_file():
            # Fresh doctrees: a page that was read before would not repeat its warnings.
            switches = ["-W", "-n", "--keep-going", "-q", "-b", "html"]
            command = [sys.executable, "-m", "sphinx", *switches]
            folders = ["-d", str(shared / "doctrees"), str(ROOT / "docs"), str(html)]
            # The kernels find the wheel's packages first. The ledger is run by
            # tests/theory/test_ledger_holds.py; once is enough.
            environment = os.environ | {"PYTHONPATH": str(installed), "CDG_LEDGER_NOT_RUN": "1"}
            built = subprocess.run(
                command + folders,
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                env=environment,
            )
            done.write_text(f"{built.returncode}\n{built.stdout}{built.stderr}", encoding="utf-8")
    code, _, output = done.read_text(encoding="utf-8").partition("\n")
    assert code == "0", f"the documentation does not build without warnings:\n{output[-8000:]}"
    return html
