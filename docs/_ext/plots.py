"""Measurements as an interactive figure: ``scaling-plot``, with the path of what was measured."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import interactive
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from cdg_torch.lab.drawing import looks

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class scaling_plot(nodes.General, nodes.Element):  # noqa: N801 (docutils names nodes so)
    """Where the figure goes."""


def figure(scaling: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return time per number against n, as plotly wants it."""
    data = [
        {
            "name": name,
            "x": [*map(int, by_n)],
            "y": [*by_n.values()],
            "mode": "lines+markers",
            "line": {
                "color": look["color"],
                "dash": "solid" if name.startswith("ours") else "dash",
            },
            "marker": {"symbol": symbol},
            "hovertemplate": "n = %{x}: %{y:.3g} ns",
        }
        for symbol, (look, (name, by_n)) in enumerate(zip(looks(), scaling.items(), strict=False))
    ]
    grid = {"gridcolor": "rgba(128, 128, 128, 0.3)", "type": "log"}
    layout = {
        "xaxis": {"title": {"text": "n, output channels (size fixed)"}, **grid},
        "yaxis": {"title": {"text": "ns per number"}, **grid},
        "legend": {"orientation": "h", "y": -0.25},
        "margin": {"l": 55, "r": 10, "t": 10},
    }
    return {"data": data, "layout": layout}


class ScalingPlot(SphinxDirective):
    """Put the figure here."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.doc2path(self.env.docname)).with_name(self.arguments[0])
        self.env.note_dependency(str(path))
        measured = json.loads(path.read_text(encoding="utf-8"))
        return [scaling_plot(figure=json.dumps(figure(measured["scaling"])))]


def visit_html(translator: Any, node: nodes.Element) -> None:
    """Write what the script reads."""
    data = html.escape(node["figure"])
    translator.body.append(f'<div class="scaling-plot" data-figure="{data}"></div>')


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_node(scaling_plot, html=(visit_html, lambda *_: None))
    app.add_directive("scaling-plot", ScalingPlot)
    interactive.load(app, "plots.js", where=scaling_plot)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
