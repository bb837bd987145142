"""Places that look like minima and are none: flat models at a bound, parameters without data."""

import warnings

import numpy as np
import pytest

import thalweg as tw
from thalweg.reference.damped import levenberg_marquardt

SUCCESSES = ("FTOL", "XTOL", "GTOL", "EXACT")

# ---- flat at a bound -----------------------------------------------------------------------------

X = np.array([1.1049260109, 2.0657569789, 2.1094386468, 2.3831286708, 3.2893904311, 3.6460868821])
Y = -3 * np.tanh(X) - 1.5 * np.abs(X - 1)
LOWER, UPPER = np.array([-43.0, 1.2, -921.0]), np.array([-31.0, 18.2, -39.0])
START = np.array([-35.0, 8.2, -428.0])


def saturated(x, a, b, c):
    return a * np.tanh(b * x) + c * np.abs(x - 1)


def test_a_model_gone_flat_at_a_bound_is_no_minimum(isa):
    """a tanh(b x): b is carried to a bound where tanh is 1 to rounding; the other one is better."""
    r = tw.fit(saturated, X, Y, p0=START, bounds=(LOWER, UPPER))
    assert r.status == tw.Status.DRIFT and r.names[r.detail] == "b"
    below = saturated(X, r.params[0], 1.2, r.params[2])
    assert ((Y - below) ** 2).sum() < 0.999 * r.chi2

    def slopes(theta):
        a, b, _ = theta
        t = np.tanh(b * X)
        J = np.stack([t, a * X * (1 - t**2), np.abs(X - 1)], axis=1)
        return saturated(X, *theta), J

    same = levenberg_marquardt(slopes, Y, START, lower=LOWER, upper=UPPER)
    assert same.status == "DRIFT" and same.detail == 1


def test_a_bound_from_which_only_two_parameters_together_lead_is_left(isa):
    """Three points determine a step by erf; w comes to its lower bound first.

    A longer w alone brings a millionth of chi2, for the columns of m and w are nearly parallel;
    with m it brings all of it.
    """
    x = np.array([0.0, 2.5, 5.0], np.float32)
    y = np.array([-0.95717263, -0.81750318, 0.95564346], np.float32)
    bounds = ([-5.8, -3.3, 0.6309326], [np.inf, np.inf, 2.547])
    p0 = np.stack([np.full(80, -1.36), np.linspace(-1, 2, 80), np.full(80, 1.44)], axis=1)
    many = np.tile(y, (80, 1))
    options = {"bounds": bounds, "independent": "x", "dtype": np.float32}
    for attempts in (1, 3):
        r = tw.fit("a*erf((x - m)/w)", x, many, p0, attempts=attempts, **options)
        in_the_valley = r.params[:, 1] > 0
        assert (r.chi2[r.success & in_the_valley] < 1e-8).all()
        assert (r.success & in_the_valley).mean() > 0.45


def test_a_kink_beyond_all_points_at_a_bound_is_no_minimum():
    """Two lines meet at k, and the second has no points once k is at its upper bound."""

    def called(x, a, k, b):
        return np.where(x < k, a * x, a * k + b * (x - k)) if a < np.inf else x

    x = np.linspace(0, 5, 15)
    y = called(x, -1.7194977, 2.4526, -0.92706613)
    weights = [4, 19, 6, 4, 14, 10, 16, 6, 18, 8, 15, 7, 5, 12, 15]
    bounds = ([-2.933, -4.4736, -0.75971578], [1.2513, 6.3194, -0.0815584])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.SlowModelWarning)
        r = tw.fit(
            called, x, y, p0=[-0.2284, 1.857, -0.226], bounds=bounds, sigma=1e-4 * np.array(weights)
        )
    assert r.params[1] > 5 or r.chi2 < 1e6
    assert not (r.success and r.params[1] > 5), r.reason()


def test_a_bound_that_descent_presses_on_is_a_minimum(isa):
    """The data want a lifetime beyond its bound, or a square below 0: the bound is best."""
    x = np.linspace(0, 3, 40)
    noise = 0.01 * np.random.default_rng(0).standard_normal(40)
    line = tw.fit("a*exp(-x/t)", x, 2 - 1e-9 * x + noise, p0=[1, 1], bounds={"t": (0, 1e4)})
    assert line.success or line.params[1] < 1e4
    y = 2 - 0.3 * np.exp(-x) + noise
    square = tw.fit("a*a*exp(-x) + c", x, y, p0=[1, 1], bounds={"a": (0, None)})
    assert square.success and square.params[0] < 1e-3
    assert square.params[1] == pytest.approx(y.mean(), rel=1e-6)


# ---- parameters that the data do not determine ---------------------------------------------------


def test_a_peak_narrower_than_the_distance_of_points_is_not_determined(isa):
    """Two points hold three parameters: their errors would be 10^10 times what the model has."""
    rng, x, n = np.random.default_rng(1), np.linspace(0, 5, 40), 3000
    truth = np.c_[rng.uniform(0.5, 5, n), rng.uniform(1, 4, n), rng.uniform(0.1, 0.8, n)]

    def model(x, a, m, s):
        return a * np.exp(-0.5 * ((x - m) / s) ** 2)

    y = np.array([model(x, *t) for t in truth]) + 0.02 * rng.normal(size=(n, 40))
    start = truth * np.exp(rng.normal(size=truth.shape))
    r = tw.fit(model, x, y, p0=start)
    assert not (r.success[:, None] & (r.stderr > 1e4 * np.abs(r.params))).any()
    narrow = 96
    assert np.abs(r.params[narrow, 2]) < 0.03 and r.status[narrow] == tw.Status.SINGULAR

    def slopes(theta):
        a, m, s = theta
        z = (x - m) / s
        g = np.exp(-0.5 * z**2)
        return a * g, np.stack([g, a * g * z / s, a * g * z**2 / s], axis=1)

    same = levenberg_marquardt(slopes, y[narrow], start[narrow])
    assert same.status not in SUCCESSES


# ---- descent that leads back into the box --------------------------------------------------------


def chi2_beside(model, x, y, sigma, theta, box):
    """The least chi2 a thousandth of each parameter's size away from theta, within the box."""
    least = np.inf
    for j in range(len(theta)):
        for way in (-1e-3, 1e-3):
            beside = np.array(theta)
            beside[j] = np.clip(beside[j] + way * max(abs(beside[j]), 1e-3), box[0][j], box[1][j])
            least = min(least, np.sum(((y - model(x, *beside)) / sigma) ** 2))
    return least


def test_a_bound_is_left_where_descent_leads_back_into_the_box(isa):
    """The undamped step holds what lies at a bound; it must not confirm that it belongs there."""

    def logistic(x, a, m, w, c):
        return a / (1 + np.exp(-(x - m) / w)) + c

    x = np.array([2.1751509240933427, 0.3439830041886799, 0.13939581047028082])
    y = np.array([-2.213646573219936, -1.974224158715123, -2.1273945145421416])
    sigma = np.array([0.2480934469918718, 0.305272475030812, 0.21414561564112242])
    box = (
        [0.134, -2.72248406, -0.504411006909533, -np.inf],
        [np.inf, 4.12114767, 0.728784, np.inf],
    )
    p0 = [0.6039767683135743, 1.0530650215019972, 0.2672088818433149, 1.2085871771149237]
    options = {"sigma": sigma, "absolute_sigma": True, "fixed": ["a"], "bounds": box}
    r = tw.fit(logistic, x, y, p0=p0, **options)
    beside = chi2_beside(logistic, x, y, sigma, r.params, np.array(box))
    assert not r.success or beside >= r.chi2 * (1 - 1e-6), (r.params, r.chi2, beside)
    assert not (r.at_bound[1] and r.chi2 > 0.3)  # where it was called a minimum: m at its bound


def test_a_peak_driven_out_of_the_data_to_its_bounds_is_no_minimum(isa):
    """Every parameter is at a bound and every derivative vanishes, for the peak is elsewhere."""
    x = np.array([0.038, 1.556, 0.542, 0.583, 3.170, 4.780, 3.725, 1.667, 2.920])
    y = np.array([-0.095, -0.156, -0.83, np.nan, -1.612, 0.386, -0.444, 0.043, -0.826])
    box = ([-1.274, 19.79, 1.86, -0.0778], [-0.432, 51.75, np.inf, np.inf])
    r = tw.fit("a*exp(-0.5*((x - m)/w)**2) + c", x, y, p0=[-0.489, 33.35, 3.137, 0.05], bounds=box)
    assert not r.success, (r.params, r.reason())
