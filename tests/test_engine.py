"""The engine against its specification, and what must not change a bit of a result."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from problems import (
    COARSE,
    EPS,
    EXACT,
    PATH_AGREEMENT,
    RUN_AWAY,
    STEPS_COMPARED,
    agrees,
    decay,
    line,
    problems,
    with_jacobian,
)

import thalweg as tw
from thalweg import reference
from thalweg.status import Status

# ---- equal to the specification --------------------------------------------------------------

# A fit may stop where ftol = 1e-8 of chi2 is left, in any flat direction.
SAME_FLOOR = 10 * COARSE["ftol"]


@given(problems())
@settings(max_examples=150)
def test_a_fit_is_what_the_specification_says(isa, problem):
    want = problem.specified(**COARSE)
    assume(want.n_iter <= STEPS_COMPARED and np.abs(want.params).max() < RUN_AWAY)
    got = problem.fit(**COARSE)
    if want.status == "SINGULAR":  # rounding decides where on the floor of the valley it ends,
        same_floor = SAME_FLOOR * want.chi2 + EPS * problem.magnitude
        assert got.chi2 <= want.chi2 + same_floor
        if got.attempts == want.attempts:  # and whether it takes so long that it is tried again
            assert Status(got.status).name == want.status
            assert got.chi2 >= want.chi2 - same_floor
        return
    agrees(got.params, want.params)
    agrees(got.chi2, want.chi2, EPS * problem.magnitude)
    if want.chi2 > EXACT**2 * problem.magnitude:
        assert (Status(got.status).name, got.n_iter) == (want.status, want.n_iter)
    else:
        assert got.success


@given(problems(noise=0.01), st.booleans())
@settings(max_examples=60)
def test_covariances_are_those_of_the_specification(isa, problem, absolute_sigma):
    want = problem.specified(**COARSE, absolute_sigma=absolute_sigma)
    assume(want.n_iter <= STEPS_COMPARED)
    got = problem.fit(**COARSE, absolute_sigma=absolute_sigma)
    infinite = ~np.isfinite(want.covariance)
    np.testing.assert_array_equal(~np.isfinite(got.cov), infinite)
    if infinite.any():
        return
    _, J = with_jacobian(problem.model, problem.x, len(problem.start))(got.params)
    columns = (J / (1 if problem.sigma is None else problem.sigma[:, None]))[:, ~got.at_bound]
    scaled = columns / np.linalg.norm(columns, axis=0)
    kappa = np.linalg.cond(scaled) if scaled.size else 1.0
    size = np.sqrt(np.outer(np.diag(want.covariance), np.diag(want.covariance)))
    # a relative change d of J changes the covariance by 2 kappa^2 d at most
    tolerance = 10 * kappa**2 * (PATH_AGREEMENT + EPS)
    assert (np.abs(got.cov - want.covariance) <= tolerance * size).all()


@given(problems(), st.integers(0, 4))
@settings(max_examples=60)
def test_every_step_is_what_the_specification_says(isa, problem, steps):
    """Stopped after 0 to 4 trial steps, both stand at the same place."""
    got = problem.fit(**COARSE, max_iter=steps)
    want = problem.specified(**COARSE, max_iter=steps)
    assert got.n_iter == want.n_iter
    agrees(got.params, want.params)


@pytest.mark.parametrize("edge", [1 - 5e-9, 1 - 2e-9])
def test_a_step_within_the_noise_of_chi2_must_not_raise_it_by_more(isa, edge):
    """The step to the minimum of a line promises less than the rounding of chi2, but the model has
    a jump on the way that is at right angles to the line and to the residuals."""
    x, e = np.array([-3.0, -1.0, 1.0, 3.0]), np.array([1.0, -1.0, -1.0, 1.0])
    start, jump = 1 - 1e-8, 1e-3

    def model(x, a):
        return a * x + np.where(a > edge, jump, 0.0)

    r = tw.fit(model, x, x + e, [start], xtol=0, ftol=0)  # else the step would not be tried
    assert abs(r.chi2 - e @ e) < len(x) * jump**2 / 1e3


@pytest.mark.parametrize("n_points", [3, 30, 600])
@pytest.mark.parametrize("apart", [2.0**-20, 2.0**-24, 2.0**-28])
def test_nearly_equal_columns_are_told_apart(isa, n_points, apart):
    """Condition 1e6 to 3e8: J'J is singular in double, J is not.

    Columns u and u + apart v span the same plane as u and v, in which the problem is easy.
    """
    rng = np.random.default_rng(0)
    u, v = np.round(rng.standard_normal((2, n_points)) * 2**20) / 2**20  # u + apart v is exact
    y = rng.standard_normal(n_points)
    (p, q), rest, *_ = np.linalg.lstsq(np.column_stack([u, v]), y)
    exact = np.array([p - q / apart, q / apart])
    J = np.column_stack([u, u + apart * v])
    want = reference.levenberg_marquardt(lambda theta: (J @ theta, J), y, np.array([0.5, 0.5]))
    got = tw.fit(lambda xs, a, b: a * xs[0] + b * xs[1], tuple(J.T.copy()), y, [0.5, 0.5])
    assert got.success and want.status in ("XTOL", "FTOL", "GTOL")
    rounding = 100 * EPS / apart * (1 + 1 / abs(q))  # eps kappa, and as much of it as y has of v
    np.testing.assert_allclose(got.params, exact, rtol=rounding)
    np.testing.assert_allclose(want.params, exact, rtol=rounding)
    np.testing.assert_allclose(got.chi2, rest[0], rtol=10 * EPS / apart)
    np.testing.assert_allclose(got.cov, want.covariance, rtol=rounding)


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        (dict(y=np.array([1.0, np.inf, 2.0, 3.0])), "NOT_FINITE", 0),
        (dict(start=np.array([1.0, np.nan])), "BAD_START", 1),
        (dict(start=np.array([5.0, 0.0])), "BAD_START", 0),
        (dict(lower=np.array([-4.0, 3.0])), "BAD_BOUNDS", 1),
        (dict(upper=np.array([np.nan, 3.0])), "BAD_BOUNDS", 0),
        (dict(sigma=np.array([1.0, 0.0, 1.0, 1.0])), "BAD_SIGMA", -1),
        (dict(sigma=np.array([1.0, np.nan, 1.0, 1.0])), "BAD_SIGMA", -1),
        (dict(y=np.array([np.nan, np.nan, 1.0, np.nan])), "TOO_FEW_POINTS", -1),
        (dict(sigma=np.array([np.inf, np.inf, np.inf, 1.0])), "TOO_FEW_POINTS", -1),
        (dict(x=np.array([0.0, np.inf, 1.0, 2.0])), "NOT_FINITE", 1),
    ],
)
def test_refusals_of_one_fit_of_a_batch_are_statuses(isa, change, status, detail):
    good = dict(
        x=np.arange(4.0),
        y=np.array([1.0, 3.0, 2.0, 4.0]),
        start=np.zeros(2),
        lower=np.full(2, -4.0),
        upper=np.full(2, 2.0),
        sigma=np.ones(4),
    )
    bad = good | change
    batch = {name: np.stack([good[name], bad[name], good[name]]) for name in good}
    with np.errstate(all="ignore"):
        got = tw.fit(
            line,
            batch["x"],
            batch["y"],
            batch["start"],
            bounds=(batch["lower"], batch["upper"]),
            sigma=batch["sigma"],
        )
        x = bad["x"]
        want = reference.levenberg_marquardt(
            lambda theta: (line(x, *theta), np.column_stack([np.ones(4), x])),
            **{name: bad[name] for name in bad if name != "x"},
        )
    assert (want.status, want.detail) == (status, detail)
    assert (Status(got.status[1]).name, got.detail[1]) == (status, detail)
    assert np.isnan(got.params[1]).all() and np.isnan(got.stderr[1]).all()
    assert got.n_iter[1] == 0 and np.isnan(got.chi2[1])
    for k in (0, 2):
        alone = tw.fit(
            line, good["x"], good["y"], good["start"], bounds=(-4, 2), sigma=good["sigma"]
        )
        np.testing.assert_array_equal(got.params[k], alone.params)
        assert got.status[k] == alone.status > 0


def test_sums_and_triangles_are_those_of_the_normal_equations():
    rng = np.random.default_rng(1)
    J, e = rng.standard_normal((9, 3)), rng.standard_normal(9)
    weight = np.array([1.0, 2.0, 0.0, 1, 1, 0.5, 1, 3, 1])
    J[2] = np.nan  # weight 0: the point is left out whatever it holds
    C = np.column_stack([J, e])[weight > 0] * weight[weight > 0, None]
    np.testing.assert_allclose(reference.add_block(J, e, weight), C.T @ C, rtol=1e-14)
    R = reference.merge_rows(reference.merge_rows(np.zeros((0, 4)), C[:3]), C[3:])
    np.testing.assert_allclose(R.T @ R, C.T @ C, atol=1e-13)
    np.testing.assert_array_equal(R, np.triu(R))


# ---- the same bits ---------------------------------------------------------------------------

FIELDS = ("params", "covariance_rows", "chi2", "n_iter", "n_used", "status", "detail")


def same_bits(result, expected, index=...):
    """Every field of a result equals that of another, at ``index`` of it."""
    for name in FIELDS:
        np.testing.assert_array_equal(
            getattr(result, name), getattr(expected, name)[index], err_msg=name
        )


def batch_of(n_fits, n_points, dtype=np.float64):
    """Decays with noise; some with NaN, some that cannot run, some that need many steps."""
    rng = np.random.default_rng(n_points)
    x = np.linspace(0, 4, n_points)
    truth = rng.uniform([1, 0.3, -1], [4, 2, 1], (n_fits, 3))
    y = decay(x, *truth.T[..., None]) + 0.05 * rng.standard_normal((n_fits, n_points))
    y[::5, ::3] = np.nan
    y[3::7] = np.nan
    y[4::7, 0] = np.inf
    start = truth * rng.uniform(0.3, 2, truth.shape)
    return x.astype(dtype), y.astype(dtype), start.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_points", [4, 100, 511, 512, 513, 1000])
def test_a_fit_is_the_same_alone_anywhere_and_with_any_threads(isa, n_points, dtype):
    x, y, start = batch_of(23, n_points, dtype)

    def fit(rows, **options):
        return tw.fit(decay, x, y[rows], start[rows], dtype=dtype, max_iter=50, **options)

    whole = fit(slice(None), threads=1)
    assert whole.success.sum() > 10
    for threads in (2, 5):
        same_bits(fit(slice(None), threads=threads), whole)
    order = np.random.default_rng(0).permutation(23)
    same_bits(fit(order, threads=2), whole, order)
    same_bits(fit(slice(5, 9)), whole, slice(5, 9))
    for k in range(0, 23, 5):
        same_bits(fit(k), whole, k)


# Threads share the points of a fit from 8 chunks on, of 8192 points in double and 16384 in float.
SHARED_POINTS = {np.float64: 70_001, np.float32: 140_001}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", ["taken whole", "shared"])
def test_threads_that_share_the_points_of_a_fit_change_no_bit(isa, dtype, size):
    n_points = SHARED_POINTS[dtype] if size == "shared" else 20_000
    x = np.linspace(0, 4, n_points)
    rng = np.random.default_rng(n_points)
    y = np.stack([decay(x, a, 1, 0.5) + 0.05 * rng.standard_normal(n_points) for a in (2, 3)])
    y[1, ::5] = np.nan

    def fit(threads, rows=slice(None)):
        return tw.fit(decay, x, y[rows], [2.0, 2.0, 0.0], dtype=dtype, threads=threads)

    one = fit(1)
    assert one.success.all()
    for threads in (2, 4):
        same_bits(fit(threads), one)
        same_bits(fit(threads, 1), one, 1)
    # every point counts once: sums of n squares, each rounded
    e = y - decay(x, *one.params.astype(float).T[..., None])
    rounding = 1e2 * np.finfo(dtype).eps
    np.testing.assert_allclose(one.chi2, np.nansum(e**2, axis=1), rtol=rounding)
    assert one.n_used.tolist() == np.count_nonzero(~np.isnan(y), axis=1).tolist()
    np.testing.assert_allclose(one.params, [[2, 1, 0.5], [3, 1, 0.5]], atol=0.02)


@pytest.mark.parametrize("n_points", [40, 700])
def test_what_is_shared_may_as_well_be_given_for_each_fit(isa, n_points):
    x, y, _ = batch_of(9, n_points)
    sigma = np.linspace(0.5, 2, n_points)
    use = np.arange(n_points) % 7 != 3
    bounds = np.array([0.0, 0.1, -np.inf]), np.array([9.0, np.inf, 0.5])
    p0 = np.array([2.0, 1.0, 0.0])
    shared = tw.fit(decay, x, y, p0, sigma=sigma, mask=~use, bounds=bounds)
    each = [np.repeat(a[None], 9, axis=0) for a in (x, p0, sigma, ~use, *bounds)]
    same_bits(
        tw.fit(decay, each[0], y, each[1], sigma=each[2], mask=each[3], bounds=each[4:]), shared
    )


@pytest.mark.parametrize("n_points", [40, 700])
def test_what_is_given_for_each_fit_is_as_in_separate_fits(isa, n_points):
    x, y, start = batch_of(9, n_points)
    rng = np.random.default_rng(7)
    xs = x * rng.uniform(0.9, 1.1, (9, 1))
    sigma = rng.uniform(0.5, 2, y.shape)
    mask = rng.random(y.shape) < 0.2
    lower = np.minimum(start, rng.uniform(-2, 2, start.shape))
    upper = np.maximum(start, lower + rng.uniform(0, 3, start.shape))
    whole = tw.fit(decay, xs, y, start, sigma=sigma, mask=mask, bounds=(lower, upper))
    assert whole.at_bound[whole.success].any()
    for k in range(9):
        bounds = lower[k], upper[k]
        alone = tw.fit(decay, xs[k], y[k], start[k], sigma=sigma[k], mask=mask[k], bounds=bounds)
        same_bits(alone, whole, k)


@pytest.mark.parametrize("n_points", [40, 700])
def test_fixed_for_some_fits_is_as_fixed_for_all(isa, n_points):
    x, y, start = batch_of(8, n_points)
    fixed = np.random.default_rng(3).random(start.shape) < 0.4
    fixed[0], fixed[1] = True, False
    whole = tw.fit(decay, x, y, start, fixed=fixed)
    for k in range(8):
        alone = tw.fit(decay, x, y[k], start[k], fixed=fixed[k])
        assert whole.status[k] == alone.status or {whole.status[k], alone.status} < {1, 2, 3}
        assert whole.dof[k] == alone.dof
        if not alone.success:
            continue
        np.testing.assert_array_equal(whole.params[k][fixed[k]], start[k][fixed[k]])
        np.testing.assert_allclose(whole.params[k], alone.params, rtol=1e-8)
        np.testing.assert_allclose(whole.cov[k], alone.cov, rtol=1e-7, atol=1e-300)


@pytest.mark.parametrize("n_points", [20, 700])
def test_leaving_out_is_the_same_however_it_is_said(isa, n_points):
    """NaN, mask, infinite sigma and a masked array: the same bits; without the points: rounding."""
    x, y, start = batch_of(1, n_points)
    rng = np.random.default_rng(5)
    y, start = decay(x, 3, 1, 0.5) + 0.01 * rng.standard_normal(n_points), start[0]
    out = rng.random(n_points) < 0.3
    masked = tw.fit(decay, x, y, start, mask=out)
    holes = np.where(out, np.nan, y)
    same_bits(tw.fit(decay, x, holes, start), masked)
    same_bits(tw.fit(decay, x, y, start, sigma=np.where(out, np.inf, 1)), masked)
    same_bits(tw.fit(decay, x, np.ma.array(y, mask=out), start), masked)
    same_bits(tw.fit(decay, np.where(out, np.nan, x), y, start), masked)
    same_bits(tw.fit(decay, x, np.where(out, np.inf, y), start, mask=out), masked)
    deleted = tw.fit(decay, x[~out], y[~out], start)
    assert masked.n_used == deleted.n_used == np.count_nonzero(~out)
    np.testing.assert_allclose(masked.params, deleted.params, rtol=1e-9)
    np.testing.assert_allclose(masked.cov, deleted.cov, rtol=1e-9)


@pytest.mark.parametrize("n_points", [30, 700])
def test_a_data_set_of_nan_harms_no_neighbour(isa, n_points):
    x, y, start = batch_of(9, n_points)
    y = np.nan_to_num(y, nan=1.0, posinf=1.0)
    before = tw.fit(decay, x, y, start)
    y[4], start[5, 0] = np.nan, np.nan
    after = tw.fit(decay, x, y, start)
    assert [Status(s).name for s in after.status[[4, 5]]] == ["TOO_FEW_POINTS", "BAD_START"]
    others = np.delete(np.arange(9), [4, 5])
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(after, name)[others], getattr(before, name)[others])
