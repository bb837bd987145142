"""The mean squared error and its gradient against NumPy and JAX; ten million samples at once."""

import tracemalloc
from functools import partial
from time import perf_counter

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

SAMPLES = 1_000_000
STREAMED = 10_000_000
NETWORK_SAMPLES = 100_000
ROUNDS = 15
AGREEMENT = 1e-10  # gradients sum a million terms in another order
MEBI = 2.0**20


def rational(x, b1, b2, b3, b4, b5, b6, b7):
    """Return the quotient of two cubics, the form of NIST's Hahn1: seven parameters."""
    return (b1 + x * (b2 + x * (b3 + x * b4))) / (1 + x * (b5 + x * (b6 + x * b7)))


THETA = np.array([1.1, 1.8, -1.1, 0.45, 0.33, 0.72, 0.22])


def rational_data(n):
    """Return abscissae and noisy values of another rational function."""
    x = np.linspace(0, 2, n)
    noise = np.random.default_rng(0).standard_normal(n)
    noise *= 0.1
    noise += rational(x, 1.0, 2.0, -1.0, 0.5, 0.3, 0.8, 0.2)
    return x, noise


def rational_in_numpy(x, y, theta):
    """Return the loss and its gradient, as one writes them by hand."""
    b1, b2, b3, b4, b5, b6, b7 = theta
    scale = 1 / (1 + x * (b5 + x * (b6 + x * b7)))
    f = (b1 + x * (b2 + x * (b3 + x * b4))) * scale
    e = y - f
    c = -2 / len(x) * e * scale
    gradient = [np.sum(c * x**k) for k in range(4)]
    gradient += [-np.sum(c * f * x**k) for k in range(1, 4)]
    return np.mean(e**2), np.array(gradient)


def rational_by_powers(x, y, theta):
    """Return the same with each power from the last and sums by BLAS: NumPy at its best."""
    b1, b2, b3, b4, b5, b6, b7 = theta
    scale = 1 / (1 + x * (b5 + x * (b6 + x * b7)))
    f = (b1 + x * (b2 + x * (b3 + x * b4))) * scale
    e = y - f
    c = -2 / len(x) * e * scale
    c1 = c * x
    c2 = c1 * x
    c3 = c2 * x
    gradient = [c.sum(), c1.sum(), c2.sum(), c3.sum(), -(c1 @ f), -(c2 @ f), -(c3 @ f)]
    return np.vdot(e, e) / len(x), np.array(gradient)


def network(y, theta):
    """A network of layers 1-16-16-1 with tanh, which has 321 parameters."""
    W1, b1, b2 = theta[:16], theta[16:32], theta[288:304]
    h = np.tanh(W1 * y + b1)
    h = np.tanh(theta[32:288].reshape(16, 16) @ h + b2)
    return theta[304:320] @ h + theta[320]


def network_data():
    """Return a noisy sine and a start."""
    rng = np.random.default_rng(0)
    y = np.linspace(-3, 3, NETWORK_SAMPLES)
    return y, np.sin(2 * y) + 0.1 * rng.standard_normal(len(y)), 0.3 * rng.standard_normal(321)


@pytest.fixture
def jax():
    """JAX in float64."""
    module = pytest.importorskip("jax")
    with module.enable_x64(True):
        yield module


def assert_same_answer(ours, theirs):
    value, gradient = ours
    assert abs(value - float(theirs[0])) <= AGREEMENT * value
    error = np.abs(gradient - np.asarray(theirs[1])).max()
    assert error <= AGREEMENT * np.abs(gradient).max()


@pytest.mark.parametrize("peer", [rational_in_numpy, rational_by_powers])
def test_rational_over_numpy(peer, record):
    """Value and gradient of 7 parameters by one thread and by all."""
    x, y = rational_data(SAMPLES)
    theirs = partial(peer, x, y, THETA)
    label = "1e6 samples, quotient of cubics"
    kind = "NumPy" if peer is rational_in_numpy else "NumPy by powers and BLAS"
    for threads, name in ((1, "1 thread"), (None, "all threads")):
        ours = partial(tw.MSELoss(rational, x, y, threads=threads).value_and_gradient, THETA)
        assert_same_answer(ours(), theirs())
        r = ratio(ours, theirs, ROUNDS)
        target = {"at_least": 5} if threads is None else {}
        record(f"{label}, {name}, over {kind}", r, "times", **target)
        record(f"{label}, {name}", 1e3 * r.best_a, "ms")


def test_rational_over_jax(jax, record):
    """Time the same against JAX's jitted value_and_grad, compiled before."""
    x, y = rational_data(SAMPLES)
    loss = tw.MSELoss(rational, x, y)
    compiled = jax.jit(
        jax.value_and_grad(lambda t, x, y: jax.numpy.mean((y - rational(x, *t)) ** 2))
    )
    arrays = [jax.numpy.asarray(v) for v in (THETA, x, y)]
    ours = partial(loss.value_and_gradient, THETA)

    def theirs():
        return jax.block_until_ready(compiled(*arrays))

    assert_same_answer(ours(), theirs())
    r = ratio(ours, theirs, ROUNDS)
    record("1e6 samples, quotient of cubics, over JAX", r, "times", at_least=2)


def test_network_over_jax(jax, record):
    """A network as a recorded model, against matrix products."""
    np_ = jax.numpy
    y, x, theta = network_data()
    start = perf_counter()
    loss = tw.MSELoss(network, y, x, n_params=321)
    loss._model._gradient_terms  # noqa: B018 lowered when first asked for
    record(
        "recording a network of 321 parameters", 1e3 * (perf_counter() - start), "ms", at_most=100
    )

    def predict(theta, y):
        h = np_.tanh(y[:, None] * theta[:16] + theta[16:32])
        h = np_.tanh(h @ theta[32:288].reshape(16, 16).T + theta[288:304])
        return h @ theta[304:320] + theta[320]

    compiled = jax.jit(jax.value_and_grad(lambda t, y, x: np_.mean((x - predict(t, y)) ** 2)))
    arrays = [np_.asarray(v) for v in (theta, y, x)]
    ours = partial(loss.value_and_gradient, theta)

    def theirs():
        return jax.block_until_ready(compiled(*arrays))

    assert_same_answer(ours(), theirs())
    r = ratio(ours, theirs, ROUNDS)
    record("network 1-16-16-1, 1e5 samples, over JAX", r, "times", at_least=1)
    record("network 1-16-16-1, 1e5 samples", 1e3 * r.best_a, "ms")


def _resident():
    """Bytes of this process in memory now, and the most there ever were."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return [1024 * int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM")]


def test_ten_million_samples_in_bounded_memory(record):
    """Neither the loss nor a pass copies what it reads."""
    x, y = rational_data(STREAMED)
    tracemalloc.start()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the most there ever were
    before = _resident()[0]
    loss = tw.MSELoss(rational, x, y)
    value, gradient = loss.value_and_gradient(THETA)
    most, python = _resident()[1] - before, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_same_answer((value, gradient), rational_by_powers(x, y, THETA))
    record("1e7 samples: extra memory", max(most, python) / MEBI, "MiB", at_most=8)
    start = perf_counter()
    loss.value_and_gradient(THETA)
    record("1e7 samples, quotient of cubics", 1e3 * (perf_counter() - start), "ms")
