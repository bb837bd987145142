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
    """Undamped, its steps may get tiny where J is singular: Biggs EXP6 and Penalty II."""
    assert len(solved(GaussNewton(), INSTANCES, tol=1e-12, max_iter=300)) >= 33  # of 35


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


# where J is singular on the way, steps along the gradient's conjugate directions get tiny
FAR = {
    "Newton": {"Watson n=12"},
    "ConjugateGradient": {"Powell badly scaled", "Meyer", "Watson n=9", "Watson n=12"},
}


def agree(a, b):
    """Whether two losses are one minimum; the gradient's tolerance leaves some of the loss."""
    return (a <= 1e-9 and b <= 1e-9) or abs(a - b) <= 1e-4 * abs(b)


@pytest.mark.parametrize("method", [ConjugateGradient(), Newton()], ids=lambda m: m.name)
def test_same_minima_as_minimize_of_scipy(method):
    """All instances of all 35 problems, from the standard starts."""
    optimize = pytest.importorskip("scipy.optimize")
    differ = set()
    for p in INSTANCES:
        loss = SumOfSquares(p.residuals, len(p.start))
        with np.errstate(all="ignore"):
            theirs = optimize.minimize(
                loss.value, p.start, jac=loss.gradient, method="BFGS", options={"gtol": 1e-8}
            )
        r = minimize(
            loss, p.start, method, tol=1e-10, max_iter=50 if p.name in FAR[method.name] else 2000
        )
        if not agree(r.loss, theirs.fun):
            differ.add(p.name)
    assert differ <= FAR[method.name]


def test_starts_are_those_of_the_file():
    """The residuals written here are the ones meant: their squares add up to the file's."""
    import json

    for p, entry in zip(INSTANCES, json.loads(mgh.file().read_text()), strict=True):
        loss = SumOfSquares(p.residuals, len(p.start)).value(p.start)
        assert loss == pytest.approx(entry["check_ss_at_x0"], rel=1e-12, abs=1e-25)
