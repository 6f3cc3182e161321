r"""Theorem 7 with a curvature: the bounds are the derivation's, evaluated with dense matrices.

The pairs of n rows are vectors of 2n numbers. The kernels are inverses of the equation
:math:`(L+T)z = \ell` whose last row is replaced by what is known: that the sums vanish, or the last
pair. Elements of the ring are 2×2 matrices. No sweep is run.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.discrete.operators import graph_laplacian
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.formats import FORMATS
from cdg_theory.rounding.functionals import functional_error_bound, sum_is_exact
from cdg_theory.rounding.pair_functionals import known_errors
from cdg_theory.rounding.pairs import PairSteps, V

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PAGE = "theory/rounding-variants.md"
METRICS = tuple(
    Metric(*weights, boundary=boundary, spacing=spacing)  # type: ignore[arg-type]
    for boundary in ("natural", "periodic")
    for weights, spacing in (
        ((2.0, 0.0, 0.0, 0.05), "normalized"),
        ((0.5, 3.0, 0.0, 0.7), "unit"),
        ((2.0, 0.0, 0.3, 0.05), "unit"),
        ((1.0, 1.0, 5.0, 2.0), "unit"),
    )
)
SIZES = (1, 2, 3, 6)
SAME = 1e-7


def _wide(y: Array, c: float) -> Array:
    """Return the moduli of elements, the first one as |a| + c|b|."""
    moduli: Array = np.abs(y)
    moduli[..., 0, 0] = moduli[..., 1, 1] + c * moduli[..., 0, 1]
    return moduli


def _cancellation(y: Array, c: float) -> float:
    wide = _wide(y, c)
    return float((wide[0, 0] * wide[1, 1] + wide[0, 1] * wide[1, 0]) / np.linalg.det(y))


class _Page:
    """The steps of the page for one metric and n > 1; pairs have the shape (n, 2, columns)."""

    def __init__(self, metric: Metric, n: int, accumulator: str, products: int) -> None:
        fmt = FORMATS[accumulator]
        self.of_y = 3
        self.n, self.u, self.tiny = n, fmt.unit_roundoff, fmt.smallest_normal
        self.periodic, one = metric.boundary == "periodic", np.eye(2)
        beta, c, d = metric.fluctuation, metric.stiffness(n), metric.rigidity(n)
        self.c, self.T = c, np.array([[0.0, -1.0], [beta * d, c]]) / d
        p, q, A, B, E = c / d, beta / d, 0.0, 1.0, self.T
        R, known, constant, slope = [], [], [0.0], [0.0]
        excess, pivots = [E], []
        for _ in range(n - 1):
            W, N = q * A * A + p * A * B + B * B, float(np.linalg.det(one + E))
            error = (2 * q * A + p * B + 5 * q * W) / N + 3
            known.append(V * (q * A / (1 + q * A) + 2 + error))
            R.append(np.linalg.inv(one + E))
            A, B, E = (A + W) / N, 1 + B / N, self.T + R[-1] @ E
            excess.append(E)
            pivots.append(error)
            constant.append(V * q * A * (4 * W / (A * N) + 2 + error))
            slope.append(V * ((B - 1) * (error + 1) + B))
        self.R, self.E, self.pivots = np.array(R), np.array(excess), np.array(pivots)
        self.changes = np.array([constant, slope])
        e, u = np.array(known), self.u
        first = e + V + products * u
        entries = [[first, e + 3 * u], [e + 2 * V + 4 * u, e + 3 * u]]
        self.rounded = np.moveaxis(np.array(entries), 2, 0) * np.abs(self.R)
        weights = np.array([[0.0, 2 * V], [V, 4 * V]])
        tau = np.multiply.outer(np.array(constant), one) + np.array(slope)[:, None, None] * np.abs(
            self.T
        )
        self.tau = tau + weights * np.abs(self.T)
        H = [one]
        for R_i in R[::-1]:
            H.insert(0, R_i @ H[0])
        self.H = np.array(H)

    def kernels(self, *, closed: bool) -> tuple[Array, Array]:
        """Return K and N as (2n, 2n) matrices."""
        n, cycle = self.n, closed and self.periodic
        L = graph_laplacian("periodic" if cycle else "natural", n).toarray()
        equation = np.kron(L, np.eye(2)) + np.kron(np.eye(n), self.T)
        equation[-2:] = np.tile(np.eye(2), n) if closed else np.eye(2 * n)[-2:]
        solution = np.linalg.inv(equation)
        K = solution.copy()
        K[:, -2:] = 0.0  # the last equation is not used
        N = np.zeros_like(K) if closed else solution.copy()
        for j in range(n - 1):
            here, after = slice(2 * j, 2 * j + 2), slice(2 * j + 2, 2 * j + 4)
            N[:, here] = K[:, here] @ np.linalg.inv(self.R[j]) - K[:, after]
        return K, N

    def closed(self, r: Array, own: Array) -> tuple[Array, Array, Array]:
        """Return z, the flux over the seam, and the error of z; r are loads of moments."""
        n, u, c, columns = self.n, self.u, self.c, r.shape[1]
        loads = np.stack([np.zeros_like(r), r], axis=1)
        (K, N), (free, _) = self.kernels(closed=True), self.kernels(closed=False)

        def times(matrix: Array, pairs: Array) -> Array:
            return (matrix @ pairs.reshape(2 * n, columns)).reshape(n, 2, columns)

        z = times(K, loads)
        flux = (z[-1] - z[0]) * self.periodic
        loads[0] += flux
        before = times(free, loads)
        y = loads.copy()
        for i in range(n - 1):
            y[i + 1] += self.R[i] @ y[i]
        # What is taken off is XHS.
        S, X = before.sum(0), np.linalg.inv(self.H.sum(0))
        scaled = np.abs(X) @ np.abs(S)
        part = _wide(self.H, c) @ scaled
        into = np.abs(y[:-1] + before[1:])
        load, local = self.tau @ np.abs(z) + self.tiny + u * np.abs(y), np.zeros_like(z)
        load[:, 1] += own
        load[1:] += self.rounded @ np.abs(y[:-1])
        local[:-1] = self.rounded @ (into + part[1:]) + u * np.abs(self.R) @ into + self.tiny
        error = times(np.abs(K), load) + times(np.abs(N), local)
        spread = self._absolute() @ scaled
        missed = n * u * np.abs(before).sum(0) + n * V * spread
        known = (6 * _cancellation(self.H.sum(0), c) + 7) * V
        direct = np.abs(X @ self.H) @ missed + known * np.abs(self.H) @ (_wide(X, c) @ np.abs(S))
        direct += 5 * V * part + 6 * u * _wide(X @ self.H, c) @ np.abs(S)
        direct += 2 * u * np.abs(z) + self.tiny * (1 + scaled)
        if self.periodic:
            h, release = self.seam()
            opened = direct[0] + direct[-1] + 3 * u * np.abs(flux)
            direct = direct + np.abs(h) @ (np.abs(release) @ opened)
        return z, flux, error + direct

    def _absolute(self) -> Array:
        """Return the sum of the elements H with the moduli of their numbers a and b."""
        a, b = np.abs(self.H[:, 1, 1]).sum(), np.abs(self.H[:, 0, 1]).sum()
        return np.array([[a + self.c * b, b], [self.T[1, 0] * b / -self.T[0, 1], a]])

    def seam(self) -> tuple[Array, Array]:
        """Return h, the path's response to a flux over the seam, and (1 + 2h₀)⁻¹."""
        K, _ = self.path().kernels(closed=True)
        h: Array = np.stack([K[2 * i : 2 * i + 2, :2] for i in range(self.n)])
        return h, np.linalg.inv(np.eye(2) + 2 * h[0])

    def path(self) -> _Page:
        """Return the same without the edge from the last row to the first."""
        path = _Page.__new__(_Page)
        path.__dict__.update(self.__dict__, periodic=False)
        return path

    def functional(self, load: Array, g: Array) -> tuple[Array, Array, Array]:
        """Return the weights of a functional on the path, their errors, and the error of g's."""
        z, _, errors = self.path().closed(load[:, None], np.zeros((self.n, 1)))
        missed = ((errors + (self.n + 4) * self.u * np.abs(z)) * np.abs(g)[:, None]).sum(0)
        return z, errors, missed

    def known(self, g: Array, mean: Array) -> tuple[Array, Array, Array]:
        """Return x and its errors for known constants; ``mean`` is that of the mean."""
        n, u, c, r = self.n, self.u, self.c, g - g.mean(0)
        z, flux, _ = self.closed(r, np.zeros_like(r))
        largest = np.abs(g) + np.abs(g[0])
        _, _, end = self.functional(np.eye(n)[-1] - 1.0 / n, largest)
        moduli = largest + largest.mean(0)
        size = np.stack([np.zeros_like(moduli), moduli], axis=1)
        size[0] += np.abs(flux)
        load, local = self.tau @ np.abs(z) + self.tiny, np.zeros_like(z)
        entered = np.zeros_like(end)
        if self.periodic:
            h, h_error, missed = self.functional(np.eye(n)[0] - np.eye(n)[-1], largest)
            element, release = self.seam()
            sums, inverse = np.abs((h * r[:, None]).sum(0)), np.eye(2) + 2 * element[0]
            b, a = 2 * h_error[0, :, 0] + V * np.abs([inverse[0, 1], inverse[1, 1]])
            lower = self.T[1, 0] * b / -self.T[0, 1]
            missed = missed + np.array([[a + c * b, b], [lower, a]]) @ np.abs(release) @ sums
            known = (6 * _cancellation(inverse, c) + 7) * V + 6 * u
            entered = np.abs(release) @ missed + known * _wide(release, c) @ sums
            load[0] += entered
            end = end + np.abs(element[-1]) @ entered
        for i in range(n - 1):
            size[i + 1] += np.abs(self.R[i]) @ size[i]
        into = size[:-1] + np.abs(z[1:])
        load[1:] += self.rounded @ size[:-1]
        load += 3 * u * size
        local[:-1] = self.rounded @ into + 4 * u * np.abs(self.R) @ into + self.tiny
        local[-1] = end
        K, N = self.kernels(closed=False)
        error = np.abs(K) @ load.reshape(2 * n, -1) + np.abs(N) @ local.reshape(2 * n, -1)
        own, response = self.differences(size, z, flux, entered, end)
        shift = np.abs(K[::2, 1::2].sum(1))[:, None] * mean
        x = np.abs(z[:, 0])
        own = own + response[:, None] * mean + (2 * u + 3 * V) * x
        return z[:, 0], error[::2] + shift + 2 * u * x, own

    def differences(
        self, size: Array, z: Array, flux: Array, wrong: Array, end: Array
    ) -> tuple[Array, Array]:
        """Return the error of x for sweeps in differences, and x for a load of 1 in every row."""
        n, u, tiny, c, columns = self.n, self.u, self.tiny, self.c, z.shape[2]
        d, beta, p = -1 / self.T[0, 1], self.T[1, 0], self.T[1, 1]
        q = beta / d
        B, rho = -d * self.E[:, 0, 1], d * self.R[:, 0, 1]
        beta_A = d * self.E[:, 0, 0]
        carry, pull = rho / (1 + rho), beta_A[1:] / (d * B[1:])

        # Errors of E, in the basis 1 and T, where entry by entry only moduli count.
        def basis(M: Array) -> Array:
            x, y = M[0, 0], -d * M[0, 1]
            return np.abs([[x, -q * y], [y, x + p * y]])

        off, off_p, off_s = self.changes[:, 0], [], []
        for i in range(n - 1):
            square = self.R[i] @ self.R[i]
            own = (basis(square) @ off)[1] * (1 - carry[i]) ** 2
            own += carry[i] * V * ((1 - carry[i]) * self.pivots[i] + 2)
            off_p.append(own / carry[i] + 2 * u)
            off, product = self.changes[:, i + 1].copy(), np.eye(2)
            for j in range(i, -1, -1):
                product = product @ self.R[j]
                off += basis(product @ product) @ self.changes[:, j]
            own = off[0] / B[i + 1] + pull[i] * (off[1] / B[i + 1] + 2 * V)
            off_s.append(own + 2 * u * pull[i])
        relative, absolute = np.array(off_p)[:, None], np.array(off_s)[:, None]

        slant = beta_A / B + c
        y = slant[:, None] * size[:, 0] + size[:, 1]
        before = d * size[:, 0] / B[:, None]
        zeta, of_d = u * (y + before) + 2 * tiny, 2 * u + 2 * V
        zeta[0] += of_d * before[0]
        zeta[1:] += relative * before[1:]
        zeta[-1] = 0.0
        load, local = np.zeros_like(z), np.zeros_like(z)
        load[:, 0] = B[:, None] * zeta / d
        load[:, 1] = 2 * u * size[:, 1] + self.of_y * u * y + 4 * tiny
        load[1:, 1] += absolute * (y + before)[:-1]
        load[0, 1] += (u + V) * c * size[0, 0]
        load[:, 1] += V * (3 * beta * np.abs(z[:, 0]) + 4 * p * np.abs(z[:, 1]))
        load[0, 0] += wrong[0]
        load[0, 1] += wrong[1] + slant[0] * wrong[0]
        x, v = d * np.abs(z[:, 0]), d * np.abs(np.diff(z[:, 0], axis=0))
        nu = (relative + u) * (v + pull[:, None] * x[1:]) + absolute * x[1:] + u * v + 2 * tiny
        both = nu + u * x[:-1] + tiny
        local[:-1, 0] = both / d
        support = (beta_A / (d * B))[:, None]
        local[:-1, 1] = nu / B[:-1, None] + support[:-1] * both + zeta[:-1]

        # A load along (1, -slant); what loads change of the last level changes the last moment.
        along = np.eye(2 * n)
        for j in range(n):
            along[2 * j + 1, 2 * j] = -slant[j]
        handed = np.concatenate(list(self.H), axis=1)[:1] @ along
        last = (np.abs(handed) @ load.reshape(2 * n, columns))[0]
        local[-1, 0] = end[0] + of_d * np.abs(z[-1, 0])
        local[-1, 1] = d * (of_d * np.abs(flux[0]) + wrong[0] + last) / B[-1]
        local[-1, 1] += d * support[-1] * local[-1, 0]
        K, N = self.kernels(closed=False)
        error = np.abs(K @ along) @ load.reshape(2 * n, columns)
        error += np.abs(N) @ local.reshape(2 * n, columns)
        # The equation whose last level is known, its last row of levels kept.
        equation = np.kron(graph_laplacian("natural", n).toarray(), np.eye(2))
        equation += np.kron(np.eye(n), self.T)
        equation[-1] = np.eye(2 * n)[-2]
        unit = np.tile([0.0, 1.0], n)
        unit[-1] = 0.0
        return error[::2], np.abs(np.linalg.solve(equation, unit)[::2])


def _closing_bound(
    g: Array, metric: Metric, accumulator: str, products: int
) -> tuple[Array, Array]:
    """Return k and the bound for sweeps that close themselves: steps 1 to 3 of the page."""
    n, fmt, alpha = len(g), FORMATS[accumulator], metric.mean
    u, tiny, mean = fmt.unit_roundoff, fmt.smallest_normal, g.mean(0)
    r, first = g - mean, (n + 1) * u * np.abs(g).mean(0) + tiny
    local = u * (np.abs(r) + first) + tiny
    shift = (n + 1) * u * (np.abs(r) + first).mean(0) + local.mean(0) + tiny
    x, error = r, 2 * local
    if n > 1:
        page = _Page(metric, n, accumulator, products)
        z, _, errors = page.closed(r, 2 * local)
        response = page.kernels(closed=True)[0][::2, 1::2].sum(1)
        x, error = z[:, 0], errors[:, 0] + np.abs(response)[:, None] * shift
    k = mean / alpha + x
    return k, (error + (shift + 3 * u * np.abs(mean)) / alpha + u * np.abs(k) + tiny) / (
        1 - 80 * n * u
    )


def _known_bound(g: Array, metric: Metric, accumulator: str, products: int) -> tuple[Array, Array]:
    """Return k and the bound for known constants; n > 1."""
    n, fmt, alpha = len(g), FORMATS[accumulator], metric.mean
    largest = np.abs(g) + np.abs(g[0])
    u, average = fmt.unit_roundoff, largest.mean(0)
    mean = np.where(sum_is_exact(largest, fmt.precision), 2.0, n + 2.0) * u * average
    page = _Page(metric, n, accumulator, products)
    x, *errors = page.known(g, mean)
    error = np.maximum(*errors)
    k = g.mean(0) / alpha + x
    error = error + (mean + 4 * u * average) / alpha + 2 * u * np.abs(k) + n * fmt.smallest_normal
    return k, error / (1 - 80 * n * u)


def _gradients(n: int) -> Iterator[Array]:
    """Yield columns with short significands and means, and columns over many decades."""
    rng = np.random.default_rng(n)
    short = rng.standard_normal((n, 3)) + np.array([0.0, 4.0, -1.0])
    yield short.astype(np.float32).astype(float)
    yield rng.standard_normal((n, 2)) * 10.0 ** np.arange(n)[:, None]


def _same(
    found: Callable[..., Any], page: Callable[..., Any], least: int, products: int = 5
) -> bool:
    """Compare a bound of the library with the page's, with so many roundings in (a + cb)x."""
    sizes = (n for n in SIZES if n >= least)
    for metric, n, accumulator in product(METRICS, sizes, ("float32", "float64")):
        for g in _gradients(n):
            given = found(g, metric, dtype=accumulator, accumulator=accumulator)
            k, bound = page(g, metric, accumulator, products)
            if abs(given.gradient - k).max() > SAME * np.abs(k).max():
                return False
            if not np.allclose(given.bound, bound, rtol=SAME, atol=0):
                return False
    return True


def _same_sweeps(products: int = 3) -> bool:
    """Compare the errors of sweeps over pairs and in differences, with so many roundings of y.

    The smallest normal number is taken as large as a rounding error, so that it is seen.
    """
    for metric, n, accumulator in product(METRICS, SIZES[1:], ("float32", "float64")):
        u = FORMATS[accumulator].unit_roundoff
        steps = PairSteps.of(metric, n, u, u)
        page = _Page(metric, n, accumulator, 5)
        page.of_y, page.tiny = products, u
        for g in _gradients(n):
            mean = np.abs(g).mean(0) * u
            found, right = known_errors(metric, steps, g, mean), page.known(g, mean)
            if not all(map(partial(np.allclose, rtol=SAME, atol=0), found[1:], right[1:])):
                return False
    return True


_SCOPE = "eight members, n up to 6, two accumulators, columns of two kinds"

THEOREMS = (
    Theorem(
        id="T7.derived-pairs",
        title="Rounding: the bound over pairs is the derivation's",
        statement="What the code computes with the sweeps is the page's bound, evaluated with the "
        "inverse of the equation over pairs.",
        tex=r"\epsilon=|K|\,\mathrm{load}+|N|\,\ell+\dots",
        scope=_SCOPE,
        kind="numeric",
        check=partial(_same, forward_error_bound, _closing_bound, 1),
        variant=partial(_same, forward_error_bound, _closing_bound, 1, 4),
        perturbed="The same with four roundings in (a + cb)x for five.",
        page=PAGE,
    ),
    Theorem(
        id="T7.derived-pair-functionals",
        title="Rounding: the bound over pairs with known constants is the derivation's",
        statement=(
            "What the code computes for kernels that know the last pair, and on the cycle the "
            "flux over the seam, is the page's bound, evaluated with the inverse of the "
            "equation over pairs."
        ),
        tex=r"\epsilon_{n-1}=\sum_j\bigl(\mathrm{err}(w_j)+(n+4)u|w_j|\bigr)|g_j|",
        scope=_SCOPE,
        kind="numeric",
        check=partial(_same, functional_error_bound, _known_bound, 2),
        variant=partial(_same, functional_error_bound, _known_bound, 2, 4),
        perturbed="The same with four roundings in (a + cb)x for five.",
        page=PAGE,
    ),
    Theorem(
        id="T7.derived-differences",
        title="Rounding: the bound for sweeps in differences is the derivation's",
        statement=(
            "What the code computes for kernels that sweep in differences from the last level "
            "is the page's bound, evaluated with the inverse of the equation over pairs; so "
            "it is, for both kinds of sweeps, where the smallest number of the format counts."
        ),
        tex=r"\zeta_i\to\tfrac{B_i\zeta_i}d\bigl(1,-\tfrac{\beta A_i}{B_i}-c\bigr),\qquad "
        r"(\nu_i,\eta_i)\to\bigl(\tfrac{\nu_i+\eta_i}d,\tfrac{\nu_i}{B_i}+s_{i-1}(\nu_i+\eta_i)\bigr)",
        scope=_SCOPE,
        kind="numeric",
        check=_same_sweeps,
        variant=partial(_same_sweeps, 2),
        perturbed="The same with two roundings of y for three.",
        page=PAGE,
    ),
)
