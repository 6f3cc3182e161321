"""The harness on a disk that fills up: run in a mount namespace of its own, see faults.

Mounts a small file system in memory on the folder given, and prints what was found as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

from tests.deep import faulty
from tests.deep.faults import HARNESS, PRELOADED, finish, start

ENOUGH = "16m"


def mount(folder: Path, options: str) -> None:
    """Mount the file system, or change its options."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def attempt(folder: Path) -> str:
    """Run the harness in a process of its own; return what it ends with."""
    said = folder.with_suffix(".said")
    said.unlink(missing_ok=True)
    finish(start(faulty.harness_in_trouble, folder))
    return said.read_text() if said.exists() else "no word"


def main(home: Path) -> None:
    """Fill the disk, forbid writing, make room; compare with an undisturbed run."""
    multiprocessing.set_forkserver_preload(PRELOADED + HARNESS)
    undisturbed, folder = home / "undisturbed", home / "small"
    undisturbed.mkdir()
    folder.mkdir()
    attempt(undisturbed)
    expected = faulty.harness_result(undisturbed)
    # Two pages: one for the spec, one for some of the records, whose last is cut by the page's end.
    mount(folder, "size=8k")
    (folder / "spec.toml").write_text(faulty.SPEC)
    wrong = []

    full = attempt(folder)
    held = faulty.harness_result(folder)
    if not ("No space left on device" in full and "faults.jsonl" in full and "Make room" in full):
        wrong.append(f"on a full disk: {full}")
    if not 0 < len(held) < len(expected) or held != expected[: len(held)]:
        wrong.append(f"{len(held)} of {len(expected)} records, or others, on a full disk")

    mount(folder, f"remount,ro,size={ENOUGH}")
    before = faulty.records(folder)
    frozen = attempt(folder)
    if not ("Read-only file system" in frozen and "faults.jsonl" in frozen):
        wrong.append(f"on a read-only disk: {frozen}")
    if faulty.records(folder) != before:
        wrong.append("records changed on a read-only disk")

    mount(folder, f"remount,rw,size={ENOUGH}")
    attempt(folder)
    if faulty.harness_result(folder) != expected:
        wrong.append("with more room, other results than undisturbed")
    found = (
        f"a file system of 8 KiB: full after {len(held)} of {len(expected)} records, then "
        f"read-only, then {ENOUGH}: {len(faulty.harness_result(folder))} records"
    )
    json.dump({"found": found, "wrong": wrong}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
