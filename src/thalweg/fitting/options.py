"""The tolerances of a fit and its numbers of trials and attempts, and their defaults."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._arguments.check import count, tolerance

MOST_ATTEMPTS = 3  # see csrc/fit/attempts.h


class Options(NamedTuple):
    """The tolerances and numbers of trials of a fit."""

    xtol: float
    ftol: float
    gtol: float
    max_iter: int
    attempts: int = MOST_ATTEMPTS


# xtol, ftol and gtol.  They are so tight that the certified problems of NIST get their digits, and
# need one or two trial steps more than tolerances of 1e-4.
_FLOAT64 = np.dtype(np.float64)
_TOLERANCES = {
    _FLOAT64: (1e-9, 1e-15, 1e-9),
    np.dtype(np.float32): (1e-4, 5e-7, 3e-4),
}
# The element type of the parts of complex numbers.
_OF_PARTS: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.complex128): np.dtype(np.float64),
    np.dtype(np.complex64): np.dtype(np.float32),
}
# ftol by differences, float64: a trial near a minimum costs a call per parameter; the last step,
# untried, may promise 100 ftol chi2, which leaves theta off by some 1e-5 of its standard error.
_FTOL_BY_CALLS = 1e-12
_STEPS_PER_PARAMETER = 200  # the default max_iter is this times P + 1, as in MINPACK


def options_for(
    dtype: np.dtype[Any],
    n_params: int,
    by_differences: bool = False,
    xtol: float | None = None,
    ftol: float | None = None,
    gtol: float | None = None,
    *,
    max_iter: int | None = None,
    attempts: int | None = None,
) -> Options:
    """Return the options of a fit, with the defaults of the element type, and of differences."""
    options = _default_options(dtype, n_params, by_differences)
    if xtol is ftol is gtol is max_iter is attempts is None:
        return options
    return Options(
        tolerance(xtol, "xtol", options.xtol),
        tolerance(ftol, "ftol", options.ftol),
        tolerance(gtol, "gtol", options.gtol),
        options.max_iter if max_iter is None else count(max_iter, "max_iter", 0, 2**31 - 1),
        MOST_ATTEMPTS if attempts is None else count(attempts, "attempts", 1, MOST_ATTEMPTS),
    )


@lru_cache(maxsize=64)
def _default_options(dtype: np.dtype[Any], n_params: int, by_differences: bool) -> Options:
    xtol, ftol, gtol = _TOLERANCES[dtype]
    ftol = max(ftol, _FTOL_BY_CALLS) if by_differences else ftol
    return Options(xtol, ftol, gtol, _STEPS_PER_PARAMETER * (n_params + 1))


def element_type(dtype: Any) -> np.dtype[Any]:
    """Return the element type of a fit; a TypeError if there is no engine for it."""
    if dtype is None:
        return _FLOAT64
    element: np.dtype[Any] = np.dtype(dtype)
    element = _OF_PARTS.get(element, element)
    if element not in _TOLERANCES:
        raise TypeError(f"dtype must be float64 or float32, got {element}")
    return element
