"""One fit at a time: the import, the first and the next call, and a million points."""

import json
import subprocess
import sys
from functools import partial
from itertools import count

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

IMPORT_ROUNDS = 9
SMALL = 50  # points
LARGE = 1_000_000
ROUNDS = 3
CALLS = 200
# standard errors; SciPy stops at a relative 1e-8 and, without a Jacobian, takes one by forward
# differences, which is good to half the digits
AGREEMENT = 1e-3

_TIME_IMPORT = """
import json, time, numpy
start = time.perf_counter()
import thalweg
print(json.dumps([time.perf_counter() - start, thalweg.fit.__module__]))
"""


def _import_seconds():
    run = subprocess.run(
        [sys.executable, "-c", _TIME_IMPORT], capture_output=True, text=True, check=True
    )
    seconds, module = json.loads(run.stdout.splitlines()[-1])
    assert module == "thalweg.fitting.fit"
    return seconds


def test_import(record):
    """After NumPy; an editable installation looks for changed sources first, and that counts."""
    best = min(_import_seconds() for _ in range(IMPORT_ROUNDS))
    record("import thalweg, less import numpy", 1e3 * best, "ms", at_most=60)


def decay_from(start):
    """Return a decay whose formula holds the number ``start``: another formula for each."""

    def decay(t, a, tau, c):
        return a * np.exp(-(t - start) / tau) + c

    return decay


@pytest.fixture
def small():
    """Arguments of curve_fit after the model: t, y and a start."""
    t = np.linspace(0, 10, SMALL)
    noise = 0.05 * np.random.default_rng(0).standard_normal(SMALL)
    return t, decay_from(0.0)(t, 3.0, 2.0, 1.0) + noise, (2.0, 1.5, 0.5)


def assert_same_answer(ours, theirs):
    """Parameters agree to a fraction of a standard error, and so do the standard errors."""
    stderr = np.sqrt(np.diag(theirs[1]))
    assert (np.abs(ours[0] - theirs[0]) <= AGREEMENT * stderr).all()
    assert np.allclose(np.sqrt(np.diag(ours[1])), stderr, rtol=AGREEMENT, atol=0)


def test_next_call(small, record):
    """A small fit by curve_fit and by fit, the same formula again and again."""
    optimize = pytest.importorskip("scipy.optimize")
    f = decay_from(0.0)
    by_curve_fit, by_fit, theirs = (
        partial(solve, f, *small) for solve in (tw.curve_fit, tw.fit, optimize.curve_fit)
    )
    assert_same_answer(by_curve_fit(), theirs())
    found = by_fit()
    assert_same_answer((found.params, found.cov), theirs())
    for name, ours, most in ("", by_curve_fit, 0.21), (" by fit", by_fit, 0.17):
        r, label = ratio(ours, theirs, CALLS), f"one small fit{name}, same formula"
        record(f"{label}: time over SciPy's", r.inverse(), "times", at_most=most)
        record(label, 1e6 * r.best_a, "us")


def test_first_call(small, record):
    """A small fit by curve_fit, every call with a formula that was never seen before."""
    optimize = pytest.importorskip("scipy.optimize")
    numbers = count(1)

    def by(solve):
        return lambda: solve(decay_from(1e-6 * next(numbers)), *small)

    f = decay_from(1e-6)
    assert_same_answer(tw.curve_fit(f, *small), optimize.curve_fit(f, *small))
    r = ratio(by(tw.curve_fit), by(optimize.curve_fit), CALLS)
    record("one small fit, new formula: time over SciPy's", r.inverse(), "times", at_most=1.0)
    record("one small fit, new formula", 1e6 * r.best_a, "us")


def peak(x, a, x0, s, c0, c1, c2, c3):
    """Return a Gaussian on a cubic background: seven parameters."""
    background = c0 + x * (c1 + x * (c2 + x * c3))
    return a * np.exp(-((x - x0) ** 2) / (2 * s**2)) + background


def peak_jacobian(x, a, x0, s, c0, c1, c2, c3):
    """Return the derivatives of `peak`, shape (N, 7), for SciPy."""
    J = np.empty((x.size, 7))
    u = (x - x0) / s
    J[:, 0] = np.exp(-u * u / 2)
    J[:, 1] = a / s * J[:, 0] * u
    J[:, 2] = J[:, 1] * u
    J[:, 3] = 1
    for k in range(4, 7):
        J[:, k] = J[:, k - 1] * x
    return J


def rational(x, b1, b2, b3, b4, b5, b6, b7):
    """Return the quotient of two cubics, the form of NIST's Hahn1: seven parameters."""
    return (b1 + x * (b2 + x * (b3 + x * b4))) / (1 + x * (b5 + x * (b6 + x * b7)))


def rational_jacobian(x, b1, b2, b3, b4, b5, b6, b7):
    """Return the derivatives of `rational`, shape (N, 7), for SciPy."""
    J = np.empty((x.size, 7))
    J[:, 0] = 1 / (1 + x * (b5 + x * (b6 + x * b7)))
    for k in range(1, 4):
        J[:, k] = J[:, k - 1] * x
    value = J[:, :4] @ (b1, b2, b3, b4)
    J[:, 4:] = -value[:, None] * J[:, 1:4]
    return J


LARGE_MODELS = {
    "Gaussian on a cubic": (peak, peak_jacobian, (5.0, 0.1, 0.3, 1.0, -0.5, 0.4, 0.2)),
    "quotient of cubics": (rational, rational_jacobian, (1.0, 2.0, -1.0, 0.5, 0.3, 0.8, 0.2)),
}


@pytest.mark.parametrize("name", LARGE_MODELS)
def test_million_points(name, record):
    """One fit of 1e6 points and 7 parameters, by one thread and by all."""
    optimize = pytest.importorskip("scipy.optimize")
    function, jacobian, truth = LARGE_MODELS[name]
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, LARGE) + (name == "quotient of cubics")
    y = function(x, *truth) + 0.1 * rng.standard_normal(LARGE)
    p0 = np.array(truth) * (1 + 0.1 * rng.choice([-1, 1], len(truth)))

    theirs = partial(optimize.curve_fit, function, x, y, p0, jac=jacobian)
    one, every = (partial(tw.fit, function, x, y, p0, threads=n) for n in (1, None))
    result, answer = one(), theirs()
    assert_same_answer((result.params, result.cov), answer)
    assert np.array_equal(every().params, result.params)
    for threads, ours in (("1 thread", one), ("all threads", every)):
        r = ratio(ours, theirs, ROUNDS)
        label = f"1e6 points, {name}, {threads}"
        record(f"{label}, over SciPy", r, "times", at_least=5)
        record(label, 1e3 * r.best_a, "ms")
