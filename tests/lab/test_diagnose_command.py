"""``cdg diagnose`` on a user's own function: what goes wrong in it is said to be theirs."""

import json

import pytest

from tests.tools.commands import cdg

OWN = """
import torch
from torch import nn

def good():
    import beside
    return nn.Linear(3, 12), beside.batches(), lambda m, x: m(x).square().mean()

def raises():
    raise RuntimeError("no data today")

def needs(argument):
    return argument

number = 3

def wrong():
    return nn.Linear(3, 12)

def loss_raises():
    return nn.Linear(3, 12), [torch.ones(2, 3)] * 3, lambda m, x: m(x).cat()

def backward_raises():
    return nn.Linear(3, 12), [torch.ones(2, 3)] * 3, lambda m, x: m(x).exp().add_(1).sum()

def batches_raise():
    return nn.Linear(3, 12), (i + torch.ones(2, 3) for i in (1.0, None)), lambda m, x: m(x).sum()
"""
BESIDE = """
import torch

def batches():
    return [torch.randn(4, 3) for _ in range(5)]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_subject.py").write_text(OWN)
    (tmp_path / "beside.py").write_text(BESIDE)
    (tmp_path / "broken_subject.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # and taken away again
    return tmp_path


def test_a_function_is_diagnosed_with_what_lies_beside_it(folder) -> None:
    done = cdg("diagnose", "own_subject:good", "--json", folder / "new" / "found.json")
    assert "own_subject:good: 5 batches" in done.output
    (found,) = json.loads((folder / "new" / "found.json").read_text())
    assert [layer["name"] for layer in found["layers"]] == ["weight"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_subject:raises", "raised RuntimeError: no data today"),
        ("own_subject:needs", "raised TypeError: needs() missing 1 required"),
        ("own_subject:number", "raised TypeError: 'int' object is not callable"),
        ("own_subject:missing", "raised AttributeError: module 'own_subject' has no"),
        (
            "own_subject:loss_raises",
            "raised AttributeError: 'Tensor' object has no attribute 'cat'",
        ),
        ("own_subject:backward_raises", "batch 0 cannot be differentiated: RuntimeError: one of"),
        ("own_subject:batches_raise", "raised TypeError: unsupported operand"),
        ("no_such_module:f", "raised ModuleNotFoundError: No module named 'no_such_module'"),
        ("broken_subject:f", "raised SyntaxError"),
        ("own_subject:wrong", "must return (model, batches, loss), got Linear"),
        ("own_subject", "source must be demo, digits, angles or MODULE:FUNCTION"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_wrong_there_is_said(name, words) -> None:
    said = " ".join(cdg("diagnose", name, exit_code=2).output.split())
    assert words in said
    assert "a fault of the program" not in said


@pytest.mark.usefixtures("folder")
def test_batches_are_the_demonstrations_own() -> None:
    done = cdg("diagnose", "own_subject:good", "--batches", "7", exit_code=2)
    assert "--batches is for the demonstrations" in done.output
