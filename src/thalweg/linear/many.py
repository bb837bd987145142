"""Bounded least squares for many right-hand sides, non-negative least squares among them.

All right-hand sides share one Gram matrix, G = AᵗWA + diag(l2).  Each is a problem of P numbers,
c = AᵗWb, that `block_pivoting` solves, so the cost is one pass over B and about P² operations for
each right-hand side.

The elements of G have relative errors of up to γ = n eps.  The negative gradient
y = AᵗW(b − Aθ) − l2 θ, computed as c − Gθ, may therefore be wrong by

    γ s_j (‖b‖ + Σ_k s_k |θ_k|),     s_j = √G_jj, ‖b‖² = Σ w b²,

in column j.  This error over s_j, added to |y_j| / s_j where y_j points into the box, is the
largest slope that column j may have; the largest over all columns is the certificate v, found
without another pass over B.  A step d within the box lowers F by yᵗd − ½ dᵗGd, so F is above its
minimum by at most

    ½ P v² / λ,     λ the smallest eigenvalue of G_ij / (s_i s_j) that is not 0 within rounding.

Where columns are nearly dependent, λ is small, θ is large, and this bound is useless; where the fit
is nearly exact, Σ w r² is too small to be computed from G.  Only such right-hand sides are examined
again, from the residual itself and its products with A, and corrected by one more pivoting for the
change of θ, which needs fewer digits of G (as in Björck 1996, "Numerical Methods for Least Squares
Problems", section 2.9: corrected semi-normal equations).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from ..kernels.pivot import Pivoted, pivoted
from ..linalg.watch import watched
from ..status import Status
from .ranges import refuse_squares

EPS = float(np.finfo(float).eps)
_ENOUGH = 1e-12  # a gap below this share of ½‖b‖² needs no look at the residual
_DIGITS = 1e-8  # the largest relative error of Σ w r² computed from the Gram matrix
_CLEAR = 1e-8  # λ below this is computed from A instead of G, whose rounding might exceed it
_CORRECTIONS = 3  # the most corrections of θ; one is enough unless G has hardly a correct digit
_AT_ONCE = 1 << 18  # so many elements of B (2 MiB) at a time stay in the second-level cache


class ManyFits(NamedTuple):
    """Bounded least squares of M right-hand sides.

    Attributes
    ----------
    theta : ndarray, shape (P, M)
        Within the bounds.
    target_norm : ndarray, shape (M,)
        √Σ w b²; unit of b times that of √w.
    residual_norm : ndarray, shape (M,)
        √Σ w r², r = b − Aθ; unit of b times that of √w.
    objective : ndarray, shape (M,)
        F = ½ Σ w r² + ½ Σ l2 θ².
    kkt : ndarray, shape (M,)
        An upper bound of every |AᵗWr − l2 θ|_j / s_j that points into the box, rounding included;
        s_j is the length of column j, √(Σ w A_j² + l2_j).  Unit of ``residual_norm``.
    gap : ndarray, shape (M,)
        F is at most this far above its minimum.  (Columns that are linearly dependent within
        rounding are taken to be exactly dependent.)
    n_iter : ndarray of int32, shape (M,)
        The number of exchanges, those of corrections included.
    corrections : ndarray of int32, shape (M,)
        The number of correction steps that were kept.
    status : ndarray of int8, shape (M,)
        The status of the pivoting, as of `block_pivoting`; ``gap`` says how good its result is.
        SINGULAR means that G has too few correct digits for this A.
    """

    theta: Array
    target_norm: Array
    residual_norm: Array
    objective: Array
    kkt: Array
    gap: Array
    n_iter: Array
    corrections: Array
    status: Array


class _Task(NamedTuple):
    """The data, in float64 but for B."""

    A: Array  # (n, P)
    WA: Array  # (n, P): A, its rows times the weights
    B: Array  # (n, M), float64 or float32
    w: Array | None  # (n,)
    l2: Array  # (P,)
    lower: Array  # (P,)
    upper: Array  # (P,)
    G: Array  # (P, P)
    length: Array  # (P,)
    least: float  # λ
    most: int
    threads: int

    @property
    def gamma(self) -> float:
        """The relative error of a sum over the rows of A."""
        return (len(self.A) + 1) * EPS

    def pivot(self, C: Array, lower: Array, upper: Array, noise: Array) -> Pivoted:
        return pivoted(self.G, C, lower, upper, noise, self.most, self.threads)


class _Sums(NamedTuple):
    """What is known of the right-hand sides, one row for each."""

    theta: Array  # (M, P)
    norm: Array  # (M,) ‖b‖
    reach: Array  # (M,) Σ s |θ|
    left: Array  # (M,) Σ w r²
    kkt: Array  # (M,)
    n_iter: Array
    corrections: Array
    status: Array

    def excess(self, t: _Task) -> Array:
        """Return an upper bound of the distance of F from its minimum, (M,)."""
        bound: Array = 0.5 * len(t.G) * self.kkt**2 / t.least
        return bound


def bounded_least_squares(
    A: Array,
    B: Array,
    *,
    lower: Array,
    upper: Array,
    weights: Array | None = None,
    l2: Array | float = 0.0,
    max_iter: int | None = None,
    threads: int = 0,
) -> ManyFits:
    """Minimise ½ Σ w (b − Aθ)² + ½ Σ l2 θ², lower ≤ θ ≤ upper, for every column b of B.

    Parameters
    ----------
    A : ndarray, shape (n, P)
        float64 or float32; finite.
    B : ndarray, shape (n, M)
        float64 or float32; finite.
    lower, upper : ndarray of float64, shape (P,)
        The bounds; they may be infinite, and lower ≤ upper.
    weights : ndarray of float64, shape (n,), optional
        w ≥ 0; default 1.
    l2 : float or ndarray, shape (P,)
        The squared penalty, ≥ 0.
    max_iter : int, optional
        The largest number of exchanges for one right-hand side.  Default: 100 + 20 P.
    threads : int
        The number of threads of the pivoting; 0 means all.  Matrix products are NumPy's and follow
        NumPy's setting of threads.

    Returns
    -------
    ManyFits

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C was pressed.
    """
    t = _task(A, B, lower, upper, weights, l2, max_iter, threads)
    C, norm = _products(t)
    s = _certify(t, norm, t.pivot(C, t.lower, t.upper, t.gamma * norm))
    again = _unsure(t, s)
    if again.size:
        s = _look_again(t, s, again)
    penalty = s.theta**2 @ t.l2 if t.l2.any() else 0.0
    return ManyFits(
        s.theta.T, norm, np.sqrt(s.left), 0.5 * (s.left + penalty), s.kkt, s.excess(t), s.n_iter,
        s.corrections, s.status,
    )  # fmt: skip


def _task(
    A: Array,
    B: Array,
    lower: Array,
    upper: Array,
    weights: Array | None,
    l2: Array | float,
    max_iter: int | None,
    threads: int,
) -> _Task:
    A = np.asarray(A, np.float64)
    n, P = A.shape
    WA = A if weights is None else A * weights[:, None]
    l2 = np.broadcast_to(np.asarray(l2, float), P)
    G = watched(2.0 * n * P * P, np.matmul, WA.T, A)
    G[np.diag_indices(P)] += l2
    square = np.diagonal(G)
    length = np.sqrt(np.where(square > 0, square, 1.0))
    most = 100 + 20 * P if max_iter is None else max_iter
    least = _least_eigenvalue(A, weights, l2, G / length / length[:, None], length)
    return _Task(A, WA, B, weights, l2, lower, upper, G, length, least, most, threads)


def _least_eigenvalue(A: Array, w: Array | None, l2: Array, unit: Array, length: Array) -> float:
    """Return λ, the smallest eigenvalue of ``unit``, G_ij / (s_i s_j), that is not 0."""
    n, P = A.shape
    if not P:
        return 1.0
    values = watched(10.0 * P**3, np.linalg.eigvalsh, unit)
    noise = (n + P) * EPS * values[-1]
    if values[0] - noise > _CLEAR:
        return float(values[0] - noise)
    rows = A if w is None else A * np.sqrt(w)[:, None]
    whole = np.concatenate([rows, np.diag(np.sqrt(l2))]) / length
    singular = watched(4.0 * n * P * P, partial(np.linalg.svd, compute_uv=False), whole)
    return float(np.min(singular**2, where=singular > max(n, P) * EPS * singular[0], initial=1.0))


def _parts(t: _Task, columns: Array | None = None) -> list[slice | Array]:
    """Split the right-hand sides into pieces that are computed together."""
    M = t.B.shape[1] if columns is None else len(columns)
    width = max(16, _AT_ONCE // max(1, len(t.A)))
    pieces = [slice(i, min(M, i + width)) for i in range(0, M, width)]
    return list(pieces) if columns is None else [columns[piece] for piece in pieces]


def _squares(t: _Task, R: Array) -> Array:
    """Return Σ w r² of every column of R (n, m)."""
    with np.errstate(over="ignore"):  # what overflows is refused
        weighted = R if t.w is None else R * t.w[:, None]
    total: Array = np.einsum("nm,nm->m", weighted, R)
    return total


def _products(t: _Task) -> tuple[Array, Array]:
    """Return BᵗWA (M, P) and ‖b‖ (M,)."""
    M, P = t.B.shape[1], t.A.shape[1]
    C, squares = np.empty((M, P)), np.empty(M)
    for part in _parts(t):
        b = np.asarray(t.B[:, part], np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
            C[part] = (t.WA.T @ b).T  # BLAS takes half the time that it takes for b.T @ WA
        squares[part] = _squares(t, b)
    refuse_squares(squares, t.B, t.w)
    return C, np.sqrt(squares)


def _certify(t: _Task, norm: Array, done: Pivoted) -> _Sums:
    """Compute the certificate of each right-hand side from the Gram matrix alone."""
    left = np.maximum(norm**2 + 2 * done.objective, 0)
    if t.l2.any():
        left = np.maximum(left - done.theta**2 @ t.l2, 0)
    kkt = done.violation + t.gamma * (norm + done.reach)
    kkt[done.status == Status.NOT_FINITE] = np.inf
    none = np.zeros(len(norm), np.int32)
    return _Sums(done.theta, norm, done.reach, left, kkt, done.n_iter, none, done.status)


def _unsure(t: _Task, s: _Sums) -> Array:
    """Return the right-hand sides whose residual must be computed: indices, ascending."""
    rough = t.gamma * (s.norm + s.reach) ** 2 > _DIGITS * s.left
    rough |= s.excess(t) > 0.5 * _ENOUGH * s.norm**2
    return np.flatnonzero(rough & (s.norm > 0) & (s.status != Status.NOT_FINITE))


def _look_again(t: _Task, s: _Sums, columns: Array) -> _Sums:
    """Compute the certificates of these right-hand sides from residuals, and correct their θ."""
    s = s._replace(**{k: getattr(s, k).copy() for k in s._fields})
    for part in _parts(t, columns):
        _correct(t, s, part)
    return s


def _correct(t: _Task, s: _Sums, part: slice | Array) -> None:
    """Compute the certificates of one piece from residuals, and correct θ while F falls."""
    b = np.asarray(t.B[:, part], np.float64)
    y, s.left[part], s.kkt[part] = _from_residual(t, b, s.theta[part])
    which, tried = np.arange(len(s.kkt))[part], np.arange(b.shape[1])
    for _ in range(_CORRECTIONS):
        rough = s.excess(t) > 0.5 * _ENOUGH * s.norm**2
        tried = tried[rough[which[tried]]]
        if not tried.size:
            return
        m = which[tried]
        theta = s.theta[m]
        step = t.pivot(y[tried], t.lower - theta, t.upper - theta, t.gamma * np.sqrt(s.left[m]))
        moved = np.clip(theta + step.theta, t.lower, t.upper)
        y_new, left, kkt = _from_residual(t, b[:, tried], moved)
        before, after = s.left[m] + theta**2 @ t.l2, left + moved**2 @ t.l2
        better = after < before  # False for NaN
        s.n_iter[m] += step.n_iter
        tried, m = tried[better], m[better]
        y[tried], s.theta[m], s.left[m] = y_new[better], moved[better], left[better]
        s.kkt[m], s.status[m] = kkt[better], step.status[better]
        s.corrections[m] += 1


def _from_residual(t: _Task, b: Array, theta: Array) -> tuple[Array, Array, Array]:
    """Return AᵗWr − l2 θ (m, P), Σ w r² (m,) and the certificate (m,), from r = b − Aθ itself."""
    r = b - t.A @ theta.T
    left = _squares(t, r)
    y = r.T @ t.WA - theta * t.l2
    inward = np.where(y > 0, theta < t.upper, theta > t.lower)
    kkt = np.max(np.abs(y) / t.length, axis=1, where=inward, initial=0.0)
    # ``each``: rounding of r itself, whose terms are b and P products; then that of the sum over n
    each = EPS * (np.sqrt(_squares(t, b)) + np.abs(theta) @ t.length) * theta.shape[1]
    return y, left, kkt + t.gamma * np.sqrt(left) + each
