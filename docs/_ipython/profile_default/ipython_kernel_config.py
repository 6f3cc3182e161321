"""One look for the figures of all notebooks, and an eye on what each must have."""

from cdg_theory.display import FIGURES

c = get_config()  # noqa: F821 (IPython provides it)
c.HistoryManager.enabled = False
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.rc = FIGURES
c.InteractiveShellApp.extensions = ["tests.tools.figures"]
# The kernel listens on this machine alone; that its port is not encrypted need not be said.
c.IPKernelApp.log_level = "ERROR"
