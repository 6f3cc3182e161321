r"""Signal and noise of a gradient in each channel mode, from independent batches.

Batch b gives the gradient :math:`g_b=\bar g+\varepsilon_b`, with errors that are independent from
batch to batch and have mean 0. In mode m, with the products of the batches' coefficients, averaged
over the columns,

.. math:: P^m_{bc} = \frac1d\sum_{j=1}^d \operatorname{Re}\;
    \hat g_{bmj}\,\overline{\hat g_{cmj}},
    \qquad E P^m_{bc} = s_m + [b=c]\,\nu_m ,

so *products of different batches* estimate the signal, since their errors do not meet, and
what a batch's own product exceeds them by is the noise of one batch. Both estimates are unbiased,
whatever the noise's law, and however its columns and modes depend on each other. The risk of a
fixed smoother is linear in the two (theorem 15), so its estimate is unbiased too, if the smoother
was chosen by other batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cdg_theory.checks import float_rows
from cdg_theory.discrete.shrinkage import best_scale, mode_risk
from cdg_theory.discrete.spectrum import to_modes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cdg_theory.metric import Boundary

    Moments = tuple[NDArray[Any], NDArray[Any]]


def mode_products(gradients: Any, boundary: Boundary = "natural") -> NDArray[np.float64]:
    r"""Return :math:`P^m_{bc}`, shape (n, B, B), of gradients of shape (B, n, columns).

    Raises
    ------
    TypeError, ValueError
        If ``gradients`` does not hold real numbers or has another number of axes.

    Examples
    --------
    >>> mode_products([[[1.0], [1.0]], [[3.0], [1.0]]]).round(12)
    array([[[2., 4.],
            [4., 8.]],
    <BLANKLINE>
           [[0., 0.],
            [0., 2.]]])
    """
    g = float_rows("gradients", gradients, kinds="fiu").astype(np.float64)
    if g.ndim != 3 or 0 in g.shape:
        msg = f"gradients must have shape (batches, channels, columns), got {g.shape}"
        raise ValueError(msg)
    modes = to_modes(np.moveaxis(g, 1, 0), boundary)
    products: NDArray[np.float64] = (modes @ modes.conj().swapaxes(1, 2)).real / g.shape[2]
    return products


def measured_moments(products: Any) -> Moments:
    r"""Return the unbiased estimates of signal and noise from a mode's products.

    .. math:: \hat s = \frac1{B(B-1)}\sum_{b\ne c}P_{bc}, \qquad
        \hat\nu = \frac1B\sum_b P_{bb} - \hat s

    ``products`` has shape (..., B, B), of numbers of any field. An estimate of the signal may be
    negative: the true one is not.

    Raises
    ------
    ValueError
        If there are fewer than two batches.

    Examples
    --------
    >>> signal, noise = measured_moments([[2.0, 4.0], [4.0, 8.0]])
    >>> float(signal), float(noise)
    (4.0, 1.0)
    """
    P = np.asarray(products)
    count = P.shape[-1] if P.ndim else 0
    if P.ndim < 2 or P.shape[-2] != count or count < 2:
        msg = f"products must have shape (..., B, B) for B >= 2 batches, got {P.shape}"
        raise ValueError(msg)
    own = np.trace(P, axis1=-2, axis2=-1)
    signal = (P.sum(axis=(-2, -1)) - own) / (count * (count - 1))
    return signal, own / count - signal


def held_out_risk(factors: Any, chosen: Moments, held_out: Moments) -> float:
    r"""Return the risk of :math:`t\kappa`, its scale t the best for some moments, by others.

    .. math:: R = \sum_m (1-t\kappa_m)^2\hat s_m + (t\kappa_m)^2\hat\nu_m

    For ``held_out`` estimates of other batches than those behind ``chosen`` and the factors
    :math:`\kappa`, this is unbiased. It may be negative where there is hardly any signal.

    Examples
    --------
    >>> import numpy as np
    >>> moments = np.array([4.0, 1.0]), np.array([1.0, 1.0])
    >>> round(held_out_risk([0.8, 0.5], moments, moments), 12)
    1.3
    """
    kappa = np.asarray(factors, dtype=np.float64)
    scale = best_scale(kappa, *(np.maximum(moment, 0.0) for moment in chosen))
    return float(mode_risk(scale * kappa, *held_out).sum())
