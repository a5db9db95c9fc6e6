"""Sphinx configuration."""

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
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "capas"
html_static_path = ["_static"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": False}
# Docstrings write formulas between dollar signs, as the Markdown pages do.
nitpicky = False
suppress_warnings = ["myst.header"]


def _dollars_to_math(app, what, name, obj, options, lines):  # noqa: ANN001, ANN202, PLR0917
    """Turn $...$ and `code` of docstrings into what reStructuredText calls them."""
    import re

    for i, line in enumerate(lines):
        line = re.sub(r"(?<![:`])`([^`]+)`(?!`)", r"``\1``", line)
        lines[i] = re.sub(r"\$([^$]+)\$", r":math:`\1`", line)


def setup(app):  # noqa: ANN001, ANN201
    """Register the translation."""
    app.connect("autodoc-process-docstring", _dollars_to_math)
