"""Derivatives of special functions by their parameters, beside mpmath: edges, limits, all sizes."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.model.autodiff import gradient
from thalweg.model.foreign import scipy_operation
from thalweg.model.graph import Graph, evaluate
from thalweg.model.symbol import symbols_of

special = pytest.importorskip("scipy.special")
mpmath = pytest.importorskip("mpmath")

MODULI = [-1e6, -3.0, -1e-9, 0.0, 1e-12, 1e-3, 0.5, 0.99, 1 - 1e-9]
ANGLES = [-7.0, 0.0, 1e-8, 0.3, 1.5, 1.6, 40.0]
SHARES = [1e-12, 1e-3, 0.7, 1.0, 20.0, 1e6]


def slope(name, j, *operands):
    """The derivative of a function by operand j, recorded and run as a fit would."""
    g = Graph(0, len(operands))
    x = [g.x(i) for i in range(len(operands))]
    [node] = gradient(g, g.add(scipy_operation(getattr(special, name), symbols_of), *x), [x[j]])
    with np.errstate(all="ignore"):
        [got] = evaluate(g, [node], x=[np.atleast_1d(np.asarray(v, float)) for v in operands])
    return got * np.ones(len(np.atleast_1d(operands[0])))


def exact(f, *rows, digits=100):
    """A function of mpmath at rows of operands."""
    with mpmath.workdps(digits):
        numbers = [f(*map(mpmath.mpf, row)) for row in zip(*rows, strict=True)]
        return np.array([float(mpmath.re(number)) for number in numbers])


def grid(*values):
    """All combinations of the values, as rows."""
    return [v.ravel() for v in np.meshgrid(*values)]


def by_m(f):
    return lambda *a: mpmath.diff(lambda m: f(*a[:-1], m), a[-1])


@pytest.mark.parametrize("name, f", [("ellipk", mpmath.ellipk), ("ellipe", mpmath.ellipe)])
def test_complete_elliptic_integrals(name, f):
    m = np.array(MODULI)
    np.testing.assert_allclose(slope(name, 0, m), exact(by_m(f), m), rtol=1e-13)


def test_complete_elliptic_integral_near_one():
    p = np.array([1e-300, 1e-20, 1e-3, 0.5, 1.0, 3.0])
    with mpmath.workdps(400):
        want = [float(-mpmath.diff(mpmath.ellipk, 1 - mpmath.mpf(v))) for v in p[1:]]
    got = slope("ellipkm1", 0, p)
    np.testing.assert_allclose(got[1:], want, rtol=1e-13)
    np.testing.assert_allclose(got[0] * p[0], -0.5, rtol=1e-13)


@pytest.mark.parametrize("name, f", [("ellipkinc", mpmath.ellipf), ("ellipeinc", mpmath.ellipe)])
def test_incomplete_elliptic_integrals(name, f):
    phi, m = grid(ANGLES, [-30.0, -1e-9, 0.0, 0.5, 1 - 1e-9])
    want = exact(by_m(f), phi, m, digits=25)
    np.testing.assert_allclose(slope(name, 1, phi, m), want, rtol=2e-12)


def test_an_elliptic_integral_at_one():
    phi = np.array([-1.2, 0.0, 0.4, 1.5])
    want = exact(lambda a: -(mpmath.atanh(mpmath.sin(a)) - mpmath.sin(a)) / 2, phi)
    np.testing.assert_allclose(slope("ellipeinc", 1, phi, np.ones(4)), want, rtol=1e-13)


def test_owens_function():
    h, a = grid([-30.0, -1.0, 0.0, 1e-200, 1e-9, 0.6, 3.0, 25.0], [-2.0, 0.0, 1e-9, 1.0, 1e6])

    def want(h, a):
        gauss = mpmath.exp(-h * h / 2) / mpmath.sqrt(8 * mpmath.pi)
        return -gauss * mpmath.erf(a * h / mpmath.sqrt(2))

    np.testing.assert_allclose(slope("owens_t", 0, h, a), exact(want, h, a), rtol=1e-13, atol=0)


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_pseudo_huber(unit):
    delta, r = grid(unit * np.array(SHARES), unit * np.array([-40.0, -1e-6, 0.0, 1e-3, 1.0, 1e9]))

    def want(delta, r):
        root = mpmath.sqrt(1 + (r / delta) ** 2)
        return 2 * delta * (root - 1) - r * r / (delta * root)

    got = slope("pseudo_huber", 0, delta, r)
    np.testing.assert_allclose(got, exact(want, delta, r), rtol=1e-13)


def test_pseudo_huber_at_zero():
    r = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(slope("pseudo_huber", 0, np.zeros(3), r), np.abs(r))
    np.testing.assert_array_equal(slope("pseudo_huber", 1, np.zeros(3), r)[1], 0.0)


def test_density_of_student():
    df, t = grid([0.3, 1.0, 40.0, 1e3, 1e5, 1e8], [-30.0, -1.0, 0.0, 0.7, 4.0])

    def want(df, t):
        size = mpmath.gamma((df + 1) / 2) / mpmath.gamma(df / 2) / mpmath.sqrt(df * mpmath.pi)
        return size * (1 + t * t / df) ** (-(df + 1) / 2)

    got = slope("stdtr", 1, df, t)
    np.testing.assert_allclose(got, exact(want, df, t), rtol=1e-12)
    assert slope("stdtr", 1, [3.0], [np.inf])[0] == 0


def test_a_modulus_is_fitted_and_its_bits_are_those_of_a_fit_alone():
    phi = np.linspace(-4, 5, 40)
    y = special.ellipkinc(phi, [[0.3], [0.0], [-2.0], [0.8]] * np.ones((1, 40)))
    r = tw.fit(lambda x, a, m: a * special.ellipkinc(x, m), phi, y, [0.8, 0.1])
    assert r.success.all()
    np.testing.assert_allclose(r["m"], [0.3, 0, -2, 0.8], atol=1e-9)
    alone = tw.fit(lambda x, a, m: a * special.ellipkinc(x, m), phi, y[2], [0.8, 0.1])
    np.testing.assert_array_equal(alone.params, r.params[2])
