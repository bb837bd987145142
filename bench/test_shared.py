"""Global fits: decays with one lifetime, against SciPy and lmfit on the stacked problem."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

POINTS = 100
T = np.linspace(0, 10, POINTS)
START = (1.0, 1.0, 0.0)
DECAYS = 1000
DENSE_DECAYS = 100  # more would take SciPy minutes and gigabytes
LMFIT_DECAYS = 30  # its Jacobian is dense and made of differences: it takes seconds for so many


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def decays(n):
    rng = np.random.default_rng(0)
    a, c = rng.uniform(1, 3, (n, 1)), rng.uniform(0, 1, (n, 1))
    return decay(T, a, 2.5, c) + 0.05 * rng.standard_normal((n, POINTS))


def ours(y, threads=1):
    return tw.fit(decay, T, y, START, shared="tau", threads=threads)


def by_scipy(optimize, sparse, y, is_dense):
    """Fit tau, the amplitudes and the constants, as users would or with all that SciPy can do."""
    n = len(y)
    rows = np.arange(n * POINTS)
    own = np.repeat(np.arange(n), POINTS)
    columns = np.concatenate([np.zeros_like(rows), 1 + own, 1 + n + own])
    places = np.tile(rows, 3), columns

    def parts(q):
        return q[0], q[1 : n + 1, None], q[n + 1 :, None], np.exp(-T / q[0])

    def residuals(q):
        _, a, c, e = parts(q)
        return (a * e + c - y).ravel()

    def jacobian(q):
        tau, a, _, e = parts(q)
        slopes = (a * e * T / tau**2).ravel(), np.tile(e, n), np.ones(n * POINTS)
        shape = n * POINTS, 1 + 2 * n
        return sparse.csr_matrix((np.concatenate(slopes), places), shape=shape)

    start = np.concatenate([[START[1]], np.full(n, START[0]), np.full(n, START[2])])
    if is_dense:
        return optimize.least_squares(residuals, start, x_scale="jac")
    return optimize.least_squares(residuals, start, jacobian, x_scale="jac", tr_solver="lsmr")


def by_lmfit(lmfit, y):
    """Fit the same with lmfit, which has a parameter for each of them."""
    parameters = lmfit.Parameters()
    parameters.add("tau", value=START[1])
    for k in range(len(y)):
        parameters.add(f"a{k}", value=START[0])
        parameters.add(f"c{k}", value=START[2])

    def residuals(p):
        a = np.array([p[f"a{k}"].value for k in range(len(y))])[:, None]
        c = np.array([p[f"c{k}"].value for k in range(len(y))])[:, None]
        return (decay(T, a, p["tau"].value, c) - y).ravel()

    return lmfit.minimize(residuals, parameters)


@pytest.mark.parametrize(
    ("way", "n"), [("sparse, exact Jacobian", DECAYS), ("dense, differences", DENSE_DECAYS)]
)
def test_one_lifetime_against_scipy(way, n, record):
    optimize, sparse = pytest.importorskip("scipy.optimize"), pytest.importorskip("scipy.sparse")
    y = decays(n)
    peer = partial(by_scipy, optimize, sparse, y, is_dense=way.startswith("dense"))
    r, other = ours(y), peer()
    assert r.success.all()
    assert r.groups.chi2[0] <= 2 * other.cost * (1 + 1e-9)
    assert abs(r["tau"][0] - other.x[0]) < 1e-2 * r.stderr[0, 1]
    faster = ratio(partial(ours, y), peer, 3)
    target = {"at_least": 100} if way.startswith("dense") else {}
    record(f"global fit of {n} decays: SciPy, {way}", faster, "times", **target)


def test_one_lifetime_of_thirty_decays_with_lmfit(record):
    lmfit = pytest.importorskip("lmfit")
    y = decays(LMFIT_DECAYS)
    r, other = ours(y), by_lmfit(lmfit, y)
    assert r.success.all()
    assert r.groups.chi2[0] == pytest.approx(other.chisqr, rel=1e-6)
    assert r["tau"][0] == pytest.approx(other.params["tau"].value, rel=1e-5)
    assert r.stderr[0, 1] == pytest.approx(other.params["tau"].stderr, rel=1e-3)
    faster = ratio(partial(ours, y), partial(by_lmfit, lmfit, y), 3)
    record("global fit of 30 decays: lmfit", faster, "times", at_least=100)


@pytest.mark.parametrize(
    ("name", "n", "group"),
    [("one group of 100,000", 100_000, 100_000), ("20,000 groups of 3", 60_000, 3)],
)
def test_global_fits_cost_little_more_than_single_ones(name, n, group, record):
    y = decays(n)
    shared = partial(tw.fit, decay, T, y.reshape(-1, group, POINTS), START, shared="tau", threads=1)
    single = partial(tw.fit, decay, T, y, START, threads=1)
    r = shared()
    assert r.success.all()
    assert (abs(r["tau"][:, 0] - 2.5) < 6 * r.stderr[:, 0, 1]).all()
    record(f"{name}: time over that of single fits", ratio(single, shared, 3), "times", at_most=3)
