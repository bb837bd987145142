"""The arguments of a sweep besides the matrix, checked, and its report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from thalweg._arguments.bounds import bounds_of_one
from thalweg._arguments.check import count, left_out, numbers, thread_limit
from thalweg._arguments.pieces import all_finite

from .._arguments.arrays import unmasked

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
    zero = _weights(weights, n) == 0
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
    lower, upper = _bounds(bounds, u.P)
    start = u.theta.reshape(u.P, u.M)
    outside = ~((lower[:, None] <= start) & (start <= upper[:, None])).all(1)
    if outside.any():
        j = int(outside.argmax())
        raise ValueError(
            f"theta must start within its bounds; coordinate {j} is not in [{lower[j]}, {upper[j]}]"
        )
    omega = 0.0 if relaxation is None else float(relaxation)
    if not 0 < omega < 2:
        raise ValueError(f"relaxation must be between 0 and 2, got {relaxation}")
    if weights is not None:
        weights = _weights(weights, n)
    l1 = _penalty(l1, "l1", u.P, infinite=True)
    if np.isinf(l1).any():
        l1, lower, upper = _kept_at_zero(l1, lower, upper, start)
    free = u.intercept is not None
    return Settings(
        l1=_extended(l1, 0.0, free),
        l2=_extended(_penalty(l2, "l2", u.P), 0.0, free),
        lower=_extended(lower, -np.inf, free),
        upper=_extended(upper, np.inf, free),
        relaxation=omega,
        weights=weights,
        sweeps=count(sweeps, "sweeps", 0, 2**31 - 1),
        threads=thread_limit(threads),
    )


def _kept_at_zero(
    l1: Array, lower: Array, upper: Array, start: Array
) -> tuple[Array, Array, Array]:
    """Return l1, lower and upper with bounds (0, 0) in place of each infinite l1."""
    kept = np.isinf(l1)
    wrong = kept & ~((start == 0).all(1) & (lower <= 0) & (upper >= 0))
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(
            f"l1[{j}] is infinite, which keeps coordinate {j} at 0: theta must start there, "
            "and its bounds must not exclude it"
        )
    return tuple(np.where(kept, 0.0, array) for array in (l1, lower, upper))  # type: ignore[return-value]


def _weights(weights: Any, n: int) -> Array:
    """Return weights (n,), 0 where they are masked."""
    plain, masked = left_out(weights)
    array = numbers(plain, "weights", np.float64)
    if masked is not None:
        array = np.where(masked, 0.0, array)
    _shape(array, "weights", ("n",), (n,))
    _not_negative(array, "weights")
    return array


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
            if isinstance(array, np.ndarray) and _overlap(outputs[name], array):
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


def _penalty(value: Any, name: str, P: int, infinite: bool = False) -> Array:
    array = _per_coordinate(value, name, P)
    _not_negative(np.minimum(array, np.finfo(float).max) if infinite else array, name)
    return array


def _per_coordinate(value: Any, name: str, P: int) -> Array:
    array = numbers(value, name, np.float64)
    if array.ndim == 0:
        return np.full(P, float(array))
    _shape(array, name, ("P",), (P,))
    return array


def _bounds(bounds: Any, P: int) -> tuple[Array, Array]:
    lower, upper = bounds_of_one(bounds, P)
    return np.ascontiguousarray(lower), np.ascontiguousarray(upper)


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
    if not all_finite(array):
        bad = ~np.isfinite(array)
        if left is not None and len(left) == len(bad):
            bad &= ~_by_row(left, array)
        if not bad.any():
            return
        place = tuple(map(int, np.argwhere(bad)[0]))
        raise ValueError(
            f"{name} must be finite, but {name}[{', '.join(map(str, place))}] is {array[place]}"
        )


def _not_negative(array: Array, name: str) -> None:
    wrong = ~((array >= 0) & (array < np.inf))  # NaN too
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(f"{name} must be finite and not negative, but {name}[{j}] is {array[j]}")


def _overlap(a: Array, b: Array) -> bool:
    if not np.may_share_memory(a, b):
        return False
    try:
        return bool(np.shares_memory(a, b, max_work=100_000))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True
