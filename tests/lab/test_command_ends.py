"""A command ends with one status for one meaning, and one line for what went wrong."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from cdg_torch.lab.cli import app, ending, experiments
from cdg_torch.lab.train.harness import worker_pool
from tests.tools.commands import cdg


def refuse(*_: object) -> None:
    msg = "ours, with its cure"
    raise ValueError(msg)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            FileNotFoundError(2, "No such file or directory", "x.pt"),
            2,
            "Error: x.pt: No such file or directory",
        ),
        (
            OSError(28, "x could not be written (No space left on device)"),
            2,
            "Error: x could not be written (No space left on device)",
        ),
        (
            BrokenProcessPool("..."),
            2,
            "Error: a training process was ended from outside; for lack of memory, perhaps",
        ),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_what_happens_to_a_user(monkeypatch, error, status, said) -> None:
    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr(experiments, "require", raises)
    assert cdg("report", ".", exit_code=status).output.strip() == said


def test_wrong_usage(tmp_path) -> None:
    for words in (["fly"], ["train"], ["train", tmp_path / "none"], ["bench", "--threads", "0"]):
        said = cdg(*words, exit_code=2).output
        assert said.startswith("Usage: cdg")
        assert "Error: " in said
    assert "130  interrupted" in cdg("--help").output


def test_a_refusal_of_ours_is_its_message_from_a_child_process_too(monkeypatch) -> None:
    """Last line of the traceback: a raise in these packages."""
    from cdg_theory.checks import one_of

    monkeypatch.setattr(experiments, "require", lambda *_: one_of("a", "b", ("c",)))
    assert (
        cdg("report", ".", exit_code=2).output
        == "Error: a must be one of 'c', got 'b' of type str\n"
    )

    def elsewhere(*_: object) -> None:
        with worker_pool(1) as pool:
            pool.executor.submit(one_of, "a", "b", ("c",)).result()

    monkeypatch.setattr(experiments, "require", elsewhere)
    assert (
        cdg("report", ".", exit_code=2).output
        == "Error: a must be one of 'c', got 'b' of type str\n"
    )


@pytest.mark.parametrize(
    "fault", [lambda *_: {}["key"], lambda *_: int("x"), lambda *_: Future().set_result(1, 2)]
)
def test_a_fault_of_the_program_shows_its_place(monkeypatch, fault) -> None:
    monkeypatch.setattr(experiments, "require", fault)
    lines = cdg("report", ".", exit_code=2).output.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "Error: a fault of the program; please report it with these lines"
    assert __file__ in "".join(lines)
    assert len(lines) < 14


def test_without_standalone_mode_errors_are_the_callers(monkeypatch) -> None:
    monkeypatch.setattr(experiments, "require", refuse)
    with pytest.raises(ValueError, match="ours, with its cure"):
        app(["report", "."], standalone_mode=False)


def test_the_table_of_statuses_is_the_help() -> None:
    text = cdg("--help").output
    for status in (ending.DOES_NOT_HOLD, ending.CANNOT_TELL, ending.INTERRUPTED, ending.UNREAD):
        assert f"\n    {status} " in text
        assert f"\n{status} " in ending.__doc__
