"""The specification of coordinate descent with a cached residual, one update at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def soft_threshold(z: Any, l1: Any) -> float:
    """Return sign(z) max(|z| − l1, 0), where ½ (t − z)² + l1 |t| is least."""
    return float(np.sign(z) * max(abs(z) - l1, 0.0))


def updated(
    theta: Any, c: Any, g: Any, l1: Any, l2: Any, lower: Any, upper: Any, omega: float
) -> float:
    """Return where one coordinate goes, given c = A_jᵗWA_j and g = A_jᵗWr."""
    if c + l2 > 0:
        minimum = np.clip(soft_threshold(g + c * theta, l1) / (c + l2), lower, upper)
    else:
        minimum = np.clip(0.0, lower, upper) if l1 > 0 else theta
    value = np.clip(theta + omega * (minimum - theta), lower, upper) if omega != 1 else minimum
    if omega > 1 and l1 > 0 and value * minimum <= 0:
        value = np.clip(0.0, lower, upper)  # |θ| has its kink there
    return float(value)


def penalised(r: Array, w: Array, theta: Array, l1: Array, l2: Array) -> float:
    """Return F = ½ Σ w r² + Σ l1 |θ| + ½ Σ l2 θ²."""
    return float(0.5 * w @ r**2 + l1 @ np.abs(theta) + 0.5 * l2 @ theta**2)


class _Problem(NamedTuple):
    """What the update of a coordinate needs besides θ and the residual r."""

    A: Array
    w: Array
    c: Array
    limits: list[Array]  # l1, l2, lower, upper: (P,) each
    omega: float

    def value(self, j: int, theta: Array, r: Array) -> float:
        """Return where coordinate j goes."""
        g = self.A[:, j] @ (self.w * r)
        l1, l2, lower, upper = (x[j] for x in self.limits)
        return updated(theta[j], self.c[j], g, l1, l2, lower, upper, self.omega)

    def fall(self, j: int, theta: Array, r: Array) -> float:
        """Return by how much F falls if coordinate j goes there."""
        after = theta.copy()
        after[j] = self.value(j, theta, r)
        return self.F(theta, r) - self.F(after, r - self.A[:, j] * (after[j] - theta[j]))

    def F(self, theta: Array, r: Array) -> float:
        """Return the objective F."""
        l1, l2, *_ = self.limits
        return penalised(r, self.w, theta, l1, l2)

    def sweep(self, order: Array | None, theta: Array, r: Array) -> float:
        """Update coordinates in an order, or greedily; return the largest change."""
        change, P = 0.0, len(theta)
        for i in range(P if order is None else len(order)):
            falls = [] if order is not None else [self.fall(k, theta, r) for k in range(P)]
            j = int(np.argmax(falls)) if order is None else order[i]
            value = self.value(j, theta, r)
            r -= self.A[:, j] * (value - theta[j])
            change, theta[j] = max(change, abs(value - theta[j])), value
        return change

    def constant(self, r: Array, free: Array, m: int) -> float:
        """Update the intercept, an unpenalised coordinate whose column is 1; return its change."""
        new = updated(free[m], self.w.sum(), self.w @ r, 0, 0, -np.inf, np.inf, self.omega)
        d = new - free[m]
        r -= d
        free[m] = new
        return float(abs(d))


def drawn(order: Any, P: int, rng: np.random.Generator) -> Array | None:
    """Return the order of one sweep; None for greedy."""
    if not isinstance(order, str):
        return np.asarray(order)
    if order == "shuffled":
        return rng.permutation(P)
    if order == "random":
        return rng.integers(0, P, P) if P else np.arange(0)
    return np.arange(P) if order == "cyclic" else None


def coordinate_sweep(
    A: Any,
    theta: Array,
    residual: Array,
    *,
    l1: Any = 0,
    l2: Any = 0,
    weights: Any = None,
    bounds: Any = None,
    order: Any = "cyclic",
    sweeps: int = 1,
    relaxation: float = 1.0,
    intercept: Array | None = None,
    centered: bool | None = None,
    gram: Any = None,
    b: Any = None,
    seed: Any = None,
    threads: int | None = None,
) -> tuple[float, float, Array, float | None]:
    """Minimise F over one coordinate after the other; see `thalweg.kernels.coordinate_sweep`.

    ``gram`` and ``threads`` change how the kernel computes, not what.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> J = np.array([[1.0, 0], [1, 1], [1, 2]])
    >>> theta, residual = np.zeros(2), np.array([1.0, 3, 5])
    >>> change, objective, *_ = reference.coordinate_sweep(J, theta, residual, sweeps=50)
    >>> theta.round(6)
    array([1., 2.])
    """
    A = np.asarray(A.toarray() if hasattr(A, "toarray") else A, dtype=np.float64)
    n, P = A.shape
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    if intercept is not None and (centered or centered is None):
        options = {"l1": l1, "l2": l2, "weights": weights, "bounds": bounds, "order": order}
        options |= {"relaxation": relaxation, "seed": np.random.default_rng(seed)}
        change, objectives = _centered(A, theta, residual, sweeps, intercept, options)
        drift = _refreshed(A, theta, residual, intercept, b)
        return change, float(objectives[-1].sum()), objectives, drift
    p = _Problem(A, w, w @ A**2, _limits(P, l1, l2, bounds), relaxation)
    generator = np.random.default_rng(seed)
    T, R = (a if theta.ndim == 2 else a[:, None] for a in (theta, residual))
    M = T.shape[1]
    change, objectives = 0.0, np.zeros((sweeps + 1, M))
    objectives[0] = [p.F(T[:, m], R[:, m]) for m in range(M)]
    for s in range(sweeps):
        change, now = 0.0, drawn(order, P, generator)
        for m in range(M):
            change = max(change, p.sweep(now, T[:, m], R[:, m]))
            if intercept is not None:
                change = max(change, p.constant(R[:, m], intercept, m))
            objectives[s + 1, m] = p.F(T[:, m], R[:, m])
    drift = _refreshed(A, theta, residual, intercept, b)
    shape = (sweeps + 1, *theta.shape[1:])
    return change, float(objectives[-1].sum()), objectives.reshape(shape), drift


def _limits(P: int, l1: Any, l2: Any, bounds: Any) -> list[Array]:
    """Return l1, l2, lower and upper, (P,) each; an infinite l1 is bounds of 0."""
    low, high = (None, None) if bounds is None else bounds
    limits = [l1, l2, -np.inf if low is None else low, np.inf if high is None else high]
    each = [np.broadcast_to(np.asarray(x, dtype=float), P) for x in limits]
    kept = np.isinf(each[0])  # coordinates that stay at 0, where they must start
    return [np.where(kept, 0, x) if k != 1 else x for k, x in enumerate(each)]


def _refreshed(
    A: Array, theta: Array, residual: Array, intercept: Array | None, b: Any
) -> float | None:
    """Compute the residual anew, if b is given; return how far it was from that."""
    if b is None:
        return None
    exact = np.asarray(b, float) - A @ theta - (0 if intercept is None else intercept)
    drift = float(np.abs(residual - exact).max(initial=0))
    residual[...] = exact
    return drift


def _centered(
    A: Array,
    theta: Array,
    residual: Array,
    sweeps: int,
    intercept: Array,
    options: dict[str, Any],
) -> tuple[float, Array]:
    """Descend on the columns less their weighted means, with the intercept that goes with theta."""
    n, P = A.shape
    w = np.ones(n) if options["weights"] is None else np.asarray(options["weights"], dtype=float)
    if not w.sum() > 0:
        change, _, objectives, _ = coordinate_sweep(A, theta, residual, sweeps=sweeps, **options)
        return change, objectives
    mean = w @ A / w.sum()
    C = A - mean
    used = w > 0
    C[np.ix_(used, (A[used] == A[used][:1]).all(axis=0))] = 0  # the intercept stands for constants
    l1, l2 = (np.broadcast_to(options[k], P) for k in ("l1", "l2"))
    r, t = (a.reshape(len(a), int(np.prod(a.shape[1:]))) for a in (residual, theta))
    start = [penalised(r[:, m], w, t[:, m], l1, l2) for m in range(r.shape[1])]
    history = [np.reshape(start, residual.shape[1:])]
    change = 0.0
    for k in range(sweeps):
        if k == 0:
            shift = w @ r / w.sum()
            r -= shift
            intercept += shift
        before = theta.copy()
        change, _, objectives, _ = coordinate_sweep(C, theta, residual, sweeps=1, **options)
        moved = mean @ (theta - before)
        intercept -= moved
        change = max(change, float(np.abs(moved).max(initial=0)))
        history.append(objectives[-1])
    return change, np.array(history)
