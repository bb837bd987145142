"""The examples in docstrings run, and show what they say they show."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
from test_house import DOORS_OF_SCALE

import thalweg as tw

# The libraries that examples of these modules need, beside those that tests always have.
NEEDED = {"thalweg.scale.stor": "zarr"}
SKIPPED = {"thalweg.__main__"}  # runs the command line
# Everything that is public: what `thalweg` has, and what users import from parts of it.
PARTS = ["", ".conditioning", ".kernels", ".linear", ".losses", ".optimizers", ".plot"]
PARTS += [".reference", ".scale", *(f".scale.{door}" for door in DOORS_OF_SCALE)]


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


def public():
    """Yield everything public that is no module, with its name."""
    for part in PARTS:
        module = importlib.import_module(f"thalweg{part}")
        for name in module.__all__:
            if not inspect.ismodule(thing := getattr(module, name)):
                yield f"thalweg{part}.{name}", thing


def test_every_public_name_has_an_example():
    parse = doctest.DocTestParser().get_examples
    lacking = {name for name, thing in public() if not parse(inspect.getdoc(thing) or "")}
    assert not lacking


def test_every_public_method_and_property_is_described():
    lacking = set()
    for name, kind in public():
        for own in kind.__mro__ if inspect.isclass(kind) else ():
            if not own.__module__.startswith("thalweg."):
                continue
            for member, found in vars(own).items():
                slot = inspect.ismemberdescriptor(found)  # the class describes its attributes
                if not member.startswith("_") and hasattr(found, "__get__") and not slot:
                    whole = getattr(found, "func", found)  # that of a property that is kept
                    if not inspect.getdoc(whole) and not inspect.getdoc(getattr(kind, member)):
                        lacking.add(f"{name}.{member}")
    assert not lacking
