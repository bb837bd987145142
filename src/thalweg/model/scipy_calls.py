"""SciPy's functions that mix points, in functions that are being recorded.

NumPy asks a symbol what its functions mean; `scipy.signal` and `scipy.integrate` do not, and try to
make an array of it.  A function that was refused there is recorded once more, as a copy that finds
other functions under those names, wherever it or the functions of the user that it calls look for
them: in their globals and closures.  Nothing outside of the copy changes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any, Final

import numpy as np

from . import curves
from .refusal import RecordingError, is_user_code, refuse
from .signature import ByName
from .symbol import Symbol


def _recorder_of(*values: Any) -> Any:
    return next((v._recorder for v in values if isinstance(v, Symbol)), None)


def _convolution(name: str) -> Callable[..., Any]:
    def convolve(
        recorder: Any, in1: Any, in2: Any, mode: str = "full", *more: Any, **options: Any
    ) -> Any:
        if isinstance(in2, Symbol) and mode != "full":
            refuse(f"{name} of fixed numbers with a curve", "give the curve first")
        return curves.FUNCTIONS[np.convolve](recorder, in1, in2, mode)

    return convolve


# What the functions of SciPy mean for symbols, by the module and name that they have in public.
_MEANING: Final[dict[str, Callable[..., Any]]] = {
    **{
        f"scipy.signal.{name}": _convolution(f"scipy.signal.{name}")
        for name in ("convolve", "fftconvolve", "oaconvolve")
    },
    "scipy.integrate.cumulative_trapezoid": curves.cumulative_trapezoid,
    "scipy.integrate.trapezoid": curves.trapezoid,
}


def with_meaning(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return a copy of a function in which SciPy's functions take symbols; None if it has none."""
    copy: Callable[..., Any] | None = _Copies().of(function)
    return copy


class _Copies:
    """Copies of functions of the user's, each made once."""

    def __init__(self) -> None:
        self.known: dict[int, Any] = {}
        self.functions: dict[int, Callable[..., Any]] = {}
        for name, meaning in _MEANING.items():
            module, _, attribute = name.rpartition(".")
            found = getattr(sys.modules.get(module), attribute, None)
            if found is not None:
                self.functions[id(found)] = _either(found, meaning)

    def of(self, function: Any) -> Any:
        """The copy of a callable, or None if it is of a kind that cannot be copied."""
        if isinstance(function, FunctionType):
            return self._copy(function)
        if isinstance(function, partial):
            inner = self.of(function.func)
            return None if inner is None else partial(inner, *function.args, **function.keywords)
        if isinstance(function, MethodType):
            inner = self.of(function.__func__)
            return None if inner is None else MethodType(inner, function.__self__)
        if isinstance(function, ByName):
            inner = self.of(function.function)
            return None if inner is None else replace(function, function=inner)
        return None

    def replaced(self, value: Any) -> Any:
        """What a name of the user's stands for in a copy."""
        if id(value) in self.functions:
            return self.functions[id(value)]
        if isinstance(value, ModuleType) and value.__name__.split(".")[0] == "scipy":
            return _Module(self, value)
        if isinstance(value, FunctionType) and is_user_code(value.__code__.co_filename):
            return self._copy(value)
        return value

    def _copy(self, function: FunctionType) -> Any:
        if id(function) not in self.known:
            cells = tuple(CellType() for _ in function.__closure__ or ())
            copy = FunctionType(
                function.__code__,
                _Names(self, function.__globals__),
                function.__name__,
                function.__defaults__,
                cells if function.__closure__ is not None else None,
            )
            copy.__kwdefaults__ = function.__kwdefaults__
            self.known[id(function)] = copy
            for cell, old in zip(cells, function.__closure__ or (), strict=True):
                try:
                    cell.cell_contents = self.replaced(old.cell_contents)
                except ValueError:  # a variable that has no value yet
                    continue
        return self.known[id(function)]


def _either(function: Callable[..., Any], meaning: Callable[..., Any]) -> Callable[..., Any]:
    """A function that records symbols and leaves everything else to SciPy."""

    def call(*args: Any, **kwargs: Any) -> Any:
        recorder = _recorder_of(*args, *kwargs.values())
        numbers = None if recorder is None else recorder.concrete([*args, *kwargs.values()])
        if recorder is None:
            return function(*args, **kwargs)
        if numbers is not None:
            given = dict(zip(kwargs, numbers[len(args) :], strict=True))
            return function(*numbers[: len(args)], **given)
        try:
            return meaning(recorder, *args, **kwargs)
        except TypeError as error:
            raise RecordingError(f"a call of {function.__name__}: {error}") from None

    return call


class _Names(dict[str, Any]):
    """The globals of a copy: those of the function, as they are when it looks."""

    def __init__(self, copies: _Copies, names: dict[str, Any]) -> None:
        super().__init__()
        self.copies, self.names = copies, names

    def __getitem__(self, name: str) -> Any:
        return self.copies.replaced(self.names[name])


class _Module:
    """A module of SciPy whose functions take symbols."""

    def __init__(self, copies: _Copies, module: ModuleType) -> None:
        self._copies, self._module = copies, module

    def __getattr__(self, name: str) -> Any:
        return self._copies.replaced(getattr(self._module, name))
