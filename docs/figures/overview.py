"""Draw the two pictures of the README: one gradient in four metrics, and their kernels.

Run from the project's root: python docs/figures/overview.py
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from cdg_theory import Metric, discrete
from cdg_theory.display import LINES

N = 64
METRICS = {
    "re-weighted H⁰, λ = 4": Metric.reweighted_h0(4.0),
    "channel-directed Sobolev, λ = 0.1": Metric.sobolev(0.1),
    "ordinary Sobolev, λ = 0.01": Metric.ordinary_sobolev(0.01),
}
INK, GREY = "#1b1b1f", "#b4b4bd"
STYLES = [*LINES.items()][:3]


def main() -> None:
    rng = np.random.default_rng(7)
    channel = np.arange(N)
    gradient = 0.4 + np.sin(2 * np.pi * channel / N) + 0.6 * rng.standard_normal(N)
    impulse = np.zeros(N)
    impulse[N // 3] = 1.0

    with plt.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        # Two files: they stand side by side, and one below the other on a phone.
        (one, left), (other, right) = (
            plt.subplots(figsize=(5.5, 3.6), layout="constrained") for _ in range(2)
        )
        left.plot(channel, gradient, color=GREY, lw=1, marker=".", label="ordinary (L²) gradient")
        for (label, metric), (hue, dash) in zip(METRICS.items(), STYLES, strict=True):
            smooth = discrete.riemannian_gradient(gradient, metric)
            left.plot(channel, smooth, color=hue, ls=dash, lw=2, label=label)
            # The response to one channel's gradient is a row of M⁻¹: the smoothing kernel.
            response = discrete.riemannian_gradient(impulse, metric)
            right.plot(channel, response, color=hue, ls=dash, lw=2, label=label)
        left.set(
            xlabel="output channel",
            ylabel="gradient",
            title="one column of a gradient, in four metrics",
            ylim=(None, 3.6),
        )
        right.set(
            xlabel="output channel",
            ylabel="response",
            title="what a gradient on one channel does to the others",
            ylim=(-0.012, 0.09),
        )
        peak = discrete.riemannian_gradient(impulse, METRICS["re-weighted H⁰, λ = 4"]).max()
        right.annotate(f"{peak:.2f}", (N // 3, 0.09), (N // 3 + 2, 0.084), color=STYLES[0][0])
        right.axhline(0, color=INK, lw=0.5)
        left.legend(frameon=False, fontsize=9, loc="upper right")
        right.legend(frameon=False, fontsize=9, loc="upper right")
        folder = Path(__file__).parents[1] / "_static"
        one.savefig(folder / "overview-gradients.png", dpi=130)
        other.savefig(folder / "overview-kernels.png", dpi=130)


if __name__ == "__main__":
    main()
