"""The results of some fits of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .shared import Groups

if TYPE_CHECKING:
    from .result import FitResult

# The arrays of a result that have an entry for each fit; ``errors`` is another where it is kept.
PER_FIT = ("params", "chi2", "n_iter", "n_used", "status", "covariance_rows", "detail", "attempts")


def select(result: FitResult, index: Any) -> FitResult:
    """Return the result of the fits that an index picks, as NumPy picks from the batch's axes.

    Raises
    ------
    IndexError
        The index does not fit the batch.
    """
    batch = result.status.shape
    try:
        places = np.arange(result.status.size).reshape(batch)[index]
    except IndexError as error:
        if not batch:
            raise IndexError(
                "this is the result of one fit: there is no batch to pick from"
            ) from None
        raise IndexError(f"the batch has the shape {batch}: {error}") from None
    flat, shape = np.ravel(places), np.shape(places)

    def of(array: Any) -> Any:
        own = array.shape[len(batch) :]
        return array.reshape(result.status.size, *own)[flat].reshape((*shape, *own))

    problem = result.problem.picked(flat, shape)
    if (labels := result.problem.data.labels) is not None:
        data = problem.data._replace(labels=labels.picked(index, batch))
        problem = problem._replace(data=data)
    picked = {name: of(getattr(result, name)) for name in PER_FIT}
    errors = None if result.errors is None else of(result.errors)
    groups = None if result.groups is None else Groups(*map(of, result.groups))
    if result.agreement is not None:
        picked["agreement"] = of(result.agreement)
    return replace(result, problem=problem, errors=errors, groups=groups, **picked)
