"""The convolution of a model with a fixed response, with a shift that may be a parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import number_of
from .._arguments.spelling import spelled
from .curves import FIXED, convolved, curve_of, window
from .refusal import refuse
from .symbol import Symbol
from .tables import table


@spelled
def convolve(f: Any, response: Any, mode: str = "same", *, shift: Any = None) -> Any:
    r"""Return a curve convolved with a fixed response, moved by ``shift`` points.

    .. math:: g_i = \sum_k r_k f_{i - k}, \qquad
        \text{value}_i = g(i_0 + i - s),

    where f is 0 beyond its ends and g(t) runs in straight lines from one g_i to the next.  The
    derivative with respect to the shift s is therefore minus the slope of g.

    In a model it is recorded like `numpy.convolve`, and runs in the engine.

    Parameters
    ----------
    f : recorded value or array_like, (N,)
        The curve: an expression of the model's parameters, or numbers.
    response : array_like, (L,)
        The response r, real numbers that no parameter changes; L <= N.  It is not normalised.
    mode : str
        Which points are returned.  ``"same"``: N points, i_0 = (L - 1) // 2, so that the middle of
        the response counts as its origin; ``"causal"``: N points from i_0 = 0 on, so that r_0 is
        the response at once, as of an instrument's response in time; ``"full"``: all N + L - 1
        points; ``"valid"``: the N - L + 1 points at which f is nowhere beyond its ends.
    shift : recorded value or float, optional
        By how many points g is moved to the right, a number or a parameter; it need not be whole.

    Returns
    -------
    recorded value or ndarray
        The curve, in units of f times those of r.

    Raises
    ------
    ValueError
        The response is empty, longer than the curve or not finite, or there is no such mode.
    TypeError
        The response is not an array of real numbers.

    Notes
    -----
    As a function of the shift a fit has kinks where the shift is a whole number: its minimum may
    lie at one, where no derivative vanishes.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> tw.convolve([0.0, 1.0, 0.0, 0.0], [1.0, 0.5], "causal", shift=0.5)
    array([0.  , 0.5 , 0.75, 0.25])
    >>> t, response = np.arange(64.0), np.exp(-0.5 * ((np.arange(16) - 6) / 2) ** 2)
    >>> def decay(t, a, tau, shift):
    ...     return tw.convolve(a * np.exp(-t / tau), response, "causal", shift=shift)
    >>> r = tw.fit(decay, t, decay(t, 2, 9, 0.3), p0={"a": 1, "tau": 5, "shift": 0.1})
    >>> r.params.round(6)
    array([2. , 9. , 0.3])
    """
    symbol = next((each for each in (f, shift) if isinstance(each, Symbol)), None)
    if symbol is None:
        row = _row(f, "f")
        return _computed(row, _response(response, mode, len(row)), mode, shift)
    recorder = symbol._recorder
    curve = f if isinstance(f, Symbol) else recorder.symbol(_row(f, "f"))
    node, n = curve_of(recorder, curve, "tw.convolve")
    known = recorder.concrete(response)
    if known is None:
        refuse("tw.convolve with a response that is recorded", FIXED)
    return convolved(curve, node, n, _response(known, mode, n), mode, shift)


def _response(response: Any, mode: str, n: int) -> np.ndarray:
    """The response for a curve of n points."""
    numbers = _row(response, "response")
    window(mode, n, len(numbers))  # refuses another mode
    if len(numbers) > n:
        raise ValueError(
            f"the response must not be longer than the curve of {n} points, got {len(numbers)}"
        )
    if not np.isfinite(numbers).all():
        raise ValueError("response must be finite")
    return numbers


def _row(values: Any, name: str) -> np.ndarray:
    """Real numbers of one axis."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, got one of {array.dtype}")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must have shape (n,) with n >= 1, got {array.shape}")
    return array.astype(np.result_type(array, np.float32))


def _computed(f: np.ndarray, response: np.ndarray, mode: str, shift: Any) -> np.ndarray:
    """The same for numbers."""
    first, kept = window(mode, len(f), len(response))
    whole = np.convolve(f, response)
    if shift is None:
        return whole[first : first + kept]
    s = number_of(shift, "shift", "of samples")
    moved: np.ndarray = table("moved", len(whole), kept, offset=first)(whole, s)
    return moved.astype(whole.dtype)
