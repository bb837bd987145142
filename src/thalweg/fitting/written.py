"""A result as text, tables, files and pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .._arguments.check import Array
from ..status import Status, explain
from . import goodness, tables

if TYPE_CHECKING:
    from .result import FitResult


class Written:
    """What `FitResult` writes and draws: a summary, tables, a file, a picture."""

    def summary(self) -> str:
        """Return a table to read: the parameters of one fit, or the spread over a batch."""
        result = cast("FitResult", self)
        lines = result._summary_of_one() if result.chi2.ndim == 0 else result._summary_of_many()
        return "\n".join(lines)

    def _summary_of_one(self) -> Iterable[str]:
        result = cast("FitResult", self)
        width = max(map(len, result.names), default=0)
        for j, (name, note) in enumerate(zip(result.names, result.notes(), strict=True)):
            error = f"+- {result.stderr[j]:<12.6g}" if not note else f"({note})"
            error += f" = {result.tied[name]}" if name in result.tied else ""
            yield f"{name:>{width}} = {result.params[j]:<15.9g} {error}".rstrip()
        yield f"{goodness.in_words(result, 9)}, {result.n_iter} steps"
        yield result.reason()

    def notes(self) -> list[str]:
        """Return why each parameter of one fit has no standard error; empty where it has one."""
        result = cast("FitResult", self)
        determined, at_bound = result.problem.determined, result.at_bound
        return [
            "fixed" if j not in determined else "at a bound" if at_bound[j] else ""
            for j in range(len(result.names))
        ]

    def spread(self) -> Iterable[tuple[str, float, float, float, float]]:
        """Yield each name with median, 5 % and 95 % of its values and the median standard error.

        Only successful fits count.
        """
        result = cast("FitResult", self)
        good = result.success
        for j, name in enumerate(result.names if good.any() else ()):
            low, middle, high = np.percentile(result.params[good, j], [5, 50, 95])
            yield name, middle, low, high, np.median(result.stderr[good, j])

    def _summary_of_many(self) -> Iterable[str]:
        result = cast("FitResult", self)
        good = result.success
        yield f"{good.size} fits, {np.count_nonzero(good)} succeeded"
        if good.any():
            width = max(map(len, result.names), default=0)
            yield f"{'':>{width}}   {'median':>13} {'5 %':>13} {'95 %':>13} {'median +-':>13}"
            for name, middle, low, high, error in result.spread():
                yield f"{name:>{width}}   {middle:13.6g} {low:13.6g} {high:13.6g} {error:13.6g}"
        for code, number in zip(*np.unique(result.status, return_counts=True), strict=True):
            yield f"{number:>10}  {Status(code).name}: {result._sentence(Status(code))}"

    def _sentence(self, status: Status) -> str:
        result = cast("FitResult", self)
        details = np.unique(result.detail[result.status == status])
        return explain(status, int(details[0]) if details.size == 1 else -1, result.names)

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame: one row per fit.

        Its columns are those of `columns` and the covariance of each pair of parameters, such as
        ``a_tau_cov``.  Where y was labelled the rows have its labels as index, else numbers.

        Raises
        ------
        ModuleNotFoundError
            pandas is not installed.
        """
        return tables.to_dataframe(cast("FitResult", self))

    def to_xarray(self) -> Any:
        """Return an xarray Dataset with the batch's axes as dimensions.

        These have the names and coordinates that y had, or else the names ``dim_0``, ``dim_1``, ...
        The variables are those of `columns` except the reason, which is told by the attributes
        ``flag_values`` and ``flag_meanings`` of ``status`` (CF conventions, section 3.5), and
        ``cov`` with the further dimensions ``cov_i`` and ``cov_j``.

        Raises
        ------
        ModuleNotFoundError
            xarray is not installed.
        ValueError
            A coordinate of y has the name of a variable.
        """
        return tables.to_xarray(cast("FitResult", self))

    def columns(self) -> dict[str, Array]:
        """Return the result as flat columns by name, one entry per fit, as files hold it."""
        return tables.columns(cast("FitResult", self))

    def save(self, path: Any) -> None:
        """Write the result to an ``.npz`` file, whole or not at all; `thalweg.load` reads it.

        The file holds the numbers and names of the result and the labels of its batch, not the data
        nor the code of a model that is a function of Python.

        Raises
        ------
        OSError
            The file cannot be written.
        TypeError
            A label is no number, date or text.
        """
        from .saved import save  # which itself makes results

        save(cast("FitResult", self), path)

    def plot(self, *index: int, ax: Any = None, band: float | None = None) -> Any:
        """Draw data, curve and residuals of one fit; returns the axes.  Needs matplotlib.

        ``index`` picks the fit from a batch; for a model of two variables the data are an image.
        ``band`` is the level of a confidence band, see `thalweg.plot.fit`.
        """
        from .. import plot

        return plot.fit(cast("FitResult", self), *index, ax=ax, band=band)

    def _repr_html_(self) -> str:
        return tables.to_html(cast("FitResult", self))
