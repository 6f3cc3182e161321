"""Train a network that is cut over several processes, with a metric along output channels."""

import os

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import init_device_mesh

import cdg_torch
from cdg_torch import Metric


def main() -> None:
    # On GPUs: "nccl", "cuda", and torch.cuda.set_device(int(os.environ["LOCAL_RANK"])).
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    mesh = init_device_mesh("cpu", (ranks,))

    torch.manual_seed(0)  # the same weights everywhere, before they are cut
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 3 * 3, 10),
    )
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    handle = cdg_torch.attach(optimizer, model, Metric.sobolev(0.3))
    if rank == 0:
        print(handle.report())

    # Twelve images that every process draws alike; each trains on its share of them.
    images, labels = torch.randn(12, 3, 8, 8), torch.randint(10, (12,))
    for epoch in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(
            model(images.chunk(ranks)[rank]), labels.chunk(ranks)[rank]
        )
        loss.backward()
        optimizer.step()
        dist.all_reduce(loss.detach_(), dist.ReduceOp.SUM)
        if rank == 0 and epoch % 19 == 0:
            print(f"epoch {epoch}: loss {loss.item() / ranks:.4f}")

    weights = sum(p.full_tensor().detach().double().abs().sum() for p in model.parameters())
    if rank == 0:
        print(f"{os.environ['WORLD_SIZE']} processes, sum of the weights' sizes {weights:.3f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
