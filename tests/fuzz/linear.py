"""Random linear models, and what must hold for each: proved in extended precision.

A model is that of `linear_cases.drawn`, made difficult: twins of columns that differ by little or
by sign, units, scales, weights of some rows, float32.  It is solved by a strategy, and
`linear_cases.proof` computes objective, duality gap and conditions anew, in extended precision and
without the package.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from linear_cases import drawn, exact, proof

import thalweg as tw

EPS = float(np.finfo(float).eps)
TOLERANCES = (1e-4, 1e-6, 1e-6, 1e-10)
SIZES = ((8, 12), (60, 80), (60, 80), (300, 200), (40, 500), (900, 150))


@dataclass
class LinearCase:
    """A model, and how it is solved."""

    model: object
    how: dict

    def __str__(self):
        m = self.model
        kind = type(m.A).__name__ + f" {m.A.shape} {m.A.dtype}"
        more = " weights" * (m.weights is not None) + " intercept" * m.intercept
        bounds = " bounds" * bool(np.isfinite([m.lower, m.upper]).any())
        return f"{kind}{more}{bounds} l1 <= {m.l1.max():.3g} l2 <= {m.l2.max():.3g} {self.how}"


def draw_linear(seed, number):
    """Return a case, the same for the same numbers."""
    rng = np.random.default_rng([seed, number])
    m = drawn(rng, *SIZES[rng.integers(len(SIZES))])
    for make in (_twins, _scales, _weights, _units, _single):
        if rng.random() < 0.3:
            m = make(rng, m)
    how = {
        "tol": float(rng.choice(TOLERANCES)),
        "strategy": str(rng.choice(["auto", "auto", "gram", "residual"])),
        "threads": int(rng.integers(1, 3)),
        "max_iter": 100,
    }
    if how["strategy"] == "residual":
        how["order"], how["seed"] = str(rng.choice(["cyclic", "shuffled"])), 0
        how["max_iter"] = 1  # a round is up to 20,000 sweeps
        how["tol"] = 1e-3  # what sweeps alone reach of most models
    return LinearCase(m, how)


def _dense(A):
    return A.toarray() if sp.issparse(A) else np.array(A)


def _like(A, values):
    """Return the values in the kind of matrix that A is."""
    if sp.issparse(A):
        return type(A)(values)
    return np.asfortranarray(values) if A.flags.f_contiguous else np.ascontiguousarray(values)


def _twins(rng, m):
    """Columns that are others, but for a sign and a little noise."""
    A, P = _dense(m.A), m.A.shape[1]
    twins = rng.permutation(P)[: max(1, P // 3)]
    off = 10.0 ** rng.choice([-np.inf, -12, -6, -3])
    A[:, twins] = rng.choice([-1, 1]) * A[:, rng.permutation(P)[: len(twins)]]
    A[:, twins] += off * rng.standard_normal((len(A), len(twins))) * (A[:, twins] != 0)
    return m._replace(A=_like(m.A, A))


def _scales(rng, m):
    """Columns of very different lengths; penalties and bounds keep their meaning."""
    scale = 10.0 ** rng.uniform(-6, 6, m.A.shape[1])
    A = _like(m.A, _dense(m.A) * scale)
    with np.errstate(invalid="ignore"):
        l1 = np.where(np.isinf(m.l1), np.inf, m.l1 * scale)
    return m._replace(A=A, l1=l1, l2=m.l2 * scale**2, lower=m.lower / scale, upper=m.upper / scale)


def _weights(rng, m):
    """Some rows that count for nothing, and one that counts for nearly all."""
    w = rng.choice([0.0, 1.0, 2.5], len(m.b))
    if rng.random() < 0.3:
        w[rng.integers(len(w))] = 1e8
    return m._replace(weights=w)


def _units(rng, m):
    """Other units of A and b."""
    a, b = 10.0 ** rng.choice([-20, -6, 6]), 10.0 ** rng.choice([-20, -3, 8])
    return m._replace(
        A=m.A * a, b=m.b * b, l1=m.l1 * a * b, l2=m.l2 * a**2,
        lower=m.lower * b / a, upper=m.upper * b / a,
    )  # fmt: skip


def _single(rng, m):
    return m._replace(A=m.A.astype(np.float32))


def check_linear(case):
    """Return sentences about what does not hold for a case."""
    m, (arguments, how) = case.model, case.model.call
    before = [np.array(a) for a in (m.b, m.l1, m.l2, m.lower, m.upper)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", tw.linear.ConvergenceWarning)
        try:
            r = tw.coordinate_descent(*arguments, **how, **case.how)
            other = tw.coordinate_descent(
                *arguments, **how, **{**case.how, "threads": 3 - case.how["threads"]}
            )
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
    found = [
        "a caller's array was changed"
        for now, old in zip((m.b, m.l1, m.l2, m.lower, m.upper), before, strict=True)
        if not np.array_equal(now, old)
    ]
    if not np.array_equal(r.theta, other.theta):
        found.append("theta differs with another number of threads")
    return found + list(_proved(case, r))


def _proved(case, r):
    m, tol = case.model, case.how["tol"]
    p = proof(m, r.theta)
    noise = _rounding(m, p, r.theta)
    if not p.feasible:
        yield "theta is out of its bounds"
    if r.success != (r.gap <= r.wanted):
        yield f"status {r.status!r} with a gap of {r.gap} and {r.wanted} wanted"
    if not abs(r.objective - p.objective) <= 1e-9 * p.objective + noise:
        yield f"the objective is {p.objective}, not {r.objective}"
    if not r.conditional and not abs(r.gap - p.gap) <= 1e-3 * p.gap + noise:
        yield f"the gap is {p.gap}, not {r.gap}, rounding {noise}"
    if r.success and not r.conditional and not p.gap <= 1.001 * tol * p.size + noise:
        yield f"a success with a gap of {p.gap} of {tol * p.size} wanted"
    free = not np.isfinite([m.lower, m.upper]).any()  # a bound may cut short what a slope promises
    steepest = np.sqrt((tol * p.size + noise) / max(p.size, 1e-300))
    if r.success and free and not p.kkt <= 1.01 * steepest:
        yield f"a success with a slope of {p.kkt}"
    if case.how["strategy"] == "auto" and not r.success and not noise > 1e-2 * tol * p.size:
        yield f"{r.reason()}; rounding {noise} of {tol * p.size} wanted"


def _rounding(m, p, theta):
    """What float64 may make of a gap: each slope's rounding, times the way that it is worth."""
    A, b, r, w = exact(m, theta)
    n, t = len(b), np.abs(theta)
    reach = np.sqrt(w @ b**2) + float(np.sqrt(w @ r**2)) + np.sqrt(w @ (np.abs(A) @ t) ** 2)
    slope = 8 * EPS * np.sqrt(n + 10) * np.sqrt((w[:, None] * A**2).sum(0)) * reach
    way = t.copy()
    bounded = np.isfinite(m.lower) & np.isfinite(m.upper)
    way[bounded] = np.maximum(np.abs(m.lower), np.abs(m.upper))[bounded]
    small = (m.l1 > 0) & np.isfinite(m.l1)
    scale = float(np.max(slope[small] / m.l1[small], initial=0.0))
    size = np.abs(m.b) + np.abs(_dense(m.A)) @ t  # whose rounding is left by an exact fit
    left = 0.5 * (8 * EPS) ** 2 * float(w @ size**2)
    return float(slope @ way + scale * (p.size + p.objective) + 1e-15 * p.objective) + left
