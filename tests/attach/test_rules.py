"""Selection: which tensors the metric acts on, and why not, is what the report says."""

import re

import pytest
import torch
from torch import nn

import cdg_torch
from cdg_torch import Metric, Rule
from tests.tools.small_training import METRIC, batches, loss_of, network
from tests.tools.training_loops import attached_network, momentum_sgd, unit_sgd

OTHER = Metric.reweighted_h0(7.0)


def included(handle) -> dict[str, tuple]:
    return {row.name: (row.dim, row.groups, row.metric) for row in handle.report().included}


def test_default_selection_and_reasons() -> None:
    *_, handle = attached_network()
    assert included(handle) == {
        "0.weight": (0, 1, METRIC),
        "3.weight": (0, 2, METRIC),
        "5.weight": (1, 1, METRIC),
    }
    reasons = {row.name: row.reason for row in handle.report() if row.metric is None}
    assert reasons == {
        "0.bias": "no rule selects the bias of a Conv2d",
        "1.weight": "no rule selects the weight of a BatchNorm2d",
        "1.bias": "no rule selects the bias of a BatchNorm2d",
        "4.weight": "one output channel per group: nothing to smooth",
        "4.bias": "no rule selects the bias of a Conv2d",
        "5.bias": "no rule selects the bias of a ConvTranspose2d",
        "7.weight": "no rule selects the weight of a Linear",
        "7.bias": "no rule selects the bias of a Linear",
    }


def test_the_report_prints_every_tensor_once(capsys) -> None:
    model, _, handle = attached_network(verbose=True)
    printed = capsys.readouterr().out
    assert printed == f"{handle.report()}\n"
    lines = printed.splitlines()
    names = [name for name, _ in model.named_parameters()]
    assert [line.split()[0] for line in lines[2 : 2 + len(names)]] == names
    assert lines[2].split()[1:5] == ["6×2×3×3", "0", "1", "(1,"]
    total = sum(p.numel() for p in model.parameters())
    acted = sum(model[i].weight.numel() for i in (0, 3, 5))
    assert lines[-2] == f"acts on 3 of {len(names)} tensors, {acted} of {total:,} numbers"
    assert lines[-1] == "0 steps transformed so far"
    assert lines[-2] in repr(handle)


NAMED = Rule(metric=OTHER, name="0.*")
RULES = {
    "None": ([Rule(metric=None, name="0.*")], {3: METRIC, 5: METRIC}),
    "name": ([Rule(metric=OTHER, name="[03].weight")], {0: OTHER, 3: OTHER, 5: METRIC}),
    "type": ([Rule(metric=OTHER, types=nn.Linear)], {0: METRIC, 3: METRIC, 5: METRIC, 7: OTHER}),
    "transposed": (
        [Rule(metric=OTHER, types=nn.ConvTranspose2d)],
        {0: METRIC, 3: METRIC, 5: OTHER},
    ),
    "callable": (
        [Rule(metric=OTHER, when=lambda name, own, _: name == "3.weight" and own.groups == 2)],
        {0: METRIC, 3: OTHER, 5: METRIC},
    ),
    "first match wins": ([NAMED, Rule(metric=None, name="[035].*")], {0: OTHER}),
}


@pytest.mark.parametrize("case", RULES)
def test_rules(case) -> None:
    rules, expected = RULES[case]
    *_, handle = attached_network(rules=rules)
    found = {name: metric for name, (_, _, metric) in included(handle).items()}
    assert found == {f"{index}.weight": metric for index, metric in expected.items()}


def test_rules_say_axis_and_groups_for_layers_of_one_s_own() -> None:
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.randn(3, 8))

        def forward(self, x):
            return x @ self.table

    model = nn.Sequential(nn.Conv1d(2, 3, 1), Mixer())
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rule = Rule(metric=OTHER, types=Mixer, parameter="table", dim=-1, groups=2)
    handle = cdg_torch.attach(optimizer, model, None, rules=[rule])
    assert included(handle) == {"1.table": (1, 2, OTHER)}
    model(torch.randn(1, 2, 3).double().float()).square().sum().backward()
    before, grad = model[1].table.detach().clone(), model[1].table.grad
    optimizer.step()
    expected = cdg_torch.riemannian_gradient(grad, OTHER, dim=1, groups=2)
    assert torch.equal(model[1].table, before - expected)
    without_dim = Rule(metric=OTHER, types=Mixer, parameter="table")
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    handle = cdg_torch.attach(optimizer, model, METRIC, rules=[without_dim])
    reasons = {row.name: row.reason for row in handle.report()}
    assert reasons["1.table"].startswith("no output-channel axis is known for a Mixer; a Rule")


@pytest.mark.parametrize("options", [{}, {"dim": 0}], ids=str)
@pytest.mark.parametrize("name", ["1.bias", "7.weight", "7.bias"])
def test_a_rule_with_the_name_of_one_tensor_selects_it_whatever_its_layer(name, options) -> None:
    *_, handle = attached_network(metric=None, rules=[Rule(metric=OTHER, name=name, **options)])
    assert included(handle) == {name: (0, 1, OTHER)}


# A rule that selects nothing, the cause, and whether the cure that is named selects something.
NOTHING = {
    "name": ({"name": "laier.*"}, r"no name matches 'laier\.\*'; names are such as '0\.weight'"),
    "types": (
        {"name": "7.*"},
        r"7\.weight belongs to a Linear, .*; add (?P<cure>types=nn\.Linear)$",
    ),
    "parameter": (
        {"name": "7.*", "types": nn.Linear, "parameter": "table"},
        r"7\.weight is not among the parameters .*; add (?P<cure>parameter='weight')$",
    ),
    "when": ({"when": lambda *_: False}, r"when\(\) is false, for 0\.weight too"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_a_rule_that_selects_nothing_is_refused_with_cause_and_cure(case) -> None:
    fields, message = NOTHING[case]
    rules = [Rule(metric=None, name="0.*"), Rule(metric=OTHER, **fields)]
    with pytest.raises(ValueError, match=rf"rules\[1\] selects no .*: .*{message}") as refused:
        attached_network(rules=rules)
    cure = re.search(message, str(refused.value)).groupdict().get("cure")
    if cure:
        mended = {**fields, **eval(f"dict({cure})", {"nn": nn})}
        *_, handle = attached_network(rules=[Rule(metric=OTHER, **mended)])
        assert included(handle)["7.weight"] == (0, 1, OTHER)


def test_nothing_to_act_on_is_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Conv2d(4, 4, 3, groups=4))
    with pytest.raises(ValueError, match=r"no tensor of the model is selected: .*types=nn.Linear"):
        cdg_torch.attach(momentum_sgd(model), model, METRIC)


def test_a_model_that_is_not_the_optimizers_is_refused() -> None:
    with pytest.raises(ValueError, match="none of the optimizer's parameters belongs to the model"):
        cdg_torch.attach(momentum_sgd(network()), network(), METRIC)


def test_metrics_change_per_rule_during_training() -> None:
    mine = Rule(metric=OTHER, name="0.*")
    model, optimizer, handle = attached_network(unit_sgd, rules=[mine])
    mine.metric = None  # the handle works on a copy
    handle.metric = Metric.sobolev(2.0)
    handle.rules[0].metric = Metric.sobolev(3.0)
    loss_of(model, batches(1)[0]).backward()
    before = [model[i].weight.detach().clone() for i in (0, 5)]
    optimizer.step()
    for i, dim, old, lam in ((0, 0, before[0], 3.0), (5, 1, before[1], 2.0)):
        k = cdg_torch.riemannian_gradient(model[i].weight.grad, Metric.sobolev(lam), dim=dim)
        assert torch.equal(model[i].weight, old - k)
    with pytest.raises(TypeError, match=r"metric must be a cdg_theory.Metric, got 3\.0"):
        handle.metric = 3.0
    with pytest.raises(AttributeError, match="name of a Rule is fixed, only its metric"):
        handle.rules[0].name = "1.*"


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"metric": 3}, TypeError, "metric must be a cdg_theory.Metric, got 3"),
        ({"types": "Linear"}, TypeError, "types must be module classes such as nn.Linear"),
        ({"types": int}, TypeError, "types must be module classes"),
        ({"name": 3}, TypeError, "name must be a glob pattern, got 3"),
        ({"parameter": 3}, TypeError, "parameter must be a glob pattern, got 3"),
        ({"when": "conv"}, TypeError, "when must be callable"),
        ({"dim": 1.0}, TypeError, r"dim must be an int or None, got 1\.0"),
        ({"groups": True}, TypeError, "groups must be an int or None, got True"),
    ],
)
def test_bad_rules_are_refused(fields, error, message) -> None:
    with pytest.raises(error, match=message):
        Rule(**{"metric": METRIC, **fields})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(metric=METRIC, dim=4), r"dim=4 of the rule is not an axis of 0\.weight"),
        (Rule(metric=METRIC, groups=4, name="0.*"), r"groups=4 .* does not divide axis 0 of 0\.we"),
    ],
)
def test_rules_that_do_not_fit_the_tensor_are_refused(rule, message) -> None:
    model = network()
    optimizer = momentum_sgd(model)
    with pytest.raises(ValueError, match=message):
        cdg_torch.attach(optimizer, model, METRIC, rules=[rule])
    assert cdg_torch.attached(optimizer) is None


def test_user_groups_are_untouched() -> None:
    model = network()
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    before = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    cdg_torch.attach(optimizer, model, METRIC)
    after = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    assert after == before
    assert [list(map(id, g["params"])) for g in optimizer.param_groups] == [
        list(map(id, decay)),
        list(map(id, rest)),
    ]
