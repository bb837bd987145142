"""No success at a saddle: starts from which no step by J leads, by the symmetry of a model."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.reference.damped import levenberg_marquardt

X = np.linspace(0, 5, 50)
EVEN = np.linspace(-10, 10, 101)
RNG = np.random.default_rng(0)
VOIGT = np.array([3.0, 0.3, 1.2, 0.8, 1.0])
SPECTRUM = tw.models.voigt(EVEN, *VOIGT) + 0.01 * RNG.standard_normal(len(EVEN))
NOISE = 0.05 * RNG.standard_normal(len(X))

CASES = {
    "a square": ("a**2*x + c", X, 2 * X + 1, [0, 1], [1.4, 1]),
    "a square alone": ("a**2*x", X, 2 * X, [0], [1.4]),
    "a frequency": ("cos(a*x)", X, np.cos(0.7 * X), [0], [0.7]),
    "a frequency with size": ("b*cos(a*x) + c", X, 2 * np.cos(0.7 * X), [1, 0, 0], [2, 0.7, 0]),
    "a hyperbola": ("a*cosh(b*x)", X, 2 * np.cosh(0.5 * X), [1, 0], [2, 0.5]),
    "a width": ("a*exp(-s*s*x*x) + c", X, 2 * np.exp(-0.5 * X * X), [1, 0, 0], [2, 0.7, 0]),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_start_where_the_model_is_even_is_left(isa, case):
    """The derivative along the parameter is 0 at the start; the second one shows the way down."""
    formula, x, clean, start, beside = case
    y = clean + NOISE
    best = tw.fit(formula, x, y, p0=beside, independent="x")
    r = tw.fit(formula, x, y, p0=start, independent="x")
    assert r.success and r.attempts == 2
    assert r.chi2 == pytest.approx(best.chi2, rel=1e-6)


@pytest.mark.parametrize("bounds", [None, {"sigma": (0, None)}, {"sigma": (-5, 0)}])
def test_a_voigt_profile_from_no_width(isa, bounds):
    """At a bound of 0 this was a success: every step kept sigma = 0."""
    best = tw.fit(tw.models.voigt, EVEN, SPECTRUM, p0=VOIGT)
    start = [2, 0.2, 0, 1.0, 0.8]
    r = tw.fit(tw.models.voigt, EVEN, SPECTRUM, p0=start, bounds=bounds)
    assert r.success and r.chi2 == pytest.approx(best.chi2, rel=1e-6)
    assert abs(r.params[2]) == pytest.approx(abs(best.params[2]), rel=1e-3)
    one = tw.fit(tw.models.voigt, EVEN, SPECTRUM, p0=start, bounds=bounds, attempts=1)
    assert not one.success


def test_a_width_of_zero_may_be_the_minimum(isa):
    """A line without a Gaussian part: that sigma is at its bound is right, from there or beside."""
    y = tw.models.lorentzian(EVEN, 2, 0.3, 1.5, 1) + 0.01 * RNG.standard_normal(len(EVEN))
    lorentzian = tw.fit(tw.models.lorentzian, EVEN, y, p0=[2, 0.3, 1.5, 1])
    for sigma in (0.0, 0.1):
        bounds = {"sigma": (0, None)}
        p0 = [9, 0.2, sigma, 1.3, 0.8]
        r = tw.fit(tw.models.voigt, EVEN, y, p0=p0, bounds=bounds)
        assert r.chi2 <= lorentzian.chi2 * (1 + 1e-6)
        assert r.success and r.params[2] < 0.3


def peak(x, a, m):
    return a * np.exp(-((x - m) ** 2))


def slopes(theta):
    a, m = theta
    g = np.exp(-((EVEN - m) ** 2))
    return a * g, np.stack([g, 2 * a * (EVEN - m) * g], axis=1)


def curvature(theta, d):
    a, m = theta
    z, g = EVEN - m, np.exp(-((EVEN - m) ** 2))
    return 4 * d[0] * d[1] * z * g + d[1] ** 2 * a * (4 * z**2 - 2) * g


def called_peak(x, a, m):
    """The same peak as a model that cannot be recorded, since it makes numbers of its arguments."""
    return peak(x, float(a), float(m))


TWO_PEAKS = peak(EVEN, 2, 1.4) + peak(EVEN, 2, -1.4)
BETWEEN = np.array([1.0, 0.0])


def test_a_centre_between_two_equal_peaks_is_left(isa):
    """chi2 has a maximum there along the centre, which the symmetry of the data keeps at 0."""
    r = tw.fit(peak, EVEN, TWO_PEAKS, p0=BETWEEN)
    assert r.success and abs(r.params[1]) > 1
    same = levenberg_marquardt(
        slopes, TWO_PEAKS, BETWEEN, curvature=curvature, linear=(0,), max_iter=600
    )
    assert same.attempts > 1 and same.chi2 == pytest.approx(r.chi2, rel=1e-6)
    assert same.status in ("FTOL", "XTOL", "GTOL")


USED_UP = {"max_iter": 2, "ftol": 1e-3}  # the second trial is the last, and meets this ftol


@pytest.mark.parametrize("limits", [{"attempts": 1}, USED_UP], ids=["attempts", "max_iter"])
@pytest.mark.parametrize("n_fits", [None, 9])
def test_a_saddle_is_no_success_where_no_attempt_may_follow(isa, limits, n_fits):
    """Because only one attempt is wanted, or because the first has used up max_iter."""
    y = TWO_PEAKS if n_fits is None else np.tile(TWO_PEAKS, (n_fits, 1))
    r = tw.fit(peak, EVEN, y, p0=BETWEEN, **limits)
    assert (r.status == tw.Status.NO_PROGRESS).all() and (r.attempts == 1).all()
    np.testing.assert_allclose(r.params[..., 1], 0, atol=1e-9)
    want = levenberg_marquardt(
        slopes, TWO_PEAKS, BETWEEN, curvature=curvature, linear=(0,), **limits
    )
    assert (want.status, want.attempts) == ("NO_PROGRESS", 1)


def test_one_attempt_from_a_minimum_is_a_success(isa):
    best = tw.fit(peak, EVEN, TWO_PEAKS, p0=BETWEEN)
    assert tw.fit(peak, EVEN, TWO_PEAKS, p0=best.params, attempts=1).success


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e4])
def test_a_called_model_leaves_a_centre_between_two_peaks(dtype, unit):
    """Second differences of its values tell that chi2 curves downwards; x in three units."""
    x, y = (EVEN * unit).astype(dtype), TWO_PEAKS.astype(dtype)

    def model(x, a, m):
        return called_peak(x / unit, a, float(m) / unit)

    r = tw.fit(model, x, y, p0=BETWEEN)
    assert r.success and abs(r.params[1]) > unit
    one = tw.fit(model, x, y, p0=BETWEEN, attempts=1)
    assert one.status == tw.Status.NO_PROGRESS
    assert tw.fit(model, x, y, p0=r.params, attempts=1).success


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("bounds", [(0, np.inf), (-np.inf, 0), (0, 1e-3)], ids=str)
def test_a_called_model_at_a_bound_is_asked_from_inside(bounds):
    """The centre starts at a bound, beyond which the model must not be called."""
    places = []

    def model(x, a, m):
        places.append(float(m))
        return called_peak(x, a, m)

    options = {"bounds": {"m": bounds}, "p0": BETWEEN}
    r = tw.fit(model, EVEN, TWO_PEAKS, **options)
    assert bounds[0] <= min(places) and max(places) <= bounds[1]
    assert r.params[1] != 0 and not tw.fit(model, EVEN, TWO_PEAKS, attempts=1, **options).success


def test_the_specification_leaves_what_is_even():
    y = 2 * X + 1 + NOISE
    r = levenberg_marquardt(
        lambda t: (t[0] ** 2 * X + t[1], np.stack([2 * t[0] * X, np.ones_like(X)], axis=1)),
        y,
        np.array([0.0, 1.0]),
        curvature=lambda t, d: 2 * d[0] ** 2 * X,
        linear=(1,),
        lower=np.array([0.0, -np.inf]),
    )
    assert r.status in ("FTOL", "XTOL", "GTOL") and r.params[0] == pytest.approx(1.41, abs=0.05)


def test_a_start_at_the_minimum_stays_a_success(isa):
    """What has not moved is asked for its curvature, which is that of a minimum."""
    for model, x, y, p0 in (
        (tw.models.voigt, EVEN, SPECTRUM, VOIGT),
        (peak, EVEN, peak(EVEN, 2, 1.4) + 0.01 * np.cos(EVEN), [2.0, 1.4]),
        ("a**2*x + c", X, 2 * X + 1 + NOISE, [1.4, 1.0]),
    ):
        options = {"independent": "x"} if isinstance(model, str) else {}
        first = tw.fit(model, x, y, p0=p0, **options)
        again = tw.fit(model, x, y, p0=first.params, **options)
        assert first.success and again.success and again.attempts == 1
        np.testing.assert_allclose(again.params, first.params, rtol=1e-6)


def moved_peak(centre):
    """A called peak whose place is m - centre, and the list of all m that it has been asked for."""
    places = []

    def model(x, a, m):
        places.append(float(m))
        return called_peak(x, a, m - centre)

    return model, places


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("side", [0, 1], ids=["lower", "upper"])
def test_second_differences_beside_a_bound_round_to_places_inside(dtype, side):
    """lower + h - h may be less than lower; there the model must not be called."""
    for centre in np.arange(0.1, 2.1, 0.2).astype(dtype):
        model, places = moved_peak(centre)
        bounds = (centre, np.inf) if side == 0 else (-np.inf, centre)
        p0 = np.array([1, centre], dtype)
        r = tw.fit(model, EVEN.astype(dtype), TWO_PEAKS, p0, bounds={"m": bounds}, dtype=dtype)
        assert r.success and r.params[1] != centre
        assert bounds[0] <= min(places) and max(places) <= bounds[1]


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("unit", [1.0, 1e6, 1e-6])
def test_a_model_with_its_own_jacobian_leaves_what_is_even(unit):
    """J is exactly 0 at the start; how far a must move is found in whatever unit it has."""

    def model(x, a):
        return np.cos(float(a) * x / unit)

    def jacobian(x, a):
        return (-np.sin(float(a) * x / unit) * x / unit)[:, None]

    y = np.cos(0.7 * X) + NOISE
    (a,), _ = tw.curve_fit(model, X, y, p0=[0.0], jac=jacobian)
    assert abs(a) == pytest.approx(0.7 * unit, rel=0.05)
