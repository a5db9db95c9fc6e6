"""Sphinx configuration."""

import re

project = "capas"
author = "the capas team"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_tables"]
html_theme = "furo"
html_title = "capas"
html_static_path = ["_static"]
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("ArrayLike", "Array", "PRNGKeyArray")}
autodoc_default_options = {"members": True, "undoc-members": False}
nitpicky = False
suppress_warnings = ["myst.header"]


def _dollars_to_math(app, what, name, obj, options, lines):
    """Turn `code` and $formulas$ of docstrings, which may run over lines, into what reStructuredText calls them."""
    text = re.sub(r"(?<![:`])`([^`]+)`(?!`)", r"``\1``", "\n".join(lines))
    lines[:] = re.sub(r"\$([^$]+)\$", lambda m: f":math:`{' '.join(m[1].split())}`", text).split("\n")


def setup(app):
    """Register the translation."""
    app.connect("autodoc-process-docstring", _dollars_to_math)
