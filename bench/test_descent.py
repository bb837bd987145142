"""What an iteration of descent costs besides the loss."""

from functools import partial
from time import perf_counter

import numpy as np
import pytest
from timing import ratio

from thalweg.descent.minimize import minimize
from thalweg.losses import QuadraticLoss
from thalweg.optimizers import ConjugateGradient, GradientDescent, HeavyBall

ITERATIONS = 20_000
ROUNDS = 7
LARGE = 400  # parameters


@pytest.mark.parametrize("method", [GradientDescent(0.05), HeavyBall(0.05)], ids=lambda m: m.name)
def test_iteration(method, record):
    """One iteration on a quadratic loss of two parameters: evaluation, step, tests and history."""
    loss = QuadraticLoss(np.diag([1.0, 1e-6]), [1.0, 2.0])
    run = partial(minimize, loss, [0.0, 0.0], method, max_iter=ITERATIONS, gtol=1e-12)
    assert run().n_iter == ITERATIONS and run().loss < 1e-5
    best = np.inf
    for _ in range(ROUNDS):
        start = perf_counter()
        run()
        best = min(best, perf_counter() - start)
    target = dict(at_most=10) if method == GradientDescent(0.05) else {}
    record(f"one iteration of {method.name}, P = 2", 1e6 * best / ITERATIONS, "us", **target)


def test_against_scipy(record):
    """Conjugate gradients on a quadratic loss, to the same gradient, over SciPy's."""
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((LARGE, LARGE)))
    loss = QuadraticLoss((Q * np.geomspace(1, 1e3, LARGE)) @ Q.T, rng.standard_normal(LARGE))
    start = np.zeros(LARGE)
    gtol = 1e-6 * np.abs(loss.gradient(start)).max()

    def theirs():
        return optimize.minimize(
            loss.value_and_gradient, start, jac=True, method="CG", options=dict(gtol=gtol)
        )

    ours = partial(minimize, loss, start, ConjugateGradient(), gtol=1e-6)
    assert np.abs(ours().theta - loss.theta_star).max() < 1e-3
    assert np.abs(theirs().x - loss.theta_star).max() < 1e-3
    r = ratio(ours, theirs, ROUNDS)
    record(f"conjugate gradients, P = {LARGE}, over SciPy's CG", r, "times", at_least=1)
