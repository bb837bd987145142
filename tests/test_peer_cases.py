"""The test cases of another library, Gpufit, as facts: models, starts and what is expected."""

import json

import numpy as np
import pytest
from nist import DATA
from problems import line

import thalweg as tw

CASES = {c["case"]: c for c in json.loads((DATA / "gpufit_cases.json").read_text())["cases"]}


def gauss_1d(x, a, x0, s, b):
    return a * np.exp(-((x - x0) ** 2) / (2 * s**2)) + b


def gauss_2d(xy, a, x0, y0, s, b):
    x, y = xy
    return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) + b


def gauss_2d_elliptic(xy, a, x0, y0, sx, sy, b):
    x, y = xy
    return a * np.exp(-(((x - x0) / sx) ** 2 + ((y - y0) / sy) ** 2) / 2) + b


def gauss_2d_rotated(xy, a, x0, y0, sx, sy, b, r):
    x, y = xy[0] - x0, xy[1] - y0
    u, v = x * np.cos(r) - y * np.sin(r), x * np.sin(r) + y * np.cos(r)
    return a * np.exp(-((u / sx) ** 2 + (v / sy) ** 2) / 2) + b


def cauchy_2d_elliptic(xy, a, x0, y0, sx, sy, b):
    x, y = xy
    return a / (((x0 - x) / sx) ** 2 + 1) / (((y0 - y) / sy) ** 2 + 1) + b


@pytest.mark.parametrize(
    "model",
    [gauss_1d, gauss_2d, gauss_2d_elliptic, gauss_2d_rotated, cauchy_2d_elliptic],
    ids=lambda m: m.__name__,
)
def test_gpufit_peaks(isa, model):
    case = CASES[model.__name__]
    size = int(case["grid"].split("x")[0]) if "grid" in case else case["n_points"]
    x = np.arange(size, dtype=float)
    x = np.meshgrid(x, x) if "grid" in case else x
    y = model(x, *case["true"])
    r = tw.fit(model, tuple(x) if "grid" in case else x, y, case["start"])
    assert r.success and r.chi2 < 1e-6
    np.testing.assert_allclose(r.params, case["true"], atol=1e-6)
    weighted = tw.fit(
        model, tuple(x) if "grid" in case else x, y, case["start"], sigma=np.ones(y.shape)
    )
    np.testing.assert_array_equal(weighted.params, r.params)
    start = np.array(case["start"], float)
    start[case["params_order"].split(",").index("b")] = 0.5  # a mean of counts must be positive
    likely = tw.fit(model, tuple(x) if "grid" in case else x, y, start, noise="poisson")
    assert likely.success and likely.chi2 < 1e-6
    np.testing.assert_allclose(likely.params, case["true"], atol=1e-6)


def test_gpufit_two_fits_and_a_line(isa):
    case = CASES["gauss_1d two fits"]
    x = np.linspace(-0.5, 1, case["n_points"])
    y = np.stack([gauss_1d(x, *p) for p in case["true"]])
    r = tw.fit(gauss_1d, x, y, case["start"])
    assert r.success.all() and (r.chi2 < 1e-6).all()
    case = CASES["linear_1d"]
    exact = tw.fit(line, case["x"], case["y"], case["start"])
    np.testing.assert_allclose(exact.params, case["true"], rtol=1e-14)


def brown_dennis(t, a, b, c, d):
    return (a + t * b - np.exp(t)) ** 2 + (c + d * np.sin(t) - np.cos(t)) ** 2


@pytest.mark.parametrize("far", [1, 10, 100])
def test_gpufit_brown_dennis(isa, far):
    name = next(name for name in CASES if name.startswith("brown_dennis"))
    case = CASES[name]
    t = np.arange(20) / 5
    r = tw.fit(brown_dennis, t, np.zeros(20), np.multiply(case["start"], far))
    assert r.success
    np.testing.assert_allclose(r.params, case["true"], atol=1e-2)
    # its chi2 is that of the rounded parameters in single precision; the minimum is a little lower
    assert case["chi2"] * (1 - 1e-4) < r.chi2 <= case["chi2"]


def fletcher_powell(i, a, b, c):
    """The helical valley: three residuals, told apart by i = 0, 1, 2."""
    angle = np.arctan2(b, a) / (2 * np.pi)
    first = 10 * (c - 10 * angle)
    second = 10 * (np.sqrt(a**2 + b**2) - 1)
    return np.where(i == 0, first, np.where(i == 1, second, c))


@pytest.mark.parametrize(("far", "steps"), [(1, 9), (10, 21), (100, 30)])
def test_gpufit_fletcher_powell_helix(isa, far, steps):
    case = CASES["fletcher_powell_helix"]
    r = tw.fit(fletcher_powell, np.arange(3.0), np.zeros(3), np.multiply(case["start"], far))
    assert r.success and r.chi2 < 1e-26
    np.testing.assert_allclose(r.params, case["true"], atol=1e-12)
