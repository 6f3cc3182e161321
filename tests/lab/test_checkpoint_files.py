"""A file that holds no weights is refused in one line: what it is, and what to do."""

import argparse
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.tools.commands import cdg

STATE = {"0.weight": torch.ones(4, 2, 3)}


def zipped(path, *names) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")


def cut(path, keep) -> None:
    torch.save(STATE, path, _use_new_zipfile_serialization=path.suffix == ".pt")
    path.write_bytes(path.read_bytes()[:keep])


def scripted(path) -> None:
    # What torch.jit.save lays down; the function itself warns that it is deprecated.
    zipped(path, "net/data.pkl", "net/code/__torch__/net.py", "net/constants.pkl", "net/version")


def folder(path, *names) -> None:
    path.mkdir()
    for name in names:
        (path / name).touch()


INDEX = {"metadata": {}, "weight_map": {"a": "m-1-of-2.safetensors", "b": "m-2-of-2.safetensors"}}
SAVE = re.escape("save model.state_dict() alone")
AGAIN = "copy or save it again"
CASES = {
    "missing.pt": (Path.exists, "is not a file; name a .pt"),
    "empty.pt": (lambda path: path.touch(), f"is empty; {AGAIN}"),
    "empty.safetensors": (lambda path: path.touch(), f"is empty; {AGAIN}"),
    "notes.txt": (lambda path: path.write_text("λ is 10\n"), "is text, not weights; name"),
    "page.pt": (lambda path: path.write_text("\n<!DOCTYPE html>\n<p>404"), "is a web page"),
    "lfs.safetensors": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid x\n"),
        "git-LFS, not the weights; git lfs pull",
    ),
    "m.safetensors.index.json": (
        lambda path: path.write_text(json.dumps(INDEX)),
        "an index of weights in several files; name one of them: m-1-of-2.safetensors, m-2-of-2",
    ),
    "config.json": (lambda path: path.write_text('{"a": 1}'), "is JSON, not weights; name"),
    "script.pt": (scripted, f"is a TorchScript archive, a program with its weights; {SAVE}"),
    "arrays.npz": (lambda path: np.savez(path, a=np.ones(3)), "archive of NumPy arrays; save"),
    "array.npy": (lambda path: np.save(path, np.ones(3)), "is a NumPy array; save"),
    "other.zip": (lambda path: zipped(path, "a.txt"), "is a zip archive, not one by torch.save"),
    "net.onnx": (
        lambda path: path.write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x032.1:\x80"),
        "is an ONNX model; name",
    ),
    "net.h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "is an HDF5 file"),
    "net.gguf": (lambda path: path.write_bytes(b"GGUF\x03\x00"), "is a GGUF file"),
    "net.pt.gz": (lambda path: path.write_bytes(b"\x1f\x8b\x08\x00"), "is compressed; unpack"),
    "cut.pt": (lambda path: cut(path, 200), f"is cut short or damaged; {AGAIN}"),
    "cut.pth": (lambda path: cut(path, -8), f"cut short, damaged, or of another kind; {AGAIN}"),
    "header.safetensors": (
        lambda path: path.write_bytes(b"\x10" + bytes(7) + b'{"a": 1'),
        f"is not a whole .safetensors file .*{AGAIN}",
    ),
    "model.pt": (
        lambda path: torch.save(nn.Sequential(nn.Linear(2, 2)), path),
        f"made by torch.nn.modules.container.Sequential, and reading that would run code; {SAVE}",
    ),
    "beside.pt": (
        lambda path: torch.save({"args": argparse.Namespace(), **STATE}, path),
        f"made by argparse.Namespace, and reading that would run code; {SAVE}",
    ),
    "beside.pth": (
        lambda path: torch.save(
            {"best": np.float64(1), **STATE}, path, _use_new_zipfile_serialization=False
        ),
        "made by numpy.*scalar, and reading that would run code",
    ),
    "numbers.pt": (lambda path: torch.save({"epoch": 3}, path), f"holds no tensor; {SAVE}"),
    "bias.pt": (
        lambda path: torch.save({"fc.bias": torch.ones(2)}, path),
        "holds no weight of a layer; left out 1 tensor, of fewer than two axes",
    ),
    "adam.pt": (
        lambda path: torch.save(
            {"state": {0: {"exp_avg": torch.ones(4, 2, 3)}}, "param_groups": []}, path
        ),
        "holds no weight of a layer; left out 1 tensor, in an optimizer's state",
    ),
    "nothing": (lambda path: path.mkdir(), "is a folder; name a .pt"),
    "shards": (
        lambda path: folder(path, "m-1.safetensors", "m-2.safetensors", "config.json"),
        "is a folder; name a file in it: m-1.safetensors, m-2.safetensors",
    ),
    "dcp": (lambda path: folder(path, ".metadata", "__0_0.distcp"), "format_utils dcp_to_torch"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_line_says_what_it_is(tmp_path, name) -> None:
    make, words = CASES[name]
    path = tmp_path / name
    make(path)
    done = cdg("correlation", path, exit_code=2)
    lines = done.output.splitlines()
    assert len(lines) == 1, done.output
    assert lines[0].startswith(f"Error: {path} ")
    assert re.search(words, lines[0]), lines[0]
    # Never torch's own advice, to load unsafely or to trust the class.
    assert "weights_only" not in done.output
    assert "safe_globals" not in done.output


@pytest.mark.parametrize("name", ["net.bin", "net.safetensors", "no ending"])
def test_the_content_decides_not_the_ending(tmp_path, name) -> None:
    torch.save(STATE, tmp_path / "a")
    save_file(STATE, tmp_path / "b")
    shown = []
    for content in ("a", "b"):
        (tmp_path / name).write_bytes((tmp_path / content).read_bytes())
        if (content, name) != ("a", "net.safetensors"):
            shown.append(cdg("correlation", tmp_path / name).output)
    assert all(text == shown[0] for text in shown)
