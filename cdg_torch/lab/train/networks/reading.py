"""From a file to its tensors; of a file that holds none, what it is and what to do about it.

Nothing in a file is run: torch reads with ``weights_only``, and what that refuses stays refused.
"""

from __future__ import annotations

import json
import re
import warnings
import zipfile
from pathlib import Path

import torch

from cdg_torch.extras import optional
from cdg_torch.lab.train.networks.sorting import tensor_names

_HEAD = 4096

# How files begin that are mistaken for weights, what they are, and what to do.
_BEGINNINGS = (
    (
        re.compile(rb"version https://git-lfs"),
        "a pointer of git-LFS, not the weights; git lfs pull fetches them",
    ),
    (
        re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE),
        "a web page, not weights: the download went wrong; use the link of the raw file",
    ),
    (re.compile(rb"\x89HDF\r\n"), "an HDF5 file (Keras); save the network's weights from torch"),
    (re.compile(rb"GGUF"), "a GGUF file; name the weights it was made from"),
    (re.compile(rb"\x93NUMPY"), "a NumPy array; save a dict of tensors with torch.save"),
    (
        re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf"),
        "compressed; unpack it first",
    ),
    # ir_version, then the producer's name: the first fields of an ONNX model.
    (
        re.compile(rb"\x08[\x01-\x20]\x12.[\w.-]{3}", re.DOTALL),
        "an ONNX model; name the weights it was exported from",
    ),
)
_SAVE = "save model.state_dict() alone, in the program that made the file"


def load_weights(path: Path) -> object:
    """Return what a file by ``torch.save`` holds, or a ``.safetensors`` file.

    That is tensors in nested containers, a whole checkpoint perhaps, for
    :func:`~cdg_torch.lab.train.networks.sort_tensors`. Nothing is unpickled but tensors and plain
    containers.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it cannot be read.
    ValueError
        If it is no file of tensors: with what it is, and what to do.
    """
    if path.is_dir():
        msg = f"{path} is a folder{_in_folder(path)}"
        raise ValueError(msg)
    if not path.is_file():
        msg = f"{path} is not a file; name a .pt, .pth or .safetensors file of weights"
        raise FileNotFoundError(msg)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if what := _not_weights(path, head):
        msg = f"{path} is {what}"
        raise ValueError(msg)
    if path.suffix == ".safetensors" or re.match(rb".{7}\x00\{", head, re.DOTALL):
        tree = _read_safetensors(path)
    else:
        tree = _read_torch(path)
    if not tensor_names(tree):
        msg = f"{path} holds no tensor; {_SAVE}"
        raise ValueError(msg)
    return tree


def _in_folder(path: Path) -> str:
    """Return what a folder holds, and what to name instead."""
    if any(path.glob("*.distcp")):
        return (
            " of torch.distributed.checkpoint; python -m torch.distributed.checkpoint.format_utils "
            f"dcp_to_torch {path} FILE makes one file of it"
        )
    found = [
        *path.glob("*.safetensors"),
        *path.glob("*.bin"),
        *path.glob("*.pt"),
        *path.glob("*.pth"),
    ]
    if not found:
        return "; name a .pt, .pth or .safetensors file of weights"
    names = sorted(entry.name for entry in found)
    return f"; name a file in it: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"


def _not_weights(path: Path, head: bytes) -> str:
    """Return what a file is that surely holds no weights, and the cure; "" if it may hold some."""
    if not head:
        return "empty; copy or save it again"
    for beginning, what in _BEGINNINGS:
        if beginning.match(head):
            return what
    if head.startswith(b"PK"):
        return _not_weights_zipped(path)
    try:
        text = head.decode("utf-8", "strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        return ""
    if not all(character.isprintable() or character.isspace() for character in text):
        return ""
    if text.lstrip()[:1] not in {"{", "["}:
        return "text, not weights; name a .pt, .pth or .safetensors file"
    shards = _shards(path)
    if shards:
        return f"an index of weights in several files; name one of them: {', '.join(shards[:3])}"
    return "JSON, not weights; name a .pt, .pth or .safetensors file"


def _shards(path: Path) -> list[str]:
    """Return the files that an index in JSON names."""
    try:
        index = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return []
    places = index.get("weight_map") if isinstance(index, dict) else None
    return sorted(set(map(str, places.values()))) if isinstance(places, dict) else []


def _not_weights_zipped(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "cut short or damaged; copy or save it again"
    if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        return f"a TorchScript archive, a program with its weights; {_SAVE}"
    if any(name.endswith("/data.pkl") for name in names):
        return ""
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays; save a dict of tensors with torch.save"
    return "a zip archive, not one by torch.save; unpack it and name a file of weights in it"


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickles by others, which are refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # torch raises UnpicklingError, RuntimeError, EOFError and more on foreign files. Its own
        # advice, to load unsafely or to trust the class, is not passed on.
        said = str(error)
        if foreign := re.search(r"GLOBAL (\S+)", said):
            msg = (
                f"{path} holds an object made by {foreign[1]}, and reading that would run code; "
                f"{_SAVE}"
            )
        elif "Unsupported operand" in said:
            msg = f"{path} is a pickle, but none by torch.save; {_SAVE}"
        else:
            msg = (
                f"{path} cannot be read as a file of tensors ({type(error).__name__}): it is cut "
                "short, damaged, or of another kind; copy or save it again"
            )
        raise ValueError(msg) from error


def _read_safetensors(path: Path) -> object:
    with optional():
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    try:
        return load_file(path)
    except SafetensorError as error:
        msg = f"{path} is not a whole .safetensors file ({error}); copy or save it again"
        raise ValueError(msg) from error
