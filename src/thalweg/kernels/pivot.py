"""Many small quadratic problems with bounds and one matrix, by block principal pivoting."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from .._arguments.arrays import unmasked
from .._arguments.bounds import read_bounds
from .._arguments.check import count, numbers, thread_limit
from .._arguments.pieces import Array, contiguous, filled
from .._arguments.spelling import spelled
from .._arguments.values import refuse_negative, refuse_nonfinite
from .._core import pivot as _core
from ..status import PIVOTED, Status

# A matrix with columns of length 1 is refused if it is asymmetric, or has a negative eigenvalue, by
# more than this.  The Gram matrix of n rows has errors of n eps, and n is not known here: half of
# the digits is far more than that for every n.
_HALF_THE_DIGITS = float(np.sqrt(np.finfo(float).eps))
_MOST_ITER = 2**31 - 1  # the largest int32


class Pivoted(NamedTuple):
    """What `block_pivoting` returns, for each problem.

    Attributes
    ----------
    theta : ndarray, shape (..., P)
        The minimum, within the bounds; NaN where a problem was not finished.
    objective : ndarray, shape (...)
        ½ θᵗGθ − cᵗθ; infinite where it overflows.
    violation : ndarray, shape (...)
        The largest |y_j| / √G_jj, y = c − Gθ, of the coordinates that could still lower the
        objective.
    reach : ndarray, shape (...)
        Σ_j √G_jj |θ_j|; the error of y_j is about P eps √G_jj times this.
    n_iter : ndarray of int32, shape (...)
        The number of exchanges.
    status : ndarray of int8, shape (...)
        A `thalweg.Status`: ROUNDING for a minimum to rounding, else MAX_ITER, SINGULAR or
        NOT_FINITE, and NOT_RUN for problems that Ctrl-C prevented.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import block_pivoting
    >>> p = block_pivoting(np.eye(2), np.array([[1.0, -2.0]]))
    >>> p.theta
    array([[1., 0.]])
    """

    theta: Array
    objective: Array
    violation: Array
    reach: Array
    n_iter: Array
    status: Array

    @property
    def success(self) -> Any:
        """Whether each problem has reached its minimum, to rounding."""
        return self.status > 0

    def reason(self, index: Any = ()) -> str:
        """Return in words why one problem ended."""
        return PIVOTED[Status(int(self.status[index]))]


@spelled
def block_pivoting(
    G: Any,
    C: Any,
    *,
    bounds: Any = (0.0, None),
    noise: Any = None,
    max_iter: int | None = None,
    threads: int | None = None,
) -> Pivoted:
    """Minimise ½ θᵗGθ − cᵗθ over lower ≤ θ ≤ upper for every row c of C, to rounding.

    With G = AᵗWA and c = AᵗWb these are least-squares problems ½‖Aθ − b‖²_W of one matrix and many
    right-hand sides; with the default bounds (0, ∞) they are non-negative least squares.  The
    minimum follows by linear equations once it is known which coordinates lie at a bound.  Each
    round solves for the other coordinates, and then exchanges all that are wrong: those outside
    their bounds, and those at a bound where y = c − Gθ points into the box.  Eight problems are
    solved side by side.

    Parameters
    ----------
    G : array_like, shape (P, P)
        The matrix, symmetric and positive semidefinite; its lower triangle is read.
    C : array_like, shape (P,) or (..., P)
        One row for each problem, in the range of G, as AᵗWb is.  float32 is not copied.
    bounds : pair of float, array_like of shape (P,) or (..., P), or None
        (lower, upper), in the unit of θ.  Default: θ ≥ 0.
    noise : array_like, shape () or (...), optional
        The error that c_j / √G_jj may have, such as n eps ‖b‖_W after sums over n rows.  Violations
        below it do not count.  Default: the rounding in this function alone.
    max_iter : int, optional
        The most exchanges of one problem.  Default: 100 + 20 P; a handful is usual.
    threads : int, optional
        The most threads; by default the number of processors that this process may use.  Results
        are the same to the last bit for any number, and those of each problem alone.

    Returns
    -------
    Pivoted
        (theta, objective, violation, reach, n_iter, status).  Where columns depend on each other
        there are many minima, and θ is one of them.

    Raises
    ------
    ValueError
        Shapes disagree, an input is not finite, bounds are empty, or G is not symmetric or not
        positive semidefinite.
    TypeError
        An input does not hold real numbers, or is masked.
    KeyboardInterrupt
        Ctrl-C was pressed.  Once problems are being solved, its ``result`` is the `Pivoted` of the
        finished ones.

    References
    ----------
    Portugal, Júdice and Vicente (1994), "A comparison of block pivoting and interior-point
    algorithms for linear least squares problems with nonnegative variables", Mathematics of
    Computation 63, 625-643.  Kim and Park (2011), "Fast nonnegative matrix factorization: an
    active-set-like method and comparisons", SIAM Journal on Scientific Computing 33, 3261-3281.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import block_pivoting
    >>> A = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> B = np.array([[3.0, 2.0, 1.0], [1.0, -2.0, 3.0]])
    >>> r = block_pivoting(A.T @ A, B @ A)
    >>> r.theta.round(12)
    array([[1., 2.],
           [2., 0.]])
    >>> r.success
    array([ True,  True])
    """
    G = _gram(G)
    P = len(G)
    kind = np.float32 if getattr(C, "dtype", None) == np.float32 else np.float64
    C = numbers(C, "C", kind)
    if not C.ndim or C.shape[-1] != P:
        raise ValueError(f"C must have shape (P={P},) or (..., P={P}), got {C.shape}")
    batch = C.shape[:-1]
    refuse_nonfinite(C, "C")
    lower, upper = _bounds(bounds, batch, P)
    if noise is not None:
        noise = np.broadcast_to(_noise(noise, batch), batch)
    most = 100 + 20 * P if max_iter is None else count(max_iter, "max_iter", 0, _MOST_ITER)
    n_threads = thread_limit(threads)
    return pivoted(G, C, lower, upper, noise, most, n_threads)


def pivoted(
    G: Array, C: Array, lower: Array, upper: Array, noise: Array | None, most: int, threads: int
) -> Pivoted:
    """Solve the problems of `block_pivoting`, with arguments that are checked.

    Parameters
    ----------
    G : ndarray of float64, shape (P, P)
    C : ndarray of float64 or float32, shape (..., P)
    lower, upper : ndarray of float64, shape (P,) or (..., P), both alike
    noise : ndarray of float64, shape (...), or None
    most : int
        The most exchanges of a problem.
    threads : int
        The most threads; 0 means all.
    """
    batch, P = C.shape[:-1], len(G)
    M = prod(batch)
    # What has not run is NaN before it runs: after Ctrl-C, new memory of many problems would take
    # longer to write than the answer may take.
    objective, violation, reach = (filled(batch, np.nan) for _ in range(3))
    out = Pivoted(
        filled((*batch, P), np.nan), objective, violation, reach,
        np.zeros(batch, np.int32), np.zeros(batch, np.int8),
    )  # fmt: skip
    error = _core.block_pivoting(
        contiguous(G), contiguous(C), contiguous(lower), contiguous(upper),
        None if noise is None else contiguous(noise),
        M=M, P=P, is_float=C.dtype == np.float32, shared_bounds=lower.ndim == 1,
        max_iter=min(most, _MOST_ITER), theta=out.theta, objective=out.objective,
        violation=out.violation, reach=out.reach, n_iter=out.n_iter,
        status=out.status, threads=threads,
    )  # fmt: skip
    if error is not None:
        error.result = out  # type: ignore[attr-defined]
        raise error
    return out


def _gram(matrix: Any) -> Array:
    """Check that G is a Gram matrix, to rounding, and return it."""
    G: Array = numbers(unmasked(matrix, "G"), "G", np.float64)
    if G.ndim != 2 or G.shape[0] != G.shape[1]:
        raise ValueError(f"G must be square, of shape (P, P), got {G.shape}")
    refuse_nonfinite(G, "G")
    diagonal = np.diagonal(G)
    if (diagonal < 0).any():
        j = int(np.argmax(diagonal < 0))
        raise ValueError(f"G must be positive semidefinite, but G[{j}, {j}] is {diagonal[j]}")
    length = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    unit = G / length / length[:, None]
    if np.abs(unit - unit.T).max(initial=0.0) > _HALF_THE_DIGITS:
        i, j = divmod(int(np.argmax(np.abs(unit - unit.T))), len(G))
        raise ValueError(
            f"G must be symmetric, but G[{i}, {j}] is {G[i, j]} and G[{j}, {i}] is {G[j, i]}"
        )
    least = float(np.linalg.eigvalsh(unit).min(initial=0.0))
    if least < -_HALF_THE_DIGITS * len(G):
        raise ValueError(
            "G must be positive semidefinite, but with columns of length 1 it has the eigenvalue "
            f"{least:.3g}"
        )
    return G


def _bounds(bounds: Any, batch: tuple[int, ...], P: int) -> tuple[Array, Array]:
    """Return both sides, (P,) each, or (..., P) if one of them is given for each problem."""
    sides = read_bounds(bounds, P)
    for side, name in zip(sides, ("lower", "upper"), strict=True):
        if side.shape not in ((), (P,), (*batch, P)):
            raise ValueError(
                f"{name} bounds must have shape (), (P={P},) or that of C, {(*batch, P)}, "
                f"got {side.shape}"
            )
    shape = max((side.shape for side in sides), key=len)
    lower, upper = (np.broadcast_to(side, shape if shape else (P,)) for side in sides)
    wrong = ~((lower <= upper) & (lower < np.inf) & (upper > -np.inf))
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = ", ".join(map(str, where))
        raise ValueError(f"the bounds hold no number at [{place}]: {lower[where]}, {upper[where]}")
    return lower, upper


def _noise(noise: Any, batch: tuple[int, ...]) -> Array:
    array = numbers(noise, "noise", np.float64)
    if array.shape not in ((), batch):
        raise ValueError(f"noise must have shape () or that of the problems, {batch}")
    refuse_negative(array, "noise")
    return array
