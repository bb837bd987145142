"""Values, derivatives and identities of mean squared errors."""

import mpmath
import numpy as np
import pytest
from mse_cases import CASES, EPS, decay, network, scale, uniform

import thalweg as tw


@pytest.fixture(params=CASES)
def case(request):
    """Each of the losses to try."""
    return CASES[request.param]()


def listed_network(y, theta):
    """The same network in plain Python."""
    h = [np.tanh(theta[i] * y + theta[3 + i]) for i in range(3)]
    return [sum(theta[6 + 3 * i + j] * h[j] for j in range(3)) + theta[12 + i] for i in range(2)]


def complex_gradient(case, theta, step=1e-30):
    """The gradient to rounding, by a complex step: Im L(theta + i h e_j) / h."""
    rows = []
    for j in range(case.P):
        moved = theta.astype(complex)
        moved[j] += 1j * step
        rows.append(case.value(moved).imag / step)
    return np.array(rows)


# ---- values and derivatives ------------------------------------------------------------------


def test_value_and_residuals(isa, case):
    e = case.x.reshape(case.K, -1) - case.predict(case.theta)
    residuals = case.loss.residuals(case.theta)
    assert residuals.shape == case.shape
    np.testing.assert_allclose(residuals, e.reshape(case.shape), rtol=0, atol=100 * EPS * scale(e))
    assert case.loss.value(case.theta) == pytest.approx(case.value(case.theta), rel=1e-13)


def test_gradient_by_complex_step(isa, case):
    value, gradient = case.loss.value_and_gradient(case.theta)
    assert value == case.loss.value(case.theta)
    np.testing.assert_array_equal(gradient, case.loss.gradient(case.theta))
    wanted = complex_gradient(case, case.theta)
    np.testing.assert_allclose(gradient, wanted, rtol=0, atol=1e-13 * scale(wanted))


def test_hessian_by_differences_of_exact_gradients(case):
    """Central differences of complex-step gradients: h^2 from truncation, eps / h from rounding."""
    H, h = case.loss.hessian(case.theta), 1e-5
    wanted = [
        (complex_gradient(case, case.theta + h * v) - complex_gradient(case, case.theta - h * v))
        / (2 * h)
        for v in np.eye(case.P)
    ]
    np.testing.assert_allclose(H, wanted, rtol=0, atol=3e-9 * scale(H))
    np.testing.assert_array_equal(H, H.T)


def test_hessian_in_extended_precision():
    """All second derivatives of L of one sample of the decay by mpmath."""
    loss = tw.MSELoss(decay, [0.7], [0.4])

    def value(a, tau, c):
        return (mpmath.mpf("0.4") - a * mpmath.exp(-mpmath.mpf(0.7) / tau) - c) ** 2

    point = (2.0, 1.5, 0.3)
    H = loss.hessian(point)
    with mpmath.workdps(30):
        for i in range(3):
            for j in range(3):
                orders = tuple((i == k) + (j == k) for k in range(3))
                wanted = float(mpmath.diff(value, point, orders))
                assert H[i, j] == pytest.approx(wanted, rel=1e-12, abs=1e-14)


def test_products_with_the_jacobian(case):
    """<J v, e> = <v, J' e>, J v by differences, and both with what is built of them."""
    loss, theta, rng = case.loss, case.theta, case.rng
    v, e = rng.standard_normal(case.P), rng.standard_normal(case.shape)
    t, back = loss.jvp(theta, v), loss.vjp(theta, e)
    assert t.shape == case.shape and back.shape == (case.P,)
    left, right = np.vdot(t, e), np.vdot(v, back)
    size = np.abs(t * e).sum() + np.abs(v * back).sum()
    assert abs(left - right) <= 100 * EPS * size
    step = 1e-30
    moved = case.predict(theta + 1j * step * v).imag / step
    np.testing.assert_allclose(t.reshape(moved.shape), moved, rtol=0, atol=1e-13 * scale(moved))
    w = case.w.reshape(-1, *[1] * (len(case.shape) - 1))
    gradient = loss.vjp(theta, w * loss.residuals(theta)) * (-2 / case.K)
    assert np.abs(gradient - loss.gradient(theta)).max() <= 1e-13 * scale(gradient)


def test_second_order_products(case):
    loss, theta, rng = case.loss, case.theta, case.rng
    d = rng.standard_normal(case.P)
    H, G = loss.hessian(theta), loss.gauss_newton(theta)
    tolerance = 1e-12 * (scale(H) + scale(G)) * scale(d) * case.P
    assert np.abs(loss.hessian_vector(theta, d) - H @ d).max() <= tolerance
    assert abs(loss.curvature(theta, d) - d @ H @ d) <= tolerance * scale(d) * case.P
    J = np.array([loss.jvp(theta, v).reshape(case.K, -1) for v in np.eye(case.P)])
    wanted = 2 / case.K * np.einsum("ikn,k,jkn->ij", J, case.w, J)
    assert np.abs(G - wanted).max() <= 1e-13 * scale(G)
    np.testing.assert_array_equal(G, G.T)


def test_gauss_newton_is_the_hessian_where_nothing_is_left():
    """At a perfect fit the second derivatives of f have no weight."""
    t = uniform(40)
    theta = (2.0, 1.5, 0.3)
    loss = tw.MSELoss(decay, t, decay(t, *theta))
    assert loss.value(theta) <= 10 * EPS
    G = loss.gauss_newton(theta)
    np.testing.assert_allclose(loss.hessian(theta), G, rtol=0, atol=1e-13 * scale(G))


def test_coordinates(case):
    state = case.loss.coordinate_state(case.theta)
    G, gradient = case.loss.gauss_newton(case.theta), case.loss.gradient(case.theta)
    for j in range(case.P):
        slope, curvature = state.partial(j)
        assert slope == pytest.approx(gradient[j], rel=1e-12, abs=1e-13 * scale(gradient))
        assert curvature == pytest.approx(G[j, j], rel=1e-12, abs=1e-300)
    before = case.theta.copy()
    assert state.value() == case.loss.value(case.theta)
    state.move(0, 0.25)
    np.testing.assert_array_equal(case.theta, before)
    assert state.theta[0] == before[0] + 0.25
    assert state.value() == case.loss.value(state.theta)


# ---- identities ------------------------------------------------------------------------------


def test_weight_two_is_a_sample_twice():
    t, x = uniform(30), uniform(30, seed=4)
    theta = (2.0, 1.5, 0.3)
    weights = np.arange(30) % 3
    weighted = tw.MSELoss(decay, t, x, weights)
    repeated = tw.MSELoss(decay, np.repeat(t, weights), np.repeat(x, weights))
    factor = weights.sum() / 30  # the divisor is the number of samples
    value, gradient = weighted.value_and_gradient(theta)
    wanted, wanted_gradient = repeated.value_and_gradient(theta)
    assert value == pytest.approx(factor * wanted, rel=1e-13)
    np.testing.assert_allclose(gradient, factor * wanted_gradient, rtol=1e-12)
    G = repeated.gauss_newton(theta) * factor
    np.testing.assert_allclose(weighted.gauss_newton(theta), G, rtol=1e-12)


def test_the_same_network_written_otherwise():
    y, x = uniform(25), uniform(25, 2, seed=5)
    theta = np.linspace(-1, 1, 14)
    losses = [tw.MSELoss(f, y, x, n_params=14) for f in (network, listed_network)]
    values = [loss.value_and_gradient(theta) for loss in losses]
    assert values[0][0] == pytest.approx(values[1][0], rel=1e-14)
    np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-12)


def test_other_ways_to_name_model_and_data():
    t, x = uniform(20), uniform(20, seed=6)
    theta = (2.0, 1.5, 0.3)
    wanted = tw.MSELoss(decay, t, x).value(theta)
    formula = tw.MSELoss("a*exp(-t/tau) + c", t, x, independent="t")
    assert formula.names == ("a", "tau", "c") and formula.n_samples == 20
    assert formula.value(theta) == pytest.approx(wanted, rel=1e-14)
    lists = tw.MSELoss(decay, list(t), list(x))
    assert lists.value(theta) == wanted
    strided = tw.MSELoss(decay, np.repeat(t, 2)[::2], np.repeat(x, 3)[::3])
    assert strided.value(theta) == wanted
    swapped = tw.MSELoss(decay, t.astype(">f8"), x.astype(">f8"))
    assert swapped.value(theta) == wanted


def test_grids_of_a_built_in_model():
    yy, xx = np.mgrid[0:6, 0:5].astype(float)
    theta = np.array([3.0, 2.0, 2.5, 1.2, 0.5])
    model = tw.models.gaussian2d
    image = model.function((xx, yy), *theta)
    loss = tw.MSELoss("gaussian2d", (xx, yy), image)
    assert loss.n_params == len(theta) and loss.n_samples == 30
    assert loss.value(theta) <= 10 * EPS
    assert loss.residuals(theta).shape == (6, 5)


def test_arrays_of_the_closure_go_along():
    t, offset, x = uniform(20), uniform(20, seed=7), uniform(20, seed=8)
    loss = tw.MSELoss(lambda t, a: a * t + offset, t, x)
    assert loss.value([2.0]) == pytest.approx(np.mean((x - 2 * t - offset) ** 2), rel=1e-14)


def test_relu_networks_and_plain_arrays_of_symbols():
    """np.maximum, np.where and np.clip act on each element, and np.array takes symbols."""

    def relu(y, theta):
        W = np.array([[theta[0], theta[1]], [theta[2], theta[3]]], dtype=theta.dtype)
        h = np.maximum(W @ y + theta[4:6], 0)
        g = np.where(h > 0.5, h, 0.5 * h)
        return np.tanh(W) @ np.clip(g, 0, 2) + np.sum(np.exp(-h)) + y[0] * theta[4:6] / 2

    y, x = uniform(15, 2) - 1, uniform(15, 2)
    theta = np.array([0.5, -1.0, 2.0, 0.3, 0.1, 0.2])
    loss = tw.MSELoss(relu, y, x, n_params=6)
    wanted = np.mean(
        [np.sum((b - relu(a, theta).astype(float)) ** 2) for a, b in zip(y, x, strict=True)]
    )
    assert loss.value(theta) == pytest.approx(wanted, rel=1e-13)


def test_linear_models_have_a_line_minimum():
    t, x = uniform(30), uniform(30, seed=9)
    loss = tw.MSELoss(lambda t, a, b: a * np.exp(t) + b * t**2 + 1, t, x)
    assert loss.is_quadratic
    theta, d = np.array([0.3, -0.2]), np.array([1.0, 2.0])
    alpha = loss.line_minimum(theta, d)
    slope = loss.gradient(theta + alpha * d) @ d
    assert abs(slope) <= 1e-12 * abs(loss.gradient(theta) @ d)
    assert loss.line_minimum(theta, [0.0, 0.0]) is None
    curved = tw.MSELoss(decay, t, x)
    assert not curved.is_quadratic and curved.line_minimum([1.0, 1.0, 1.0], [1.0, 0, 0]) is None


def test_threads_and_element_types():
    K = 50_000
    t, x = uniform(K), uniform(K, seed=10)
    theta = (2.0, 1.5, 0.3)
    one, two = (tw.MSELoss(decay, t, x, threads=n) for n in (1, 2))
    value, gradient = one.value_and_gradient(theta)
    assert (value, *gradient) == (two.value(theta), *two.gradient(theta))
    single = tw.MSELoss(decay, t, x, dtype=np.float32)
    assert single.value(theta) == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(single.gradient(theta), gradient, rtol=1e-4)
    halves = tw.MSELoss(decay, t.astype(np.float32), x.astype(np.float32))
    assert halves.value(theta) == pytest.approx(value, rel=1e-6)


def test_not_finite_predictions_give_nan_not_an_exception():
    loss = tw.MSELoss(decay, [1.0, 2.0], [1.0, 2.0])
    assert np.isnan(loss.value([1.0, np.nan, 0.0]))
    assert not np.isfinite(loss.value([1e300, 1.0, 0.0]))
