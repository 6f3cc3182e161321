"""Broken and malicious files and state dicts: refused in words, nothing run, nothing lost."""

from __future__ import annotations

import copy
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as save_safetensors

import cdg_torch
from cdg_theory import Metric, certify
from cdg_theory.certificates.certificate import Certificate
from cdg_torch.lab.train import store
from cdg_torch.lab.train.networks import correlations, load_weights
from cdg_torch.lab.train.specs import read_spec
from tests.deep.doors import trained
from tests.deep.figures import Figure, Report, judged, timed
from tests.deep.fuzz_arguments import snapshot

CASES = 20_000

# fmt: off
SPEC: dict[str, Any] = {
    "name": "digits", "data": "digits", "model": "tiny-cnn", "rates": [0.01, 0.1], "batches": [8],
    "epochs": 1, "select_seeds": 1, "final_seeds": 2, "augment": False, "options": {"train": 100},
    "methods": [
        {"name": "SGD"},
        {
            "name": "H", "optimizer": "sgd", "direction": "output", "where": "gradient",
            "metric": {"fluctuation": 4.0, "boundary": "natural"}, "match_norm": False,
            "centralize": False,
        },
    ],
}
# What a hand or a disk puts where something else was: JSON and TOML can say all of it.
ODD_LEAVES: tuple[Any, ...] = (
    True, -1, 0, 3, 10**30, 0.5, -2.5, float("nan"), float("inf"), "", "natural",
    "../../etc/passwd", "\u0000", [], [1], [[1.0]], {}, {"name": 1},
)
# fmt: on


class Marker:
    """Pickles as a call that makes a file: where the file is, somebody has run it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@dataclass(slots=True)
class _Tally:
    cases: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def attempt(self, what: str, call: Callable[[], object], *words: str) -> bool:
        """Call something; return whether it is refused.

        What it raises must be a ValueError or a TypeError with one of the words.
        """
        self.cases += 1
        try:
            call()
        except (ValueError, TypeError) as error:
            self.refused += 1
            if not any(word in str(error) for word in words):
                self.wrong.append(f"{what}: says {str(error)[:200]!r}")
            return True
        except Exception as error:
            self.wrong.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
        return False


def broken_bytes(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Return bytes with something done to them, and what."""
    kind = ("cut", "flipped", "filled", "zeroed", "empty", "twice")[rng.integers(6)]
    at = int(rng.integers(len(data)))
    changed = bytearray(data)
    if kind == "cut":
        changed = changed[:at]
    elif kind == "flipped":
        for _ in range(int(rng.integers(1, 9))):
            changed[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
    elif kind == "filled":
        changed[at:at] = rng.bytes(int(rng.integers(1, 40)))
    elif kind == "zeroed":
        stop = min(len(data), at + int(rng.integers(1, 200)))
        changed[at:stop] = bytes(stop - at)
    return kind, {"empty": b"", "twice": data + data}.get(kind, bytes(changed))


def broken_tree(tree: Any, rng: np.random.Generator) -> Any:
    """Return nested lists and dicts with one node replaced, left out, or renamed."""
    tree = copy.deepcopy(tree)
    nodes: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        places = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in list(places):
            nodes.append((node, key))
            if isinstance(value, list | dict):
                walk(value)

    walk(tree)
    parent, key = nodes[rng.integers(len(nodes))]
    chance = rng.random()
    if chance < 0.15:
        del parent[key]
    elif chance < 0.3 and isinstance(parent, dict):
        parent[f"{key}x"] = parent.pop(key)
    else:
        parent[key] = copy.deepcopy(ODD_LEAVES[rng.integers(len(ODD_LEAVES))])
    return tree


def to_toml(value: Any) -> str:
    """Return plain values as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else str(value)


def spec_text(tree: dict[str, Any]) -> bytes:
    """Return a spec as a file holds it."""
    return "\n".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in tree.items()).encode()


def saved(content: Any, **options: Any) -> bytes:
    """Return what ``torch.save`` writes."""
    stream = BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def _malicious(folder: Path) -> dict[str, bytes]:
    """Return files that would make ``folder/RAN`` if they were unpickled, in every way in."""
    evil = Marker(folder / "RAN")
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(evil, protocol=2))
        file.writestr("archive/version", "3\n")
    return {
        "among weights": saved({"weight": torch.ones(4, 1, 3, 3), "evil": evil}),
        "nested": saved({"state": {"deep": [evil]}}),
        "in the old format": saved({"evil": evil}, _use_new_zipfile_serialization=False),
        "a bare pickle": pickle.dumps(evil),
        "an archive by hand": archive.getvalue(),
    }


def _fuzz_weights(tally: _Tally, folder: Path, rng: np.random.Generator) -> Iterator[None]:
    state = dict(trained()[0].state_dict())
    sound = {
        ".pt": saved({"epoch": 3, "model": state}),
        ".safetensors": save_safetensors({name: t.contiguous() for name, t in state.items()}),
    }
    for suffix in cycle(sound):
        kind, data = broken_bytes(sound[suffix], rng)
        path = folder / f"weights{suffix}"
        path.write_bytes(data)
        what = f"{suffix}, {kind}, {tally.cases}"
        tally.attempt(what, lambda path=path: correlations(load_weights(path)), str(path))  # type: ignore[misc]
        yield


def _fuzz_pickles(folder: Path) -> _Tally:
    tally, ran = _Tally(), folder / "RAN"
    pickle.loads(_malicious(folder)["a bare pickle"])
    ran.rmdir()  # where pickles are trusted, the code runs
    readers: dict[str, Callable[[Path], object]] = {
        "load_weights": load_weights,
        "read_spec": read_spec,
        "store.read": store.read,
        "from_json": lambda path: Certificate.from_json(path.read_bytes().decode("latin-1")),
    }
    suffixes = (".pt", ".pth", ".safetensors", ".jsonl", ".toml", ".json")
    evils = _malicious(folder).items()
    for suffix, (name, data), (reader, read) in product(suffixes, evils, readers.items()):
        path, what = folder / f"evil{suffix}", f"{reader} of {name}, {suffix}"
        path.write_bytes(data)
        if not tally.attempt(what, partial(read, path), str(path), "certificate"):
            tally.wrong.append(f"{what}: taken")
        if path.read_bytes() != data:
            tally.wrong.append(f"{what}: changed")
        if ran.exists():
            ran.rmdir()
            tally.wrong.append(f"{what}: run")
    return tally


def _expand(path: Path) -> None:
    """Read a spec, and make of it what does not train: the runs and their names."""
    for experiment in read_spec(path):
        for run in experiment.select_runs():
            assert len(run.key) == 16


def _fuzz_specs(tally: _Tally, folder: Path, rng: np.random.Generator) -> Iterator[None]:
    path, whole = folder / "spec.toml", spec_text(SPEC)
    path.write_bytes(whole)
    read_spec(path)
    while True:
        if tally.cases % 3 == 0:
            kind, data = broken_bytes(whole, rng)
        else:
            kind, tree = "a tree", broken_tree(SPEC, rng)
            data = spec_text(broken_tree(tree, rng) if tree and rng.random() < 0.5 else tree)
        path.write_bytes(data)
        what = f"spec, {kind}, {tally.cases}: {data[:400]!r}"
        tally.attempt(what, partial(_expand, path), str(path))
        yield


def _fuzz_records(tally: _Tally, folder: Path, rng: np.random.Generator) -> Iterator[None]:
    path = folder / "records.jsonl"
    records = [{"key": f"key{i}", "run": {"seed": i}, "results": {"test": 0.5}} for i in range(4)]

    def lines(rows: list[Any]) -> bytes:
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()

    while True:
        kind, data = "a tree", lines(broken_tree(records, rng))
        if tally.cases % 2:
            kind, data = broken_bytes(lines(records), rng)
        path.write_bytes(data)
        found: dict[str, Any] = {}
        what = f"records, {kind}, {tally.cases}: {data[:200]!r}"
        refused = tally.attempt(what, lambda to=found: to.update(store.read(path)), str(path))  # type: ignore[misc]
        # A record that was cut goes; nothing else does, and nothing of a file that is refused.
        if path.read_bytes() != (data if refused else data[: data.rfind(b"\n") + 1]):
            tally.wrong.append(f"{what}: whole lines were lost")
        if not all(isinstance(r, dict) and r["key"] == key for key, r in found.items()):
            tally.wrong.append(f"{what}: {found}")
        yield


def _fuzz_states(tally: _Tally, _: Path, rng: np.random.Generator) -> Iterator[None]:
    """State dicts of handles and schedules, certificates as JSON."""
    model, optimizer = trained()
    handle = cdg_torch.attach(optimizer, model, Metric.sobolev(1.0))
    schedule = cdg_torch.LinearMetric(handle, steps=4)
    states = (handle.state_dict(), schedule.state_dict())
    certificate = json.loads(certify(lambda g: g, Metric.l2(), 3, columns=2).to_json())
    doors: tuple[tuple[str, Any, Callable[[Any], object]], ...] = (
        ("handle", states[0], handle.load_state_dict),
        ("schedule", states[1], schedule.load_state_dict),
        ("certificate", certificate, lambda tree: str(Certificate.from_json(json.dumps(tree)))),
    )
    for text in ("", "[" * 100_000, "null", "1e999", '{"metric": ' * 50_000):
        tally.attempt(f"certificate {text[:20]!r}", partial(Certificate.from_json, text), "cert")
    for name, sound, load in cycle(doors):
        tree, before = broken_tree(sound, rng), snapshot(schedule)
        what = f"state of the {name}, {tally.cases}: {tree}"
        # A metric's own refusals name its fields.
        fields = Metric.__dataclass_fields__ if isinstance(tree, Mapping) else ()
        refused = tally.attempt(
            what, partial(load, tree), "state", "metric", "certificate", *fields
        )
        if refused and snapshot(schedule) != before:
            tally.wrong.append(f"{what}: half loaded")
        handle.load_state_dict(states[0])
        schedule.load_state_dict(states[1])
        yield


def fuzz_files(effort: float, report: Report) -> Figure:
    """Break every file that the library reads, and every state dict that it loads."""
    rng = np.random.default_rng(11)
    cases = max(10, int(CASES * effort / 4))
    jobs = {
        "weights": _fuzz_weights,
        "specs": _fuzz_specs,
        "records": _fuzz_records,
        "state dicts": _fuzz_states,
    }
    with timed() as seconds, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tallies = {"pickles that run code": _fuzz_pickles(folder)}
        for what, job in jobs.items():
            tallies[what] = _Tally()
            for done, _ in enumerate(islice(job(tallies[what], folder, rng), cases)):
                if done % 50 == 0:
                    report(what, done, cases)
    return judged(
        "fuzz",
        "A file or a state dict that is cut, changed, of wrong types or malicious is served, or "
        "refused by an error that names it; no pickle runs, no whole record is lost, nothing is "
        "half loaded",
        ", ".join(f"{t.cases:,} {what} ({t.refused:,} refused)" for what, t in tallies.items()),
        [words for tally in tallies.values() for words in tally.wrong],
        seconds(),
    )
