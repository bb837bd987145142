"""Fits that share parameters: against the specification, SciPy, and what must not change a bit."""

import numpy as np
import pytest
from scipy.optimize import least_squares
from shared_cases import (
    Case,
    decay,
    draw,
    evaluate,
    from_start,
    inverse_normal,
    peak,
    stacked,
)
from sizes import around, constant, lanes

import thalweg as tw
from thalweg.reference.shared import fit_group
from thalweg.status import Status

FIELDS = ("params", "chi2", "n_iter", "n_used", "status", "covariance_rows", "detail", "attempts")
PIECE, LARGE_TEAM = constant("fit/teams.h", "PIECE"), constant("fit/teams.h", "LARGE_TEAM")
LEAST_BUNDLE = constant("fit/teams.h", "LEAST_BUNDLE")
SIDE_BY_SIDE = constant("fit/lanes.h", "SIDE_BY_SIDE")


def same(result, other, places=...):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(result, name)[places], getattr(other, name), name)


def specified(case, **options):
    """What the specification makes of a single group."""
    magnitude = (np.nan_to_num(case.y) * case.weights()) ** 2
    lower, upper = case.options.get("bounds", (None, None))
    start, places = case.start.copy(), [case.names.index(name) for name in case.shared]
    start[:, places] = np.median(start[:, places], axis=0)
    return fit_group(
        lambda m, theta: evaluate(case, m, theta), start, sorted(places), magnitude.sum(-1),
        np.count_nonzero(case.weights(), axis=-1), lower=lower, upper=upper,
        absolute_sigma=case.options.get("absolute_sigma", False), **options,
    )  # fmt: skip


# ---- equal to the specification ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(24))
def test_a_group_is_what_the_specification_says(seed):
    case = draw(seed, groups=1).group(0)
    got, want = from_start(case), specified(case)
    assert (got.n_iter == want.n_iter).all()
    assert {Status(code).name for code in got.status} == {want.status}
    np.testing.assert_allclose(
        got.params, want.params, rtol=1e-9, atol=1e-9 * abs(want.params).max()
    )
    np.testing.assert_allclose(got.chi2, want.chi2, rtol=1e-9)
    size = np.sqrt(np.diagonal(want.covariance, axis1=1, axis2=2))
    limit = 1e-7 * size[:, :, None] * size[:, None, :]
    assert (abs(got.cov - want.covariance) <= limit).all()


@pytest.mark.parametrize("steps", range(5))
@pytest.mark.parametrize(
    ("seed", "bounded"), [(3, None), (5, None), *((k, True) for k in (*range(9), 10, 13, 26))]
)
def test_every_step_is_what_the_specification_says(seed, bounded, steps):
    case = draw(seed, groups=1, members=5, bounded=bounded).group(0)
    got, want = from_start(case, max_iter=steps), specified(case, max_iter=steps)
    assert (got.n_iter == want.n_iter).all()
    np.testing.assert_allclose(
        got.params, want.params, rtol=1e-9, atol=1e-9 * abs(want.params).max()
    )


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
@pytest.mark.parametrize("seed", range(12))
def test_rejected_steps_are_shortened_as_the_specification_says(seed, steps):
    """From far starts steps are rejected, and the region limits those that follow."""
    case = draw(seed, groups=1, members=4, bounded=False).group(0)
    far = 5 ** np.random.default_rng(seed).uniform(-1, 1, case.start.shape[1])
    case = case._replace(start=case.start * far)
    got, want = from_start(case, max_iter=steps), specified(case, max_iter=steps)
    assert (got.n_iter == want.n_iter).all()
    limit = 1e-7 * abs(want.params).max(axis=0)
    assert (abs(got.params - want.params) <= limit).all()


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 11])
def test_data_sets_leave_their_group_as_the_specification_says(seed):
    """Two of the decays are gone by the second point; noise there decides whether their lifetimes
    run to 0."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 5, 40)
    y = decay(t, rng.uniform(1, 3, (7, 1)), rng.uniform(1, 2, (7, 1)), 0.3)
    y[1:3], y[1:3, 0] = 0.3, 2.0
    y += 0.02 * rng.standard_normal(y.shape)
    case = Case(decay, t, y, np.tile([1.0, 1.0, 0.0], (7, 1)), ["c"], {})
    got, want = from_start(case), specified(case)
    left = np.isnan(want.chi2)
    np.testing.assert_array_equal(got.status == Status.DRIFT, left)
    np.testing.assert_array_equal(got.groups.n_used, 40 * np.count_nonzero(~left))
    assert (abs(got.n_iter - want.n_iter) <= 1).all()  # rounding decides the last of thirty
    np.testing.assert_allclose(got.params[~left], want.params[~left], rtol=1e-6)
    np.testing.assert_array_equal(got["c"], got["c"][0])
    np.testing.assert_allclose(
        got.stderr[~left], np.sqrt(np.diagonal(want.covariance[~left], axis1=1, axis2=2)), rtol=1e-6
    )


# ---- certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40, 64))
def test_a_success_is_a_minimum_with_the_covariance_of_the_stacked_problem(seed):
    case = draw(seed)
    r = case.fit()
    assert r.success.all()
    for g in range(len(r)):
        J, e, columns = stacked(case.group(g), r.params[g], r.at_bound[g])
        chi2, inverse = e @ e, inverse_normal(J)
        descent = J.T @ e
        assert descent @ inverse @ descent <= 1e-9 * chi2 / r.dof[g, 0]
        np.testing.assert_allclose(r.groups.chi2[g], chi2, rtol=1e-7)
        np.testing.assert_allclose(r.chi2[g].sum(), chi2, rtol=1e-7)
        factor = 1 if case.options.get("absolute_sigma") else chi2 / r.dof[g, 0]
        for m, places in enumerate(columns):
            want = factor * inverse[np.ix_(places, places)] * (places >= 0) * (places >= 0)[:, None]
            size = np.sqrt(np.outer(np.diag(want), np.diag(want)))
            assert (abs(r.cov[g, m] - want) <= 1e-6 * size).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_minimum_is_that_of_scipy_on_the_stacked_problem(seed):
    case = draw(seed + 200, groups=1, members=6, bounded=False).group(0)
    r, (M, P) = case.fit(), case.start.shape
    places = [case.names.index(name) for name in case.shared]
    own = [j for j in range(P) if j not in places]
    scale = np.abs(r.params).max(axis=0)

    def whole(q):
        theta = np.empty((M, P))
        theta[:, places], theta[:, own] = q[: len(places)], q[len(places) :].reshape(M, -1)
        return theta * scale

    def residuals(q):
        return np.concatenate([evaluate(case, m, theta)[:, -1] for m, theta in enumerate(whole(q))])

    start = np.append(case.start[0, places] / scale[places], (case.start / scale)[:, own])
    other = least_squares(residuals, start, "3-point", xtol=1e-12, ftol=1e-12, gtol=None)
    np.testing.assert_allclose(r.groups.chi2, 2 * other.cost, rtol=1e-6)
    assert (abs(r.params - whole(other.x)) <= 1e-3 * r.stderr + 1e-9 * scale).all()


# ---- identities --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(70, 82))
def test_neighbours_threads_and_order_of_groups_change_no_bit(seed):
    case = draw(seed, groups=4)
    r, N = case.fit(threads=1), case.y.shape[-1]
    same(r, case.fit(threads=2))
    for g in range(4):
        same(r, case.group(g).fit(), g)
    # as a flat batch whose groups are mixed
    members = r.chi2[0].size
    labels = np.repeat(["d", "b", "a", "c"], members)
    mixed = np.random.default_rng(seed).permutation(labels.size)
    mixed = mixed[np.argsort(mixed % members, kind="stable")]  # in a group the order is kept
    options = dict(case.options)
    if "sigma" in options:
        options["sigma"] = options["sigma"].reshape(-1, N)[mixed]
    x = case.x.reshape(-1, N)[mixed] if case.x.ndim > 1 else case.x
    flat = case._replace(x=x, y=case.y.reshape(-1, N)[mixed], options=options)
    flat = flat._replace(start=case.start.reshape(-1, len(case.names))[mixed])
    f = flat.fit(groups=labels[mixed])
    order = np.argsort(mixed)
    for name in FIELDS:
        want = getattr(r, name)
        np.testing.assert_array_equal(getattr(f, name)[order].reshape(want.shape), want, name)


@pytest.mark.parametrize("seed", [88, 109, 163, 193])
def test_neighbours_at_bounds_change_no_bit(seed):
    """Groups of a packet are held at bounds, cut and confirmed in different rounds; in these draws
    a step is cut while a neighbour is confirmed."""
    case = draw(seed, groups=12, members=2, points=8, bounded=True, noise=0.03)
    r = from_start(case)
    for g in range(12):
        same(r, from_start(case.group(g)), g)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_members_does_not_matter(seed):
    case = draw(seed + 90, groups=1, members=9).group(0)
    r, order = case.fit(), np.random.default_rng(seed).permutation(9)
    options = {k: v[order] if k == "sigma" else v for k, v in case.options.items()}
    x = case.x[order] if case.x.ndim > 1 else case.x
    turned = case._replace(x=x, y=case.y[order], start=case.start[order], options=options).fit()
    assert (
        abs(turned.params - r.params[order]) <= 1e-6 * r.stderr[order] + 1e-9 * abs(r.params[order])
    ).all()


def test_a_weight_of_two_is_a_point_that_is_there_twice():
    case = draw(31, groups=2, members=5, bounded=False)
    sigma = case.options.get("sigma", np.ones(case.y.shape))
    case = case._replace(options={"sigma": sigma, "absolute_sigma": True})
    halved = sigma.copy()
    halved[..., :4] /= np.sqrt(2)
    twice = np.append(np.arange(case.y.shape[-1]), np.arange(4))
    x = case.x[..., twice]
    weighted = case._replace(options={"sigma": halved, "absolute_sigma": True}).fit()
    doubled = case._replace(
        x=x, y=case.y[..., twice], options={"sigma": sigma[..., twice], "absolute_sigma": True}
    ).fit()
    np.testing.assert_allclose(doubled.params, weighted.params, rtol=1e-8)
    np.testing.assert_allclose(doubled.stderr, weighted.stderr, rtol=1e-7)


def test_a_group_of_one_is_an_ordinary_fit():
    case = draw(12, groups=3, members=1, bounded=False)
    r, alone = case.fit(), tw.fit(case.model, case.x, case.y, case.start, **case.options)
    assert (abs(r.params - alone.params) <= 1e-5 * alone.stderr).all()
    np.testing.assert_allclose(r.stderr, alone.stderr, rtol=1e-6)
    np.testing.assert_array_equal(r.dof, alone.dof)


def test_data_sets_that_share_all_are_one_data_set():
    rng = np.random.default_rng(3)
    t = np.linspace(0, 5, 30)
    y = decay(t, 2.0, 1.5, 0.3) + 0.02 * rng.standard_normal((7, 30))
    r = tw.fit(decay, t, y, [1, 1, 0], shared=["a", "tau", "c"])
    one = tw.fit(decay, np.tile(t, 7), y.reshape(-1), [1, 1, 0])
    assert (abs(r.params - one.params) <= 1e-5 * one.stderr).all()
    np.testing.assert_allclose(r.cov[3], one.cov, rtol=1e-6)


# ---- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["lanes", "piece", "bundle", "large", "side by side"])
def test_sizes_where_the_engine_changes_what_it_does(kind, dtype):
    width = lanes(dtype)
    constants = {"lanes": width, "piece": PIECE, "bundle": LEAST_BUNDLE, "large": LARGE_TEAM}
    size = constants.get(kind, SIDE_BY_SIDE)
    rng, tau = np.random.default_rng(5), 1.7
    for n in around(size):
        M, N = (5, n) if kind == "side by side" else (n, 10)
        t = np.linspace(0, 4, N)
        a = rng.uniform(1, 2, (M, 1))
        y = decay(t, a, tau, 0.2) + 0.01 * rng.standard_normal((M, N))
        one, two = (
            tw.fit(decay, t, y, [1, 1, 0], shared="tau", dtype=dtype, threads=threads)
            for threads in (1, 2)
        )
        same(one, two)
        assert one.success.all()
        assert (one["tau"] == one["tau"][0]).all()
        assert abs(one["tau"][0] - tau) < 5 * one.stderr[0, 1]
        e = y.astype(dtype) - decay(t, *one.params.astype(float).T[:, :, None])
        exact = dtype is np.float64
        np.testing.assert_allclose(one.chi2, (e**2).sum(-1), rtol=1e-5 if exact else 1e-3)
        slope = one.jacobian[..., 1]  # along tau the gradient of the whole group vanishes
        size = np.sqrt((slope.astype(float) ** 2).sum() * (e**2).sum())
        assert abs((slope * e).sum()) <= (1e-7 if exact else 1e-3) * size


@pytest.mark.parametrize("own_x", [False, True])
def test_groups_of_many_sizes_fill_bundles(own_x):
    rng = np.random.default_rng(8)
    sizes = rng.integers(1, 40, 60)
    labels = np.repeat(np.arange(60), sizes)
    t = np.linspace(0, 4, 12)
    tau = rng.uniform(1, 2, 60)[labels, None]
    x = t + 0.01 * rng.standard_normal((labels.size, 12)) if own_x else t
    y = decay(x, rng.uniform(1, 2, labels.size)[:, None], tau, 0.2)
    y += 0.01 * rng.standard_normal(y.shape)
    r = tw.fit(decay, x, y, [1, 1, 0], shared="tau", groups=labels, threads=1)
    same(r, tw.fit(decay, x, y, [1, 1, 0], shared="tau", groups=labels, threads=2))
    for g in (0, 17, 59):
        of = labels == g
        same(r, tw.fit(decay, x[of] if own_x else x, y[of], [1, 1, 0], shared="tau"), of)


@pytest.mark.parametrize("unit", [1e-20, 1e-60, 1e20, 1e60])
def test_units_do_not_matter(unit):
    rng = np.random.default_rng(2)
    x = np.linspace(-4, 4, 30)
    y = peak(x, rng.uniform(1, 3, (6, 1)), 0.3, 1.2, 0.5) + 0.05 * rng.standard_normal((6, 30))
    r = tw.fit(peak, x, y, [2, 0, 1, 0], shared=["m", "s"])
    far = tw.fit(peak, x * unit, y * unit, [2 * unit, 0, unit, 0], shared=["m", "s"])
    np.testing.assert_allclose(far.params / unit, r.params, rtol=1e-9)
    np.testing.assert_allclose(far.stderr / unit, r.stderr, rtol=1e-7)


@pytest.mark.parametrize("unit", [1e-20, 1e18])
def test_float32_gets_the_digits_of_float64_where_squares_leave_its_range(unit):
    rng = np.random.default_rng(2)
    t = np.linspace(0, 5, 30)
    y = decay(t, rng.uniform(1, 3, (2, 4, 1)), 1.5, 0.5) + 0.05 * rng.standard_normal((2, 4, 30))
    r = tw.fit(decay, t, y, [1, 1, 0], shared="tau")
    far = tw.fit(decay, t, unit * y, [unit, 1, 0], shared="tau", dtype=np.float32)
    assert far.success.all()
    units = np.array([unit, 1, unit])
    np.testing.assert_allclose(far.params / units, r.params, rtol=1e-4)
    np.testing.assert_allclose(far.stderr / units, r.stderr, rtol=1e-3)
    mixed = np.array([0, 4, 1, 5, 2, 6, 3, 7])
    y = (unit * y).reshape(8, 30)[mixed]
    flat = tw.fit(decay, t, y, [unit, 1, 0], shared="tau", groups=mixed // 4, dtype=np.float32)
    np.testing.assert_array_equal(flat.params[np.argsort(mixed)], far.params.reshape(8, 3))
    np.testing.assert_array_equal(flat.stderr[np.argsort(mixed)], far.stderr.reshape(8, 3))
