"""Groups whose data sets have faults of their own, and how groups and their results end."""

import numpy as np
import pytest
from shared_cases import decay, peak

import thalweg as tw
from thalweg import Status

T = np.linspace(0, 5, 40)
TAU = 1.6


def decays(n=6, seed=0, noise=0.02):
    rng = np.random.default_rng(seed)
    a, c = rng.uniform(1, 3, (n, 1)), rng.uniform(0, 1, (n, 1))
    return decay(T, a, TAU, c) + noise * rng.standard_normal((n, T.size))


def fit(y, **options):
    return tw.fit(decay, T, y, {"a": 1, "tau": 1, "c": 0}, **{"shared": "tau", **options})


def agree(some, other):
    """The same minimum, to a part of the standard error."""
    assert (abs(some.params - other.params) <= 1e-5 * other.stderr).all()
    np.testing.assert_allclose(some.stderr, other.stderr, rtol=1e-5)


# ---- data sets that cannot take part -----------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (np.nan, Status.TOO_FEW_POINTS),
        (np.inf, Status.NOT_FINITE),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_group_does_without_a_data_set_that_cannot_take_part(fault, status, place):
    y = decays()
    y[place] = fault
    r = fit(y)
    others = np.arange(6) != place
    agree(r[others], fit(y[others]))
    assert r.status[place] == status
    assert r["tau"][place] == r["tau"][others][0]
    assert np.isnan(r.params[place, [0, 2]]).all()
    assert np.isnan(r.chi2[place])
    # all that the group knows of the shared parameter is there
    assert r.stderr[place, 1] == pytest.approx(r.stderr[others][0, 1], rel=1e-12)
    assert np.isnan(r.stderr[place, [0, 2]]).all()
    assert r.groups.success.all()
    assert r.groups.n_used[place] == 5 * T.size
    assert r.groups.n_free[place] == 1 + 5 * 2


def test_a_wrong_sigma_and_a_wrong_start_harm_their_data_set_alone():
    y, sigma = decays(), np.full((6, T.size), 0.02)
    sigma[1, 3] = -1
    start = np.tile([1.0, 1.0, 0.0], (6, 1))
    start[4, 0] = np.nan
    r = tw.fit(decay, T, y, start, shared="tau", sigma=sigma)
    assert r.status[[1, 4]].tolist() == [Status.BAD_SIGMA, Status.BAD_START]
    good = [0, 2, 3, 5]
    agree(r[good], tw.fit(decay, T, y[good], start[good], shared="tau", sigma=sigma[good]))


def test_a_model_that_is_not_finite_for_one_data_set_harms_that_alone():
    def model(t, a, tau, c):
        return a * np.exp(-t / tau) + np.sqrt(c)

    y, start = decays(), np.tile([1.0, 1.0, 0.5], (6, 1))
    start[2, 2] = -1
    r = tw.fit(model, T, y, start, shared="tau")
    assert r.status[2] == Status.NOT_FINITE
    others = np.arange(6) != 2
    agree(r[others], tw.fit(model, T, y[others], start[others], shared="tau"))


def test_a_data_set_needs_points_for_its_own_parameters_alone():
    y = decays()
    y[1, 2:] = np.nan  # two points, for a and c
    y[2, 1:] = np.nan
    r = fit(y)
    assert r.status[1] > 0
    assert r.chi2[1] == pytest.approx(0, abs=1e-12)
    assert r.status[2] == Status.TOO_FEW_POINTS
    assert r.dof[0] == 4 * T.size + 2 - 1 - 5 * 2


def test_a_data_set_that_does_not_determine_its_own_parameters_fails_alone():
    """Where the shared peak lies beyond all points of a data set, its height is anything."""
    rng = np.random.default_rng(1)
    x = np.tile(np.linspace(-5, 5, 40), (5, 1))
    x[3] = np.linspace(200, 210, 40)
    y = peak(x, rng.uniform(1, 2, (5, 1)), 0.3, 1.0, 0.5) + 0.01 * rng.standard_normal((5, 40))
    r = tw.fit(peak, x, y, [1, 0, 1, 0], shared=["m", "s"])
    assert r.status[3] == Status.SINGULAR
    assert r.reason(3).startswith("the data do not determine a")
    assert np.isinf(r.stderr[3, 0])
    assert np.isfinite(r.stderr[3, [1, 2]]).all()
    others = np.arange(5) != 3
    assert r.success[others].all()
    both = tw.fit(peak, x[others], y[others], [1, 0, 1, 0], shared=["m", "s"])
    assert (abs(r.params[others] - both.params) <= 1e-5 * both.stderr).all()


def drifting(n=40, seed=2):
    """Decays of lifetimes of their own about one background; three are gone by the second point."""
    rng = np.random.default_rng(seed)
    y = decay(T, rng.uniform(1, 3, (n, 1)), rng.uniform(1, 2, (n, 1)), 0.3)
    y[:3], y[:3, 0] = 0.3, 2.0
    return y + 0.02 * rng.standard_normal(y.shape)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_data_set_whose_parameter_runs_off_leaves_its_group(dtype):
    y = drifting()
    r = fit(y, shared="c", dtype=dtype)
    assert r.success[3:].all()
    assert r.groups.success.all()
    assert not r.success[:3].any()
    left = ~r.success
    for k in np.flatnonzero(left):
        assert r.status[k] in (Status.DRIFT, Status.SINGULAR)
        assert "tau" in r.reason(k) or "determine a" in r.reason(k)
        assert np.isinf(r.stderr[k, [0, 1]]).all()
        assert r.stderr[k, 2] == pytest.approx(r.stderr[5, 2], rel=1e-5)
        assert r["c"][k] == r["c"][5]
    if dtype is np.float64:
        agree(r[~left], fit(y[~left], shared="c"))
        assert (r.groups.n_used == np.count_nonzero(~left) * T.size).all()


def test_lifetimes_beyond_infinity_are_found():
    """Data that grow want 1 / tau below 0."""
    rng = np.random.default_rng(5)
    y = rng.uniform(1, 3, (20, 3, 1)) * np.exp(T / 6) + 0.05 * rng.standard_normal((20, 3, 40))
    r = tw.fit(decay, T, y, [1, 2, 0], shared="tau")
    assert r.success.all()
    assert (abs(r["tau"] + 6) < 6 * r.stderr[..., 1]).all()


def test_weak_data_seldom_leave_a_group_without_a_minimum():
    """The lifetime of three decays below the noise is often beyond infinity."""
    rng = np.random.default_rng(0)
    t = np.linspace(0, 8, 60)
    y = 0.3 * np.exp(-t / 2) + 0.3 + 0.5 * rng.standard_normal((600, 3, 60))
    r = tw.fit(decay, t, y, [1, 1, 0], shared="tau")
    assert r.groups.success[:, 0].mean() > 0.95


def test_a_shared_parameter_that_runs_off_is_named():
    """Decays that are gone by the second point, whatever their lifetime."""
    rng = np.random.default_rng(1)
    y = 0.3 + 0.02 * rng.standard_normal((4, 3, 40))
    y[..., 1], y[..., 0] = 0.2, 2.0
    r = fit(y)
    assert np.isin(r.status, (Status.DRIFT, Status.SINGULAR)).all()
    assert {r.reason(g, 0).count("tau") for g in range(4)} == {1}


# ---- how groups end ----------------------------------------------------------------------------


def test_a_group_with_fewer_points_than_parameters_is_refused():
    y = decays(3)
    y[:, 3:] = np.nan
    y[0, 2:] = np.nan
    y[1:, 2:] = np.nan
    r = fit(y)  # 6 points for 7 parameters
    assert (r.status == Status.TOO_FEW_POINTS).all()
    assert (r.groups.status == Status.TOO_FEW_POINTS).all()
    assert np.isnan(r.params).all()


def test_a_group_without_any_point_is_refused_and_the_others_are_not_affected():
    y = np.stack([decays(4, seed) for seed in range(3)])
    y[1] = np.nan
    r = fit(y)
    assert (r.status[1] == Status.TOO_FEW_POINTS).all()
    for g in (0, 2):
        np.testing.assert_array_equal(r.params[g], fit(y[g]).params)


def test_as_many_points_as_parameters_leave_no_error_bar():
    y = decays(2, noise=0)[:, ::8]
    y = y.copy()
    y[0, 3:], y[1, 2:] = np.nan, np.nan
    r = tw.fit(decay, T[::8], y, {"a": 1, "tau": 1, "c": 0}, shared="tau")
    assert r.success.all()
    assert (r.dof == 0).all()
    assert np.isinf(r.stderr).all()


def test_a_shared_parameter_that_the_data_do_not_determine_is_named():
    y = decays()
    r = tw.fit(
        lambda t, a, tau, c, d: a * np.exp(-t / tau) + c + d,
        T,
        y,
        [1, 1, 0, 0],
        shared=["tau", "d"],
    )
    assert (r.status == Status.SINGULAR).all()
    assert {r.reason(k).split(":")[0] for k in range(6)} == {"the data do not determine d"}
    assert np.isinf(r.stderr).all()


def test_a_shared_parameter_that_runs_off_is_no_success():
    """Constants fitted by a decay of a shared lifetime: the longer, the better."""
    rng = np.random.default_rng(4)
    y = rng.uniform(1, 2, (4, 1)) + 1e-3 * rng.standard_normal((4, 40))
    r = tw.fit("a*exp(-t/tau) + b*t", T, y + 0.3 * T, [1, 1, 0], shared="tau", independent="t")
    assert not (r.success & (abs(r["tau"]) > 1e9)).any()


def test_max_iter_ends_a_group():
    r = fit(decays(), max_iter=2)
    assert (r.status == Status.MAX_ITER).all()
    assert (r.n_iter <= 2).all()
    assert fit(decays(), max_iter=0).n_iter.max() == 0


def test_data_without_noise_are_fitted_exactly():
    r = fit(decays(noise=0))
    assert r.success.all()
    np.testing.assert_allclose(r["tau"], TAU, rtol=1e-12)


def test_a_dim_data_set_is_at_its_own_minimum_beside_a_bright_one():
    y = decays(4)
    y[1] *= 1e5
    y[2] *= 1e-3
    r = fit(y)
    assert r.success.all()
    for m in range(4):  # beside the shared parameter, each is at its own minimum
        own = tw.fit(decay, T, y[m], r.params[m], fixed=["tau"])
        assert (abs(own.params - r.params[m]) <= 1e-5 * own.stderr + 1e-12 * abs(own.params)).all()


# ---- bounds, fixed and tied parameters -----------------------------------------------------------


def test_a_bound_holds_a_shared_parameter():
    r = fit(decays(), bounds={"tau": (0, 1.2)})
    assert r.success.all()
    assert (r["tau"] == 1.2).all()
    assert r.at_bound[:, 1].all()
    assert (r.stderr[:, 1] == 0).all()
    held = tw.fit(decay, T, decays(), [1, 1.2, 0], fixed=["tau"])
    np.testing.assert_allclose(r["a"], held["a"], rtol=1e-8)


def test_a_shared_parameter_lies_within_the_bounds_of_all_its_data_sets():
    lower = np.full((2, 3, 3), -np.inf)
    upper = np.full((2, 3, 3), np.inf)
    upper[0, 1, 1], lower[1, 2, 1] = 1.3, 1.9
    start = np.tile([1.0, 1.3, 0.0], (2, 3, 1))
    start[1, 2, 1] = 1.9
    y = np.stack([decays(3, 1), decays(3, 2)])
    r = tw.fit(decay, T, y, start, shared="tau", bounds=(lower, upper))
    assert (r["tau"] == [[1.3], [1.9]]).all()
    assert r.success.all()


def test_bounds_that_exclude_one_another_are_told():
    lower, upper = np.full((3, 3), -np.inf), np.full((3, 3), np.inf)
    upper[0, 1], lower[1, 1] = 1.0, 2.0
    start = np.array([[1, 1, 0], [1, 2, 0], [1, 1, 0.0]])
    r = tw.fit(decay, T, decays(3), start, shared="tau", bounds=(lower, upper))
    assert (r.status == Status.BAD_BOUNDS).all()


def test_parameters_that_are_fixed_for_some_data_sets():
    y, held = decays(4), np.zeros((4, 3), bool)
    held[1, 2] = held[3, 0] = True
    start = np.tile([1.0, 1.0, 0.5], (4, 1))
    r = tw.fit(decay, T, y, start, shared="tau", fixed=held)
    assert r.success.all()
    assert r["c"][1] == 0.5
    assert r["a"][3] == 1.0
    assert (r.stderr[held] == 0).all()
    assert (r.dof == 4 * T.size - 1 - 6).all()


def test_tied_parameters_follow_shared_ones():
    y = decays(5) + 0.7 * np.exp(-T / (2 * TAU))
    formula = "a*exp(-t/tau) + b*exp(-t/tau2) + c"
    p0 = {"a": 1, "tau": 1, "b": 1, "c": 0}
    r = tw.fit(formula, T, y, p0, independent="t", shared=["tau", "b"], tied={"tau2": "2*tau"})
    assert r.success.all()
    assert (r["tau2"] == 2 * r["tau"][0]).all()
    of = {name: r.stderr[:, j] for j, name in enumerate(r.names)}
    np.testing.assert_allclose(of["tau2"], 2 * of["tau"], rtol=1e-12)


def test_built_in_models_guess_their_starts():
    rng = np.random.default_rng(6)
    x = np.linspace(-5, 5, 60)
    y = tw.models.gaussian(x, 2.0, 0.4, 1.1, 0.0) * rng.uniform(0.5, 2, (8, 1))
    y += 0.01 * rng.standard_normal(y.shape)
    names = tw.fit(tw.models.gaussian, x, y[0]).names
    r = tw.fit(tw.models.gaussian, x, y, shared=names[1:3])
    assert r.success.all()
    assert (r[names[1]] == r[names[1]][0]).all()
    assert abs(r[names[1]][0] - 0.4) < 5 * r.stderr[0, 1]
