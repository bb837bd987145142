"""The result of a chunk of fits as one array of records, and results from such arrays.

A record holds what `thalweg.fitting.result.FitResult` keeps of each fit: all other numbers of a
result, such as standard errors, follow from these without the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array, PerFit
from ..fitting.problem import Problem
from ..fitting.result import FitResult
from ..fitting.selection import PER_FIT
from ..status import Status

# What of a problem is kept in the records, where it differs from fit to fit.
_OF_PROBLEM = ("lower", "upper", "fixed", "f_scale")


def record_type(result: FitResult) -> np.dtype[Any]:
    """Return the type of the records of results like this one, which may be empty."""
    arrays = _arrays(result)
    n = result.status.ndim
    return np.dtype([(name, a.dtype, a.shape[n:]) for name, a in arrays.items()])


def packed(result: FitResult, kind: np.dtype[Any]) -> Array:
    """Return the records of a result, of its batch's shape."""
    out = np.empty(result.status.shape, kind)
    for name, array in _arrays(result).items():
        out[name] = array
    return out


def not_run(shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
    """Return the records of fits that have not run, of this shape."""
    out = np.zeros(shape, kind)
    for name in kind.names or ():
        if kind[name].base.kind == "f":
            out[name] = np.nan
    out["detail"], out["status"] = -1, Status.NOT_RUN
    return out


def _arrays(result: FitResult) -> dict[str, Array]:
    """The arrays of a record, each of the batch's shape and further axes of its own."""
    problem, batch = result.problem, result.status.shape
    arrays: dict[str, Any] = {name: getattr(result, name) for name in PER_FIT}
    arrays["errors"] = result.stderr[..., list(problem.free)]
    if result.agreement is not None:
        arrays["agreement"] = result.agreement
    for name, row in _of_problem(problem).items():
        arrays[name] = row.reshape(*batch, *row.shape[1:])
    return {name: np.asarray(array) for name, array in arrays.items()}


def _of_problem(problem: Problem) -> dict[str, Array]:
    """What of the problem differs from fit to fit, with a row for each."""
    scale = None if problem.noise is None else problem.noise.f_scale
    rows = (problem.lower, problem.upper, scale)
    names = ("lower", "upper", "f_scale")
    out = {n: row.array for n, row in zip(names, rows, strict=True) if row is not None and row.step}
    return out if problem.fixed is None else {**out, "fixed": problem.fixed}


def unpacked(records: Array, like: Problem) -> FitResult:
    """Return the result that records hold, without the data; ``like`` is the problem of others."""
    of = {name: np.array(records[name]) for name in records.dtype.names or ()}
    batch, P = records.shape, len(like.names)
    y = np.empty((records.size, 0), of["chi2"].dtype)
    data = like.data._replace(y=y, sigma=None, use=None, batch=batch, labels=None, kept=False)
    nothing = PerFit(np.empty(0, y.dtype), 0)
    more: dict[str, Any] = {"data": data._replace(x=tuple(nothing for _ in data.x))}
    for side in ("lower", "upper"):
        if side in of:
            more[side] = PerFit(of[side].reshape(-1, P), 1)
    if "fixed" in of:
        more["fixed"] = of["fixed"].reshape(-1, P)
    if "f_scale" in of and like.noise is not None:
        more["noise"] = like.noise._replace(f_scale=PerFit(of["f_scale"].reshape(-1), 1))
    per_fit: dict[str, Any] = {name: of[name] for name in PER_FIT}
    return FitResult(
        **per_fit,
        names=like.names,
        problem=like._replace(**more),
        errors=of["errors"],
        agreement=of.get("agreement"),
    )


def stub(problem: Problem) -> Problem:
    """Return a problem without arrays of fits and without its recording, to go with `unpacked`."""
    return problem._replace(recording=None, seen=None)
