"""Run a function on several ranks, each a process of its own that talks to the others by gloo."""

import multiprocessing
import pickle
import tempfile
import warnings
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

PRELOADED = ["torch.distributed.tensor.debug", "torch.distributed.fsdp", "cdg_torch.sharded"]


def _rank(rank, world, work, arguments, folder) -> None:
    warnings.simplefilter("error")
    # Of older torch, about making a DTensor of random numbers on a CPU.
    warnings.filterwarnings("ignore", "DTensor random operators", UserWarning, r"torch\.")
    torch.set_num_threads(1)
    # A rank that waits for one that does not come must fail the test, not hang it.
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/rendezvous",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=60),
    )
    result = work(*arguments)
    Path(folder, str(rank)).write_bytes(pickle.dumps(result))
    dist.barrier()
    # The process ends here, and its group with it: torch 2.6 hangs now and then when it takes one
    # down, joining a thread that waits for Python's lock.


def on_ranks(world: int, work, *arguments) -> list:
    """Return what ``work(*arguments)``, a function of some module, returns on each rank."""
    # Importing torch takes longer than all the rest: a clean server does it once and forks.
    multiprocessing.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        mp.start_processes(
            _rank, (world, work, arguments, folder), nprocs=world, start_method="forkserver"
        )
        return [pickle.loads(Path(folder, str(rank)).read_bytes()) for rank in range(world)]
