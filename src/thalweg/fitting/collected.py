"""The results of batches of fits, put together as the result of all data sets."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from .._arguments.check import Array, PerFit
from .packed import diagonal
from .problem import Problem
from .ragged_data import RaggedData
from .ragged_result import RaggedResult
from .result import FitResult
from .selection import PER_FIT

_UNKNOWN = {"detail": -1}  # what fits that have not run have; numbers are NaN, counts are 0


class Collected:
    """The results so far, arrays with a row for each fit."""

    def __init__(self, data: RaggedData) -> None:
        self.data = data
        self.problem: Problem | None = None
        self.rows: dict[str, Array] = {}
        self.errors: Array | None = None

    def take(self, places: Array, part: FitResult) -> None:
        """Keep the result of the fits at these places, (n,)."""
        if self.problem is None:
            self.problem = self._problem_of_all(part.problem)
        for name in (*PER_FIT, "agreement"):
            if (values := getattr(part, name)) is not None:
                self._put(self.rows, name, places, values)
        self.problem = self._with_rows(self.problem, places, part.problem)
        if part.errors is not None:
            if self.errors is None:
                self.errors = self._plain_errors()
            self.errors[places] = part.errors
        elif self.errors is not None:
            self.errors[places] = self._plain_errors()[places]

    def _put(self, rows: dict[str, Array], name: str, places: Array, values: Array) -> None:
        if name not in rows:
            empty = _UNKNOWN.get(name, np.nan if values.dtype.kind == "f" else 0)
            rows[name] = np.full((self.data.n_fits, *values.shape[1:]), empty, values.dtype)
        rows[name][places] = values

    def _plain_errors(self) -> Array:
        """The square roots of the variances of the free parameters, (B, F)."""
        assert self.problem is not None
        with np.errstate(invalid="ignore"):
            variances = self.rows["covariance_rows"][:, diagonal(len(self.problem.free))]
            return np.asarray(np.sqrt(variances))

    def _problem_of_all(self, first: Problem) -> Problem:
        """The problem of all data sets, whose rows are still to be put into it.

        Its recording tells only that there is one: each part has a recording of its own.
        """
        recording = first.recording and first.recording._replace(arrays=[])

        def room(row: PerFit) -> PerFit:
            shape = (self.data.n_fits, *row.array.shape[1:])
            return PerFit(np.full(shape, np.nan, row.array.dtype), 1) if row.step else row

        noise = first.noise
        if noise is not None and noise.f_scale is not None:
            noise = noise._replace(f_scale=room(noise.f_scale))
        held = first.fixed
        if held is not None:
            held = np.zeros((self.data.n_fits, held.shape[1]), held.dtype)
        return first._replace(
            data=self.data,  # type: ignore[arg-type]  # it has what results ask of it
            start=room(first.start),
            lower=room(first.lower),
            upper=room(first.upper),
            fixed=held,
            noise=noise,
            recording=recording,
            seen=None,
        )

    def _with_rows(self, whole: Problem, places: Array, part: Problem) -> Problem:
        """Put what the fits at these places have of their own into the problem of all."""
        pairs = [(whole.start, part.start), (whole.lower, part.lower), (whole.upper, part.upper)]
        if whole.noise is not None and whole.noise.f_scale is not None:
            assert part.noise is not None and part.noise.f_scale is not None
            pairs.append((whole.noise.f_scale, part.noise.f_scale))
        for all_rows, rows in pairs:
            if all_rows.step:
                all_rows.array[places] = rows.array
        if whole.fixed is not None:
            whole.fixed[places] = part.fixed
        return whole._replace(bounded=whole.bounded or part.bounded)

    def result(self) -> FitResult:
        """Return the result of all data sets; those that have not run have the status NOT_RUN."""
        assert self.problem is not None
        return RaggedResult(
            **self.rows,  # type: ignore[arg-type]
            names=self.problem.names,
            problem=self.problem,
            errors=self.errors,
        )

    def attach_to(self, error: BaseException, places: Array) -> None:
        """Give an exception the fits that had finished, as its attribute ``result``.

        ``places`` are those of the batch that it interrupted, whose finished part it may carry.
        """
        if isinstance(part := getattr(error, "result", None), FitResult):
            self.take(places, part)
        if self.problem is not None:
            with suppress(AttributeError):  # an exception class may refuse attributes
                error.result = self.result()  # type: ignore[attr-defined]
