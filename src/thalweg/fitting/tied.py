r"""Tied parameters in a fit: what users say of them, and their covariance.

For the engine a tied parameter is one that is not free and that the recorded model does not read.
Starts, bounds and fixed parameters are read for the other parameters, which are *open*, and then
spread over all.

With C the covariance of the free parameters and T the derivatives of the tied ones by them,

    cov(tied, free) = T C,     cov(tied, tied) = T C T'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._arguments.bounds import read_bounds
from .._arguments.check import Array, PerFit
from ..model.ties import Ties

if TYPE_CHECKING:
    from .problem import Problem


class Given(NamedTuple):
    """What a user gives of the parameters: starts, bounds, and which are fixed."""

    p0: Any
    bounds: Any
    fixed: Any


def of_open(ties: Ties, given: Given) -> Given:
    """Return what is given of the parameters that are not tied.

    Values by place are given for all parameters or for the open ones alone.  What p0 says of a tied
    parameter does not count.

    Raises
    ------
    ValueError
        A tied parameter has bounds or is fixed.
    """
    p0, bounds, fixed = given
    tied = ties.texts
    if isinstance(p0, Mapping):
        p0 = {name: value for name, value in p0.items() if name not in tied}
    elif p0 is not None:
        p0 = _open_columns(ties, np.asanyarray(p0))
    return Given(p0, _open_bounds(ties, bounds), _open_fixed(ties, fixed))


def _open_columns(ties: Ties, values: Array) -> Array:
    """The columns of the open parameters, of an array that has a column for every parameter."""
    return values[..., ties.open] if values.shape[-1:] == (len(ties.names),) else values


def _open_bounds(ties: Ties, bounds: Any) -> Any:
    if bounds is None:
        return None
    if isinstance(bounds, Mapping):
        for name in bounds:
            _refuse(ties, name, "bounds")
        return bounds
    P = len(ties.names)
    for_all = isinstance(bounds, list | tuple | np.ndarray) and len(bounds) == P
    names = ties.names if for_all else ties.open_names
    sides = read_bounds(bounds, len(names), names, np.float64)
    for side in sides:
        for j in ties.places if side.shape[-1:] == (P,) else ():
            if np.isfinite(side[..., j]).any():
                _refuse(ties, ties.names[j], "bounds")
    return tuple(_open_columns(ties, side) for side in sides)


def _open_fixed(ties: Ties, fixed: Any) -> Any:
    if fixed is None or isinstance(fixed, str | Mapping):
        for name in [fixed] if isinstance(fixed, str) else fixed or ():
            _refuse(ties, name, "fixed")
        return fixed
    array = np.asarray(fixed)
    if array.dtype.kind in "US":
        for name in array.reshape(-1):
            _refuse(ties, str(name), "fixed")
    elif array.dtype == bool and array.shape[-1:] == (len(ties.names),):
        for j in ties.places:
            if array[..., j].any():
                _refuse(ties, ties.names[j], "fixed")
        return _open_columns(ties, array)
    return fixed


def _refuse(ties: Ties, name: str, what: str) -> None:
    """Raise ValueError if the parameter is tied."""
    if name in ties.texts:
        bounds = "has no bounds of its own; bound", "cannot be held; fix"
        raise ValueError(
            f"{what} names {name!r}, which is tied to {ties.texts[name]!r}: it follows from other "
            f"parameters and {bounds[what == 'fixed']} those it depends on"
        )


def with_tied(problem: Problem, ties: Ties) -> Problem:
    """Return a problem of the parameters that are not tied as one of all.

    Raises
    ------
    ValueError
        All fits share a start at which a tied parameter is not finite.
    """
    start, lower, upper = (
        PerFit(ties.spread(row.array, fill), row.step)
        for row, fill in ((problem.start, 0), (problem.lower, -np.inf), (problem.upper, np.inf))
    )
    ties.fill(start.array)
    if not start.step and np.isfinite(problem.start.array).all():
        for name, text in ties.texts.items():
            value = start.array[ties.names.index(name)]
            if not np.isfinite(value):
                raise ValueError(f"the tied parameter {name} = {text} is {value} at the start")
    return problem._replace(
        names=ties.names,
        free=tuple(ties.open[j] for j in problem.free),
        start=start,
        lower=lower,
        upper=upper,
        fixed=None if problem.fixed is None else ties.spread(problem.fixed, 1),
        ties=ties,
    )


def covariance(cov: Array, slopes: Array, ties: Ties, free: list[int]) -> None:
    """Write the covariances of tied parameters into ``cov`` (..., P, P).

    An element is infinite where it depends on one of the free parameters that is.
    """
    C = cov[..., free, :][..., free]
    with np.errstate(all="ignore"):
        cross, own = _propagated(slopes, C)
        infinite = np.isinf(C).any((-1, -2))
        if infinite.any():
            finite = np.where(np.isinf(C[infinite]), 0, C[infinite])
            moved = (slopes[infinite] != 0).astype(float)
            reached = moved @ np.isinf(C[infinite])
            some = _propagated(slopes[infinite], finite)
            cross[infinite] = np.where(reached > 0, np.inf, some[0])
            own[infinite] = np.where(reached @ moved.swapaxes(-1, -2) > 0, np.inf, some[1])
    tied, columns = np.array(ties.places), np.array(free, np.intp)
    cov[..., tied[:, None], columns] = cross
    cov[..., columns[:, None], tied] = cross.swapaxes(-1, -2)
    cov[..., tied[:, None], tied] = own


def _propagated(slopes: Array, C: Array) -> tuple[Array, Array]:
    """T C and T C T' for T (..., T, F) and C (..., F, F), by the elements of T that are not 0."""
    n = slopes.shape[-2]
    cross = np.zeros(slopes.shape, C.dtype)
    own = np.zeros((*slopes.shape[:-1], n), C.dtype)
    entries = np.argwhere(slopes.any(axis=tuple(range(slopes.ndim - 2)))).tolist()
    for t, k in entries:
        cross[..., t, :] += slopes[..., t, k, None] * C[..., k, :]
    for t, k in entries:
        own[..., t] += slopes[..., t, k, None] * cross[..., k]
    return cross, (own + own.swapaxes(-1, -2)) / 2


def standard_errors(stderr: Array, cov: Array, slopes: Array, ties: Ties, free: list[int]) -> None:
    """Write the standard errors of tied parameters into ``stderr`` (..., P).

    Where a variance leaves the range of numbers they are computed from the standard errors of the
    free parameters, which do not.
    """
    every = np.array(ties.places)
    with np.errstate(all="ignore"):
        stderr[..., every] = np.sqrt(cov[..., every, every])
        errors = stderr[..., free]
        lost = ((errors > 0) & (errors < np.inf) & ~_is_normal(cov[..., free, free])).any(-1)
        lost |= ~_is_normal(cov[..., every, every]).all(-1)
        if lost.any():
            some = stderr[lost]
            some[..., every] = _in_units(some[..., free], cov[lost], slopes[lost], free)
            stderr[lost] = some


def _is_normal(variances: Array) -> Array:
    """Whether variances are in the range of numbers, with all their digits."""
    normal: Array = (variances >= np.finfo(variances.dtype).tiny) & (variances < np.inf)
    return normal


def _in_units(errors: Array, cov: Array, slopes: Array, free: list[int]) -> Array:
    """The errors of tied parameters (..., T) in units of those of the free ones (..., F).

    Where a variance is lost so may be its covariances: a tied parameter that depends on two such
    gets NaN.
    """
    lost = ~_is_normal(cov[..., free, free])
    R = cov[..., free, :][..., free] / errors[..., :, None] / errors[..., None, :]
    R = np.where(lost[..., :, None] | lost[..., None, :], np.nan, R)
    R[..., range(len(free)), range(len(free))] = 1
    shares = np.where(slopes == 0, 0, slopes * errors[..., None, :])
    largest = abs(shares).max(-1, initial=0.0)
    u = np.where(shares == 0, 0, shares / largest[..., None])
    variance = ((u @ np.where(np.isnan(R), 0, R)) * u).sum(-1)
    unknown = (((u != 0) @ np.isnan(R).astype(float)) * (u != 0)).sum(-1) > 0
    own = np.where(largest == 0, 0, largest * np.sqrt(np.maximum(variance, 0)))
    return np.where(np.isinf(largest), np.inf, np.where(unknown, np.nan, own))
