"""Units do not matter: sizes at both ends of the arithmetic give the digits of its middle.

A problem in the middle of the range is measured in other units, powers of two, so that every
input is exact.  Where the result is a number at all it must be the same, to the last bit if the
model does not turn into another form by it.
"""

import numpy as np
import pytest

import thalweg as tw

TYPES = [np.float64, np.float32]
ENDS = {np.float64: 990, np.float32: 115}  # the largest exponents of two of what is measured
N = 30
T = np.linspace(0, 5, N)
NOISE = np.random.default_rng(3).normal(size=(40, 700))
START = np.array([1.5, 1.0, 0.3])
pytestmark = pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def called(t, a, tau, c):
    if float(tau) == 0:
        raise ValueError("tau must not be 0")
    return a * np.exp(-np.asarray(t) / tau) + c


def data(n_points=N, n_fits=1):
    t = np.linspace(0, 5, n_points).astype(np.float32).astype(float)
    a = 2 + 0.05 * np.arange(n_fits)[:, None]
    y = decay(t, a, 1.3, 0.5) + 0.02 * NOISE[:n_fits, :n_points]
    return t, y.astype(np.float32).astype(float)


def sizes_of(dtype):
    end = ENDS[dtype]
    return [-end, -end // 2, 0, end // 3, end]


def powers(exponents):
    return np.ldexp(1.0, np.asarray(exponents))


def is_number(values, dtype):
    info = np.finfo(dtype)
    return (np.abs(values) >= info.tiny) & (np.abs(values) <= info.max)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("model", [decay, called])
@pytest.mark.parametrize("absolute", [None, False, True])
def test_every_size_of_y_x_and_sigma_gives_the_same_fit(dtype, model, absolute):
    t, (y,) = data()
    sigma = None if absolute is None else 0.02 * (1.25 + np.cos(np.arange(N)))
    if sigma is not None:
        sigma = sigma.astype(np.float32).astype(float)
    options = {"absolute_sigma": bool(absolute), "dtype": dtype}
    want = tw.fit(model, t, y, p0=START, sigma=sigma, **options)
    for of_y in sizes_of(dtype):
        for of_x in sizes_of(dtype):
            for of_sigma in sizes_of(dtype) if absolute is not None else [0]:
                unit = powers([of_y, of_x, of_y])
                s = None if sigma is None else sigma * powers(of_sigma)
                got = tw.fit(
                    model, t * powers(of_x), y * powers(of_y), p0=START * unit, sigma=s, **options
                )
                assert got.status == want.status, (of_y, of_x, of_sigma, got.reason())
                np.testing.assert_array_equal(got.params, (want.params * unit).astype(dtype))
                shift = of_sigma - of_y if absolute else 0
                errors = [
                    np.ldexp(float(e), k + shift)
                    for e, k in zip(want.stderr, (of_y, of_x, of_y), strict=True)
                    if abs(k + shift) < 1000
                ]
                if len(errors) == 3 and is_number(errors, dtype).all():
                    np.testing.assert_array_equal(got.stderr, np.array(errors, dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n_points", [N, 700])
@pytest.mark.parametrize(
    "kind",
    ["plain", "bounds", "at a bound", "fixed", "fixed for some", "mask", "sigma", "own x"],
)
def test_a_batch_of_mixed_sizes_is_the_batch_in_one_size(dtype, n_points, kind):
    rng, B, end = np.random.default_rng(7), 23, ENDS[dtype]
    t, y = data(n_points, B)
    exponents = rng.integers(-end, end, size=B)
    exponents[:4] = [0, end, -end, 0]
    unit = powers(exponents)
    units = np.stack([unit, np.ones(B), unit], axis=1)
    start, some = np.tile(START, (B, 1)), {}
    other = {}
    if kind in ("bounds", "at a bound"):
        low, high = [0.0, 0.5, 0.1], [4.0 if kind == "bounds" else 2.25, 2.0, 0.75]
        some["bounds"] = low, high
        other["bounds"] = low * units, high * units
    elif kind.startswith("fixed"):
        some["fixed"] = ["c"] if kind == "fixed" else rng.random((B, 3)) < 0.3
    elif kind == "mask":
        some["mask"] = rng.random((B, n_points)) < 0.2
    elif kind == "sigma":
        some["sigma"] = (0.02 * (1 + rng.random((B, n_points)))).astype(np.float32).astype(float)
        other["sigma"] = some["sigma"] * unit[:, None]
    elif kind == "own x":
        t = np.tile(t, (B, 1))
    want = tw.fit(decay, t, y, p0=start, dtype=dtype, **some)
    got = tw.fit(decay, t, y * unit[:, None], p0=start * units, dtype=dtype, **{**some, **other})
    assert want.success.all()
    for name in ("status", "n_iter", "n_used", "detail", "at_bound"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
    np.testing.assert_array_equal(got.params, (want.params * units).astype(dtype))
    np.testing.assert_array_equal(got.stderr, (want.stderr * units).astype(dtype))


# name: truth; the powers of the units of y and of x that each parameter has
LIBRARY = {
    "line": ([2.0, 1.0], [1, 1], [-1, 0]),
    "exponential": ([3.0, 1.5, 0.5], [1, 0, 1], [0, 1, 0]),
    "gaussian": ([3.0, 2.5, 0.7, 0.5], [1, 0, 0, 1], [0, 1, 1, 0]),
    "lorentzian": ([3.0, 2.5, 0.7, 0.5], [1, 0, 0, 1], [0, 1, 1, 0]),
    "voigt": ([3.0, 2.5, 0.4, 0.3, 0.5], [1, 0, 0, 0, 1], [1, 1, 1, 1, 0]),
    "logistic": ([3.0, 2.5, 0.7, 0.5], [1, 0, 0, 1], [0, 1, 1, 0]),
    "hill": ([1.0, 4.0, 2.0, 1.5], [1, 1, 0, 0], [0, 0, 1, 0]),
    "michaelis_menten": ([3.0, 2.0], [1, 0], [0, 1]),
    "stretched_exponential": ([3.0, 2.0, 0.8, 0.5], [1, 0, 0, 1], [0, 1, 0, 0]),
    "sine": ([2.0, 0.4, 0.5, 1.0], [1, 0, 0, 1], [0, -1, 0, 0]),
    "polynomial2": ([1.0, 2.0, -0.3], [1, 1, 1], [0, -1, -2]),
    "gaussian2d": ([3.0, 0.3, -0.2, 0.9, 0.5], [1, 0, 0, 0, 1], [0, 1, 1, 1, 0]),
    "gaussian2d_elliptic": (
        [3.0, 0.3, -0.2, 0.9, 1.2, 0.5], [1, 0, 0, 0, 0, 1], [0, 1, 1, 1, 1, 0],
    ),
    "gaussian2d_rotated": (
        [3.0, 0.3, -0.2, 1.3, 0.8, 0.5, 0.4], [1, 0, 0, 0, 0, 1, 0], [0, 1, 1, 1, 1, 0, 0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", LIBRARY)
def test_built_in_models_guess_and_fit_at_every_size(name, dtype):
    truth, of_y, of_x = LIBRARY[name]
    model, rng = getattr(tw.models, name), np.random.default_rng(5)
    grid = np.meshgrid(np.linspace(-3, 3, 9), np.linspace(-3, 3, 9))
    x = tuple(grid) if name.startswith("gaussian2d") else (np.linspace(0.1, 6, 40),)
    x = tuple(v.astype(np.float32).astype(float) for v in x)
    y = np.asarray(model(x if len(x) > 1 else x[0], *truth))
    y = (y + 0.01 * rng.normal(size=y.shape)).astype(np.float32).astype(float)
    want = tw.fit(model, x if len(x) > 1 else x[0], y, dtype=dtype)
    assert want.success
    tried = 0
    for k in sizes_of(dtype):
        for m in sizes_of(dtype):
            exponents = k * np.array(of_y) + m * np.array(of_x)
            if np.abs(exponents).max() > ENDS[dtype] + 5:
                continue  # a parameter is no number of this type
            tried += 1
            scaled = tuple(v * powers(m) for v in x)
            got = tw.fit(model, scaled if len(x) > 1 else scaled[0], y * powers(k), dtype=dtype)
            assert got.success, (k, m, got.reason())
            assert got.params / powers(exponents) == pytest.approx(
                want.params, rel=1e-3 if dtype is np.float32 else 1e-8
            )
    assert tried >= 5


@pytest.mark.parametrize("exponent", [-37, -22, -21, -20, -12, 0, 12, 18, 19, 30, 36])
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
