"""The pages of the documentation as Jupyter notebooks: what ``cdg notebooks`` writes.

The pages are Markdown with cells (MyST). Their directives and roles are Sphinx's; here they become
plain Markdown that any notebook program shows.
"""

from __future__ import annotations

from cdg_torch.lab.notebooks.convert import Library
from cdg_torch.lab.notebooks.pages import Page, executable, pages_folder, read_pages

__all__ = ["Library", "Page", "executable", "pages_folder", "read_pages"]
