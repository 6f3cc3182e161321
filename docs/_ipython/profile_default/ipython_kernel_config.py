"""One look for the figures of all notebooks."""

from cdg_theory.display import FIGURES

c = get_config()  # noqa: F821 (IPython provides it)
c.HistoryManager.enabled = False
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.rc = FIGURES
# The kernel listens on this machine alone; that its port is not encrypted need not be said.
c.IPKernelApp.log_level = "ERROR"
