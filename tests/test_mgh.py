"""The problems of Moré, Garbow and Hillstrom, from their standard starts, against SciPy."""

import mgh
import numpy as np
import pytest

from thalweg.descent.minimize import minimize
from thalweg.optimizers import ConjugateGradient, GaussNewton, Newton

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
        r = minimize(p.loss, p.start, method, **options)
        if not reached(r.loss, p.minima):
            numbers.discard(p.number)
    return numbers


def far(p, factor):
    """A start scaled by a factor, where the loss is a number; other starts nobody can take."""
    loss, start = p.loss, factor * p.start
    with np.errstate(all="ignore"):
        return loss, start, bool(np.isfinite(loss.value(start)))


@pytest.mark.parametrize("factor", [1, 10, 100])
def test_as_many_minima_as_minpack_by_default_from_near_and_far(factor):
    """No method, no tolerances: what users get, against MINPACK with an exact Jacobian."""
    optimize = pytest.importorskip("scipy.optimize")
    ours = theirs = 0
    for p in INSTANCES:
        loss, start, possible = far(p, factor)
        if not possible:
            continue
        with np.errstate(all="ignore"):
            x = optimize.leastsq(
                lambda x, loss=loss: -loss.residuals(x),
                start,
                Dfun=lambda x, loss=loss: loss.jacobian(x),
                full_output=True,
            )[0]
            theirs += reached(loss.value(x), p.minima)
        r = minimize(loss, start)
        ours += reached(r.loss, p.minima)
        if r.success and not reached(r.loss, p.minima):
            assert is_minimum(loss, r.theta), (p.name, r.summary())
    assert ours >= theirs, (ours, theirs)


def is_minimum(loss, theta):
    """Whether the exact Hessian curves downwards nowhere, and its step promises nothing."""
    H, g, level = loss.hessian(theta), loss.gradient(theta), loss.value(theta)
    G = np.diagonal(loss.gauss_newton(theta))
    unit = 1 / np.sqrt(np.maximum(np.where(G > 0, G, 1), np.abs(np.diagonal(H))))
    values, vectors = np.linalg.eigh(unit[:, None] * H * unit)
    along = vectors.T @ (unit * g)
    kept = np.abs(values) > 1e-8  # the error of a Hessian by central differences
    promised = 0.5 * np.sum(along[kept] ** 2 / np.abs(values[kept]))
    return values[0] > -1e-6 and promised <= 1e-6 * level


def test_gauss_newton():
    """Undamped, its steps may get tiny where J is singular: Biggs EXP6 and Penalty II."""
    assert len(solved(GaussNewton(), INSTANCES, gtol=1e-12, max_iter=300)) >= 33  # there are 35


def test_same_answers_as_least_squares_of_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    same = 0
    for p in INSTANCES:
        loss = p.loss
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
        r = minimize(loss, p.start)
        assert r.success or p.name == "Biggs EXP6", r.summary()
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
    """All instances of all 35 problems, from the standard starts; a lower loss is as good."""
    optimize = pytest.importorskip("scipy.optimize")
    differ = set()
    for p in INSTANCES:
        loss = p.loss
        with np.errstate(all="ignore"):
            theirs = optimize.minimize(
                loss.value, p.start, jac=loss.gradient, method="BFGS", options={"gtol": 1e-8}
            )
        r = minimize(
            loss, p.start, method, gtol=1e-10, max_iter=50 if p.name in FAR[method.name] else 2000
        )
        if not (agree(r.loss, theirs.fun) or r.loss < theirs.fun):
            differ.add(p.name)
    assert differ <= FAR[method.name]


def test_starts_are_those_of_the_file():
    """The residuals written here are the ones meant: their squares add up to the file's."""
    import json

    for p, entry in zip(INSTANCES, json.loads(mgh.file().read_text()), strict=True):
        loss = p.loss.value(p.start)
        assert loss == pytest.approx(entry["check_ss_at_x0"], rel=1e-12, abs=1e-25)
