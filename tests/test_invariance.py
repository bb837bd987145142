"""What must not change an answer: units, the order of the points, a weight or the point again."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from problems import COARSE, MODELS, RUN_AWAY, STEPS_COMPARED, agrees, decay, gaussian, problems

import thalweg as tw

# Two paths that differ by rounding end within the step that xtol allows of each other, times the
# condition; observed 1e-12.
SAME_ANSWER = 1e-8


@pytest.mark.parametrize("model", [m for m, _ in MODELS], ids=lambda m: m.__name__)
@pytest.mark.parametrize("n_points", [40, 700])
@pytest.mark.parametrize("unit", [2.0**40, 2.0**-40, 1e12, 1e-12])
def test_the_unit_of_y_and_sigma_changes_nothing(isa, model, n_points, unit):
    """chi2 and covariance times unit^2; bit for bit where the unit is a power of two."""
    if model.__name__ in ("gaussian", "wave", "decay", "lorentzian", "two_decays"):
        linear = {"gaussian": (0, 3), "decay": (0, 2), "lorentzian": (0,), "wave": (0,)}
        scaled = np.zeros(4, bool)
        scaled[list(linear.get(model.__name__, (0, 2)))] = True
    else:
        scaled = np.ones(4, bool)
    truth = np.array(dict(MODELS)[model])
    factor = np.where(scaled[: len(truth)], unit, 1.0)
    rng = np.random.default_rng(2)
    x = np.linspace(0, 5, n_points)
    y = model(x, *truth) + 0.02 * rng.standard_normal(n_points)
    sigma = rng.uniform(0.01, 0.03, n_points)
    start = truth * 1.1
    one = tw.fit(model, x, y, start, sigma=sigma)
    other = tw.fit(model, x, y * unit, start * factor, sigma=sigma * unit)
    assert one.success
    compare = np.testing.assert_array_equal
    if np.log2(unit) % 1:
        compare = lambda a, b: np.testing.assert_allclose(a, b, rtol=SAME_ANSWER)  # noqa: E731
    else:
        assert one.n_iter == other.n_iter and one.status == other.status
    compare(other.params / factor, one.params)
    compare(other.stderr / factor, one.stderr)
    compare(other.chi2, one.chi2)


def gaussian_in_units(unit, unit_of_x):
    """The Gaussian with parameter j measured in 1/unit[j] and x in 1/unit_of_x."""

    def model(x, a, x0, s, c):
        return gaussian(
            x, a / unit[0], x0 * (unit_of_x / unit[1]), s * (unit_of_x / unit[2]), c / unit[3]
        )

    return model


@pytest.mark.parametrize("n_points", [40, 700])
@pytest.mark.parametrize("unit", [2.0**40, 2.0**-40, 1e12, 1e-12])
def test_the_units_of_x_and_of_every_parameter_change_nothing(isa, n_points, unit):
    rng = np.random.default_rng(4)
    x = np.linspace(0, 5, n_points)
    truth = np.array([4.0, 2.1, 0.6, 1.0])
    y = gaussian(x, *truth) + 0.02 * rng.standard_normal(n_points)
    bounds = np.array([0.0, 1.0, 0.1, 1.01]), np.array([9.0, 3.0, 2.0, 2.0])  # the last one binds
    start = truth * 1.1
    one = tw.fit(gaussian, x, y, start, bounds=bounds)
    assert one.success and one.at_bound.tolist() == [False, False, False, True]
    of_x = np.array([1.0, unit, unit, 1.0])
    for factor in (of_x, *np.where(np.eye(4, dtype=bool), unit, 1.0)):
        in_x = unit if factor is of_x else 1.0
        model = gaussian_in_units(factor, in_x)
        other = tw.fit(model, x * in_x, y, start * factor, bounds=[b * factor for b in bounds])
        assert other.success
        exact = np.log2(unit) % 1 == 0
        tolerance = 0 if exact and in_x != 1 else SAME_ANSWER
        np.testing.assert_allclose(other.params / factor, one.params, rtol=tolerance)
        np.testing.assert_allclose(other.stderr / factor, one.stderr, rtol=tolerance)
        np.testing.assert_allclose(other.chi2, one.chi2, rtol=tolerance)


@pytest.mark.parametrize("n_points", [12, 600])
def test_weight_two_is_the_point_twice(isa, n_points):
    """sigma / sqrt(2) for some points, or these points once more."""
    x = np.linspace(0, 4, n_points)
    y = decay(x, 3, 1, 0.5) + 0.01 * np.cos(37 * x)
    twice = np.arange(n_points) % 3 == 0
    p0 = [2, 2, 0]
    weighted = tw.fit(
        decay, x, y, p0, sigma=np.where(twice, np.sqrt(0.5), 1.0), absolute_sigma=True
    )
    x2, y2 = np.append(x, x[twice]), np.append(y, y[twice])
    repeated = tw.fit(decay, x2, y2, p0, sigma=np.ones(len(x2)), absolute_sigma=True)
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=SAME_ANSWER)
    np.testing.assert_allclose(weighted.chi2, repeated.chi2, rtol=SAME_ANSWER)
    np.testing.assert_allclose(weighted.cov, repeated.cov, rtol=SAME_ANSWER)


@given(problems(noise=0.01), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_the_points_does_not_matter(problem, random):
    order = list(range(len(problem.x)))
    random.shuffle(order)
    sigma = None if problem.sigma is None else problem.sigma[order]
    one = problem.fit(**COARSE)
    assume(one.n_iter <= STEPS_COMPARED and np.abs(one.params).max() < RUN_AWAY)
    other = problem._replace(x=problem.x[order], y=problem.y[order], sigma=sigma).fit(**COARSE)
    assert one.status == other.status
    agrees(other.params, one.params)


def test_finite_values_whose_squares_are_not_raise_no_warning():
    """The loss overflows at the start, its minimum is found all the same."""
    loss = tw.QuadraticLoss(np.eye(2), theta_star=[1e200, 0])
    r = tw.minimize(loss, [0, 0], tw.GradientDescent(0.1))
    assert r.success, r.reason()
    np.testing.assert_allclose(r.theta, [1e200, 0], rtol=1e-6)  # gtol is 1e-8 of theta_star
