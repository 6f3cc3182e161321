"""What a diagnosis found, layer by layer: a table, rules for ``attach``, JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cdg_theory.display import table, text
from cdg_torch.attachment import Rule

if TYPE_CHECKING:
    from cdg_theory import Metric
    from cdg_theory.fit import Verdict


@dataclass(frozen=True, slots=True)
class LayerDiagnosis:
    r"""What :func:`cdg_torch.diagnose` found about one weight.

    ===================  =======================================================================
    field                meaning
    ===================  =======================================================================
    ``name, shape``      of the weight
    ``channels``         output channels, of one group
    ``verdict``          ``"ordered"``, ``"exchangeable"`` or ``"none"``; None where the channels
                         are too few
    ``order_p``          p-value of "their order does not matter", corrected over the layers;
                         ordered if it is at most half of the level
    ``neighbours``       correlation of neighbouring channels in the mean gradient, mean taken off
    ``signal, noise``    :math:`\hat s_m, \hat\nu_m` of one batch, by channel mode
    ``signal_error``     standard error of the sum of the signal (jackknife over batches)
    ``mean_weight``      λ* of theorem 14, the H⁰ metric that the moments ask for; None if it is
                         0/0, as for a softmax head, or cannot be told
    ``metric``           of the metrics by length, the one that errs least by all batches; None
                         without an order
    ``length``           its correlation length, in channels
    ``gain``             share of the gradient's mean squared error that the metric removes, each
                         at its best scale; negative if it adds error. The mean over the two halves
                         of the batches
    ``gain_apart``       half of the difference between the gains of the two halves
    ``h0_gain``          the same for the best re-weighted H⁰ metric
    ``stopping_gain``    the same for early stopping of a linear layer (theorem 16)
    ``advice``           one sentence
    ===================  =======================================================================

    See Also
    --------
    cdg_torch.Diagnosis : Has one for each weight.
    cdg_torch.diagnose : Makes them.

    Examples
    --------
    >>> import cdg_torch
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> batches = [torch.randn(10, 4) for _ in range(4)]
    >>> loss = lambda model, x: (model(x) - x.sum()).square().mean()
    >>> found = cdg_torch.diagnose(torch.nn.Linear(4, 12), batches, loss)
    >>> found.layers[0].channels
    12
    """

    name: str
    shape: tuple[int, ...]
    channels: int
    verdict: Verdict | None
    order_p: float
    neighbours: float
    signal: tuple[float, ...]
    noise: tuple[float, ...]
    signal_error: float
    mean_weight: float | None
    metric: Metric | None
    length: float | None
    gain: float | None
    gain_apart: float | None
    h0_gain: float | None
    stopping_gain: float | None
    advice: str

    @property
    def signal_share(self) -> float:
        """The signal's share of one batch's squared gradient."""
        total = sum(self.signal) + sum(self.noise)
        return sum(self.signal) / total if total > 0 else math.nan

    @property
    def is_worthwhile(self) -> bool:
        """Whether an order was seen, and more gained than by H⁰ and than the halves differ by."""
        return (
            self.verdict == "ordered"
            and self.gain is not None
            and self.gain_apart is not None
            and self.gain > max(self.gain_apart, self.h0_gain or 0.0)
        )


@dataclass(frozen=True, slots=True, repr=False)
class Diagnosis:
    """What :func:`cdg_torch.diagnose` found: one entry for each weight.

    Prints as a table, shows itself in notebooks, and is stored by :meth:`to_json`.

    ============  =========================================
    field         meaning
    ============  =========================================
    ``layers``    a :class:`LayerDiagnosis` for each weight
    ``left_out``  by name, why a weight was not looked at
    ``batches``   number of batches
    ``level``     share of the verdicts that may be false
    ============  =========================================

    See Also
    --------
    cdg_torch.diagnose : Makes it.
    cdg_torch.LayerDiagnosis : Its entries.
    cdg_torch.attach : Takes what ``rules()`` returns.

    Examples
    --------
    >>> import cdg_torch
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> batches = [torch.randn(10, 4) for _ in range(4)]
    >>> loss = lambda model, x: (model(x) - x.sum()).square().mean()
    >>> found = cdg_torch.diagnose(torch.nn.Linear(4, 12), batches, loss)
    >>> [one.name for one in found.layers], found.batches
    (['weight'], 4)
    """

    layers: tuple[LayerDiagnosis, ...]
    left_out: dict[str, str]
    batches: int
    level: float

    def rules(self) -> list[Rule]:
        """Return a rule for every layer where a metric is predicted to gain, for ``attach``."""
        return [Rule(metric=one.metric, name=one.name) for one in self.layers if one.is_worthwhile]

    def to_json(self) -> str:
        """Return everything as JSON text; NaN and infinities become null."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(one) for key, one in value.items()}
            if isinstance(value, list | tuple):
                return [plain(one) for one in value]
            return None if isinstance(value, float) and not math.isfinite(value) else value

        return json.dumps(plain(asdict(self)), indent=1)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table, in words."""
        return [
            (
                one.name,
                "×".join(map(str, one.shape)),
                one.verdict or "–",
                "–" if math.isnan(one.order_p) else f"{one.order_p:.2g}",
                "–" if math.isnan(one.neighbours) else f"{one.neighbours:+.2f}",
                f"{one.signal_share:.2f}",
                "–" if one.gain is None else f"{one.gain:+.0%} ± {one.gain_apart:.0%}",
                one.advice,
            )
            for one in self.layers
        ]

    def __repr__(self) -> str:
        lines = [
            f"{name} ({shape}): {advice}\n    channels: {verdict}, p = {p}, neighbours "
            f"{neighbours}; signal {share} of a batch's gradient; predicted gain {gain}"
            for name, shape, verdict, p, neighbours, share, gain, advice in self.rows()
        ]
        lines += [f"left out {name}: {reason}" for name, reason in self.left_out.items()]
        return "\n".join(
            [*lines, f"from {self.batches} batches; ordered: p at most {self.level / 2:g}"]
        )

    def _repr_html_(self) -> str:
        return "".join(
            table(
                (name, ""), [(label, text(cell)) for label, cell in zip(COLUMNS, row, strict=True)]
            )
            for name, *row in self.rows()
        )


COLUMNS = ("shape", "channels", "p of an order", "neighbours", "signal", "predicted gain", "advice")
