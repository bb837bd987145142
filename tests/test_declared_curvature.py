"""What a loss has is declared; what a user's second derivatives raise is the user's to see."""

import numpy as np
import pytest

import thalweg as tw

A, b = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0, 4.0])


class Line(tw.LeastSquares):
    """|b - A theta|^2 / 2, without a Hessian of its own."""

    n_params = 2

    def residuals(self, theta):
        return b - A @ self.at(theta)

    def value_and_gradient(self, theta):
        e = self.residuals(theta)
        return 0.5 * float(e @ e), -A.T @ e

    def jvp(self, theta, v):
        return A @ v

    def vjp(self, theta, e):
        return A.T @ e

    def gauss_newton(self, theta):
        return A.T @ A


class Wrong(Line):
    def hessian(self, theta):
        raise ValueError("operands could not be broadcast")


class WrongGaussNewton(Line):
    def gauss_newton(self, theta):
        raise ValueError("operands could not be broadcast")


class Products(tw.Loss):
    """sum (theta - 1)^4 with its Hessian's products alone."""

    n_params = 3

    def value_and_gradient(self, theta):
        u = self.at(theta) - 1
        return float((u**4).sum()), 4 * u**3

    def hessian_vector(self, theta, d):
        return 12 * (self.at(theta) - 1) ** 2 * self.at(d, "d")


METHODS = [
    tw.LevenbergMarquardt(), tw.GaussNewton(), tw.Newton(), tw.LBFGS(), tw.GradientDescent(),
    tw.CoordinateDescent(), tw.ConjugateGradient(preconditioner="diagonal"), tw.Nesterov(),
]  # fmt: skip
BUG = "^operands could not be broadcast$"


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_what_a_hessian_raises_comes_out(method):
    """Not taken for "there is none", which would go on with another matrix without a word."""
    with pytest.raises(ValueError, match=BUG) as caught:
        tw.minimize(Wrong(), [0.0, 0.0], method)
    assert isinstance(caught.value.result, tw.DescentResult)


def test_what_a_hessian_raises_comes_out_of_a_diagnosis():
    with pytest.raises(ValueError, match=BUG):
        tw.diagnose(Wrong(), [0.0, 0.0])
    with pytest.raises(ValueError, match=BUG):
        tw.diagnose(WrongGaussNewton(), [0.0, 0.0])


@pytest.mark.parametrize("method", METHODS[:2], ids=lambda m: m.name)
def test_what_a_gauss_newton_matrix_raises_comes_out(method):
    with pytest.raises(ValueError, match=BUG):
        tw.minimize(WrongGaussNewton(), [0.0, 0.0], method)


def test_what_second_derivatives_of_functions_raise_comes_out():
    def wrong(theta):
        raise ValueError("operands could not be broadcast")

    loss = tw.FunctionLoss(lambda x: (x**2).sum(), lambda x: 2 * x, wrong)
    for method in (tw.LBFGS(), tw.Newton(), tw.GradientDescent()):
        with pytest.raises(ValueError, match=BUG):
            tw.minimize(loss, [3.0, 4.0], method)


def test_what_a_loss_has():
    def recorded(x, a, c):
        return np.exp(a * x) + c

    def loss_of(**derivatives):
        return tw.MSELoss.from_functions(lambda t: A @ t, b, 2, **derivatives)

    def value(x):
        return (x**2).sum()

    vjp = dict(vjp=lambda t, e: A.T @ e)
    bent = dict(vjp_derivative=lambda t, e, d: np.zeros(2))
    jacobian = dict(jacobian=lambda t: A)
    had = [
        (tw.QuadraticLoss(np.eye(2)), True, True),
        (tw.LinearLeastSquares(A, b), True, True),
        (tw.MSELoss(recorded, A[:, 1], b), True, True),
        (loss_of(**vjp), False, False),
        (loss_of(**vjp, **bent), False, False),
        (loss_of(**jacobian), False, True),
        (loss_of(**jacobian, **bent), True, True),
        (tw.FunctionLoss(value, lambda x: 2 * x), False, False),
        (tw.FunctionLoss(value, lambda x: 2 * x, lambda x: 2 * np.eye(x.size)), True, False),
        (tw.FunctionLoss(value, lambda x: 2 * x, hessian_vector=lambda x, d: 2 * d), True, False),
        (Line(), False, True),
        (Wrong(), True, True),
        (Products(), True, False),
    ]
    for loss, hessian, gauss_newton in had:
        assert (loss.has_hessian, loss.has_gauss_newton) == (hessian, gauss_newton), loss
        for has, matrix in ((hessian, loss.hessian), (gauss_newton, loss.gauss_newton)):
            if not has:
                with pytest.raises(ValueError, match=r"has no |give hessian"):
                    matrix(np.ones(loss.n_params if loss.name != "FunctionLoss" else 2))


def test_products_are_a_hessian():
    loss = Products()
    np.testing.assert_array_equal(loss.hessian([2, 1, 0]), np.diag([12.0, 0.0, 12.0]))
    r = tw.minimize(loss, [3.0, 2.0, 0.0], tw.Newton(), gtol=1e-4, max_iter=200)
    np.testing.assert_allclose(r.theta, 1.0, atol=1e-2)
