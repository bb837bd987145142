"""Formulae as MathML, which browsers draw themselves: no script, no network, no LaTeX."""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def _mathml(node, **options):
    """The formula of a node; docutils takes the 12 of LaTeX's \\frac12 for the numerator alone."""
    braced = re.sub(r"\\(t?)frac(\d)(\d)", r"\\\1frac{\2}{\3}", node.astext())
    return tex2mathml(braced, **options)


def _inline(translator, node):
    translator.body.append(_mathml(node))
    raise nodes.SkipNode


def _block(translator, node):
    translator.body.append(f'<div class="math">{_mathml(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer(
        "mathml", inline_renderers=(_inline, None), block_renderers=(_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
