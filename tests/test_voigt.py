"""The Voigt profile for every width, 0 among them: values and first and second derivatives."""

import mpmath
import numpy as np
import pytest
import scipy.special
from tape_tools import run

import thalweg as tw
from thalweg.model import voigt
from thalweg.model.autodiff import gradient, jvp
from thalweg.model.graph import Graph
from thalweg.model.tape import lower

# |z| from 0 to infinity, around sqrt(FAR) too
CASES = [
    (sigma, gamma)
    for sigma in (0.0, 1e-8, 1e-3, 0.07, 0.3, 4.0)
    for gamma in (0.0, 1e-12, 0.2, 3.0)
    if sigma + gamma > 1e-3
]
X = np.array([-3.0, -1.0, -0.2, 0.0, 0.05, 0.7, 1.0, 2.0])


def W(n, x, sigma, gamma):
    """W_n of csrc/vecmath/voigt.h; the recurrence cancels |z|^(2 n) : 1, hence so many digits."""
    X = mpmath.mpc(x, gamma)
    if sigma == 0:
        return 1j * (-1) ** n * mpmath.factorial(n) / (mpmath.pi * X ** (n + 1))
    s = 1 / (mpmath.sqrt(2) * sigma)
    z = X * s
    w = mpmath.exp(-z * z) * mpmath.erfc(-1j * z)
    found = [w, 2j / mpmath.sqrt(mpmath.pi) - 2 * z * w]
    for k in range(2, n + 1):
        found.append(-2 * (z * found[-1] + (k - 1) * found[-2]))
    return found[n] * s ** (n + 1) / mpmath.sqrt(mpmath.pi)


def exact_derivative(order, x, sigma, gamma):
    """By the Cauchy-Riemann and the heat equation, V_sigma = sigma V_xx."""
    i, j, k = order
    with mpmath.workdps(200 if sigma > 1e-20 or sigma == 0 else 1700):
        x, sigma, gamma = (mpmath.mpf(float(v)) for v in (x, sigma, gamma))
        n = i + k
        w = {
            0: lambda: W(n, x, sigma, gamma),
            1: lambda: sigma * W(n + 2, x, sigma, gamma),
            2: lambda: W(n + 2, x, sigma, gamma) + sigma**2 * W(n + 4, x, sigma, gamma),
        }[j]()
        return float((mpmath.mpc(0, 1) ** k * w).real)


def tape_of_derivatives(second):
    g = Graph(3, 1)
    x = g.add("sub", g.x(0), g.theta(0))
    value = g.add("voigt", x, g.theta(1), g.theta(2))
    theta = [g.theta(j) for j in range(3)]
    first = gradient(g, value, theta)
    if not second:
        return lower(g, [value, *first], (0, 1, 2))
    rows = [node for f in first for node in gradient(g, f, theta)]
    forward = [node for t in range(3) for node in jvp(g, first, theta, unit(g, t))]
    return lower(g, [value, *rows, *forward], (0, 1, 2) * 6)


def unit(g, j):
    return [g.const(float(i == j)) for i in range(3)]


def orders_of(second):
    one = np.eye(3, dtype=int)
    if not second:
        return [tuple(map(int, row)) for row in one]
    return [tuple(map(int, one[i] + one[j])) for i in range(3) for j in range(3)]


@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
@pytest.mark.parametrize(("sigma", "gamma"), CASES)
def test_derivatives_for_every_width(sigma, gamma, second):
    """Errors beside the largest value of a derivative: the tails are small differences."""
    tape, orders = tape_of_derivatives(second), orders_of(second)
    x = X[np.abs(X) + gamma > 0]
    got = run(tape, [x], [0.0, sigma, gamma], np.float64)
    signs = [(-1) ** order[0] for order in orders]  # the centre is subtracted
    for row, order, sign in zip(got[1:], orders + orders * second, signs * 2, strict=False):
        want = sign * np.array([exact_derivative(order, v, sigma, gamma) for v in x])
        size = np.max(np.abs(want))
        # near the border the recurrence loses |z|^4 of W_2 (first derivatives), |z|^8 of W_4
        np.testing.assert_allclose(
            row, want, rtol=0, atol=(3e-8 if second else 1e-11) * size, err_msg=f"{order}"
        )


@pytest.mark.parametrize("sigma", [0.0, 1e-300, 1e-12, 1e-5, 0.02])
def test_a_column_of_a_width_near_zero_keeps_its_digits(sigma):
    """All points lie far away: V_sigma is sigma V_xx to the last digits, however small."""
    x = np.array([-3.0, -1.0, 0.7, 2.0])
    got = run(tape_of_derivatives(False), [x], [0.0, sigma, 0.1], np.float64)[2]
    X3 = (x + 0.1j) ** 3
    want = sigma * (2j / (np.pi * X3)).real
    np.testing.assert_allclose(got, want, rtol=1e-13 if sigma < 1e-6 else 0.1, atol=0)


def test_limits_are_lorentzian_and_gaussian():
    x = np.linspace(-3, 3, 31)
    f = scipy.special.voigt_profile
    for sigma, gamma in ((0.0, 0.4), (0.4, 0.0), (0.3, 0.2)):
        r = tw.fit(
            "a*voigt(x - b, s, g)",
            x,
            3 * f(x - 0.1, sigma, gamma),
            p0=dict(a=1, b=0, s=sigma, g=gamma),
            fixed=["s", "g"],
        )
        assert r.success, r.reason()
        np.testing.assert_allclose(r.params[:2], [3, 0.1], rtol=1e-9)
        np.testing.assert_allclose(r.predict(), 3 * f(x - 0.1, sigma, gamma), atol=1e-14)


@pytest.mark.parametrize(("sigma", "gamma"), [(0.0, 0.5), (0.5, 0.0), (0.3, 0.2)])
@pytest.mark.parametrize("start", [(0.3, 0.0), (0.3, 0.3), (1.0, 1e-9)])
def test_fits_that_start_or_end_at_a_width_of_zero(sigma, gamma, start):
    # not from sigma = 0, where the profile has no slope in sigma: it is even
    x = np.linspace(-4, 4, 81)
    y = 2 * scipy.special.voigt_profile(x - 0.1, sigma, gamma) + 0.3
    p0 = dict(area=1.5, x0=0.0, sigma=start[0], gamma=start[1], offset=0.2)
    r = tw.fit("voigt", x, y, p0, bounds={"sigma": (0, None), "gamma": (0, None)})
    np.testing.assert_allclose(r.predict(), y, atol=1e-6)
    np.testing.assert_allclose(r.params[[0, 1, 4]], [2, 0.1, 0.3], rtol=1e-4)
    np.testing.assert_allclose(r.params[2:4], [sigma, gamma], atol=1e-3)


def test_literal_widths_record():
    x = np.linspace(-3, 3, 21)
    for formula, width in (
        ("voigt(x - b, 0, g)", dict(g=0.4)),
        ("voigt(x - b, s, 0)", dict(s=0.4)),
    ):
        ((name, value),) = width.items()
        y = scipy.special.voigt_profile(x, *((0, value) if name == "g" else (value, 0)))
        r = tw.fit(formula, x, y, {"b": 0.1, name: 0.5})
        assert r.success
        np.testing.assert_allclose(r.params, [0, value], atol=1e-8)


def test_the_border_is_the_one_of_the_compiled_code():
    import re
    from pathlib import Path

    header = Path(__file__).parents[1] / "csrc" / "vecmath" / "voigt.h"
    if not header.exists():
        pytest.skip("the sources are not here")
    assert re.search(r"#define VOIGT_FAR (\d+)", header.read_text())[1] == f"{voigt.FAR:.0f}"


def test_third_derivatives_are_refused_rather_than_wrong():
    g = Graph(3, 1)
    node = g.add("voigt", g.x(0), g.theta(0), g.theta(1))
    with pytest.raises(ValueError, match="no derivatives beyond the second"):
        for _ in range(4):
            [node] = gradient(g, node, [g.theta(0)])
