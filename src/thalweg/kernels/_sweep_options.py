"""The arguments of a sweep besides the matrix, checked, and its report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .._arguments.arrays import overlaps, unmasked
from .._arguments.bounds import bounds_of_one
from .._arguments.check import count, number_of, numbers, thread_limit
from .._arguments.pieces import all_finite
from .._arguments.values import kept_at_zero, penalty, refuse_nonfinite, row_weights

Array = np.ndarray[Any, np.dtype[Any]]

ORDERS = ("cyclic", "shuffled", "random", "greedy")


class Sweep(NamedTuple):
    """The report of a call of `coordinate_sweep`.

    Attributes
    ----------
    largest_change : float
        The largest change of any coordinate, intercepts included, in the last sweep, in the unit
        of θ.
    objective : float
        F after the last sweep, summed over right-hand sides.
    objectives : ndarray, shape (sweeps + 1,) or (sweeps + 1, M)
        F before the first sweep and after each, for every right-hand side.  It never rises.
    drift : float or None
        The largest difference between the updated residual and b − Aθ; None without ``b``.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import coordinate_sweep
    >>> A = np.asfortranarray([[1.0, 0.0], [0.0, 2.0]])
    >>> theta, residual = np.zeros(2), np.array([1.0, 2.0])
    >>> s = coordinate_sweep(A, theta, residual)
    >>> s.largest_change, theta
    (1.0, array([1., 1.]))
    """

    largest_change: float
    objective: float
    objectives: Array
    drift: float | None


class Unknowns(NamedTuple):
    """The caller's θ, residual and intercept, which are written at the end only."""

    theta: Array
    residual: Array
    intercept: Array | None
    P: int
    M: int

    @property
    def batch(self) -> tuple[int, ...]:
        """``()`` for one right-hand side, ``(M,)`` for a row of them."""
        batch: tuple[int, ...] = self.theta.shape[1:]
        return batch


class Settings(NamedTuple):
    """Penalties and bounds of each coordinate, of which the intercept, if any, is the last."""

    l1: Array
    l2: Array
    lower: Array
    upper: Array
    relaxation: float
    weights: Array | None
    sweeps: int
    threads: int  # 0 means all


def weightless(weights: Any, n: int) -> Array | None:
    """Return which of n rows have the weight 0, or None where none has."""
    if weights is None:
        return None
    zero = row_weights(weights, n) == 0
    return zero if zero.any() else None


def void_of(residual: Array, b: Array | None, left: Array | None) -> Array | None:
    """Return where rows that are left out have residuals that are not finite, or None."""
    if left is None:
        return None
    bad = ~np.isfinite(residual) & _by_row(left, residual)
    if b is not None:
        bad |= ~np.isfinite(b) & _by_row(left, b)
    return bad if bad.any() else None


def without(array: Array, void: Array | None) -> Array:
    """Return the array, or a copy with 0 where ``void`` is true."""
    return array if void is None else np.where(void, 0.0, array)


def unknowns(
    theta: Any,
    residual: Any,
    intercept: Any,
    shape: tuple[int, int],
    left: Array | None = None,
) -> Unknowns:
    """Check the arrays that a sweep writes; residuals of rows that are left out may be anything."""
    n, P = shape
    for name, array in (("theta", theta), ("residual", residual), ("intercept", intercept)):
        if array is None and name == "intercept":
            continue
        unmasked(array, name, "a row is left out by the weight 0", strict=True)
        if not isinstance(array, np.ndarray) or array.dtype != np.float64:
            got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"{name} is written in place: it must be a float64 array, got {got}")
        if not array.flags.writeable:
            raise ValueError(f"{name} is written in place, and this array is read-only")
        _finite(array, name, left if name == "residual" else None)
    if theta.ndim not in (1, 2) or len(theta) != P:
        raise ValueError(f"theta must have shape (P={P},) or (P={P}, M), got {theta.shape}")
    batch = theta.shape[1:]
    _shape(residual, "residual", ("n", "M"), (n, *batch))
    if intercept is not None:
        _shape(intercept, "intercept", ("1",) if not batch else ("M",), batch or (1,))
    return Unknowns(theta, residual, intercept, P, batch[0] if batch else 1)


def settings(
    u: Unknowns,
    n: int,
    *,
    l1: Any,
    l2: Any,
    weights: Any,
    bounds: Any,
    sweeps: Any,
    relaxation: Any,
    threads: Any,
) -> Settings:
    """Check the settings; arrays per coordinate become (P,), or (P + 1,) with an intercept."""
    lower, upper = bounds_of_one(bounds, u.P)
    start = u.theta.reshape(u.P, u.M)
    outside = ~((lower[:, None] <= start) & (start <= upper[:, None])).all(1)
    if outside.any():
        j = int(outside.argmax())
        raise ValueError(
            f"theta must start within its bounds; coordinate {j} is not in [{lower[j]}, {upper[j]}]"
        )
    omega = 0.0 if relaxation is None else number_of(relaxation, "relaxation", "between 0 and 2")
    if not 0 < omega < 2:
        raise ValueError(f"relaxation must be between 0 and 2, got {relaxation}")
    if weights is not None:
        weights = row_weights(weights, n)
    l1 = penalty(l1, "l1", u.P, infinite=True)
    _refuse_start(start, l1)
    l1, lower, upper = kept_at_zero(l1, lower, upper)
    free = u.intercept is not None
    return Settings(
        l1=_extended(l1, 0.0, free),
        l2=_extended(penalty(l2, "l2", u.P), 0.0, free),
        lower=_extended(lower, -np.inf, free),
        upper=_extended(upper, np.inf, free),
        relaxation=omega,
        weights=weights,
        sweeps=count(sweeps, "sweeps", 0, 2**31 - 1),
        threads=thread_limit(threads),
    )


def _refuse_start(start: Array, l1: Array) -> None:
    """Raise ValueError unless coordinates with an infinite l1 start at 0."""
    wrong = np.isinf(l1) & ~(start == 0).all(1)
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(
            f"l1[{j}] is infinite, which keeps coordinate {j} at 0: theta must start there"
        )


def target(b: Any, u: Unknowns, left: Array | None = None) -> Array | None:
    """Check the right-hand side b, which serves only to compute the residual anew."""
    if b is None:
        return None
    array = numbers(b, "b", np.float64)
    _shape(array, "b", ("n", "M"), u.residual.shape)
    _finite(array, "b", left)
    return array


def apart(outputs: dict[str, Any], inputs: dict[str, Any]) -> None:
    """Refuse outputs that share memory with each other or with an input."""
    names = [name for name, array in outputs.items() if isinstance(array, np.ndarray)]
    for k, name in enumerate(names):
        others = {other: outputs[other] for other in names[k + 1 :]} | inputs
        for other, array in others.items():
            if isinstance(array, np.ndarray) and overlaps(outputs[name], array):
                raise ValueError(f"{name} is written in place and shares memory with {other}")


class Order(NamedTuple):
    """The coordinates to update: ``fixed`` in every sweep, or drawn anew for each."""

    name: str
    P: int
    fixed: Array | None
    seed: Any  # a whole number or a Generator

    @property
    def size(self) -> int:
        """The number of updates in a sweep."""
        return self.P if self.fixed is None else len(self.fixed)

    def draw(self, sweeps: int) -> Iterator[Array]:
        """Yield a random order for each sweep."""
        rng = np.random.default_rng(self.seed)
        for _ in range(sweeps):
            shuffled = self.name == "shuffled" or self.P == 0
            yield rng.permutation(self.P) if shuffled else rng.integers(0, self.P, self.P)


def order_of(order: Any, P: int, seed: Any) -> Order:
    """Return the order that a name or an array of coordinates asks for."""
    if isinstance(order, str):
        if order not in ORDERS:
            names = ", ".join(map(repr, ORDERS))
            raise ValueError(f"order must be {names} or an array of coordinates, got {order!r}")
        fixed = order in ("cyclic", "greedy")
        return Order(order, P, np.arange(P, dtype=np.intp) if fixed else None, seed)
    array = np.asarray(order)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise TypeError(f"order must be a row of coordinates, got {array.dtype} {array.shape}")
    outside = (array < 0) | (array >= P)
    if outside.any():
        raise ValueError(f"order names coordinate {array[outside][0]}, but there are P={P}")
    return Order("given", P, np.ascontiguousarray(array, dtype=np.intp), seed)


def report(
    u: Unknowns, s: Settings, theta: Array, residual: Array, change: Array, fall: Array
) -> Sweep:
    """Return the report on theta (M, C), residual (M, n), change (M,) and fall (sweeps, M).

    F is computed once, after the last sweep.  Its earlier values are F plus the falls since; these
    sums have no negative term, so they lose no digits.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        weighted = residual if s.weights is None else s.weights * residual
        penalty = np.abs(theta) @ s.l1 + 0.5 * theta**2 @ s.l2
        objective = 0.5 * np.einsum("mi,mi->m", weighted, residual) + penalty
        since = np.vstack([np.cumsum(fall[::-1], axis=0)[::-1], np.zeros(u.M)])
        objectives = objective + since
        good = all_finite(objectives)
    if not good:
        raise ValueError("the objective overflows: measure A, b or theta in larger units")
    return Sweep(
        float(change.max(initial=0)),
        float(objective.sum()),
        objectives.reshape(len(objectives), *u.batch),
        None,
    )


def _extended(array: Array, value: float, free: bool) -> Array:
    return np.append(array, value) if free else array


def _shape(array: Array, name: str, letters: tuple[str, ...], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        sizes = [f"{a}={k}" if not a.isdigit() else a for a, k in zip(letters, shape, strict=False)]
        raise ValueError(
            f"{name} must have shape ({', '.join(sizes)}{',' * (len(sizes) == 1)}), "
            f"got {array.shape}"
        )


def _by_row(rows: Array, array: Array) -> Array:
    """Return rows (n,) in a shape that broadcasts against an array (n,) or (n, M)."""
    return rows.reshape(-1, *(1,) * (array.ndim - 1))


def _finite(array: Array, name: str, left: Array | None = None) -> None:
    if left is not None and left.shape == array.shape[:1] and not all_finite(array):
        array = np.where(_by_row(left, array), 0.0, array)
    refuse_nonfinite(array, name)
