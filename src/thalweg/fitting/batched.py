"""How Python and NumPy see a result: a batch is a sequence of results, and an array of theta."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .._arguments.check import Floats

if TYPE_CHECKING:
    from .result import FitResult


class Batched:
    """Length, iteration and conversion to an array of `FitResult`."""

    def __len__(self) -> int:
        """Return the length of the batch's first axis.

        Raises
        ------
        TypeError
            It is the result of one fit.
        """
        shape = cast("FitResult", self).status.shape
        if not shape:
            raise TypeError("the result of one fit has no length")
        return int(shape[0])

    def __iter__(self) -> Iterator[FitResult]:
        """Iterate over the results along the batch's first axis.

        Raises
        ------
        TypeError
            It is the result of one fit, which is no pair, as what `thalweg.curve_fit` returns.
        """
        result = cast("FitResult", self)
        if not result.status.ndim:
            raise TypeError(
                "the result of one fit has no length and cannot be unpacked: its parameters are "
                ".params and their covariance .cov; thalweg.curve_fit returns these two"
            )
        return (result[k] for k in range(len(self)))

    def __bool__(self) -> bool:
        """Return True, also for a failed fit: ask `FitResult.success`."""
        return True

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        """Return the parameters, shape (..., P), so that ``np.asarray(r)`` is ``r.params``.

        ``np.array([r, s])`` of two results has the parameters of both, (2, ..., P).
        """
        params = cast("FitResult", self).params
        if copy is None:
            return np.asarray(params, dtype)
        return np.array(params, dtype, copy=copy)
