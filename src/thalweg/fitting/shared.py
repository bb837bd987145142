"""Fits that share parameters: which they are, and which data sets form a group.

The data sets of a group have one value of each shared parameter, and every data set its own values
of the others; what is minimised is the sum of chi2 over the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._arguments.check import Array, Booleans, Floats, Integers, PerFit, name_index

if TYPE_CHECKING:
    from .problem import Problem
    from .result import FitResult

# The totals of groups that a job writes, and their types
TOTALS = {"status": np.int8, "chi2": np.float64, "n_used": np.int64, "n_free": np.int64}


class Sharing(NamedTuple):
    """Which parameters are shared, and by which data sets.

    Attributes
    ----------
    names : tuple of str
        The shared parameters.
    number : ndarray of int, shape (B,)
        The number of each data set's group.
    """

    names: tuple[str, ...]
    number: Array

    def in_order(self) -> tuple[Array | None, Array]:
        """Return an order in which groups are together, None if they are, and where each begins."""
        number = self.number
        order = None
        if (number[1:] < number[:-1]).any():
            order = np.argsort(number, kind="stable")
            number = number[order]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        return order, np.append(starts, number.size).astype(np.int64)


class Groups(NamedTuple):
    """What the groups of fits with shared parameters have in common: arrays of the batch's shape.

    Attributes
    ----------
    number : ndarray of int
        The number of the group of each data set.
    status : ndarray of int8
        The `Status` of the group.  That of a data set differs where it has a fault of its own.
    chi2 : ndarray
        The sum of chi2 over the data sets of the group that take part.
    n_used : ndarray of int
        The points of these.
    n_free : ndarray of int
        Their free parameters, each shared one counted once.
    """

    number: Integers
    status: Integers
    chi2: Floats
    n_used: Integers
    n_free: Integers

    @property
    def success(self) -> Booleans:
        """Whether the group met a tolerance."""
        return np.asarray(self.status > 0)

    @property
    def dof(self) -> Integers:
        """Degrees of freedom of the group, points used minus free parameters."""
        return np.asarray(self.n_used - self.n_free)

    def __repr__(self) -> str:
        several, first = np.unique(self.number, return_index=True)
        good = int(np.count_nonzero(self.success.reshape(-1)[first]))
        return (
            f"<Groups: {len(several)} of {self.number.size} data sets, {good} succeeded\n"
            f" {', '.join(self._fields)}, success, dof for each data set>"
        )


def room_for_groups(problem: Problem, out: dict[str, Array]) -> None:
    """Add arrays for the totals of groups, an element for each data set, to those of results."""
    if problem.sharing is not None:
        for name, kind in TOTALS.items():
            empty = np.nan if kind is np.float64 else 0
            out[f"group_{name}"] = np.full(problem.data.batch, empty, kind)


def groups_of(out: dict[str, Array], problem: Problem) -> Groups | None:
    """Return the totals of groups among the results of a job; None if nothing is shared."""
    if problem.sharing is None:
        return None
    number = problem.sharing.number.reshape(problem.data.batch)
    return Groups(number, *(out[f"group_{name}"] for name in TOTALS))


# ---- what users say --------------------------------------------------------------------------


def share(problem: Problem, shared: Any, groups: Any) -> Problem:
    """Return the problem with parameters that data sets share, if ``shared`` or ``groups`` says so.

    A shared parameter starts at the median of the starts of its group, and lies within the bounds
    of all data sets of it.

    Raises
    ------
    ValueError
        A name is unknown, twice there, fixed or tied; there is no batch to share along; groups has
        another shape; linear parameters are to have no start; or the model cannot be recorded.
    """
    if shared is None and groups is None:
        return problem
    if problem.eliminate:
        raise ValueError("linear is for data sets without shared parameters; leave it out")
    names = _shared_names(problem, shared)
    index = _index_of(problem, groups)
    if problem.recording is None:
        raise ValueError(
            "shared parameters need a model that can be recorded; this one is called from Python, "
            "for the reason that the warning names"
        )
    sharing = Sharing(names, index)
    places = [problem.names.index(name) for name in names]
    order, begin = sharing.in_order()
    start, lower, upper = (row.array for row in (problem.start, problem.lower, problem.upper))
    if problem.lower.step and problem.data.n_fits:
        lower = _of_groups(np.maximum, lower, index, order, begin, places)
        upper = _of_groups(np.minimum, upper, index, order, begin, places)
    if problem.start.step:
        start = start.copy()
        for j in places:
            start[:, j] = medians(start[:, j], index)
            inside = np.clip(start[:, j], np.atleast_2d(lower)[:, j], np.atleast_2d(upper)[:, j])
            start[:, j] = np.where(np.isnan(inside), start[:, j], inside)
    return problem._replace(
        sharing=sharing,
        start=PerFit(start, problem.start.step),
        lower=PerFit(lower, problem.lower.step),
        upper=PerFit(upper, problem.upper.step),
    )


def _shared_names(problem: Problem, shared: Any) -> tuple[str, ...]:
    if shared is None:
        raise ValueError("groups says which data sets share parameters; say which ones by shared")
    given = [shared] if isinstance(shared, str) else list(shared)
    if not given:
        raise ValueError("shared names no parameter; leave it out to fit each data set by itself")
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"shared must hold names of parameters, got {name!r}")
        j = name_index(name, problem.names, "shared")
        if given.count(name) > 1:
            raise ValueError(f"shared names {name!r} twice")
        if problem.ties is not None and name in problem.ties.texts:
            raise ValueError(
                f"shared names {name!r}, which is tied to {problem.ties.texts[name]!r}: "
                "it is shared where all that it depends on is"
            )
        if j not in problem.free or (problem.fixed is not None and problem.fixed[:, j].any()):
            raise ValueError(f"shared names {name!r}, which is fixed")
    return tuple(name for name in problem.names if name in given)


def _index_of(problem: Problem, groups: Any) -> Array:
    """The number of each data set's group, by the order in which they appear."""
    batch = problem.data.batch
    if groups is None:
        if not batch:
            raise ValueError(
                "shared needs an axis of data sets in y, before that of its points: y of shape "
                f"(..., M, N), got {problem.data.points}"
            )
        return np.repeat(np.arange(problem.data.n_fits // max(1, batch[-1])), batch[-1])
    labels = _labels_of(groups)
    if labels.shape != batch:
        raise ValueError(
            f"groups must have a label for each data set, shape {batch}, got {labels.shape}"
        )
    return _numbered(labels.reshape(-1))


def _labels_of(groups: Any) -> Array:
    """The labels as an array; of objects where they are not all numbers or texts."""
    if isinstance(groups, np.ma.MaskedArray) and groups.mask.any():
        raise ValueError(f"groups has no label for data set {np.argmax(groups.mask)}: it is masked")
    if isinstance(groups, str) or not isinstance(groups, Iterable) or hasattr(groups, "__array__"):
        return np.asarray(groups)
    labels = list(groups)
    if all(isinstance(label, int | np.integer) for label in labels):
        return np.asarray(labels)
    if any(isinstance(label, list | np.ndarray) for label in labels):
        return np.asarray(groups)
    array = np.empty(len(labels), object)
    array[:] = labels
    return array


def _numbered(labels: Array) -> Array:
    """Number labels from 0, in the order in which they appear."""
    if labels.dtype.kind in "biuSUmM":
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        rank = np.empty(first.size, np.int64)
        rank[np.argsort(first)] = np.arange(first.size)
        return np.asarray(rank[inverse])
    numbers: dict[Any, int] = {}
    values = labels.tolist()
    for k, label in enumerate(values):
        if label is None or label != label:
            raise ValueError(f"groups has no label for data set {k}: {label!r}")
    try:
        return np.array([numbers.setdefault(label, len(numbers)) for label in values], np.int64)
    except TypeError:
        raise TypeError(
            "groups must hold labels that can be compared, as numbers or texts"
        ) from None


def medians(values: Array, index: Array) -> Array:
    """Return for each element the median of the finite values of its group, NaN if there are none.

    ``index`` holds the numbers of the groups, from 0.
    """
    known = np.isfinite(values)
    order = np.lexsort((values[known], index[known]))
    ordered, of = values[known][order], index[known][order]
    count = np.bincount(of, minlength=int(index.max(initial=-1)) + 1)
    first = np.cumsum(count) - count
    some = count > 0
    result = np.full(count.size, np.nan, values.dtype)
    low, high = (first + (count - 1) // 2)[some], (first + count // 2)[some]
    result[some] = ordered[low] / 2 + ordered[high] / 2
    return np.asarray(result[index])


def _of_groups(
    combine: np.ufunc,
    bounds: Array,
    index: Array,
    order: Array | None,
    begin: Array,
    places: Sequence[int],
) -> Array:
    """The bounds (B, P), where those of shared parameters hold for all data sets of a group."""
    bounds = bounds.copy()
    numbers = index if order is None else index[order]
    for j in places:
        column = bounds[:, j] if order is None else bounds[order, j]
        tightest = combine.reduceat(column, begin[:-1])
        of_group = np.empty(int(numbers[-1]) + 1, bounds.dtype)
        of_group[numbers[begin[:-1]]] = tightest
        bounds[:, j] = of_group[index]
    return bounds


# ---- what is compared ------------------------------------------------------------------------


def in_the_same_groups(one: FitResult, other: FitResult) -> tuple[FitResult, FitResult]:
    """Return two results of the same data with totals of the same groups, if one of them has some.

    Data sets that do not share parameters get the sums over the groups of those that do.

    Raises
    ------
    ValueError
        Both share parameters, but in other groups.
    """
    if one.groups is None or other.groups is None:
        groups = one.groups or other.groups
        if groups is None:
            return one, other
        return tuple(  # type: ignore[return-value]
            r if r.groups is not None else replace(r, groups=_summed(r, groups.number))
            for r in (one, other)
        )
    if not np.array_equal(one.groups.number, other.groups.number):
        raise ValueError("the two fits share parameters in different groups of data sets")
    return one, other


def _summed(result: FitResult, number: Array) -> Groups:
    """The totals of groups of data sets that were fitted each by itself."""
    n_free = np.broadcast_to(result.problem.count_free(), number.shape)

    def total(values: Array) -> Array:
        return np.asarray(np.bincount(number.ravel(), values.astype(float).ravel())[number])

    of_points, of_parameters = total(result.n_used), total(np.asarray(n_free))
    chi2 = total(result.chi2)
    return Groups(number, result.status, chi2, of_points.astype(int), of_parameters.astype(int))
