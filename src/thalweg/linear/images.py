"""`icd`: images from linear measurements by iterative coordinate descent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from .._arguments.callback import refuse_callback
from .._arguments.check import Array, count, numbers, one_of, thread_limit, tolerance
from .._arguments.pieces import all_finite
from .._arguments.spelling import spelled
from .._arguments.warning import warn_user
from .._progress import open_bar
from .image_descent import ImageDescent, ImageIteration, Sweeping
from .image_result import ImageResult
from .priors import QGGMRF, GaussianPrior, Prior, ProximalPrior
from .problem import Problem, problem_of
from .result import ConvergenceWarning

ORDERS = ("nonhomogeneous", "shuffled", "cyclic")


@spelled
def icd(
    A: Any,
    y: Any,
    weights: Any = None,
    *,
    prior: Prior,
    shape: Any,
    positive: bool = True,
    relaxation: float = 1.0,
    order: str = "nonhomogeneous",
    tol: float = 1e-4,
    max_iter: int = 1000,
    start: Any = None,
    seed: Any = None,
    threads: int | None = None,
    callback: Callable[[ImageIteration], Any] | None = None,
    progress: bool = False,
) -> ImageResult:
    r"""Reconstruct an image from linear measurements, by iterative coordinate descent.

    .. math:: F(x) = \frac12 \sum_i w_i (y_i - a_i x)^2 + \text{prior}(x), \qquad x \ge 0,

    The minimum is the maximum a posteriori estimate of tomography, deconvolution and any other
    measurement that a sparse matrix describes.  Each update moves one pixel to its minimum, the
    others fixed, and subtracts the change times the pixel's column from the error e = y − A x.  A
    prior that is not quadratic is replaced in the update by a parabola that touches it and lies
    above it, so that F never rises.

    Parameters
    ----------
    A : SciPy sparse matrix, shape (n, P)
        float64 or float32.  Sparse columns, with indices of int32 or int64, are read in place;
        sparse rows are copied into columns.  A pixel whose column is empty is left to the prior.
    y : array_like, shape (n,)
        The measurements.
    weights : array_like, shape (n,), optional
        w ≥ 0, the inverse variance of each y; default 1.  A measurement of weight 0, or masked
        here, is left out, whatever A and y hold there.
    prior : GaussianPrior, QGGMRF or ProximalPrior
        What is known of the image.
    shape : pair or triple of int
        Rows and columns, or slices, rows and columns, of the image; their product is P, and pixel
        (i, j) has column i · columns + j of A.
    positive : bool
        Whether x ≥ 0.
    relaxation : float
        ω in (0, 2): each update goes ω times the way to the pixel's minimum, but not below 0.  With
        a strong prior ω near 1.5 takes fewer sweeps.
    order : {"nonhomogeneous", "shuffled", "cyclic"}
        The order of the pixels in a sweep.  "cyclic": as they are stored; "shuffled": each sweep in
        a new permutation of pairs of neighbours; "nonhomogeneous": shuffled, but every second sweep
        is five passes, each over the fifth of the pixels that were farthest from their minima when
        last visited.
    tol : float
        Stop when every pixel is within tol · max |x| of its minimum, the others fixed.
    max_iter : int
        The largest number of sweeps.
    start : array_like, of the shape of the image or (P,), optional
        x to start from, clipped to x ≥ 0 where ``positive``; default 0.
    seed : int or numpy.random.Generator, optional
        The seed of the permutations.
    threads : int, optional
        The largest number of threads in the passes over A before the sweeps; default
        `get_num_threads`.  A sweep is one update after another, and runs on one thread.
    callback : callable, optional
        ``callback(iteration)`` after each sweep, with ``n_iter``, ``x`` (a copy), ``cost`` and
        ``change``; a true value from it, or StopIteration, ends the call.
    progress : bool
        Whether to show a progress bar (needs the extra ``cli``).

    Returns
    -------
    ImageResult
        ``x``, ``cost``, ``kkt`` and the rest.  Where the tolerance was not met, ``x`` is the image
        that was reached, and a `ConvergenceWarning` says how near to the minimum it is.

    Raises
    ------
    ValueError
        Shapes disagree, ω or a tolerance is out of range, a weight is negative, a NaN or an
        infinity is found, named by row and column, or the norm of y or of a column is above 1e135
        or below 1e-135.
    TypeError
        An argument is of the wrong kind, or masked where nothing can be left out.
    KeyboardInterrupt
        Ctrl-C was pressed; the attribute ``result`` holds the image after the last whole sweep, as
        does that of an exception of the callback.

    References
    ----------
    Sauer and Bouman (1993), "A local update strategy for iterative reconstruction from
    projections", IEEE Trans. Signal Process. 41(2), 534-548.  Yu, Thibault, Bouman, Sauer and Hsieh
    (2011), "Fast model-based X-ray CT reconstruction using spatially nonhomogeneous ICD
    optimization", IEEE Trans. Image Process. 20(1), 161-175.

    Examples
    --------
    Two pixels, of which the first alone and the sum were measured:

    >>> import scipy.sparse
    >>> from thalweg.linear import GaussianPrior, icd
    >>> A = scipy.sparse.csc_array([[1.0, 0.0], [1.0, 1.0]])
    >>> r = icd(A, [1.0, 3.0], prior=GaussianPrior(100.0), shape=(1, 2), tol=1e-9)
    >>> r.x.round(3), r.success
    (array([[1., 2.]]), True)
    """
    problem = _problem(A, y, weights, positive)
    grid = _shape(shape, problem.shape[1])
    if not isinstance(prior, GaussianPrior | QGGMRF | ProximalPrior):
        raise TypeError(
            f"prior must be a GaussianPrior, QGGMRF or ProximalPrior, got {type(prior).__name__}"
        )
    terms = prior.terms(grid)
    one_of(order, "order", ORDERS)
    how = Sweeping(order, _relaxation(relaxation), np.random.default_rng(seed))
    tol, most = tolerance(tol, "tol", 1e-4), count(max_iter, "max_iter", 0, 2**63 - 1)
    begin = _start(start, grid, positive)
    refuse_callback(callback)
    n_threads = thread_limit(threads)
    with open_bar(most, "sweep") if progress else nullcontext() as bar:
        descent = ImageDescent(problem, terms, how, begin, tol, most)
        result = descent.run(n_threads, callback, None if bar is None else bar.update)
    if descent.falls_short:
        warn_user(result.message, ConvergenceWarning)
    return result


def _problem(A: Any, y: Any, weights: Any, positive: bool) -> Problem:
    """Check A, y and the weights."""
    if not hasattr(A, "tocsc"):
        raise TypeError(
            f"A must be a sparse matrix, got {type(A).__name__}; scipy.sparse.csc_array(A) is one"
        )
    if np.ndim(y) != 1:
        raise ValueError(f"y must have shape (n={A.shape[0]},), got {np.shape(y)}")
    return problem_of(A, y, 0, 0, (0 if positive else None, None), weights, False, right="y")


def _shape(shape: Any, P: int) -> tuple[int, ...]:
    """Return the grid of P pixels."""
    sizes = tuple(shape) if np.ndim(shape) == 1 else ()
    if len(sizes) not in (2, 3):
        raise ValueError(
            f"shape must be (rows, columns) or (slices, rows, columns), got {shape!r}; a line of "
            "pixels is (1, columns)"
        )
    grid = tuple(count(size, "a size of shape", 0, 2**62) for size in sizes)
    pixels = int(np.prod(grid, dtype=object))
    if pixels != P:
        raise ValueError(f"shape {grid} has {pixels} pixels, but A has P={P} columns")
    return grid


def _relaxation(relaxation: Any) -> float:
    omega = tolerance(relaxation, "relaxation", 1.0)
    if not 0 < omega < 2:
        raise ValueError(f"relaxation must be greater than 0 and less than 2, got {relaxation}")
    return omega


def _start(start: Any, grid: tuple[int, ...], positive: bool) -> Array:
    """Return a copy of the image to start from, clipped to x ≥ 0 where ``positive``."""
    if start is None:
        return np.zeros(grid)
    x = numbers(start, "start", np.float64)
    pixels = int(np.prod(grid))
    if x.shape not in (grid, (pixels,)):
        raise ValueError(f"start must have shape {grid} or (P={pixels},), got {x.shape}")
    if not all_finite(x):
        raise ValueError("start must be finite")
    return np.maximum(x, 0.0).reshape(grid) if positive else x.reshape(grid).copy()
