"""The demonstration writes its records and figure, and its table says what the records say."""

import io
import json
import sys
from dataclasses import replace

from rich.console import Console

from cdg_torch.lab.cli.experiments import demo
from cdg_torch.lab.train import demo as demonstration
from cdg_torch.lab.train.analysis import cells, score_table
from cdg_torch.lab.train.headline import duels

SHORT = {"epochs": 1, "rates": (0.1,), "select_seeds": 1, "final_seeds": 2}
SMALL = replace(demonstration.DEMO, options={"train": 48, "validation": 16}, **SHORT)


def test_records_figure_and_table(tmp_path) -> None:
    (tmp_path / "results.jsonl").write_text("left over from before\n")
    done = []
    rows, paths = demonstration.run_demo(SMALL, tmp_path, workers=0, on_record=done.append)
    assert [path.name for path in paths] == ["results.jsonl", "training.png"]
    records = [json.loads(line) for line in paths[0].read_text().splitlines()]
    assert len(records) == len(done) == SMALL.run_count
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    tested = [
        record["results"]["test"]
        for record in records
        if record["run"]["stage"] == "final" and record["run"]["method"]["name"] == "SGD"
    ]
    assert cells(rows[0])[2].startswith(f"{100 * sum(tested) / 2:.2f} ±")
    assert [row.method.name for row in rows] == [method.name for method in SMALL.methods]
    out = io.StringIO()
    Console(file=out, width=100).print(score_table(rows, "title"))
    for row in rows:
        assert all(cell in out.getvalue() for cell in cells(row))
        assert " | ".join(cells(row)) in score_table(rows).markdown()


def test_a_failed_verification_stops_before_training(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules[demo.__module__], "verify", lambda **_: False)
    assert not demo(tmp_path, workers=0)
    assert list(tmp_path.iterdir()) == []


def test_the_ordered_head_is_trained_too_and_meets_its_rival(tmp_path) -> None:
    small = replace(demonstration.ORDERED_DEMO, options={"train": 64, "repeat": 1}, **SHORT)
    rows, paths = demonstration.run_demo(small, tmp_path, workers=0)
    assert all(path.exists() for path in paths)
    assert [row.method.name for row in rows] == [method.name for method in small.methods]
    found = {duel.other.method.name: duel.role for duel in duels(rows)}
    assert found == {"SGD": "base", "weight decay": "control", "soft targets": "rival"}
