r"""Theorems 1, 2, 5 and 8 for the float64 functions that users call: they compute what is proved.

The proofs of the closed forms are about formulas over any field. Here the functions that fill
matrices of floats from them are held against rational arithmetic, entry by entry: Gram matrices,
spectra and transforms, inverses and gradients, the noise that is kept. The bounds count roundings,
a few for each of n terms, relative to the largest entry that the result is made of.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cdg_theory import discrete
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Boundary, Metric
from cdg_theory.proofs.tools.rational_members import (
    CURVED,
    MEMBERS,
    U,
    gram_of,
    inverse_gram_of,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

PAGE = "theory/discretization.md"
SIZES = (1, 2, 3, 4, 5, 8)
CASES = tuple(product(MEMBERS + CURVED, SIZES))
SCOPE = "44 members of every kind, small β, both boundaries and spacings, n in {1, 2, 3, 4, 5, 8}"


def _close(found: Any, exact: NDArray[Any], terms: int, size: float | None = None) -> bool:
    """Whether float64 results err by less than a rounding for each of the terms, of that size."""
    size = size_of(exact) if size is None else size
    return bool((abs(np.asarray(found) - exact.astype(float)) <= 4 * (terms + 4) * U * size).all())


def _gram(of: Callable[[Metric, int], NDArray[Any]] = gram_of) -> bool:
    """Compare the dense matrix, and the operator from either side, with the matrix of the form."""
    for metric, n in CASES:
        exact, unit = of(metric, n), np.eye(n)
        operator = discrete.gram_operator(metric, n)
        columns = [operator.matvec(e) for e in unit], [operator.rmatvec(e) for e in unit]
        found = (
            discrete.gram_matrix(metric, n),
            operator @ unit,
            operator.rmatmat(unit),
            *(np.stack(those, axis=1) for those in columns),
        )
        # A product with 1 adds the large terms to nothing: a rounding or two per term.
        if operator.dtype != np.float64 or not all(_close(one, exact, 2) for one in found):
            return False
    return True


def _vectors(boundary: Boundary, n: int, offset: float) -> NDArray[Any]:
    """Return the orthonormal eigenvectors as rows: cosines at the cells' middles, or waves."""
    m, i = np.indices((n, n))
    if boundary == "natural":
        return np.sqrt(np.where(m == 0, 1, 2) / n) * np.cos(np.pi * m * (i + offset) / n)
    return np.exp(-2j * np.pi * m * i / n) / np.sqrt(n)


def _transforms(offset: float = 0.5) -> bool:
    """Compare the transforms with the vectors, and the spectra with what these make of L and M."""
    for boundary, n in product(get_args(Boundary), SIZES):
        V, unit = _vectors(boundary, n, offset), np.eye(n)
        back = V.conj().T
        pairs = [
            (discrete.to_modes(unit, boundary), V),
            (discrete.from_modes(unit, boundary), back),
            # Along axis 0, whatever else there is.
            (discrete.to_modes(unit.reshape(n, 1, n), boundary), V.reshape(n, 1, n)),
            (discrete.from_modes(V.reshape(n, n, 1), boundary), unit.reshape(n, n, 1)),
        ]
        # The angles of the cosines are up to πn, and rounded.
        if any(abs(one - other).max() > 16 * (n + 4) * U for one, other in pairs):
            return False
        for metric in (m for m in MEMBERS + CURVED if m.boundary == boundary):
            M = gram_of(metric, n).astype(float)
            spectrum = discrete.eigenvalues(metric, n)
            slack = 16 * (n + 4) * U * size_of(M)
            if abs(V @ M @ back - np.diag(spectrum)).max() > slack:
                return False
            # That of L, to full relative accuracy.
            above = spectrum[1:] - metric.fluctuation
            ell = discrete.laplacian_eigenvalues(boundary, n)[1:]
            rough = metric.stiffness(n) * ell + metric.rigidity(n) * ell**2
            if (abs(above - rough) > 8 * U * spectrum[1:]).any():
                return False
    return True


def _solvers(metric: Metric) -> Iterator[Callable[[NDArray[Any]], NDArray[Any]]]:
    yield partial(discrete.riemannian_gradient, metric=metric)
    yield partial(discrete.spectral_gradient, metric=metric)
    yield lambda g: np.tensordot(discrete.inverse_matrix(metric, len(g)), g, 1)


def _inverses(of: Callable[[Metric, int], NDArray[Any]] = inverse_gram_of) -> bool:
    """Apply the three ways to k to unit vectors, as columns and as columns of columns."""
    for metric, n in CASES:
        exact = of(metric, n)
        unit = np.eye(n)
        for solve in _solvers(metric):
            k, cube = solve(unit), solve(unit.reshape(n, n, 1))
            if k.dtype != np.float64 or cube.shape != (n, n, 1) or (cube[..., 0] != k).any():
                return False
            # Pairs are multiplied by matrices: four products for one, and as many roundings.
            terms = 4 * (n + 4) - 4 if metric.curvature else n
            if not _close(k, exact, terms):
                return False
        # Narrow storage: the same, rounded once.
        narrow = discrete.riemannian_gradient(unit.astype(np.float32), metric)
        if (narrow != discrete.riemannian_gradient(unit, metric).astype(np.float32)).any():
            return False
    return True


def _noise(power: int = 2) -> bool:
    """Compare with the squared entries of the inverse: all terms positive, nothing cancels."""
    for metric, n in CASES:
        kept = (inverse_gram_of(metric, n) ** power).sum() / n
        if abs(discrete.variance_kept(metric, n) / float(kept) - 1) > 4 * (n + 4) * U:
            return False
    return True


def _other(boundary_of: Callable[[Metric, int], NDArray[Any]]) -> Callable[..., NDArray[Any]]:
    """Return a function of a metric with the other boundary."""

    def other(metric: Metric, n: int) -> NDArray[Any]:
        (boundary,) = set(get_args(Boundary)) - {metric.boundary}
        return boundary_of(replace(metric, boundary=boundary), n)

    return other


THEOREMS = (
    Theorem(
        id="T1.gram-matrix",
        title="The Gram matrix is the matrix of the form",
        statement=(
            "Every entry of the dense matrix M is the form on two unit vectors: terms for the "
            "mean, for the fluctuation, for the differences Δ of neighbours and for the "
            "Laplacian L. The operator, applied from either side, gives the same matrix."
        ),
        tex=(
            r"M_{ij}=\alpha n\,\overline{e_i}\,\overline{e_j}"
            r"+\beta\sum(e_i-\overline{e_i})(e_j-\overline{e_j})+c\sum\Delta e_i\,\Delta e_j"
            r"+d\sum Le_i\,Le_j"
        ),
        scope=f"{SCOPE}; the form in rational numbers",
        kind="numeric",
        check=_gram,
        variant=partial(_gram, of=_other(gram_of)),
        perturbed="The same with the two boundaries exchanged.",
        page=PAGE,
    ),
    Theorem(
        id="T2.transforms",
        title="The fast transforms are those of the eigenvectors",
        statement=(
            "The DCT-II and the DFT, orthonormal, take a vector to its coefficients and back, and "
            "in these coefficients L and M are the diagonal matrices of their eigenvalues."
        ),
        tex=r"VMV^*=\operatorname{diag}(\alpha,\beta+c\,\ell_1+d\,\ell_1^2,\dots,"
        r"\beta+c\,\ell_{n-1}+d\,\ell_{n-1}^2)",
        scope=f"{SCOPE}; to rounding, with eigenvectors from their formula",
        kind="numeric",
        check=_transforms,
        variant=partial(_transforms, offset=0.0),
        perturbed="The same with cosines at the cells' left ends.",
        page=PAGE,
    ),
    Theorem(
        id="T5.float64",
        title="Inverse and gradients in float64 are the inverse of the form",
        statement=(
            "The matrix filled from closed forms, the sweeps and the transform each give the "
            "inverse of the Gram matrix, to a few roundings of its largest entry per row: with a "
            "curvature term four times as many."
        ),
        tex=r"|\hat k_i-k_i|\le4(n+4)\,u\,\max_{ij}|(M^{-1})_{ij}|\cdot(4\text{ if }\delta>0),"
        r"\qquad g=e_j",
        scope=f"{SCOPE}; all unit vectors, against elimination in rational numbers",
        kind="numeric",
        check=_inverses,
        variant=partial(_inverses, of=_other(inverse_gram_of)),
        perturbed="The same with the two boundaries exchanged.",
        page="theory/linear-time.md",
    ),
    Theorem(
        id="T8.variance-kept",
        title="The noise kept is the mean square of the inverse's rows",
        statement=(
            "For every kind of member the number that the code returns is the trace of the squared "
            "inverse over n."
        ),
        tex=r"\tfrac1n\operatorname{tr}(M^{-2})=\tfrac1n\sum_{ij}(M^{-1})_{ij}^2",
        scope=f"{SCOPE}; against rational numbers",
        kind="numeric",
        check=_noise,
        variant=partial(_noise, power=1),
        perturbed="It is the sum of the entries themselves.",
        page="theory/convergence.md",
    ),
)
