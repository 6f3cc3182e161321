"""From an installed wheel, with no clone around, notebooks run: no assertion of them fails.

The cells of all of them run when the site is built, from the same wheel; here a few of the files.
"""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from cdg_torch.lab.notebooks import Library

ROOT = Path(__file__).parents[2]
FILES = [page.file for page in Library(ROOT / "docs").notebooks]
SAMPLE = ("ten-minutes.ipynb", "theorem-5-by-hand.ipynb", "channels-with-an-order.ipynb")


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


@pytest.mark.parametrize("file", SAMPLE)
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
