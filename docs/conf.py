"""Sphinx configuration; equations become MathML, so that the pages need no network.

The directive ``formula`` shows an equation of `devicephys.symbolic` by its name.
"""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.docutils import SphinxDirective

from devicephys import __version__, symbolic

project = "devicephys"
author = "The devicephys developers"
release = __version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx_gallery.gen_gallery"]
myst_enable_extensions = ["dollarmath"]
html_theme = "furo"
html_math_renderer = "mathml"
exclude_patterns = ["_build", "gallery"]
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "_gallery",
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "min_reported_time": 1e6,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
}
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"


def _inline(translator, node):
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator, node):
    translator.body.append(f"<p>{convert(node.astext(), display='block')}</p>")
    raise nodes.SkipNode


class Formula(SphinxDirective):
    """Display the derived equation that the argument names."""

    required_arguments = 1

    def run(self):
        """Give the equation as a block of mathematics."""
        text = symbolic.latex(self.arguments[0])
        return [nodes.math_block(text, text, nowrap=False, number=None, label=None)]


def setup(app):
    """Register the renderer and the directive."""
    app.add_directive("formula", Formula)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
