"""Settings of the documentation: sphinx-build -W -n -b html docs docs/_build/html."""

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Thalweg"
author = copyright = "The Thalweg developers"
version = release = version_of("thalweg")

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.py", "gallery/GALLERY_HEADER.rst"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Fits and descent methods at compiled speed",
    "page_width": "1080px",
    "sidebar_width": "240px",
    "fixed_sidebar": True,
}
html_static_path = ["_static"]
html_css_files = ["thalweg.css"]
html_math_renderer = "mathml"
html_copy_source = html_show_sourcelink = False

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings give shapes and units
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # a method's step is documented once, in the base class
templates_path = ["_templates"]
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib",),
    "default_thumb_file": None,
}


def escape_bars(app, what, name, obj, options, lines):
    """Keep the |loss| of a docstring an absolute value; to Sphinx it is a substitution."""
    for i, line in enumerate(lines):
        parts = re.split(r"(``.*?``|:math:`.*?`)", line)
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[i] = "".join(parts)


def skip_borrowed(app, what, name, obj, skip, options):
    """Leave out what estimators have of scikit-learn, whose own pages explain it."""
    return True if (getattr(obj, "__module__", None) or "").startswith("sklearn.") else None


def setup(app):
    app.connect("autodoc-skip-member", skip_borrowed)
    app.connect("autodoc-process-docstring", escape_bars, priority=900)  # after numpydoc
