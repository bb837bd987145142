"""What a model of another library becomes: a model and the options of a fit."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Any, Final, NamedTuple

OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}


class Converted(NamedTuple):
    """A model and the options that say the rest: ``tw.fit(c.model, x, y, **c.options)``.

    Attributes
    ----------
    model : callable
        ``f(x, *params)``, or with several variables ``f((x, y), *params)``, with ``names`` and
        ``independent``.
    options : dict
        p0, and bounds, fixed, tied and others where they are needed.
    """

    model: ConvertedModel
    options: dict[str, Any]


class ConvertedModel:
    """A model function with the names of its parameters and variables.

    Attributes
    ----------
    name : str
        What the model was called.
    names : tuple of str
        Its parameters.
    independent : tuple of str
        Its independent variables.
    """

    guesses = False
    restorable = False  # its name alone does not bring it back from a file

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        independent: Sequence[str],
        value: Callable[[tuple[Any, ...], dict[str, Any]], Any],
    ) -> None:
        self.name, self.names, self.independent = name, tuple(names), tuple(independent)
        self._value = value

    def __call__(self, x: Any, *params: Any) -> Any:
        """Return f(x, *params)."""
        variables = (x,) if len(self.independent) == 1 else tuple(x)
        return self._value(variables, dict(zip(self.names, params, strict=True)))

    def __repr__(self) -> str:
        return f"<ConvertedModel {self.name}: {', '.join(self.names)}>"


def with_arguments(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """Return ``function(**values)`` as a function of arguments with these names."""

    def tie(*values: Any) -> Any:
        return function(**dict(zip(names, values, strict=True)))

    kind = Parameter.POSITIONAL_OR_KEYWORD
    tie.__signature__ = Signature([Parameter(n, kind) for n in names])  # type: ignore[attr-defined]
    tie.__name__ = getattr(function, "__name__", "tie")
    return tie
