"""Calls of built-in models within formulas, such as ``"gaussian(x, a1, x1, s1) + line(x, m, c)"``.

A call gives the independent variables and then the parameters, by place or by name.  The parameter
``offset`` may be left out and is then 0: a sum of peaks has one constant, not one for each peak.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from .._arguments.spelling import did_you_mean
from .registry import OFFSET, Model

T = TypeVar("T")


def model_named(name: str) -> Model | None:
    """Return the built-in model of that name; None if there is none."""
    from .library import get_model  # loaded only for formulas that call something unknown

    try:
        return get_model(name)
    except ValueError:
        return None


def model_names() -> list[str]:
    """Return the names of the built-in models."""
    from .library import MODELS

    return list(MODELS)


def meant_model(names: Sequence[str]) -> str:
    """Return the end of a sentence on a name that is that of a built-in model, or nearly so."""
    known = model_names()
    for name in names:
        near = [name] if name in known else get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            model = model_named(near[0])
            call = (
                f"{near[0]}({', '.join((*model.independent, *model.names))})" if model else near[0]
            )
            return f"; {near[0]} is a built-in model, in a formula {call}"
    return ""


def arguments_of(model: Model, given: Sequence[T], named: Mapping[str, T], nothing: T) -> list[T]:
    """Return the arguments of a call: one for each variable and each parameter, in order.

    Parameters
    ----------
    model : Model
    given : sequence
        The arguments by place.
    named : mapping
        The arguments by name.
    nothing : object
        Stands for an offset that is left out.

    Raises
    ------
    ValueError
        An argument is missing, given twice, unknown or one too many.
    """
    order = [*model.independent, *model.names]
    form = f"{model.name}({', '.join(order)})"
    for name in named:
        if name not in order:
            raise ValueError(f"{form} has no argument {name}{did_you_mean(name, order)}")
    if OFFSET in order and OFFSET not in named and len(given) + len(named) < len(order):
        named = {**named, OFFSET: nothing}
    open_places = [name for name in order if name != OFFSET or OFFSET not in named]
    if len(given) > len(open_places):
        most = len(order) - len(named)
        raise ValueError(f"{form} takes {most} arguments by place here, not {len(given)}")
    values = dict(zip(open_places, given, strict=False))
    if twice := [name for name in values if name in named]:
        raise ValueError(f"{form} is given {twice[0]} twice")
    values |= named
    if absent := [name for name in order if name not in values]:
        raise ValueError(f"{form} lacks {', '.join(absent)}")
    return [values[name] for name in order]


def by_place(model: Model) -> Callable[..., Any]:
    """Return the model as a function of its variables, one after the other, and parameters."""
    n = len(model.independent)

    def function(*values: Any) -> Any:
        return model.function(values[0] if n == 1 else values[:n], *values[n:])

    return function
