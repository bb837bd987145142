"""A call of `thalweg.fit` with a store, taken apart: what all data sets share, and what is read."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._arguments.check import Array
from .._arguments.warning import warn_user
from ..fitting.fit import fit
from ..fitting.labels import Labels, labels_of
from ..fitting.layout import Layout
from ..fitting.result import FitResult
from ._outputs import OtherOutputs, of_some_outputs
from ._parts import filled, leaves
from .float32 import in_float32, refuse_merging, rounded
from .sources import Sliced, as_source, layout_of, parted, refuse_no_batch

_DATA = ("x", "y")  # the arguments of the first digest
_ALL = "all data sets in memory, and a store is filled piece by piece"


class Call(NamedTuple):
    """A call of `thalweg.fit`, taken apart.

    Attributes
    ----------
    arguments : dict
        The arguments that change results; what differs between data sets is `Sliced`.
    layout : Layout
        Which axes of y count the data sets.
    labels : Labels or None
        The names of the batch's axes and their coordinates, where y came with such.
    first : FitResult
        The result of the first data set, which tells names and types.
    """

    arguments: dict[str, Any]
    layout: Layout
    labels: Labels | None
    first: FitResult

    @property
    def data(self) -> list[Sliced]:
        """All that is read for each data set; y is the first."""
        return [self.arguments["y"], *leaves(self.arguments["x"], Sliced), *self.more]

    @property
    def of_data(self) -> list[Sliced]:
        """What x and y are read from, in the order in which it is read."""
        return [*leaves({name: self.arguments[name] for name in _DATA}, Sliced)]

    @property
    def single(self) -> bool:
        """Whether fits are made in float32."""
        return in_float32(self.arguments)

    def refuse_merging(self) -> None:
        """Refuse float32 where it would merge distinct values of most data sets.

        Raises
        ------
        ValueError
        """
        if self.single:
            pairs = ((n, leaf) for n in _DATA for leaf in leaves(self.arguments[n], Sliced))
            refuse_merging(pairs, self.layout.batch)

    @property
    def more(self) -> list[Sliced]:
        """What differs between data sets beside x and y."""
        return [*leaves({k: v for k, v in self.arguments.items() if k not in _DATA}, Sliced)]


def taken_apart(given: Mapping[str, Any]) -> Call:
    """Return the call that the arguments of `thalweg.fit` describe; its first data set is fitted.

    Raises
    ------
    ValueError
        An argument is wrong, or data sets would not be fitted each by itself.
    """
    if given["shared"] is not None or given["groups"] is not None:
        raise ValueError(f"shared parameters need {_ALL}")
    if isinstance(given["p0"], str) and given["p0"] == "neighbours":
        raise ValueError(f"p0='neighbours' needs {_ALL}")
    try:
        y = as_source(given["y"])
    except ValueError:  # rows of different lengths are no array
        y = None
    if y is None or given["offsets"] is not None:
        raise ValueError("data sets of different lengths are fitted in memory, not into a store")
    names = labels_of(given["y"])
    layout = layout_of(given["x"], y, given["axis"], names)
    apart = ("out", "chunk", "callback", "progress")
    others = {name: value for name, value in given.items() if name not in apart} | {"y": y}
    call = of_some_outputs(lambda outputs: _call(others, layout, names, outputs), tuple(y.shape))
    if isinstance(given["y"], list | tuple) and call.first.problem.data.several:
        raise ValueError(
            "for a store the data of several outputs are one array (..., K, N), not a tuple of K"
        )
    return call


def _call(others: Mapping[str, Any], layout: Layout, names: Labels | None, outputs: bool) -> Call:
    """The call of data of this layout, whose batch may end with an axis of ``outputs``."""
    layout = layout.with_outputs() if outputs else layout
    refuse_no_batch(layout)
    arguments = parted(others, layout, names, outputs)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        first = fit(**read_piece(arguments, (slice(0, 1),) * len(layout.batch))[0])
    if first.status.ndim != len(layout.batch) + 1:
        raise OtherOutputs(first.status.shape)
    for warning in heard:
        warn_user(warning.message)
    labels = None if names is None else names.without(layout.axes)
    return Call(arguments, layout, labels, first)


def read_piece(arguments: Mapping[str, Any], region: Any) -> tuple[dict[str, Any], list[Array]]:
    """The arguments of a piece, and the parts that were read for it, those of x and y first."""
    read: dict[int, Array] = {}

    def part_of(leaf: Sliced) -> Array:
        return read.setdefault(id(leaf), leaf.read(region))

    def of_data(leaf: Sliced) -> Array:
        return rounded(part_of(leaf)) if single else part_of(leaf)

    single = in_float32(arguments)
    data = filled({name: arguments[name] for name in _DATA}, Sliced, of_data)
    return filled({**arguments, **data}, Sliced, part_of), list(read.values())
