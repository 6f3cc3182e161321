"""Of a checkpoint, convolutions' weights are counted once, and all else is left out by name."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from cdg_torch.lab.train.networks import correlations, load_weights, sort_tensors
from tests.tools.commands import cdg

SHAPE = (4, 3, 3, 3)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1), nn.Linear(3, 2))


WEIGHTS = ["0.weight", "2.weight"]


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return model, optimizer


def fastai_state(optimizer: torch.optim.Optimizer) -> dict:
    return {"state": list(optimizer.state_dict()["state"].values()), "hypers": [{"lr": 0.1}]}


def by_name(optimizer: torch.optim.Optimizer) -> dict:
    moments = optimizer.state_dict()["state"].values()
    return {f"{i}.weight": entry["exp_avg"] for i, entry in enumerate(moments)}


@pytest.mark.parametrize(
    ("key", "layout"),
    [
        ("optimizer", lambda o: o.state_dict()),
        ("any name", lambda o: o.state_dict()),
        ("states", lambda o: [o.state_dict(), o.state_dict()]),
        ("any", fastai_state),
        ("optimizer_state_dict", by_name),
        ("optimizerG", by_name),
        ("g_optim", by_name),
        ("grads", by_name),
    ],
)
def test_moments_and_gradients_are_no_weights(key, layout) -> None:
    model, optimizer = trained()
    found = sort_tensors({"model": model.state_dict(), key: layout(optimizer)})
    assert list(found.weights) == [f"model.{name}" for name in WEIGHTS]
    reasons = {found.left_out[name] for name in found.left_out if name.startswith(f"{key}.")}
    assert reasons == {"gradients" if key == "grads" else "in an optimizer's state"}


def test_the_figures_are_those_of_the_weights_alone(tmp_path) -> None:
    model, optimizer = trained()
    state = model.state_dict()
    everything = {
        "model": state,
        "optimizer": optimizer.state_dict(),
        "pos_embed": torch.ones(SHAPE),
    }
    torch.save(everything, tmp_path / "all.pt")
    torch.save({"model": state}, tmp_path / "weights.pt")
    assert correlations(load_weights(tmp_path / "all.pt")) == correlations(
        load_weights(tmp_path / "weights.pt")
    )
    alone, among = (cdg("correlation", tmp_path / f"{n}.pt").output for n in ("weights", "all"))
    medians = [line for line in alone.splitlines() if "median" in line]
    assert medians
    assert [line for line in among.splitlines() if "median" in line] == medians
    assert "in an optimizer's state: optimizer.state.0.step, optimizer.state.0.exp_avg, …" in among
    assert "left out 1 tensor, not named a weight: pos_embed" in among


def copied(model: nn.Module, prefix: str = "") -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": 2 * tensor for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    "layout",
    [
        lambda m: {"model": m.state_dict(), "model_ema": copied(m)},
        lambda m: {"model_ema": copied(m), "model": m.state_dict()},
        lambda m: {"state_dict": m.state_dict(), "state_dict_ema": copied(m, "module.")},
        lambda m: {"net": m.state_dict(), "averaged": AveragedModel(m).state_dict()},
        lambda m: {"net": m.state_dict(), "x": AveragedModel(m).state_dict()},
        lambda m: copied(m, "model.") | copied(m, "ema_model.module."),
        lambda m: copied(m, "student.") | copied(m, "teacher."),
        lambda m: copied(m, "encoder_q.") | copied(m, "encoder_k."),
        lambda m: {"best": copied(m), "ema": copied(m)},  # no other state: the first counts
        lambda m: {"model": m.state_dict(), "again": m.state_dict()},  # the same tensors
        # as latent-diffusion stores its average: names without dots
        lambda m: (
            copied(m, "model.")
            | {f"model_ema.{name.replace('.', '')}": t for name, t in copied(m).items()}
        ),
    ],
)
def test_a_copy_counts_once(layout) -> None:
    found = sort_tensors(layout(network()))
    assert len(found.weights) == len(WEIGHTS)
    assert len(found.linear) == 1
    reasons = [reason for reason in found.left_out.values() if "cop" in reason or "same" in reason]
    assert len(reasons) == len(WEIGHTS) + 1


@pytest.mark.parametrize(
    "layout",
    [
        lambda m: {"netG_A": copied(m), "netG_B": copied(m)},
        lambda m: {"ema": copied(m)},
        # a teacher that is another network, though its first layer has a namesake
        lambda m: (
            copied(m, "student.")
            | {"teacher.0.weight": m[0].weight}
            | {"teacher.9.weight": torch.ones(SHAPE)}
        ),
        # a layer that is called so, not a network
        lambda m: {"a.conv.weight": m[0].weight, "a.target.weight": 2 * m[0].weight},
    ],
)
def test_what_only_looks_like_a_copy_counts(layout) -> None:
    tree = layout(network())
    found = sort_tensors(tree)
    assert not [reason for reason in found.left_out.values() if "cop" in reason]
    assert found.weights


def test_the_one_state_in_the_file_counts_even_as_an_average() -> None:
    assert list(sort_tensors({"ema": network().state_dict()}).weights) == [
        "ema.0.weight",
        "ema.2.weight",
    ]


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("pos_embed", torch.ones(1, 5, 8), "not named a weight"),
        ("cls_token", torch.ones(1, 2, 8), "not named a weight"),
        ("pos_embed.weight", torch.ones(2, 5, 8), "an embedding's, by its name"),
        ("norm1.weight", torch.ones(2, 5, 8), "a norm layer's, by its name"),
        ("LayerNorm.weight", torch.ones(2, 5, 8), "a norm layer's, by its name"),
        ("mix.bilinear.weight", torch.ones(2, 5, 8), "a bilinear layer's, by its name"),
        ("mlp.experts.weight", torch.ones(2, 5, 8), "an expert's, by its name"),
        ("conv.lora_A.default.weight", torch.ones(SHAPE), "a low-rank factor's, by its name"),
        ("conv.weight_g", torch.ones(4, 1, 1, 1), "not named a weight"),
        ("conv.parametrizations.weight.original0", torch.ones(SHAPE), "not named a weight"),
        (
            "bn.running_mean",
            torch.ones(4),
            "of fewer than two axes (biases, norms)",
        ),
        ("x.weight", torch.ones(2, 2, 2, 2, 2, 2), "of more than five axes"),
        ("scale.weight", torch.ones(1, 4, 1, 1), "one number per channel"),
        ("relative_position_index", torch.ones(SHAPE).long(), "integers or truth values"),
        ("mask.weight", torch.ones(SHAPE).bool(), "integers or truth values"),
        ("a.weight", torch.ones(SHAPE).to(torch.float8_e4m3fn), "floats of 8 bits or fewer"),
        ("a.weight", torch.ones(SHAPE, dtype=torch.complex64), "complex"),
        ("a.weight", torch.ones(SHAPE).to_sparse(), "sparse or nested"),
        ("a.weight", torch.ones(SHAPE, device="meta"), "without values (on the meta device)"),
        ("a.weight", torch.full(SHAPE, torch.inf), "not finite"),
        ("a.weight", torch.ones(SHAPE).index_fill(0, torch.tensor([1]), torch.nan), "not finite"),
        ("a.weight", torch.zeros(SHAPE), "all 0"),
    ],
)
def test_what_is_no_convolutions_weight_is_said(name, tensor, reason) -> None:
    found = sort_tensors({"0.weight": torch.ones(SHAPE), name: tensor})
    assert list(found.weights) == ["0.weight"]
    assert found.left_out == {name: reason}


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized_weights() -> None:
    quantized = torch.quantize_per_tensor(torch.ones(SHAPE), 0.1, 0, torch.qint8)
    assert sort_tensors({"a.weight": quantized}).left_out == {"a.weight": "quantized"}


@pytest.mark.parametrize(
    "name",
    [
        "weight", "0.weight", "patch_embed.weight", "patch_embed.proj.weight", "emb.0.weight",
        "conv.weight_v", "conv.weight_orig", "conv.parametrizations.weight.original",
        "conv.parametrizations.weight.original1", "best.weight", "optimize.0.weight",
    ],
)  # fmt: skip
def test_what_is_a_convolutions_weight(name) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        for shape in ((4, 2, 3), (1, 2, 3), SHAPE, (4, 1, 1, 3, 1)):
            assert sort_tensors({name: torch.ones(shape, dtype=dtype)}).weights.keys() == {name}


def test_a_container_that_holds_itself() -> None:
    tree: dict = {"0.weight": torch.ones(SHAPE)}
    tree["me"] = [tree]
    assert sort_tensors(tree).weights.keys() == {"0.weight"}
