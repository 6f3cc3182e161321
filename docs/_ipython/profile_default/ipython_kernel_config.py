"""One look for the figures of all notebooks."""

c = get_config()  # noqa: F821 (IPython provides it)
c.HistoryManager.enabled = False
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.rc = {
    "figure.figsize": (8.0, 3.6),
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": (
        "cycler('color', ['#2f6fde', '#d1495b', '#3a7d44', '#b8860b', '#7b4fb5', '#5f6b7a'])"
    ),
    "font.size": 11.0,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "channel-directed gradients",  # the same figure, byte for byte
}
# The kernel listens on this machine alone; that its port is not encrypted need not be said.
c.IPKernelApp.log_level = "ERROR"
