"""Models of astropy as models of a fit: the same estimates and errors."""

import warnings

import numpy as np
import pytest

pytest.importorskip("astropy")
pytest.importorskip("scipy")

from astropy import modeling, units
from astropy.modeling import custom_model, fitting, models

import thalweg as tw
from thalweg.scale.astropy import from_astropy

RNG = np.random.default_rng(3)
X = np.linspace(0.1, 10, 90)
NOISE = RNG.normal(0, 0.05, X.size)


def agree(model, *data, errors=True):
    """Assert that astropy and Thalweg find the same parameters and errors, with weights."""
    fitter = fitting.TRFLSQFitter(calc_uncertainties=True)
    sigma = np.full(data[-1].shape, 0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fitter(  # its own derivatives know nothing of ties
            *(model, *data), weights=1 / sigma, maxiter=2000, acc=1e-12, estimate_jacobian=True
        )
    c = from_astropy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", tw.SlowModelWarning)
        x = data[0] if len(data) == 2 else data[:-1]
        r = tw.fit(c.model, x, data[-1], sigma=sigma, absolute_sigma=True, **c.options)
    assert r.success, r.reason()
    values = np.array([getattr(theirs, name).value for name in r.names], float).ravel()
    np.testing.assert_allclose(r.params, values, rtol=1e-4, atol=1e-5)
    for name, error in zip(r.names, r.stderr, strict=True):
        std = getattr(theirs, name).std
        if errors and std:
            np.testing.assert_allclose(error, std, rtol=2e-2, err_msg=name)
    return r


@pytest.mark.parametrize(
    "true",
    [
        models.Gaussian1D(5, 4, 0.8),
        models.Lorentz1D(5, 4, 1.2),
        models.Voigt1D(4, 5, 0.8, 0.9),
        models.Moffat1D(5, 4, 1.2, 1.5),
        models.Linear1D(0.4, 1),
        models.Const1D(2.5),
        models.Polynomial1D(3, c0=1, c1=-1, c2=0.4, c3=-0.03),
        models.Chebyshev1D(2, c0=1, c1=2, c2=0.5),
        models.PowerLaw1D(3, 2, 0.7, fixed={"x_0": True}),
        models.Exponential1D(3, -2.5),
        models.Sine1D(2, 0.3, 0.1),
        models.RickerWavelet1D(3, 4, 1.1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_models_of_one_variable(true):
    start = true.copy()
    for name in true.param_names:
        if not true.fixed[name]:
            setattr(start, name, getattr(true, name) * 1.05)
    c = from_astropy(start)
    mine = c.model(X, *c.options["p0"].values())
    np.testing.assert_allclose(np.broadcast_to(mine, X.shape), start(X), rtol=1e-6, atol=1e-9)
    agree(start, X, true(X) + NOISE)


@pytest.mark.parametrize(
    "true",
    [
        models.Gaussian2D(5, 4, 5, 0.9, 1.6, 0.4),
        models.Moffat2D(5, 4, 5, 1.4, 2.0),
        models.Planar2D(0.2, -0.1, 3),
        models.Polynomial2D(2, c0_0=1, c1_0=0.2, c0_1=0.3, c2_0=0.1, c1_1=0.05, c0_2=-0.1),
        models.Gaussian2D(5, 4, 5, 0.9, 0.9, fixed={"theta": True}) + models.Const2D(1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_models_of_two_variables(true):
    y, x = np.mgrid[:9, :10].astype(float)
    z = true(x, y) + RNG.normal(0, 0.05, x.shape)
    r = agree(true.copy(), x, y, z)
    assert r.fitted.shape == z.shape


def test_compound_models():
    lines = models.Gaussian1D(5, 4, 0.8) + models.Lorentz1D(3, 7, 0.9) + models.Linear1D(0.1, 1)
    agree(lines, X, lines(X) + NOISE)
    damped = models.Sine1D(3, 0.3, 0.1) * models.Exponential1D(1, -4)
    damped.amplitude_1.fixed = True
    agree(damped, X, damped(X) + NOISE)
    shifted = models.Shift(-4) | models.Gaussian1D(5, 0, 0.9, fixed={"mean": True})
    agree(shifted, X, shifted(X) + NOISE)
    ratio = models.Linear1D(2, 1) / models.Linear1D(1, 3, fixed={"slope": True})
    agree(ratio, X, ratio(X) + NOISE)


def test_bounds_fixed_and_ties():
    both = models.Gaussian1D(6, 3, 0.6) + models.Gaussian1D(3, 6.5, 0.6) + models.Const1D(0.5)
    y = both(X) + NOISE
    both.mean_1.tied = lambda model: model.mean_0 + 3.5
    both.stddev_1.tied = lambda model: model[0].stddev
    both.amplitude_2.fixed = True
    both.amplitude_1.bounds = (1, 2.9)
    both.amplitude_1 = 2
    c = from_astropy(both)
    assert c.options["bounds"]["amplitude_1"] == (1, 2.9)
    assert c.options["fixed"] == ["amplitude_2"] and set(c.options["tied"]) == {
        "mean_1",
        "stddev_1",
    }
    r = agree(both, X, y, errors=False)
    assert r["amplitude_1"] == 2.9 and abs(r["mean_1"] - r["mean_0"] - 3.5) < 1e-12
    assert r["stddev_1"] == r["stddev_0"]
    named = models.Gaussian1D(6, 3, 0.6, name="a") + models.Gaussian1D(3, 6.5, 0.6, name="b")
    named.stddev_1.tied = lambda model: 2 * model["a"].stddev / 2
    named.amplitude_1.tied = lambda model: 3.0
    r = agree(named, X, named(X) + NOISE, errors=False)
    assert r["amplitude_1"] == 3 and r.stderr[3] == 0


def test_a_set_of_models_is_a_start_for_each_data_set():
    many = models.Gaussian1D([5, 6, 7], [4, 4.2, 3.9], [0.8, 1, 0.9], n_models=3)
    y = many(X, model_set_axis=False) + RNG.normal(0, 0.05, (3, X.size))
    c = from_astropy(many)
    r = tw.fit(c.model, X, y, **c.options)
    for k in range(3):
        one = from_astropy(models.Gaussian1D(*many.param_sets[:, k]))
        np.testing.assert_array_equal(r.params[k], tw.fit(one.model, X, y[k], **one.options).params)


def test_custom_models_are_recorded_or_called():
    @custom_model
    def decay(t, a=1.0, tau=2.0):
        return a * np.exp(-t / tau)

    agree(decay(2, 1.5), X, decay(2.5, 1.8)(X) + NOISE)

    @custom_model
    def by_points(t, a=1.0, b=2.0):
        return np.array([a * float(v) + b for v in np.atleast_1d(t)])

    c = from_astropy(by_points(1, 1))
    with pytest.warns(tw.SlowModelWarning):
        r = tw.fit(c.model, X, 2 * X + 3, **c.options)
    np.testing.assert_allclose(r.params, [2, 3], rtol=1e-6)


def test_refusals():
    with pytest.raises(TypeError, match="must be a model of astropy, got str"):
        from_astropy("gaussian")
    with pytest.raises(ValueError, match="the model has units, which are not read"):
        from_astropy(models.Gaussian1D(5 * units.Jy, 4 * units.nm, 1 * units.nm))
    with pytest.raises(ValueError, match="the model has 2 outputs"):
        from_astropy(models.Shift(1) & models.Shift(2))
    with pytest.raises(ValueError, match="models combined by 'fix_inputs' have no counterpart"):
        from_astropy(modeling.fix_inputs(models.Gaussian2D(), {"y": 1.0}))
    tied = models.Gaussian1D(5, 4, 1)
    tied.stddev.tied = lambda model: model.fwhm / 2
    with pytest.raises(ValueError, match="the tie of 'stddev' is no function of parameters alone"):
        from_astropy(tied)
