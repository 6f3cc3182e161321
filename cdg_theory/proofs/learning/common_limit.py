r"""Theorem 16: where a layer's metric cannot matter, and where it does.

One linear layer, W with n rows, sees data A with a row for each sample and squared loss
:math:`\frac12|AW^T-Y|^2`. Its gradient is :math:`RA` with the residuals
:math:`R=WA^T-Y^T`: the data act on W from the right, a metric on the channels from the left. So
W moves within the row space of A in every metric, and in the end only the data speak.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from cdg_theory.discrete.gradient import riemannian_gradient
from cdg_theory.discrete.shrinkage import (
    best_factors,
    best_stopping,
    early_stopping,
    mode_factor,
    mode_risk,
)
from cdg_theory.discrete.spectrum import eigenvalues, to_modes
from cdg_theory.ledger import Theorem
from cdg_theory.metric import Metric
from cdg_theory.proofs.tools.algebra import is_zero, vanish
from cdg_theory.proofs.tools.drawn_matrices import SPD, draw_matrix, draw_spd

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PAGE = "theory/common-limit.md"
sigma, lam, tau, theta, t = sp.symbols("sigma lambda tau theta t", positive=True)
s, nu = sp.symbols("s nu", positive=True)
BEST_TIME = lam / sigma * sp.log(1 + s / nu)


def _from_start(W0: Any, A: Any, Y: Any, inverse: Any) -> Any:
    """Return the limit: the start, and what the residuals at the start make of it."""
    return W0 + (Y - A * W0.T).T * inverse * A


def _common_limit(limit: Callable[..., Any] = _from_start) -> bool:
    r"""Descend to the very end, exactly, in two metrics, and look where that is.

    With the steps :math:`\lambda_m/\sigma_j`, one for each pair of modes, every factor
    :math:`1-\tau\sigma_j/\lambda_m` is 0 once: descent arrives. Data have a given rank, targets are
    drawn and mostly out of reach.
    """
    rng = random.Random(16)
    for n, samples, inputs, rank in ((2, 2, 3, 2), (3, 2, 2, 1), (2, 3, 2, 2), (3, 3, 3, 2)):
        left, right = draw_spd(rng, samples).vectors, draw_spd(rng, inputs).vectors
        strengths = [sp.Rational(rng.randint(1, 6), 2) for _ in range(rank)]
        A = left[:, :rank] * sp.diag(*strengths) * right[:, :rank].T
        pseudo = left[:, :rank] * sp.diag(*(a**-2 for a in strengths)) * left[:, :rank].T
        Y, W0 = draw_matrix(rng, samples, n), draw_matrix(rng, n, inputs)
        for metric in (draw_spd(rng, n), draw_spd(rng, n)):
            W = W0
            for a in strengths:
                for eigenvalue in metric.values:
                    W = W - eigenvalue / a**2 * metric.inverse * (A * W.T - Y).T * A
            if limit(W0, A, Y, pseudo) != W:
                return False
            # Nearest in this metric, and so in each: orthogonal to all that A does not see.
            for direction in A.nullspace():
                if (metric.matrix * (W - W0) * direction) != sp.zeros(n, 1):
                    return False
    return True


def _path(factor: Any = 1 - tau * sigma / lam) -> bool:
    r"""Take one step: residuals by channel mode u (from the left) and data mode p (from the right).

    :math:`uM^{-1}=u/\lambda` and :math:`AA^Tp=\sigma p`; other products are symbols that do not
    commute.
    """
    W, At, Yt, A, inverse, u, p = sp.symbols("W At Yt A Minv u p", commutative=False)
    residual = W * At - Yt
    after = (W - tau * inverse * residual * A) * At - Yt
    seen = sp.expand(u * after * p).subs(u * inverse, u / lam).subs(A * At * p, sigma * p)
    if sp.expand(seen - factor * sp.expand(u * residual * p)) != 0:
        return False
    # Small steps for the time t: the factor of t/τ steps tends to exp(−σt/λ).
    small = sp.limit(sp.log(factor) / tau, tau, 0)
    return is_zero(small + sigma / lam)


def _any_loss(also: Callable[[Any], Any] = lambda _: 0) -> bool:
    r"""Differentiate any loss of the outputs, and ``also``: A's null vectors see nothing of it.

    Two samples with three inputs, all symbols; the null vector is the cross product of the samples.
    """
    A, W = sp.Matrix(2, 3, sp.symbols("a:6")), sp.Matrix(2, 3, sp.symbols("w:6"))
    loss = sp.Function("loss")(*(A * W.T)) + also(W)
    gradient = sp.Matrix(2, 3, [loss.diff(entry) for entry in W])
    unseen = A.row(0).cross(A.row(1)).T
    return bool((gradient * unseen).expand() == sp.zeros(2, 1))


def _momentum(top: Any = 2 * (1 + theta)) -> bool:
    r"""Find the steps for which heavy-ball descent converges, by Hurwitz' criterion.

    With :math:`x=\tau\sigma/\lambda` the residual and its change are multiplied by a matrix with
    the characteristic polynomial :math:`z^2-(1+\theta-x)z+\theta`. The map
    :math:`z=(1+y)/(1-y)` takes the unit disk to the left half-plane, where both roots of a
    quadratic lie exactly if its three coefficients have one sign.
    """
    x, y, z = sp.symbols("x y z")
    # (residual, buffer): the buffer becomes θ·buffer + x·residual, and is taken off.
    step = sp.Matrix([[1 - x, -theta], [x, theta]])
    polynomial = step.charpoly(z).as_expr()
    if sp.expand(polynomial - (z**2 - (1 + theta - x) * z + theta)) != 0:
        return False
    mapped = sp.cancel(polynomial.subs(z, (1 + y) / (1 - y)) * (1 - y) ** 2)
    square, linear, constant = sp.Poly(sp.expand(mapped), y).all_coeffs()
    # Positive for 0 < x < top and θ < 1, and no longer beyond.
    return vanish([constant - x, linear - 2 * (1 - theta), square - (top - x)])


def _end(K: Any, B: Any, b: Any, start: Any) -> Any:
    """Return where descent with the preconditioner K ends on |Bw − b|²/2 (theorem 10)."""
    return start + K * B.T * (B * K * B.T).inv() * (b - B * start)


def _ends(metric: SPD) -> dict[str, Any]:
    """Return the weights of one sample's layer at the end of training, by what is trained how."""
    n, inverse, unit = 2, metric.inverse, sp.eye(2)
    zero, decay = sp.zeros(n, n), sp.Rational(1, 2)
    start, target, x = sp.Matrix([1, -1]), sp.Matrix([3, 5]), 2
    both = x * unit.row_join(unit / x)  # the outputs: xw, and a bias
    with_bias = start.col_join(sp.Matrix([0, 1]))

    def beside(K: Any) -> Any:
        return inverse.row_join(zero).col_join(zero.row_join(K))

    curvature, pull = x**2 * unit, x * target
    return {
        "no bias": _end(inverse, x * unit, target, start),
        "bias in the metric": _end(beside(inverse), both, target, with_bias)[:n, :],
        "bias outside the metric": _end(beside(unit), both, target, with_bias)[:n, :],
        "decay in the metric": (inverse * (curvature + decay * unit)).LUsolve(inverse * pull),
        "decay untransformed": (inverse * curvature + decay * unit).LUsolve(inverse * pull),
        "an output missing": _end(inverse, x * unit[:1, :], target[:1, :], start),
    }


def _outside(
    depends: Collection[str] = (
        "bias outside the metric",
        "decay untransformed",
        "an output missing",
    ),
) -> bool:
    """Train in two metrics and say in which settings the layer's weights end up apart."""
    rng = random.Random(161)
    one, other = _ends(draw_spd(rng, 2)), _ends(draw_spd(rng, 2))
    return {name for name in one if one[name] != other[name]} == set(depends)


def _early_stopping(best: Any = BEST_TIME) -> bool:
    r"""Follow one coefficient from 0, with noise on its target; then stop at the best time.

    The data see the coefficient w as :math:`\sqrt\sigma w+\epsilon`. Moments: w² has mean s, ε² has
    mean σν, and they are uncorrelated.
    """
    w, epsilon, now, q = sp.symbols("w epsilon now q")
    target = sp.sqrt(sigma) * w + epsilon
    end = sp.solve(sp.sqrt(sigma) * (sp.sqrt(sigma) * now - target), now)[0]
    after = now - tau / lam * sp.sqrt(sigma) * (sp.sqrt(sigma) * now - target)
    if not is_zero((after - end) - (1 - tau * sigma / lam) * (now - end)):
        return False
    # After the factor q on what is left: now = (1 − q)·end.
    error = sp.Poly(sp.expand(((1 - q) * end - w) ** 2), w, epsilon)
    moments = {(2, 0): s, (0, 2): sigma * nu, (1, 1): 0}
    mean = sum(coefficient * moments[powers] for powers, coefficient in error.terms())
    if not is_zero(mean - mode_risk(1 - q, s, nu)):
        return False
    kept = sp.simplify(1 - sp.exp(-sigma * best / lam))
    # One time for all modes: the metric in which the best times agree.
    metric = sigma * t / sp.log(1 + s / nu)
    return is_zero(kept - mode_factor(s, nu)) and sp.simplify(best.subs(lam, metric) - t) == 0


def _library(power: int = 1) -> bool:
    r"""Train a layer with the library's gradient, and compare each channel mode with its factor.

    With K steps for the time t, :math:`x=\sigma t/\lambda_m\le K`, the factor of what is left is
    :math:`(1-x/K)^K`, which lies between :math:`e^{-x}(1-x^2/K)` and :math:`e^{-x}`.
    """
    n, steps, curvature, time = 6, 1000, 2.0, 1.5
    target = np.array([3.0, -1.0, 2.0, 0.5, -2.0, 4.0])
    signal, noise = (
        np.array([3.0, 2.0, 1.0, 1.0, 0.5, 0.25]),
        np.array([0.5, 1.0, 1.0, 2.0, 2.0, 1.0]),
    )
    members = Metric(2.0, 1.0, 0.1), Metric(2.0, 1.0, 0.0, 0.01), Metric(2.0, 0.0, 0.1, 0.01)
    for metric in (Metric.reweighted_h0(3.0), *members):
        w, step = np.zeros(n), time / steps
        for _ in range(steps):
            w -= step * riemannian_gradient(curvature * (w - target), metric)
        whole = to_modes(target, "natural")
        learnt = to_modes(w, "natural") / whole
        x = curvature * time / eigenvalues(metric, n) ** power
        expected = -np.expm1(-x)
        # Errors of earlier steps shrink; a step commits fewer than 64 roundings in an entry.
        rounding = steps * 64 * 2.0**-53 * np.abs(target).sum() / np.abs(whole).min()
        found = early_stopping(metric, n, time, loss_curvature=curvature)
        if np.any(np.abs(learnt - expected) > np.exp(-x) * x**2 / steps + rounding):
            return False
        if np.abs(found - expected).max() > 8 * 2.0**-53:
            return False
        # Stopped at its own best time, every mode keeps what the best smoother keeps.
        times = best_stopping(metric, signal, noise, loss_curvature=curvature)
        stopped = [
            early_stopping(metric, n, at, loss_curvature=curvature)[m] for m, at in enumerate(times)
        ]
        if np.abs(stopped - best_factors(signal, noise)).max() > 32 * 2.0**-53:
            return False
    return True


THEOREMS = (
    Theorem(
        id="T16.common-limit",
        title="every metric ends at the same weights",
        statement="Descent on one linear layer with squared loss ends, in every metric on the "
        "channels, at W₀ + (Y − AW₀ᵀ)ᵀ(AAᵀ)⁺A: the interpolant nearest to W₀ in every metric, or "
        "the least-squares solution nearest to W₀ where targets are out of reach.",
        tex=r"W_\infty=W_0+(Y-AW_0^T)^T(AA^T)^+A",
        scope="every constant SPD M, the same for all columns; every output observed; no bias, or "
        "one in the same metric; no untransformed decay; drawn data of full and of less rank, "
        "rational: descent arrives exactly",
        kind="exact",
        check=_common_limit,
        variant=partial(_common_limit, limit=lambda _W0, A, Y, inverse: Y.T * inverse * A),
        perturbed="It ends at the interpolant nearest to 0, wherever it started.",
        page=PAGE,
    ),
    Theorem(
        id="T16.path",
        title="the path, mode by mode",
        statement="The residual in data mode j and channel mode m is multiplied by 1 − τσⱼ/λₘ in "
        "every step: channel mode m is trained for the time t/λₘ.",
        tex=r"r_{jm}(t)=\Bigl(1-\frac{\tau\sigma_j}{\lambda_m}\Bigr)^{t/\tau}r_{jm}(0)"
        r"\ \to\ e^{-\sigma_jt/\lambda_m}\,r_{jm}(0)",
        scope="every SPD M and all data; λₘ eigenvalue of M, σⱼ of AAᵀ; converges for τσⱼ < 2λₘ",
        kind="symbolic",
        check=_path,
        variant=partial(_path, factor=1 - tau * sigma * lam),
        perturbed="It is multiplied by 1 − τσⱼλₘ.",
        page=PAGE,
    ),
    Theorem(
        id="T16.any-loss",
        title="no metric leaves the row space, for every loss of the outputs",
        statement=(
            "Let A be the inputs of the layer. The gradient of any loss of the outputs WAᵀ "
            "vanishes on every v with Av = 0, in every metric. So two limits with the same "
            "outputs on the data have the same weights: where descent ends depends on the "
            "metric only if the best outputs are not unique."
        ),
        tex=r"Av=0\ \Rightarrow\ M^{-1}\nabla_W\ell(AW^T)\,v=0",
        scope="two samples, three inputs, two outputs, all symbols, any differentiable loss; "
        "limits of descent, if it converges (it does not for separable hard labels)",
        kind="symbolic",
        check=_any_loss,
        variant=partial(_any_loss, also=lambda W: (W * W.T).trace()),
        perturbed="The same with a penalty |W|² beside the loss.",
        page=PAGE,
    ),
    Theorem(
        id="T16.momentum",
        title="descent with momentum ends at the same weights",
        statement=(
            "Descent with momentum θ multiplies residual and buffer by a matrix with the "
            "characteristic polynomial z² − (1 + θ − τσ/λ)z + θ. It converges, to the same "
            "weights, exactly for 0 < τσ/λ < 2(1 + θ)."
        ),
        tex=r"z^2-\bigl(1+\theta-\tfrac{\tau\sigma_j}{\lambda_m}\bigr)z+\theta,\qquad"
        r"0<\frac{\tau\sigma_j}{\lambda_m}<2(1+\theta)",
        scope="0 < θ < 1, no dampening; every pair of modes",
        kind="symbolic",
        check=_momentum,
        variant=partial(_momentum, top=2 / (1 - theta)),
        perturbed="It converges up to 2/(1 − θ).",
        page=PAGE,
    ),
    Theorem(
        id="T16.counterexamples",
        title="where the end does depend on the metric",
        statement="With a bias trained outside the metric, which is the library's default, with "
        "untransformed decay and with missing outputs two metrics end at different weights; "
        "without a bias, with one in the metric and with decay in the metric they do not.",
        tex=r"W_\infty(M)\ne W_\infty(M')",
        scope="one sample, two outputs, two drawn metrics, exact numbers",
        kind="exact",
        check=_outside,
        variant=partial(_outside, depends=("decay untransformed", "an output missing")),
        perturbed="A bias outside the metric makes no difference.",
        page=PAGE,
    ),
    Theorem(
        id="T16.early-stopping",
        title="the risk of stopping early, and when to stop",
        statement="Stopped at time t, mode (j, m) keeps κ = 1 − exp(−σⱼt/λₘ) and errs by "
        "(1 − κ)²s + κ²ν; least, and as little as the best smoother, at "
        "t* = (λₘ/σⱼ) log(1 + s/ν). One time is best for all channel modes exactly in the metric "
        "with λₘ = σt/log(1 + sₘ/νₘ).",
        tex=r"t^*_{jm}=\frac{\lambda_m}{\sigma_j}\log\Bigl(1+\frac{s_m}{\nu_m}\Bigr)",
        scope="small steps from W₀; s the second moment of what is to be learnt, W* − W₀, ν that "
        "of the targets' noise over σ, uncorrelated",
        kind="symbolic",
        check=_early_stopping,
        variant=partial(_early_stopping, best=lam / sigma * s / nu),
        perturbed="The risk is least at (λₘ/σⱼ) s/ν.",
        page=PAGE,
    ),
    Theorem(
        id="T16.library-path",
        title="the library's gradient takes that path",
        statement="A layer trained with riemannian_gradient has learnt early_stopping's share of "
        "every channel mode, to within the step's error e^{−x}x²/K, x = σt/λₘ; stopped at "
        "best_stopping's times it keeps best_factors.",
        tex=r"e^{-x}\Bigl(1-\frac{x^2}K\Bigr)\le\Bigl(1-\frac xK\Bigr)^K\le e^{-x}",
        scope="four metrics, six channels, K = 1000 steps",
        kind="numeric",
        check=_library,
        variant=partial(_library, power=2),
        perturbed="The same with x = σt/λₘ².",
        page=PAGE,
    ),
)
