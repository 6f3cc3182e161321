"""A Dask cluster gives the records that this machine gives, to the last bit, each run once."""

import json
from dataclasses import replace

import pytest
from distributed import LocalCluster

from cdg_torch.lab.train.protocol import conduct
from tests.tools import records

EXPERIMENT = replace(
    records.EXPERIMENT,
    options={"train": 32, "validation": 8},
    rates=(0.03, 0.1),
    select_seeds=1,
    final_seeds=2,
)


def local(workers: int, threads: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers, threads_per_worker=threads, processes=workers > 0, dashboard_address=None
    )


@pytest.mark.slow
def test_two_workers_share_the_runs(tmp_path) -> None:
    done = []
    with local(2, 1) as cluster:
        found = conduct(
            EXPERIMENT,
            tmp_path / "there.jsonl",
            cluster=cluster.scheduler_address,
            on_record=done.append,
        )
    here = conduct(EXPERIMENT, tmp_path / "here.jsonl", workers=0)
    assert len(done) == len(found) == EXPERIMENT.run_count
    assert [r["results"] for r in found] == [r["results"] for r in here]
    lines = (tmp_path / "there.jsonl").read_text().splitlines()
    assert {json.loads(line)["key"] for line in lines} == {record["key"] for record in here}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "threads", "words"),
    [(0, 1, "has no worker; start some"), (1, 2, "one thread each, .* has 2; start them with")],
)
def test_clusters_that_cannot_train_are_refused(tmp_path, workers, threads, words) -> None:
    with local(workers, threads) as cluster, pytest.raises(RuntimeError, match=words):
        conduct(EXPERIMENT, tmp_path / "x.jsonl", cluster=cluster.scheduler_address)
