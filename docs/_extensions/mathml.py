"""Formulae as MathML, which browsers draw themselves: no script, no network, no LaTeX."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

# The bars of |x|, which browsers would otherwise set apart from x like the sign of an operation.
_BAR = re.compile(r"<mo(?=[^>]*>(?:&#x0007C;|&#x02016;)<)")


def _mathml(node, display):
    """Return the formula of a node; a command that the converter does not know is a warning."""
    formula = convert(node.astext(), display=display)
    formula = _BAR.sub('<mo lspace="0" rspace="0"', formula)
    if "\\" in formula:
        logging.getLogger(__name__).warning("unknown command in a formula", location=node)
    return formula


def _inline(translator, node):
    translator.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def _block(translator, node):
    translator.body.append(f'<div class="math">{_mathml(node, "block")}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer(
        "mathml", inline_renderers=(_inline, None), block_renderers=(_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
