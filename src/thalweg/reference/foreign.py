"""The specification of functions that are not of this library: see csrc/tape/foreign.h.

The derivative with respect to one operand is a difference of fourth order with h = L / 1024,

    f'(a) = (8 (f(a + h) - f(a - h)) - (f(a + 2h) - f(a - 2h))) / 12 h,

where L is max(|a|, 1) or, where that does not resolve the function, |a| if it is less than 1, and
then shorter and shorter.
"""

from collections.abc import Callable, Sequence

import numpy as np

_STEP_SHARE = 2.0**-10
_SMOOTH = 2.0**-14
_TRIES, _SHORTER = 6, 16


def derivative(f: Callable[..., float], wrt: Sequence[int], a: Sequence[float]) -> float:
    """Return the derivative of f at the numbers a with respect to the operands ``wrt``, in turn."""
    if not wrt:
        return f(*a)
    size = abs(a[wrt[-1]])
    length = max(size, 1.0)
    slope, is_rough = _difference(f, wrt, a, length)
    for k in range(1, _TRIES):
        if not is_rough:
            break
        length = size if k == 1 and 0 < size < 1 else length / _SHORTER
        slope, is_rough = _difference(f, wrt, a, length)
    return slope


def _difference(
    f: Callable[..., float], wrt: Sequence[int], a: Sequence[float], length: float
) -> tuple[float, bool]:
    """The difference, and whether the function changes too fast for it."""
    h = length * _STEP_SHARE

    def at(move: float) -> float:
        moved = list(a)
        moved[wrt[-1]] = moved[wrt[-1]] + move
        return derivative(f, wrt[:-1], moved)

    values = [at(move) for move in (h, -h, 2 * h, -2 * h)]
    near, far = (values[0] - values[1]) / (2 * h), (values[2] - values[3]) / (4 * h)
    slope = near + (near - far) / 3
    with np.errstate(all="ignore"):
        most = np.fmax.reduce(np.abs(values), initial=0.0)
        is_smooth = abs(near - far) <= _SMOOTH * np.fmax(abs(slope), most / length)
    return slope, not is_smooth
