"""A loss of plain functions: every method on it, and what the functions may return."""

import copy
import pickle

import numpy as np
import pytest
from descent_problems import definite

import thalweg as tw
from thalweg.status import Status

METHODS = [
    tw.GradientDescent(),
    tw.SteepestDescent(),
    tw.CoordinateDescent(),
    tw.HeavyBall(),
    tw.Nesterov(),
    tw.ConjugateGradient(),
    tw.LBFGS(),
]
by_name = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)


def bowl(x):
    """A smooth convex function that is no square: sum exp(x) - 2 x + x^4."""
    return (np.exp(x) - 2 * x + x**4).sum()


def bowl_row(x):
    return np.exp(x) - 2 + 4 * x**3


def bowl_matrix(x):
    return np.diag(np.exp(x) + 12 * x**2)


CAMEL_MINIMA = [(0.0898420131, -0.7126564030), (-1.7036067, 0.7960836), (1.6071048, 0.5686515)]


def camel(t):
    """The six-hump camel-back function of Dixon and Szego."""
    x, y = t
    return (4 - 2.1 * x * x + x**4 / 3) * x * x + x * y + (4 * y * y - 4) * y * y


def camel_row(t):
    x, y = t
    return [8 * x - 8.4 * x**3 + 2 * x**5 + y, x - 8 * y + 16 * y**3]


@by_name
@pytest.mark.parametrize("size", [1.0, 1e-12, 1e12])
@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e9])
def test_every_method_serves_a_gradient_alone(method, size, unit):
    """In any unit of the loss and of the parameters."""
    loss = tw.FunctionLoss(
        lambda x: size * bowl(x / unit), lambda x: size / unit * bowl_row(x / unit)
    )
    r = tw.minimize(loss, unit * np.array([-1.0, 0.5, 1.5]), method, max_iter=3000)
    g = bowl_row(r.theta / unit)
    assert r.success and np.abs(g).max() <= 1e-6, r.summary()


@by_name
def test_a_gradient_alone_within_bounds(method):
    if not method.bounds:
        return
    loss = tw.FunctionLoss(bowl, bowl_row)
    r = tw.minimize(loss, [0, 0, 0.5], method, bounds=([-1, -1, 0.4], [0.1, 1, 1]))
    free = bowl_row(r.theta)[1]
    assert r.success and r.theta[0] == 0.1 and abs(free) < 1e-6, r.summary()
    assert r.theta[2] == pytest.approx(max(0.4, r.theta[1]), abs=1e-6)


@by_name
def test_default_tolerances_are_met_next_to_a_minimum(method):
    """Rounding hides the last falls of the loss; the slope tells which steps are downhill."""
    rng = np.random.default_rng(0)
    loss = tw.FunctionLoss(camel, camel_row)
    for start in rng.uniform(-2, 2, (25, 2)):
        r = tw.minimize(loss, start, method, max_iter=5000)
        assert r.success, r.summary()
        assert np.abs(camel_row(r.theta)).max() <= 1e-5, r.summary()


@by_name
def test_a_gradient_of_the_wrong_sign_is_named(method):
    loss = tw.FunctionLoss(bowl, lambda x: -bowl_row(x))
    for start in (np.ones(2), np.array([-3.0, 0.2]), np.array([1e-3, 5.0])):
        r = tw.minimize(loss, start, method)
        assert not r.success and "check_gradient" in r.reason(), r.summary()


@pytest.mark.parametrize("method", [tw.GradientDescent, tw.HeavyBall, tw.Nesterov])
@pytest.mark.parametrize("step_size", [1e-3, 0.1, 10.0])
def test_a_wrong_sign_is_named_for_a_given_step_too(method, step_size):
    B = definite(np.random.default_rng(0), 3)
    loss = tw.FunctionLoss(lambda x: x @ B @ x, lambda x: -2 * B @ x)
    r = tw.minimize(loss, np.ones(3), method(step_size), max_iter=20_000)
    assert r.status is Status.DIVERGED and "check_gradient" in r.reason(), r.summary()


def test_a_right_gradient_is_not_blamed_for_a_large_step():
    B = definite(np.random.default_rng(0), 3)
    loss = tw.FunctionLoss(lambda x: x @ B @ x, lambda x: 2 * B @ x, lambda x: 2 * B)
    r = tw.minimize(loss, np.ones(3), tw.GradientDescent(0.11))
    assert r.status is Status.DIVERGED and "exceeds 2/sigma_max = 0.1" in r.reason()


def test_second_derivatives_serve_newton_in_either_form():
    start = np.full(3, 2.0)
    wanted = tw.minimize(tw.FunctionLoss(bowl, bowl_row, bowl_matrix), start, tw.Newton())
    assert wanted.success and wanted.n_iter < 12
    product = tw.FunctionLoss(bowl, bowl_row, hessian_vector=lambda x, d: bowl_matrix(x) @ d)
    assert np.allclose(tw.minimize(product, start, tw.Newton()).theta, wanted.theta)
    assert np.array_equal(product.hessian(start), bowl_matrix(start))


def test_one_function_may_return_both():
    calls = []

    def both(x):
        calls.append(1)
        return bowl(x), bowl_row(x)

    loss = tw.FunctionLoss(both, True)
    assert loss.value([1, 2]) == bowl(np.array([1.0, 2])) and len(calls) == 1
    gradient = loss.value_and_gradient([1, 2])[1]
    assert len(calls) == 2 and np.array_equal(gradient, bowl_row(np.array([1.0, 2])))
    assert tw.minimize(loss, np.zeros(2), tw.LBFGS()).success


def test_functions_cannot_spoil_the_descent():
    """They get a copy of theta, and what they return is copied."""
    kept = np.zeros(2)

    def value(x):
        x *= 2
        return float((x / 2) @ (x / 2))

    def gradient(x):
        kept[:] = 2 * x
        x[:] = np.nan
        return kept

    r = tw.minimize(tw.FunctionLoss(value, gradient), [1, 2], tw.LBFGS())
    assert r.success and np.allclose(r.theta, 0, atol=1e-6)


def test_the_number_of_parameters_is_learnt():
    loss = tw.FunctionLoss(bowl, bowl_row)
    with pytest.raises(ValueError, match="number of parameters is not known yet: give n_params"):
        _ = loss.n_params
    for P in (2, 5, 1):  # another start may have another size
        assert tw.minimize(loss, np.zeros(P), tw.LBFGS()).theta.shape == (P,)
        assert loss.n_params == P
    with pytest.raises(ValueError, match=r"theta must have shape \(P=2,\), got \(3,\)"):
        tw.FunctionLoss(bowl, bowl_row, n_params=2).value(np.zeros(3))
    with pytest.raises(ValueError, match=r"theta0 must have shape \(P,\), got \(2, 2\)"):
        tw.minimize(loss, np.zeros((2, 2)), tw.LBFGS())
    assert tw.check_gradient(loss, [1.0, 2.0]).passed


def test_exceptions_come_out_as_they_are():
    class Mine(Exception):
        pass

    def gradient(x):
        if (x > 0.5).any():
            raise Mine("here")
        return bowl_row(x)

    with pytest.raises(Mine, match="here") as caught:
        tw.minimize(tw.FunctionLoss(bowl, gradient), np.zeros(2), tw.GradientDescent())
    assert caught.value.result.loss <= bowl(np.zeros(2))


def test_scalars_serve_one_parameter():
    loss = tw.FunctionLoss(lambda x: (x[0] - 3) ** 2, lambda x: 2 * (x[0] - 3))
    assert tw.minimize(loss, 0.0, tw.LBFGS()).theta == pytest.approx(3)
    loss = tw.FunctionLoss(lambda x: (x - 3) ** 2, lambda x: 2 * (x - 3))  # arrays of one number
    assert tw.minimize(loss, [0.0], tw.LBFGS()).theta == pytest.approx(3)


def test_copies():
    loss = tw.FunctionLoss(bowl, bowl_row, n_params=2)
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert other.value([1, 2]) == loss.value([1, 2])


REFUSED = [
    (TypeError, "FunctionLoss needs the gradient", lambda: tw.FunctionLoss(bowl)),
    (TypeError, "value must be a function of theta, got 3", lambda: tw.FunctionLoss(3, bowl_row)),
    (TypeError, "gradient must be a function of", lambda: tw.FunctionLoss(bowl, np.ones(2))),
    (TypeError, "hessian must be a function of", lambda: tw.FunctionLoss(bowl, bowl_row, [[1]])),
    (ValueError, "n_params must be", lambda: tw.FunctionLoss(bowl, bowl_row, n_params=0)),
]
RETURNS = [
    (TypeError, "what value returns must be numbers, got None", lambda x: None, bowl_row),
    (ValueError, r"one number, got an array of shape \(2,\)", lambda x: x, bowl_row),
    (TypeError, "what value returns must be real", lambda x: 1j, bowl_row),
    (ValueError, r"gradient must return an array of shape \(2,\), got \(3,\)", bowl,
     lambda x: np.ones(3)),
    (ValueError, r"gradient must return an array of shape \(2,\), got \(\)", bowl, lambda x: 1.0),
    (TypeError, "what gradient returns must be numbers", bowl, lambda x: None),
    (TypeError, "return the pair .value, gradient., got float", lambda x: 1.0, True),
]  # fmt: skip


@pytest.mark.parametrize(("error", "sentence", "make"), REFUSED)
def test_refusals(error, sentence, make):
    with pytest.raises(error, match=sentence):
        make()


@pytest.mark.parametrize(("error", "sentence", "value", "gradient"), RETURNS)
def test_wrong_returns_are_named(error, sentence, value, gradient):
    with pytest.raises(error, match=sentence):
        tw.minimize(tw.FunctionLoss(value, gradient), np.ones(2), tw.LBFGS())


def test_a_hessian_that_is_not_symmetric_is_named():
    loss = tw.FunctionLoss(bowl, bowl_row, lambda x: np.array([[1.0, 2], [0, 1]]))
    with pytest.raises(ValueError, match=r"elements \[0, 1\] and \[1, 0\] are 2 and 0"):
        loss.hessian([0, 0])


def test_a_plain_function_is_refused_with_the_cure():
    for call in (tw.check_gradient, lambda f, x: tw.minimize(f, x, tw.LBFGS())):
        with pytest.raises(TypeError, match=r"FunctionLoss.value, gradient. makes (one|a loss) of"):
            call(bowl, [1.0, 2.0])


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_single_precision_hides_more_of_the_falls(method):
    """A loss known to seven digits is not blamed for a wrong gradient next to its minimum."""
    t = np.linspace(0, 4, 60)
    y = 2 * np.exp(-t / 1.5) + 0.3 + 0.05 * np.cos(9 * t)
    loss = tw.MSELoss("a*exp(-k*t) + c", t, y, independent="t", dtype=np.float32)
    exact = tw.MSELoss("a*exp(-k*t) + c", t, y, independent="t")
    want = tw.minimize(exact, [1.0, 1.0, 0.0], tw.LevenbergMarquardt()).loss
    r = tw.minimize(loss, [1.0, 1.0, 0.0], method, max_iter=3000, gtol=1e-6)
    assert "check_gradient" not in r.reason(), r.summary()
    assert exact.value(r.theta) <= want * (1 + 1e-4), r.summary()
