"""Models of lmfit as models of a fit: the same estimates and errors."""

import warnings

import numpy as np
import pytest

lmfit = pytest.importorskip("lmfit")
pytest.importorskip("scipy")

from lmfit import models  # noqa: E402

import thalweg as tw  # noqa: E402
from thalweg.scale.lmfit import from_lmfit  # noqa: E402

RNG = np.random.default_rng(2)
X = np.linspace(0.1, 10, 90)
NOISE = RNG.normal(0, 0.05, X.size)


def agree(model, params, y, x=X, rtol=1e-4, **options):
    """Assert that lmfit and Thalweg find the same parameters, errors and chi2."""
    theirs = model.fit(y, params, x=x, fit_kws={"xtol": 1e-12, "ftol": 1e-12})
    c = from_lmfit(model, params)
    with warnings.catch_warnings():
        warnings.simplefilter("error", tw.SlowModelWarning)
        r = tw.fit(c.model, x, y, **c.options | options)
    assert r.success, r.reason()
    np.testing.assert_allclose(r.chi2, theirs.chisqr, rtol=1e-6)
    for name, value, error in zip(r.names, r.params, r.stderr, strict=True):
        p = theirs.params[name]
        np.testing.assert_allclose(value, p.value, rtol=rtol, atol=1e-5, err_msg=name)
        if p.stderr:
            np.testing.assert_allclose(error, p.stderr, rtol=2e-2, atol=1e-7, err_msg=name)
    return r


SHAPES = [
    (models.GaussianModel, {"amplitude": 9, "center": 4, "sigma": 0.9}),
    (models.LorentzianModel, {"amplitude": 9, "center": 4, "sigma": 0.6}),
    (models.VoigtModel, {"amplitude": 9, "center": 4, "sigma": 0.6}),
    (models.PseudoVoigtModel, {"amplitude": 9, "center": 4, "sigma": 0.6, "fraction": 0.4}),
    (models.MoffatModel, {"amplitude": 3, "center": 4, "sigma": 1.2, "beta": 1.5}),
    (models.LinearModel, {"slope": 0.4, "intercept": 1}),
    (models.QuadraticModel, {"a": 0.2, "b": -1, "c": 2}),
    (models.ConstantModel, {"c": 2}),
    (models.ExponentialModel, {"amplitude": 3, "decay": 2.5}),
    (models.PowerLawModel, {"amplitude": 2, "exponent": -0.7}),
    (models.SineModel, {"amplitude": 2, "frequency": 1.3, "shift": 0.5}),
    (lambda: models.PolynomialModel(3), {"c0": 1, "c1": -1, "c2": 0.4, "c3": -0.03}),
]


@pytest.mark.parametrize("make, true", SHAPES, ids=lambda p: getattr(p, "__name__", ""))
def test_its_line_shapes(make, true):
    model = make()
    params = model.make_params(**{name: value * 1.1 for name, value in true.items()})
    c = from_lmfit(model, params)
    at = [params[name].value for name in c.model.names]
    np.testing.assert_allclose(
        np.broadcast_to(c.model(X, *at), X.shape), model.eval(params, x=X), rtol=1e-12
    )
    agree(model, params, model.eval(x=X, **true) + NOISE)


def test_prefixes_sums_and_products():
    model = models.GaussianModel(prefix="g_") + models.LinearModel(prefix="l_")
    true = {"g_amplitude": 6, "g_center": 4, "g_sigma": 0.8, "l_slope": 0.2, "l_intercept": 1}
    params = model.make_params(**{name: value * 1.1 for name, value in true.items()})
    r = agree(model, params, model.eval(x=X, **true) + NOISE)
    assert r.names == tuple(model.param_names)
    damped = models.SineModel() * models.ExponentialModel(prefix="e_")
    true = {"amplitude": 3, "frequency": 2, "shift": 0.3, "e_decay": 4}
    params = damped.make_params(**true)
    params["e_amplitude"].set(value=1, vary=False)
    agree(damped, params, damped.eval(x=X, **true, e_amplitude=1) + NOISE)
    other = models.LinearModel() - models.ConstantModel() / models.LinearModel(prefix="d_")
    params = other.make_params(slope=0.3, intercept=1, c=2, d_slope=1, d_intercept=3)
    params["d_slope"].set(vary=False)
    params["intercept"].set(vary=False)
    agree(other, params, other.eval(params, x=X) + NOISE)


@pytest.mark.parametrize("text", ["a*exp(-x/b) + c", "a*gaussian(x, 1, b, 0.5) + c"])
def test_models_that_are_written_as_formulas(text):
    """They are computed by asteval, and their parameters are found in the text."""
    true = {"a": 3, "b": 2, "c": 0.5}
    model = models.ExpressionModel(text)
    agree(model, model.make_params(a=2.5, b=2.2, c=0.4), model.eval(x=X, **true) + NOISE)
    both = model + models.LinearModel(prefix="l_")
    params = both.make_params(a=2.5, b=2.2, c=0.4, l_slope=0.1, l_intercept=0)
    params["l_intercept"].set(vary=False)
    agree(both, params, both.eval(x=X, **true, l_slope=0.2, l_intercept=0) + NOISE)


def test_bounds_fixed_and_ties():
    model = models.GaussianModel(prefix="a_") + models.GaussianModel(prefix="b_")
    true = {"a_amplitude": 6, "a_center": 3, "a_sigma": 0.6}
    true |= {"b_amplitude": 3, "b_center": 6.5, "b_sigma": 0.6}
    y = model.eval(x=X, **true) + NOISE
    params = model.make_params(**true)
    params.add("distance", value=3.4)
    params["b_center"].set(expr="a_center + distance")
    params["b_sigma"].set(expr="a_sigma")
    params["b_amplitude"].set(value=3, vary=False)
    params["a_center"].set(min=2.5, max=4)
    c = from_lmfit(model, params)
    assert c.options["tied"] == {
        "b_center": "a_center + distance",
        "b_sigma": "maximum(a_sigma, 0)",
    }
    assert c.options["fixed"] == ["b_amplitude"]
    assert c.options["bounds"]["a_center"] == (2.5, 4.0)
    assert c.options["bounds"]["a_sigma"] == (0.0, None)
    r = agree(model, params, y)
    assert abs(r["distance"] - 3.5) < 0.1 and r["b_sigma"] == r["a_sigma"]


def test_a_tie_is_cut_to_its_bounds():
    model = models.GaussianModel() + models.ConstantModel()
    y = model.eval(x=X, amplitude=6, center=4, sigma=0.8, c=1) + NOISE
    params = model.make_params(amplitude=5, center=4, sigma=1, c=0)
    params["c"].set(expr="amplitude/5", max=0.9)
    c = from_lmfit(model, params)
    r, theirs = tw.fit(c.model, X, y, **c.options), model.fit(y, params, x=X)
    np.testing.assert_allclose(r.params, [theirs.params[n].value for n in r.names], rtol=1e-5)
    assert r["c"] == 0.9 and r.stderr[3] == 0  # theirs is as if it were not cut
    params["c"].set(expr="amplitude if amplitude < 0 else amplitude/6", max=np.inf)
    r = agree(model, params, y)
    assert abs(r["c"] - 1) < 0.1


def test_a_function_of_the_user_and_options():
    def wave(t, a, omega, phase, form="sin"):
        return a * (np.sin if form == "sin" else np.cos)(omega * t + phase)

    model = lmfit.Model(wave, form="cos")
    params = model.make_params(a=2, omega=1.3, phase=0.2)
    y = model.eval(params, t=X) + NOISE
    theirs = model.fit(y, params, t=X)
    c = from_lmfit(theirs)
    assert c.options["absolute_sigma"] is False and c.model.independent == ("t",)
    r = tw.fit(c.model, X, y, **c.options)
    np.testing.assert_allclose(r.params, [theirs.params[n].value for n in r.names], rtol=1e-5)

    def area(u, v, a, b):
        return a * u + b * v**2

    two = lmfit.Model(area, independent_vars=["u", "v"])
    params = two.make_params(a=1, b=1)
    z = area(X, X[::-1], 2, 0.5) + NOISE
    theirs = two.fit(z, params, u=X, v=X[::-1])
    c = from_lmfit(two, params)
    r = tw.fit(c.model, (X, X[::-1]), np.stack([z, z]), **c.options)
    np.testing.assert_allclose(r.params[1], [theirs.params[n].value for n in r.names], rtol=1e-6)


def test_what_cannot_be_recorded_is_called():
    model = models.StepModel(form="arctan")
    params = model.make_params(amplitude=2, center=5, sigma=0.7)
    y = model.eval(params, x=X) + NOISE
    theirs = model.fit(y, params, x=X)
    c = from_lmfit(model, params)
    with pytest.warns(tw.SlowModelWarning):
        r = tw.fit(c.model, X, y, **c.options)
    np.testing.assert_allclose(r.params, [theirs.params[n].value for n in r.names], rtol=1e-3)


def test_many_data_sets_and_lengths():
    model = models.ExponentialModel()
    params = model.make_params(amplitude=2, decay=2)
    c = from_lmfit(model, params)
    y = [model.eval(x=X[:n], amplitude=3, decay=1 + n / 50) for n in (20, 50, 80)]
    r = tw.fit(c.model, [X[:20], X[:50], X[:80]], y, **c.options)
    np.testing.assert_allclose(r["decay"], [1.4, 2, 2.6], rtol=1e-8)


def test_refusals():
    model = models.GaussianModel()
    with pytest.raises(TypeError, match="must be a Model of lmfit or its result, got function"):
        from_lmfit(lambda x, a: a * x)
    params = model.make_params(amplitude=1, center=0, sigma=1)
    params["sigma"].set(expr="len([center])")
    with pytest.raises(ValueError, match=r"the expr of 'sigma', .* has no counterpart"):
        from_lmfit(model, params)
    params = lmfit.Parameters()
    params.add("amplitude", 1.0)
    with pytest.raises(ValueError, match="params has no parameter 'center'"):
        from_lmfit(model, params)
    with pytest.raises(ValueError, match="'a' has no start: give it a value"):
        from_lmfit(lmfit.Model(lambda x, a: a * x))
    power = lmfit.CompositeModel(model, models.ConstantModel(), np.hypot)
    with pytest.raises(ValueError, match="models combined by 'hypot' have no counterpart"):
        from_lmfit(power)
