"""The loop of descent: rules of stopping, what is recorded and told, and that nothing is lost."""

import numpy as np
import pytest
from descent_problems import Smooth, definite, rosenbrock
from hypothesis import given
from hypothesis import strategies as st

from thalweg.descent.minimize import minimize
from thalweg.losses import QuadraticLoss
from thalweg.optimizers import (
    ConjugateGradient,
    CoordinateDescent,
    GradientDescent,
    HeavyBall,
    LevenbergMarquardt,
    Nesterov,
    Newton,
    SteepestDescent,
)
from thalweg.status import DESCENTS, Status

ROUND = QuadraticLoss(np.eye(2), [1, 2])
VALLEY = QuadraticLoss(np.diag([1.0, 50]), [1, 2])


def test_stops_by_the_gradient():
    """sqrt(2 loss / H_jj) <= gtol |theta*_j| for every parameter, not one step sooner."""
    r = minimize(VALLEY, [0, 0], GradientDescent(), gtol=1e-6)
    reach = np.sqrt(2 * r.history.loss[:, None] / np.diag(VALLEY.hessian())) / VALLEY.theta_star
    assert r.status is Status.GTOL and r.success
    assert reach[-1].max() <= 1e-6 < reach[-2].max()
    assert r.reason().startswith("converged: every sqrt(2 loss / H_jj) <= gtol |theta*_j|")


def test_stops_by_the_step():
    r = minimize(VALLEY, [0, 0], GradientDescent(), gtol=0, xtol=1e-4, record=True)
    steps = np.linalg.norm(np.diff(r.history.theta, axis=0), axis=1)
    sizes = np.linalg.norm(r.history.theta[1:], axis=1)
    assert r.status is Status.XTOL and (steps <= 1e-4 * sizes).tolist() == [False] * (
        r.n_iter - 1
    ) + [True]


def test_stops_by_the_loss():
    loss = Smooth(2, lambda x: 1 + x @ x, lambda x: 2 * x)
    r = minimize(loss, [3, 4], GradientDescent(0.1), gtol=0, ftol=1e-3)
    changes = np.abs(np.diff(r.history.loss)) / r.history.loss[1:]
    assert r.status is Status.FTOL and changes[-1] <= 1e-3
    # what is left is x'x, and Newton's step knows it
    assert r.loss - 1 <= 1e-3 * r.loss


@pytest.mark.parametrize("rule", [dict(xtol=1e-4), dict(ftol=1e-4)])
def test_small_steps_alone_are_no_success(rule):
    """A tiny step size makes tiny steps anywhere."""
    r = minimize(VALLEY, [0, 0], GradientDescent(1e-7), gtol=0, max_iter=200, **rule)
    assert r.status is Status.MAX_ITER and not r.success


def test_one_small_step_does_not_stop_where_parameters_take_turns():
    """The first parameter is at its minimum already, and the first update moves nothing."""
    loss = QuadraticLoss(np.eye(3), [0, 1, 2])
    r = minimize(loss, np.zeros(3), CoordinateDescent(updates=1), xtol=1e-3, ftol=1e-3)
    assert r.status is Status.GTOL and np.array_equal(r.theta, [0, 1, 2])


def test_stops_at_max_iter_with_the_best_point():
    r = minimize(VALLEY, [0, 0], GradientDescent(), max_iter=3)
    assert r.status is Status.MAX_ITER and r.n_iter == 3 and not r.success
    r = minimize(VALLEY, [0, 0], GradientDescent(), max_iter=0)
    assert r.n_iter == 0 and np.array_equal(r.theta, [0, 0])


def test_stops_in_time():
    r = minimize(VALLEY, [0, 0], GradientDescent(1e-6), max_iter=10**9, time_limit=0.02)
    assert r.status is Status.TIME and 0 < r.n_iter < 10**7


def test_stalls_honestly():
    r = minimize(ROUND, [1e9, 1e9], GradientDescent(1e-30))
    assert (
        r.status is Status.NO_PROGRESS and r.n_iter == 1 and "step_size is too small" in r.reason()
    )


def test_a_zero_gradient_at_the_start():
    constant = QuadraticLoss(np.zeros((2, 2)))
    for method in (GradientDescent(), Newton(), LevenbergMarquardt(), CoordinateDescent()):
        r = minimize(constant, [1, 2], method)
        assert r.status is Status.STATIONARY and r.n_iter == 0 and "does not depend" in r.reason()


@pytest.mark.parametrize(
    ("method", "limit", "best"),
    [
        (GradientDescent, "2/sigma_max = 0.02", "best fixed 0.0196, any < 0.02 converges"),
        (
            lambda a: HeavyBall(a, momentum=0.5),
            "3/sigma_max = 0.03",
            "best fixed 0.0294, any < 0.03 converges",
        ),
        (
            lambda a: Nesterov(a, momentum=0.5),
            "1.5/sigma_max = 0.015",
            "best fixed 0.0146, any < 0.015 converges",
        ),
    ],
)
def test_divergence_says_what_would_have_worked(method, limit, best):
    r = minimize(VALLEY, [0, 0], method(0.04), max_iter=500)
    assert r.status is Status.DIVERGED and r.n_iter < 60
    most = limit.split()[-1]
    assert r.reason() == f"step_size 0.04 exceeds {limit} of this loss; {best}"
    assert r.loss == r.history.loss.min() <= VALLEY.value([0, 0])
    safe = minimize(VALLEY, [0, 0], method(0.99 * float(most)), max_iter=100_000)
    assert safe.success


def test_divergence_of_others():
    r = minimize(rosenbrock(), [-1.2, 1], GradientDescent(0.1))
    assert not r.success and "2/sigma_max" in r.reason() and "at the best point" in r.reason()
    r = minimize(Smooth(1, lambda x: x[0] ** 2, lambda x: 2 * x), [1], GradientDescent(2))
    assert r.status is Status.DIVERGED and r.reason() == DESCENTS[Status.DIVERGED]
    r = minimize(QuadraticLoss([[1, 0], [0, -1]]), [0.5, 1], GradientDescent(0.4), max_iter=3000)
    assert not r.success and "negative eigenvalue -2" in r.reason()
    flat = QuadraticLoss([[1, 0], [0, 0]])
    assert (
        minimize(flat, [1, 1], GradientDescent(2.0))
        .reason()
        .endswith("best fixed 0.5, any < 1 converges")
    )


def test_a_loss_that_is_not_finite_on_the_way():
    loss = Smooth(1, lambda x: x[0] if x[0] > 0 else np.nan, lambda x: [1.0])
    r = minimize(loss, [1], GradientDescent(0.4))
    assert r.status is Status.NOT_FINITE and r.loss == pytest.approx(0.2)
    assert r.theta == pytest.approx(0.2) and np.isnan(r.history.loss[-1])


METHODS = [GradientDescent(0.03), HeavyBall(0.03), Nesterov(), SteepestDescent(), Newton()]


@given(seed=st.integers(0, 2**32 - 1), method=st.sampled_from(METHODS), stop=st.integers(0, 30))
def test_the_best_point_is_never_lost(seed, method, stop):
    """However it ends, no point of the history is better than the result, but by rounding."""
    rng = np.random.default_rng(seed)
    loss = QuadraticLoss(definite(rng, 3, 50.0), rng.standard_normal(3))
    seen = []

    def callback(iteration):
        seen.append(iteration.loss)
        if len(seen) == stop:
            raise KeyboardInterrupt

    try:
        r = minimize(loss, np.ones(3), method, callback=callback, gtol=0, max_iter=40)
    except KeyboardInterrupt as error:
        r = error.result
    interrupted = 0 < stop == len(seen)
    assert (r.status is Status.INTERRUPTED) == interrupted
    assert r.n_iter == stop or not interrupted
    lowest = min([loss.value(np.ones(3)), *seen])
    assert r.loss <= lowest * (1 + 1e-14) and r.loss == loss.value(r.theta)
    assert len(r.history.loss) == r.n_iter + 1 == len(r.history.step_size) + 1


def test_an_exception_carries_the_result():
    def fail(x):
        if x[0] > 0.5:
            raise RuntimeError("no value here")
        return (x[0] - 1) ** 2

    loss = Smooth(1, fail, lambda x: 2 * (x - 1))
    with pytest.raises(RuntimeError, match="no value here") as caught:
        minimize(loss, [0], GradientDescent(0.1))
    assert caught.value.result.status is Status.INTERRUPTED
    assert 0 < caught.value.result.theta[0] <= 0.5


def test_callback_sees_every_iteration_and_may_end_it():
    told = []
    r = minimize(VALLEY, [0, 0], SteepestDescent(), callback=told.append, record=True)
    assert [i.n_iter for i in told] == list(range(1, r.n_iter + 1))
    assert [i.loss for i in told] == r.history.loss[1:].tolist()
    assert np.array_equal([i.theta for i in told], r.history.theta[1:])
    r = minimize(VALLEY, [0, 0], SteepestDescent(), callback=lambda i: i.n_iter == 4)
    assert r.status is Status.CALLBACK and r.n_iter == 4


def test_progress(capsys):
    pytest.importorskip("tqdm")
    r = minimize(VALLEY, [0, 0], SteepestDescent(), progress=True, callback=lambda i: i.n_iter > 2)
    assert r.status is Status.CALLBACK and "step" in capsys.readouterr().err


def test_history():
    r = minimize(VALLEY, [0, 0], ConjugateGradient(), record=True)
    h = r.history
    assert np.array_equal(h.theta[0], [0, 0]) and np.array_equal(h.theta[-1], r.theta)
    assert h.loss.tolist() == [VALLEY.value(theta) for theta in h.theta]
    gradients = [np.linalg.norm(VALLEY.gradient(theta)) for theta in h.theta]
    assert np.allclose(h.gradient_norm, gradients, rtol=1e-14)
    assert minimize(VALLEY, [0, 0], ConjugateGradient()).history.theta is None


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_do_not_matter(method, unit):
    """A loss in another unit takes the same path, with the step size in that unit."""
    B = np.diag([1.0, 16])
    alpha = getattr(method, "step_size", "auto")
    other = type(method)(alpha / unit) if alpha != "auto" else method
    one = minimize(QuadraticLoss(B, [1, 2]), [0, 0], method)
    two = minimize(QuadraticLoss(unit * B, [1, 2]), [0, 0], other)
    assert one.n_iter == two.n_iter and np.allclose(one.theta, two.theta, rtol=1e-12)


def test_the_start_is_not_changed():
    start = np.zeros(2)
    r = minimize(VALLEY, start, CoordinateDescent())
    assert not start.any() and r.theta.flags.writeable and not np.shares_memory(r.theta, start)


def test_summary():
    text = minimize(ROUND, [0, 0], Newton()).summary()
    assert text.startswith("Newton: 1 iterations, GTOL\nloss = 0, ||gradient|| = 0\n")


REFUSED = [
    (ValueError, "theta0 must have shape \\(P=2,\\), got \\(3,\\)", dict(theta0=[1, 2, 3])),
    (ValueError, "theta0 must be finite, got nan for parameter 1", dict(theta0=[0, np.nan])),
    (ValueError, "theta0 must lie within the bounds, but parameter 0 starts at 3 outside .0, 1.",
     dict(theta0=[3, 0], bounds=(0, 1))),
    (ValueError, "the lower bound of parameter 1 exceeds the upper one: 1.0 > 0.0",
     dict(bounds=([0, 1], [1, 0]))),
    (ValueError, "the lower bound of parameter 0 is NaN", dict(bounds=(np.nan, 1))),
    (ValueError, "upper bounds must have shape \\(\\) or \\(P=2,\\), got \\(3,\\)",
     dict(bounds=(0, [1, 2, 3]))),
    (ValueError, "bounds must be a pair", dict(bounds=3)),
    (ValueError, "Newton does not keep within bounds; GradientDescent, Nesterov",
     dict(bounds=(0, 1), method=Newton())),
    (ValueError, "gtol must be a number >= 0, got -1", dict(gtol=-1)),
    (ValueError, "xtol must be a number >= 0", dict(xtol=np.nan)),
    (ValueError, "ftol must be a number >= 0", dict(ftol=np.inf)),
    (TypeError, "gtol must be a number >= 0, got 'tight'", dict(gtol="tight")),
    (TypeError, "callback must be callable, got int", dict(callback=3)),
    (ValueError, "max_iter must be a whole number", dict(max_iter=1.5)),
    (ValueError, "time_limit must be a number >= 0", dict(time_limit=-1)),
    (TypeError, "loss must be a Loss, such as QuadraticLoss or MSELoss, got ndarray",
     dict(loss=np.eye(2))),
    (TypeError, "method must be a method of descent, such as GradientDescent\\(\\), got Newton",
     dict(method=Newton)),
    (TypeError, "theta0 must be real, got complex", dict(theta0=[1j, 0])),
    (ValueError, "the loss at theta0 must be finite, got nan",
     dict(loss=Smooth(2, lambda x: np.nan, lambda x: x))),
    (ValueError, "the gradient at theta0 must be finite, got inf for parameter 0",
     dict(loss=Smooth(2, np.sum, lambda x: [np.inf, 1]))),
]  # fmt: skip


@pytest.mark.parametrize(("error", "sentence", "change"), REFUSED)
def test_refusals(error, sentence, change):
    given = dict(loss=ROUND, theta0=[0, 0], method=GradientDescent()) | change
    with pytest.raises(error, match=sentence):
        minimize(given.pop("loss"), given.pop("theta0"), given.pop("method"), **given)
