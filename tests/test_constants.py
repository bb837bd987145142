"""The engine's constants: each has one value, in C and in the specification, under one name.

There are two lists, of which this test reads both: the specification must run and be read without
compiled code, and C without Python, so neither can take its numbers from the other.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from thalweg.optimizers import levenberg_marquardt
from thalweg.reference import attempts, confirm, damped, judge, saddle, squares, state, step

ROOT = Path(__file__).resolve().parents[1]
SPECIFIED = (state, squares, judge, step, confirm, saddle, attempts, damped)
# Values of float64 that C writes with its own names.
KNOWN = {"REAL_EPS": np.finfo(float).eps, "REAL_MIN": np.finfo(float).tiny}
DEFINED = re.compile(r"^#define (\w+) (.+?)(?:\s*/\*.*)?$|^\s+(\w+) = (\d+),", re.M)


def in_c():
    """Return the constants of csrc/fit as name -> the text of its value."""
    found = {}
    for file in sorted((ROOT / "csrc" / "fit").glob("*.[ch]")):
        text = file.read_text()
        text += "".join(f"\n    {pair.strip()}," for pair in _of_one_line(text))
        for name, value, listed, number in DEFINED.findall(text):
            found[name or listed] = value or number
    return found


def _of_one_line(text):
    """The constants of an enum that stands in one line."""
    for body in re.findall(r"^enum \{ ([^}]*) \};", text, re.M):
        yield from (pair for pair in body.split(", ") if re.fullmatch(r"\w+ = \d+", pair.strip()))


def value(text, constants):
    """Work out the float64 value of a constant's text: numbers, products, other constants."""
    text = re.sub(r"sizeof\(real\) == 8", "True", text)
    text = re.sub(r"\(real\)\s*", "", text)
    text = re.sub(r"\bPICK\(([^,]+), [^)]+\)", r"(\1)", text)
    text = re.sub(r"True \? ([^:]+) : [^)]+", r"\1", text)
    text = re.sub(r"0x1p([+-]?\d+)", r"(2.0**\1)", text)
    names = {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}
    known = {n: KNOWN[n] if n in KNOWN else value(constants[n], constants) for n in names}
    return eval(text, {"__builtins__": {}}, known)


def shared():
    """Yield the constants that both sides have."""
    constants = in_c()
    for module in SPECIFIED:
        for name, here in vars(module).items():
            if name.isupper() and isinstance(here, int | float) and name in constants:
                yield pytest.param(name, here, constants, id=f"{module.__name__[18:]}.{name}")


@pytest.mark.parametrize("name, here, constants", list(shared()))
def test_a_constant_has_one_value(name, here, constants):
    assert value(constants[name], constants) == here


def test_the_constants_of_the_specification_are_those_of_the_engine():
    """Each has its name there, but for those of the arithmetic and of inputs, which have others.

    Where C compares squares it writes the square of a few as a number.
    """
    constants, own = in_c(), {"EPS", "TINY", "MIN", "MAX", "DERIVATIVE", "Y", "MODEL", "NO_MEAN"}
    own |= {"LONGER", "FIRST_REGION", "SMALLEST_REGION", "CONVEX"}  # step.h, one.h, curvature.h
    missing = {
        name
        for module in SPECIFIED
        for name, here in vars(module).items()
        if name.isupper() and isinstance(here, int | float) and name not in constants
    }
    assert missing - own == set()


def test_the_method_of_descent_has_the_factors_of_the_engine():
    """`optimizers.levenberg_marquardt` says that its rule of damping is the same."""
    assert levenberg_marquardt._LONG == step.LONGER
    fit = state.Fit.__new__(state.Fit)
    for rho in (0.01, 0.3, 0.5, 0.9, 1.2):
        fit.lam, here = 1.0, levenberg_marquardt.State(1.0, 1.0, np.ones(1))
        judge.adapt_damping(fit, True, rho, False)
        levenberg_marquardt.kept(rho, 0.0, here)
        assert here.mu == fit.lam
