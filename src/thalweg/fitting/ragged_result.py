"""The result of data sets of different lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .._arguments.check import Array, Floats
from .problem import on_data
from .ragged_data import RaggedData
from .result import FitResult

if TYPE_CHECKING:
    from .comparison import Comparison


class RaggedResult(FitResult):
    """A `FitResult` whose data sets have different numbers of points.

    What has an entry for each point, such as `fitted`, is a list of arrays, or one flat array if y
    was.  ``r[17]`` is the plain result of one data set and has all that such a result has.
    """

    @property
    def _data(self) -> RaggedData:
        return self.problem.data  # type: ignore[return-value]

    def __getitem__(self, key: Any) -> Any:
        """Return one parameter of every fit, by its name, or the result of some fits or of one."""
        picked = super().__getitem__(key)
        alone = isinstance(picked, FitResult) and picked.status.ndim == 0
        return _plain(picked) if alone else picked

    def _by_length(self) -> Iterator[tuple[Array, FitResult]]:
        """Yield the places of the fits of each number of points, and their plain results."""
        for places in self._data.by_length():
            at = np.unravel_index(places, self.status.shape)
            yield places, _plain(FitResult.__getitem__(self, at))

    def _per_point(self, of: Callable[[FitResult], Array]) -> Any:
        """Return what results have for each point, (N_k, ...), in the form that y was given in."""
        rows: list[Array] = [np.empty(0, self.params.dtype)] * self.status.size
        for places, part in self._by_length():
            for place, row in zip(places, of(part), strict=True):
                rows[place] = row
        return self._data.as_given(rows)

    def predict(self, x: Any = None) -> Any:
        """Return f(x; params) for every fit, (..., N); at x=None at the points of each fit."""
        return super().predict(x) if x is not None else self._per_point(lambda r: r.predict())

    @cached_property
    def fitted(self) -> Any:
        """The model at the fitted points: an array (N_k,) for each fit, or flat."""
        return self.predict()

    @cached_property
    def residual(self) -> Any:
        """y - f(x; params): an array (N_k,) for each fit, or flat; NaN for a point left out."""
        return self._per_point(lambda r: r.residual)

    def residual_rows(self) -> Array:
        """Return the residuals as rows, (B, N) of the largest N, NaN behind shorter data sets."""
        data = self._data
        rows = np.full((data.n_fits, int(data.lengths.max(initial=0))), np.nan)
        for places, part in self._by_length():
            rows[places, : part.problem.data.n_points] = part.residual
        return rows

    @property
    def jacobian(self) -> Any:
        """df(x_i; params) / dtheta_j: an array (N_k, P) for each fit, or flat, (M, P)."""
        return self._per_point(lambda r: r.jacobian)

    @cached_property
    def r2(self) -> Floats:
        """Coefficient of determination, shape (...); see `FitResult.r2`."""
        out = np.empty_like(self.chi2)
        for places, part in self._by_length():
            out.reshape(-1)[places] = part.r2
        return out

    def band(
        self, x: Any = None, level: float = 0.95, prediction: bool = False, sigma: Any = None
    ) -> Any:
        """Return a confidence band, (..., N, 2); at x=None at the points of each fit."""
        if x is not None:
            return super().band(x, level, prediction, sigma)
        if sigma is not None:
            raise ValueError("sigma of new observations is for a band at x: give x, too")
        return self._per_point(lambda r: r.band(None, level, prediction))

    def compare(self, other: FitResult) -> Comparison:
        """Compare with the fit of another model to the same data; see `FitResult.compare`."""
        theirs: Any = other.problem.data
        alike = isinstance(theirs, RaggedData)
        if not alike or not np.array_equal(theirs.offsets, self._data.offsets):
            raise ValueError(
                "only fits of the same data can be compared: the numbers of points differ"
            )
        return super().compare(other)

    def profile(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a profile is that of data sets of one length."""
        _refuse("profile")

    def bootstrap(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: samples are drawn of data sets of one length."""
        _refuse("bootstrap")

    def jackknife(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: points are left out of data sets of one length."""
        _refuse("jackknife")

    def plot(self, *index: int, ax: Any = None, band: float | None = None) -> Any:
        """Draw data, curve and residuals of one fit; see `FitResult.plot`."""
        return self[index].plot(ax=ax, band=band)


def _refuse(method: str) -> NoReturn:
    raise ValueError(
        f"{method} is for data sets of one length; r[17].{method}(...) is that of one data set"
    )


def _plain(result: FitResult) -> FitResult:
    """Return the result of data sets of one length as that of rows."""
    data: Any = result.problem.data
    if isinstance(data, RaggedData):
        data = data.of_length(np.arange(data.n_fits), data.batch)
    arrays = {field.name: getattr(result, field.name) for field in fields(FitResult)}
    return FitResult(**arrays | {"problem": on_data(result.problem, data)})
