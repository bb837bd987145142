"""The call of pygpufit, Gpufit's Python package, answered by Thalweg on the CPU.

Code written for pygpufit runs after ``from thalweg.scale import gpufit as gf``: arguments, their
order, the numbers of models, estimators and constraints, and the tuple that is returned are the
same.  Its data may be float64 as well, which are then fitted in float64.

What is different: a state of 0 is a promise that the fit is at a minimum, fits that fail are tried
again from elsewhere, and no GPU is used, see `cuda_available`.  `thalweg.fit` tells more: a reason
for each failure, error bars, models of one's own.

References
----------
A. Przybylski, B. Thiel, J. Keller-Findeisen, B. Stock, M. Bates, "Gpufit: An open-source toolkit
for GPU-accelerated curve fitting", Scientific Reports 7, 15722, 2017.
"""

from __future__ import annotations

import time
from math import isqrt
from typing import Any

import numpy as np

from .._arguments.check import Array, count
from .._arguments.check import tolerance as checked_tolerance
from .._arguments.spelling import spelled
from ..fitting.fit import fit as fit_rows
from ..fitting.result import FitResult
from ..status import Status
from ._gpufit_models import MODELS, GpufitModel, ModelID
from ._gpufit_numbers import ConstraintType, EstimatorID, State
from ._gpufit_splines import SPLINES, spline_model

__all__ = [
    "ConstraintType",
    "EstimatorID",
    "ModelID",
    "State",
    "cuda_available",
    "fit",
    "fit_constrained",
    "get_cuda_version",
    "get_last_error",
]


_STATES = {
    Status.MAX_ITER: State.MAX_ITERATION,
    Status.NO_PROGRESS: State.MAX_ITERATION,
    Status.SINGULAR: State.SINGULAR_HESSIAN,
    Status.DRIFT: State.SINGULAR_HESSIAN,
    Status.TOO_FEW_POINTS: State.SINGULAR_HESSIAN,
}  # every other failure is that of a fit that could not run
_MEAN = 3  # the detail of a fit of counts whose model is not positive at its start


@spelled
def fit(
    data: Any,
    weights: Any,
    model_id: int,
    initial_parameters: Any,
    tolerance: float | None = None,
    max_number_iterations: int | None = None,
    parameters_to_fit: Any = None,
    estimator_id: int | None = None,
    user_info: Any = None,
) -> tuple[Array, Array, Array, Array, float]:
    """Fit many data sets, without constraints; see `fit_constrained` for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.scale import gpufit as gf
    >>> data = np.array([[1, 3, 5], [4, 3, 2]], np.float32)
    >>> start = np.ones((2, 2), np.float32)
    >>> parameters, states, chi_squares, n_iterations, seconds = gf.fit(
    ...     data, None, gf.ModelID.LINEAR_1D, start)
    >>> parameters.round(4), states
    (array([[ 1.,  2.],
           [ 4., -1.]], dtype=float32), array([0, 0], dtype=int32))
    """
    return fit_constrained(
        data,
        weights,
        model_id,
        initial_parameters,
        None,
        None,
        tolerance,
        max_number_iterations,
        parameters_to_fit,
        estimator_id,
        user_info,
    )


@spelled
def fit_constrained(
    data: Any,
    weights: Any,
    model_id: int,
    initial_parameters: Any,
    constraints: Any = None,
    constraint_types: Any = None,
    tolerance: float | None = None,
    max_number_iterations: int | None = None,
    parameters_to_fit: Any = None,
    estimator_id: int | None = None,
    user_info: Any = None,
) -> tuple[Array, Array, Array, Array, float]:
    r"""Fit many data sets by a model of Gpufit, within bounds.

    Minimised is :math:`\sum_i w_i (y_i - f_i)^2` with ``EstimatorID.LSE``, and with
    ``EstimatorID.MLE`` the deviance of counts, :math:`2 \sum_i (f_i - y_i + y_i \ln(y_i / f_i))`.

    Parameters
    ----------
    data : array_like, shape (n_fits, n_points)
        float32, or any other type, which is fitted in float64.  A NaN leaves its point out.
    weights : array_like, shape (n_fits, n_points), or None
        w = 1 / sigma^2; a weight of 0 leaves its point out.  Not used with ``EstimatorID.MLE``.
    model_id : int
        A number of `ModelID`.  Models of images take n_points for a square, its points row by row;
        splines have any number of points along their axes, of which the first varies fastest.
    initial_parameters : array_like, shape (n_fits, n_parameters)
        The starts, in the order of Gpufit.
    constraints : array_like, shape (n_fits, 2 n_parameters), optional
        Lower and upper bound of the first parameter, of the second one, and so on.  A start
        outside of them begins at the bound.
    constraint_types : array_like of int, shape (n_parameters,), optional
        A number of `ConstraintType` for each parameter; without it no bound counts.
    tolerance : float, optional
        ``ftol`` of `thalweg.fit`; 1e-4.
    max_number_iterations : int, optional
        The most trial steps of a fit; 25.
    parameters_to_fit : array_like of int, shape (n_parameters,), optional
        0 keeps a parameter at its start.
    estimator_id : int, optional
        A number of `EstimatorID`; LSE.
    user_info : array_like, optional
        x of `ModelID.GAUSS_1D` and `ModelID.LINEAR_1D`: n_points numbers for all fits, or n_fits
        times as many; bytes are taken for float32.  Without it x is the number of the point.  For a
        spline the numbers of channels, points and intervals, and the coefficients, as Gpufit wants
        them.  The other models do not read it.

    Returns
    -------
    parameters : ndarray, shape (n_fits, n_parameters)
        NaN where a fit could not run.
    states : ndarray of int32, shape (n_fits,)
        A number of `State`.  0 is a success of `thalweg.fit`; 1 stands for MAX_ITER and
        NO_PROGRESS, 2 for SINGULAR, DRIFT and TOO_FEW_POINTS, 3 for a model that is not positive
        at the start of a fit of counts, and 4 for a fit that could not run for another reason.
    chi_squares : ndarray, shape (n_fits,)
    number_iterations : ndarray of int32, shape (n_fits,)
    execution_time : float
        Seconds.

    Raises
    ------
    ValueError
        A shape, a number or the model does not fit.
    TypeError
        An argument does not hold numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.scale import gpufit as gf
    >>> data = np.array([[1, 3, 5], [4, 3, 2]], np.float32)
    >>> limits = np.array([[0, 9, 0, 9]] * 2, np.float32)  # no slope below 0
    >>> kinds = [gf.ConstraintType.LOWER_UPPER] * 2
    >>> start = np.ones((2, 2), np.float32)
    >>> p, *_ = gf.fit_constrained(data, None, gf.ModelID.LINEAR_1D, start, limits, kinds)
    >>> p.round(4)
    array([[1., 2.],
           [3., 0.]], dtype=float32)
    """
    y = _array(data, "data", 2)
    B, N = y.shape
    model, x = _model_and_x(model_id, user_info, B, N)
    start = _array(initial_parameters, "initial_parameters", 2, y.dtype)
    if start.shape != (B, model.n_params):
        raise ValueError(
            f"initial_parameters must have the shape (n_fits={B}, {model.n_params}) for this "
            f"model, got {start.shape}"
        )
    likely = _one_of(estimator_id, "estimator_id", EstimatorID, EstimatorID.LSE) == EstimatorID.MLE
    free = _free(parameters_to_fit, model.n_params)
    bounds = _bounds(constraints, constraint_types, free, start.shape)
    begin = time.perf_counter()
    result = fit_rows(
        model.function,
        x,
        y,
        np.clip(start, *bounds) if bounds else start,
        sigma=None if likely else _sigma(weights, y.shape),
        noise="poisson" if likely else "normal",
        fixed=~free,
        bounds=bounds,
        axis=-1,
        dtype=y.dtype,
        **_stops(tolerance, max_number_iterations),
    )
    seconds = time.perf_counter() - begin
    return result.params, _states(result), result.chi2, result.n_iter, seconds


def cuda_available() -> bool:
    """Return False: Thalweg fits on the CPU, and `fit` needs no GPU.

    Examples
    --------
    >>> from thalweg.scale import gpufit
    >>> gpufit.cuda_available()
    False
    """
    return False


def get_last_error() -> str:
    """Return why `cuda_available` is False.  Errors of `fit` are raised with their own words.

    Examples
    --------
    >>> from thalweg.scale import gpufit
    >>> gpufit.get_last_error()
    'Thalweg fits on the CPU and uses no GPU; fit needs none, so do not ask for it'
    """
    return "Thalweg fits on the CPU and uses no GPU; fit needs none, so do not ask for it"


def get_cuda_version() -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the versions of CUDA's runtime and driver, (0, 0) each: neither is used.

    Examples
    --------
    >>> from thalweg.scale import gpufit
    >>> gpufit.get_cuda_version()
    ((0, 0), (0, 0))
    """
    return (0, 0), (0, 0)


def _stops(tolerance: Any, max_number_iterations: Any) -> dict[str, Any]:
    """When fits stop, with Gpufit's defaults."""
    most = 25 if max_number_iterations is None else max_number_iterations
    return {
        "ftol": checked_tolerance(tolerance, "tolerance", 1e-4),
        "max_iter": count(most, "max_number_iterations", 0, 2**31 - 1),
    }


def _model_and_x(
    model_id: Any, user_info: Any, n_fits: int, n_points: int
) -> tuple[GpufitModel, Any]:
    """The model of a number of `ModelID`, and its independent variables."""
    if model_id in SPLINES:
        return spline_model(SPLINES[model_id], _floats(user_info), n_points)
    if model_id not in MODELS:
        raise ValueError(f"model_id must be a number of ModelID, got {model_id!r}")
    model = MODELS[model_id]
    return model, _variables(model, user_info, n_fits, n_points)


def _floats(user_info: Any) -> Array | None:
    """user_info as numbers in one axis; bytes, as Gpufit gets them, hold float32."""
    if user_info is None:
        return None
    array = np.asarray(user_info)
    if array.dtype.itemsize == 1:
        if array.size % 4:
            raise ValueError(f"user_info must hold float32, but has {array.size} bytes")
        array = np.frombuffer(array.tobytes(), np.float32)
    return _array(array.reshape(-1), "user_info", 1)


def _one_of(value: Any, name: str, ids: type, default: int) -> int:
    known = {v for k, v in vars(ids).items() if k.isupper()}
    if value is not None and value not in known:
        raise ValueError(f"{name} must be a number of {ids.__name__}, got {value!r}")
    return default if value is None else int(value)


def _array(value: Any, name: str, ndim: int, dtype: Any = None) -> Array:
    """An array of so many axes: float32 if it is so already, else float64."""
    array = np.asarray(value)
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes, got shape {array.shape}")
    if dtype is None:
        dtype = np.float32 if array.dtype == np.float32 else np.float64
    try:
        return np.asarray(np.ascontiguousarray(array, dtype))
    except (TypeError, ValueError):
        raise TypeError(f"{name} must hold numbers, got {array.dtype}") from None


def _free(parameters_to_fit: Any, n_params: int) -> Array:
    """Which parameters are fitted, (P,)."""
    if parameters_to_fit is None:
        return np.ones(n_params, bool)
    free: Array = _array(parameters_to_fit, "parameters_to_fit", 1) != 0
    if free.shape != (n_params,):
        raise ValueError(f"parameters_to_fit must have {n_params} entries, got {len(free)}")
    return free


def _sigma(weights: Any, shape: tuple[int, ...]) -> Array | None:
    if weights is None:
        return None
    w = _array(weights, "weights", 2)
    if w.shape != shape:
        raise ValueError(f"weights must have the shape of data, {shape}, got {w.shape}")
    if (w < 0).any():
        raise ValueError("weights must not be negative: they are 1 / sigma^2")
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.sqrt(w))


def _bounds(
    constraints: Any, types: Any, free: Array, shape: tuple[int, ...]
) -> tuple[Array, Array] | None:
    """Lower and upper bounds, (n_fits, P) each; a parameter that is not fitted has none."""
    if types is None:
        return None
    kinds = _array(types, "constraint_types", 1)
    P = shape[1]
    if kinds.shape != (P,) or not np.isin(kinds, range(4)).all():
        raise ValueError(
            f"constraint_types must hold a number of ConstraintType for each of {P} parameters"
        )
    if not (kinds > ConstraintType.FREE).any():
        return None
    if constraints is None:
        raise ValueError("constraint_types needs constraints, of shape (n_fits, 2 n_parameters)")
    pairs = _array(constraints, "constraints", 2)
    if pairs.shape != (shape[0], 2 * P):
        raise ValueError(
            f"constraints must have the shape (n_fits={shape[0]}, 2 n_parameters={2 * P}), got "
            f"{pairs.shape}"
        )
    low = np.isin(kinds, (ConstraintType.LOWER, ConstraintType.LOWER_UPPER)) & free
    high = np.isin(kinds, (ConstraintType.UPPER, ConstraintType.LOWER_UPPER)) & free
    return np.where(low, pairs[:, ::2], -np.inf), np.where(high, pairs[:, 1::2], np.inf)


def _variables(model: GpufitModel, user_info: Any, n_fits: int, n_points: int) -> Any:
    """The independent variables: those of user_info, or the numbers of points or pixels."""
    if model.is_image:
        size = isqrt(n_points)
        if size * size != n_points:
            raise ValueError(
                f"this model takes the points for a square image, and {n_points} is no square; "
                "thalweg.fit takes images of any shape"
            )
        rows, columns = np.divmod(np.arange(n_points), size)
        return columns.astype(float), rows.astype(float)
    x = _floats(user_info) if model.takes_x else None
    if x is None:
        return np.arange(n_points, dtype=float)
    if x.size not in (n_points, n_fits * n_points):
        raise ValueError(
            f"user_info must hold x of one data set, {n_points} numbers, or of all, "
            f"{n_fits * n_points}; got {x.size}"
        )
    return x if x.size == n_points else x.reshape(n_fits, n_points)


def _states(result: FitResult) -> Array:
    states = np.full(result.status.shape, State.GPU_NOT_READY, np.int32)
    states[result.success] = State.CONVERGED
    for status, state in _STATES.items():
        states[result.status == status] = state
    mean = (result.status == Status.NOT_FINITE) & (result.detail == _MEAN)
    states[mean] = State.NEG_CURVATURE_MLE
    return states
