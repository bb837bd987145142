"""The Faddeeva function and the Voigt profile of the tape against long arithmetic."""

from functools import cache

import numpy as np
import pytest
from scipy import special
from tape_tools import apply
from vecmath_cases import DTYPES, LONG, Points

pytestmark = pytest.mark.usefixtures("isa")

# The largest error of the Faddeeva function, relative to its modulus.
W_TOLERANCE = {np.float64: 2e-14, np.float32: 1e-6}


def faddeeva(x: float, y: float) -> complex:
    z = LONG.mpc(x, y)
    return complex(LONG.exp(-z * z) * LONG.erfc(LONG.mpc(y, -x)))


@cache
def faddeeva_case(dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    n = 60
    x = np.concatenate([rng.uniform(-6, 6, n), rng.uniform(-25, 25, 2 * n), rng.uniform(-3, 3, n)])
    y = np.concatenate([10.0 ** rng.uniform(-10, 1, n), np.full(n, 1e-8), np.zeros(n)])
    y = np.concatenate([y, rng.uniform(0, 8, n)])
    x, y = x.astype(dtype), y.astype(dtype)
    rows = zip(x.tolist(), y.tolist(), strict=True)
    return x, y, np.array([faddeeva(a, b) for a, b in rows])


def w_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return apply("voigt_re", x, y).astype(np.float64) + 1j * apply("voigt_im", x, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_faddeeva_function(dtype):
    x, y, want = faddeeva_case(dtype)
    assert (np.abs(w_of(x, y) - want) <= W_TOLERANCE[dtype] * np.abs(want)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_faddeeva_function_far_away(dtype):
    p = Points(dtype, 400)
    x, y = p.magnitudes(1e4, np.inf), p.magnitudes(1e4, np.inf, (1,))
    keep = np.hypot(x, y) < p.info.max * 1e-3  # the result is not denormal
    x, y = x[keep].astype(dtype), y[keep].astype(dtype)
    scale = np.hypot(x.astype(np.float64), y)
    want = (y / scale + 1j * (x / scale)) / np.sqrt(np.pi) / scale
    # i / (sqrt(pi) z) up to a factor 1 + 1 / (2 z^2)
    assert (np.abs(w_of(x, y) - want) <= (W_TOLERANCE[dtype] + 1e-8) * np.abs(want)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_faddeeva_function_at_its_borders(dtype):
    inf, nan = np.inf, np.nan
    x = np.array([inf, -inf, 1, inf, nan, 1, 1, inf], dtype)
    y = np.array([1, 0, inf, inf, 1, nan, -1, -1], dtype)
    w = w_of(x, y)
    assert (w[:4] == 0).all()
    assert np.isnan(w[4:].real).all() and np.isnan(w[4:].imag).all()
    assert np.isnan(w_of(-x[4:], y[4:]).real).all()


def voigt_derivative(k: int, x: float, sigma: float, gamma: float) -> complex:
    """W_k of csrc/vecmath/voigt.h; the recurrence cancels |z|^(2 k) : 1, in the end 1e80."""
    with LONG.workprec(600):
        return _voigt_derivative(k, x, sigma, gamma)


def _voigt_derivative(k: int, x: float, sigma: float, gamma: float) -> complex:
    X = LONG.mpc(x, gamma)
    if sigma == 0:
        return complex(1j * (-1) ** k * LONG.factorial(k) / (LONG.pi * X ** (k + 1)))
    s = 1 / (LONG.sqrt(2) * LONG.mpf(sigma))
    z = X * s
    w = LONG.exp(-z * z) * LONG.erfc(LONG.mpc(z.imag, -z.real))
    derivatives = [w, 2j / LONG.sqrt(LONG.pi) - 2 * z * w]
    for j in range(2, k + 1):
        derivatives.append(-2 * (z * derivatives[-1] + (j - 1) * derivatives[-2]))
    return complex(derivatives[k] * s ** (k + 1) / LONG.sqrt(LONG.pi))


@cache
def voigt_case(dtype: type) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(7)
    n = 40
    x = np.concatenate([rng.uniform(-8, 8, 4 * n), rng.uniform(-300, 300, n)])
    sigma = np.concatenate([10.0 ** rng.uniform(-8, 1, 3 * n), np.zeros(n), np.full(n, 1.0)])
    gamma = np.concatenate([10.0 ** rng.uniform(-8, 1, 4 * n), np.zeros(n)])
    unit = 10.0 ** rng.integers(-5, 6, 5 * n)
    return tuple((a * unit).astype(dtype) for a in (x, sigma, gamma))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", range(5))
def test_voigt_profile_and_its_derivatives(k, dtype):
    x, sigma, gamma = voigt_case(dtype)
    ops = (f"voigt_far_{k}_re", f"voigt_far_{k}_im") if k else ("voigt", "voigt_wing")
    got = apply(ops[0], x, sigma, gamma).astype(float) + 1j * apply(ops[1], x, sigma, gamma)
    rows = zip(x.tolist(), sigma.tolist(), gamma.tolist(), strict=True)
    want = np.array([voigt_derivative(k, *row) for row in rows])
    far = np.hypot(x, gamma, dtype=float) > np.sqrt(200) * sigma * (1 + 1e-6)
    # the series loses what its last term leaves: see csrc/vecmath/voigt.h
    tolerance = W_TOLERANCE[dtype] * (1, 4, 20, 60, 300)[k]
    compared = far if k else np.full(len(x), True)
    error = np.abs(got - want) / np.abs(want)
    assert compared.sum() > 40 and (error[compared] <= tolerance).all(), np.max(error[compared])
    if k:
        assert (
            got[~(np.hypot(x, gamma, dtype=float) >= np.sqrt(200) * sigma * (1 - 1e-6))] == 0
        ).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_voigt_profile_at_its_borders(dtype):
    nan = np.nan
    x = np.array([0, 1, 0, 1, 1, nan, 1, 1, np.inf, 2], dtype)
    sigma = np.array([0, 0, 1, 0, 1, 1, -1, 1, 1, 0], dtype)
    gamma = np.array([0, 0, 0, 1, 0, 1, 1, -1, 1, 1e-30], dtype)
    want = special.voigt_profile(x.astype(float), sigma.astype(float), gamma.astype(float))
    want[6:8] = nan  # no profile has a negative width
    np.testing.assert_allclose(
        apply("voigt", x, sigma, gamma), want, rtol=8 * np.finfo(dtype).eps, atol=1e-37
    )
