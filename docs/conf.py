"""Sphinx configuration: one local site, nothing fetched, every notebook executed.

Build from the project's root:

    python -m sphinx -W -n --keep-going -b html docs docs/_build/html
"""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]

import api_pages  # noqa: E402
import notebooks  # noqa: E402

import cdg_theory  # noqa: E402

project = "channel-directed gradients"
author = "The channel-directed-gradients developers"
copyright = author
release = version = cdg_theory.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_proof",
    "sphinxcontrib.bibtex",
    # Of this project, in _ext/.
    "api_docstrings",
    "explorer",
    "interactive",
    "gallery",
    "ledger_pages",
    "notebooks",
    "plots",
    "promises",
    "sidebar",
]
nitpicky = True
exclude_patterns = ["_build", "_ext", "_ipython", "**/.ipynb_checkpoints"]
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
numfig = True
# "Theorem" is kept for what the ledger numbers; the statements on the pages are propositions.
prf_realtyp_to_countertyp = {"corollary": "proposition", "lemma": "proposition"}
proof_number_weight = proof_title_weight = "bold"

# -- Markdown and notebooks ---------------------------------------------------------------------

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

nb_execution_mode = "cache"
nb_execution_cache_path = str(notebooks.prepare(DOCS))
nb_execution_raise_on_error = True
nb_execution_in_temp = True  # a page needs nothing that lies beside it
nb_execution_show_tb = True
nb_execution_timeout = 180
nb_merge_streams = True
nb_output_stderr = "remove-warn"  # with -W, a notebook that warns fails the build

# -- API reference ------------------------------------------------------------------------------

api_pages.write(DOCS / "api" / "generated", ("cdg_theory", "cdg_torch"))
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True
autosummary_generate = False
numpydoc_show_class_members = False

# -- Mathematics: MathJax from the installed package, chosen so that nothing is fetched -----------

mathjax3_config = {
    "tex": {"tags": "none", "macros": {"R": r"\mathbb{R}", "one": r"\mathbf{1}"}},
    "options": {"enableMenu": True},
}

# -- The look -----------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["fit.js", "wide.js"]
html_search_scorer = str(DOCS / "_ext" / "scorer.js")
html_copy_source = True
html_show_sourcelink = True
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#2456b8",
        "color-brand-content": "#2456b8",
        "admonition-font-size": "1rem",
        "admonition-title-font-size": "1rem",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8ab4ff",
        "color-brand-content": "#8ab4ff",
    },
    "navigation_with_keys": True,
}
pygments_style = "tango"
pygments_dark_style = "native"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"
