"""What methods of descent refuse, and how they say that they cannot go on."""

import numpy as np
import pytest
from descent_problems import Smooth, SumOfSquares

from thalweg.descent.minimize import minimize
from thalweg.losses import QuadraticLoss
from thalweg.optimizers import (
    LBFGS,
    Block,
    ConjugateGradient,
    CoordinateDescent,
    GaussNewton,
    Given,
    GradientDescent,
    HeavyBall,
    LevenbergMarquardt,
    Nesterov,
    Newton,
    SteepestDescent,
    StrongWolfe,
)
from thalweg.optimizers.precondition import incomplete_cholesky
from thalweg.status import Status

REFUSED = [
    ("step_size must be a number > 0, got 0", lambda: GradientDescent(0)),
    ("step_size must be a number > 0, got -1", lambda: HeavyBall(-1)),
    ("step_size must be a number > 0, got nan", lambda: Nesterov(np.nan)),
    ("momentum must be a number >= 0 and < 1, got 1", lambda: HeavyBall(momentum=1)),
    ("order must be one of cyclic, shuffled", lambda: CoordinateDescent("up")),
    ("updates must be a whole number", lambda: CoordinateDescent(updates=0)),
    ("c1 and c2 must meet 0 < c1 < c2 < 1", lambda: StrongWolfe(0.5, c2=0.1)),
    ("damping must be a number >= 0", lambda: Newton(damping=-1)),
    ("damping must be a number > 0", lambda: LevenbergMarquardt(damping=0)),
]


@pytest.mark.parametrize("method", [ConjugateGradient, SteepestDescent, Newton, GaussNewton, LBFGS])
@pytest.mark.parametrize("value", [0.1, "wolfe"])
def test_a_step_size_is_no_line_search(method, value):
    with pytest.raises(TypeError, match=r"line_search must be a StrongWolfe.*takes a step size"):
        method(line_search=value)


def test_a_setting_of_a_wrong_type_is_refused():
    with pytest.raises(TypeError, match="step_size must be a number > 0, got 'big'"):
        GradientDescent("big")


@pytest.mark.parametrize(("sentence", "make"), REFUSED)
def test_settings_refused(sentence, make):
    with pytest.raises(ValueError, match=sentence):
        make()


NO_CURVATURE = Smooth(2, lambda x: x @ x, lambda x: 2 * x)


UNSERVED = [
    ("Newton cannot serve this loss: Smooth has no exact Hessian", NO_CURVATURE, Newton()),
    ("GaussNewton cannot serve this loss: Smooth has no residuals", NO_CURVATURE, GaussNewton()),
    ("LevenbergMarquardt cannot serve this loss", NO_CURVATURE, LevenbergMarquardt()),
    ("no exact Hessian; LBFGS can", NO_CURVATURE, Newton()),
]


@pytest.mark.parametrize(("sentence", "loss", "method"), UNSERVED)
def test_losses_refused(sentence, loss, method):
    with pytest.raises(ValueError, match=sentence):
        minimize(loss, [1, 1], method)


PRECONDITIONERS = [
    ("preconditioner must be one of diagonal, incomplete_cholesky, got 'good'", "good"),
    ("preconditioner must have shape \\(P=2,\\) or \\(P=2, P=2\\), got \\(3,\\)", np.ones(3)),
    ("preconditioner must be positive and finite", [1, 0]),
    ("preconditioner must be symmetric", [[1, 2], [0, 1]]),
    ("preconditioner must be positive definite", [[1, 2], [2, 1]]),
    ("incomplete Cholesky needs a sparse Hessian", "incomplete_cholesky"),
    ("blocks must hold each of the parameters 0 to 1 at most once", Block([[0, 0]])),
    ("the preconditioner's result must have shape \\(P=2,\\)", Given(lambda v: v[:1])),
]


@pytest.mark.parametrize(("sentence", "M"), PRECONDITIONERS)
def test_preconditioners_refused(sentence, M):
    with pytest.raises(ValueError, match=sentence):
        minimize(QuadraticLoss(np.eye(2)), [1, 1], ConjugateGradient(preconditioner=M))


def test_incomplete_cholesky_refuses_a_diagonal_that_is_not_positive():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="positive diagonal, and parameter 1 has -1"):
        incomplete_cholesky(sparse.csc_array(np.diag([1.0, -1])))


def test_bounds_need_a_diagonal_preconditioner():
    loss = QuadraticLoss(np.eye(2))
    for method in (GradientDescent, Nesterov, ConjugateGradient, LBFGS):
        with pytest.raises(ValueError, match="needs a diagonal preconditioner"):
            minimize(loss, [1, 1], method(preconditioner=np.eye(2)), bounds=(0, 2))
        assert minimize(loss, [1, 1], method(preconditioner=[1, 2]), bounds=(0, 2)).success


class Uphill(SumOfSquares):
    """A sum of squares whose Jacobian has the wrong sign."""

    def jacobian(self, theta):
        return -super().jacobian(theta)


INDEFINITE = QuadraticLoss([[1, 0], [0, -1]])


PLANE = Smooth(2, np.sum, np.ones_like)


WRONG = Smooth(2, np.sum, lambda x: -np.ones(2))


HALTS = [
    (INDEFINITE, SteepestDescent(), Status.UNBOUNDED, "curvature along"),
    (INDEFINITE, CoordinateDescent(), Status.UNBOUNDED, "along parameter 1"),
    (INDEFINITE, Newton(), Status.UNBOUNDED, "negative eigenvalue"),
    (PLANE, SteepestDescent(), Status.UNBOUNDED, "still falls at"),
    (PLANE, LBFGS(), Status.UNBOUNDED, "still falls at"),
    (WRONG, LBFGS(), Status.NO_BRACKET, "check_gradient"),
    (WRONG, SteepestDescent(), Status.NO_BRACKET, "check_gradient"),
    (
        Uphill(lambda x: x + 0, 2),
        LevenbergMarquardt(),
        Status.NO_PROGRESS,
        "no step lowers the loss",
    ),
]


FIXED = {"step_size": 0.1, "momentum": 0.5}


BOTTOMLESS = [
    GradientDescent(step_size=0.1),
    HeavyBall(**FIXED),
    Nesterov(**FIXED),
    CoordinateDescent(order="greedy"),
    SteepestDescent(),
    ConjugateGradient(),
    LBFGS(),
]


@pytest.mark.parametrize("method", BOTTOMLESS)
@pytest.mark.parametrize("start", [[1, 0.3], [1, -1.2], [1, 1e-9]])
def test_a_loss_without_a_minimum_is_soon_noticed(method, start):
    loss = QuadraticLoss([[1, 2], [2, 1]], [0.5, 0.5])  # a saddle with positive diagonal
    r = minimize(loss, start, method)
    assert r.status is Status.UNBOUNDED and "no minimum" in r.reason(), r.summary()
    assert r.loss == r.history.loss.min() and r.n_iter < 200


@pytest.mark.parametrize(
    "method", [GaussNewton(), LevenbergMarquardt(), GradientDescent(), HeavyBall(), Nesterov()]
)
def test_methods_that_look_first_find_the_saddle(method):
    r = minimize(INDEFINITE, [1, 0.3], method)
    assert r.status is Status.UNBOUNDED and "negative eigenvalue -2" in r.reason()


def test_a_flat_loss_that_rounding_takes_below_zero_is_not_bottomless():
    v = np.array([1.0, 1 / 3, -0.7])
    loss = QuadraticLoss(np.outer(v, v))
    across = np.array([1 / 3, -1.0, 0.0]) + 1e-9
    r = minimize(loss, 1e6 * across, GradientDescent(step_size=0.1), max_iter=200)
    assert r.status is not Status.UNBOUNDED


@pytest.mark.parametrize(("loss", "method", "status", "words"), HALTS)
def test_methods_that_cannot_go_on_say_why(loss, method, status, words):
    r = minimize(loss, [0.5, 1], method, gtol=0)
    assert r.status is status and words in r.reason(), r.summary()
    assert r.loss <= r.history.loss[0] and not r.success
