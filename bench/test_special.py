"""Models with functions of `scipy.special`, beside a loop of SciPy's fits."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

optimize = pytest.importorskip("scipy.optimize")
special = pytest.importorskip("scipy.special")

FITS, LOOP, ROUNDS = 2_000, 50, 3  # fits of the batch; fits that SciPy is timed with; repetitions
X = np.linspace(0.2, 9, 40)


def bessel_0(x, a, k):
    """A Bessel function of order 0, whose derivative is one more."""
    return a * special.j0(k * x)


def bessel(x, a, k):
    """A Bessel function of order 1.5, whose derivative is two more."""
    return a * special.jv(1.5, k * x)


def distribution(x, a, shape, scale):
    """A gamma distribution, whose derivative by the shape is a series or a continued fraction."""
    return a * special.gammainc(shape, x / scale)


def integral(x, a, tau):
    """The exponential integral, as in the drawdown of a well."""
    return a * special.exp1(x / tau)


@pytest.mark.parametrize(
    ("model", "truth", "start"),
    [
        (bessel_0, (2.0, 1.1), (1.5, 1.0)),
        (bessel, (2.0, 1.1), (1.5, 1.0)),
        (distribution, (2.0, 3.0, 1.5), (1.5, 2.5, 1.2)),
        (integral, (2.0, 3.0), (1.0, 2.0)),
    ],
)
@pytest.mark.parametrize("threads", [1, None])
def test_a_special_function(model, truth, start, threads, record):
    rng = np.random.default_rng(0)
    y = model(X, *truth) + 0.01 * rng.standard_normal((FITS, len(X)))
    r = tw.fit(model, X, y, start, threads=threads)
    assert r.success.mean() > 0.999
    some = [optimize.curve_fit(model, X, row, start)[0] for row in y[:LOOP]]
    np.testing.assert_allclose(r.params[:LOOP], some, rtol=1e-4)

    def loop():
        for row in y[:LOOP]:
            optimize.curve_fit(model, X, row, start)

    ours = partial(tw.fit, model, X, y, start, threads=threads)
    times = ratio(ours, loop, ROUNDS).times(FITS / LOOP)
    name = f"scipy.special {model.__name__}, N=40, {'1 thread' if threads else 'all threads'}"
    record(f"{name}, over a loop of curve_fit", times.median, "times", at_least=20)
