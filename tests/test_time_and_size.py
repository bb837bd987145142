"""Steps that would take long or need too much memory: clocks, Ctrl-C, and a sentence instead."""

import signal
import time
from threading import Timer

import numpy as np
import pytest

import thalweg as tw
from thalweg._arguments import memory
from thalweg.linalg import watch
from thalweg.losses.curvature import curvature_matrix
from thalweg.status import Halt, Status

pytestmark = pytest.mark.clock

SPARSE = pytest.importorskip("scipy.sparse")


def large(P, n=2):
    """Sparse least squares of P parameters: cheap products, and a dense P x P matrix if asked."""
    rng = np.random.default_rng(0)
    A = SPARSE.random_array((n * P, P), density=3 / P, rng=rng, format="csc")
    return tw.LinearLeastSquares(A + SPARSE.eye_array(n * P, P), rng.standard_normal(n * P))


LONG = {
    "Levenberg-Marquardt": tw.LevenbergMarquardt(),
    "Gauss-Newton": tw.GaussNewton(),
    "Newton": tw.Newton(),
}


@pytest.mark.parametrize("name", LONG)
def test_time_limits_hold_inside_a_step(name):
    """A limit of a quarter of a second, of a step that takes many times as long."""
    loss, method, limit = large(5000), LONG[name], 0.25
    start = time.perf_counter()
    r = tw.minimize(loss, np.zeros(5000), method, time_limit=limit, max_iter=3)
    took = time.perf_counter() - start
    assert r.status is Status.TIME or r.success, r.summary()
    # Sparse products and the copy of a dense 5000 x 5000 matrix are not cut into pieces.
    assert took < limit + 5.0, took
    assert r.loss <= loss.value(np.zeros(5000))


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="needs signals")
def test_ctrl_c_inside_a_step_brings_the_result():
    loss = large(5000)
    timer = Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    start = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            tw.minimize(loss, np.zeros(5000), tw.LevenbergMarquardt(), max_iter=10_000, gtol=0)
    finally:
        timer.cancel()
    assert time.perf_counter() - start < 6
    assert caught.value.result.status is Status.INTERRUPTED
    assert caught.value.result.theta.shape == (5000,)


@pytest.mark.parametrize("order", ["cyclic", "shuffled"])
def test_time_limits_hold_inside_a_sweep(order, monkeypatch):
    """The clock is looked at between pieces of a sweep, here of 32 updates."""
    monkeypatch.setattr("thalweg.optimizers.coordinate_descent._WORK", 1.0)
    rng = np.random.default_rng(0)
    loss = tw.LinearLeastSquares(rng.standard_normal((200, 400)), rng.standard_normal(200))
    r = tw.minimize(
        loss, np.zeros(400), tw.CoordinateDescent(order), time_limit=0.0, max_iter=50, gtol=0
    )
    assert r.status is Status.TIME and not r.theta.any()
    whole = tw.minimize(loss, np.zeros(400), tw.CoordinateDescent(order), max_iter=5, gtol=0)
    monkeypatch.undo()
    again = tw.minimize(loss, np.zeros(400), tw.CoordinateDescent(order), max_iter=5, gtol=0)
    assert np.allclose(whole.theta, again.theta, rtol=0, atol=1e-10)


def test_time_limits_hold_inside_a_line_search():
    calls = []

    def value(x):
        calls.append(1)
        time.sleep(0.02)
        return float(np.exp(-x[0]))

    loss = tw.FunctionLoss(value, lambda x: -np.exp(-x))
    for method in (tw.LBFGS(), tw.GradientDescent(), tw.CoordinateDescent()):
        calls.clear()
        r = tw.minimize(loss, [0.0], method, time_limit=0.1)
        assert not r.success and len(calls) < 40, r.summary()


HUGE = {
    "Levenberg-Marquardt": tw.LevenbergMarquardt(),
    "Gauss-Newton": tw.GaussNewton(),
    "Newton": tw.Newton(),
}


@pytest.mark.parametrize("name", HUGE)
def test_matrices_that_do_not_fit_are_refused_with_the_cure(name, monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda: 16e9)
    loss = large(100_000, n=1)
    with pytest.raises(ValueError, match=r"about 320 GB.*16 GB; ConjugateGradient, CoordinateDesc"):
        tw.minimize(loss, np.zeros(100_000), HUGE[name])
    for method in (tw.ConjugateGradient(), tw.CoordinateDescent(), tw.LBFGS()):
        r = tw.minimize(loss, np.zeros(100_000), method, max_iter=3, gtol=0)
        assert r.loss < r.history.loss[0]
    with pytest.raises(ValueError, match="the curvature of this loss needs matrices of P x P"):
        curvature_matrix(loss, np.zeros(100_000))


def test_memory_is_known():
    assert 1e8 < memory.memory() < 1e16


# ---- long calls --------------------------------------------------------------------------------


def test_a_long_call_returns_what_it_returns():
    assert watch.watched(1e12, np.add, 1, 2) == 3 == watch.watched(1.0, np.add, 1, 2)
    with pytest.raises(np.linalg.LinAlgError):
        watch.watched(1e12, np.linalg.cholesky, -np.eye(2))


def test_a_long_call_keeps_the_error_state_of_numpy():
    with np.errstate(over="ignore"):
        assert watch.watched(1e12, np.multiply, np.float64(1e308), np.float64(10)) == np.inf


def test_a_long_call_ends_when_time_is_up():
    start = time.perf_counter()
    with pytest.raises(Halt, match="time_limit"), watch.until(time.perf_counter() + 0.1):
        watch.watched(1e12, time.sleep, 2.0)
    assert time.perf_counter() - start < 1.5
    watch.check()  # the limit was that of the block
