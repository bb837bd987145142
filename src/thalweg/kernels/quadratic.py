"""The quadratic loss (θ − θ*)ᵗB(θ − θ*), its gradient and its minimum along a line.

B is symmetric, so one triangle of it is all that is ever read, but for making sure of the symmetry.
That is done while the triangle is read, or once, by `Symmetric`.  NaN and infinity need no pass of
their own: they reach the value, and only then is looked for where they are.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from thalweg._check import count, numbers
from thalweg._core import quadratic as _core

from ._symmetry import Array, Symmetric, TriangleName, named

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
    r"""Evaluate (θ − θ*)ᵗB(θ − θ*) and, from the same pass over B, its gradient 2B(θ − θ*).

    Parameters
    ----------
    B : array_like or Symmetric
        A symmetric matrix, float64 or float32 (sums are float64): shape (P, P), read by rows or by
        columns without a copy; or one triangle packed by rows, shape (P(P + 1)/2,); or a SciPy
        sparse matrix, best in compressed sparse rows with sorted columns.
    theta : array_like, shape (P,) or (M, P)
        One point, or M.
    theta_star : array_like, shape (P,) or (M, P), optional
        Where the loss is zero: one for all, or one for each point.  Default: 0.
    gradient : bool
        Return the gradient as well.
    triangle : {"lower", "upper"}, optional
        Read this triangle of B with the diagonal, whatever the other one holds.  Default: B must be
        symmetric, and that is checked; of a packed B, the lower one.
    symmetrise : bool
        Use (B + Bᵗ)/2, which has the same value, in place of a B that is not symmetric.
    out : ndarray of float64, shape of ``theta``, optional
        Where to write the gradient.
    threads : int, optional
        Most threads; the processors this process may use.  The result is the same to the last bit.

    Returns
    -------
    value : float, or ndarray of shape (M,)
        In the unit of B times that of ``theta`` squared.  Infinite where finite inputs overflow.
    gradient : ndarray, shape of ``theta``
        Only with ``gradient=True``.  In a row of many points the value may then differ by rounding.

    Raises
    ------
    ValueError
        Shapes disagree, B is not symmetric (the worst pair of elements is named), or a NaN or an
        infinity is found in an input.
    TypeError
        An input is not of real numbers.

    Notes
    -----
    A pair of elements is symmetric when it differs by no more than √ε of the larger of \|B_ij\|,
    \|B_ji\| and √(\|B_ii B_jj\|): what rounding leaves in a computed matrix passes, and its lower
    triangle is used.  The check reads the other triangle across its rows: beyond some hundred rows
    it takes two to three times as long as the form at one point, and more where rows are a power
    of two apart.  `Symmetric` makes it once for many calls, and ``triangle`` asks for none.

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
    >>> quadratic_form(B, [[1.0, 1.0], [0.0, 1.0]], theta_star=[0.0, 1.0])
    array([2., 0.])
    """
    n_threads = 0 if threads is None else count(threads, "threads", 1, 256)
    if not symmetrise and out is None and triangle in _TRIANGLES:
        target = np.empty_like(theta) if gradient and type(theta) is np.ndarray else None
        if gradient is False or target is not None:
            value = _core.short_way(B, theta, theta_star, target, _TRIANGLES[triangle], n_threads)
            if value is not None:
                return (value, target) if gradient else value
    matrix = Symmetric.of(B, triangle=triangle, symmetrise=symmetrise, threads=threads)
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
    r"""Return α* = −gᵗd/(2dᵗBd), g = 2B(θ − θ*): the minimum of the quadratic loss along θ + αd.

    One pass over B gives h = 2Bd and dᵗBd; then gᵗd = (θ − θ*)ᵗh.

    Parameters
    ----------
    B, theta, theta_star, triangle, symmetrise, threads
        As in `quadratic_form`.
    d : array_like, shape (P,) or (M, P)
        The direction, or one for each point.  M points or M directions give M answers.

    Returns
    -------
    alpha : float, or ndarray of shape (M,)
        In units of d.  NaN where dᵗBd > 0 fails: the loss has no single minimum on that line.

    Raises
    ------
    ValueError, TypeError
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
    matrix = Symmetric.of(B, triangle=triangle, symmetrise=symmetrise, threads=threads)
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
    array = numbers(value, name, np.float64)
    if array.ndim not in (1, 2) or array.shape[-1] != P:
        raise ValueError(f"{name} must have shape (P={P},) or (M, P={P}), got {array.shape}")
    return array


def _target(out: Any, points: Array, inputs: tuple[Any, ...], gradient: bool) -> Array | None:
    """Return the array for the gradient, or None where none is wanted."""
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
        parts = array.arrays if isinstance(array, Symmetric) else (array,)
        if any(isinstance(part, np.ndarray) and np.may_share_memory(out, part) for part in parts):
            raise ValueError(f"out overlaps {name}, which is read while it is written")
    return out


def _evaluate(
    B: Symmetric, points: Array, star: Array | None, target: Array | None, threads: int
) -> Array:
    many = points.ndim == 2
    values = np.empty(len(points) if many else 1)
    bad = _core.evaluate(
        B, points, star, values, target,
        shared_star=star is None or star.ndim == 1, many=many, threads=threads,
    )  # fmt: skip
    if bad >= 0:
        raise ValueError(f"row {bad} of the sparse B has changed and is no longer sorted")
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
