"""The examples in docstrings run, and show what they say they show."""

import doctest
import importlib
import pkgutil

import pytest

import thalweg as tw

# The libraries that examples of these modules need, beside those that tests always have.
NEEDED = {"thalweg.scale.stor": "zarr"}
SKIPPED = {"thalweg.__main__"}  # runs the command line


def examples():
    """Yield every docstring with examples, of modules that can be imported here."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = [module.name for module in pkgutil.walk_packages(tw.__path__, "thalweg.")]
    for name in ["thalweg", *names]:
        if name in SKIPPED:
            continue
        try:
            module = importlib.import_module(name)
        except ImportError:  # an extra is not installed
            continue
        yield from (test for test in finder.find(module, name) if test.examples)


@pytest.mark.parametrize("example", list(examples()), ids=lambda test: test.name)
def test_the_examples_of_a_docstring_run(example):
    for module, library in NEEDED.items():
        if example.name.startswith(module):
            pytest.importorskip(library)
    said = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
    assert not said, "".join(said)
