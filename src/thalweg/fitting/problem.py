"""A fit before it is run: model, data, start, bounds and fixed parameters, all checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, reduce
from math import isfinite, prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import Array, PerFit, name_index, shapes
from .._arguments.pieces import contiguous, has_nan
from .._arguments.warning import warn_user
from .._core.differences import Differences
from ..model import ModelInfo
from ..model.asked import columns_read
from ..model.present import MISSING_IN_A_CURVE, MISSING_ON_A_GRID, Uneven
from ..model.several import Stacked
from ..model.signature import with_more
from ..model.ties import TiedFunction, Ties, checked, read_ties
from ..model.trace import Recording, RecordingError, record, record_each
from . import by_calls
from .data import Data
from .elimination import eliminating
from .noise import Noise
from .shared import Sharing
from .starting import box_of, everywhere, start_of
from .tied import Given, of_open, with_tied

_FLOAT64, _FLOATS = np.dtype(np.float64), frozenset([float])


class SlowModelWarning(UserWarning):
    """A model could not be recorded: Python calls it, with derivatives by central differences.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> import thalweg as tw
    >>> x = np.arange(5.0)
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     r = tw.fit(lambda x, a: np.sort(a * x), x, 2 * x, [1.0])
    >>> said[0].category is tw.SlowModelWarning
    True
    """


class Problem(NamedTuple):
    """Minimise chi2 for B data sets, each array checked and in the layout of the engine.

    Attributes
    ----------
    model : ModelInfo
    data : Data
    names : tuple of str
    free : tuple of int
        The parameters that are neither tied nor fixed for all fits.
    start, lower, upper : PerFit
        (P,) or (B, P); bounds are infinite where there are none.
    bounded : bool
    fixed : ndarray or None
        uint8 (B, P): parameters that are fixed for some fits only.
    recording : Recording or None
        None where the model could not be recorded.
    scaled : bool
        Whether the problem is in the units of `thalweg.fitting.rescale` already.
    absolute_sigma : bool
        Whether sigma is in absolute units; if not, the covariance is scaled by chi2 / dof.
    ties : Ties or None
        How the tied parameters, if there are any, follow from the others.
    sharing : Sharing or None
        Which parameters are shared, if any are, and by which data sets.
    eliminate : bool
        Whether the linear parameters begin at their best, whatever ``start`` says of them.
    seen : tuple of ndarray or None
        The start of the first fit, and the value there of a model that Python calls.
    noise : Noise or None
        What is taken for the errors of y; None for normal ones.
    """

    model: ModelInfo
    data: Data
    names: tuple[str, ...]
    free: tuple[int, ...]
    start: PerFit
    lower: PerFit
    upper: PerFit
    bounded: bool
    fixed: Array | None
    recording: Recording | None
    scaled: bool = False
    absolute_sigma: bool = False
    ties: Ties | None = None
    sharing: Sharing | None = None
    eliminate: bool = False
    seen: tuple[Array, Array] | None = None
    noise: Noise | None = None

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper bounds, each of a shape that broadcasts against the parameters."""
        P = len(self.names)
        return tuple(
            row.array.reshape((*self.data.batch, P) if row.step else (P,))
            for row in (self.lower, self.upper)
        )  # type: ignore[return-value]

    @property
    def determined(self) -> tuple[int, ...]:
        """The places of the parameters that the data determine: the free and the tied ones."""
        return self.free if self.ties is None else (*self.free, *self.ties.places)

    def count_free(self) -> Array:
        """Return the number of free parameters of each fit, shape () or the batch's."""
        if self.fixed is None:
            return np.asarray(len(self.free))
        held = np.count_nonzero(self.fixed[:, list(self.free)], axis=1)
        return np.asarray(len(self.free) - held).reshape(self.data.batch)

    def differences(self, fit: int) -> Differences:
        """Return the function that evaluates the model of one data set by calling it."""
        lower, upper = (
            row.array[fit] if row.step else row.array for row in (self.lower, self.upper)
        )
        return by_calls.differences(
            self.model.function,
            self.data.argument(fit),
            self.free,
            self.data.weighted(fit),
            (lower, upper),
            self.data.points,
            self.data.y.dtype,
            self.seen if fit == 0 else None,
        )

    def picked(self, places: Array, batch: tuple[int, ...] | None = None) -> Problem:
        """Return the problem of the fits at these places, (n,), in one axis or as ``batch``."""
        start, lower, upper = (row.picked(places) for row in (self.start, self.lower, self.upper))
        recording, sharing = self.recording, self.sharing
        return self._replace(
            sharing=None if sharing is None else sharing._replace(number=sharing.number[places]),
            recording=None if recording is None else recording.picked(places),
            noise=None if self.noise is None else self.noise.picked(places),
            data=self.data.picked(places, places.shape if batch is None else batch),
            start=start,
            lower=lower,
            upper=upper,
            fixed=None if self.fixed is None else self.fixed[places],
            seen=None,
        )


def prepare(
    model: ModelInfo,
    data: Data,
    p0: Any,
    bounds: Any,
    fixed: Any,
    dtype: Any,
    absolute_sigma: bool = False,
    tied: Any = None,
    linear: str | None = None,
) -> Problem:
    """Return the problem that `thalweg.fit` describes.

    Raises
    ------
    ValueError
        Names or shapes do not fit, or the one start that all fits share is not inside its bounds.
    """
    model, names = named(model, {**p0, **checked(tied)} if isinstance(p0, Mapping) else p0)
    ties = read_ties(tied, names, model.independent or data.names or ("x",)) if tied else None
    if ties is not None:
        p0, bounds, fixed = of_open(ties, Given(p0, bounds, fixed))
        model = model._replace(function=TiedFunction(model.function, ties))
    recording, data, refusal = _record(model, data, len(names), dtype)
    if refusal is not None and data.several is not None:
        model = model._replace(function=Stacked(model.function, data.several))
    batch, names = data.batch, names if ties is None else ties.open_names
    P = len(names)
    free, own, values = _all_free(P) if fixed is None else _fixed(fixed, names, batch)
    box = everywhere(P, dtype) if bounds is None else box_of(bounds, names, batch, dtype)
    start = start_of(model, data, p0, values, names, box, dtype, linear is not None)
    problem = Problem(model, data, names, free, start, *box, own, recording, False, absolute_sigma)
    if ties is not None:
        problem = with_tied(problem, ties)
    if linear is not None:
        given = {**p0, **values} if isinstance(p0, Mapping) else dict.fromkeys(names)
        problem = eliminating(problem, linear, given, refusal)
    if refusal is not None:
        problem, seen = _called_at_start(problem, refusal)
        if data.form == "columns":
            value = None if data.source is None or seen is None else seen[1]
            problem = problem._replace(data=data.settled(dtype, value))
        problem = problem._replace(seen=seen)
        warn_user(
            "this model could not be recorded and is called from Python, which is much slower: "
            f"{refusal}",
            SlowModelWarning,
        )
    return problem


def on_data(problem: Problem, data: Data) -> Problem:
    """Return the problem of the same fits with these data, on which its model is recorded."""
    dtype = problem.start.array.dtype
    recording, data, refusal = _record(problem.model, data, len(problem.names), dtype)
    if refusal is not None and data.form == "columns":
        data = data.settled(dtype)
    return problem._replace(data=data, recording=recording)


def _called_at_start(
    problem: Problem, refusal: RecordingError
) -> tuple[Problem, tuple[Array, Array] | None]:
    """The problem as its model is called, and the model at the start of the first fit.

    A model gets the points whose x is known, as if the others had been dropped: what it reads of x
    as a whole, such as its mean, is a number then.  One that holds arrays for all points can be
    called with all of them alone.

    Raises
    ------
    ValueError
        Such a model is not finite where x is known, and would be if no x were missing.
    """
    if refusal.operation in (MISSING_ON_A_GRID, MISSING_IN_A_CURVE):
        raise ValueError(str(refusal))
    data = problem.data
    special = data.source is not None or data.several is not None or len(data.points) > 1
    gap = None if special else _first_gap(problem)
    if gap is None:
        return problem, _call_at_start(problem)
    fit, known = gap
    function = by_calls.OfPresent(problem.model.function)
    less = problem._replace(model=problem.model._replace(function=function))
    try:
        seen = _call_at_start(less, fit)
        return less, seen if fit == 0 else _call_at_start(less)
    except Exception as error:
        refused = error
    seen = _call_at_start(problem, fit)
    if seen is not None and not np.isfinite(seen[1][known]).all():
        _refuse_missing(problem, fit, known, refused)
    return problem, seen if fit == 0 else _call_at_start(problem)


def _first_gap(problem: Problem) -> tuple[int, Array] | None:
    """The first fit that lacks some x and begins at numbers, and at which points it has all of x.

    None if there is no such fit.
    """
    data = problem.data
    if not (data.n_fits and any(has_nan(row.array) for row in data.x)):
        return None
    missing = np.atleast_2d(reduce(np.logical_or, (np.isnan(row.array) for row in data.x)))
    found = np.flatnonzero(missing.any(axis=1) & np.isfinite(problem.start.array).all(axis=-1))
    return (int(found[0]), ~missing[found[0] % len(missing)]) if found.size else None


def _refuse_missing(problem: Problem, fit: int, known: Array, refused: Exception) -> None:
    """Refuse a model that is not finite at the start because x is missing at some points."""
    rows = [PerFit(row.array[fit] if row.step else row.array, 0) for row in problem.data.x]
    whole = [PerFit(np.where(known, row.array, row.array[known][:1]), 0) for row in rows]
    seen = _call_at_start(problem._replace(data=problem.data._replace(x=tuple(whole))), fit)
    if seen is not None and np.isfinite(seen[1][known]).all():
        raise ValueError(
            f"x is missing at {np.count_nonzero(~known)} of {known.size} points; with the others "
            f"alone the model raises {type(refused).__name__}: {refused}, and with all of them it "
            "is not finite where x is known: give x there, and leave the points out by mask= or by "
            "NaN in y"
        ) from refused


def _call_at_start(problem: Problem, fit: int = 0) -> tuple[Array, Array] | None:
    """Return the start of a fit and the model there, or raise what it raises there."""
    start, data = problem.start, problem.data
    theta = start.array[fit] if data.n_fits and start.step else start.array
    if not (data.n_fits and all(map(isfinite, theta.tolist()))):
        return None
    with np.errstate(all="ignore"):
        f, x = problem.model.function, data.argument(fit)
        return theta, np.array(by_calls.call(f, x, tuple(theta), data.points, data.y.dtype))


def named(model: ModelInfo, p0: Any) -> tuple[ModelInfo, tuple[str, ...]]:
    """The model as a function of all its parameters, in order, and their names."""
    names = model.names
    if names is not None and model.takes_names and isinstance(p0, Mapping):
        more = tuple(name for name in p0 if name not in names)
        function = with_more(model.function, names, more)
        names = (*names, *more)
        model = model._replace(function=function, names=names)
    if names is None:
        if p0 is None:
            raise ValueError(
                "p0 is needed: the model takes *args, which do not say how many parameters it has"
            )
        if isinstance(p0, Mapping):
            names = tuple(p0)
        else:
            names = tuple(f"p{j}" for j in range(np.shape(p0)[-1] if np.ndim(p0) else 1))
    if not names:
        cure = "a dict p0 names those of **kwargs" if model.takes_names else "as f(x, a, b) has"
        raise ValueError(f"{model.label} has no parameters to fit: {cure}")
    return model, names


@lru_cache(maxsize=64)
def _all_free(n_params: int) -> tuple[tuple[int, ...], None, Mapping[str, Any]]:
    """What `_fixed` returns where no parameter is fixed."""
    return tuple(range(n_params)), None, {}


def _fixed(
    fixed: Any, names: Sequence[str], batch: tuple[int, ...]
) -> tuple[tuple[int, ...], Array | None, Mapping[str, Any]]:
    """The parameters that are not fixed for all fits, those that are for some, and their values.

    The second is uint8 (B, P), None if all fits fix the same parameters.
    """
    P = len(names)
    held, values = _held(fixed, names, batch)
    if held.ndim > 1:
        return tuple(range(P)), contiguous(held.reshape(-1, P), np.uint8), values
    return tuple(np.flatnonzero(~held).tolist()), None, values


def _held(
    fixed: Any, names: Sequence[str], batch: tuple[int, ...]
) -> tuple[Array, Mapping[str, Any]]:
    """Which parameters are fixed, bool (P,) or (..., P), and the values that ``fixed`` gives."""
    P = len(names)
    if isinstance(fixed, Mapping):
        held = np.zeros(P, bool)
        held[[name_index(name, names, "fixed") for name in fixed]] = True
        return held, fixed
    if isinstance(fixed, str):
        fixed = [fixed]
    array = np.asarray(fixed)
    if array.dtype.kind in "US":
        held = np.zeros(P, bool)
        held[[name_index(str(name), names, "fixed") for name in array]] = True
        return held, {}
    if array.dtype != bool and array.size:
        raise TypeError("fixed must be names, a dict name -> value, or booleans per parameter")
    if array.shape not in ((P,), (*batch, P)):
        if not array.size:
            return np.zeros(P, bool), {}
        raise ValueError(f"fixed must have shape {shapes('P', P, batch)}, got {array.shape}")
    return array, {}


def _record(
    model: ModelInfo, data: Data, n_params: int, dtype: Any
) -> tuple[Recording | None, Data, RecordingError | None]:
    """The recorded model and its data, or why the model cannot be recorded."""
    try:
        if data.form == "columns":  # columns that the model does not read are left out
            first = [row.array[0] if row.step and data.n_fits else None for row in data.x]
            values = [f if row.step else row.array for f, row in zip(first, data.x, strict=True)]
            _, points = data.of_one_output()
            read = columns_read(model.function, data.names, n_params, points, values, data.several)
            data = data.of_columns(read).settled(dtype)
        return _recorded(model, data, n_params), data, None
    except RecordingError as error:
        return None, data, error


def _recorded(model: ModelInfo, data: Data, n_params: int) -> Recording:
    """The recorded model, recorded for each data set if it reduces or indexes an x of its own."""
    f, (x, points), P = model.function, data.of_one_output(), n_params
    form: Any = {"single": data.single, "columns": data.names, "several": data.several}
    shared: Sequence[Array | None] = shared_values(x)
    if data.use is not None and any(row.step and has_nan(row.array) for row in x):
        shared = Uneven()  # which points of any variable are read differs from fit to fit
    if data.asked is not None:
        known = data.asked.take(f, x, P, points, data.single, data.names)
        if known is not None:
            return known
    try:
        return record(f, len(x), P, points, data=shared, **form)
    except RecordingError:
        if not any(row.step for row in x):
            raise
        if data.n_fits:
            return record_each(f, x, P, points, **form)
        # without fits an x stands in for those that others will have, for example chunks of dask
        some = PerFit(np.linspace(1.0, 2.0, prod(points))[None], 1)
        rows = [some if row.step else row for row in x]
        return record_each(f, rows, P, points, **form).picked(np.empty(0, np.intp))


def shared_values(x: Sequence[PerFit]) -> list[Array | None]:
    """The values of each variable; None for a variable that differs from fit to fit."""
    return [None if row.step else row.array for row in x]
