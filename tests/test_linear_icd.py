"""Images by iterative coordinate descent: as the specification does it, and at the minimum."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from icd_cases import EPS, Case, Field, case, cost, pairs
from scipy.optimize import minimize, nnls
from sizes import around, constant

import thalweg as tw
from thalweg.linear import (
    QGGMRF,
    ConvergenceWarning,
    GaussianPrior,
    ImageHistory,
    ProximalPrior,
    icd,
    image_descent,
)
from thalweg.status import Status

GRIDS = [(1, 1), (1, 7), (6, 1), (2, 2), (3, 5), (7, 6), (1, 1, 1), (2, 3, 4), (3, 1, 5)]
ORDERS = ["cyclic", "shuffled", "nonhomogeneous"]


def of_number(shape, few):
    """4 or 8 neighbours, or 6 or 26."""
    return {2: (8, 4), 3: (26, 6)}[len(shape)][few]


def solve(c, prior, **how):
    """Reconstruct, with the tolerance that rounding allows unless another is given."""
    how = dict(shape=c.shape, prior=prior, seed=0, tol=1e-12) | how
    return icd(c.A, c.y, c.weights, **how)


# ---- against solvers of another kind -------------------------------------------------------------


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("shape", [(1, 7), (7, 6), (2, 3, 4)])
def test_a_gaussian_prior_gives_the_solution_of_the_normal_equations(isa, shape, few):
    c, k = case(shape), of_number(shape, few)
    r = solve(c, GaussianPrior(0.3, neighbours=k), positive=False)
    A, D = c.A.toarray(), Field(shape, k, 0.3).matrix(c.A.shape[1])
    H = A.T @ (c.w[:, None] * A) + D.T @ D
    want = np.linalg.solve(H, A.T @ (c.w * c.y))
    # a way of 1e-12 to the minimum of each pixel, times the condition of the equations
    error = 1e-12 * np.abs(want).max() * np.linalg.cond(H / np.sqrt(np.outer(*[np.diag(H)] * 2)))
    assert r.success and r.x.shape == shape
    np.testing.assert_allclose(r.x.ravel(), want, rtol=0, atol=error)


@pytest.mark.parametrize("shape", [(7, 6), (2, 3, 4)])
def test_a_positive_image_is_that_of_scipys_nnls(isa, shape):
    c, k = case(shape), of_number(shape, False)
    r = solve(c, GaussianPrior(2.0))
    D = Field(shape, k, 2.0).matrix(c.A.shape[1])
    A = np.vstack([np.sqrt(c.w)[:, None] * c.A.toarray(), D])
    want = nnls(A, np.r_[np.sqrt(c.w) * c.y, np.zeros(len(D))])[0]
    assert r.success and (r.x >= 0).all() and (r.x == 0).any()
    np.testing.assert_allclose(r.x.ravel(), want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("p, T", [(1.0, 1.0), (1.2, 0.1), (1.7, 5.0), (2.0, 1.0)])
@pytest.mark.parametrize("shape", [(7, 6), (2, 3, 4)])
def test_a_q_generalised_prior_gives_the_minimum(isa, shape, p, T, positive):
    c, k = case(shape), of_number(shape, False)
    field = Field(shape, k, 0.1, p, T)
    r = solve(c, QGGMRF(0.1, p=p, T=T), positive=positive)
    F, gradient = cost(c, field, r.x)
    assert r.success
    np.testing.assert_allclose(r.cost, F, rtol=1e-13)
    # the conditions of Karush, Kuhn and Tucker: slopes times ways of 1e-12 of an image of size 2
    at_bound = positive & (r.x.ravel() == 0)
    scale = np.abs(gradient).max() + (c.w[:, None] * c.A.toarray() ** 2).sum(0).max() + 1 / 0.1**2
    assert np.abs(gradient[~at_bound]).max() < 1e-10 * scale
    assert (gradient[at_bound] > -1e-10 * scale).all()
    other = minimize(
        lambda x: cost(c, field, x),
        np.ones(c.A.shape[1]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0 if positive else None, None)] * c.A.shape[1],
        options=dict(maxiter=5000, maxfun=10**6, ftol=1e-15, gtol=1e-9, maxcor=30),
    )
    assert F <= other.fun * (1 + 1e-13)
    np.testing.assert_allclose(F, other.fun, rtol=1e-9)


def test_a_proximal_prior_gives_the_proximal_map(isa):
    c = case((4, 5))
    v = np.random.default_rng(1).uniform(-1, 2, (4, 5))
    r = solve(c, ProximalPrior(v, 0.4), positive=False)
    A = c.A.toarray()
    H = A.T @ (c.w[:, None] * A) + np.eye(20) / 0.16
    want = np.linalg.solve(H, A.T @ (c.w * c.y) + v.ravel() / 0.16)
    np.testing.assert_allclose(r.x.ravel(), want, rtol=0, atol=1e-9)
    empty = np.diff(c.A.indptr) == 0
    np.testing.assert_allclose(r.x.ravel()[empty], v.ravel()[empty], rtol=0, atol=1e-12)
    positive = solve(c, ProximalPrior(v, 0.4))
    want = np.maximum(v.ravel()[empty], 0)
    np.testing.assert_allclose(positive.x.ravel()[empty], want, rtol=4 * EPS, atol=0)


@pytest.mark.parametrize("p", [1.0, 1.5])
def test_of_two_pixels_the_minimum_is_known(p):
    """The first is measured as 1, the second not at all: it is drawn to the first."""
    A = sp.csc_array([[1.0, 0.0]])
    r = icd(A, [1.0], prior=QGGMRF(0.5, p=p), shape=(1, 2), tol=1e-13)
    np.testing.assert_allclose(r.x, [[1.0, 1.0]], rtol=0, atol=1e-6)
    again = icd(A, [1.0], prior=GaussianPrior(0.5), shape=(2, 1), start=[0.0, 9.0], tol=1e-13)
    np.testing.assert_allclose(again.x, [[1.0], [1.0]], rtol=0, atol=1e-10)


def test_pixels_of_which_nothing_is_known_stay():
    A = sp.csc_array((3, 4))
    r = icd(A, np.ones(3), prior=GaussianPrior(1.0), shape=(2, 2), start=[0, 1, 2, 1], tol=1e-12)
    np.testing.assert_allclose(r.x, r.x.mean(), rtol=0, atol=1e-9)  # they agree with each other
    assert 0 < r.x.mean() < 2
    alone = icd(A[:, :1], np.ones(3), prior=QGGMRF(1.0), shape=(1, 1), start=[[5.0]])
    assert alone.success and alone.x == 5 and alone.kkt == 0 and alone.cost == 1.5


# ---- the course ----------------------------------------------------------------------------------


def falls(history):
    """F never rises by more than the rounding of its sums, each of a few hundred terms."""
    return history.largest_rise <= 32 * EPS


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("omega", [0.1, 0.5, 1.0, 1.5, 1.9, 1.99])
@pytest.mark.parametrize(
    "prior", [GaussianPrior(0.3), QGGMRF(0.05, p=1.0, T=0.2), QGGMRF(0.3, neighbours=4)]
)
def test_the_cost_never_rises(isa, prior, omega, order):
    c = case((9, 8), seed=3)
    k = prior.neighbours or 8
    field = Field((9, 8), k, prior.sigma, *(getattr(prior, "p", None) and (prior.p, prior.T)) or ())
    costs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = np.random.default_rng(5).uniform(-1, 5, 72)
        r = solve(
            c, prior, relaxation=omega, order=order, max_iter=60, start=start,
            callback=lambda i: costs.append((i.cost, cost(c, field, i.x)[0])) and None,
        )  # fmt: skip
    told, true = np.array(costs).T
    np.testing.assert_allclose(told, true, rtol=1e-12)
    assert falls(r.history) and r.history.cost[-1] < r.history.cost[0]
    np.testing.assert_array_equal(r.history.cost[1:], told)


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 1, 5)])
def test_the_cost_never_rises_in_three_dimensions(shape):
    for prior in (QGGMRF(0.05, p=1.1), QGGMRF(0.2, neighbours=6), GaussianPrior(0.1)):
        for omega in (1.0, 1.8):
            r = solve(case(shape), prior, relaxation=omega, tol=1e-6)
            assert r.success and falls(r.history)


def test_a_rise_is_noticed():
    history = ImageHistory(np.array([3.0, 2.0, 2.0 + 1e-12, 1.0]), np.zeros(4))
    assert history.largest_rise == pytest.approx(5e-13, rel=1e-3)
    assert ImageHistory(np.array([3.0, 2.0]), np.zeros(2)).largest_rise == 0


@pytest.mark.parametrize("relaxation", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("order", ORDERS)
def test_orders_and_relaxation_end_in_one_minimum(order, relaxation):
    c = case((9, 8), seed=3)
    want = solve(c, QGGMRF(0.1), order="cyclic")
    r = solve(c, QGGMRF(0.1), order=order, relaxation=relaxation, seed=7)
    assert r.success
    np.testing.assert_allclose(r.x, want.x, rtol=0, atol=1e-9)


def seen_orders(monkeypatch, c, **how):
    """The orders in which pixels were updated, and the ways that were known before."""
    seen = []
    plain = image_descent._core.image_sweep

    def watched(columns, curvature, terms, lower, omega, order, x, e, way):
        if omega:
            seen.append((order, way.copy()))
        plain(columns, curvature, terms, lower, omega, order, x, e, way)

    monkeypatch.setattr(image_descent._core, "image_sweep", watched)
    solve(c, QGGMRF(0.1), tol=0.0, max_iter=4, callback=lambda i: i.n_iter == 4, **how)
    return seen


def test_orders_are_what_they_are_called(monkeypatch):
    c = case((9, 7), seed=3)
    assert [order for order, _ in seen_orders(monkeypatch, c, order="cyclic")] == [None] * 4
    shuffled = [order for order, _ in seen_orders(monkeypatch, c, order="shuffled")]
    assert all(sorted(order) == list(range(63)) for order in shuffled)
    assert not np.array_equal(shuffled[0], shuffled[1])
    again = [order for order, _ in seen_orders(monkeypatch, c, order="shuffled")]
    np.testing.assert_array_equal(shuffled, again)  # the same seed
    mixed = seen_orders(monkeypatch, c, order="nonhomogeneous")
    sizes = [len(order) for order, _ in mixed]
    assert sizes == [63, 13, 13, 13, 13] * 2  # a fifth of 63, rounded up
    for order, way in mixed[1:5]:
        assert way[order].min() >= np.sort(way)[-13]


def test_a_run_goes_on_where_another_has_ended():
    c = case((9, 8), seed=3)
    with pytest.warns(ConvergenceWarning, match="max_iter sweeps were made"):
        first = solve(c, QGGMRF(0.1), order="cyclic", max_iter=5)
    again = solve(c, QGGMRF(0.1), order="cyclic", start=first.x)
    np.testing.assert_allclose(again.history.cost[0], first.cost, rtol=1e-14)
    whole = solve(c, QGGMRF(0.1), order="cyclic")
    np.testing.assert_allclose(again.history.cost[:20], whole.history.cost[5:25], rtol=1e-12)


# ---- identities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [2.0**-60, 2.0**80])
@pytest.mark.parametrize("prior", ["Gaussian", "q-GGMRF", "proximal"])
def test_units_change_no_digit(prior, unit):
    """Powers of two scale exactly, but in the logarithm of differences: they are in units of σ."""
    c = case((5, 6), seed=2)
    v = np.random.default_rng(0).random((5, 6))

    def priors(scale):
        if prior == "proximal":
            return ProximalPrior(v * scale, 0.5 * scale)
        return GaussianPrior(0.5 * scale) if prior == "Gaussian" else QGGMRF(0.5 * scale)

    want = solve(c, priors(1.0), tol=1e-6)
    measured = c._replace(y=c.y * unit, weights=c.w / unit**2)
    in_x = solve(measured, priors(unit), tol=1e-6)
    in_A = solve(measured._replace(A=c.A * unit), priors(1.0), tol=1e-6)
    np.testing.assert_array_equal(in_x.x / unit, want.x)
    np.testing.assert_array_equal(in_A.x, want.x)
    np.testing.assert_array_equal(in_A.history.cost, want.history.cost)


def test_types_of_values_and_indices_change_nothing(isa):
    narrow = case((5, 6), dtype=np.float32)
    wide = narrow._replace(A=narrow.A.astype(float))
    want = solve(wide, QGGMRF(0.1), tol=1e-9)
    for dtype, index in [(np.float32, np.int32), (np.float32, np.int64), (float, np.int64)]:
        A = sp.csc_array(narrow.A.astype(dtype))
        A.indices, A.indptr = A.indices.astype(index), A.indptr.astype(index)
        r = solve(narrow._replace(A=A), QGGMRF(0.1), tol=1e-9)
        np.testing.assert_allclose(r.x, want.x, rtol=0, atol=1e-12)
    rows = solve(wide._replace(A=sp.csr_array(wide.A)), QGGMRF(0.1), tol=1e-9)
    np.testing.assert_array_equal(rows.x, want.x)


def test_threads_change_no_bit():
    c = case((20, 30), n=300)
    one, *others = (solve(c, QGGMRF(0.1), tol=1e-5, threads=n) for n in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.history.cost, other.history.cost)


def test_a_weight_of_two_is_a_measurement_twice():
    c = case((5, 6), weights=None)
    w = np.where(np.arange(60) % 3, 1.0, 2.0)
    twice = Case(sp.csc_array(sp.vstack([c.A, c.A[::3]])), np.r_[c.y, c.y[::3]], None, c.shape)
    one, two = solve(c._replace(weights=w), QGGMRF(0.1)), solve(twice, QGGMRF(0.1))
    np.testing.assert_allclose(one.x, two.x, rtol=0, atol=1e-9)
    np.testing.assert_allclose(one.cost, two.cost, rtol=1e-12)


def test_what_has_no_weight_has_no_say():
    c = case((5, 6))
    A, y, w = c.A.copy(), c.y.copy(), c.weights
    left = np.flatnonzero(w == 0)
    A.data[np.isin(A.indices, left)] = np.nan
    y[left] = np.inf
    want, r = solve(c, QGGMRF(0.1)), solve(c._replace(A=A, y=y), QGGMRF(0.1))
    np.testing.assert_array_equal(r.x, want.x)
    masked = np.ma.array(np.where(w == 0, 7.0, w), mask=w == 0)
    np.testing.assert_array_equal(solve(c._replace(A=A, weights=masked), QGGMRF(0.1)).x, want.x)


def test_p_2_is_a_gaussian_of_a_wider_sigma():
    c = case((5, 6))
    one, two = solve(c, QGGMRF(0.1, p=2, T=3.0)), solve(c, GaussianPrior(0.1 * np.sqrt(2)))
    np.testing.assert_allclose(one.x, two.x, rtol=0, atol=1e-10)


def test_three_dimensions_of_one_slice_with_the_neighbours_along_axes_are_two():
    """But for the weights, which are those of six neighbours, not of four."""
    c = case((5, 6))
    flat = solve(c, GaussianPrior(0.1, neighbours=4))
    deep = solve(c, GaussianPrior(0.1 * np.sqrt(4 / 6), neighbours=6), shape=(1, 5, 6))
    np.testing.assert_allclose(deep.x[0], flat.x, rtol=0, atol=1e-10)


def test_weights_of_neighbours_sum_to_one():
    for shape, counts in [((3, 3), (4, 8)), ((3, 3, 3), (6, 26))]:
        for k in counts:
            centre = int(np.prod(shape)) // 2
            found = [b for i, j, b in pairs(shape, k) if centre in (i, j)]
            terms = GaussianPrior(1.0, neighbours=k).terms(shape)
            assert len(found) == len(terms.weight) == k
            np.testing.assert_allclose(sorted(terms.weight), sorted(found), rtol=4 * EPS)
            np.testing.assert_array_equal(terms.offset, -terms.offset[::-1])


COST_CHUNK, PAIRS = constant("linear/icd.c", "COST_CHUNK"), constant("linear/icd.h", "PAIRS")


@pytest.mark.parametrize("P", around(PAIRS, COST_CHUNK))
def test_the_cost_of_long_images(isa, P):
    rng = np.random.default_rng(P)
    A = sp.csc_array(sp.eye_array(P))
    y = rng.random(P)
    start = rng.random((1, P))
    with pytest.warns(ConvergenceWarning):
        r = icd(A, y, prior=QGGMRF(0.2), shape=(1, P), start=start, max_iter=0)
    b = 1 / (4 + 4 / np.sqrt(2))
    field = Field((1, 2), 8, 0.2, 1.2)
    want = b * field.rho(np.diff(start[0]))[0].sum()
    np.testing.assert_allclose(r.misfit, 0.5 * ((y - start[0]) ** 2).sum(), rtol=1e-13)
    np.testing.assert_allclose(r.penalty, want, rtol=1e-13)
    assert r.cost == r.misfit + r.penalty and r.status is Status.MAX_ITER and r.n_iter == 0


def test_the_public_names_are_one():
    assert tw.linear.icd is icd


@pytest.mark.parametrize(
    ("shape", "sigma", "p", "T", "tol"),
    [((5, 1), 0.1, 1.2, 1.0, 1e-9), ((1, 7), 10.0, 1.0, 0.1, 1e-6), ((6, 6), 0.1, 1.05, 1.0, 1e-6)],
)
@pytest.mark.parametrize("relaxation", [0.3, 1.5])
def test_a_success_is_as_near_as_it_says_where_parabolas_are_steep(
    shape, sigma, p, T, tol, relaxation
):
    """A parabola above F has its minimum nearer than F has, so the distance is that of F itself."""
    for seed in range(4):
        c = case(shape, seed, n=20)
        prior = Field(shape, 8, sigma, p, T)
        r = icd(
            *c[:3], prior=QGGMRF(sigma, p=p, T=T), shape=shape, positive=False, tol=tol, seed=0,
            relaxation=relaxation, max_iter=20_000,
        )  # fmt: skip
        assert r.success
        x = r.x.reshape(-1)
        slope = cost(c, prior, x)[1]
        for j in range(len(x)):
            beyond = x.copy()
            beyond[j] -= 1.03 * r.wanted * np.sign(slope[j])
            there = cost(c, prior, beyond)[1][j]
            assert there * slope[j] <= 0 or abs(there) <= 1e-10 * abs(slope).max()
