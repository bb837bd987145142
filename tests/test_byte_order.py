"""Arrays whose type names the byte order of this machine are taken everywhere."""

import numpy as np
import pytest
import scipy.sparse as sp
from byte_order import named

import thalweg as tw

X = np.arange(4.0)
SPARSE = sp.csc_array(np.eye(4))
SPARSE.data = named(SPARSE.data)
CALLS = {
    "fit": lambda a: tw.fit("line", a(X), a(2 * X), a(np.ones(2)), sigma=a(np.ones(4))).params,
    "curve_fit": lambda a: tw.curve_fit(lambda t, k: k * t, a(X), a(2 * X))[0],
    "coordinate_descent": lambda a: tw.coordinate_descent(a(np.eye(4)), a(X)).theta,
    "coordinate_sweep": lambda a: (
        tw.kernels.coordinate_sweep(a(np.eye(4)), a(np.zeros(4)), a(X.copy())).largest_change
    ),
    "normal_equations": lambda a: tw.kernels.normal_equations(
        a(np.ones((2, 3, 4))), a(np.ones((2, 3)))
    )[0],
    "block_pivoting": lambda a: tw.kernels.block_pivoting(a(np.eye(4)), a(X)).theta,
    "quadratic loss": lambda a: tw.QuadraticLoss(a(np.eye(4)), a(X)).value(a(np.ones(4))),
    "linear loss": lambda a: tw.LinearLeastSquares(a(np.eye(4)), a(X)).gradient(a(np.ones(4))),
    "minimize": lambda a: tw.minimize(tw.LinearLeastSquares(np.eye(4), X), a(np.ones(4))).theta,
}


@pytest.mark.parametrize("name", CALLS)
def test_the_byte_order_may_be_named(name):
    np.testing.assert_array_equal(CALLS[name](named), CALLS[name](np.asarray))


def test_the_values_of_sparse_matrices_too():
    assert np.allclose(tw.coordinate_descent(SPARSE, X).theta, X)
    assert tw.kernels.quadratic_form(SPARSE, np.ones(4)) == 4
