"""Signs in docstrings that reStructuredText would read as something else.

The bars of |θ| would be a substitution, and the initial of "H. B. Nielsen" at the start of a line
the eighth item of a list.  Formulae and code are left as they are.
"""

import re

_CODE = re.compile(r"(``.*?``|:\w+:`[^`]*`)")
_INITIAL = re.compile(r"^(\s*(?:\.\. \[[^\]]+\] )?)(?=[A-Z]\.(?:\s|$))")
_BLOCK = re.compile(r"^\s*(\.\. math::|(?!\.\. ).*::$)")


def escape(lines):
    """Yield the lines of a docstring with bars and initials escaped."""
    block = None  # the indentation of the line that has opened a block of formulae or code
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        if block is not None or line.lstrip().startswith(">>>"):
            yield line
            continue
        if _BLOCK.match(line):
            block = indent
            yield line
            continue
        parts = _CODE.split(line)
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        yield _INITIAL.sub(r"\1\\", "".join(parts))


def _escape_in_place(app, what, name, obj, options, lines):
    lines[:] = escape(lines)


def _warn_of_letters(app, doctree):
    """A list numbered A, B, C is a line that began with an initial."""
    from docutils import nodes  # here, so that the tests of `escape` need no Sphinx
    from sphinx.util import logging

    for found in doctree.findall(nodes.enumerated_list):
        if found["enumtype"] != "arabic":
            logging.getLogger(__name__).warning("a list with letters", location=found)


def setup(app):
    app.connect("autodoc-process-docstring", _escape_in_place, priority=900)  # after numpydoc
    app.connect("doctree-read", _warn_of_letters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
