"""The built-in models: formula and function agree, and start values lead to the answer."""

import inspect
import pickle
import warnings

import numpy as np
import pytest
from scipy.optimize import curve_fit

from thalweg.model.autodiff import gradient
from thalweg.model.catalogue import models
from thalweg.model.formula import parse
from thalweg.model.graph import evaluate
from thalweg.model.guess import OWN_CHUNK, SHARED_CHUNK
from thalweg.model.library import MODELS, get_model, polynomial
from thalweg.model.trace import record

ROUNDING = 1e-12  # a few hundred roundings of terms no larger than the largest value
SCALED_ROUNDING = 1e-6  # the same, but an exponent of e or of x multiplies an error of 1e-16
EXACT = 1e-12  # RSS over the spread of y, where the data have no noise and MINPACK stops at 1e-8
# RSS over that of the fit from the truth.  MINPACK stops where a step brings 1e-8 of RSS; where a
# slow decay and the offset run off together, some hundred such steps are left.
NO_WORSE = 1e-5
DRAWS = 40
ENOUGH = 0.95  # share of fits that must end where the fit from the truth ends

T = np.linspace(0.0, 10.0, 40)
PIXELS = tuple(np.mgrid[0:11, 0:11].reshape(2, -1).astype(float))
DOSES = np.concatenate(([0.0], np.geomspace(1e-3, 1e3, 24)))
TI = np.array([50.0, 100, 200, 500, 2000, 4000])
TE = np.array([10.0, 25, 50, 90, 150, 250])


class Draw(np.random.Generator):
    """Random true parameters, of either sign and over the decades that a scale may span."""

    def __init__(self, *seed):
        super().__init__(np.random.PCG64(seed))

    def scale(self, low, high):
        return np.exp(self.uniform(np.log(low), np.log(high)))

    def signed(self, low, high):
        return self.choice([-1.0, 1.0]) * self.scale(low, high)

    def uneven(self):
        return self.permutation(self.uniform(0.0, 10.0, 40))

    def peak(self):
        return self.signed(0.5, 50), self.uniform(1.5, 8.5), self.scale(0.3, 1.5)

    def spot(self):
        return self.signed(0.5, 50), self.uniform(3, 7), self.uniform(3, 7)

    def level(self):
        return self.uniform(-5, 5)


def _biexponential(d):
    tau = d.scale(0.3, 1)
    theta = d.scale(0.5, 2), tau, d.scale(0.5, 2), tau * d.uniform(4, 10), d.uniform(-1, 1)
    return np.linspace(0, 10, 100), theta


def _rotated(d):
    short = d.scale(1, 2)
    theta = *d.spot(), short * d.uniform(1.2, 1.8), short, d.level(), d.uniform(-1.5, 1.5)
    return PIXELS, theta


def _pseudo_voigt(d):
    height, x0, width = d.peak()
    return T, (height, x0, 2 * width, d.uniform(0.1, 0.9), d.level())


def _voigt(d):
    area, x0, width = d.peak()
    return np.linspace(0, 10, 100), (area, x0, 0.6 * width, width * d.uniform(0.3, 1), d.level())


def _inversion_recovery(d):
    full = d.scale(1, 100)
    return TI, (full, -full * d.uniform(1, 2), d.scale(150, 2000))


# True parameters and abscissas of one fit.
CASES = {
    "line": lambda d: (d.uneven(), (d.uniform(-3, 3), d.level())),
    "exponential": lambda d: (d.uneven(), (d.signed(0.1, 100), d.scale(0.5, 8), d.level())),
    "biexponential": _biexponential,
    "stretched_exponential": lambda d: (
        np.linspace(0, 10, 60),
        (d.signed(0.5, 50), d.scale(0.5, 4), d.uniform(0.5, 2), d.uniform(-1, 1)),
    ),
    "power_law": lambda d: (0.5 + d.uneven(), (d.signed(0.1, 10), d.uniform(-3, 3))),
    "gaussian": lambda d: (d.uneven(), (*d.peak(), d.level())),
    "lorentzian": lambda d: (d.uneven(), (*d.peak(), d.level())),
    "pseudo_voigt": _pseudo_voigt,
    "voigt": _voigt,
    "gaussian2d": lambda d: (PIXELS, (*d.spot(), d.scale(0.8, 2.5), d.level())),
    "gaussian2d_elliptic": lambda d: (
        PIXELS,
        (*d.spot(), d.scale(0.8, 2.5), d.scale(0.8, 2.5), d.level()),
    ),
    "gaussian2d_rotated": _rotated,
    "logistic": lambda d: (
        d.uneven(),
        (d.signed(0.5, 50), d.uniform(2, 8), d.scale(0.1, 1.5), d.level()),
    ),
    "hill": lambda d: (
        DOSES,
        (d.uniform(-1, 1), d.signed(2, 5), d.scale(0.02, 50), d.scale(0.5, 3)),
    ),
    "michaelis_menten": lambda d: (T, (d.scale(0.5, 50), d.scale(0.3, 10))),
    "sine": lambda d: (
        d.uneven(),
        (d.scale(0.5, 50), d.uniform(0.08, 1.5), d.uniform(-3, 3), d.level()),
    ),
    "damped_sine": lambda d: (
        np.linspace(0, 10, 80),
        (d.scale(0.5, 50), d.scale(1, 10), d.uniform(0.2, 2), d.uniform(-3, 3), d.level()),
    ),
    "arrhenius": lambda d: (np.linspace(280, 400, 40), (d.scale(1e6, 1e12), d.uniform(2e4, 9e4))),
    "inversion_recovery": _inversion_recovery,
    "spin_echo": lambda d: (TE, (d.scale(1, 1000), d.scale(20, 200))),
    "polynomial2": lambda d: (d.uneven(), tuple(d.normal(size=3))),
    "polynomial3": lambda d: (d.uneven(), tuple(d.normal(size=4))),
}

each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def draw(model, *seed, noise=0.0):
    """Return x, y and the true parameters; noise in units of the spread of y."""
    d = Draw(list(MODELS).index(model.name), *seed)
    x, theta = CASES[model.name](d)
    y = model(x, *theta)
    return x, y + noise * np.ptp(y) * d.standard_normal(y.shape), theta


def rss(model, x, y, theta):
    present = np.isfinite(y)
    return np.sum((model(x, *theta) - y)[present] ** 2)


def fit(model, x, y, start):
    """Return the parameters where MINPACK ends; NaN if it gives up."""
    present = np.isfinite(y)
    x = tuple(c[present] for c in x) if isinstance(x, tuple) else x[present]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # overflow on the way, no covariance at the end
            return curve_fit(model, x, y[present], start, maxfev=4000)[0]
    except RuntimeError:
        return np.full(len(start), np.nan)


def share_found(model, noise, missing=0.0):
    """Return the share of draws whose fit from the guess is as good as the one from the truth."""
    found = 0
    for k in range(DRAWS):
        x, y, theta = draw(model, k, noise=noise)
        y[Draw(k).permutation(len(y))[: int(missing * len(y))]] = np.nan
        reached = rss(model, x, y, fit(model, x, y, model.guess(x, y)))
        if noise:
            found += reached <= (1 + NO_WORSE) * rss(model, x, y, fit(model, x, y, theta))
        else:
            found += reached <= EXACT * np.nansum((y - np.nanmean(y)) ** 2)
    return found / DRAWS


def test_there_is_a_case_for_every_model():
    assert CASES.keys() == MODELS.keys()


@each_model
def test_the_formula_is_the_function(model):
    formula = parse(model.formula, model.independent, model.names)
    for k in range(5):
        x, y, theta = draw(model, k)
        np.testing.assert_allclose(formula(x, *theta), y, rtol=0, atol=ROUNDING * abs(y).max())


@each_model
def test_the_function_can_be_recorded(model):
    x, y, theta = draw(model, 0)
    n_x = len(model.independent)
    graph, output, _ = record(model.function, n_x, len(theta), len(y), single=n_x == 1)
    [value] = evaluate(graph, [output], x=x if n_x == 2 else [x], theta=theta)
    np.testing.assert_allclose(value, y, rtol=0, atol=ROUNDING * abs(y).max())


@pytest.mark.parametrize(
    ("model", "theta"),
    [(models.stretched_exponential, (2.0, 3.0, 0.5, 1.0)), (models.hill, (1.0, 2.0, 3.0, 0.5))],
    ids=["stretched_exponential", "hill"],
)
def test_derivatives_are_finite_where_x_is_zero(model, theta):
    x = np.array([0.0, 1.0])
    graph, output, _ = record(model.function, 1, 4, 2, single=True)
    derivatives = gradient(graph, output, range(4))  # parameter j is node j
    for value in evaluate(graph, derivatives, x=[x], theta=theta):
        assert np.isfinite(value).all()


@each_model
def test_parameters_broadcast_against_x(model):
    x, y, theta = draw(model, 0)
    columns = np.array([theta, theta]).T[..., None]
    np.testing.assert_array_equal(model(x, *columns), [y, y])


@each_model
@pytest.mark.parametrize(("noise", "missing"), [(0.0, 0.0), (0.05, 0.0), (0.05, 0.2)])
def test_the_fit_from_the_guess_ends_where_the_fit_from_the_truth_ends(model, noise, missing):
    assert share_found(model, noise, missing) >= ENOUGH


@each_model
@pytest.mark.parametrize("x_unit", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("y_unit", [1e-12, 1e12])
def test_a_guess_follows_the_units(model, x_unit, y_unit):
    x, y, _ = draw(model, 0, noise=0.05)
    before = model(x, *model.guess(x, y))
    x = tuple(x_unit * c for c in x) if isinstance(x, tuple) else x_unit * x
    after = model(x, *model.guess(x, y_unit * y))
    scale = SCALED_ROUNDING * abs(before).max()
    np.testing.assert_allclose(after / y_unit, before, rtol=0, atol=scale)


@each_model
def test_a_guess_does_not_depend_on_its_neighbours(model):
    x, y, _ = draw(model, 0, noise=0.05)
    d = Draw(1)
    batch = y * d.uniform(0.5, 2, (2 * SHARED_CHUNK // len(y), 1)) + d.normal(size=(1, len(y)))
    batch[::7, 3] = np.nan
    together = model.guess(x, batch)
    for k in (0, 1, 7, len(batch) // 2, len(batch) - 1):
        np.testing.assert_array_equal(together[k], model.guess(x, batch[k]))


@each_model
def test_a_guess_with_an_abscissa_per_fit_does_not_depend_on_its_neighbours(model):
    x, y, _ = draw(model, 0, noise=0.05)
    x = np.atleast_2d(x)
    d = Draw(1)
    batch = y * d.uniform(0.5, 2, (2 * OWN_CHUNK // len(y), 1))
    own = x[:, None, :] * d.uniform(0.5, 2, (len(x), len(batch), 1))
    batch[::7, 3] = np.nan
    own[:, ::5, 4] = np.nan
    together = model.guess(own if len(x) == 2 else own[0], batch)
    for k in (0, 1, 5, 7, len(batch) - 1):
        one = own[:, k] if len(x) == 2 else own[0, k]
        np.testing.assert_array_equal(together[k], model.guess(one, batch[k]))


@each_model
def test_a_guess_does_not_depend_on_the_order_of_points(model):
    x, y, _ = draw(model, 0, noise=0.05)
    order = Draw(1).permutation(len(y))
    shuffled = tuple(c[order] for c in x) if isinstance(x, tuple) else x[order]
    expected = model.guess(x, y)
    tolerance = ROUNDING * abs(expected).max()
    np.testing.assert_allclose(model.guess(shuffled, y[order]), expected, rtol=0, atol=tolerance)


def bad_data(n):
    """Return data sets (B, n) that say little or nothing."""
    y = np.full((12, n), np.nan)
    y[1], y[2], y[3] = 0.0, 5.0, -1e-320
    y[4, : n // 2] = 3.0  # one level, half of it missing
    y[5, -1:] = 3.0  # one point
    y[6, :1], y[6, -1:] = 1.0, 2.0  # two points
    y[7] = np.inf
    y[8] = np.where(np.arange(n) % 2, 1e308, -1e308)
    y[9] = np.where(np.arange(n) % 2, -np.inf, 1.0)
    y[10] = np.arange(n)
    y[11] = 1e300 * np.arange(n)
    return y


@each_model
@pytest.mark.parametrize("n", [0, 1, 2, 3, 30])
def test_bad_data_give_finite_guesses_and_no_warning(model, n):
    y = bad_data(n)
    steps = np.arange(n, dtype=float)
    for x in (steps, -1e300 * steps, np.zeros(n), np.full(n, 7.0), np.where(steps > 1, np.nan, 1)):
        for own in (x, np.broadcast_to(x, y.shape)):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                guess = model.guess((own, own) if len(model.independent) == 2 else own, y)
            assert guess.shape == (len(y), len(model.names))
            assert np.isfinite(guess).all()


@each_model
def test_shapes_of_a_guess(model):
    x, y, _ = draw(model, 0)
    n_params = len(model.names)
    assert model.guess(x, y).shape == (n_params,)
    assert model.guess(x, np.broadcast_to(y, (2, 3, len(y)))).shape == (2, 3, n_params)
    assert model.guess(x, np.empty((0, len(y)))).shape == (0, n_params)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"^x must have shape \(N=5,\) or \(2, 5\), got \(4,\)$"):
        models.line.guess(np.arange(4), np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"^x must have shape \(N=5,\) or \(2, 5\), got \(3, 5\)$"):
        models.line.guess(np.zeros((3, 5)), np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"^x must have shape \(N=5,\) or \(5,\), got \(\)$"):
        models.line.guess(1.0, np.zeros(5))
    with pytest.raises(ValueError, match=r"^y must have shape \(\.\.\., N\), got \(\)$"):
        models.line.guess(np.zeros(5), 1.0)
    sentence = "^x must hold 2 arrays, one per independent variable, got 3$"
    with pytest.raises(ValueError, match=sentence):
        models.gaussian2d.guess(np.zeros((3, 5)), np.zeros(5))


def test_a_polynomial_is_guessed_exactly():
    x, y, theta = draw(models.polynomial3, 0)
    tolerance = ROUNDING * 10**3  # powers of x up to 10**3
    np.testing.assert_allclose(models.polynomial3.guess(x, y), theta, rtol=0, atol=tolerance)
    assert polynomial(0).guess(x, np.full(40, 3.0)) == pytest.approx([3.0])


def test_many_points_are_searched_thinly():
    x = np.linspace(0, 10, 20_000)
    for model in (models.exponential, models.logistic, models.damped_sine, models.voigt):
        _, _, theta = draw(model, 0)
        y = model(x, *theta)
        reached = rss(model, x, y, fit(model, x, y, model.guess(x, y)))
        assert reached <= EXACT * np.sum((y - y.mean()) ** 2)


@each_model
def test_a_model_describes_itself(model):
    assert get_model(model.name) is model or model.name.startswith("polynomial")
    assert model.formula in model.__doc__
    for name in model.names if "polynomial" not in model.name else ():
        assert name in model.__doc__.partition("----------")[2]
    first, *names = inspect.signature(model).parameters
    assert first == "".join(model.independent)
    assert tuple(names) == model.names
    again = pickle.loads(pickle.dumps(model))
    assert again.names == model.names
    x, y, theta = draw(model, 0)
    np.testing.assert_array_equal(again(x, *theta), y)


def test_models_by_name():
    assert models.gaussian is MODELS["gaussian"] is get_model("gaussian")
    assert (
        get_model("polynomial5").names
        == polynomial(5).names
        == ("c0", "c1", "c2", "c3", "c4", "c5")
    )
    assert polynomial(1).formula == "c0 + c1*x"
    assert {"polynomial", "gaussian2d"} <= set(dir(models))


def test_unknown_names_are_refused():
    sentence = "no built-in model is called 'gausian'; did you mean 'gaussian'?"
    with pytest.raises(ValueError) as refusal:
        get_model("gausian")
    assert str(refusal.value) == sentence
    with pytest.raises(AttributeError) as refusal:
        _ = models.gausian
    assert str(refusal.value) == sentence
    with pytest.raises(ValueError, match=r"^no built-in model is called 'zzz'; there are line, "):
        get_model("zzz")
    with pytest.raises(ValueError, match=r"^degree must not be negative, got -1$"):
        polynomial(-1)
    with pytest.raises(TypeError, match=r"^degree must be a whole number, got 2\.5$"):
        polynomial(2.5)
