"""Losses can be copied, sent to other processes, and read in a few lines."""

import copy
import pickle

import numpy as np
import pytest

import thalweg as tw

T = np.linspace(0, 4, 30)
Y = 3 * np.exp(-T / 2)


def decay(t, a, tau):
    return a * np.exp(-t / tau)


def network(y, theta):
    return np.tanh(theta[:3] * y) @ theta[3:]


def value(theta):
    return theta @ theta


def gradient(theta):
    return 2 * theta


def jacobian(theta):
    return np.c_[np.ones(30), T]


def straight(theta):
    return jacobian(theta) @ theta


def losses():
    A, masked = np.c_[np.ones(30), T], np.ma.array(Y, mask=T > 3)
    return {
        "quadratic": tw.QuadraticLoss([[2, 1], [1, 3]], [1, 2]),
        "packed": tw.QuadraticLoss([2.0, 1, 3]),
        "linear": tw.LinearLeastSquares(A, masked, 1 + T),
        "columns": tw.LinearLeastSquares(A, np.c_[Y, T]),
        "formula": tw.MSELoss("a*exp(-t/tau)", T, Y, independent="t"),
        "function": tw.MSELoss(decay, T, masked, 1 + T, dtype=np.float32, threads=1),
        "model": tw.MSELoss(tw.models.exponential, T, Y),
        "network": tw.MSELoss(network, T, np.c_[Y], n_params=6),
        "from functions": tw.MSELoss.from_functions(straight, Y, 2, jacobian=jacobian),
        "plain functions": tw.FunctionLoss(value, gradient, n_params=2),
    }


NAMES = list(losses())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["pickle", "deepcopy", "copy"])
def test_a_copy_gives_the_same_bits(name, how):
    loss = losses()[name]
    theta = np.full((2, 2) if name == "columns" else loss.n_params, 0.7)
    loss.value(theta)  # programs that exist do not matter
    other = {
        "pickle": lambda: pickle.loads(pickle.dumps(loss)),
        "deepcopy": lambda: copy.deepcopy(loss),
        "copy": lambda: copy.copy(loss),
    }[how]()
    assert other.value(theta) == loss.value(theta)
    assert np.array_equal(other.gradient(theta), loss.gradient(theta))
    assert repr(other) == repr(loss)
    if isinstance(loss, tw.LeastSquares):
        assert np.array_equal(other.residuals(theta), loss.residuals(theta))


def test_a_deep_copy_does_not_share_data():
    b = Y.copy()
    loss = tw.MSELoss("a*exp(-t/tau)", T, b, independent="t")
    other, before = copy.deepcopy(loss), loss.value([3, 2])
    b += 1
    assert loss.value([3, 2]) != before and other.value([3, 2]) == before


def test_what_cannot_be_pickled_is_said_by_pickle():
    loss = tw.MSELoss(lambda t, a: a * t, T, Y)
    with pytest.raises((AttributeError, pickle.PicklingError), match=r"[Cc]an't pickle.*lambda"):
        pickle.dumps(loss)
    assert copy.deepcopy(loss).value([2.0]) == loss.value([2.0])


@pytest.mark.parametrize("name", NAMES)
def test_a_repr_is_a_few_lines(name):
    loss = losses()[name]
    text, html = repr(loss), loss._repr_html_()
    assert type(loss).__name__ in text and "P=" in text and text.count("\n") <= 3
    assert len(text) < 200 and "&lt;" not in text and "<b>" in html


def test_reprs_name_what_matters():
    all_of_them = losses()
    assert "8 of them 0" in repr(all_of_them["linear"]) and "M=2" in repr(all_of_them["columns"])
    assert "P=2: a, tau" in repr(all_of_them["function"]) and "decay" in repr(
        all_of_them["function"]
    )
    assert "value(theta)" in repr(all_of_them["plain functions"])

    class Own(tw.Loss):
        n_params = 3

        def value_and_gradient(self, theta):
            return 0.0, np.zeros(3)

    assert repr(Own()) == "<Own: L(theta)\n P=3>"


def symmetric(kind):
    rng = np.random.default_rng(0)
    B = rng.standard_normal((5, 5))
    B = B + B.T
    if kind == "sparse":
        return tw.kernels.Symmetric(pytest.importorskip("scipy.sparse").csr_array(B))
    if kind == "packed":
        return tw.kernels.Symmetric(B[np.tril_indices(5)])
    if kind == "mean":
        return tw.kernels.Symmetric(B, symmetrise=True)
    junk = B + np.triu(np.full((5, 5), 9.0), 1)  # which a lower triangle does not see
    by_columns = np.asfortranarray(junk)
    return {
        "whole": lambda: tw.kernels.Symmetric(B),
        "float32": lambda: tw.kernels.Symmetric(B.astype(np.float32)),
        "lower": lambda: tw.kernels.Symmetric(junk, triangle="lower"),
        "lower, by columns": lambda: tw.kernels.Symmetric(by_columns, triangle="lower"),
        "upper": lambda: tw.kernels.Symmetric(junk.T, triangle="upper"),
        "upper, by rows": lambda: tw.kernels.Symmetric(by_columns.T.copy(), triangle="upper"),
    }[kind]()


KINDS = ["whole", "float32", "lower", "lower, by columns", "upper", "upper, by rows", "packed",
         "mean", "sparse"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_symmetric_matrices_copy(kind):
    B, theta = symmetric(kind), np.arange(5.0)
    for other in (pickle.loads(pickle.dumps(B)), copy.deepcopy(B)):
        assert repr(other) == repr(B)
        one = tw.kernels.quadratic_form(B, theta, gradient=True)
        two = tw.kernels.quadratic_form(other, theta, gradient=True)
        assert one[0] == two[0] and np.array_equal(one[1], two[1])
        assert not np.shares_memory(other.arrays[0], B.arrays[0])
