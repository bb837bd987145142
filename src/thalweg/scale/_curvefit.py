"""The call and the result of `xarray.DataArray.curvefit`, on the engine of `thalweg.fit`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array, name_index
from .._optional import optional
from ..fitting.result import FitResult
from ..model import as_model
from ..status import Status
from ._by_names import as_list, run
from ._cut import is_lazy
from ._named import Named, coordinate_of

# What the options of scipy.optimize.curve_fit are called by thalweg.fit.
_OPTIONS = {
    **{name: name for name in ("sigma", "absolute_sigma", "ftol", "xtol", "gtol", "f_scale")},
    **dict.fromkeys(("maxfev", "max_nfev", "max_iter"), "max_iter"),
    **{"loss": "robust", "threads": "threads"},
}
_NOT_NEEDED = ("method", "jac", "x_scale", "check_finite", "nan_policy")


def curvefit(
    array: Any,
    coords: Any,
    func: Any,
    reduce_dims: Any,
    skipna: bool,
    p0: Mapping[str, Any],
    bounds: Mapping[str, tuple[Any, Any]],
    param_names: Sequence[str] | None,
    errors: str,
    kwargs: Mapping[str, Any],
) -> Any:
    """Return the Dataset of `DataArrayFits.curvefit`."""
    if errors not in ("raise", "ignore"):
        raise ValueError(f"errors must be 'raise' or 'ignore', got {errors!r}")
    found = [coordinate_of(array, c) for c in as_list(coords)]
    named = Named(array, _reduced(array, found, reduce_dims))
    info = as_model(func)
    names = tuple(param_names or info.names or ())
    if not names:
        raise ValueError("param_names must name the parameters of a func that takes *args")
    for what, given in (("p0", p0), ("bounds", bounds)):
        for name in given:
            name_index(name, names, what)
    box = {name: tuple(_sides(named, name, pair)) for name, pair in bounds.items()}
    start = _defaults(func, names, box)
    start |= {name: named.of_fits(value, f"p0[{name!r}]") for name, value in p0.items()}
    y = named.y.data if skipna else _infinite_for_nan(named.y.data)
    x = [_flat(_numbers(named.of_points(c, f"the coordinate {c.name!r}")), named) for c in found]
    options = {"p0": start, "bounds": box or None, "axis": -1, **_options(kwargs, named)}
    model = _Function(info.function, info.label)
    result = run(model, x[0] if len(x) == 1 else tuple(x), _flat(y, named), **options)
    return _answer(result, named, list(names), errors)


def _reduced(array: Any, coords: Sequence[Any], more: Any) -> list[Any]:
    """The dimensions of the points: those named, and those whose coordinate is in coords."""
    dims = [] if more is None else as_list(more)
    dims += [d for d in array.dims if any(c.equals(array[d]) for c in coords)]
    if not dims:
        raise ValueError(
            "no coordinate in coords is that of a dimension of the data; reduce_dims names the "
            "dimensions of the points"
        )
    return list(dict.fromkeys(dims))


class _Function:
    """A function of x and of parameters that have names only outside of it.

    It gets several coordinates as the rows of one array, as from xarray.  `thalweg.fit` gets them
    as a tuple, for an array of two rows would be one coordinate of two fits, each with its own.
    """

    def __init__(self, function: Callable[..., Any], label: str) -> None:
        self.function, self.__name__ = function, label

    def __call__(self, x: Any, *params: Any) -> Any:
        return self.function(np.stack(x) if type(x) is tuple else x, *params)


def _sides(named: Named, name: str, pair: tuple[Any, Any]) -> list[Any]:
    lower, upper = pair
    ends = (-np.inf if lower is None else lower, np.inf if upper is None else upper)
    return [named.of_fits(end, f"bounds[{name!r}]") for end in ends]


def _defaults(
    func: Any, names: Sequence[str], box: Mapping[str, tuple[Any, Any]]
) -> dict[str, Any]:
    """The starts that p0 does not give: the defaults of the function, or else 1, within bounds."""
    try:
        known = dict(inspect.signature(func).parameters)
    except (TypeError, ValueError):
        known = {}
    start = dict.fromkeys(names, 1.0)
    start |= {n: known[n].default for n in names if n in known and known[n].default is not _NOTHING}
    return start | {n: _inside(start[n], *box[n]) for n in names if n in box}


_NOTHING = inspect.Parameter.empty


def _inside(start: Any, lower: Any, upper: Any) -> Any:
    """A start, or where its bounds exclude it their middle, or 1 away from the only finite one."""
    low, high = np.isfinite(lower), np.isfinite(upper)
    with np.errstate(invalid="ignore"):
        middle = np.where(low, np.where(high, 0.5 * (lower + upper), lower + 1.0), upper - 1.0)
    return np.where((start < lower) | (start > upper), middle, start)


def _flat(array: Any, named: Named) -> Any:
    """An array whose last axes are those of the points, with these as one axis."""
    n = len(named.dims)
    if n == 1:
        return array
    if is_lazy(array):
        array = array.rechunk({k: -1 for k in range(array.ndim - n, array.ndim)})
    return array.reshape(*array.shape[:-n], prod(array.shape[-n:]))


def _numbers(coordinate: Any) -> Any:
    """A coordinate as xarray's `curvefit` gives it to the function.

    Dates are nanoseconds since 1970 and durations nanoseconds; what is missing is NaN.
    """
    kind = coordinate.dtype.kind
    if kind not in "mM":
        return coordinate
    steps = coordinate.astype(f"{kind}8[ns]")
    return np.where(np.isnat(steps), np.nan, steps.astype(np.int64).astype(np.float64))


def _infinite_for_nan(y: Any) -> Any:
    """y with infinity for NaN: no point is left out, and the status of the fit tells of it."""
    return np.where(np.isnan(y), np.inf, y)


def _options(kwargs: Mapping[str, Any], named: Named) -> dict[str, Any]:
    """The options of `scipy.optimize.curve_fit` as those of `thalweg.fit`."""
    unknown = [name for name in kwargs if name not in (*_OPTIONS, *_NOT_NEEDED)]
    if unknown:
        raise ValueError(
            f"kwargs has no option {unknown[0]!r} here; it takes {', '.join(_OPTIONS)}"
        )
    options = {_OPTIONS[name]: value for name, value in kwargs.items() if name in _OPTIONS}
    if options.get("robust") == "linear":
        options["robust"] = options["f_scale"] = None
    if options.get("sigma") is not None:
        options["sigma"] = _flat(named.of_points(options["sigma"], "sigma"), named)
    return options


# ---- the answer --------------------------------------------------------------------------------


def _answer(result: Any, named: Named, names: list[str], errors: str) -> Any:
    """The Dataset of coefficients and covariances; a lazy one says what failed when computed."""
    xr = optional("xarray", "curvefit needs")
    parts = [partial(_checked, name=name, errors=errors) for name in ("params", "cov")]
    if isinstance(result, FitResult):
        params, cov = (part(result) for part in parts)
    else:
        params, cov = map(result.map, parts)
    variables = {
        "curvefit_coefficients": ((*named.batch, "param"), params),
        "curvefit_covariance": ((*named.batch, "cov_i", "cov_j"), cov),
    }
    out = xr.Dataset(variables, named.coords)
    return out.assign_coords(param=names, cov_i=names, cov_j=names).assign_attrs(named.y.attrs)


def _checked(result: FitResult, name: str, errors: str) -> Array:
    """Parameters or covariances, NaN where a fit failed or had no points, or a RuntimeError.

    As in SciPy it is no failure that the data do not determine a parameter: its covariance is
    infinite.
    """
    empty, singular = result.n_used == 0, result.status == Status.SINGULAR
    failed = ~(result.success | singular | empty)
    if errors == "raise" and failed.any():
        at = tuple(int(k) for k in np.argwhere(failed)[0])
        raise RuntimeError(
            f"Optimal parameters not found for {np.count_nonzero(failed)} of {failed.size} fits, "
            f"first for that at {at}: {result.reason(at)}"
        )
    array: Array = getattr(result, name).copy()
    array[failed | empty] = np.nan
    return array
