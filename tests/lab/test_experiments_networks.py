"""Files of weights are read without running their code, and every axis is named rightly."""

import pytest
import torch

from cdg_torch.correlation import channel_correlation
from cdg_torch.lab.train.models import build
from cdg_torch.lab.train.networks import correlations, load_weights, sort_tensors
from tests.tools.commands import cdg


def test_a_nested_checkpoint_is_searched(tmp_path) -> None:
    state = build("tiny-cnn", 1, 10).state_dict()
    path = tmp_path / "net.pt"
    torch.save({"epoch": 3, "model": {"state_dict": state}}, path)
    weights = sort_tensors(load_weights(path)).weights
    assert torch.equal(weights["model.state_dict.0.weight"], state["0.weight"])


def test_safetensors(tmp_path) -> None:
    torch_io = pytest.importorskip("safetensors.torch")
    state = build("tiny-cnn", 1, 10).state_dict()
    torch_io.save_file(state, tmp_path / "net.safetensors")
    assert load_weights(tmp_path / "net.safetensors").keys() == state.keys()


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.pt is not a file"):
        load_weights(tmp_path / "nothing.pt")


def test_axes_are_named_by_the_layout() -> None:
    weight = torch.randn(4, 5, 3, 2)
    named = {row.direction: row for row in correlations({"up.weight": weight})}
    flipped = {
        row.direction: row for row in correlations({"up.weight": weight}, transposed=["up*"])
    }
    for direction, axis in (("output", 0), ("input", 1), ("kernel 1", 2), ("kernel 2", 3)):
        assert named[direction].neighbours == float(channel_correlation(weight, axis))
        assert named[direction].all_pairs == float(channel_correlation(weight, axis, pairs="all"))
    assert flipped["output"].neighbours == named["input"].neighbours
    assert flipped["input"].neighbours == named["output"].neighbours


def test_command_prints_a_row_per_tensor_and_draws(tmp_path) -> None:
    torch.save(build("unet", 1, 3).state_dict(), tmp_path / "net.pt")
    figure = tmp_path / "net.png"
    arguments = ["correlation", tmp_path / "net.pt", "--figure", figure]
    result = cdg(*arguments, "--transposed", "up*")
    assert "down1.0.weight" in result.output
    assert "output: median over 13 tensors" in result.output
    assert figure.read_bytes().startswith(b"\x89PNG")
    torch.save({"fc.bias": torch.ones(3)}, tmp_path / "net.pt")
    assert "holds no weight of a layer" in cdg(*arguments, exit_code=2).output
