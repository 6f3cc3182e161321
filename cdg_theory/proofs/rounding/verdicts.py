r"""Theorem 7: the enclosure of the exact solution, and the verdict of a certificate."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.certificates.judging import examine
from cdg_theory.certificates.oracle import enclose_gradient
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.proofs.tools.rational_members import CURVED, MEMBERS, inverse_gram_of
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.formats import FORMATS

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAGE = "theory/rounding.md"


def _enclosed(*, off: Fraction = Fraction(0)) -> bool:
    """Look for the rational solution in the enclosure, and for others beside it.

    ``off`` moves what is looked for, relatively.
    """
    rng = np.random.default_rng(7)
    for metric, n in product(MEMBERS + CURVED, (1, 2, 3, 5, 8)):
        g = rng.standard_normal((n, 4)) * 10.0 ** rng.uniform(-9, 9, (n, 4))
        g[:, 2], g[:, 3] = 0.0, g[0, 3]
        exact = inverse_gram_of(metric, n) @ np.array([[Fraction(x) for x in row] for row in g])
        largest = abs(exact).max(axis=0)
        wanted = np.array([float(size) * 2.0**-40 for size in largest])
        wanted[largest == 0] = 2.0**-1000
        found = enclose_gradient(g, metric, wanted)
        for row, column in np.ndindex(exact.shape):
            value, size = exact[row, column], largest[column]
            inside = found.contains(row, column, value + off * size)
            beside = found.contains(row, column, value + size * Fraction(1, 2**38))
            if not inside or (beside and size != 0):
                return False
        if any(r > Fraction(w) * 2**found.scale for r, w in zip(found.radius, wanted, strict=True)):
            return False
    return True


def _verdict(*, refused_from: float = 1.0) -> bool:
    """Plant an error of a known share of its bound: it alone is reported, in the right unit."""
    metrics = (
        Metric(1.5, 0.75, 0.25),
        Metric(1.0, 0.0, 0.5, boundary="periodic"),
        Metric(1.0, 0.5, 0.0, 0.25),
    )
    # Narrow types: float64 says the exact solution to far less than a bound.
    for metric, dtype in product(metrics, ("float32", "bfloat16")):
        exam = examine(metric, 9, columns=9, dtype=dtype)
        bound = forward_error_bound(exam.gradient, metric, dtype=dtype).bound
        scale = Fraction(2) ** exam.exact.scale
        exact = np.array([[float(x / scale) for x in row] for row in exam.exact.center])
        for share, (row, column) in product((0.75, 1.25), ((0, 0), (8, 3), (4, 6))):

            def solve(
                _g: Any, exact: Any = exact, at: Any = (row, column), by: Any = share * bound
            ) -> NDArray[np.float64]:
                k: NDArray[np.float64] = exact.copy()
                k[at] += by[at]
                return k

            certificate = exam.judge(solve)
            worst, largest = certificate.worst, abs(exact[:, column]).max()
            ulp = 2.0 ** (np.frexp(largest)[1] - FORMATS[dtype].precision)
            error = share * bound[row, column] / ulp
            said = worst.error_ulp, worst.bound_ulp, certificate.bound, worst.max_ulp
            meant = error, error / share, error / share, error
            if not np.allclose(said, meant, rtol=1e-3):
                return False
            if (worst.row, worst.column, worst.kind) != (row, column, exam.kinds[column]):
                return False
            told = exact[row, column] + share * bound[row, column], exact[row, column]
            if (worst.got, worst.expected) != told:
                return False
            if certificate.max_ulp != max(f.max_ulp for f in certificate.findings):
                return False
            if certificate.holds != (share < refused_from):
                return False
    return True


THEOREMS = (
    Theorem(
        id="T7.oracle",
        title="The oracle encloses the exact solution",
        statement=(
            "The integers by which a certificate judges hold the rational solution of Mk = g, "
            "within the radius that was asked for, and do not hold numbers a little beside "
            "it."
        ),
        tex=r"|k_i-\mathrm{center}_i|\le\mathrm{radius}\le\mathrm{resolution}",
        scope="44 members of every kind, n in {1, 2, 3, 5, 8}, columns over 18 decades, constant "
        "and zero ones; against elimination in rational numbers",
        kind="exact",
        check=_enclosed,
        variant=partial(_enclosed, off=Fraction(1, 2**38)),
        perturbed="The same of what is off by 2⁻³⁸ of the column's largest entry.",
        page=PAGE,
    ),
    Theorem(
        id="T7.verdict",
        title="A certificate refuses exactly what is beyond its bound",
        statement=(
            "An error planted in one entry is reported there, in ulp at the largest entry of its "
            "column, and refused if and only if it is larger than theorem 7's bound."
        ),
        tex=r"|\hat k_i-k_i|\le\mathrm{bound}_i\iff\text{holds}",
        scope="three quarters and five quarters of the bound at three places, three metrics, two "
        "formats",
        kind="numeric",
        check=_verdict,
        variant=partial(_verdict, refused_from=1.5),
        perturbed="It is refused from one and a half bounds on.",
        page=PAGE,
    ),
)
