"""Formal proofs are about the code as it is: their translation is fresh, and guesses nothing.

Every statement belongs to one theorem of the ledger, which has a perturbed claim that is refuted,
and no file admits anything.
"""

import dataclasses
import importlib
import inspect
import operator
import re

import pytest

from cdg_theory import ledger
from cdg_theory.discrete import blocks, curvature, network, sweeps
from cdg_theory.formal import kernel, language
from cdg_theory.formal.expressions import NotTranslated
from cdg_theory.formal.translate import translation
from cdg_theory.formal.values import drawn_values

FILES = {file: kernel.FOLDER.joinpath(f"{file}.v").read_text("utf-8") for file in kernel.FILES}
STATED = {theorem: set(theorem.formal) for theorem in ledger.theorems() if theorem.formal}


def with_change(module, old: str, new: str):
    """Return what gives modules' sources, with one place of a module changed."""

    def source_of(asked) -> str:
        text = inspect.getsource(asked)
        if asked is not module:
            return text
        assert text.count(old) == 1, old
        return text.replace(old, new)

    return source_of


def test_the_translation_is_that_of_the_code_as_it_is() -> None:
    cure = "run: python -m cdg_theory.formal, and mend the proofs (docs: formal proofs)"
    assert FILES["Code"] == translation(), cure


def test_a_changed_function_is_a_changed_translation() -> None:
    changed = translation(with_change(sweeps, "c / (c + excess)", "c / (c - excess)"))
    assert changed != FILES["Code"]


def test_every_file_is_compiled() -> None:
    assert {path.stem for path in kernel.FOLDER.glob("*.v")} == set(kernel.FILES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = _column(factors.gain, r) * r", "x = np.multiply(_column(factors.gain, r), r)"),
        ("x = _column(factors.gain, r) * r", "x = r if n == 1 else _column(factors.gain, r) * r"),
        ("y[i + 1] += carry[i] * y[i]", "y[i + 2] += carry[i] * y[i]"),
        ("y[i + 1] += carry[i] * y[i]", "y[i + 1] += carry[i + 1] ** y[i]"),
        ("for i in range(len(carry)):", "for i in range(1, len(carry)):"),
        ("gain[-1] = 0", "gain[-2] = 0"),
        ("gain[-1] = 0", "gain[:] = 0"),
        ("g - mean", "g - alpha"),
        ("u -= _column(homogeneous, u)", "u -= homogeneous[:-1]"),
    ],
)
def test_what_lies_outside_of_the_language_is_refused(old, new) -> None:
    with pytest.raises(NotTranslated, match="outside of the small language"):
        translation(with_change(sweeps, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("np.roll(flux, 1, axis=0)", "np.roll(flux, 1)"),
        ("np.roll(flux, 1, axis=0)", "np.roll(flux, 2, axis=0)"),
        ("np.roll(flux, 1, axis=0)", "np.roll(flux, 1, axis=1)"),
        ("np.roll(flux, 1, axis=0)", "np.roll(c, 1, axis=0)"),
        ("level, h = np.zeros_like(q)", "level, h = np.zeros_like(q, dtype=float)"),
        ("    rest = weights @ (means - mean)", "    rest = mean @ (means - mean)"),
        ("    rest = weights @ (means - mean)", "    rest = weights @ means[1:]"),
        ("if periodic else solve_path(q", "if periodic else split_offsets(q"),
        ("solve_path(q, J, n, tau, C, beta, w)\n    )", "s\n    )"),
        ("if periodic else", "if c else"),
        ("for b in range(len(C) - 1)", "for b in range(len(C) - 2)"),
    ],
)
def test_what_lies_outside_of_the_language_of_blocks_is_refused(old, new) -> None:
    module = network if old in inspect.getsource(network) else blocks
    with pytest.raises(NotTranslated, match="outside of the small language"):
        translation(with_change(module, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # A round's numbers that are read after the loop; a number that changes its kind in it.
        ("    return carries\n", "    return carries, N\n"),
        ("        N, A, B = eliminate_pair(p, q, A, B)\n", "        N, A, q = A, carries, B\n"),
        # Twice in a round, and over the rows of something else.
        ("        carries.append((a / N, b / N))\n", "        carries.append((a, b))\n" * 2),
        ("    for _ in range(n - 1):", "    for _ in carries:"),
        ("    for _ in range(n - 1):", "    for _ in range(n + 1):"),
        ("        carries.append((a / N, b / N))\n", "        carries.append(a / N)\n"),
        # Elements of other rings and shapes.
        ("ring.times(upwards[i], homogeneous[i])", "ring.apply(upwards[i], homogeneous[i])"),
        ("ring.times(upwards[i], homogeneous[i])", "ring.times(upwards[i])"),
        ("ring.times(upwards[i], homogeneous[i])", "ring.times(upwards, homogeneous[i])"),
        ("np.array(homogeneous[::-1]).reshape(-1, 2).T", "np.array(homogeneous[::-1])"),
        ("CurvatureFactors(ring, np.array", "CurvatureFactors(closure, np.array"),
        ("        u[i], w[i] = ring.act(", "        u[i], w[i + 2] = ring.act("),
        ("    if factors.seam is None:\n", "    if factors.seam is not None:\n"),
        ("    assert factors.release is not None\n    a, b", "    assert factors.ring\n    a, b"),
        ("    forward(u, w, factors.ring, factors.carry)", "    forward(u, w[1:], factors.carry)"),
    ],
)
def test_what_lies_outside_of_the_language_of_pairs_is_refused(old, new) -> None:
    with pytest.raises(NotTranslated, match="outside of the small language"):
        translation(with_change(curvature, old, new))


def test_the_fields_of_records_are_those_of_the_code() -> None:
    for name, fields in language.RECORDS.items():
        (record,) = {getattr(m, name) for m in (curvature, sweeps) if hasattr(m, name)}
        assert [own.name for own in dataclasses.fields(record)] == [*fields]


def test_a_function_with_another_number_of_arguments_is_refused() -> None:
    old = "def close(u: NDArray[Any], homogeneous: NDArray[Any])"
    with pytest.raises(NotTranslated):
        translation(with_change(sweeps, old, "def close(u: NDArray[Any])"))


def test_the_ledger_names_every_statement_once() -> None:
    named = [name for names in STATED.values() for name in names]
    refuted = [name for name in kernel.stated_theorems() if name.endswith("_refuted")]
    assert sorted(named + refuted) == sorted(kernel.stated_theorems())
    for theorem, names in STATED.items():
        stem = re.sub(r"\W", "_", theorem.id)
        assert all(re.fullmatch(rf"{stem}(_\w+)?", name) for name in names), theorem.id
        assert f"{stem}_refuted" in refuted, theorem.id
    assert len(refuted) == len(STATED)


def test_a_theorem_shows_what_the_kernel_checks() -> None:
    theorem = ledger.theorem("T5.sweeps-path")
    assert "Coq's kernel: T5_sweeps_path" in repr(theorem)
    assert "T5_sweeps_path" in theorem._repr_html_()
    assert "kernel" not in repr(ledger.theorem("T5.sweeps-exact"))


def test_nothing_is_admitted() -> None:
    forbidden = re.compile(r"\b(Admitted|admit|Axiom|Parameter|Conjecture|bypass_check|Unset)\b")
    assert not {file: found for file, text in FILES.items() if (found := forbidden.findall(text))}


def test_every_translated_function_has_drawn_values() -> None:
    text, _ = drawn_values()
    names = {name for _, functions in language.TRANSLATED for name in functions}
    # Called by the others, or over the reals.
    inner = {"eliminate_row", "path_pivots", "split_mean", "carry_forward", "carry_backward",
             "close", "solve_fluctuation", "cycle_excess", "solve_network",
             "Ring.times", "Ring.act", "Ring.inverse", "eliminate_pair", "pair_carries", "_plus",
             "_minus", "homogeneous_pairs", "path_pair_factors", "cycle_pair_factors", "close_seam",
             "solve_curvature"}  # fmt: skip
    assert {name for name in names if f"{name} (F := F)" in text} == names - inner
    for module, functions in language.TRANSLATED:
        for name in functions:
            assert operator.attrgetter(name)(importlib.import_module(module.__name__))
