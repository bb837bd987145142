"""The words of formulas: constants, functions and operators, each with what it computes."""

import ast
import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from .._optional import optional
from . import functions
from .identities import IDENTITIES

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}


def _ufuncs(names: str) -> dict[str, Callable[..., Any]]:
    return {name: getattr(np, name) for name in names.split()}


def _composites(names: str) -> dict[str, Callable[..., Any]]:
    return {name: getattr(functions, name) for name in names.split()}


def _at_least_two(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: reduce(function, values)


def _truth(function: Callable[..., Any]) -> Callable[..., Any]:
    """A condition whose value is 1.0 or 0.0: NumPy's exp of a boolean is a float16, - an error."""
    return lambda *values: function(*values) * 1.0


def _of_scipy(name: str) -> Callable[..., Any]:
    def call(*operands: Any) -> Any:
        return getattr(optional("scipy.special", f"the function {name} needs"), name)(*operands)

    return call


_INVERSES = ("sin", "cos", "tan", "sinh", "cosh", "tanh")

# The functions of formulas by the number of their arguments; 0 stands for two or more.
_FUNCTIONS_BY_ARITY: dict[int, dict[str, Callable[..., Any]]] = {
    0: {
        **dict.fromkeys(("min", "minimum"), _at_least_two(np.minimum)),
        **dict.fromkeys(("max", "maximum"), _at_least_two(np.maximum)),
    },
    1: {
        **_ufuncs("abs exp exp2 expm1 log log2 log10 log1p sqrt cbrt square sign floor ceil trunc"),
        **_ufuncs("rint sin cos tan sinh cosh tanh sinc deg2rad rad2deg radians degrees"),
        **{f"arc{name}": getattr(np, f"arc{name}") for name in _INVERSES},
        **{f"a{name}": getattr(np, f"arc{name}") for name in _INVERSES},
        **_composites("dawsn erf erfc erfcx exp10 expit exprel log_expit log_ndtr logit ndtr"),
        **_composites("softplus"),
        "ln": np.log,
    },
    2: {
        **_ufuncs("arctan2 copysign heaviside hypot logaddexp"),
        **_composites("voigt_im voigt_re xlog1py xlogy"),
        "atan2": np.arctan2,
        "pow": operator.pow,
    },
    3: {"clip": functions.clip, "voigt": functions.voigt_profile, "where": np.where},
}


# Functions of SciPy, which are functions only where they are called: gamma may be a parameter.
SPECIAL = {name: (len(each), _of_scipy(name)) for name, each in IDENTITIES.items()} | {
    "exp1": (1, functions.exp1)
}
# The number of arguments of each function whose name is no parameter's, and what it computes.
FUNCTIONS = {
    name: (arity, function)
    for arity, table in _FUNCTIONS_BY_ARITY.items()
    for name, function in table.items()
}
# What makes real numbers of complex ones, and conj; likewise functions only where they are called.
COMPLEX: dict[str, tuple[int, Callable[..., Any]]] = {
    **dict.fromkeys(("re", "real"), (1, np.real)),
    **dict.fromkeys(("im", "imag"), (1, np.imag)),
    **dict.fromkeys(("arg", "angle"), (1, np.angle)),
    "conj": (1, np.conj),
}
# All that may be called.
CALLED = SPECIAL | COMPLEX | FUNCTIONS

BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: _truth(np.logical_and),
    ast.BitOr: _truth(np.logical_or),
}
UNARY: dict[type, Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: _truth(np.logical_not),
    ast.Invert: _truth(np.logical_not),
}
LOGICAL: dict[type, Callable[..., Any]] = {
    ast.And: _truth(_at_least_two(np.logical_and)),
    ast.Or: _truth(_at_least_two(np.logical_or)),
}
COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: _truth(np.less),
    ast.LtE: _truth(np.less_equal),
    ast.Gt: _truth(np.greater),
    ast.GtE: _truth(np.greater_equal),
    ast.Eq: _truth(np.equal),
    ast.NotEq: _truth(np.not_equal),
}
