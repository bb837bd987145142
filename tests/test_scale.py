"""Units do not matter: sizes at both ends of the arithmetic give the digits of its middle."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.status import Status


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


@pytest.mark.parametrize("exponent", [-22, -21, -20, -12, 0, 12, 18, 19, 30])
def test_float32_profiles_whose_squares_are_no_floats(exponent):
    x, unit = np.linspace(0, 1, 25), 10.0**exponent
    truth = np.array([1.1 * unit, 0.4, 0.2 * unit])

    def profile(x, n, w, b):
        return n * np.exp(-((x / w) ** 2)) + b

    y = profile(x, *truth) * (1 + 0.02 * np.cos(17 * x))
    start = truth * [0.8, 1.25, 1.5]
    want = tw.fit(profile, x, y / unit, p0=start / [unit, 1, unit])
    got = tw.fit(profile, x, y, p0=start, dtype=np.float32)
    assert got.success
    assert got.params / [unit, 1, unit] == pytest.approx(want.params, rel=1e-4)
    assert got.stderr / [unit, 1, unit] == pytest.approx(want.stderr, rel=1e-3)


def test_curve_fit_says_that_a_variance_is_no_number():
    x, y = np.arange(5.0), 1e200 * np.array([1.0, 3.1, 4.9, 7.0, 9.1])
    with pytest.warns(tw.CovarianceWarning, match="a variance leaves the range of numbers"):
        popt, _ = tw.curve_fit("a*x + b", x, y, p0=[1e200, 1e200])
    assert popt / 1e200 == pytest.approx(np.polyfit(x, y / 1e200, 1), rel=1e-9)


def test_a_start_beyond_all_of_y_is_named():
    x = np.arange(5.0)
    r = tw.fit("a*x", x, x, p0=[1e300])
    assert r.status == Status.RANGE
    assert r.reason().startswith("chi2 at the start leaves the range of the arithmetic in any unit")
