"""A process that watches itself while it imports and uses the library; see security.

``python -m tests.deep.watched all`` prints, as JSON, how much was imported and used, and the audit
events of the kinds in ``WATCHED`` that this caused. What other packages do when *they* are imported
is theirs: they are imported before the watch begins. ``theory`` imports ``cdg_theory`` and uses
nothing; ``plant TEXT ...`` runs texts, and prints the events of each.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import tempfile
from pathlib import Path
from traceback import walk_stack

ROOT = Path(__file__).parents[2]
PACKAGES = ("cdg_theory", "cdg_torch")

WATCHED = {
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn",
    "os.spawn", "os.startfile", "pty.spawn", "webbrowser.open",
    "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.sendto", "urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect",
    "pickle.find_class", "shutil.unpack_archive",
}  # fmt: skip
# Python itself evaluates code to import a module or to make a dataclass: what counts is who asks.
BY_US = {"exec", "compile"}
# Numba keeps machine code with pickle, in files of its own that only this user writes.
NUMBA_CACHE = "numba/core/caching.py"

OTHERS_OF_THEORY = (
    "flint", "numpy", "scipy.fft", "scipy.linalg", "scipy.sparse.linalg", "scipy.stats", "sympy",
)  # fmt: skip
OTHERS = (
    *OTHERS_OF_THEORY,
    "matplotlib.font_manager", "matplotlib.figure", "matplotlib.backends.backend_agg",
    "multiprocessing.pool", "numba", "numba.core.caching", "PIL.Image", "PIL.ImageOps",
    "rich.console", "rich.progress", "safetensors.torch", "sklearn.datasets", "torch",
    "torch.distributed.tensor", "torch._dynamo", "torchmetrics.classification", "triton",
    "triton.language", "typer", "typer.testing",
)  # fmt: skip


def use(folder: Path) -> list[str]:
    """Use what the library is for; return what was done."""
    import numpy as np
    import torch
    from typer.testing import CliRunner

    import cdg_torch
    from cdg_theory import Metric, certify, discrete, ledger
    from cdg_torch.lab.cli import app

    metric = Metric(1.0, 0.5, 0.2)
    certify(lambda g: discrete.riemannian_gradient(g, metric), metric, 16)
    ledger.verify(["T5.inverse-path"])
    discrete.gram_operator(metric, 8) @ np.ones(8)
    for name in ("reference", "cpu"):
        with cdg_torch.backend(name):
            cdg_torch.riemannian_gradient(torch.ones(8, 3), metric)

    model = torch.nn.Sequential(torch.nn.Conv2d(2, 8, 3))
    optimizer = cdg_torch.SGD(model, lr=0.1, metric=metric)
    model(torch.ones(1, 2, 4, 4)).square().sum().backward()
    optimizer.step()
    torch.save(model.state_dict(), folder / "weights.pt")

    spec = folder / "spec.toml"
    spec.write_text(
        'name = "watched"\ndata = "digits"\noptions = { train = 16, validation = 8 }\n'
        'model = "tiny-cnn"\nrates = [0.03]\nselect_seeds = 1\nfinal_seeds = 2\n'
        '[[methods]]\nname = "SGD"\n[[methods]]\nname = "H0"\nmetric = { fluctuation = 4.0 }\n'
    )
    runner = CliRunner()
    done = ["certify", "verify a theorem", "operator", "gradients", "a step"]
    for words in (
        ["train", str(spec), "--output", str(folder / "out"), "--workers", "0"],
        ["report", str(folder / "out")],
        ["correlation", str(folder / "weights.pt"), "--figure", str(folder / "figure.png")],
    ):
        result = runner.invoke(app, words)
        if result.exit_code != 0:
            raise RuntimeError(result.output) from result.exception
        done.append(f"cdg {words[0]}")
    return done


def public_modules(package: str) -> list[str]:
    """Return every module of a package but private ones."""
    path = importlib.import_module(package).__path__
    names = [info.name for info in pkgutil.walk_packages(path, prefix=f"{package}.")]
    return [name for name in names if "._" not in name]


def main(what: str, *texts: str) -> None:
    """Watch, and print what was seen."""
    for name in {"plant": (), "theory": OTHERS_OF_THEORY, "all": OTHERS}[what]:
        importlib.import_module(name)
    ours = tuple(str(ROOT / package) for package in PACKAGES)
    events: list[str] = []
    watching = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not watching or event not in WATCHED | BY_US:
            return
        callers = [frame for frame, _ in walk_stack(sys._getframe(1))]
        files = [frame.f_code.co_filename for frame in callers]
        if event in BY_US and not files[0].startswith(ours):
            return
        if event == "pickle.find_class" and any(NUMBA_CACHE in file for file in files):
            return
        events.append(f"{event}{arguments!r:.80} at {files[0]}:{callers[0].f_lineno}")

    sys.addaudithook(hook)
    modules, done, planted = [], [], []
    watching = True
    for text in texts:
        exec(compile(text, f"{ours[0]}/planted.py", "exec"), {})
        planted.append(events.copy())
        events.clear()
    for package in {"plant": (), "theory": PACKAGES[:1], "all": PACKAGES}[what]:
        modules += public_modules(package)
    for name in modules:
        importlib.import_module(name)
    if what == "all":
        with tempfile.TemporaryDirectory() as folder:
            done = use(Path(folder))
    watching = False
    found = {"events": planted if texts else events, "modules": len(modules), "uses": len(done)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
