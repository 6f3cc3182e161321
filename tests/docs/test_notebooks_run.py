"""From an installed wheel, with no clone around, every notebook runs: no assertion of it fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from cdg_torch.lab.notebooks import Library

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("cdg_theory", "cdg_torch", "docs", "pyproject.toml", "README.md", "LICENSE")
FILES = [page.file for page in Library(ROOT / "docs").notebooks]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Return a folder with the wheel's contents."""
    source, wheels, folder = (tmp_path_factory.mktemp(n) for n in ("source", "wheels", "installed"))
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("_build", "__pycache__", "generated")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(source)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = wheels.iterdir()
    install = ["install", "--no-deps", "--no-index", "--target", str(folder), str(wheel)]
    subprocess.run([*pip, *install], check=True)
    return folder


@pytest.fixture(scope="module")
def written(installed, tmp_path_factory) -> Path:
    """Return the folder that the installed command has filled."""
    folder = tmp_path_factory.mktemp("notebooks")
    program = "from cdg_torch.lab.cli import main; main()"
    command = [sys.executable, "-c", program, "notebooks", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(installed)}
    subprocess.run(command, check=True, cwd=folder, env=environment)
    assert {path.name for path in folder.iterdir()} == {*FILES, "index.ipynb"}
    return folder


@pytest.mark.parametrize("file", FILES)
def test_it_runs(installed, written, file, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(written / file, as_version=4)
    where = nbformat.v4.new_code_cell("import cdg_theory; print(cdg_theory.__file__)")
    notebook.cells.append(where)
    resources = {"metadata": {"path": str(written)}}
    options = {"timeout": 300, "kernel_name": "python3", "resources": resources}
    NotebookClient(notebook, extra_arguments=["--log-level=ERROR"], **options).execute()
    assert Path(notebook.cells[-1].outputs[0].text.strip()).is_relative_to(installed)
