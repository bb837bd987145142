"""Which sums leave the range of numbers: the engine and the specification draw one line."""

import numpy as np
import pytest

from thalweg._core import engine
from thalweg.fitting.options import options_for
from thalweg.model.tape import compile_model
from thalweg.model.trace import record
from thalweg.reference import squares
from thalweg.status import Status

LIMITS = {  # sums of squares, as csrc/fit/range.h explains them
    np.float64: {"LEAST_SUM": 2.0**-460, "MOST_SUM": 2.0**510, "MOST_SCALED_SUM": 2.0**511},
    np.float32: {"LEAST_SUM": 2.0**-40, "MOST_SUM": 2.0**60, "MOST_SCALED_SUM": 2.0**63},
}


def after_one_step(x, y, start, scaled):
    """The results of lines a x + b after one step, for rows of x, y and start of one type."""
    B, dtype = len(y), y.dtype.type
    graph, output, _ = record(lambda x, a, b: a * x + b, 1, 2, 4, single=True)
    out = {
        "theta": np.empty((B, 2), dtype), "covariance": np.empty((B, 3), dtype),
        "chi2": np.empty(B, dtype), "n_iter": np.empty(B, np.int32), "n_used": np.empty(B, int),
        "status": np.zeros(B, np.int8), "detail": np.empty(B, np.int32),
    }  # fmt: skip
    engine.Job(
        compile_model(graph, output, (0, 1)).tape, dtype is np.float32, B, 4, x=[(x, 4)], y=y,
        start=(start, 2), out=out, scaled=scaled,
        options=options_for(np.dtype(dtype), 2, max_iter=1, attempts=1),
    ).run(1)  # fmt: skip
    return out


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("scaled", [False, True])
def test_each_limit_of_the_range_is_that_of_the_specification(isa, monkeypatch, dtype, scaled):
    """Many lines a x + b whose sizes are powers of two, at every limit and far from any."""
    info, rng, B = np.finfo(dtype), np.random.default_rng(1), 6000
    limits = {"EPS": float(info.eps), "MIN": float(info.tiny), **LIMITS[dtype]}
    limits["LEAST_SCALED_SUM"] = limits["MIN"] / limits["EPS"] ** 2
    for name, value in limits.items():
        monkeypatch.setattr(squares, name, value)
    end = 500 if dtype is np.float64 else 62

    def sizes(shape=B, zeros=0.2):
        exponents = rng.integers(-end, end, shape) * (rng.random(shape) < 0.6)
        return np.ldexp((rng.random(shape) >= zeros).astype(dtype), exponents)

    # with and without a sum; of some b is all of y, and of some a x + b is 0
    patterns = np.array([[0, 1, 1, 1], [-1, 1, -1, 1], [1, 1, 1, 1]], dtype)
    x = rng.choice(patterns, B) * sizes((B, 1))
    start = sizes((B, 2))
    y = np.array([1, -1, 1, 1], dtype) * sizes((B, 1))
    y[::3] = start[::3, 1:]
    with np.errstate(all="ignore"):
        opposite = -start[1::3, 0] * x[1::3, 3]
    start[1::3, 1] = np.where(np.isfinite(opposite), opposite, 1)
    # a few have neither y nor a slope left, but errors whose squares are numbers
    small, large = (-640, 110) if dtype is np.float64 else (-84, 12)
    x[:9], y[:9], start[:9, 1] = patterns[1] * np.ldexp(dtype(1), small), 0, 0
    start[:9, 0] = np.ldexp(dtype(1), large + np.arange(9))
    out = after_one_step(x, y, start, scaled)
    seen = dict.fromkeys((-1, 0, 1, 2), 0)
    for k in range(B):
        with np.errstate(all="ignore"):
            error = y[k] - (start[k, :1] * x[k] + start[k, 1:])
            rows = np.stack([x[k], np.ones(4, dtype), error], axis=1)
            sums, magnitude = rows.T @ rows, y[k] @ y[k]
        if magnitude == 0 and y[k].any():
            magnitude = info.smallest_subnormal
        if not np.isfinite(sums).all():
            continue  # which is a status of its own
        wanted = squares.out_of_range(sums, magnitude, start[k], scaled)  # in this arithmetic
        status, detail = out["status"][k], out["detail"][k]
        if wanted >= 0:
            assert (status, detail) == (Status.RANGE, wanted), (x[k], y[k], start[k])
        elif status == Status.RANGE:  # at the end, where a variance has left the range
            assert not scaled and detail == 2
        seen[wanted] += 1
    assert min(seen.values()) > 20, seen
