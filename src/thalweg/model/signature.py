"""The parameters of a function, from its signature, and calls of the function with their values.

A function is ``f(x, a, b, ...)``.  Its parameters are the arguments after x: every positional one,
also with a default, as for `scipy.optimize.curve_fit`, and every keyword-only one without a
default.  In ``functools.partial(f, a=2)`` the arguments after ``a`` are keyword-only.  ``**kwargs``
accepts parameters that are named only with their start values; ``*args`` accepts any number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from inspect import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_VARARGS,
    CO_VARKEYWORDS,
    Parameter,
    signature,
)
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

import numpy as np

_YIELDS = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Parameters(NamedTuple):
    """The parameters of a function, without its first argument.

    Attributes
    ----------
    names : tuple of str or None
        None if the function has ``*args``, or if it has no signature that Python can read, like
        some functions written in C.
    n_by_name : int
        How many of the parameters, the last ones, are passed by name.
    takes_names : bool
        Whether the function has ``**kwargs``.
    """

    names: tuple[str, ...] | None
    n_by_name: int = 0
    takes_names: bool = False


@dataclass(frozen=True)
class ByName:
    """Calls a function, whose last parameters are passed by name, with all of them by place."""

    function: Callable[..., Any]
    names: tuple[str, ...]
    n_by_name: int

    def __call__(self, x: Any, *params: Any) -> Any:
        """Return function(x, a, b, ..., c=c, d=d, ...)."""
        first = len(params) - self.n_by_name
        named = dict(zip(self.names[-self.n_by_name :], params[first:], strict=True))
        return self.function(x, *params[:first], **named)


def with_more(
    function: Callable[..., Any], names: tuple[str, ...], more: tuple[str, ...]
) -> Callable[..., Any]:
    """Return a function of ``names`` and, after them, of ``more``, which its ``**kwargs`` get."""
    if isinstance(function, ByName):
        return ByName(function.function, (*names, *more), function.n_by_name + len(more))
    return ByName(function, more, len(more)) if more else function


def code_of(function: Any) -> CodeType | None:
    """Return the code of a function or method written in Python."""
    if type(function) is FunctionType:
        return function.__code__
    if isinstance(function, ByName):
        function = function.function
    if type(function) is MethodType:
        function = function.__func__
    return function.__code__ if type(function) is FunctionType else None


@lru_cache(maxsize=256)
def parameters_by_place(code: CodeType, first: int) -> Parameters | None:
    """Return the parameters from argument ``first`` on; None if any may not be passed by place.

    None, too, of code that returns no numbers, which `parameters_of` refuses.
    """
    if code.co_flags & (CO_VARARGS | CO_VARKEYWORDS | _YIELDS) or code.co_kwonlyargcount:
        return None
    return Parameters(code.co_varnames[first : code.co_argcount])


def parameter_names(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """Return the names of the parameters after x, or None if the signature does not tell them."""
    return parameters_of(function).names


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """Return the parameters of a function after its first argument.

    Raises
    ------
    TypeError
        It is a generator function or an async function, which returns no numbers.
    """
    code = None if isinstance(function, ByName) else code_of(function)
    if code is not None and code.co_flags & _YIELDS:
        raise TypeError(
            f"{code.co_name} is a generator or an async function, and a model returns numbers: "
            "write it with def and return"
        )
    # most functions are simple, and need no call of the slow `signature`
    if code is not None and not hasattr(function, "__wrapped__"):
        simple = parameters_by_place(code, 1 if type(function) is FunctionType else 2)
        if simple is not None:
            return simple
    if isinstance(function, np.ufunc):  # its signature names outputs and settings, too
        return Parameters(tuple(f"x{i}" for i in range(2, function.nin + 1)))
    try:
        parameters = list(signature(function).parameters.values())
    except (ValueError, TypeError):
        return Parameters(None)
    kinds = {p.kind for p in parameters}
    if Parameter.VAR_POSITIONAL in kinds:
        return Parameters(None)
    by_place = [p.name for p in parameters if p.kind in _POSITIONAL][1:]
    by_name = [
        p.name
        for p in parameters
        if p.kind is Parameter.KEYWORD_ONLY and p.default is Parameter.empty
    ]
    return Parameters((*by_place, *by_name), len(by_name), Parameter.VAR_KEYWORD in kinds)
