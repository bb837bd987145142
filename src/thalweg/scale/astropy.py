"""Models of astropy as models of `thalweg.fit`: `from_astropy`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._optional import optional
from ..model.functions import voigt_profile
from ._converted import OPERATORS, Converted, ConvertedModel, with_arguments

__all__ = ["from_astropy"]

Value = Callable[[tuple[Any, ...], Mapping[str, Any]], Any]


def from_astropy(model: Any) -> Converted:
    """Return a model of `astropy.modeling` as a model and options of `thalweg.fit`.

    Its values become ``p0``; ``fixed``, ``bounds`` and ``tied`` keep their meaning.  Compound
    models by ``+ - * / ** |`` are taken apart, and every other model is evaluated by its own
    ``evaluate``, which is recorded if it can be.

    Parameters
    ----------
    model : astropy.modeling.Model
        A model of one output.  Of a set of models each is the start of one data set.

    Returns
    -------
    Converted
        Its ``model`` and ``options``: ``tw.fit(c.model, x, y, **c.options)``.

    Raises
    ------
    TypeError
        ``model`` is none of astropy's.
    ValueError
        The model has units, several outputs or a parameter that is an array; models are combined
        in another way; or a tie is no function of parameters.

    Examples
    --------
    >>> import thalweg as tw
    >>> from thalweg.scale.astropy import from_astropy
    >>> from astropy.modeling.models import Const1D, Gaussian1D  # doctest: +SKIP
    >>> c = from_astropy(Gaussian1D(5, 4, 1) + Const1D(1))  # doctest: +SKIP
    >>> r = tw.fit(c.model, x, y, **c.options)  # doctest: +SKIP
    """
    modeling = optional("astropy.modeling", "from_astropy needs")
    if not isinstance(model, modeling.Model):
        raise TypeError(f"model must be a model of astropy, got {type(model).__name__}")
    names = tuple(model.param_names)
    if model.n_outputs != 1:
        raise ValueError(f"the model has {model.n_outputs} outputs; a fit takes models of one")
    if any(getattr(model, name).unit is not None for name in names):
        raise ValueError("the model has units, which are not read: take them off, as by .value")
    label = model.name or type(model).__name__
    return Converted(
        ConvertedModel(label, names, model.inputs, _value(model, names)), _options(model, names)
    )


def _value(model: Any, names: Sequence[str]) -> Value:
    """The function of variables and parameters that a model computes.

    ``names`` are those of its parameters in the whole, in order.
    """
    if not hasattr(model, "op"):
        evaluate = _ANEW.get(type(model).__name__, model.evaluate)
        return lambda x, p: evaluate(*x, *[p[name] for name in names])
    if model.op != "|" and model.op not in OPERATORS:
        raise ValueError(
            f"models combined by {model.op!r} have no counterpart: only + - * / ** | have"
        )
    n = len(model.left.param_names)
    left, right = _value(model.left, names[:n]), _value(model.right, names[n:])
    if model.op == "|":
        return lambda x, p: right((left(x, p),), p)
    combine = OPERATORS[model.op]
    return lambda x, p: combine(left(x, p), right(x, p))


def _voigt(x: Any, x_0: Any, amplitude_L: Any, fwhm_L: Any, fwhm_G: Any) -> Any:
    """A Voigt profile of the area of a Lorentzian with this height and width."""
    area = amplitude_L * fwhm_L * (np.pi / 2)
    return area * voigt_profile(x - x_0, fwhm_G / np.sqrt(8 * np.log(2)), fwhm_L / 2)


# What cannot be recorded as astropy evaluates it.
_ANEW: dict[str, Callable[..., Any]] = {
    "Const1D": lambda x, amplitude: amplitude + 0 * x,
    "Const2D": lambda x, y, amplitude: amplitude + 0 * x,
    "Voigt1D": _voigt,
}


# ---- what a model says of its parameters -------------------------------------------------------


def _options(model: Any, names: Sequence[str]) -> dict[str, Any]:
    """Starts, bounds, fixed and tied parameters."""
    p0 = {name: _start(model, name) for name in names}
    tied: dict[str, Any] = {}
    fixed = [name for name in names if model.fixed[name]]
    for name in names:
        if model.tied[name] and name not in fixed:
            tie = _tie(model, name, names, p0)
            if tie is None:  # a constant
                p0[name] = float(model.tied[name](model))
                fixed.append(name)
            else:
                tied[name] = tie
    bounds = {
        name: pair
        for name in names
        if (pair := tuple(model.bounds[name])) != (None, None) and name not in (*fixed, *tied)
    }
    given = {"bounds": bounds, "fixed": fixed, "tied": tied}
    starts = {name: value for name, value in p0.items() if name not in tied}
    return {"p0": starts} | {name: value for name, value in given.items() if value}


def _start(model: Any, name: str) -> Any:
    """The start of a parameter: one number, or of a set of models one for each."""
    value = np.asarray(getattr(model, name).value, float)
    n = len(model)
    if n > 1 and value.shape == (n,):
        return value
    if value.size != 1:
        raise ValueError(f"the parameter {name!r} is an array of shape {value.shape}")
    return float(value.reshape(()))


def _tie(
    model: Any, name: str, names: Sequence[str], values: Mapping[str, Any]
) -> Callable[..., Any] | None:
    """A tie of astropy, a function of the model, as one of the parameters that it reads.

    It is called with a stand-in for the model, which notes what is read; None if that is nothing.
    """
    rule, leaves = model.tied[name], _leaves(model, names)
    seen = _StandIn(values, leaves)
    try:
        rule(seen)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"the tie of {name!r} is no function of parameters alone, such as "
            f"lambda model: 2 * model.{names[0]}: {error}"
        ) from None
    used = sorted(seen.read)
    return with_arguments(lambda **p: rule(_StandIn(p, leaves)), used) if used else None


def _leaves(model: Any, names: Sequence[str]) -> list[tuple[str | None, dict[str, str]]]:
    """Each part of a compound model: its name, and what its parameters are called in the whole."""
    if not hasattr(model, "op"):
        return [(model.name, dict(zip(model.param_names, names, strict=True)))]
    n = len(model.left.param_names)
    return _leaves(model.left, names[:n]) + _leaves(model.right, names[n:])


class _StandIn:
    """Stands for a model in a tie: has its parameters as attributes, and its parts by index."""

    def __init__(
        self,
        values: Mapping[str, Any],
        leaves: Sequence[tuple[str | None, dict[str, str]]],
        called: Mapping[str, str] | None = None,
        read: set[str] | None = None,
    ) -> None:
        self._values, self._leaves, self._called = values, leaves, called
        self.read: set[str] = set() if read is None else read

    def __getattr__(self, name: str) -> Any:
        """Return the value of a parameter."""
        whole = name if self._called is None else self._called.get(name, name)
        if name.startswith("__") or whole not in self._values:
            raise AttributeError(f"no parameter {name!r}")
        self.read.add(whole)
        return self._values[whole]

    def __getitem__(self, key: int | str) -> _StandIn:
        """Return a part, by its number or its name."""
        if isinstance(key, str):
            called = next(called for name, called in self._leaves if name == key)
        else:
            called = self._leaves[key][1]
        return _StandIn(self._values, self._leaves, called, self.read)
