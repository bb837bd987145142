"""The problems of Moré, Garbow and Hillstrom, from their standard starts, against SciPy."""

import mgh
import numpy as np
import pytest
from descent_problems import SumOfSquares

from thalweg.minimize import minimize
from thalweg.optimizers import ConjugateGradient, GaussNewton, LevenbergMarquardt, Newton

INSTANCES = list(mgh.load())
pytestmark = pytest.mark.skipif(not INSTANCES, reason="needs mgh_problems.json beside the project")

RELATIVE = 1e-5  # the file gives some minima to six digits
ZERO = 1e-10  # a loss whose minimum is 0; their starts have 0.01 and more


def reached(loss, minima):
    """Whether a loss is one of the known minima."""
    return any(loss <= ZERO if m == 0 else abs(loss - m) <= RELATIVE * m for m in minima)


def solved(method, instances, **options):
    """The numbers of the problems all of whose instances reached a known minimum."""
    numbers = {p.number for p in instances}
    for p in instances:
        r = minimize(SumOfSquares(p.residuals, len(p.start)), p.start, method, **options)
        if not reached(r.loss, p.minima):
            numbers.discard(p.number)
    return numbers


def test_levenberg_marquardt():
    assert len(solved(LevenbergMarquardt(), INSTANCES, tol=1e-15)) >= 35  # of 35


def test_gauss_newton():
    """The smallest instance of each; undamped, its steps may get tiny where J is singular."""
    smallest = {p.number: p for p in reversed(INSTANCES)}.values()
    assert len(solved(GaussNewton(), smallest, tol=1e-12, max_iter=300)) >= 33


def test_same_answers_as_least_squares_of_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    same = 0
    for p in INSTANCES:
        loss = SumOfSquares(p.residuals, len(p.start))
        with np.errstate(all="ignore"):
            theirs = optimize.least_squares(
                lambda x, loss=loss: -loss.residuals(x),
                p.start,
                lambda x, loss=loss: loss.jacobian(x),
                method="lm",
                xtol=1e-14,
                ftol=1e-14,
                gtol=1e-14,
            )
        r = minimize(loss, p.start, LevenbergMarquardt(), tol=1e-15)
        assert r.success, r.summary()
        level = 2 * theirs.cost
        same += r.loss <= ZERO if level <= ZERO else abs(r.loss - level) <= RELATIVE * level
    # some starts lie between two minima, and each solver goes its own way
    assert same >= len(INSTANCES) - 4


# of a moderate condition, so that what remains of the gradient decides the loss
SMOOTH = ["Beale", "Wood", "Helical valley", "Bard", "Kowalik and Osborne", "Rosenbrock"]


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("method", [ConjugateGradient(), Newton()], ids=lambda m: m.name)
def test_same_answers_as_minimize_of_scipy(name, method):
    optimize = pytest.importorskip("scipy.optimize")
    p = next(p for p in INSTANCES if p.name == name)
    loss = SumOfSquares(p.residuals, len(p.start))
    theirs = optimize.minimize(loss.value, p.start, jac=loss.gradient, method="BFGS")
    r = minimize(loss, p.start, method, tol=1e-10, max_iter=5000)
    assert r.success, r.summary()
    assert r.loss == pytest.approx(theirs.fun, rel=1e-4, abs=1e-9)


def test_starts_are_those_of_the_file():
    """The residuals written here are the ones meant: their squares add up to the file's."""
    import json

    for p, entry in zip(INSTANCES, json.loads(mgh.file().read_text()), strict=True):
        loss = SumOfSquares(p.residuals, len(p.start)).value(p.start)
        assert loss == pytest.approx(entry["check_ss_at_x0"], rel=1e-12, abs=1e-25)
