"""Training on several ranks with an attached metric is training on one, with all their data.

Plain DDP, FSDP2 (even, uneven and empty shards; layer by layer; other axes), HSDP and tensor
parallelism. One collective more per step where output channels are cut, none elsewhere.
"""

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Shard, init_device_mesh
from torch.distributed.tensor.debug import CommDebugMode
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import cdg_torch
from cdg_torch import Metric, Rule
from tests.tools.needs_torch import needs_fsdp2_on_cpus
from tests.tools.ranks import on_ranks

METRIC = Metric(1.0, 0.5, 0.2)
CURVED = Metric(1.0, 0.5, 0.2, 0.01, boundary="periodic")
STEPS = 3
# Two trainings that differ by the order of float64 sums: fewer than 10⁴ roundings a step, each
# 2⁻⁵³ of numbers of order 1, and three steps of length 0.3 that hardly amplify them.
ROUNDING = STEPS * 1e4 * 2.0**-53


def network() -> nn.Sequential:
    """Channels that 2, 3 and 4 ranks cut evenly, unevenly, and so that a rank has none."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3),
        nn.Tanh(),
        nn.Conv2d(6, 8, 1, groups=2, bias=False),
        nn.Tanh(),
        nn.Conv2d(8, 2, 1),
        nn.ConvTranspose2d(2, 4, 2, stride=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(256, 3),
    ).double()


def perceptron() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(72, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def data(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """12 images a step: 1, 2, 3 and 4 ranks share them evenly."""
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(12, 2, 6, 6, generator=generator, dtype=torch.float64)
    return images, torch.randint(3, (12,), generator=generator)


def fit(model: nn.Module, optimizer, rank: int = 0, ranks: int = 1, flat: bool = False):
    """Train on this rank's share of the data; return what happened to gradients in the steps."""
    collectives, changed = set(), 0
    for step in range(STEPS):
        images, labels = (part.chunk(ranks)[rank] for part in data(step))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images.flatten(1) if flat else images), labels)
        loss.backward()
        raw = [p.grad.clone() for p in model.parameters()]
        with CommDebugMode() as comm:
            optimizer.step()
        collectives.add(comm.get_total_counts())
        for before, p in zip(raw, model.parameters(), strict=True):
            same = (_local(before) == _local(p.grad)).all()
            changed += int(not same)
    return collectives, changed


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def whole(model: nn.Module) -> list[torch.Tensor]:
    return [
        p.full_tensor().detach() if hasattr(p, "full_tensor") else p.detach()
        for p in model.parameters()
    ]


def optimizer_of(model: nn.Module, kind: str) -> torch.optim.Optimizer:
    if kind == "Adam":
        return torch.optim.Adam(model.parameters(), lr=1e-2, eps=1e-3)
    return torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, weight_decay=0.01)


# name: (kind of optimizer, options of attach, collectives in a step of FSDP2)
OPTIONS = {
    "SGD": ("SGD", {}, 1),
    "Adam": ("Adam", {}, 1),
    "in place": ("SGD", {"inplace": True}, 1),
    "update": ("Adam", {"where": "update"}, 1),
    # Norms of sharded tensors are sums over ranks: torch adds them up, tensor by tensor.
    "match_norm": ("SGD", {"match_norm": True}, None),
}


def distance(a: list[torch.Tensor], b: list[torch.Tensor]) -> float:
    return max(float((x - y).abs().max()) for x, y in zip(a, b, strict=True))


def compare(model, wrapped, kind, options, expected, *, metric=METRIC, **how) -> list:
    """Train ``wrapped`` on all ranks and ``model`` on one; return what differs."""
    flat, rules = how.get("flat", False), how.get("rules", ())
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if how.get("shares", True) else (0, 1)
    many = optimizer_of(wrapped, kind)
    metric = None if rules else metric
    handle = cdg_torch.attach(many, wrapped, metric, rules=rules, **options)
    collectives, changed = fit(wrapped, many, rank, ranks, flat)
    alone = optimizer_of(model, kind)
    handle_alone = cdg_torch.attach(alone, model, metric, rules=rules, **options)
    fit(model, alone, flat=flat)
    failures = []
    apart = distance(whole(wrapped), whole(model))
    if not apart <= ROUNDING:
        failures.append(f"{apart:.3g} apart")
    if expected is not None and collectives != {expected}:
        failures.append(f"{collectives} collectives, not {expected}")
    if not options.get("inplace") and changed:
        failures.append(f"{changed} raw gradients changed")
    if len(handle.report().included) != len(handle_alone.report().included):
        failures.append(f"another report: {handle.report()}")
    return failures


def train_fsdp2(world: int) -> dict[str, list]:
    mesh = init_device_mesh("cpu", (world,))
    cuts = int(world > 1)
    failures = {}
    for name, (kind, options, count) in OPTIONS.items():
        model = network()
        expected = None if count is None else count * cuts
        failures[f"FSDP2, {name}"] = compare(
            network(), fully_shard(model, mesh=mesh), kind, options, expected
        )
    failures["FSDP2, with a curvature"] = compare(
        network(), fully_shard(network(), mesh=mesh), "SGD", {}, cuts, metric=CURVED
    )
    model = network()
    for layer in (model[0], model[2], model[4]):
        fully_shard(layer, mesh=mesh)
    failures["FSDP2, layer by layer"] = compare(
        network(), fully_shard(model, mesh=mesh), "SGD", {}, cuts
    )
    if world == 2:
        # Along axis 1: the outputs of a transposed convolution, the inputs of the others.
        # FSDP2 wants an even cut there, which the grouped one does not give.
        model = network()
        fully_shard(
            model,
            mesh=mesh,
            shard_placement_fn=lambda p: Shard(int(p.ndim == 4 and p.shape[1] % 2 == 0)),
        )
        failures["FSDP2 along axis 1"] = compare(network(), model, "SGD", {}, 1)
    if world == 4:
        square = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard"))
        failures["HSDP"] = compare(network(), fully_shard(network(), mesh=square), "SGD", {}, 1)
    return {name: found for name, found in failures.items() if found}


def train_data_parallel() -> list:
    return compare(network(), DistributedDataParallel(network()), "SGD", {}, 0)


def train_tensor_parallel(world: int) -> list:
    # Columns of the first layer's product are its outputs: the axis that a Rule selects.
    plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
    cut = parallelize_module(perceptron(), init_device_mesh("cpu", (world,)), plan)
    linear = [Rule(metric=METRIC, types=nn.Linear)]
    return compare(perceptron(), cut, "SGD", {}, 1, flat=True, shares=False, rules=linear)


@needs_fsdp2_on_cpus
@pytest.mark.parametrize(
    "world", [3, *(pytest.param(world, marks=pytest.mark.slow) for world in (1, 2, 4))]
)
def test_fsdp2_trains_as_one_process_does(world) -> None:
    assert on_ranks(world, train_fsdp2, world) == [{}] * world


def test_data_parallel_trains_as_one_process_does() -> None:
    assert on_ranks(3, train_data_parallel) == [[]] * 3


def test_tensor_parallel_trains_as_one_process_does() -> None:
    assert on_ranks(2, train_tensor_parallel, 2) == [[]] * 2


def test_the_comparison_can_fail() -> None:
    """Without the metric, or with it on each rank's rows alone, the weights end up elsewhere."""
    models = [network() for _ in range(3)]
    for index, model in enumerate(models):
        optimizer = optimizer_of(model, "SGD")
        if index:
            cuts = {0: 2, 2: 4} if index == 2 else {}
            rules = [Rule(metric=METRIC, name=f"{i}.weight", groups=g) for i, g in cuts.items()]
            cdg_torch.attach(optimizer, model, METRIC, rules=rules)
        fit(model, optimizer)
    raw, right, local = map(whole, models)
    assert distance(raw, right) > 1e3 * ROUNDING
    assert distance(local, right) > 1e3 * ROUNDING
