"""The operators of models: ``gaussian + line``, ``2 * exponential``, ``line * sine``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .composition import ComposedModel


class Composable:
    """A model that ``+ - * /`` combine with other models, functions, formulas and numbers."""

    __slots__ = ()
    __array_ufunc__ = None  # so that a number of NumPy leaves its operators to the model

    def __add__(self, other: Any) -> ComposedModel:
        return _combined("+", self, other)

    def __radd__(self, other: Any) -> ComposedModel:
        return _combined("+", other, self)

    def __sub__(self, other: Any) -> ComposedModel:
        return _combined("-", self, other)

    def __rsub__(self, other: Any) -> ComposedModel:
        return _combined("-", other, self)

    def __mul__(self, other: Any) -> ComposedModel:
        return _combined("*", self, other)

    def __rmul__(self, other: Any) -> ComposedModel:
        return _combined("*", other, self)

    def __truediv__(self, other: Any) -> ComposedModel:
        return _combined("/", self, other)

    def __rtruediv__(self, other: Any) -> ComposedModel:
        return _combined("/", other, self)

    def __neg__(self) -> ComposedModel:
        return _combined("*", -1.0, self)

    def prefixed(self, prefix: str) -> ComposedModel:
        """Return the model with ``prefix`` before the name of each of its parameters.

        Raises
        ------
        ValueError
            The names that result are no names of Python.

        Examples
        --------
        >>> import thalweg as tw
        >>> peaks = tw.models.gaussian.prefixed("a_") + tw.models.gaussian.prefixed("b_")
        >>> peaks.names
        ('a_amplitude', 'a_x0', 'a_sigma', 'b_amplitude', 'b_x0', 'b_sigma', 'offset')
        """
        from .composition import prefixed

        return prefixed(self, prefix)


def _combined(op: str, left: Any, right: Any) -> ComposedModel:
    from .composition import combined  # which itself makes models

    model: ComposedModel = combined(op, left, right)  # or NotImplemented, for Python alone
    return model
