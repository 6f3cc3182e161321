"""Every recipe of the page "In your training loop" runs as printed, and equals a loop by hand.

The by-hand loop has the transform written into it, axis by axis, and no attach.
"""

import importlib
import re
import sys
import types
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import cdg_torch
from cdg_torch import Metric
from tests.tools.small_training import batches, loss_of, network, same
from tests.tools.training_loops import attached_network, closure_of, train, transform_by_hand

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "training-loop.md"
H0 = Metric.reweighted_h0(10.0)
LOADER = batches(6)


def recipes() -> dict[str, str]:
    """Return the code under each heading of the section "Recipes"."""
    section = PAGE.read_text().split("\n## Recipes\n")[1].split("\n## ")[0]
    parts = re.split(r"^### (.*)$", section, flags=re.MULTILINE)[1:]
    found = {}
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        assert len(blocks) <= 1, f"{heading}: one block per recipe"
        if blocks:
            found[heading] = blocks[0]
    return found


def run(heading: str, **names) -> dict:
    """Execute a recipe in a fresh namespace and return the namespace."""
    space = {"torch": torch, "nn": nn, "cdg_torch": cdg_torch, "Metric": Metric}
    space |= {"make_model": network, "loader": LOADER, **names}
    exec(compile(recipes()[heading], f"<recipe {heading}>", "exec"), space)
    return space


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def by_hand(make_optimizer=sgd, *, metric=lambda _: H0, before=(), after=(), data=LOADER):
    model = network()
    optimizer = make_optimizer(model)
    for index, batch in enumerate(data):
        transform = partial(transform_by_hand, metric=metric(index))
        train(model, optimizer, [batch], *before, transform, *after)
    return model


def clip(model) -> None:
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)


def test_plain_pytorch() -> None:
    schedulers = []

    def make(model):
        optimizer = sgd(model)
        schedulers.append(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(LOADER)))
        optimizer.register_step_post_hook(lambda *_: schedulers[0].step())
        return optimizer

    assert same(run("Plain PyTorch")["model"], by_hand(make))


def test_without_its_one_line_the_script_is_ordinary_training() -> None:
    script = recipes()["Plain PyTorch"]
    lines = [line for line in script.splitlines() if "cdg" in line or "Metric" in line]
    assert len(lines) == 1
    # a bright band, one third of the way down for each class
    data = batches(60, size=16)
    for images, labels in data:
        for image, label in zip(images, labels, strict=True):
            image[:, 2 * label : 2 * label + 2] += 2.0

    def losses(text: str) -> list[float]:
        space = {"torch": torch, "nn": nn, "make_model": network, "loader": data}
        space |= {"cdg_torch": cdg_torch, "Metric": Metric}
        recorded = []
        text = text.replace("    loss.backward()", "    record(loss)\n    loss.backward()")
        exec(text, space | {"record": lambda loss: recorded.append(loss.item())})
        return recorded

    plain, attached = losses(script.replace(lines[0], "")), losses(script)
    assert plain[0] == attached[0]
    assert plain[1] != attached[1]
    for course in (plain, attached):
        assert len(course) == len(data)
        assert sum(course[-10:]) < 0.5 * sum(course[:10])


def test_mixed_precision() -> None:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    for batch in LOADER:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(model, batch)
        loss.backward()
        clip(model)
        transform_by_hand(model, H0)
        optimizer.step()
    found = run("Mixed precision")["model"]
    for p, q in zip(found.parameters(), model.parameters(), strict=True):
        # Half-precision activations may round differently under a scale of 2**16: a few steps of
        # 1e-3 differ by a small part of one.
        torch.testing.assert_close(p, q, rtol=0, atol=2e-4)


def test_accumulation() -> None:
    model = network()
    optimizer = sgd(model)
    for first, second in zip(LOADER[::2], LOADER[1::2], strict=True):
        optimizer.zero_grad()
        for batch in (first, second):
            (loss_of(model, batch) / 2).backward()
        transform_by_hand(model, H0)
        optimizer.step()
    assert same(run("Gradient accumulation")["model"], model)


def test_clipping_after_the_transform() -> None:
    assert same(run("Clipping after the transform")["model"], by_hand(after=[clip]))


def test_lbfgs() -> None:
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4)
    for batch in LOADER:
        optimizer.step(closure_of(model, optimizer, batch, partial(transform_by_hand, metric=H0)))
    assert same(run("Closures and LBFGS")["model"], model)


def test_a_metric_that_moves() -> None:
    schedule = cdg_torch.CosineMetric.__new__(cdg_torch.CosineMetric)
    schedule.steps = len(LOADER)
    expected = by_hand(metric=lambda i: cdg_torch.blend(Metric.sobolev(1.0), schedule.t(i)))
    assert same(run("A metric that moves")["model"], expected)


def test_other_tensors_other_metrics(capsys) -> None:
    def transform(model) -> None:
        raw = model[0].weight.grad
        transform_by_hand(model, Metric.sobolev(1.0))
        model[0].weight.grad = raw
        linear = model[7].weight
        linear.grad = cdg_torch.riemannian_gradient(linear.grad, Metric.reweighted_h0(2.0))

    found = run("Other tensors, other metrics")["model"]
    report = capsys.readouterr().out
    assert re.search(r"^0\.weight .* its rule has metric None$", report, re.MULTILINE)
    model = network()
    train(model, torch.optim.AdamW(model.parameters(), lr=1e-3), LOADER, transform)
    assert same(found, model)


def test_checkpoints(tmp_path) -> None:
    space = run("Checkpoints", checkpoint=tmp_path / "run.pt")
    steps = len(LOADER)
    assert space["handle"].metric == cdg_torch.blend(Metric.sobolev(1.0), 0.5)
    sobolev = Metric.sobolev(1.0)
    expected = by_hand(metric=lambda i: cdg_torch.blend(sobolev, i / (2 * steps)))
    assert same(space["model"], expected)


# torch's own compiler still uses what torch deprecates.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_compile() -> None:
    found = run("torch.compile", backend="eager")["model"]
    for p, q in zip(found.parameters(), by_hand().parameters(), strict=True):
        # the compiled step rounds in another order, once or twice per step and number
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


# What a framework deprecates in its own dependencies is not ours to fix.
framework = pytest.mark.filterwarnings("ignore")


@framework
def test_lightning(tmp_path) -> None:
    lightning = pytest.importorskip("lightning")
    silent = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    options = {"accelerator": "cpu", "devices": 1, "default_root_dir": tmp_path}
    options |= dict.fromkeys(silent, False)
    # Lightning takes a list of batches for a list of loaders.
    names = {"lightning": lightning, "loader": DataLoader(LOADER, batch_size=None)}

    def trained(**more):
        return run("Lightning", trainer_options={**options, **more}, **names)["model"]

    assert same(trained(), by_hand())
    assert same(trained(gradient_clip_val=1.0), by_hand(before=[clip]))
    assert same(trained(accumulate_grad_batches=2), run("Gradient accumulation")["model"])


@framework
def test_fabric() -> None:
    lightning = pytest.importorskip("lightning")
    assert same(run("Lightning Fabric", lightning=lightning)["model"], by_hand())


@framework
def test_accelerate() -> None:
    accelerate = pytest.importorskip("accelerate")
    space = run("Hugging Face Accelerate", accelerate=accelerate)
    assert same(space["model"], by_hand())
    with pytest.raises(TypeError, match="AcceleratedOptimizer wraps another optimizer"):
        cdg_torch.attach(space["optimizer"], space["model"], H0)


class WithLoss(nn.Module):
    """Speaks the Trainer's language: a loss among the outputs."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, inputs, labels):
        return {"loss": nn.functional.cross_entropy(self.net(inputs), labels)}


@framework
def test_hugging_face_trainer(tmp_path) -> None:
    pytest.importorskip("accelerate")
    transformers = pytest.importorskip("transformers")
    inputs, labels = LOADER[0]
    rows = [{"inputs": x, "labels": y} for x, y in zip(inputs, labels, strict=True)]
    arguments = {"output_dir": str(tmp_path), "per_device_train_batch_size": len(rows)}
    arguments |= {"num_train_epochs": 4, "learning_rate": 0.05, "max_grad_norm": 0.0}
    arguments |= {"use_cpu": True, "report_to": [], "save_strategy": "no", "disable_tqdm": True}
    names = {"transformers": transformers, "with_loss": WithLoss, "arguments": arguments}
    found = run("Hugging Face Trainer", dataset=rows, **names)
    assert cdg_torch.attached(found["trainer"].optimizer.optimizer) is None  # detached at the end

    def make(model):
        return torch.optim.SGD(model.parameters(), lr=0.05)

    expected, plain = by_hand(make, data=[LOADER[0]] * 4), network()
    train(plain, make(plain), [LOADER[0]] * 4)
    weights = [list(model.parameters()) for model in (found["model"], expected, plain)]
    for p, q, r in zip(*weights, strict=True):
        # The Trainer shuffles: the same batch in another order, so sums round differently.
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
        if p is found["model"][0].weight:
            assert (p - r).abs().max() > 1e-3


def timm_factory():
    try:
        return importlib.import_module("timm.optim").create_optimizer_v2
    except (ImportError, RuntimeError):
        # timm as a whole needs torchvision, whose wheels on PyPI do not fit a CPU-only torch. Its
        # optimizers need nothing of it: they are loaded alone, with their one import made good.
        spec = importlib.util.find_spec("timm")
        if spec is None:
            pytest.skip("timm is not installed")
        for name in [name for name in sys.modules if name.split(".")[0] == "timm"]:
            del sys.modules[name]
        package, models = types.ModuleType("timm"), types.ModuleType("timm.models")
        package.__path__ = list(spec.submodule_search_locations)
        models.group_parameters = None
        sys.modules |= {"timm": package, "timm.models": models}
        return importlib.import_module("timm.optim").create_optimizer_v2


@framework
def test_timm() -> None:
    factory = timm_factory()
    assert same(run("timm", create_optimizer_v2=factory)["model"], by_hand())
    # Optimizers that are timm's own, by the factory's names.
    for name in ("lamb", "adabelief", "lion", "nadamw", "lars"):
        make = partial(factory, opt=name, lr=0.01, weight_decay=0.0)
        model, optimizer, _ = attached_network(make, H0)
        assert type(optimizer).__module__.startswith("timm")
        train(model, optimizer, LOADER)
        assert same(model, by_hand(make)), name


def test_an_optimizer_of_your_own() -> None:
    model = network()
    for batch in LOADER:
        model.zero_grad()
        loss_of(model, batch).backward()
        k = cdg_torch.riemannian_gradient(model[0].weight.grad, H0)
        with torch.no_grad():
            model[0].weight.sub_(k, alpha=0.05)
    assert same(run("An optimizer of your own")["model"], model)


def test_every_recipe_of_the_page_has_a_test() -> None:
    tested = set(re.findall(r'run\(\s*"(.*?)"', Path(__file__).read_text()))
    assert set(recipes()) == tested


def test_every_line_of_the_requirements_table_names_a_test_that_exists() -> None:
    root = PAGE.parents[2]
    rows = re.findall(r"^\| (\d+) \|.*$", PAGE.read_text(), flags=re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 23))
    for line in PAGE.read_text().splitlines():
        if re.match(r"\| \d+ \|", line):
            files = re.findall(r"tests/\w+/test_\w+\.py", line)
            assert files, line
            assert all((root / name).exists() for name in files), line
