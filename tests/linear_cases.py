"""Linear models to solve, and proofs of how well, in extended precision and without the package."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

LONG = np.longdouble


def hole(array, *place, value=np.nan):
    """Return a copy of an array in float64 with another value in one place."""
    array = np.array(array, float)
    array[place] = value
    return array


class Model(NamedTuple):
    """A linear model in full; `call` is the arguments of `coordinate_descent`."""

    A: object
    b: np.ndarray
    l1: np.ndarray
    l2: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    weights: np.ndarray | None
    intercept: bool

    @property
    def call(self):
        return (self.A, self.b), dict(
            l1=self.l1,
            l2=self.l2,
            bounds=(self.lower, self.upper),
            weights=self.weights,
            intercept=self.intercept,
        )


def model(A, b, l1=0.0, l2=0.0, bounds=(None, None), weights=None, intercept=False):
    """Fill in what is left out."""
    P = A.shape[1]
    lower, upper = (
        np.full(P, inf if side is None else side, float)
        for side, inf in zip(bounds, (-np.inf, np.inf), strict=True)
    )
    return Model(
        A, np.asarray(b, float), np.full(P, l1, float), np.full(P, l2, float), lower, upper,
        weights, intercept,
    )  # fmt: skip


class Proof(NamedTuple):
    """F, ½ ‖b‖²_W, a duality gap and the worst condition of Karush, Kuhn and Tucker, relative."""

    objective: float
    size: float
    gap: float
    kkt: float
    feasible: bool


def exact(m, theta, intercept=None):
    """Return the columns less their means, b less its mean, the residual and weights, in full."""
    A = m.A.toarray() if sp.issparse(m.A) else np.asarray(m.A)
    A, b = A.astype(LONG), m.b.astype(LONG)
    w = np.ones(len(b), LONG) if m.weights is None else m.weights.astype(LONG)
    A, b = np.where(w[:, None] > 0, A, 0), np.where(w > 0, b, 0)
    if m.intercept and w.sum() > 0:
        A, b = A - w @ A / w.sum(), b - w @ b / w.sum()
    return A, b, b - A @ theta.astype(LONG), w


def proof(m, theta):
    """Prove how good theta is: an objective, a gap from the residual as dual point, the conditions.

    Where no dual point exists (no penalty, no bound) the gap is infinite unless the slope is 0.
    """
    theta = np.asarray(theta)
    A, b, r, w = exact(m, theta)
    q, t = A.T @ (w * r), theta.astype(LONG)
    q[_constant(m, A, w)] = 0
    l1 = np.where(np.isinf(m.l1), 0, m.l1).astype(LONG)
    lower = np.where(np.isinf(m.l1), 0.0, m.lower)
    upper = np.where(np.isinf(m.l1), 0.0, m.upper)
    h = l1 * np.abs(t) + m.l2 * t**2 / 2
    free = (m.l2 == 0) & np.where(q > 0, upper == np.inf, lower == -np.inf)
    size, s = np.abs(q), LONG(1)
    tight = free & (size > l1)
    if tight.any():
        s = (l1[tight] / size[tight]).min()
    z = np.sign(q) * np.maximum(s * size - l1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.where(z == 0, 0, np.where(m.l2 > 0, z / m.l2, np.sign(z) * np.inf))
    top = np.clip(np.where(free & (m.l2 == 0), 0, top), lower, upper)
    conjugate = s * q * top - l1 * np.abs(top) - m.l2 * top**2 / 2
    gap = (1 - s) ** 2 * (w @ r**2) / 2 + (h + conjugate - s * q * t).sum()
    return Proof(
        float(w @ r**2 / 2 + h.sum()), float(w @ b**2 / 2), float(gap),
        _kkt(A, b, q, t, w, m._replace(l1=l1, lower=lower, upper=upper)),
        bool(((theta >= lower) & (theta <= upper)).all()),
    )  # fmt: skip


def _constant(m, A, w):
    """Which columns hold nothing but the rounding of their mean."""
    raw = m.A.toarray() if sp.issparse(m.A) else np.asarray(m.A)
    raw = np.where(w[:, None] > 0, raw, 0).astype(LONG)
    return w @ A**2 <= 1e-29 * (w @ raw**2)


def _kkt(A, b, q, t, w, m):
    """The steepest slope that is left, in parts of √(c_j + l2_j) ‖b‖.

    A step along one coordinate alone gains half the square of slope / √(c_j + l2_j), and no step
    gains more than the gap: so this is at most √(2 gap) / ‖b‖.
    """
    slope = q - m.l2 * t
    up = np.where(t >= 0, slope - m.l1, slope + m.l1)
    down = np.where(t > 0, m.l1 - slope, -m.l1 - slope)
    up, down = np.where(t >= m.upper, 0, up), np.where(t <= m.lower, 0, down)
    curvature = (w[:, None] * A**2).sum(0) + m.l2
    scale = np.sqrt(curvature * (w @ b**2))
    steepest = np.maximum(np.maximum(up, down), 0)
    return float((steepest[scale > 0] / scale[scale > 0]).max(initial=0))


def drawn(rng, most_rows=120, most_columns=150):
    """Draw a model of any kind: sizes, scales, duplicates, zeros, bounds, penalties, weights."""
    n, P = int(rng.integers(1, most_rows)), int(rng.integers(1, most_columns))
    A = rng.standard_normal((n, P)) * 10 ** rng.uniform(-2, 2, P)
    if rng.random() < 0.3:
        A[:, 1:] = A[:, 1:] * 0.2 + A[:, :1]
    if rng.random() < 0.2 and P > 4:
        A[:, 2], A[:, 3], A[:, 4] = A[:, 0], 0, -A[:, 1]
    if rng.random() < 0.2:
        A[:, -1] = rng.normal()
    is_sparse = rng.random() < 0.4
    if is_sparse:
        A = A * (rng.random((n, P)) < 0.3)
    b = rng.standard_normal(n) * 10 ** rng.uniform(-2, 2) + rng.normal() * (rng.random() < 0.5)
    weights = None
    if rng.random() < 0.4:
        weights = rng.integers(0, 3, n).astype(float)
    intercept = bool(rng.random() < 0.4)
    plain = model(A, b, weights=weights, intercept=intercept)
    size = float(np.abs(_slopes(plain)).max()) + 1e-300
    l1 = (
        size
        * 10 ** rng.uniform(-4, 0)
        * (rng.random(P) < 0.9 if rng.random() < 0.3 else np.ones(P))
    )
    if rng.random() < 0.1:
        l1[rng.random(P) < 0.2] = np.inf
    l2 = np.full(P, size * 10 ** rng.uniform(-6, -1) * (rng.random() < 0.4))
    lower, upper = _bounds(rng, P)
    lower[np.isinf(l1)], upper[np.isinf(l1)] = -1.0, 1.0
    return plain._replace(A=_layout(rng, A, is_sparse), l1=l1, l2=l2, lower=lower, upper=upper)


def _slopes(m):
    A, b, _, w = exact(m, np.zeros(m.A.shape[1]))
    return A.T @ (w * b)


def _bounds(rng, P):
    lower, upper = np.full(P, -np.inf), np.full(P, np.inf)
    kind = rng.random()
    if kind < 0.25:
        lower[:] = 0
    elif kind < 0.5:
        lower, upper = -rng.random(P) * 0.5, rng.random(P) * 0.5
    elif kind < 0.6:
        lower = rng.random(P) * 0.2
        upper = lower + rng.random(P)
    return lower, upper


def _layout(rng, A, is_sparse):
    if is_sparse:
        kind = sp.csc_array if rng.random() < 0.7 else sp.csr_array
        matrix = kind(A)
        if rng.random() < 0.3:
            matrix.indices, matrix.indptr = (
                a.astype(np.int64) for a in (matrix.indices, matrix.indptr)
            )
        return matrix
    return np.array(A, order="F" if rng.random() < 0.6 else "C")
