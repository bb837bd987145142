"""The quadratic loss (θ − θ*)ᵗB(θ − θ*), its gradient and its minimum along a line.

B is any square matrix and is read once: the loss needs no symmetry, and both products of its
gradient (B + Bᵗ)(θ − θ*) come from the same pass.  Of a `Symmetric` B, or if a triangle is named,
half is read.  A NaN or an infinity in an input makes the value NaN or infinite; only then is the
input searched.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from .._arguments.arrays import unmasked
from .._arguments.check import numbers, thread_limit
from .._arguments.spelling import spelled
from .._arguments.values import named
from .._core import quadratic as _core
from ._symmetry import Array, Square, TriangleName, matrix_of

_TRIANGLES = {None: 0, "lower": 1, "upper": 2}


@overload
def quadratic_form(
    B: Any,
    theta: Any,
    theta_star: Any = ...,
    *,
    gradient: Literal[False] = ...,
    triangle: TriangleName = ...,
    symmetrise: bool = ...,
    out: None = ...,
    threads: int | None = ...,
) -> Any: ...
@overload
def quadratic_form(
    B: Any,
    theta: Any,
    theta_star: Any = ...,
    *,
    gradient: Literal[True],
    triangle: TriangleName = ...,
    symmetrise: bool = ...,
    out: Array | None = ...,
    threads: int | None = ...,
) -> tuple[Any, Array]: ...
@spelled
def quadratic_form(
    B: Any,
    theta: Any,
    theta_star: Any = None,
    *,
    gradient: bool = False,
    triangle: TriangleName = None,
    symmetrise: bool = False,
    out: Array | None = None,
    threads: int | None = None,
) -> Any:
    """Evaluate (θ − θ*)ᵗB(θ − θ*) and, from the same pass over B, its gradient (B + Bᵗ)(θ − θ*).

    Parameters
    ----------
    B : array_like or Symmetric
        Any square matrix, float64 or float32 (sums are float64): shape (P, P), read by rows or by
        columns without a copy; or a SciPy sparse matrix, best in compressed sparse rows; or one
        triangle of a symmetric matrix packed by rows, shape (P(P + 1)/2,).  Of a `Symmetric` only
        one triangle is read, which takes half the time if memory is the limit.
    theta : array_like, shape (P,) or (M, P)
        One point, or M points.
    theta_star : array_like, shape (P,) or (M, P), optional
        The point where the loss is zero: one for all, or one for each point.  Default: 0.
    gradient : bool
        Whether to return the gradient as well.
    triangle : {"lower", "upper"}, optional
        The triangle of a symmetric B to read, with the diagonal; the other one may hold anything.
        Default: all of B is read; of a packed B, the lower triangle.
    symmetrise : bool
        Whether to form (B + Bᵗ)/2 first, which has the same value and gradient.
    out : ndarray of float64, shape of ``theta``, optional
        The array to write the gradient to.
    threads : int, optional
        The most threads; by default the number of processors that this process may use.  The result
        is the same to the last bit for any number.

    Returns
    -------
    value : float, or ndarray of shape (M,)
        The loss, in the unit of B times that of ``theta`` squared; infinite if finite inputs
        overflow.
    gradient : ndarray, shape of ``theta``
        The gradient, returned only with ``gradient=True``; for a symmetric B it is 2B(θ − θ*).
        With many points the value may then differ by rounding.

    Raises
    ------
    ValueError
        Shapes disagree, or an input holds NaN or infinity.
    TypeError
        An input does not hold real numbers, or is masked.
    KeyboardInterrupt
        Ctrl-C was pressed; ``out`` then holds no meaningful numbers.

    References
    ----------
    Golub and Van Loan, "Matrix Computations", 4th ed., section 1.2.7 (symmetric storage).

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import quadratic_form
    >>> B = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> quadratic_form(B, np.array([1.0, 1.0]), gradient=True)
    (7.0, array([6., 8.]))
    >>> quadratic_form([[2.0, 2.0], [0.0, 3.0]], [1.0, 1.0], gradient=True)  # not symmetric
    (7.0, array([6., 8.]))
    >>> quadratic_form(B, [[1.0, 1.0], [0.0, 1.0]], theta_star=[0.0, 1.0])
    array([2., 0.])
    """
    n_threads = thread_limit(threads)
    if not symmetrise and out is None and triangle in _TRIANGLES:  # plain arrays
        target = np.empty_like(theta) if gradient and type(theta) is np.ndarray else None
        if gradient is False or target is not None:
            value = _core.short_way(B, theta, theta_star, target, _TRIANGLES[triangle], n_threads)
            if value is not None:
                return (value, target) if gradient else value
    matrix = matrix_of(B, triangle, symmetrise, threads)
    points = _points(theta, "theta", matrix.P)
    star = None if theta_star is None else _points(theta_star, "theta_star", matrix.P)
    if star is not None and star.shape not in (points.shape, (matrix.P,)):
        raise ValueError(
            f"theta_star must have shape (P={matrix.P},) or theta's {points.shape}, "
            f"got {star.shape}"
        )
    target = _target(out, points, (theta, theta_star, matrix), gradient)
    values = _evaluate(matrix, points, star, target, n_threads)
    result = values if points.ndim == 2 else float(values[0])
    return (result, target) if gradient else result


@spelled
def line_minimum(
    B: Any,
    theta: Any,
    d: Any,
    theta_star: Any = None,
    *,
    triangle: TriangleName = None,
    symmetrise: bool = False,
    threads: int | None = None,
) -> Any:
    """Return α* = −gᵗd/(2dᵗBd), g = (B + Bᵗ)(θ − θ*), the minimum of the loss along θ + αd.

    One pass over B gives h = (B + Bᵗ)d and dᵗBd; then gᵗd = (θ − θ*)ᵗh.

    Parameters
    ----------
    B, theta, theta_star, triangle, symmetrise, threads
        As in `quadratic_form`.
    d : array_like, shape (P,) or (M, P)
        The direction, or one for each point.  M points or M directions give M results.

    Returns
    -------
    alpha : float, or ndarray of shape (M,)
        α*, in units of d; NaN unless dᵗBd > 0, as the loss then has no single minimum on the line.

    Raises
    ------
    ValueError, TypeError, KeyboardInterrupt
        As `quadratic_form`.

    References
    ----------
    Nocedal and Wright, "Numerical Optimization", 2nd ed., equation 3.26.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import line_minimum, quadratic_form
    >>> B = np.diag([1.0, 4.0])
    >>> theta, d = np.array([1.0, 1.0]), np.array([-2.0, -8.0])
    >>> alpha = line_minimum(B, theta, d)
    >>> bool(abs(quadratic_form(B, theta + alpha * d, gradient=True)[1] @ d) < 1e-12)
    True
    """
    matrix = matrix_of(B, triangle, symmetrise, threads)
    points, directions = _points(theta, "theta", matrix.P), _points(d, "d", matrix.P)
    star = 0.0 if theta_star is None else _points(theta_star, "theta_star", matrix.P)
    for name, array in (("theta", points), ("theta_star", star), ("d", directions)):
        _refuse_nonfinite(array, name)
    try:
        x = np.broadcast_to(points - star, np.broadcast_shapes(points.shape, directions.shape))
    except ValueError:
        raise ValueError(
            f"theta {points.shape}, d {directions.shape} and theta_star {np.shape(star)} must be "
            f"(P={matrix.P},) or of one (M, P={matrix.P})"
        ) from None
    curvature, h = quadratic_form(matrix, directions, gradient=True, threads=threads)
    slope = np.einsum("...j,...j->...", x, h)
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = np.where(np.greater(curvature, 0), -slope / (2 * np.asarray(curvature)), np.nan)
    return alpha if alpha.ndim else float(alpha)


def _points(value: Any, name: str, P: int) -> Array:
    array = numbers(unmasked(value, name), name, np.float64)
    if array.ndim not in (1, 2) or array.shape[-1] != P:
        raise ValueError(f"{name} must have shape (P={P},) or (M, P={P}), got {array.shape}")
    return array


def _target(out: Any, points: Array, inputs: tuple[Any, ...], gradient: bool) -> Array | None:
    """Return the array for the gradient, or None if no gradient is wanted."""
    if out is None:
        return np.empty(points.shape) if gradient else None
    if not gradient:
        raise ValueError("out is for the gradient, which gradient=True asks for")
    if not isinstance(out, np.ndarray) or out.dtype != np.float64 or not out.flags.c_contiguous:
        raise TypeError("out must be a C-contiguous array of float64")
    if out.shape != points.shape:
        raise ValueError(f"out must have theta's shape {points.shape}, got {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    for name, array in zip(("theta", "theta_star", "B"), inputs, strict=True):
        parts = array.arrays if isinstance(array, Square) else (array,)
        if any(isinstance(part, np.ndarray) and np.may_share_memory(out, part) for part in parts):
            raise ValueError(f"out overlaps {name}, which is read while it is written")
    return out


def _evaluate(
    B: Square, points: Array, star: Array | None, target: Array | None, threads: int
) -> Array:
    many = points.ndim == 2
    values = np.empty(len(points) if many else 1)
    _core.evaluate(
        B, points, star, values, target,
        shared_star=star is None or star.ndim == 1, many=many, threads=threads,
    )  # fmt: skip
    if not np.isfinite(values).all():
        _refuse_nonfinite(points, "theta")
        if star is not None:
            _refuse_nonfinite(star, "theta_star")
        B.refuse_nonfinite()
    return values


def _refuse_nonfinite(array: Any, name: str) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        where = np.unravel_index(int(np.argmin(finite)), finite.shape)
        raise ValueError(f"{named(name, where)} is {array[where]}")
