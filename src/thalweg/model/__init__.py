"""From a plain Python function, a formula or a name to a program for the engine.

graph      the expression graph and the meaning of every operation
symbol     values that note what is done to them, and arrays of them in arrays
trace      a function, called once with symbols
signature  its parameters, and how they are passed
formula    text, parsed
autodiff   derivatives, as more graph
tape       both, as a program in three stages
library    the built-in models, their start values in guess, starts and peaks

What runs at every fit is compiled, in `thalweg._core`: graph (with its rules, simplify.pxi), value
(operators of symbols) and lower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .signature import ByName, parameters_of


class ModelInfo(NamedTuple):
    """What a fit needs to know of a model.

    Attributes
    ----------
    function : callable
        ``f(x, *params)``.
    names : tuple of str or None
        The parameters; None where the function takes ``*args``.
    n_x : int or None
        How many independent variables it takes, if known.
    guess : callable or None
        Start values from data, ``guess(x, y)``.
    label : str
        How to call it.
    independent : tuple of str
        The names of the variables, if known.
    takes_names : bool
        Whether the function has ``**kwargs``, which take parameters that only p0 names.
    """

    function: Callable[..., Any]
    names: tuple[str, ...] | None
    n_x: int | None
    guess: Callable[..., Any] | None
    label: str
    independent: tuple[str, ...] = ()
    takes_names: bool = False


def as_model(model: Any, independent: str | Sequence[str] | None = None) -> ModelInfo:
    """Return what a fit needs to know of a function, a formula or a built-in model.

    Parameters
    ----------
    model : callable, str or Model
        A string is the name of a built-in model or a formula.
    independent : str or sequence of str, optional
        The independent variables of a formula; "x" if it is not said, or "x" and "y" if the
        formula uses both.

    Raises
    ------
    ValueError
        The formula is wrong.
    TypeError
        It is none of these.
    """
    if isinstance(model, str):
        return _from_text(model, independent)
    if not callable(model):
        raise TypeError(
            f"model must be a function, a formula or a built-in model, got {type(model).__name__}"
        )
    if hasattr(model, "names") and hasattr(model, "independent"):  # built in, or a parsed formula
        return ModelInfo(
            getattr(model, "function", model),
            model.names,
            len(model.independent),
            getattr(model, "guess", None),
            getattr(model, "name", None) or model.text,
            model.independent,
        )
    label = getattr(model, "__name__", type(model).__name__)
    names, n_by_name, takes_names = parameters_of(model)
    function = ByName(model, names, n_by_name) if names and n_by_name else model
    return ModelInfo(function, names, None, None, label, (), takes_names)


def _from_text(text: str, independent: str | Sequence[str] | None) -> ModelInfo:
    from .formula import parse
    from .library import get_model

    if text.isidentifier():
        return as_model(get_model(text))
    if independent is None:
        independent = ("x", "y") if "y" in parse(text, "x").names else "x"
    return as_model(parse(text, independent))
