"""`scipy.optimize.curve_fit` on Thalweg's engine: the same arguments and the same results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np

from .._arguments.bounds import bounds_of_one
from .._arguments.check import Array, left_out, numbers, thread_limit
from .._arguments.columns import columns_of
from .._arguments.pieces import all_finite
from .._arguments.spelling import spelled
from .._arguments.warning import warn_user
from .._core.buffers import one_row
from ..model import ModelInfo, as_model
from ..status import Status
from . import by_calls as slow
from .by_trials import Whitening, run_by_trials, whitening
from .data import arrange
from .fit import run
from .noise import with_loss
from .options import options_for
from .problem import prepare
from .result import FitResult

_DIFFERENCES = ("2-point", "3-point", "cs")  # what SciPy calls differences instead of jac
_METHODS = (None, "lm", "trf", "dogbox")
_FLOAT64 = np.dtype(np.float64)
_NO_BOUNDS = (-np.inf, np.inf)


class CovarianceWarning(UserWarning):
    """The covariance of the parameters could not be estimated.

    Examples
    --------
    >>> import warnings
    >>> import thalweg as tw
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     theta, cov = tw.curve_fit(lambda x, a, b: a * x + b, [0.0, 1.0], [1.0, 3.0])
    >>> said[0].category is tw.CovarianceWarning
    True
    """


@spelled
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = _NO_BOUNDS,
    method: str | None = None,
    jac: Callable[..., Any] | str | None = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    ftol: float | None = None,
    xtol: float | None = None,
    gtol: float | None = None,
    max_iter: int | None = None,
    maxfev: int | None = None,
    max_nfev: int | None = None,
    loss: str = "linear",
    f_scale: float = 1.0,
    x_scale: Any = None,
    threads: int | None = None,
) -> tuple[Any, ...]:
    r"""Fit ``ydata = f(xdata, *params) + noise`` by least squares.

    Arguments and results are those of `scipy.optimize.curve_fit`.  Derivatives are exact, every
    ``method`` stands for the one of `thalweg.fit`, and default tolerances are tighter.

    Parameters
    ----------
    f : callable
        ``f(x, a, b, ...)``.
    xdata : array_like, shape (M,) or (k, M), or any object
        The independent variable, or k of them.  A table, a dict or another object is passed to f
        as it is.
    ydata : array_like, shape (M,) or ()
        The data; a single number stands for as many points as f returns.  A masked value, also in
        xdata and sigma, leaves its point out.
    p0 : array_like, shape (P,), optional
        Start.  By default a parameter starts at 1, in the middle of two finite bounds, or 1 away
        from its only finite bound.
    sigma : array_like, (), (M,) or (M, M), optional
        Standard deviations of ydata, or their covariance matrix :math:`C`; then
        :math:`\chi^2 = r^T C^{-1} r`.
    absolute_sigma : bool
        If False, pcov is scaled so that chi2 / dof = 1.
    check_finite : bool, optional
        Whether NaN and infinity in the data are refused; by default True unless ``nan_policy`` is
        given.
    bounds : pair of array_like, dict name -> pair, or scipy.optimize.Bounds
        Lower and upper bounds; None is no bound.
    method : {None, "lm", "trf", "dogbox"}
        Accepted for compatibility and without effect, except that "lm" refuses bounds.
    jac : callable or str, optional
        ``jac(x, a, b, ...)`` of shape (M, P), which is used if f cannot be recorded.
    full_output : bool
        Whether to return infodict, mesg and ier, too.
    nan_policy : {None, "raise", "omit"}
        What to do with NaN in xdata or ydata.
    ftol, xtol, gtol : float, optional
        As in `thalweg.fit`.
    max_iter, maxfev, max_nfev : int, optional
        The most trial steps, by Thalweg's name and by the two that SciPy has for it.
    loss : {"linear", "huber", "soft_l1", "cauchy"}
        The loss of `scipy.optimize.least_squares`; "linear" is least squares.  pcov of the others
        is that of a robust fit, see the guide on noise.
    f_scale : float
        The scale of the loss, in units of sigma.
    x_scale : object
        Taken for compatibility and not needed: the units of parameters do not matter.
    threads : int, optional
        As in `thalweg.fit`.

    Returns
    -------
    popt : ndarray, shape (P,)
    pcov : ndarray, shape (P, P)
        Covariance; infinite, with a `CovarianceWarning`, where it cannot be estimated.
    infodict : dict
        ``nfev``, the number of evaluations, and ``fvec``, the weighted residuals f - y.  Returned
        only with full_output.
    mesg : str
        Why the fit stopped.  Returned only with full_output.
    ier : int
        The number of the `thalweg.Status`: 1 to 4 are successes, and -3, SINGULAR, comes with a
        warning.  Returned only with full_output.

    Raises
    ------
    ValueError
        The data are not finite, or shapes, bounds or options do not fit.
    TypeError
        There are fewer points than parameters, or an option is unknown.
    RuntimeError
        The fit did not converge; the message says why.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> x = np.linspace(0, 4, 20)
    >>> popt, pcov = tw.curve_fit(lambda x, a, b: a * np.exp(-b * x), x, 2.5 * np.exp(-1.3 * x))
    >>> popt.round(9)
    array([2.5, 1.3])
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of lm, trf, dogbox or None, got {method!r}")
    jac, n_threads = _function_of(jac), thread_limit(threads)
    info = as_model(f)
    n_params = _count_params(info, p0)
    box = _box(bounds, n_params, info.names, method)
    p0 = _start(p0, box, n_params)
    x, y, sigma, missing = _clean(xdata, ydata, sigma, check_finite, nan_policy)
    y = _as_long_as_model(info, x, y, p0)
    if not _has_points(x, y.size):
        info, x = _around(info, x), np.arange(y.size, dtype=float)
    _refuse_too_few(y, missing, n_params)
    whiten = whitening(sigma, y.size, missing)
    data = arrange(x, y, None if whiten else sigma, missing, -1, _FLOAT64, None)
    problem = prepare(info, data, p0, box, None, _FLOAT64, bool(absolute_sigma))
    problem = with_loss(problem, loss, f_scale, whiten is not None)
    most = max_iter if max_iter is not None else maxfev if maxfev is not None else max_nfev
    by_differences = problem.recording is None and jac is None
    dtype = problem.data.y.dtype
    options = options_for(dtype, n_params, by_differences, xtol, ftol, gtol, max_iter=most)
    if whiten or (problem.recording is None and jac is not None):
        result = run_by_trials(problem, options, jac, whiten)
    else:
        result = run(problem, options, n_threads)
    return _answer(result, whiten, full_output)


def _function_of(jac: Any) -> Callable[..., Any] | None:
    """The function that computes derivatives; None for differences, as SciPy names them."""
    if callable(jac):
        function: Callable[..., Any] = jac
        return function
    if jac is None or (isinstance(jac, str) and jac in _DIFFERENCES):
        return None
    raise ValueError(f"jac must be a function, 2-point, 3-point, cs or None, got {jac!r}")


def _clean(
    xdata: Any, ydata: Any, sigma: Any, check_finite: bool | None, nan_policy: str | None
) -> tuple[Any, Array, Any, Array | None]:
    """The data as arrays where they are numbers, and which points to leave out.

    Points that are masked, or that nan_policy omits, are left out.  If x has one value per point
    they are removed here, so that a model that mixes points never sees them.
    """
    if nan_policy not in (None, "raise", "omit"):
        raise ValueError(f"nan_policy must be 'raise', 'omit' or None, got {nan_policy!r}")
    known = one_row(xdata, ydata, _FLOAT64) if sigma is nan_policy is None else None
    if known is not None:
        if known != ("finite", "finite") and (check_finite or check_finite is None):
            _refuse_infinite(ydata, "ydata")
            _refuse_infinite(xdata, "xdata")
        return xdata, ydata, None, None
    ydata, masked = left_out(ydata)
    y = numbers(ydata, "ydata", np.dtype(float)).reshape(-1)
    if y.size == 0:
        raise ValueError("ydata must not be empty")
    missing = None if masked is None else masked.reshape(-1)
    x, masked = xdata, None
    is_array = isinstance(xdata, list | tuple | np.ndarray) and columns_of(xdata) is None
    if is_array:
        x, masked = left_out(xdata)
        x = numbers(x, "xdata", np.dtype(float))
    is_row = is_array and x.shape[-1:] == y.shape
    if masked is not None:
        if not is_row:
            raise TypeError("xdata must not be masked unless its last axis holds the points")
        missing = _either(missing, _of_any_variable(masked))
    sigma, masked = left_out(sigma)
    if masked is not None:
        if masked.shape != y.shape:
            raise TypeError("sigma must not be masked unless it has one value per point")
        missing = _either(missing, masked)
    if nan_policy == "omit":
        missing = _either(missing, np.isnan(y))
        missing = _either(missing, _of_any_variable(np.isnan(x))) if is_row else missing
    elif check_finite or check_finite is None:
        _refuse_infinite(y if missing is None else y[~missing], "ydata")
        if is_array:
            some = x if missing is None or not is_row else x[..., ~missing]
            _refuse_infinite(some, "xdata")
    if missing is None or not missing.any():
        return x, y, sigma, None
    return _without(missing, x, y, sigma) if is_row else (x, y, sigma, missing)


def _either(missing: Array | None, more: Array) -> Array:
    """Which points are missing for the one reason or the other; None is no point."""
    return more if missing is None else missing | more


def _of_any_variable(missing: Array) -> Array:
    """Which points miss a variable: any of those for which ``missing`` (M,) or (k, M) tells it."""
    return np.asarray(missing.any(axis=tuple(range(missing.ndim - 1))))


def _refuse_infinite(array: Array, name: str) -> None:
    if not all_finite(array):
        raise ValueError(f"{name} must be finite, but holds NaN or infinity")


def _without(missing: Array, x: Array, y: Array, sigma: Any) -> tuple[Any, Array, Any, None]:
    """The data without the points that are missing."""
    x, y = np.ascontiguousarray(x[..., ~missing]), y[~missing]
    if np.ndim(sigma):
        sigma = np.asarray(sigma)[~missing]
        sigma = sigma[:, ~missing] if sigma.ndim == 2 else sigma
    return x, y, sigma, None


def _refuse_too_few(y: Array, missing: Array | None, n_params: int) -> None:
    n_used = y.size if missing is None else int(np.count_nonzero(~missing))
    if n_used < n_params:
        raise TypeError(
            f"there are M={n_used} points for P={n_params} parameters; M >= P is needed"
        )


def _as_long_as_model(info: ModelInfo, x: Any, y: Array, p0: Array) -> Array:
    """The data; a single number is repeated for each point that the model returns."""
    if y.size > 1:
        return y
    with np.errstate(all="ignore"):
        size = np.size(info.function(slow.copied(x), *p0))
    return np.full(size, y[0]) if size > 1 else y


def _has_points(x: Any, n_points: int) -> bool:
    """Whether x has one value per point, in rows or in columns with names."""
    if isinstance(x, np.ndarray) and x.dtype.names is None:
        return x.ndim <= 2 and x.shape[-1:] == (n_points,)
    columns = columns_of(x)
    if columns is not None:
        return all(np.shape(values) == (n_points,) for values in columns.values())
    return hasattr(x, "__array__") and np.shape(x) == (n_points,)


def _around(info: ModelInfo, xdata: Any) -> ModelInfo:
    """The model with its xdata inside, for xdata that is not one value per point."""
    function = info.function

    def around(x: Any, *params: Any) -> Any:
        return function(slow.copied(xdata), *params)

    return info._replace(function=around, n_x=None)


def _count_params(info: ModelInfo, p0: Any) -> int:
    if info.names is None and p0 is None:
        raise ValueError("p0 is needed: f takes *args, which do not say how many parameters it has")
    n_params = int(np.size(p0)) if info.names is None else len(info.names)
    if not n_params:
        raise ValueError(f"{info.label} has no parameters to fit, as f(x, a, b) has")
    return n_params


def _box(
    bounds: Any, n_params: int, names: Sequence[str] | None, method: str | None
) -> tuple[Array, Array] | None:
    if bounds is _NO_BOUNDS or bounds is None:
        return None
    lower, upper = bounds_of_one(bounds, n_params, names, as_scipy=True)
    if method == "lm" and (np.any(lower > -np.inf) or np.any(upper < np.inf)):
        raise ValueError("method 'lm' does not take bounds; use 'trf', 'dogbox' or None")
    return lower, upper


def _start(p0: Any, box: tuple[Array, Array] | None, n_params: int) -> Any:
    if p0 is None:
        return _default_start(box, n_params)
    return p0 if type(p0) in (tuple, list) else np.array(p0, ndmin=1, subok=True)


def _default_start(box: tuple[Array, Array] | None, n_params: int) -> Array:
    """SciPy's default: 1 without bounds, the middle of two bounds, or 1 away from a single one."""
    if box is None:
        return np.ones(n_params)
    lower, upper = box
    low, high = np.isfinite(lower), np.isfinite(upper)
    start = np.ones(n_params)
    both, above, below = low & high, low & ~high, high & ~low
    start[both] = 0.5 * (lower[both] + upper[both])
    start[above] = lower[above] + 1
    start[below] = upper[below] - 1
    return start


def _covariance_fault(result: FitResult) -> str:
    """Why the covariance could not be estimated; empty if it could."""
    if result.errors is not None:
        return "a variance leaves the range of numbers; its root is in the stderr of thalweg.fit"
    if not result.covariance_rows.size or isfinite(result.covariance_rows[0]):
        return ""
    singular = result.status == Status.SINGULAR
    return result.reason() if singular else "there are no degrees of freedom"


def _answer(result: FitResult, whiten: Whitening | None, full_output: bool) -> tuple[Any, ...]:
    status = int(result.status)
    if status <= 0 and status != Status.SINGULAR:  # `Status.success` is status > 0
        raise RuntimeError(f"Optimal parameters not found: {result.reason()}")
    if why := _covariance_fault(result):
        warn_user(f"Covariance of the parameters could not be estimated: {why}", CovarianceWarning)
    if not full_output:
        return result.params, result.cov
    residual = result.predict() - result.problem.data.y[0]
    sigma, use = result.problem.data.sigma, result.problem.data.use
    if whiten is not None:
        residual = whiten.of(residual)
    elif sigma is not None:
        residual = residual / sigma.array
    if use is not None and whiten is None:
        residual = residual[use.array != 0]
    infodict = {"nfev": int(result.n_iter) + 1, "fvec": residual}
    return result.params, result.cov, infodict, result.reason(), status
