r"""Run Coq on the statements: translate the code as it is, compile, ask what was assumed, recheck.

What is compiled are the files of this folder, in :data:`FILES`' order, with ``Code.v`` freshly
translated. ``coqc`` has every proof checked by Coq's kernel; ``Print Assumptions`` says what a
theorem rests on; ``coqchk``, a program of its own, checks the compiled files once more, and takes
Coq's standard library as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore

from cdg_theory.formal.translate import translation
from cdg_theory.formal.values import drawn_values

FOLDER = Path(__file__).parent
#: In the order in which they need one another.
FILES = (
    "Fields", "Arrays", "Code", "Definitions", "Sums", "Order", "Loops", "Path", "Cycle",
    "RunningSums", "Inverse", "Resolvent", "Circulant", "Metric", "Symmetry", "Exchangeable",
    "Pairs", "PairLoops", "PairPath", "PairCycle", "PairSymmetry", "Blocks", "Sharded", "Flux",
    "Whole", "RealNumbers", "RationalNumbers", "Statements", "Refuted",
)  # fmt: skip
STATED = ("Statements", "Refuted")
#: What the standard library's real numbers are built on; allowed to theorems named ..._real.
REAL_AXIOMS = frozenset({
    "ClassicalDedekindReals.sig_forall_dec", "ClassicalDedekindReals.sig_not_dec",
    "FunctionalExtensionality.functional_extensionality_dep", "Classical_Prop.classic",
})  # fmt: skip
PROGRAMS = ("coqc", "coqchk")
_THEOREM = re.compile(r"^Theorem (\w+)", re.MULTILINE)
_NEEDED = re.compile(r"^From Cdg Require(?: Import)?([\s\w]+)\.", re.MULTILINE)


class KernelMissing(RuntimeError):  # noqa: N818 - what is said of this machine
    """Coq is not installed."""


class NotChecked(Exception):  # noqa: N818 - what is said of the proofs
    """Coq refused a file; ``file`` names it."""

    def __init__(self, file: str, said: str) -> None:
        self.file = file
        super().__init__(f"Coq refuses {file}.v: {said}")


@dataclass(frozen=True)
class Assumed:
    """A theorem that the kernel has checked, and the axioms that it rests on."""

    name: str
    axioms: tuple[str, ...]

    @property
    def as_it_must_be(self) -> bool:
        """Whether nothing is assumed, or real numbers are meant and only they are."""
        return set(self.axioms) <= (REAL_AXIOMS if self.name.endswith("_real") else set())


@dataclass(frozen=True)
class KernelReport:
    """What the kernel said: ``version`` of Coq, the theorems, ``values`` computed alike."""

    version: str
    theorems: tuple[Assumed, ...]
    values: int

    @property
    def holds(self) -> bool:
        """Whether every theorem rests on what it may rest on."""
        return bool(self.theorems) and all(theorem.as_it_must_be for theorem in self.theorems)


def stated_theorems() -> tuple[str, ...]:
    """Return the names of all theorems of ``Statements.v`` and ``Refuted.v``.

    Examples
    --------
    >>> {"T5_sweeps_path", "T5_sweeps_path_refuted"} <= set(stated_theorems())
    True
    """
    texts = (FOLDER.joinpath(f"{file}.v").read_text(encoding="utf-8") for file in STATED)
    return tuple(name for text in texts for name in _THEOREM.findall(text))


def find_kernel() -> str:
    """Return the version of Coq.

    Raises
    ------
    KernelMissing
        If it is not installed.
    """
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        msg = (
            f"not installed: {' and '.join(missing)}, which the formal proofs need (Debian: "
            "apt-get install coq); the other checks of the ledger do without"
        )
        raise KernelMissing(msg)
    return _run("coqc", "--print-version").split()[0]


def _run(*command: str, folder: Path | None = None, file: str = "") -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotChecked(file, " ".join((done.stdout + done.stderr).split()))
    return done.stdout


def compile_proofs(
    folder: Path,
    code: str,
    files: Sequence[str] = FILES,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Copy files into a folder, ``Code.v`` with the text given, and compile them.

    Each waits for those before it that it needs, and as many are at work as there are cores.

    Raises
    ------
    NotChecked
        If Coq refuses one.
    """
    compiled: dict[str, Future[str]] = {}
    core = Semaphore(os.cpu_count() or 1)

    def after(needed: set[str], file: str) -> str:
        for other in needed:
            compiled[other].result()
        with core:
            return compile_file(folder, file, tell)

    with ThreadPoolExecutor(len(files)) as pool:
        for file in files:
            text = code if file == "Code" else FOLDER.joinpath(f"{file}.v").read_text("utf-8")
            (folder / f"{file}.v").write_text(text, "utf-8")
            needed = {*" ".join(_NEEDED.findall(text)).split()} & compiled.keys()
            compiled[file] = pool.submit(after, needed, file)
    for done in compiled.values():
        done.result()


def compile_file(folder: Path, file: str, tell: Callable[[str], None] = lambda _: None) -> str:
    """Compile one file of a folder and return what Coq printed.

    Raises
    ------
    NotChecked
        If Coq refuses it.
    """
    tell(file)
    return _run("coqc", "-q", "-Q", ".", "Cdg", f"{file}.v", folder=folder, file=file)


def assumptions(folder: Path, names: Sequence[str]) -> tuple[Assumed, ...]:
    """Ask for the axioms under theorems, in a folder where all is compiled.

    Those over the reals and all others are asked for together: an axiom under one is told of all.
    """
    found: dict[str, Assumed] = {}
    for real in (False, True):
        group = [name for name in names if name.endswith("_real") == real]
        if not group:
            continue
        text = (
            f"From Cdg Require Import {' '.join(STATED)}.\n"
            f"Definition together := ({', '.join(group)}, tt).\nPrint Assumptions together.\n"
        )
        file = "Assumptions"
        (folder / f"{file}.v").write_text(text, "utf-8")
        said = compile_file(folder, file)
        axioms = tuple(
            re.findall(r"^([\w.]+)\s*(?::|$)", said.partition("Axioms:\n")[2], re.MULTILINE)
        )
        if not axioms and said.strip() != "Closed under the global context":
            raise NotChecked(file, said)
        found |= {name: Assumed(name, axioms) for name in group}
    return tuple(found[name] for name in names)


def check_proofs(tell: Callable[[str], None] = lambda _: None) -> KernelReport:
    """Have all statements checked; ``tell`` hears which file is at work.

    Raises
    ------
    KernelMissing
        If Coq is not installed.
    NotChecked
        If Coq refuses a proof, or its numbers are not Python's.
    NotTranslated
        If the code says something that the translator does not know.
    """
    version = find_kernel()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_proofs(folder, translation(), tell=tell)
        text, cases = drawn_values()
        (folder / "Values.v").write_text(text, "utf-8")
        modules = [word for file in FILES for word in ("-norec", f"Cdg.{file}")]
        check = ("coqchk", "-silent", "-Q", ".", "Cdg", *modules)
        with ThreadPoolExecutor() as pool:
            values = pool.submit(compile_file, folder, "Values", tell)
            checked = pool.submit(_run, *check, folder=folder, file="coqchk")
            tell("coqchk")
            found = assumptions(folder, stated_theorems())
        values.result()
        checked.result()
    return KernelReport(version, found, cases)
