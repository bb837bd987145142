"""Bounds: the minimum inside them is found, exactly on them where it lies there, and in the end."""

import time

import numpy as np
import pytest
import scipy.optimize
from problems import gaussian, line, nearly_equal

import thalweg as tw
from thalweg.status import Status


@pytest.mark.parametrize("n_points", [40, 600])
def test_bounded_linear_problems_end_at_their_minimum(isa, n_points):
    """The minimum of a convex problem is one, and other solvers find it too."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        P = int(rng.integers(2, 6))
        common = rng.uniform(0, 1)  # 1: all columns alike
        A = (1 - common) * rng.standard_normal((n_points, P))
        A += common * rng.standard_normal((n_points, 1))
        y = A @ rng.standard_normal(P) * 10 + 0.1 * rng.standard_normal(n_points)
        lower, upper = -rng.uniform(0.01, 5, P), rng.uniform(0.01, 5, P)
        names = [f"p{j}" for j in range(P)]
        formula = " + ".join(f"{name}*x{j}" for j, name in enumerate(names))
        independent = [f"x{j}" for j in range(P)]
        r = tw.fit(
            formula,
            tuple(A.T.copy()),
            y,
            dict.fromkeys(names, 0.0),
            bounds=dict(zip(names, zip(lower, upper, strict=True), strict=True)),
            independent=independent,
        )
        best = scipy.optimize.lsq_linear(A, y, (lower, upper), method="bvls", tol=1e-14)
        assert r.success, r.reason()
        np.testing.assert_allclose(r.chi2, 2 * best.cost, rtol=1e-10)


# Found by a search among random problems; it once went on for ever.
UNDECIDED = dict(
    x=[0.10651777497590775, 0.20275378605321692, 3.6249778928240524, 4.18070706113304],
    y=[1.1337374001156864, 1.043737187896856, 1.1018008203212852, 1.026120901369907],
    p0=[4.892087190927988, 2.4092381677677586, 0.45929634397858604, 0.8343074216885598],
    bounds=(
        [3.4246119427425463, 1.7948052984824798, -np.inf, -np.inf],
        [5.065711260580313, np.inf, 0.7455184281788279, 1.1723636111302578],
    ),
)


@pytest.mark.parametrize("max_iter", [50, 2000])
def test_no_fit_takes_more_steps_than_it_may(isa, max_iter):
    """The callback ends what would never end."""
    end = time.perf_counter() + 2
    r = tw.fit(
        gaussian,
        **UNDECIDED,
        xtol=1e-5,
        ftol=1e-8,
        gtol=1e-5,
        max_iter=max_iter,
        callback=lambda done, total: time.perf_counter() > end,
    )
    assert r.status != Status.NOT_RUN, "it did not end"
    assert r.n_iter <= max_iter


@pytest.mark.parametrize(
    ("apart", "size"), [(0.3, 10), (0.3, 100), (0.14, 100), (0.05, 100), (0.02, 1000)]
)
def test_two_bounds_met_at_once_do_not_end_a_fit(isa, apart, size):
    """Cutting both steps at their bounds gives a step that leads uphill: no sign of convergence."""
    x, u = np.array([[1.0, 1, 1, 1], [1.0, -1, 1, -1]])
    columns = x, x + apart * u
    y = size * (columns[0] - columns[1])
    box = np.array([-5.0, -5.0]), np.array([0.1, 5.0])
    r = tw.fit(lambda xs, a, b: a * xs[0] + b * xs[1], columns, y, [0.0, 0.0], bounds=box)
    best = scipy.optimize.lsq_linear(np.column_stack(columns), y, box, method="bvls", tol=1e-14)
    assert r.success, r.reason()
    np.testing.assert_allclose(r.chi2, 2 * best.cost, rtol=1e-12)
    np.testing.assert_allclose(r.params, best.x, rtol=1e-8)


def test_a_bound_lets_go_when_descent_turns_inwards(isa):
    """From a start at both bounds; and a path that meets a bound on the way and leaves it."""
    x = np.linspace(0, 4, 60)
    y = gaussian(x, 3, 2, 0.5, 1)
    lower, upper = [0, 0.5, 0.1, 0], [10, 3.9, 4, 2]
    for start in (lower, upper, [10, 0.5, 4, 0], [0.1, 2.5, 0.1, 0]):
        start = np.array(start, float)
        start[0] = max(start[0], 0.1)  # a = 0 is a stationary point: the others have no effect
        r = tw.fit(gaussian, x, y, start, bounds=(lower, upper))
        if r.chi2 < 1e-10:
            np.testing.assert_allclose(r.params, [3, 2, 0.5, 1], rtol=1e-7)
            assert not r.at_bound.any()
        else:
            assert r.at_bound.any() or not r.success
    r = tw.fit(line, x, 1 + 2 * x, [5.0, 0.0], bounds=([0, 0], [5, 5]))
    np.testing.assert_allclose(r.params, [1, 2], rtol=1e-9)
    assert r.success and not r.at_bound.any()


def test_no_result_leaves_its_bounds(isa):
    """Fits along a narrow valley that meet a tolerance early, with bounds at all distances."""
    rng = np.random.default_rng(0)
    fits = 400
    columns = nearly_equal(40, 2.0**-11)
    noise = 10.0 ** -rng.integers(9, 13, (fits, 1)) * rng.standard_normal((fits, 40))
    y = columns[0] + columns[1] + noise
    start = 1 + 10.0 ** -rng.uniform(3, 7, (fits, 1)) * [1, -1]
    lower = start - 10.0 ** -rng.uniform(8, 16, (fits, 2))
    upper = start + 10.0 ** -rng.uniform(8, 16, (fits, 2))
    lower[::3, 0], upper[1::3, 1] = -9, 9
    r = tw.fit(lambda xs, a, b: a * xs[0] + b * xs[1], columns, y, start, bounds=(lower, upper))
    assert ((lower <= r.params) & (r.params <= upper)).all()


@pytest.mark.parametrize("bound", [1e-17, 0.1, 1 / 3, 1e-300])
def test_what_ends_at_a_bound_ends_there_exactly(isa, bound):
    """Although start + (bound - start), the cut step, is rounded."""
    x = np.linspace(0, 1, 20)
    lower = tw.fit(line, x, -2 - 3 * x, [1.0, 1.0], bounds=([bound, bound], [9, 9]))
    upper = tw.fit(line, x, 2 + 3 * x, [-1.0, -1.0], bounds=([-9, -9], [-bound, -bound]))
    for r, end in ((lower, bound), (upper, -bound)):
        assert r.success and r.at_bound.all()
        np.testing.assert_array_equal(r.params, [end, end])


def test_the_covariance_of_what_is_fixed_for_one_fit_is_zero_whatever_the_fit_ends_in():
    x = np.linspace(0, 1, 6)
    y = np.stack([2 * x + 1, 2 * x + 1, np.where(x > 0.5, np.inf, x)])
    fixed = np.array([[False, False, True], [False, True, False], [True, False, False]])
    r = tw.fit(lambda x, a, b, c: a * x + b * x + c, x, y, (1.0, 1, 0), fixed=fixed)
    assert r.status[0] == tw.Status.SINGULAR and r.status[2] == tw.Status.NOT_FINITE
    assert (r.cov[fixed] == 0).all() and (r.cov.swapaxes(1, 2)[fixed] == 0).all()
    assert (r.stderr[fixed] == 0).all() and np.isinf(r.cov[0, 0, 0])
