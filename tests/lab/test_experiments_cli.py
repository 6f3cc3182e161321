"""From a spec to records to a report, on the command line; a second start does nothing twice."""

from cdg_torch.lab.train.specs import read_spec, read_specs
from tests.tools.commands import cdg

SPEC = """
model = "tiny-cnn"
data = "digits"
options = { train = 32, validation = 16 }
rates = [0.03]
select_seeds = 1
final_seeds = 2

[[methods]]
name = "SGD"

[[methods]]
name = "periodic"
metric = { fluctuation = 1.0, derivative = 0.5, boundary = "periodic", spacing = "unit" }
match_norm = true

[[experiment]]
name = "small-batch"
batches = [4, 8]

[[experiment]]
name = "adam"
methods = [{ name = "Adam", optimizer = "adam" }]
"""


def test_train_then_report(tmp_path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    arguments = ["train", spec, "--output", tmp_path / "out", "--workers", "0"]
    cdg(*arguments)
    records = tmp_path / "out" / "small-batch.jsonl"
    before = records.read_bytes()
    assert before.count(b"\n") == 2 * 2 * (1 + 2)
    cdg(*arguments)
    assert records.read_bytes() == before

    cdg("report", tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "## adam" in text
    assert "### Batch 4" in text
    assert "cannot be told from noise" in text
    for name in ("small-batch-differences", "small-batch-training", "adam-training"):
        assert f"({name}.png)" in text
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 1000
    assert "(adam-differences.png)" not in text


def test_specs_inherit_from_the_top(tmp_path) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    first, second = read_spec(tmp_path / "spec.toml")
    assert first.methods[1].metric.boundary == "periodic"
    assert first.methods[1].match_norm
    assert [method.name for method in second.methods] == ["Adam"]
    assert second.rates == first.rates == (0.03,)


def test_several_specs_are_read_before_the_first_run(tmp_path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(SPEC)
    two.write_text(SPEC.replace("small-batch", "large-batch").replace('"adam"', '"adam-too"', 1))
    names = [experiment.name for experiment in read_specs([one, two])]
    assert names == ["small-batch", "adam", "large-batch", "adam-too"]
    result = cdg("train", one, one, "--output", tmp_path / "o", exit_code=2)
    assert "share a name" in result.output
    assert not (tmp_path / "o").exists()


def test_bad_files_are_refused(tmp_path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text("model = ")
    assert "is not a TOML file" in cdg("train", spec, exit_code=2).output
    spec.write_text(SPEC.replace('name = "adam"', 'name = "small-batch"'))
    assert "share a name" in cdg("train", spec, exit_code=2).output
    (tmp_path / "empty").mkdir()
    assert "no .jsonl file" in cdg("report", tmp_path / "empty", exit_code=2).output
