"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from the binary archives, unpacked in a folder.

The binary version holds plain bytes; the Python version would be unpickled, which runs whatever
code somebody put into it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cdg_torch.lab.train.data.dataset import Dataset, Split, as_split, split_dataset

_PIXELS = 3 * 32 * 32
_TEN_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))


def read_records(paths: list[Path], labels: int) -> Split:
    """Return the images of binary files: per record so many label bytes, then 3×32×32 bytes.

    Of several labels (CIFAR-100: coarse, fine) the last is the class.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is empty or not a whole number of records.
    """
    records = []
    for path in paths:
        if not path.is_file():
            msg = (
                f"{path} is missing; download the *binary* version of the archive, unpack it, and "
                "name its folder in the option folder"
            )
            raise FileNotFoundError(msg)
        content = np.fromfile(path, np.uint8)
        if content.size == 0 or content.size % (labels + _PIXELS):
            msg = f"{path} has {content.size} bytes, no multiple of {labels + _PIXELS}"
            raise ValueError(msg)
        records.append(content.reshape(-1, labels + _PIXELS))
    whole = np.concatenate(records)
    images = whole[:, labels:].reshape(-1, 3, 32, 32)
    return as_split(images, whole[:, labels - 1])


def cifar10(*, folder: str, train: int = 45_000, validation: int = 5_000) -> Dataset:
    """Return CIFAR-10 from data_batch_1.bin … data_batch_5.bin and test_batch.bin.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or broken, or more images are asked for than there are.
    """
    pool = read_records([Path(folder) / name for name in _TEN_TRAIN], labels=1)
    test = read_records([Path(folder) / "test_batch.bin"], labels=1)
    return split_dataset("cifar10", pool, test, train=train, validation=validation, classes=10)


def cifar100(*, folder: str, train: int = 45_000, validation: int = 5_000) -> Dataset:
    """Return CIFAR-100 with its 100 fine classes from train.bin and test.bin.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or broken, or more images are asked for than there are.
    """
    pool, test = (read_records([Path(folder) / f"{name}.bin"], 2) for name in ("train", "test"))
    return split_dataset("cifar100", pool, test, train=train, validation=validation, classes=100)
