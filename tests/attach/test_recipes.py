"""Every recipe of the page "In your training loop" runs as printed, and equals a loop by hand."""

import itertools
import re
from functools import partial

import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric
from tests.tools.recipes import (
    H0,
    HOWTO,
    LOADER,
    by_hand,
    clip,
    recipes,
    run_recipe,
    sgd,
    untested,
)
from tests.tools.small_training import batches, loss_of, network, same
from tests.tools.training_loops import closure_of, train, transform_by_hand

PAGE = HOWTO / "training-loop.md"
run = partial(run_recipe, PAGE)


def test_plain_pytorch() -> None:
    schedulers = []

    def make(model):
        optimizer = sgd(model)
        schedulers.append(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(LOADER)))
        optimizer.register_step_post_hook(lambda *_: schedulers[0].step())
        return optimizer

    assert same(run("Plain PyTorch")["model"], by_hand(make))


def test_without_its_one_line_the_script_is_ordinary_training() -> None:
    script = recipes(PAGE)["Plain PyTorch"]
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


def test_compile() -> None:
    found = run("torch.compile", backend="eager")["model"]
    for p, q in zip(found.parameters(), by_hand().parameters(), strict=True):
        # the compiled step rounds in another order, once or twice per step and number
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_several_models_in_one_optimizer() -> None:
    space = run("Several models in one optimizer", itertools=itertools)
    assert same(space["first"], by_hand())
    assert same(space["second"], by_hand())


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
    assert not untested(PAGE, __file__)


def test_every_line_of_the_requirements_table_names_a_test_that_exists() -> None:
    page = HOWTO / "supported.md"
    root = page.parents[2]
    rows = re.findall(r"^\| (\d+) \|.*$", page.read_text(), flags=re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 23))
    for line in page.read_text().splitlines():
        if re.match(r"\| \d+ \|", line):
            files = re.findall(r"tests/\w+/test_\w+\.py", line)
            assert files, line
            assert all((root / name).exists() for name in files), line
