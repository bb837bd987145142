"""Losses that the tests of descent share."""

import numpy as np

from thalweg.losses import LeastSquares, Loss

_STEP = 1e-30  # step of complex-step derivatives, which take no difference: nothing cancels
_CENTRAL = 6e-6  # cube root of eps, relative, for central differences


class SumOfSquares(LeastSquares):
    """L = sum r_i(theta)^2 of a residual function that takes complex numbers too.

    ``rows`` says that it takes rows of parameters as well, (k, n_params), and returns rows.
    """

    def __init__(self, residual, n_params, rows=False):
        self.function, self.n_params, self.rows = residual, n_params, rows

    def jacobian(self, theta):
        """dr_i / dtheta_j by complex steps, exact but for rounding."""
        steps = theta + 1j * _STEP * np.eye(self.n_params)
        if self.rows:
            return np.ascontiguousarray(self.function(steps).imag.T) / _STEP
        return np.stack([self.function(x).imag for x in steps], axis=1) / _STEP

    def residuals(self, theta):
        return -self.function(self.at(theta))

    def value(self, theta):
        r = self.function(self.at(theta))
        return float(r @ r)

    def value_and_gradient(self, theta):
        r = self.function(self.at(theta))
        return float(r @ r), 2 * self.jacobian(theta).T @ r

    def jvp(self, theta, v):
        return self.jacobian(theta) @ v

    def vjp(self, theta, e):
        return self.jacobian(theta).T @ e

    def gauss_newton(self, theta):
        J = self.jacobian(theta)
        return 2 * J.T @ J

    def hessian(self, theta):
        h = _CENTRAL * (np.abs(theta) + 1e-3)
        columns = [
            (self.gradient(theta + h[j] * unit) - self.gradient(theta - h[j] * unit)) / (2 * h[j])
            for j, unit in enumerate(np.eye(self.n_params))
        ]
        H = np.array(columns)
        return (H + H.T) / 2


class Smooth(Loss):
    """A loss of a function and its derivatives."""

    def __init__(self, n_params, function, gradient, hessian=None):
        self.n_params, self.function, self.row, self.matrix = n_params, function, gradient, hessian

    def value_and_gradient(self, theta):
        theta = self.at(theta)
        return float(self.function(theta)), np.asarray(self.row(theta), float)

    @property
    def has_hessian(self):
        return self.matrix is not None

    def hessian(self, theta):
        if self.matrix is None:
            return super().hessian(theta)
        return np.asarray(self.matrix(self.at(theta)), float)


def rosenbrock():
    """The curved valley (1 - x)^2 + 100 (y - x^2)^2 as a sum of squares."""
    return SumOfSquares(lambda x: np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]), 2)


def saddle():
    """x^2 - y^2 + y^4 / 4: a saddle at 0, minima -1 at (0, +-sqrt 2)."""
    return Smooth(
        2,
        lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4,
        lambda x: [2 * x[0], -2 * x[1] + x[1] ** 3],
        lambda x: [[2, 0], [0, -2 + 3 * x[1] ** 2]],
    )


def definite(rng, size, kappa=10.0):
    """A symmetric matrix with eigenvalues from 1 to kappa."""
    Q, _ = np.linalg.qr(rng.standard_normal((size, size)))
    return (Q * np.geomspace(1, kappa, size)) @ Q.T
