"""The plan of the house, held to: what may import what, and what users see of it."""

import ast
import inspect
import io
import re
import subprocess
import sys
import tokenize
from functools import cache
from importlib import import_module
from importlib.metadata import files
from pathlib import Path

import pytest

import thalweg as tw
from thalweg.status import DESCENTS, FITS, IMAGES, LINEAR, PIVOTED

# Libraries that are imported only when a user asks for what needs them.
LIBRARIES = {"astropy", "dask", "distributed", "h5py", "lmfit", "matplotlib", "pandas", "polars"}
LIBRARIES |= {"scipy", "sklearn", "tifffile", "tqdm", "xarray", "zarr"}
# The modules of `thalweg.scale` that users import by themselves.
DOORS_OF_SCALE = ("tables", "sklearn", "gpufit", "dask", "xarray", "lmfit", "astropy")
ROOT = Path(__file__).resolve().parents[1]
PACKAGE, CSRC = ROOT / "src" / "thalweg", ROOT / "csrc"

# Families of the package by floor: a module imports from its own family, from families of lower
# floors, and within a floor only what FLOORS puts before it.  There are two doors upwards, behind
# which is imported inside a function: a result's and a diagnosis' .plot() draw with `plot`, and
# `thalweg.fit` with ``out=`` fits with `scale`.
FLOORS = [
    ["_optional"],
    ["status", "_progress", "_showing", "_whole_files"],
    ["_arguments"],
    ["_archives"],
    ["_core"],
    ["_files"],
    ["kernels", "model", "machine"],
    ["reference"],
    ["linalg"],
    ["losses", "fitting", "linear"],
    ["optimizers"],
    ["conditioning"],
    ["descent"],
    ["plot"],
    ["scale"],
    ["cli"],
]
FLOOR = {family: n for n, families in enumerate(FLOORS) for family in families}
DOORS = {"plot": ("fitting", "conditioning"), "scale": ("fitting",)}  # and who may open them


def modules():
    """Return every module of the package as (its dotted name, its file)."""
    for file in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(file.relative_to(PACKAGE).with_suffix("").parts), file


@cache
def imports_of(name, file):
    """Return each module of the package that a module imports, and whether inside a function."""
    return list(_imports_of(name, file))


def _imports_of(name, file):
    package = name.split(".")[:-1]
    for node, inside in imports_in(ast.parse(file.read_text()), False):
        if node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            targets = [".".join(filter(None, base))]
            if not node.module:
                targets = [".".join(filter(None, [*base, alias.name])) for alias in node.names]
            yield from ((target, inside) for target in targets)


def imports_in(node, inside):
    """Yield the imports of names below a node of a module's tree, and whether in a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ImportFrom):
            yield child, inside
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:  # what only annotations need is no import
                yield from imports_in(other, inside)
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from imports_in(child, inside or function)


def family(module):
    """The family of a module: its folder, or the module itself."""
    return module.split(".")[0]


@pytest.mark.parametrize("name, file", list(modules()), ids=lambda part: str(part)[-40:])
def test_no_module_imports_from_a_higher_floor(name, file):
    here = family(name)
    if here in ("__init__", "__main__"):
        return  # the front door sees all
    for target, inside in imports_of(name, file):
        there = family(target)
        if there in (here, "__version__") or (inside and here in DOORS.get(there, ())):
            continue
        assert there in FLOOR, f"{name} imports {target}: which floor is that?"
        assert FLOOR[there] < FLOOR[here], f"{name} imports {target}, which lies above it"


def test_no_circle_within_a_family():
    """What is imported when a module is loaded; not what a function imports when it runs."""
    arrows = {
        name: {target for target, inside in imports_of(name, file) if not inside}
        for name, file in modules()
    }
    done, under_way = set(), []

    def visit(module):
        assert module not in under_way, " -> ".join([*under_way, module])
        if module in done or module not in arrows:
            return
        under_way.append(module)
        for target in arrows[module]:
            visit(target)
        under_way.pop()
        done.add(module)

    for module in arrows:
        visit(module)


def test_a_user_sees_the_public_names_alone():
    assert sorted(tw.__all__) == dir(tw)
    for name in tw.__all__:
        assert getattr(tw, name).__doc__, name


def test_what_comes_later_is_what_type_checkers_are_told():
    """`_LATER` and `_MODULES` say at run time what the imports for type checkers say."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    told = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                told.setdefault(line.module, []).extend(alias.name for alias in line.names)
    later = {module: names.split() for module, names in tw._LATER.items()}
    assert told == {None: [*tw._MODULES]} | later


def test_a_fit_imports_what_it_needs_alone():
    code = "import sys, thalweg; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    families = {module.split(".")[1] for module in modules if module.startswith("thalweg.")}
    assert not {module.split(".")[0] for module in modules} & LIBRARIES
    assert "fitting" in families
    assert not families & {"linear", "losses", "optimizers", "conditioning", "descent", "plot"}
    assert not families & {"scale"}
    with pytest.raises(AttributeError, match="module 'thalweg' has no attribute 'fitt'"):
        tw.fitt  # noqa: B018


@pytest.mark.parametrize("door", sorted(set(DOORS_OF_SCALE) - {"sklearn", "dask", "xarray"}))
def test_a_door_imports_its_library_when_it_is_called(door):
    code = f"import sys, thalweg.scale.{door}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {module.split(".")[0] for module in done.stdout.split()} & LIBRARIES


def test_no_library_is_imported_before_it_is_asked_for():
    code = (
        "import sys, thalweg; thalweg.fit('a*x', [1.0, 2.0], [2.0, 4.0], [1]); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {module.split(".")[0] for module in done.stdout.split()} & LIBRARIES
    assert "numpy.ma" not in done.stdout.split()  # its import takes longer than the fit


def test_type_checkers_are_told_that_there_are_types():
    """`.ci/run` checks a user's script by the types of the installed wheel."""
    assert Path(tw.__file__).with_name("py.typed").exists()
    installed = [str(path) for path in files("thalweg") or ()]
    editable = any("editable" in path for path in installed)  # lists no file of the package
    assert editable or "thalweg/py.typed" in installed
    annotated = set(type(tw.models).__annotations__)
    assert annotated | {"of", "polynomial"} == set(dir(tw.models))


def test_the_reference_lists_every_public_name():
    text = (ROOT / "docs" / "api.rst").read_text()
    listed = re.findall(r"^   ([\w.]+)$", text, re.MULTILINE)
    names = [name for name in tw.__all__ if not inspect.ismodule(getattr(tw, name))]
    names += [
        f"{part}.{name}"
        for part, family in (
            ("kernels", tw.kernels),
            ("linear", tw.linear),
            ("plot", tw.plot),
            ("scale", tw.scale),
        )
        for name in family.__all__
        if name not in tw.__all__ or getattr(family, name) is not getattr(tw, name)
    ]
    names += [
        f"scale.{door}.{name}"
        for door in DOORS_OF_SCALE
        for name in import_module(f"thalweg.scale.{door}").__all__
    ]
    assert sorted(listed) == sorted(names)


def test_the_documentation_lists_every_status():
    text = (ROOT / "docs" / "statuses.md").read_text()
    families = (FITS, DESCENTS, LINEAR, IMAGES, PIVOTED)
    for part, family in zip(text.split("\n## ")[1:], families, strict=True):
        listed = re.findall(r"^\| `(\w+)` (\S+) \|", part, re.MULTILINE)
        assert {name: int(value.replace("−", "-")) for name, value in listed} == {
            status.name: status.value for status in family
        }


def test_no_module_hides_behind_a_function_of_its_name():
    for name, _ in modules():
        parts = name.split(".")
        if parts[-1] in ("__init__", "__main__"):
            continue
        parent = tw
        for part in parts[:-1]:
            parent = getattr(parent, part, None)
        found = getattr(parent, parts[-1], None) if parent is not None else None
        assert found is None or type(found).__name__ == "module", f"thalweg.{name} is {found!r}"


# ---- the C library ---------------------------------------------------------------------------

C_FLOORS = [
    ["base"],
    ["vecmath"],
    ["tape"],
    ["fit", "loss", "adjoint", "quadratic", "sweep"],
    ["linear"],
]
C_FLOOR = {family: n for n, families in enumerate(C_FLOORS) for family in families}


def headers():
    """Return every C file in a family's folder."""
    return sorted(file for file in CSRC.rglob("*.[ch]") if file.parent != CSRC)


@pytest.mark.parametrize("file", headers(), ids=lambda file: str(file.relative_to(CSRC)))
def test_a_family_of_c_is_read_without_the_others(file):
    here = file.parent.name
    for target in re.findall(r'#include "([\w/]+\.h)"', file.read_text()):
        there = target.split("/")[0]
        assert "/" in target, f"{file.name} includes {target}: the dispatcher sees all, alone"
        assert there == here or C_FLOOR[there] < C_FLOOR[here], f"{file.name} includes {target}"


def test_a_contract_includes_contracts_alone():
    for file in CSRC.rglob("contract.h"):
        for target in re.findall(r'#include "([\w/]+)"', file.read_text()):
            assert target.endswith("/contract.h") or target == "base/pool.h", (file, target)


def lines_of(function):
    """How many lines a Python function has without its docstring."""
    first = function.body[0]
    is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    doc = (
        first.end_lineno - first.lineno + 1 if is_doc and isinstance(first.value.value, str) else 0
    )
    return function.end_lineno - function.lineno + 1 - doc


def python_functions(text):
    """Yield the name of each function of a Python file and how many lines it has."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, lines_of(node)


def c_functions(text):
    """Yield the same of a C file: a function begins, and ends with a brace, at the left margin."""
    first = name = None
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[A-Za-z_]", line) and not line.endswith(":"):
            first, name = number, re.search(r"(\w+)\(|$", line)[1]
        elif line == "}":
            yield name, number - first + 1


def cython_functions(text):
    """Yield the same of a Cython file: a function ends where a line is indented no more than it."""
    head = re.compile(r"( *)(?:def |cp?def (?!class |extern |enum |struct )[^=#]*?)\b(\w+)\(")
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not (found := head.match(line)):
            continue
        end = number + 1
        for later, other in enumerate(lines[number + 1 :], number + 1):
            if other.strip() and not other.startswith((found[1] + " ", found[1] + ")")):
                break
            end = later + 1 if other.strip() else end
        doc = re.search(r'"""[\s\S]*?"""', "\n".join(lines[number:end]))
        yield found[2], end - number - (doc[0].count("\n") + 1 if doc else 0)


FUNCTIONS = {".py": python_functions, ".c": c_functions, ".h": c_functions}
FUNCTIONS |= dict.fromkeys((".pyx", ".pxi"), cython_functions)


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "csrc"])
def test_functions_and_files_are_short_enough_to_be_read(folder):
    """50 lines for a function, 400 for a file; a list of declarations may be longer."""
    for file in sorted((ROOT / folder).rglob("*")):
        if file.suffix not in FUNCTIONS:
            continue
        text = file.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, file
        for function, lines in FUNCTIONS[file.suffix](text):
            assert lines <= 50, (file, function)


def test_lines_of_functions_are_counted():
    """What finds a long function: see above."""
    c = "static int\nf(int a) {\n    if (a) {\n    }\n    return a;\n}\n\nenum { ONE };\n"
    assert list(c_functions(c)) == [("f", 5)]
    cython = 'cdef class A:\n    cdef int f(self,\n               int a):\n        """One."""\n\n'
    cython += "        return a\n\n    def g(self):\n        pass\n"
    assert list(cython_functions(cython)) == [("f", 4), ("g", 2)]


def fragments(file):
    """Yield the comments and the lines of docstrings of a file that begin as half a sentence."""
    text, last = file.read_text(), 0
    if not re.search(r"#+ *of |(^|\"\"\"|''') *of ", text, re.I | re.M):
        return  # nothing looks like one; to cut a text into tokens takes long
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            alone, line = token.line.lstrip().startswith("#"), token.start[0]
            begins = not alone or line != last + 1  # it does not go on from the line above
            if begins and re.match(r"#+ *of ", token.string, re.I):
                yield f"{file.name}:{line}: {token.string}"
            last = line if alone else last
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            words = ast.get_docstring(node) or ""
            yield from (f"{file.name}: {line}" for line in re.findall(r"^ *Of .*", words, re.M))


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "scripts"])
def test_no_comment_begins_in_the_middle_of_a_sentence(folder):
    found = [half for file in sorted((ROOT / folder).rglob("*.py")) for half in fragments(file)]
    assert not found, "\n".join(found)


def test_every_warning_points_at_the_users_line():
    """By `warn_user`, and so whatever functions of the package lie between."""
    own = PACKAGE / "_arguments" / "warning.py"
    for _, file in modules():
        assert file == own or "warnings.warn(" not in file.read_text(), file
