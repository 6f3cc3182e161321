"""Files that are cut, changed or malicious are refused by name, and nothing in them is run."""

import json
import os
import pickle
import re

import pytest
import torch
from safetensors.torch import save_file

from cdg_theory.certificates.certificate import Certificate
from cdg_torch.lab.train import store
from cdg_torch.lab.train.networks import correlations, load_weights
from cdg_torch.lab.train.specs import read_spec
from tests.tools.commands import cdg
from tests.tools.records import RUN, record

SPEC = """
name = "a"
data = "digits"
model = "tiny-cnn"
rates = [0.1]
methods = [{ name = "SGD" }]
"""


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_pickle_that_would_run_code(tmp_path, suffix) -> None:
    ran = tmp_path / "ran"
    bare, among = tmp_path / f"bare{suffix}", tmp_path / f"among{suffix}"
    bare.write_bytes(pickle.dumps(Evil(ran)))
    torch.save({"weight": torch.ones(4, 1, 3), "evil": Evil(ran)}, among)
    for path in (bare, among):
        with pytest.raises(
            ValueError, match=rf"{path.name} (is a pickle|holds an object|is not a)"
        ):
            load_weights(path)
    assert not ran.exists()
    pickle.loads(bare.read_bytes())
    assert ran.exists(), "the pickle is harmless, and the test shows nothing"


def test_a_safetensors_file_that_is_cut(tmp_path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.ones(4, 2, 3)}, path)
    whole = path.read_bytes()
    for length in (5, 20, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"weights.safetensors is not a whole .* save it"):
            load_weights(path)


def test_tensors_that_have_no_correlation_are_passed_over() -> None:
    odd = {
        "8 bits": torch.ones(4, 2, 3).to(torch.float8_e4m3fn),
        "sparse": torch.ones(4, 2, 3).to_sparse(),
        "meta": torch.ones(4, 2, 3, device="meta"),
    }
    assert correlations(odd) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        # a name is the name of a file, and must not leave the folder for results
        ('name = "../../x"', r"name must be a word that can name a file"),
        ('name = ""', "name must be a word"),
        ("rates = 0.1", "rates must be a list, got 0.1"),
        ("rates = [nan]", "rates must be finite, got nan"),
        ("rates = [-0.1]", "rates must be > 0, got -0.1"),
        ("batches = [0.5]", "batches must be a whole number >= 1, got 0.5"),
        ("final_seeds = 20000", "the last seed below 10000, got 0 and 19999"),
        ("epochs = true", "epochs must be a whole number >= 1, got True"),
        ("augment = 1", "augment must be true or false, got 1"),
        ("options = [1]", "options must be a table"),
        ("options = { trian = 5 }", r"options of data = 'digits': unknown \['trian'\]"),
        ("options = { train = 0 }", "train in options must be a whole number >= 1, got 0"),
        ('options = { train = "5" }', "train in options must be a whole number >= 1, got '5'"),
        ('data = "cifar10"', r"options of data = 'cifar10': unknown \[\], missing \['folder'\]"),
        ('model = "gpt"', "model must be one of"),
        ("methods = [3]", r"methods must be tables, \[\[methods\]\], got 3"),
        ('methods = [{ name = "H", metric = 3 }]', "metric must be a table of"),
        ('methods = [{ name = "H", metric = { lam = 3 } }]', "metric must be a table of"),
        ('methods = [{ name = "H", match_norm = "no" }]', "match_norm must be true or false"),
        ("experiment = 3", r"experiment must be tables"),
        ("\udcff", "not text in UTF-8"),
    ],
)
def test_a_spec_with_a_wrong_value(tmp_path, line, message) -> None:
    path = tmp_path / "spec.toml"
    key = line.partition(" ")[0]
    kept = [entry for entry in SPEC.splitlines() if not entry.startswith(f"{key} ")]
    path.write_bytes("\n".join([*kept, line]).encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=rf"spec\.toml.*{message}"):
        read_spec(path)


def test_a_file_that_holds_no_records_is_left_as_it_is(tmp_path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"weight": torch.arange(1000.0)}, path)
    for content in (path.read_bytes(), b"a bare word", b'{"key": "a"}\nnotes', b"{}\n"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"weights.pt .*(is not|not end with) a record"):
            store.read(path)
        assert path.read_bytes() == content
    path.write_bytes(b'{"key": "a"}\n{"key": "b", "ru')
    assert store.read(path).keys() == {"a"}
    assert path.read_bytes() == b'{"key": "a"}\n'


def without(record: dict, *place: str) -> dict:
    """Return the record without the entry at a place, and with a list's first entry only."""
    record = json.loads(json.dumps(record))
    *way, last = place
    inner = record
    for key in way:
        inner = inner[key] if isinstance(inner, dict) else inner[0]
    del inner[last]
    return record


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: without(r, "results"), "the record has no 'results'"),
        (lambda r: without(r, "run", "stage") | {"run": {"seed": 3}}, "its run is none of ours"),
        (lambda r: without(r, "results", "validation"), "results has no 'validation'"),
        (lambda r: without(r, "results", "test"), "results has no 'test'"),
        (lambda r: without(r, "results", "curve", "0", "loss"), r"curve\[0\] has no 'loss'"),
        (lambda r: without(r, "timing", "seconds_per_step"), "timing has no 'seconds_per_step'"),
        (lambda r: r | {"results": [1]}, r"results is \[1\] of type list"),
        (lambda r: r | {"results": r["results"] | {"curve": []}}, "learning curve is empty"),
        (lambda r: r | {"run": r["run"] | {"momentum": 0.9}}, "none of ours: .*momentum"),
    ],
)
def test_records_of_another_version(tmp_path, change, words) -> None:
    sound = record(RUN, 0.5)
    path = tmp_path / "records.jsonl"
    store.append(path, sound)
    assert store.read_checked(path) == {sound["key"]: sound}
    path.unlink()
    store.append(path, change(sound))
    before = path.read_bytes()
    done = cdg("report", path, exit_code=2)
    message = rf"record {RUN.key} of .*records.jsonl was written by another version: .*{words}"
    assert re.search(message + ".*; move the file away", done.output), done.output
    assert done.output.count("\n") == 1
    assert path.read_bytes() == before


def test_records_and_certificates_of_another_shape(tmp_path) -> None:
    path = tmp_path / "records.jsonl"
    for line in ("not a record", "3", "[]", '{"key": 3}', "[" * 100_000):
        path.write_text(f'{{"key": "a"}}\n{line}\n')
        with pytest.raises(ValueError, match=r"line 2 of .*records.jsonl is not a record"):
            store.read(path)
    for text in ("null", "[" * 100_000, '{"metric": {}, "findings": []}'):
        with pytest.raises(ValueError, match=r"not a certificate: .*to_json"):
            Certificate.from_json(text)
