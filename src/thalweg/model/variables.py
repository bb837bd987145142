"""Several independent variables, which a model finds by their places or by their names."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from .refusal import refuse
from .symbol import Symbol, refusal


class Variables(tuple[Symbol, ...]):
    """Several independent variables: ``x[0]``, ``x[0, :]``, ``x, y = xy``; no arithmetic."""

    __slots__ = ()
    __array_ufunc__ = None
    __array__ = refusal("conversion to a NumPy array")

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple) and all(k is Ellipsis or k == slice(None) for k in key[1:]):
            key = key[0]
        return super().__getitem__(key)

    def _no_arithmetic(self, other: Any) -> NoReturn:
        refuse(
            "arithmetic with all independent variables at once",
            "name them first: x, y = xy",
        )

    __add__ = __radd__ = __mul__ = __rmul__ = _no_arithmetic


class Columns(Mapping[str, Symbol]):
    """Independent variables by name: ``x["t"]``, or ``x.t`` as for the columns of a table.

    ``noted(name)`` is called when the model asks for one.
    """

    def __init__(
        self, symbols: dict[str, Symbol], noted: Callable[[str], Any] = lambda name: None
    ) -> None:
        self._symbols, self._noted = symbols, noted

    def __getitem__(self, name: Any) -> Symbol:
        if isinstance(name, list | slice | np.ndarray):
            refuse(f"x[{name!r}]", "take one column at a time, x[name]")
        symbol = self._symbols[name]
        self._noted(name)
        return symbol

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._symbols:
            return self[name]
        refuse(f"attribute .{name} of the columns of x", "take one column at a time, x[name]")

    def __iter__(self) -> Iterator[str]:
        return iter(self._symbols)

    def __len__(self) -> int:
        return len(self._symbols)
