"""What the documentation is made with: docstrings, the page of models, the check of the site."""

import ast
import importlib.util
from pathlib import Path

import pytest

from thalweg.model.registry import MODELS

ROOT = Path(__file__).resolve().parents[1]


def module(path):
    """Load a module that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def escape():
    """The function that escapes what reStructuredText would misread."""
    return module(ROOT / "docs" / "_extensions" / "docstrings.py").escape


@pytest.mark.parametrize(
    "line, escaped",
    [
        ("the size |x| of x", r"the size \|x\| of x"),
        ("``|x|`` and :math:`|x|` and |x|", r"``|x|`` and :math:`|x|` and \|x\|"),
        ("H. B. Nielsen, 1999", r"\H. B. Nielsen, 1999"),
        ("   K.", r"   \K."),
        (".. [2] H. B. Nielsen", r".. [2] \H. B. Nielsen"),
        ("1. a list of numbers stays one", "1. a list of numbers stays one"),
        (">>> a | b", ">>> a | b"),
    ],
)
def test_a_line_is_read_as_it_is_meant(escape, line, escaped):
    assert list(escape([line])) == [escaped]


def test_formulae_and_code_are_left_alone(escape):
    block = [".. math:: |a|", "", "   |b|", "", "|c|", "", "Code::", "", "    a | b", "", "|d|"]
    expected = [line.replace("|", r"\|") if line in ("|c|", "|d|") else line for line in block]
    assert list(escape(block)) == expected


def test_the_page_of_models_has_all_models_and_all_their_parameters():
    page = module(ROOT / "docs" / "_extensions" / "builtin_models.py")
    assert page.SHOWN.keys() == MODELS.keys()
    for model in MODELS.values():
        text = page.entry(model, "picture.png")
        rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
        listed = {name.strip() for row in rows for name in row.split(",")}
        several = {"c0", "c1", "..."} <= listed  # a polynomial's coefficients
        assert several or listed >= set(model.names), model.name
        assert len(page.SHOWN[model.name][1]) == len(model.names)


def test_dead_links_and_lists_with_letters_are_found(tmp_path):
    faults = module(ROOT / "scripts" / "check_site.py").faults
    good = '<h1 id="top"><a href="b.html#end">to the end</a><a href="https://x.org/">out</a></h1>'
    (tmp_path / "a.html").write_text(good + '<ol class="arabic"></ol>')
    (tmp_path / "b.html").write_text('<p id="end"><a href="a.html">back</a></p>')
    assert faults(tmp_path) == []
    bad = '<a href="c.html">1</a><a href="a.html#no">2</a><ol class="upperalpha simple"></ol>'
    (tmp_path / "b.html").write_text(f'<p id="end">{bad}</p>')
    found = faults(tmp_path)
    assert len(found) == 3 and all(fault.startswith("b.html: ") for fault in found)


def subplots_of(block):
    """The names that a block of a script gives to figures and axes, and those it only reads."""
    nodes = list(ast.walk(ast.parse(block)))
    made = {
        name.id
        for node in nodes
        if isinstance(node, ast.Assign) and "subplots(" in ast.unparse(node.value)
        for name in ast.walk(node.targets[0])
        if isinstance(name, ast.Name)
    }
    names = [node for node in nodes if isinstance(node, ast.Name)]
    stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return made, {node.id for node in names} - stored


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("docs/gallery/*/plot_*.py")), ids=lambda p: p.stem
)
def test_nothing_is_drawn_on_a_picture_that_the_page_has_taken(path):
    """A page takes the pictures of each block at its end and closes them."""
    taken = set()
    for block in path.read_text(encoding="utf-8").split("\n# %%"):
        made, read = subplots_of("# " + block if taken else block)
        assert not read & taken, block
        taken |= made
