"""Linear models with penalties and bounds: passes over A, certificates, minima on a Gram matrix.

    F(theta) = 1/2 r'Wr + sum_j h_j(theta_j),    r = b - A theta - intercept,
    h_j(t) = l1_j |t| + 1/2 l2_j t^2 within lower_j <= t <= upper_j

csrc/linear/contract.h has the rules; csrc/linear/gap.h derives the gap, csrc/linear/newton.h the
step.  The argument ``each`` is (l1, l2, lower, upper) everywhere.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .sweep import updated

Array = np.ndarray[Any, np.dtype[Any]]

# A column is constant if its squares about its mean are at most CONSTANT times its squares.
CONSTANT = 64 * float(np.finfo(float).eps) ** 2
# The ridge of a Newton step, relative to the diagonal of G; SHORT_RIDGE beyond the rank.
RIDGE, SHORT_RIDGE = 2e-14, 1e-9
WORTH = 3  # a Newton step is made when sweeps have cost WORTH times as much as one ...
AHEAD = 4  # ... or are expected to cost AHEAD times as much before the gap is reached ...
SETTLED = 4  # ... or after so many sweeps with the same free coordinates
FIRST_STEPS = 8  # Newton steps in a row; twice as many each time that they end at a break
# The costs of a Newton step, of its factor per m^3 and of its product with G per C m, in units of
# an addition in a sweep.
FACTOR_COST, PRODUCT_COST, STEP_COST = 0.2, 0.5, 2000
DIGITS, BLOCK_ROWS, MANY = 1e-8, 128, 1 << 16
# Rounds over some of the coordinates are made if these are at most PART / WHOLE of all, and at most
# PART_ROUNDS of them; see csrc/linear/small.h.
PART, WHOLE, PART_ROUNDS = 3, 4, 2
LOOK_ROWS, HALF = 64, 0.67


def moments(A: Array, u: Array, w: Array, centred: bool) -> tuple[Array, Array, Array]:
    """Return weighted means, squares about them, and products with u, 0 for constant columns."""
    mean = w @ A / w.sum() if centred and w.sum() > 0 else np.zeros(A.shape[1])
    about = A - mean
    square = w @ about**2
    square[square <= CONSTANT * (w @ A**2)] = 0
    return mean, square, np.where(square > 0, u @ about, 0.0)


def products(A: Array, mean: Array, which: Array, u: Array) -> Array:
    """Return (A_j - mean_j)'u."""
    product: Array = u @ (A[:, which] - mean[which])
    return product


def move(A: Array, mean: Array, which: Array, step: Array, r: Array) -> Array:
    """Return r - sum_k step_k (A_j - mean_j)."""
    moved: Array = r - (A[:, which] - mean[which]) @ step
    return moved


def residual(
    A: Array, mean: Array, moved: Array, step: Array, which: Array, w: Array, r: Array
) -> tuple[Array, Array]:
    """Return r - sum_k step_k (A_j - mean_j) over ``moved``, and its products with ``which``."""
    left = move(A, mean, moved, step, r)
    return left, products(A, mean, which, w * left)


def gram(A: Array, mean: Array, which: Array, w: Array, rough: bool = False) -> Array:
    """Return the Gram matrix of (A_j - mean_j) sqrt(w), a ``rough`` one of these as float32."""
    scaled = np.sqrt(w)[:, None] * (A[:, which] - mean[which])
    scaled = scaled.astype(np.float32).astype(float) if rough else scaled
    matrix: Array = scaled.T @ scaled
    return matrix


class Certificate(NamedTuple):
    """What a dual point proves of theta: the fields of tw_certificate in csrc/linear/contract.h."""

    penalty: float
    scale: float
    gap: float
    kkt: float
    conditional: int
    unheld: int


def gap_term(each: Any, j: int, t: float, z: float, reach: float) -> float:
    """Return one coordinate's term of the duality gap; see csrc/linear/gap.h."""
    l1, l2, lower, upper = (a[j] for a in each)
    top, excess = 0.0, abs(z) - l1
    if excess > 0 and l2 == 0 and (upper == np.inf if z > 0 else lower == -np.inf):
        top = np.sign(z) * (reach + 2 * abs(t)) if l1 == 0 else 0.0
    elif excess > 0:
        top = np.sign(z) * (excess / l2 if l2 > 0 else np.inf)
    top = float(np.clip(top, lower, upper))
    return float(max((z - l2 * (top + t) / 2) * (top - t) - l1 * (abs(top) - abs(t)), 0.0))


def certificate(
    each: Any,
    reach: Array,
    square: Array,
    theta: Array,
    q: Array,
    rr: float,
    error: float = 0.0,
    which: Any = slice(None),
) -> Certificate:
    """Return the duality gap of the coordinates ``which`` of theta and the other fields.

    rr is r'Wr, and q_j is within ``error`` times the length of column j of A_j'Wr.
    """
    each = l1, l2, lower, upper = tuple(a[which] for a in each)
    reach, square, theta, q = reach[which], square[which], theta[which], q[which]
    q, off, scale = np.where(square > 0, q, 0.0), error * np.sqrt(square), 1.0
    for end in (q - off, q + off):
        endless = (l2 == 0) & np.where(end > 0, upper == np.inf, lower == -np.inf)
        bound = endless & (l1 > 0) & (np.abs(end) > l1)
        scale = float(np.min(l1[bound] / np.abs(end[bound]), initial=scale))
    gap, conditional, unheld, kkt = 0.5 * (1 - scale) ** 2 * rr, 0, 0, 0.0
    for j, t in enumerate(theta):
        if square[j] > 0 and l1[j] == l2[j] == 0:
            up, down = upper[j] == np.inf, lower[j] == -np.inf
            inside = (up or down) and t not in (lower[j], upper[j])
            leaves = (up and q[j] + off[j] > 0) or (down and q[j] - off[j] < 0)
            unheld += bool(inside)
            conditional += bool(inside or leaves)
        if t == 0 and abs(q[j]) + off[j] <= l1[j] and lower[j] <= 0 <= upper[j]:
            continue
        ends = (scale * (q[j] - off[j]), scale * (q[j] + off[j]))
        gap += max(gap_term(each, j, t, z, reach[j]) for z in ends)
        minimum = updated(t, square[j], q[j], l1[j], l2[j], lower[j], upper[j], 1.0)
        kkt = max(kkt, abs(minimum - t) * np.sqrt(square[j]) + error)
    penalty = float(l1 @ np.abs(theta) + 0.5 * l2 @ theta**2)
    return Certificate(penalty, scale, float(gap), float(kkt), conditional, unheld)


def free_coordinates(G: Array, each: Any, theta: Array) -> list[int]:
    """Return the coordinates that are at no bound and not at the kink of l1."""
    l1, _, lower, upper = each
    free = (theta > lower) & (theta < upper) & ((theta != 0) | (l1 == 0)) & (np.diag(G) > 0)
    return [int(j) for j in np.flatnonzero(free)]


class Factor:
    """The order of the free coordinates in a Cholesky factor, which decides what can stay of it."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.ridge = 0.0

    def rows(self, free: list[int]) -> int:
        """Return how many rows stay for other free coordinates; too few are as good as none."""
        away = (k for k, j in enumerate(self.order) if j not in free)
        rows = next(away, len(self.order))
        return rows if rows >= len(free) - len(free) // 4 else 0

    def make(self, free: list[int], size: Array, ridge: float) -> None:
        """Make the factor of the free coordinates; ``size`` is |theta_j| times A_j's length."""
        if ridge != self.ridge:
            self.order, self.ridge = [], ridge
        if self.rows(free):
            self.order = [j for j in self.order if j in free]
            self.order += [j for j in free if j not in self.order]
        else:
            self.order = sorted(free, key=lambda j: -size[j])


def newton_step(
    G: Array, each: Any, rank: int, theta: Array, q: Array, factor: Factor
) -> tuple[Array, Array, int]:
    """Return theta and q after one Newton step with an exact search, and how it ended.

    The last number is 1 if the step met no break, or if no coordinate is free; 0 if it met one; and
    -1 if the matrix has no Cholesky factor.
    """
    l1, l2, lower, upper = each
    S = free_coordinates(G, each, theta)
    if not S:
        return theta, q, 1
    ridge = SHORT_RIDGE if len(S) > rank else RIDGE
    H = G[np.ix_(S, S)] + np.diag(l2[S] + ridge * np.diag(G)[S])
    factor.make(S, np.abs(theta) * np.sqrt(np.diag(G)), ridge)
    sign, t, q = np.sign(theta[S]) * l1[S], theta[S].copy(), q.copy()
    try:
        np.linalg.cholesky(H)
    except np.linalg.LinAlgError:
        factor.order = []
        return theta, q, -1
    d = np.linalg.solve(H, q[S] - sign - l2[S] * t)
    stop = np.where(d > 0, upper[S], lower[S])
    kink = (l1[S] > 0) & np.where(d > 0, (t < 0) & (stop > 0), (t > 0) & (stop < 0))
    stop[kink] = 0
    met = np.where(d > 0, t + d >= stop, (d < 0) & (t + d <= stop))
    at = {int(k): float((stop[k] - t[k]) / d[k]) for k in np.flatnonzero(met)}
    breaks: list[int] = sorted(at, key=at.__getitem__)
    v, here = G[:, S] @ d, 0.0
    for k in [*breaks, -1]:
        slope, curvature = -d @ (q[S] - sign - l2[S] * t), d @ (v[S] + l2[S] * d)
        if not slope < 0:
            break
        way = -slope / curvature if curvature > 0 else np.inf
        go = max((at[k] if k >= 0 else 1.0) - here, 0.0)
        t, q = t + min(way, go) * d, q - min(way, go) * v
        if way <= go or k < 0:
            break
        here = max(here, at[k])
        q, v = q + (t[k] - stop[k]) * G[:, S[k]], v - d[k] * G[:, S[k]]
        t[k], d[k] = stop[k], 0.0
    theta = theta.copy()
    theta[S] = np.clip(t, lower[S], upper[S])
    return theta, q, int(not breaks)


def gram_sweep(G: Array, each: Any, theta: Array, q: Array) -> tuple[Array, Array, int, int]:
    """Return theta and q after one update of each coordinate, how many moved and how many flipped.

    A coordinate flips if it leaves 0 or a bound, or arrives there.
    """
    l1, l2, lower, upper = each
    theta, q, moves, flips = theta.copy(), q.copy(), 0, 0
    for j, t in enumerate(theta.tolist()):
        value = updated(t, G[j, j], q[j], l1[j], l2[j], lower[j], upper[j], 1.0)
        if G[j, j] > 0 and value != t:
            stops = (0.0, lower[j], upper[j])
            moves, flips = moves + 1, flips + ((t in stops) != (value in stops))
            theta[j], q = value, q - (value - t) * G[:, j]
    return theta, q, moves, flips


def newton_steps(
    G: Array, each: Any, rank: int, theta: Array, q: Array, factor: Factor, most: int
) -> tuple[Array, Array, bool, int]:
    """Make up to ``most`` steps; return theta, q, whether the last met no break, and how many."""
    done = steps = 0
    while not done and steps < most:
        theta, q, done = newton_step(G, each, rank, theta, q, factor)
        steps += 1
    return theta, q, done > 0, steps


def cost_of_newton(G: Array, each: Any, theta: Array, factor: Factor) -> float:
    """Return the cost of a Newton step, in additions of a sweep."""
    free = free_coordinates(G, each, theta)
    m, k = len(free), factor.rows(free)
    return FACTOR_COST * (m**3 - k * k * (3 * m - 2 * k)) + PRODUCT_COST * len(G) * m + STEP_COST


def rounds_ahead(before: float, gap: float, target: float) -> float:
    """Return how many rounds of sweeps reach the target if the gap falls on as in the last one."""
    if not target > 0:
        return 0.0
    return np.log(target / gap) / np.log(gap / before) if gap < before else np.inf


def solve(
    G: Array, each: Any, reach: Array, rank: int, square: float, target: float, rounds: int,
    theta: Array, q: Array, factor: Factor | None = None,
) -> tuple[Array, Array, float, int, int]:  # fmt: skip
    """Return theta, q, the gap, and the numbers of sweeps and Newton steps taken.

    Where a problem with the same G and l2 has left a ``factor``, a Newton step comes first.
    """
    theta, first = theta.copy(), (theta.copy(), q.copy())
    empty = np.diag(G) <= 0
    theta[empty] = np.clip(0.0, *each[2:])[empty]

    def gap() -> float:
        rr = square - float((theta - first[0]) @ (first[1] + q))
        return certificate(each, reach, np.ones(len(q)), theta, q, max(rr, 0.0)).gap

    C, spent, settled, most, sweeps, steps = len(q), 0.0, 0, FIRST_STEPS, 0, 0
    factor = factor or Factor()
    if factor.order and rounds:
        theta, q, _, steps = newton_steps(G, each, rank, theta, q, factor, most)
    for _ in range(rounds):
        before = gap()
        if before <= target:
            break
        total = 0
        for _ in range(2):
            theta, q, moves, flips = gram_sweep(G, each, theta, q)
            total, sweeps, settled = total + moves, sweeps + 1, 0 if flips else settled + 1
        now = gap()
        if now <= target or not total:
            break
        spent += total * C + 20 * C
        cost = cost_of_newton(G, each, theta, factor)
        ahead = total * C * rounds_ahead(before, now, target)
        if spent < WORTH * cost and settled < SETTLED and ahead < AHEAD * cost:
            continue
        theta, q, done, more = newton_steps(G, each, rank, theta, q, factor, most)
        most = FIRST_STEPS if done else 2 * most if most < 4 * C else most
        steps, spent, settled = steps + more, 0.0, 0
    return theta, q, gap(), sweeps, steps


def most_move(A: Array, w: Array, l1: Array, size: float) -> bool:
    """Whether half of the coordinates are expected to move, though b may not depend on them."""
    rows = min(len(A), LOOK_ROWS)
    square = w[:rows] @ A[:rows] ** 2
    return bool(2 * np.count_nonzero(l1 <= HALF * np.sqrt(square / rows * size)) >= A.shape[1])


class SmallProblem:
    """What is known of a dense problem of few columns while rounds are made; see `solve_small`."""

    def __init__(
        self, A: Array, b: Array, w: Array, each: Any, centred: bool, rounds: int, theta: Array
    ) -> None:
        self.w, self.each, self.rounds = w, each, rounds
        self.target = b - w @ b / w.sum() if centred and w.sum() > 0 else b
        self.mean, self.square, _ = moments(A, w * self.target, w, centred)
        self.about, self.size = A - self.mean, float(w @ self.target**2)
        reach = np.divide(self.size, self.square, where=self.square > 0, out=0 * self.square)
        self.reach, self.rank = np.sqrt(reach), max(len(A) - centred, 1)
        self.theta = np.clip(np.where(self.square > 0, theta, 0.0), *each[2:])
        self.states = [self.stand(int(np.count_nonzero(self.theta)))]

    def stand(self, working: int) -> tuple[float, Certificate, int]:
        """Compute the residual and its products; return F, the certificate and ``working``."""
        r = self.target - self.about @ self.theta
        self.q = np.where(self.square > 0, (self.w * r) @ self.about, 0.0)
        self.rr = float(self.w @ r**2)
        found = certificate(self.each, self.reach, self.square, self.theta, self.q, self.rr)
        return 0.5 * self.rr + found.penalty, found, working

    def stand_by_gram(self, G: Array, before: Array) -> tuple[float, Certificate, bool]:
        """Return F, the certificate with rounding included, and whether F has digits to spare."""
        way = self.theta - before
        q_now = self.q - G @ way
        left = self.rr - float(way @ (self.q + q_now))
        longest = float(np.sqrt(self.square) @ (np.abs(self.theta) + np.abs(before)))
        additions = BLOCK_ROWS + len(self.about) // BLOCK_ROWS + len(way)
        error = additions * float(np.finfo(float).eps) * (np.sqrt(self.size) + longest)
        found = certificate(self.each, self.reach, self.square, self.theta, q_now, left, error)
        return 0.5 * left + found.penalty, found, 2 * longest * error <= DIGITS * left

    def moving(self, which: Array) -> Array:
        """Return those outside ``which`` that are off their minimum, the others at rest."""
        l1, l2, lower, upper = self.each
        found = []
        for j in np.setdiff1d(np.flatnonzero(self.square > 0), which):
            t = self.theta[j]
            minimum = updated(t, self.square[j], self.q[j], l1[j], l2[j], lower[j], upper[j], 1.0)
            if minimum != t:
                found.append(j)
        return np.array(found, int)

    def make_round(self, which: Array, target: float, wanted: float) -> None:
        """Minimise over ``which`` on its Gram matrix, and certify."""
        X, before = self.about[:, which], self.theta
        G = X.T @ (self.w[:, None] * X)
        each = tuple(a[which] for a in self.each)
        found = solve(
            G, each, self.reach[which], self.rank, self.rr, target, self.rounds,
            before[which], self.q[which],
        )  # fmt: skip
        self.theta = before.copy()
        self.theta[which] = found[0]
        working = int(np.count_nonzero((self.square > 0) & (self.each[2] < self.each[3])))
        if len(which) < len(before):
            working = len(which)
        elif self.about.size >= MANY:
            objective, quick, has_digits = self.stand_by_gram(G, before)
            if has_digits and quick.gap <= wanted and not quick.conditional:
                self.states.append((objective, quick, working))
                return
        self.states.append(self.stand(working))


def solve_small(
    A: Array, b: Array, w: Array, each: Any, centred: bool, tol: float, part: float, again: float,
    rounds: int, max_iter: int, theta: Array,
) -> tuple[Array, float, float, list[tuple[float, Certificate, int]]]:  # fmt: skip
    """Return theta, the intercept, the wanted gap, and (F, certificate, working) of each state.

    The states are the start and, if its gap is too large, the results of rounds: up to two over
    the coordinates that move, if A has many elements and these coordinates are few, and one
    over all columns where that is not enough.  If the gap is then small enough and no coordinate
    has a penalty or is at a bound, the result of one more round over the same coordinates, to
    ``again`` times that gap, follows.  The certificate of a round over all columns is that of the
    Gram matrix, with its rounding, if A has many elements and it is enough, else that of the
    residual.
    """
    s, columns = SmallProblem(A, b, w, each, centred, rounds, theta), np.arange(A.shape[1])
    wanted, which = tol * (0.5 * s.size or s.states[0][0]), columns[:0]
    at_once = not centred and not theta.any() and most_move(A, w, each[0], s.size)
    parts = 0 if at_once or A.size < MANY else PART_ROUNDS
    while s.states[-1][1].gap > wanted and len(s.states) <= max_iter and len(which) < len(columns):
        more = s.moving(which)
        which = np.append(which, more)
        if len(s.states) > parts or not len(more) or WHOLE * len(which) > PART * len(columns):
            which = columns
        s.make_round(which, part * wanted, wanted)
    _, found, working = s.states[-1]
    if 1 < len(s.states) <= max_iter and found.unheld == working and found.gap <= wanted:
        s.make_round(which, again * found.gap, wanted)
    middle = w @ b / w.sum() if centred and w.sum() > 0 else 0.0
    return s.theta, float(middle - s.mean @ s.theta) if centred else 0.0, wanted, s.states
