"""Models of lmfit as models of `thalweg.fit`: `from_lmfit`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from inspect import signature
from math import isfinite
from typing import Any

import numpy as np

from .._optional import optional
from ..model.formula import expression
from ..model.functions import voigt_profile
from ._converted import Converted, ConvertedModel

__all__ = ["from_lmfit"]

_OPERATORS = (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)
_PI2 = 2 * np.pi


def from_lmfit(model: Any, params: Any = None) -> Converted:
    """Return a model of lmfit as a model and options of `thalweg.fit`.

    ``vary=False`` becomes ``fixed``, ``min`` and ``max`` become ``bounds``, and ``expr`` becomes
    ``tied``.  Models may have prefixes and be combined by ``+ - * /``.  The line shapes of lmfit
    are written anew, with the same parameters, so that they can be recorded; any other function is
    called as it is, and recorded if it can be.

    Parameters
    ----------
    model : lmfit.Model or lmfit.model.ModelResult
        Fits start at the parameters at the end of a result.
    params : lmfit.Parameters, optional
        Starts, bounds and ties; by default those of `lmfit.Model.make_params`.

    Returns
    -------
    Converted
        Its ``model`` and ``options``.

    Raises
    ------
    TypeError
        ``model`` is none of lmfit's.
    ValueError
        A parameter has no start, or an ``expr`` or a combination of models has no counterpart.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> from lmfit.models import GaussianModel, LinearModel  # doctest: +SKIP
    >>> from thalweg.scale.lmfit import from_lmfit
    >>> peak = GaussianModel(prefix="g_") + LinearModel()  # doctest: +SKIP
    >>> start = peak.make_params(g_amplitude=5, g_center=4, g_sigma=1, slope=0, intercept=1)
    ...  # doctest: +SKIP
    >>> c = from_lmfit(peak, start)  # doctest: +SKIP
    >>> r = tw.fit(c.model, x, y, **c.options)  # doctest: +SKIP
    """
    lmfit = optional("lmfit", "from_lmfit needs")
    options: dict[str, Any] = {}
    if isinstance(model, lmfit.model.ModelResult):
        options["absolute_sigma"] = not model.scale_covar
        params = model.params if params is None else params
        model = model.model
    if not isinstance(model, lmfit.Model):
        raise TypeError(f"model must be a Model of lmfit or its result, got {type(model).__name__}")
    params = model.make_params() if params is None else params
    names = _needed(_names(model, params, lmfit), params)
    converted = ConvertedModel(model.name, names, _variables(model), _value(model, params, lmfit))
    return Converted(converted, options | _options(names, params))


def _names(model: Any, params: Any, lmfit: Any) -> list[str]:
    """The parameters that a model computes with; ``param_names`` has derived ones as well."""
    if isinstance(model, lmfit.model.CompositeModel):
        both = (name for part in (model.left, model.right) for name in _names(part, params, lmfit))
        return list(dict.fromkeys(both))
    return [model.prefix + root for root in _roots(model, params)]


def _roots(model: Any, params: Any) -> list[str]:
    """The names without prefix: those of the model, and optional arguments that params gives."""
    roots = list(model._param_root_names or model.param_names)  # an ExpressionModel has no roots
    others = {*roots, *model.independent_vars, *_further(model)}
    arguments = signature(model.func).parameters
    return roots + [a for a in arguments if a not in others and model.prefix + a in params]


def _variables(model: Any) -> list[str]:
    """The independent variables, without options such as the form of a step."""
    further = _further(model)
    return [str(name) for name in model.independent_vars if name not in further]


def _further(model: Any) -> dict[str, Any]:
    """The arguments of a model's function that are neither variables nor parameters."""
    return {**(getattr(model, "independent_vars_defvals", None) or {}), **(model.opts or {})}


def _needed(names: list[str], params: Any) -> list[str]:
    """The parameters of the model, and those beside it that ties of these depend on."""
    needed = list(names)
    for name in needed:  # the list grows
        if name not in params:
            raise ValueError(f"params has no parameter {name!r}, which the model takes")
        if (expr := params[name].expr) is not None:
            needed += [word for word in _words(name, expr, params) if word not in needed]
    return needed


def _words(name: str, expr: str, params: Any) -> tuple[str, ...]:
    """The parameters that an expr of lmfit uses, if it is a formula here, too."""
    try:
        return tuple(expression(expr, list(params)).names)
    except ValueError as error:
        raise ValueError(
            f"the expr of {name!r}, {expr!r}, has no counterpart as a tie: {error}"
        ) from None


def _options(names: list[str], params: Any) -> dict[str, Any]:
    """Starts, bounds, fixed and tied parameters."""
    p0: dict[str, float] = {}
    bounds: dict[str, tuple[float | None, float | None]] = {}
    tied: dict[str, str] = {}
    for name in names:
        p = params[name]
        if p.expr is not None:
            tied[name] = _clipped(p)
            continue
        if not isfinite(p.value):
            raise ValueError(f"{name!r} has no start: give it a value in params")
        p0[name] = float(p.value)
        if p.vary and (isfinite(p.min) or isfinite(p.max)):
            bounds[name] = tuple(float(v) if isfinite(v) else None for v in (p.min, p.max))  # type: ignore[assignment]
    fixed = [name for name in p0 if not params[name].vary]
    given = {"bounds": bounds, "fixed": fixed, "tied": tied}
    return {"p0": p0} | {name: value for name, value in given.items() if value}


def _clipped(p: Any) -> str:
    """The expr of a parameter, cut to its bounds, as lmfit cuts it."""
    text = str(p.expr)
    text = f"maximum({text}, {p.min})" if isfinite(p.min) else text
    return f"minimum({text}, {p.max})" if isfinite(p.max) else text


# ---- the values of models ----------------------------------------------------------------------

Value = Callable[[tuple[Any, ...], dict[str, Any]], Any]


def _value(model: Any, params: Any, lmfit: Any) -> Value:
    """The function of variables and parameters by name that a model computes."""
    if isinstance(model, lmfit.model.CompositeModel):
        if model.op not in _OPERATORS:
            raise ValueError(
                f"models combined by {getattr(model.op, '__name__', model.op)!r} have no "
                "counterpart: only + - * / have"
            )
        left, right = (_value(part, params, lmfit) for part in (model.left, model.right))
        op = model.op
        return lambda x, p: op(left(x, p), right(x, p))
    function, prefix = _function(model), model.prefix
    variables, roots, further = _variables(model), _roots(model, params), _further(model)

    def value(x: tuple[Any, ...], p: Mapping[str, Any]) -> Any:
        own = {root: p[prefix + root] for root in roots}
        return function(**dict(zip(variables, x, strict=True)), **own, **further)

    return value


def _function(model: Any) -> Callable[..., Any]:
    """The function of a model; one of lmfit's own line shapes written anew."""
    of_lmfit = getattr(model.func, "__module__", "").startswith("lmfit.")
    function: Callable[..., Any] = model.func
    return _LINE_SHAPES.get(function.__name__, function) if of_lmfit else function


def _gaussian(x: Any, amplitude: Any, center: Any, sigma: Any) -> Any:
    z = (x - center) / sigma
    return amplitude / (np.sqrt(_PI2) * sigma) * np.exp(-(z**2) / 2)


def _gaussian2d(
    x: Any, y: Any, amplitude: Any, centerx: Any, centery: Any, sigmax: Any, sigmay: Any
) -> Any:
    return amplitude * _gaussian(x, 1, centerx, sigmax) * _gaussian(y, 1, centery, sigmay)


def _lorentzian(x: Any, amplitude: Any, center: Any, sigma: Any) -> Any:
    return amplitude / (np.pi * sigma) / (1 + ((x - center) / sigma) ** 2)


def _pvoigt(x: Any, amplitude: Any, center: Any, sigma: Any, fraction: Any) -> Any:
    """A Gaussian and a Lorentzian of the same full width at half maximum, 2 sigma."""
    gauss = _gaussian(x, amplitude, center, sigma / np.sqrt(2 * np.log(2)))
    return (1 - fraction) * gauss + fraction * _lorentzian(x, amplitude, center, sigma)


def _voigt(x: Any, amplitude: Any, center: Any, sigma: Any, gamma: Any) -> Any:
    return amplitude * voigt_profile(x - center, sigma, gamma)


def _moffat(x: Any, amplitude: Any, center: Any, sigma: Any, beta: Any) -> Any:
    return amplitude / (1 + ((x - center) / sigma) ** 2) ** beta


def _sine(x: Any, amplitude: Any, frequency: Any, shift: Any) -> Any:
    return amplitude * np.sin(x * frequency + shift)


def _expsine(x: Any, amplitude: Any, frequency: Any, shift: Any, decay: Any) -> Any:
    return _sine(x, amplitude, frequency, shift) * np.exp(-x * decay)


def _polynomial(x: Any, **coefficients: Any) -> Any:
    """The sum of c_k x^k, by Horner's rule."""
    value: Any = 0.0
    for k in reversed(range(len(coefficients))):
        value = value * x + coefficients[f"c{k}"]
    return value


_LINE_SHAPES: dict[str, Callable[..., Any]] = {
    "gaussian": _gaussian,
    "gaussian2d": _gaussian2d,
    "lorentzian": _lorentzian,
    "pvoigt": _pvoigt,
    "voigt": _voigt,
    "moffat": _moffat,
    "sine": _sine,
    "expsine": _expsine,
    "constant": lambda x, c: c + 0 * x,
    "linear": lambda x, slope, intercept: slope * x + intercept,
    "parabolic": lambda x, a, b, c: (a * x + b) * x + c,
    "polynomial": _polynomial,
    "exponential": lambda x, amplitude, decay: amplitude * np.exp(-x / decay),
    "powerlaw": lambda x, amplitude, exponent: amplitude * x**exponent,
}
