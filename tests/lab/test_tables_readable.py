"""A table is never cut: into a pipe it is as wide as it needs, on a narrow terminal folded."""

import io
import sys

import pytest

from cdg_torch.lab.output import ResultTable, Terminal, spell_out

NAMES = [f"encoder.layers.{i}.self_attention.projection.convolution.weight" for i in range(3)]
TABLE = ResultTable(
    ("tensor", "shape", "output", "noise ± λ²"),
    [(name, "64×3×3×3", f"+0.{i}00 | -0.{i}11", "0.001 | 0.002") for i, name in enumerate(NAMES)],
    "a title of the table",
    left=(0, 1),
)


def printed(capsys, monkeypatch, columns) -> list[str]:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(columns))
    Terminal().print(TABLE)
    return capsys.readouterr().out.splitlines()


def test_into_a_pipe_every_row_is_one_line(capsys, monkeypatch) -> None:
    lines = printed(capsys, monkeypatch, None)
    for row in TABLE.rows:
        assert sum(all(cell in line for cell in row) for line in lines) == 1


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 140])
def test_on_a_narrow_terminal_nothing_is_lost(capsys, monkeypatch, columns) -> None:
    lines = printed(capsys, monkeypatch, columns)
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert "…" not in text
    framed = "│" in text
    # Folds undone: in a table those of the first column.
    parts = [line.split("│")[1] if "│" in line else line for line in lines]
    whole = "".join("".join(parts).split())
    for row in TABLE.rows:
        assert row[0] in whole
        if framed:  # numbers are not folded
            assert all(cell in text for cell in row[2:])
        else:
            assert all("".join(cell.split()) in whole for cell in row)
    assert framed is (columns >= 65)


def test_brackets_are_no_markup_and_colons_no_pictures(capsys, monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    Terminal().print("[red] layer[bold].weight :smile: 1.5")
    assert capsys.readouterr().out == "[red] layer[bold].weight :smile: 1.5\n"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", "lambda2 <= inf, H0 x M-1, sqrtpi, \\xe9 \\udcff"),
        ("cp1252", "lambda² <= inf, H0 × M-¹, sqrtpi, é \\udcff"),
        ("utf-8", "λ² ≤ ∞, H⁰ × M⁻¹, √π, é \\udcff"),
    ],
)
def test_what_an_encoding_lacks_is_spelled_out(monkeypatch, encoding, expected) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    spell_out()
    print("λ² ≤ ∞, H⁰ × M⁻¹, √π, é \udcff", end="")  # noqa: T201 - what is under test
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == expected
