"""One build of the documentation, with warnings as errors, shared by the tests of this folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # With `--dist loadgroup` one process has these tests, and no other waits for the build.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("docs"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the built pages; a build that warns or fails fails every test here."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent  # shared by the processes of one run
    html, done = folder / "site", folder / "site.log"
    with FileLock(folder / "site.lock"):
        if not done.is_file():
            # Fresh doctrees: a page that was read before would not repeat its warnings.
            switches = ["-W", "-n", "--keep-going", "-q", "-b", "html"]
            command = [sys.executable, "-m", "sphinx", *switches]
            folders = ["-d", str(folder / "doctrees"), str(ROOT / "docs"), str(html)]
            # tests/theory/test_ledger_holds.py runs the ledger; once is enough.
            environment = os.environ | {"CDG_LEDGER_NOT_RUN": "1"}
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
