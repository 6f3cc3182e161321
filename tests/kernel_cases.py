"""What the tests of the kernels share: members of the family, layouts, and a float64 oracle."""

import torch
from torch import Tensor

import cdg_torch
from cdg_torch import Metric

# One metric for every path through the kernels: scale, pull, sums, sweeps; path and cycle.
MEMBERS = {
    "l2": Metric.l2(),
    "multiple of l2": Metric(2.0, 2.0, 0.0),
    "h0": Metric(0.5, 7.0, 0.0),
    "sobolev": Metric(2.0, 0.0, 0.3),
    "sobolev, cycle": Metric(2.0, 0.0, 0.3, boundary="periodic"),
    "general": Metric(0.5, 1.0, 0.1),
    "general, cycle": Metric(0.5, 1.0, 0.1, boundary="periodic"),
    "general, short range": Metric(0.5, 3.0, 2.0, spacing="unit"),
    "general, short range, cycle": Metric(0.5, 3.0, 2.0, boundary="periodic", spacing="unit"),
    "nearly sobolev": Metric(2.0, 1e-9, 3.0, spacing="unit"),
    "nearly sobolev, cycle": Metric(2.0, 1e-9, 3.0, boundary="periodic", spacing="unit"),
}


def oracle(g: Tensor, metric: Metric, dim: int = 0, groups: int = 1) -> Tensor:
    """Return the gradient by the readable reference, in float64."""
    with cdg_torch.backend("reference"):
        return cdg_torch.riemannian_gradient(g.double(), metric, dim=dim, groups=groups)


def error_in_eps(k: Tensor, exact: Tensor, dim: int = 0, groups: int = 1) -> float:
    """Return the largest error of a column, in eps of the dtype times the largest entry."""
    error, size = (k.double() - exact).abs(), exact.abs()
    columns = [t.unflatten(dim, (groups, -1)).amax(dim + 1) for t in (error, size)]
    ratio = columns[0] / columns[1].clamp_min(torch.finfo(torch.float64).tiny)
    return float(ratio.max() / torch.finfo(k.dtype).eps)


# The result is rounded once, to the nearest: half an eps. The 16-bit types are rounded by way of
# float32, which can turn a near-tie over: 2^-13 of eps for bfloat16 and 2^-11 for float16. What is
# left for float64's own errors is 2^-9 eps of float32, 8e5 eps of float64.
NARROW = 0.5 * (1 + 2.0**-8)
# The reference and the kernel each err by a few roundings per row; see `exact` for a sharp test.
DOUBLE_PER_ROW = 4.0
