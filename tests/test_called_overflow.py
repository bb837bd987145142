"""A model that Python calls may overflow, at its start or at a trial, without a word of NumPy.

Warnings are errors in these tests, and would end the fit.
"""

import numpy as np
import pytest

import thalweg as tw

pytestmark = pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")

X = np.linspace(0, 5, 30)
RIGHT, STEEP = (2.0, 2.5, 0.3), (2.0, 2.5, 0.001)  # exp of 2500 overflows


def step(x, a, m, w):
    values = np.array([float(v) for v in x])  # no symbol allows this
    return a / (1 + np.exp(-(values - m) / w))


def two(x, a, m, w):
    return step(x, a, m, w), step(x, 2 * a, m, w)


def complex_step(x, a, m, w):
    return step(x, a, m, w) * (1 + 2j)


Y = step(X, *RIGHT) + 0.01 * np.cos(9 * X)
BATCH = np.array([Y, 1.1 * Y])
BOX = ([0, 0, 1e-4], [9, 9, 9])

FITS = {
    "one": lambda: tw.fit(step, X, Y, STEEP),
    "many": lambda: tw.fit(step, X, BATCH, STEEP),
    "x of its own": lambda: tw.fit(step, np.array([X, X + 0.01]), BATCH, STEEP),
    "by name": lambda: tw.fit(step, X, Y, dict(zip("amw", STEEP, strict=True))),
    "bounds": lambda: tw.fit(step, X, Y, STEEP, bounds=BOX),
    "fixed": lambda: tw.fit(step, X, Y, STEEP, fixed=["a"]),
    "tied": lambda: tw.fit(step, X, Y, {"a": 2, "m": 2.5}, tied={"w": "m / 2500"}),
    "masked": lambda: tw.fit(step, X, Y, STEEP, mask=X > 4),
    "missing x": lambda: tw.fit(step, np.where(X > 4.9, np.nan, X), Y, STEEP),
    "lengths": lambda: tw.fit(step, [X, X[:20]], [Y, Y[:20]], STEEP),
    "starts": lambda: tw.fit(step, X, Y, STEEP, starts=3),
    "retry": lambda: tw.fit(step, X, Y, STEEP, retry=2),
    "guess": lambda: tw.fit(step, X, Y, guess=lambda x, y: STEEP),
    "float32": lambda: tw.fit(step, X, Y, STEEP, dtype=np.float32),
    "outputs": lambda: tw.fit(two, X, (Y, 2 * Y), STEEP),
    "outputs of an array": lambda: tw.fit(two, X, np.array([Y, 2 * Y]), STEEP),
    "complex": lambda: tw.fit(complex_step, X, Y * (1 + 2j), STEEP),
}


@pytest.mark.parametrize("door", FITS)
def test_a_start_that_overflows(door):
    r = FITS[door]()
    assert np.isfinite(r.chi2[r.success]).all()


def test_by_curve_fit():
    with pytest.raises(RuntimeError, match="Optimal parameters not found"):
        tw.curve_fit(step, X, Y, STEEP)


@pytest.mark.parametrize("ask", ["fitted", "residual", "predict", "band", "jacobian", "r2"])
def test_what_a_result_computes_there(ask):
    r = tw.fit(step, X, BATCH, STEEP, max_iter=0)
    found = getattr(r, ask)
    assert np.shape(found(-1e3 * X) if callable(found) else found)[:1] == (2,)
