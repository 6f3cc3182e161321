"""Broken and malicious files and state dicts: refused in words, nothing run, nothing lost."""

from __future__ import annotations

import copy
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
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
from tests.deep.figures import Figure, Report, timed
from tests.deep.fuzz_arguments import snapshot

CASES = 20_000

SPEC: dict[str, Any] = {
    "name": "digits",
    "data": "digits",
    "model": "tiny-cnn",
    "rates": [0.01, 0.1],
    "batches": [8],
    "epochs": 1,
    "select_seeds": 1,
    "final_seeds": 2,
    "augment": False,
    "options": {"train": 100},
    "methods": [
        {"name": "SGD"},
        {
            "name": "H",
            "optimizer": "sgd",
            "metric": {"fluctuation": 4.0, "boundary": "natural"},
            "direction": "output",
            "where": "gradient",
            "match_norm": False,
            "centralize": False,
        },
    ],
}
# What a hand or a disk puts where something else was: JSON and TOML can say all of it.
ODD_LEAVES: tuple[Any, ...] = (
    True,
    -1,
    0,
    3,
    10**30,
    0.5,
    -2.5,
    float("nan"),
    float("inf"),
    "",
    "natural",
    "../../etc/passwd",
    "\u0000",
    [],
    [1],
    [[1.0]],
    {},
    {"name": 1},
)


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

    def attempt(self, what: str, call: Callable[[], object], *, words: tuple[str, ...]) -> None:
        """Call something; what it raises must be a ValueError or TypeError with these words."""
        self.cases += 1
        try:
            call()
        except (ValueError, TypeError) as error:
            self.refused += 1
            if not any(word in str(error) for word in words):
                self.wrong.append(f"{what}: says {str(error)[:200]!r}")
        except Exception as error:
            self.wrong.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")


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
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _weights(kind: str) -> bytes:
    model, _ = trained()
    state = dict(model.state_dict())
    if kind == ".safetensors":
        return save_safetensors({name: t.contiguous() for name, t in state.items()})
    stream = BytesIO()
    torch.save({"epoch": 3, "model": state}, stream)
    return stream.getvalue()


def _malicious(folder: Path) -> dict[str, bytes]:
    """Return files that would make ``folder/RAN`` if they were unpickled, in every way in."""
    evil = Marker(folder / "RAN")
    stream = BytesIO()
    torch.save({"weight": torch.ones(4, 1, 3, 3), "evil": evil}, stream)
    nested = BytesIO()
    torch.save({"state": {"deep": [evil]}}, nested)
    old = BytesIO()
    torch.save({"evil": evil}, old, _use_new_zipfile_serialization=False)
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(evil, protocol=2))
        file.writestr("archive/version", "3\n")
    return {
        "among weights": stream.getvalue(),
        "nested": nested.getvalue(),
        "in the old format": old.getvalue(),
        "a bare pickle": pickle.dumps(evil),
        "an archive by hand": archive.getvalue(),
    }


def _read_weights(path: Path) -> None:
    correlations(load_weights(path))


def _fuzz_weights(folder: Path, cases: int, rng: np.random.Generator, report: Report) -> _Tally:
    tally = _Tally()
    sound = {suffix: _weights(suffix) for suffix in (".pt", ".safetensors")}
    for number in range(cases):
        suffix = (".pt", ".safetensors")[number % 2]
        kind, data = broken_bytes(sound[suffix], rng)
        path = folder / f"weights{suffix}"
        path.write_bytes(data)
        words = (str(path),)
        tally.attempt(f"{suffix}, {kind}, {number}", partial(_read_weights, path), words=words)
        if number % 50 == 0:
            report("files of weights", number, cases)
    return tally


def _fuzz_pickles(folder: Path) -> _Tally:
    tally = _Tally()
    pickle.loads(_malicious(folder)["a bare pickle"])
    (folder / "RAN").rmdir()  # where pickles are trusted, the code runs
    for suffix in (".pt", ".pth", ".safetensors", ".jsonl", ".toml", ".json"):
        for name, data in _malicious(folder).items():
            path = folder / f"evil{suffix}"
            path.write_bytes(data)
            readers: dict[str, Callable[[], object]] = {
                "load_weights": partial(load_weights, path),
                "read_spec": partial(read_spec, path),
                "store.read": partial(store.read, path),
                "Certificate.from_json": lambda p=path: Certificate.from_json(  # type: ignore[misc]
                    p.read_bytes().decode("latin-1")
                ),
            }
            for reader, call in readers.items():
                before = tally.refused
                path.write_bytes(data)
                words = (str(path), "certificate")
                tally.attempt(f"{reader} of {name}, {suffix}", call, words=words)
                if path.read_bytes() != data:
                    tally.wrong.append(f"{reader} changed {name}, {suffix}")
                if tally.refused == before:
                    tally.wrong.append(f"{reader} took {name} for a {suffix}")
                if (folder / "RAN").exists():
                    (folder / "RAN").rmdir()
                    tally.wrong.append(f"{reader} ran {name}, {suffix}")
    return tally


def _fuzz_specs(folder: Path, cases: int, rng: np.random.Generator, report: Report) -> _Tally:
    tally = _Tally()
    path = folder / "spec.toml"
    # The keys of a table come first in TOML; inline tables may stand anywhere.
    whole = "\n".join(f"{key} = {to_toml(value)}" for key, value in SPEC.items())
    path.write_text(whole)
    read_spec(path)
    for number in range(cases):
        if number % 3 == 0:
            kind, data = broken_bytes(whole.encode(), rng)
        else:
            kind, tree = "a tree", broken_tree(SPEC, rng)
            for _ in range(int(rng.integers(0, 2))):
                tree = broken_tree(tree, rng) if tree else tree
            data = "\n".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in tree.items()).encode()
        path.write_bytes(data)
        tally.attempt(
            f"spec, {kind}, {number}: {data[:400]!r}",
            partial(_expand, path),
            words=(str(path),),
        )
        if number % 50 == 0:
            report("specs", number, cases)
    return tally


def _expand(path: Path) -> None:
    """Read a spec, and make of it what does not train: the runs and their names."""
    for experiment in read_spec(path):
        for run in experiment.select_runs():
            assert len(run.key) == 16


def _fuzz_records(folder: Path, cases: int, rng: np.random.Generator, report: Report) -> _Tally:
    tally = _Tally()
    path = folder / "records.jsonl"
    lines = [
        json.dumps({"key": f"key{i}", "run": {"seed": i}, "results": {"test": 0.5}})
        for i in range(4)
    ]
    whole = "".join(f"{line}\n" for line in lines).encode()
    for number in range(cases):
        if number % 2:
            kind, data = broken_bytes(whole, rng)
        else:
            kind, tree = "a tree", broken_tree([json.loads(line) for line in lines], rng)
            data = "".join(f"{json.dumps(record)}\n" for record in tree).encode()
        path.write_bytes(data)
        found: dict[str, Any] = {}
        refused = tally.refused
        tally.attempt(
            f"records, {kind}, {number}: {data[:200]!r}",
            lambda found=found: found.update(store.read(path)),  # type: ignore[misc]
            words=(str(path),),
        )
        # A record that was cut goes; nothing else does, and nothing of a file that is refused.
        kept = data if tally.refused > refused else data[: data.rfind(b"\n") + 1]
        if path.read_bytes() != kept:
            tally.wrong.append(f"records, {kind}, {number}: whole lines were lost")
        if not all(isinstance(r, dict) and r["key"] == key for key, r in found.items()):
            tally.wrong.append(f"records, {kind}, {number}: {found}")
        if number % 50 == 0:
            report("files of records", number, cases)
    return tally


def _fuzz_states(cases: int, rng: np.random.Generator, report: Report) -> _Tally:
    """State dicts of handles and schedules, certificates as JSON."""
    tally = _Tally()
    model, optimizer = trained()
    handle = cdg_torch.attach(optimizer, model, Metric.sobolev(1.0))
    schedule = cdg_torch.LinearMetric(handle, steps=4)
    certificate = json.loads(certify(lambda g: g, Metric.l2(), 3, columns=2).to_json())
    doors: tuple[tuple[str, Any, Callable[[Any], object]], ...] = (
        ("handle", handle.state_dict(), handle.load_state_dict),
        ("schedule", schedule.state_dict(), schedule.load_state_dict),
        ("certificate", certificate, lambda tree: str(Certificate.from_json(json.dumps(tree)))),
    )
    for number in range(cases):
        name, sound, load = doors[number % len(doors)]
        tree = broken_tree(sound, rng)
        before, refused = snapshot(schedule), tally.refused
        tally.attempt(
            f"state of the {name}, {number}: {tree}",
            partial(load, tree),
            words=("state", "metric", "certificate", *_names(tree)),
        )
        if tally.refused > refused and snapshot(schedule) != before:
            tally.wrong.append(f"state of the {name}, {number}: {tree} was half loaded")
        handle.load_state_dict(doors[0][1])
        schedule.load_state_dict(doors[1][1])
        if number % 50 == 0:
            report("state dicts", number, cases)
    for text in ("", "[" * 100_000, "null", "1e999", '{"metric": ' * 50_000):
        tally.attempt(
            f"certificate {text[:20]!r}", partial(Certificate.from_json, text), words=("cert",)
        )
    return tally


def _names(tree: Any) -> tuple[str, ...]:
    """Return the names of a metric's fields: what its own refusals call them."""
    return tuple(Metric.__dataclass_fields__) if isinstance(tree, Mapping) else ()


def fuzz_files(effort: float, report: Report) -> Figure:
    """Break every file that the library reads, and every state dict that it loads."""
    rng = np.random.default_rng(11)
    cases = max(10, int(CASES * effort / 4))
    with timed() as seconds, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tallies = {
            "weights": _fuzz_weights(folder, cases, rng, report),
            "pickles that run code": _fuzz_pickles(folder),
            "specs": _fuzz_specs(folder, cases, rng, report),
            "records": _fuzz_records(folder, cases, rng, report),
            "state dicts": _fuzz_states(cases, rng, report),
        }
    wrong = [words for tally in tallies.values() for words in tally.wrong]
    found = ", ".join(
        f"{tally.cases:,} {what} ({tally.refused:,} refused)" for what, tally in tallies.items()
    )
    if wrong:
        found += f"; {len(wrong)} wrong, the first: {min(wrong, key=len)}"
    return Figure(
        "fuzz",
        "A file or a state dict that is cut, changed, of wrong types or malicious is served, or "
        "refused by an error that names it; no pickle runs, no whole record is lost, nothing is "
        "half loaded",
        found,
        not wrong,
        seconds(),
    )
