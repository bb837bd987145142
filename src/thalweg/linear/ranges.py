"""Which b float64 can work with: those whose squares it holds.

Gaps, and what they are compared with, are of the size of ½ ‖b‖²_W.  Where that overflows, every gap
is as good as any other, and where it is 0 although b is not, so are all gaps.  Such a b is refused,
as a column of such a norm is (csrc/linear/moments.h).
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._core import failures
from .._core.linear import LARGEST_SQUARE, SMALLEST_SQUARE

_LEAST = float(np.finfo(float).smallest_subnormal)


def norm_of(x: Array, weights: Array | None) -> float:
    """Return √Σ w x² of x (n,), also where the squares are beyond the range of numbers.

    Where √w |x| itself is below all numbers, the least of them stands for it: only zeros have the
    norm 0.
    """
    size = np.abs(x)
    if weights is not None:
        counts = (weights > 0) & (x != 0)
        size = np.where(counts, np.maximum(np.sqrt(weights) * size, _LEAST), 0.0)
    largest = float(np.max(size, initial=0.0))
    return largest * float(np.linalg.norm(size / largest)) if 0 < largest < inf else largest


def refuse_square(square: float, x: Array, weights: Array | None, what: str) -> None:
    """Refuse x (n,) unless ``square``, which is its Σ w x², is that of zeros or within the range.

    Raises
    ------
    ValueError
        With a sentence that names ``what`` x is.
    """
    if SMALLEST_SQUARE <= square <= LARGEST_SQUARE:
        return
    norm = norm_of(x, weights)
    if square != 0 or 0 < norm < sqrt(SMALLEST_SQUARE):
        failures.refuse(failures.Linear, failures.Linear.SCALE, what=what, norm=norm)


def refuse_squares(squares: Array, b: Array, weights: Array | None, first: int = 0) -> None:
    """Refuse the columns of b, (n, m), as `refuse_square` does; their ``squares`` are (m,).

    The first of them is right-hand side ``first``.
    """
    odd = ~((squares >= SMALLEST_SQUARE) & (squares <= LARGEST_SQUARE))
    if not odd.any():
        return
    for m in np.flatnonzero(odd & b.any(0)).tolist():
        refuse_square(float(squares[m]), b[:, m], weights, name_of(first + m))


def are_usual(squares: Array, X: Any, weights: Array | None) -> bool:
    """Whether each column of X, dense or sparse, is 0 or has a Σ w x², ``squares``, in range."""
    odd = ~((squares >= SMALLEST_SQUARE) & (squares <= LARGEST_SQUARE))
    if not odd.any():
        return True
    seen = X[:, odd] if weights is None else X[weights > 0][:, odd]
    return not abs(seen).sum() > 0


def name_of(m: int) -> str:
    """Return what messages call right-hand side m of many."""
    return f"column {m} of b"


def is_reached(found: Any, wanted: float) -> bool:
    """Whether a certificate shows the gap that is wanted; one that is not finite shows nothing."""
    return bool(found.gap <= wanted and found.gap < inf and found.objective < inf)
