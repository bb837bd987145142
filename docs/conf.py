"""Settings of the documentation: sphinx-build -W -n -b html docs docs/_build/html."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("_extensions")))

project = "Thalweg"
author = copyright = "The Thalweg developers"
version = release = version_of("thalweg")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "builtin_models",
    "docstrings",
    "mathml",
]
exclude_patterns = ["_build", "gallery"]
html_theme = "pydata_sphinx_theme"
html_title = "Thalweg"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "friendly",
    "pygments_dark_style": "github-dark",
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
    "subsection_order": ["gallery/fits", "gallery/scale", "gallery/descent", "gallery/linear"],
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


def skip_borrowed(app, what, name, obj, skip, options):
    """Leave out what estimators have of scikit-learn, whose own pages explain it."""
    return True if (getattr(obj, "__module__", None) or "").startswith("sklearn.") else None


def setup(app):
    app.connect("autodoc-skip-member", skip_borrowed)
