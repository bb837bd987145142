"""Turn a plain Python function, a formula or the name of a model into a program for the engine.

graph      the expression graph and the meaning of every operation
symbol     values that note what is done to them; arrays holds arrays of them
trace      the recording: a call of the function with symbols
signature  the parameters of a function, and how they are passed
formula    the parser of formulas
autodiff   derivatives, as more nodes of the graph
tape       the model and its derivatives as a program in three stages
library    the built-in models; their start values come from guess, starts and peaks
composition  models composed of others by + - * /; see arithmetic, parts, composed_text

The parts that run at every fit are compiled, in `thalweg._core`: graph (with its rules,
simplify.pxi), value (operators of symbols) and lower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any, NamedTuple

from .signature import ByName, parameters_by_place, parameters_of


class ModelInfo(NamedTuple):
    """What a fit needs to know of a model.

    Attributes
    ----------
    function : callable
        ``f(x, *params)``.
    names : tuple of str or None
        The names of the parameters; None if the function takes ``*args``.
    n_x : int or None
        How many independent variables the function takes, if known.
    guess : callable or None
        Start values from data, ``guess(x, y)``.
    label : str
        What messages call the model.
    independent : tuple of str
        The names of the independent variables, if known.
    takes_names : bool
        Whether the function has ``**kwargs``, which accept parameters that only p0 names.
    is_text : bool
        Whether the label alone tells what the model is: a formula or the name of a built-in model.
    """

    function: Callable[..., Any]
    names: tuple[str, ...] | None
    n_x: int | None
    guess: Callable[..., Any] | None
    label: str
    independent: tuple[str, ...] = ()
    takes_names: bool = False
    is_text: bool = False


def as_model(model: Any, independent: str | Sequence[str] | None = None) -> ModelInfo:
    """Return what a fit needs to know of a function, a formula or a built-in model.

    Parameters
    ----------
    model : callable, str or Model
        A string is the name of a built-in model, such names with operators ("gaussian + line"),
        or a formula.
    independent : str or sequence of str, optional
        The independent variables of a formula.  Without it they are "x", or "x" and "y" if the
        formula uses both.

    Raises
    ------
    ValueError
        The formula is wrong.
    TypeError
        The model is none of these.
    """
    if type(model) is FunctionType and not model.__dict__:  # the usual case
        found = parameters_by_place(model.__code__, 1)
        if found is not None:
            return ModelInfo(model, found.names, None, None, model.__name__)
    if isinstance(model, str):
        usual = independent is None or type(independent) is str
        model = _same_text(model, independent) if usual else of_text(model, independent)
    if not callable(model):
        raise TypeError(
            f"model must be a function, a formula or a built-in model, got {type(model).__name__}"
        )
    if hasattr(model, "names") and hasattr(model, "independent"):  # built in, or a parsed formula
        return ModelInfo(
            getattr(model, "function", model),
            model.names,
            len(model.independent) or None,
            getattr(model, "guess", None) if getattr(model, "guesses", True) else None,
            getattr(model, "name", None) or model.text,
            model.independent,
            is_text=getattr(model, "restorable", True),
        )
    return _of_function(model)


def _of_function(model: Callable[..., Any]) -> ModelInfo:
    """What a fit needs to know of a function."""
    names, n_by_name, takes_names = parameters_of(model)
    function = ByName(model, names, n_by_name) if names and n_by_name else model
    label = getattr(model, "__name__", type(model).__name__)
    return ModelInfo(function, names, None, None, label, (), takes_names)


def of_text(text: str, independent: str | Sequence[str] | None = None) -> Any:
    """Return the built-in model of that name, or the formula or the composed model that a text is.

    Without ``independent`` the variables of a formula are "x", or "x" and "y" if it uses both.  A
    text without variables whose names are those of built-in models, such as "gaussian + line", is
    composed of these.
    """
    from .formula import parse
    from .library import get_model

    if text.isidentifier():
        return get_model(text)
    try:
        if independent is None:
            independent = ("x", "y") if "y" in parse(text, "x").names else "x"
        return parse(text, independent)
    except ValueError:
        from .composition import of_names

        if (model := of_names(text)) is None:
            raise
        return model


_same_text = lru_cache(maxsize=256)(of_text)  # a loop of fits gives the same text again and again
