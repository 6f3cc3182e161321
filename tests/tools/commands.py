"""Commands as a user gives them: ``cdg`` in this process, Python in a process of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def cdg(*arguments: object, exit_code: int = 0):
    """Return the result of ``cdg`` with these arguments, which ends with this code."""
    from typer.testing import CliRunner

    from cdg_torch.lab.cli import app

    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "140"})
    assert result.exit_code == exit_code, result.output
    return result


def python(*arguments: str, timeout: float = 300, **options) -> str:
    """Return what Python prints at the root of the repository, where it must not fail."""
    options = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": timeout, **options}
    done = subprocess.run([sys.executable, *arguments], check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout
