"""Whether the output channels of each weight have an order: a verdict, corrected over all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from cdg_theory.fit import Fit, Verdict, fit_metric
from cdg_torch.correlation import channel_profile
from cdg_torch.lab.drawing import MARKERS, looks
from cdg_torch.lab.train.networks.sorting import Sorted
from cdg_torch.lab.train.statistics import corrected

if TYPE_CHECKING:
    from torch import Tensor

#: The chance that any tensor of a file is called ordered or exchangeable if all are white.
LEVEL = 0.05
#: Of a profile, the distances that are drawn.
FARTHEST = 64


@dataclass(frozen=True, slots=True)
class Order:
    """A tensor's output channels: what was fitted to them, and the verdict among all tensors.

    ``order_p`` and ``mean_p`` are corrected over the tensors of the file (Benjamini and
    Yekutieli): of the tensors called ordered, the share LEVEL / 2 is expected not to be, at most.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    fit: Fit
    order_p: float
    mean_p: float
    profile: tuple[float, ...]

    @property
    def verdict(self) -> Verdict:
        """``"ordered"``, ``"exchangeable"`` or ``"none"``, at half of ``LEVEL`` each."""
        if self.order_p <= LEVEL / 2:
            return "ordered"
        return "exchangeable" if self.mean_p <= LEVEL / 2 else "none"

    @property
    def fitted(self) -> str:
        """The most likely metric of the kind that the verdict names, per channel."""
        if self.verdict == "none":
            return "–"
        member = self.fit.candidates[
            "exchangeable" if self.verdict == "exchangeable" else self._order()
        ].metric
        weights = (member.fluctuation, member.derivative, member.curvature)
        last = max(i for i, weight in enumerate(weights) if weight or i == 0)
        return f"(1, {', '.join(f'{weight:.2g}' for weight in weights[: last + 1])})"

    def _order(self) -> str:
        first, second = (self.fit.candidates[f"{order} order"] for order in ("first", "second"))
        return "second order" if second.loglik > first.loglik + 1 else "first order"


def _rows(found: Sorted, transposed: Sequence[str]) -> Iterator[tuple[str, str, Tensor, int]]:
    for kind, tensors in (("convolution", found.weights), ("linear", found.linear)):
        for name, weight in tensors.items():
            flipped = kind == "convolution" and any(fnmatchcase(name, p) for p in transposed)
            if weight.shape[int(flipped)] > 1:
                yield name, kind, weight, int(flipped)


def fit_orders(found: Sorted, *, transposed: Sequence[str] = ()) -> Iterator[tuple[str, Fit, Any]]:
    """Yield each tensor's name, its fit and what it is, as they are found: large ones take long.

    So many permutations that the smallest p-value, corrected over all tensors, can fall below the
    level.
    """
    rows = list(_rows(found, transposed))
    harmonic = sum(1 / i for i in range(1, len(rows) + 1))
    draws = max(999, math.ceil(2 / LEVEL * len(rows) * harmonic))
    for name, kind, weight, axis in rows:
        wide = weight.detach().cpu().double()
        fit = fit_metric(wide.numpy(), axis=axis, spacing="unit", draws=draws)
        profile = channel_profile(wide, axis).correlation[:FARTHEST].tolist()
        yield name, fit, (kind, tuple(weight.shape), profile)


def judge_orders(fits: Sequence[tuple[str, Fit, Any]]) -> list[Order]:
    """Return the verdicts, corrected over the tensors.

    Examples
    --------
    >>> import torch
    >>> from cdg_torch import Metric, metric_power
    >>> noise = torch.randn(32, 50, generator=torch.Generator().manual_seed(0))
    >>> head = metric_power(noise, Metric(1, 1, 0.1), -0.5)
    >>> found = Sorted(weights={}, linear={"head.weight": head, "fc.weight": noise}, left_out={})
    >>> [order.verdict for order in judge_orders(list(fit_orders(found)))]
    ['ordered', 'none']
    """
    order_ps = corrected([fit.order_p for _, fit, _ in fits])
    mean_ps = corrected([fit.mean_p for _, fit, _ in fits])
    return [
        Order(name, shape, kind, fit, order_p, mean_p, tuple(profile))
        for (name, fit, (kind, shape, profile)), order_p, mean_p in zip(
            fits, order_ps, mean_ps, strict=True
        )
    ]


def draw_profiles(axes: Any, orders: Sequence[Order]) -> None:
    """Draw correlation against distance: ordered tensors by name, the others in grey."""
    ordered = sorted(
        (order for order in orders if order.verdict == "ordered"),
        key=lambda order: -abs(order.profile[0]),
    )[: len(MARKERS)]
    for order in orders:
        if order not in ordered:
            distances = range(1, len(order.profile) + 1)
            axes.plot(distances, order.profile, color="#b4b4bd", lw=0.7, zorder=1)
    for order, look in zip(ordered, looks(), strict=False):
        distances = range(1, len(order.profile) + 1)
        axes.plot(distances, order.profile, label=order.name, zorder=2, markevery=0.1, **look)
    axes.axhline(0, color="#b4b4bd", lw=0.8, zorder=0)
    axes.set(xlabel="distance of output channels", ylabel="correlation", xscale="log")
    if ordered:
        axes.legend(frameon=False, fontsize=8, title="ordered")
