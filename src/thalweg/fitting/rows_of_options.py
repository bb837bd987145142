"""The options of some fits of a batch: their rows of p0, bounds, fixed and f_scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._arguments.check import Array


def rows_of_options(options: Mapping[str, Any], places: Array, n_fits: int) -> dict[str, Any]:
    """Return the options of `thalweg.fit` for the fits at these places, (n,), of a batch (B,).

    Raises
    ------
    ValueError
        An option has a row for each fit, and not B of them.
    """
    rows = _Rows(places, n_fits)
    out = dict(options)
    p0, bounds, fixed = (options[name] for name in ("p0", "bounds", "fixed"))
    out["p0"] = rows.by_name(p0, "p0") if isinstance(p0, Mapping) else rows.picked(p0, 1, "p0")
    out["fixed"] = _fixed(fixed, rows)
    out["bounds"] = _bounds(bounds, rows)
    out["f_scale"] = rows.picked(options["f_scale"], 0, "f_scale")
    return out


class _Rows:
    """Picks what belongs to some fits of a value that has one for each."""

    def __init__(self, places: Array, n_fits: int) -> None:
        self.places, self.n_fits = places, n_fits

    def picked(self, value: Any, ndim: int, name: str) -> Any:
        """The rows of an array of more axes than ``ndim``, which a value for all fits has."""
        if value is None or isinstance(value, str) or np.ndim(value) <= ndim:
            return value
        array = np.asanyarray(value)
        if len(array) != self.n_fits:
            raise ValueError(
                f"{name} has the shape {array.shape}, but there are B={self.n_fits} data sets"
            )
        return array[self.places]

    def by_name(self, values: Mapping[str, Any], what: str) -> dict[str, Any]:
        """The values of a dict, each one number or one for each fit."""
        return {name: self.picked(v, 0, f"{what}[{name!r}]") for name, v in values.items()}


def _fixed(fixed: Any, rows: _Rows) -> Any:
    if isinstance(fixed, Mapping):
        return rows.by_name(fixed, "fixed")
    return rows.picked(fixed, 1, "fixed")


def _bounds(bounds: Any, rows: _Rows) -> Any:
    """Bounds as a pair of sides or by name; a list of another length is left to be refused."""
    if bounds is None:
        return None
    if isinstance(bounds, Mapping):
        return {name: _pair(pair, 0, f"bounds[{name!r}]", rows) for name, pair in bounds.items()}
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):  # scipy.optimize.Bounds
        return _pair((bounds.lb, bounds.ub), 1, "bounds", rows)
    return _pair(bounds, 1, "bounds", rows)


def _pair(pair: Any, ndim: int, name: str, rows: _Rows) -> Any:
    """A pair of sides of some fits; the same object where all fits share both sides."""
    if not hasattr(pair, "__len__") or len(pair) != 2:
        return pair
    sides = tuple(rows.picked(side, ndim, name) for side in pair)
    same = all(mine is given for mine, given in zip(sides, pair, strict=True))
    return pair if same else sides
