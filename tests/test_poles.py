"""Successes at which the model must have a value: models that end at a pole or at a root.

The last step is not evaluated by most fits.  Where data pull a parameter towards a place beyond
which the model has no value, it must not end there.
"""

import numpy as np
import pytest

import thalweg as tw

MODELS = {
    "logarithm": (lambda x, a, b: a * np.log1p(b * x), [3.0, -0.199], [0.03, 0.04]),
    "root": (lambda x, a, b: a * np.sqrt(1 - b * x), [1.0, 0.1], [1.0, 0.1]),
    "reciprocal": (lambda x, a, b: a / (1 - b * x), [1.0, 0.05], [1.0, 0.05]),
    "power": (lambda x, a, b, c: a * (c - x) ** b, [1.0, 0.3, 6.0], [1.0, 0.3, 6.0]),
    "logarithm of a difference": (
        lambda x, a, b, c: a + b * np.log(c - x),
        [0.0, 1.0, 7.0],
        [0.0, 1.0, 7.0],
    ),
}


@pytest.mark.parametrize("points", [40, 3000], ids=["side by side", "one at a time"])
@pytest.mark.parametrize("name", MODELS)
def test_where_a_fit_succeeds_its_model_has_the_chi2_that_is_told(name, points):
    model, truth, p0 = MODELS[name]
    rng = np.random.default_rng(points)
    x = np.linspace(0, 5, points)
    y = model(x, *truth) + rng.normal(0, 0.3, (24, points))
    y -= np.geomspace(0.01, 100, 24)[:, None] * (x > 4.99)  # the last points lie ever lower
    r = tw.fit(model, x, y, p0=p0)
    assert r.success.any()
    for k in np.flatnonzero(r.success):
        chi2 = np.sum((y[k] - model(x, *r.params[k])) ** 2)
        # what the last step promised is off by its square: ftol = 1e-8 of chi2 at the most
        np.testing.assert_allclose(r.chi2[k], chi2, rtol=1e-8)
