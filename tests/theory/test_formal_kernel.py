"""Coq's kernel checks every formal statement, and refuses the proofs for wrong code.

Planted errors in the code are translated as the code is, and then refused; rewrites that change
nothing are not. A false number, an axiom and a wrong statement are seen.

One error or rewrite takes ten seconds: a third of them is tried here, all of them by `make deep`.
"""

import re
import shutil

import pytest

from cdg_theory.discrete import blocks, curvature, inverse, network, shrinkage, sweeps
from cdg_theory.formal import kernel
from cdg_theory.formal.translate import translation
from cdg_theory.formal.values import drawn_values
from tests.theory.test_formal_translation import with_change
from tests.tools.coq import version_of_coq

BEFORE_CODE = ("Fields", "Arrays", "Definitions", "Sums", "Order")
AFTER = {
    sweeps: ("Loops", "Path", "Cycle", "RunningSums"),
    inverse: ("Inverse", "Resolvent", "Circulant"),
    shrinkage: ("Inverse", "Resolvent", "Circulant", "Exchangeable"),
    blocks: ("Blocks", "Loops", "Path", "Cycle", "Metric", "Symmetry", "Sharded", "Flux",
             "Whole"),
    network: ("Blocks", "Loops", "Path", "Cycle", "Metric", "Symmetry", "Sharded", "Flux", "Whole"),
    curvature: ("Loops", "Path", "Cycle", "Metric", "Symmetry",
                "Pairs", "PairLoops", "PairPath", "PairCycle"),
}  # fmt: skip
ERRORS = [
    (sweeps, "carry = c / (c + excess)", "carry = c / (c - excess)"),
    (sweeps, "carry = c / (c + excess)", "carry = excess / (c + excess)"),
    (sweeps, "return carry, beta + carry * excess", "return carry, beta + excess"),
    (sweeps, "return carry, beta + carry * excess", "return carry, beta - carry * excess"),
    (sweeps, "excess, carry = [beta], []", "excess, carry = [c], []"),
    (sweeps, "gain = 1 / (c + np.array(excess))", "gain = 1 / np.array(excess)"),
    (sweeps, "gain[-1] = 0  #", "gain[0] = 0  #"),
    (sweeps, "np.append(c / c, carry_[::-1]))[::-1]", "np.append(c / c, carry_))[::-1]"),
    (sweeps, "np.append(c / c, carry_[::-1]))[::-1]", "np.append(c / c, carry_[::-1]))"),
    (sweeps, "homogeneous / homogeneous.sum(), None", "homogeneous, None"),
    (sweeps, "q = c / pivot", "q = excess / pivot"),
    (sweeps, "powers[::-1].copy(), powers)", "powers, powers)"),
    (sweeps, "np.full(n, 1 / pivot)", "np.full(n, 1 / c)"),
    (sweeps, "return mean + rest, fluctuation - rest", "return mean - rest, fluctuation + mean"),
    (sweeps, "y[i + 1] += carry[i] * y[i]", "y[i + 1] -= carry[i] * y[i]"),
    (sweeps, "y[i + 1] += carry[i] * y[i]", "y[i] += carry[i] * y[i + 1]"),
    (sweeps, "x[i] += carry[i] * x[i + 1]", "x[i] += x[i + 1]"),
    (sweeps, "for i in reversed(range(len(carry))):", "for i in range(len(carry)):"),
    (sweeps, "u -= _column(homogeneous, u)", "u += _column(homogeneous, u)"),
    (sweeps, "        close(r, factors.flux)", "        close(r, factors.closure)"),
    (sweeps, "x = _column(factors.gain, r) * r", "x = _column(factors.closure, r) * r"),
    (sweeps, "    backward(x, factors.carry)\n", ""),
    (sweeps, "    close(x, factors.closure)\n", ""),
    (sweeps, "return mean / alpha + x", "return mean / beta + x"),
    (sweeps, "x = r / beta if factors", "x = r / alpha if factors"),
    (inverse, "return (delta - 1 / n) / beta", "return (delta + 1 / n) / beta"),
    (inverse, "(2 * n) - hi + (n - 1)", "(2 * n) - lo + (n - 1)"),
    (inverse, "return (n**2 - 1) / (12 * n)", "return (n**2 - 1) / (6 * n)"),
    (inverse, "(1 + power(2 * lo + 1))", "(1 + power(2 * lo))"),
    (inverse, "return (power(d) + power(n - d))", "return (power(d) - power(n - d))"),
    (inverse, "below_one(nodes - u)", "below_one(nodes)"),
    (network, "Y[b + 1] += y[b]", "Y[b + 1] -= y[b]"),
    (network, "e[b] = p[b] * E[b] * tau[b + 1]", "e[b] = p[b] * E[b]"),
    (network, "h[b] = p[b] * tau[b + 1] * h[b + 1]", "h[b] = p[b] * tau[b] * h[b + 1]"),
    (network, "(Y[-1] - w * (n * level).sum(0))", "(Y[-1] + w * (n * level).sum(0))"),
    (network, "return level, y - e * np.roll(level, -1, axis=0)", "return level, y - e * level"),
    (blocks, "rest = weights @ (means - mean)", "rest = weights @ means"),
    (blocks, "mean = weights @ means", "mean = weights @ weights"),
    (network, "    across[-1] -= 1\n", "    across[-1] += 1\n"),
    (network, "    unit_flux[-1] += 1\n", ""),
    (network, "unit_level[-1] - tau[0]", "unit_level[-1] + tau[0]"),
    (network, "(fall + J[-1]) /", "(fall - J[-1]) /"),
    (network, "/ (1 - C[-1] * unit_fall)", "/ (1 + C[-1] * unit_fall)"),
    (network, "flux + seam * unit_flux", "flux - seam * unit_flux"),
    (network, "level + seam * unit_level, flux", "level, flux"),
    (network, "kappa, rho, tau = -last,", "kappa, rho, tau = last,"),
    (network, "first - last, 1 + beta * n * last", "first + last, 1 + beta * n * last"),
    (network, "1 + beta * n * last", "1 - beta * n * last"),
    (network, "s_ - np.roll(s, -1, axis=0)", "s_ - np.roll(s, 1, axis=0)"),
    (network, "c * np.roll(rho, -1, axis=0)", "c * rho"),
    (network, "n * kappa * o + t, n", "n * kappa * o + t_, n"),
    (network, "np.roll(flux, 1, axis=0), -flux", "flux, -flux"),
    (network, "np.roll(flux, 1, axis=0), -flux", "np.roll(flux, 1, axis=0), flux"),
    (blocks, "w = f - (left + right) / len(f)", "w = f - (left - right) / len(f)"),
    (blocks, "w[-1] += right", "w[0] += right"),
    (blocks, "return solve(w) + level", "return solve(w)"),
    (shrinkage, "return (1 - kappa) ** 2 * s", "return (1 + kappa) ** 2 * s"),
    (curvature, "return a * a_ - self.omega * b * b_", "return a * a_ + self.omega * b * b_"),
    (curvature, "a * m - self.omega * b * x", "a * m + self.omega * b * x"),
    (curvature, "-b / determinant", "b / determinant"),
    (curvature, "N = 1 + 2 * q * A", "N = 1 + q * A"),
    (curvature, "1 + B / N", "B / N"),
    (curvature, "A, B = 0 * d, d / d", "A, B = d / d, d / d"),
    (curvature, "a, b = 1 + q * A, B / d", "a, b = 1 + q * A, B * d"),
    (curvature, "ring = Ring(c, beta * d)", "ring = Ring(c, beta)"),
    (curvature, "upwards = carry[::-1]", "upwards = carry"),
    (curvature, "np.array(homogeneous[::-1])", "np.array(homogeneous)"),
    (curvature, "        u[i + 1] += level\n", "        u[i] += level\n"),
    (curvature, "    u[-1] *= 0\n", ""),
    (curvature, "u[i + 1] + u[i], w[i + 1] + w[i]", "u[i + 1], w[i + 1] + w[i]"),
    (curvature, "return _minus((u, w), factors", "return _plus((u, w), factors"),
    (curvature, "dipole[-1] -= d / d", "dipole[-1] += d / d"),
    (curvature, "1 + 2 * a[0], 2 * b[0]", "1 + a[0], b[0]"),
    (curvature, "-(b * r).sum(axis=0)", "(b * r).sum(axis=0)"),
    (curvature, "levels[-1] - levels[0]", "levels[0] - levels[-1]"),
    (curvature, "    u[0] += flux[0]\n", "    u[0] += flux[1]\n"),
    (curvature, "return _plus(pair, factors", "return _minus(pair, factors"),
]
REWRITES = [
    (sweeps, "carry = c / (c + excess)", "carry = c / (excess + c)"),
    (sweeps, "return carry, beta + carry * excess", "return carry, carry * excess + beta"),
    (sweeps, "gain = 1 / (c + np.array(excess))", "gain = 1 / (np.array(excess) + c)"),
    (sweeps, "pivot = c + excess", "pivot = excess + c"),
    (sweeps, "y[i + 1] += carry[i] * y[i]", "y[i + 1] += y[i] * carry[i]"),
    (sweeps, "x[i] += carry[i] * x[i + 1]", "x[i] = x[i + 1] * carry[i] + x[i]"),
    (sweeps, "x = _column(factors.gain, r) * r", "x = r * _column(factors.gain, r)"),
    (sweeps, "return mean / alpha + x", "return x + mean / alpha"),
    (sweeps, "u -= _column(homogeneous, u) * u.sum(axis=0)",
     "u -= u.sum(axis=0) * _column(homogeneous, u)"),
    (network, "p[b] = C[b] / (C[b] * tau[b] + E[b])", "p[b] = C[b] / (E[b] + tau[b] * C[b])"),
    (network, "e[b] = p[b] * E[b] * tau[b + 1]", "e[b] = tau[b + 1] * (E[b] * p[b])"),
    (blocks, "return solve(w) + level", "return level + solve(w)"),
    (blocks, "weights @ (means - mean)", "(means - mean) @ weights"),
    (network, "C[-1] * (fall + J[-1]) / (1 -", "(J[-1] + fall) * C[-1] / (1 -"),
    (network, "level + seam * unit_level, flux", "unit_level * seam + level, flux"),
    (network, "1 + beta * n * last", "last * n * beta + 1"),
    (network, "c / (1 + c * rho + c * np.roll(rho, -1, axis=0))",
     "c / (1 + c * (np.roll(rho, -1, axis=0) + rho))"),
    (network, "q, J = n * o, s_ - np.roll(s, -1, axis=0)",
     "q, J = o * n, -np.roll(s, -1, axis=0) + s_"),
    (inverse, "power(2 * lo + 1)", "power(1 + lo + lo)"),
    (inverse, "return (power(d) + power(n - d))", "return (power(n - d) + power(d))"),
    (inverse, "(2 * n) - hi + (n - 1)", "(n + n) - hi + (n - 1)"),
    (curvature, "N = 1 + 2 * q * A + p * B + q * W", "N = p * B + q * W + (1 + 2 * q * A)"),
    (curvature, "(A + W) / N", "(W + A) / N"),
    (curvature, "a * (a + self.c * b) + self.omega * b * b",
     "self.omega * b * b + a * (b * self.c + a)"),
    (curvature, "        u[i + 1] += level\n", "        u[i + 1] = level + u[i + 1]\n"),
    (curvature, "u[i + 1] + u[i], w[i + 1] + w[i]", "u[i] + u[i + 1], w[i] + w[i + 1]"),
    (curvature, "1 + 2 * a[0], 2 * b[0]", "2 * a[0] + 1, b[0] + b[0]"),
    (curvature, "-(b * r).sum(axis=0)", "-(r * b).sum(axis=0)"),
    (curvature, "return pair[0] + other[0],", "return other[0] + pair[0],"),
]  # fmt: skip


def compiled_before_code(folder):
    """Compile all that does not depend on the code, in an empty folder, and return it."""
    version_of_coq()
    kernel.compile_proofs(folder, "", BEFORE_CODE)
    return folder


def is_proved(folder, change) -> bool:
    """Whether the proofs are accepted for the code with a change; the code alone always is."""
    code = translation(with_change(*change))
    kernel.compile_proofs(folder, code, ("Code",))
    try:
        kernel.compile_proofs(folder, code, AFTER[change[0]])
    except kernel.NotChecked:
        return False
    return True


@pytest.fixture(scope="module")
def before_code(tmp_path_factory):
    return compiled_before_code(tmp_path_factory.mktemp("coq"))


@pytest.fixture
def folder(before_code, tmp_path):
    """Return a copy of it."""
    return shutil.copytree(before_code, tmp_path / "coq")


def name_of(change) -> str:
    return re.sub(r"\W+", "-", f"{change[0].__name__.rpartition('.')[2]} {change[2]}").strip("-")


def test_the_code_compiles_and_a_sweep_is_what_it_says(folder) -> None:
    kernel.compile_proofs(folder, translation(), ("Code", "Loops"))


def test_a_planted_error_is_refused_at_once(folder) -> None:
    code = translation(with_change(*ERRORS[0]))
    with pytest.raises(kernel.NotChecked, match=r"Coq refuses Loops\.v"):
        kernel.compile_proofs(folder, code, ("Code", "Loops"))


@pytest.mark.slow
def test_all_is_checked() -> None:
    version_of_coq()
    heard = []
    report = kernel.check_proofs(heard.append)
    assert [theorem.name for theorem in report.theorems] == [*kernel.stated_theorems()]
    assert report.holds
    assert report.values > 300
    for theorem in report.theorems:
        assert bool(theorem.axioms) == theorem.name.endswith("_real"), theorem
    assert {"Code", "Statements", "Values", "coqchk"} <= set(heard)


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS[1::3], ids=map(name_of, ERRORS[1::3]))
def test_planted_errors_are_refused(folder, error) -> None:
    assert not is_proved(folder, error)


@pytest.mark.slow
@pytest.mark.parametrize("rewrite", REWRITES[::3], ids=map(name_of, REWRITES[::3]))
def test_rewrites_that_change_nothing_are_not(folder, rewrite) -> None:
    assert is_proved(folder, rewrite)


@pytest.mark.slow
def test_a_false_number_is_seen(folder) -> None:
    kernel.compile_proofs(folder, translation(), ("Code", "Sharded", "RationalNumbers"))
    text, _ = drawn_values(rounds=1)
    (folder / "Values.v").write_text(text, "utf-8")
    kernel.compile_file(folder, "Values")
    result = re.search(r" \d+\) \[\((\d+) #", text)
    wrong = f"{text[: result.start(1)]}{int(result[1]) + 1}{text[result.end(1) :]}"
    (folder / "Values.v").write_text(wrong, "utf-8")
    with pytest.raises(kernel.NotChecked, match=r"Coq refuses Values\.v"):
        kernel.compile_file(folder, "Values")


def test_an_axiom_is_told_of_and_not_accepted(folder) -> None:
    for file in kernel.STATED:
        text = f"Axiom wish_{file} : False.\nTheorem T5_wish{file} : 0 = 1.\n"
        proof = f"Proof. exact (False_ind _ wish_{file}). Qed.\n"
        (folder / f"{file}.v").write_text(text + proof, "utf-8")
        kernel.compile_file(folder, file)
    (found,) = kernel.assumptions(folder, ["T5_wishStatements"])
    assert found.axioms == ("wish_Statements",)
    assert not found.as_it_must_be
    assert not kernel.KernelReport("", (found,), 0).holds
