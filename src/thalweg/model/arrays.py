"""Arrays of symbols, for models that take all their parameters as one array.

They are NumPy arrays of Python objects.  NumPy computes their sums and products, also ``@``, by the
operators of the elements; this module calls other functions with each element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

# np.fix, if this NumPy has it: it is deprecated in favour of np.trunc, a ufunc
FIX: Final = {vars(np)[name] for name in ("fix",) if name in vars(np)}
_OF_EACH: Final = frozenset({np.where, np.clip, np.round, np.around, np.sinc, *FIX})


class Symbols(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of symbols, which can be sliced, reshaped and multiplied (``@``) like any array.

    Functions of NumPy act on each element.
    """

    @classmethod
    def of(cls, symbols: Sequence[Any]) -> Symbols:
        """Return the array of ``symbols``, shape (len(symbols),)."""
        array = np.empty(len(symbols), object)
        array[:] = symbols
        return array.view(cls)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return act_on_arrays(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in _OF_EACH:
            return act_on_each(function, args, kwargs)
        return super().__array_function__(function, types, args, kwargs)


def is_array_of_symbols(value: Any) -> bool:
    """Return whether a value is an array of Python objects, which may be symbols."""
    return isinstance(value, np.ndarray) and value.dtype == object


def act_on_each(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a function with the elements of its arguments, which broadcast."""
    call = np.frompyfunc(lambda *elements: function(*elements, **kwargs), len(args), 1)
    return _symbols(call(*[np.asarray(a, object) for a in args]))


def act_on_arrays(ufunc: np.ufunc, method: str, inputs: Any, options: dict[str, Any]) -> Any:
    """Call a ufunc with each element; sums and ``@`` are left to NumPy's rules for objects."""
    if method == "__call__" and ufunc.signature is None:
        return act_on_each(ufunc, inputs, options)
    return _symbols(getattr(ufunc, method)(*[np.asarray(a, object) for a in inputs], **options))


def _symbols(value: Any) -> Any:
    return value.view(Symbols) if isinstance(value, np.ndarray) else value
