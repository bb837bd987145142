"""Many small fits: a round Gaussian spot in images of 5 x 5 and 15 x 15 pixels."""

from functools import partial
from time import perf_counter

import numpy as np
import pytest
from machine import processors
from spots import FORMULA, NAMES, TOLERANCES, jacobian, model, spots
from timing import interleaved, ratio

import thalweg as tw
from thalweg.model.autodiff import gradient
from thalweg.model.tape import lower
from thalweg.model.trace import record as trace

SIZES = {5: 100_000, 15: 20_000}
CHECKED = 200  # images whose answer is asserted
PEER = {"lm": 500, "trf": 200}  # images that SciPy fits in a round
ROUNDS = 5
# Fits stop once a step promises less than 1e-4 of chi2, and the steps that they save would each
# have gained a fraction of the one before.
CHI2_EXCESS = 1e-3

both_sizes = pytest.mark.parametrize("pixels", SIZES)


def fit(images, threads=1, function=tw.models.gaussian2d, **options):
    return tw.fit(
        function, images.xy, images.y, images.p0, threads=threads, **TOLERANCES, **options
    )


def fit_by_scipy(images, optimize, **options):
    """Loop over the images with curve_fit and an analytic Jacobian."""
    xy = np.stack([v.ravel() for v in images.xy])
    return np.array(
        [
            optimize.curve_fit(model, xy, y.ravel(), p0, jac=jacobian, **options)[0]
            for y, p0 in zip(images.y, images.p0, strict=True)
        ]
    )


def assert_answer(images, params, success):
    """Every fit succeeds, and chi2 is that of SciPy at tight tolerances where it is looked up."""
    assert success.all()
    optimize = pytest.importorskip("scipy.optimize")
    some = images.first(CHECKED)
    best = some.chi2(fit_by_scipy(some, optimize))
    assert (some.chi2(params[:CHECKED]) <= best * (1 + CHI2_EXCESS)).all()


@both_sizes
def test_speed(pixels, benchmark, record):
    images = spots(pixels, SIZES[pixels])
    result = fit(images)
    assert_answer(images, result.params, result.success)
    benchmark.pedantic(fit, (images,), rounds=ROUNDS)
    speed = len(images) / benchmark.stats.stats.min
    target = {"at_least": 1.0e6} if pixels == 5 else {}
    record(f"Gaussian {pixels}x{pixels}, 1 thread, float64", speed, "fits/s", **target)


@both_sizes
@pytest.mark.parametrize("method", ("lm", "trf"))
def test_against_scipy(pixels, method, record):
    """SciPy's default without bounds is lm; with bounds, and in least_squares, it is trf."""
    optimize = pytest.importorskip("scipy.optimize")
    images = spots(pixels, SIZES[pixels])
    few = images.first(PEER[method])
    result = fit(images)
    assert_answer(images, result.params, result.success)
    loop = partial(fit_by_scipy, few, optimize, method=method, **TOLERANCES)
    assert_answer(few, loop(), np.ones(len(few), bool))
    r = ratio(partial(fit, images), loop, ROUNDS)
    target = {"at_least": 600 if pixels == 5 else 100} if method == "lm" else {}
    name = f"a loop of SciPy's curve_fit ({method}), {pixels}x{pixels}"
    record(f"Gaussian, 1 thread, over {name}", r.times(len(images) / len(few)), "times", **target)
    record(name, len(few) / r.best_b, "fits/s")


@pytest.mark.skipif(processors() < 2, reason="needs two processors")
@both_sizes
def test_two_threads(pixels, record):
    images = spots(pixels, SIZES[pixels])
    one, two = fit(images), fit(images, threads=2)
    assert np.array_equal(one.params, two.params)
    r = ratio(partial(fit, images, threads=2), partial(fit, images), ROUNDS)
    record(f"Gaussian {pixels}x{pixels}, 2 threads over 1", r, "times", at_least=1.8)


@both_sizes
def test_float32(pixels, record):
    double = spots(pixels, SIZES[pixels])
    single = double.astype(np.float32)
    result = fit(single, dtype=np.float32)
    assert_answer(double, result.params, result.success)
    r = ratio(partial(fit, single, dtype=np.float32), partial(fit, double), ROUNDS)
    record(f"Gaussian {pixels}x{pixels}, float32 over float64", r, "times", at_least=1.5)


def test_ways_to_write_the_model(record):
    """A function, a formula and the built-in model must cost the same."""
    images = spots(5, SIZES[5])
    calls = [
        partial(fit, images, function=model),
        partial(fit, images, function=FORMULA),
        partial(fit, images),
    ]
    results = [call() for call in calls]
    assert all(r.names == NAMES for r in results)
    assert all(np.array_equal(r.params, results[0].params) for r in results[1:])
    best = interleaved(calls, 2 * ROUNDS).min(0)
    spread = float(best.max() / best.min())
    record("function, formula, built-in: slowest over fastest", spread, "times", at_most=1.1)


def test_tracing_and_lowering(record):
    """From the function to the engine's program, nothing cached."""

    def prepare():
        start = perf_counter()
        graph, output, _ = trace(model, 2, 5, 25, single=False)
        derivatives = gradient(graph, output, [graph.theta(j) for j in range(5)])
        tape = lower(graph, [output, *derivatives], range(5))
        return tape, perf_counter() - start

    tape, first = prepare()
    assert tape.free_theta == tuple(range(5))
    times = [first, *(prepare()[1] for _ in range(20))]
    record("recording, differentiating and lowering a model", 1e3 * min(times), "ms", at_most=10)
