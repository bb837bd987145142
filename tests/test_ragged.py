"""Data sets of different lengths: the same bits as each of them alone."""

import copy
import pickle

import numpy as np
import pytest
from ragged_cases import START, alone, decay, decays
from sizes import around, constant

import thalweg as tw
from thalweg.fitting import ragged

SIDE_BY_SIDE = constant("fit/lanes.h", "SIDE_BY_SIDE")
LENGTHS = [5, 7, 3, 8, 30, 31, 33, 9, 2, 16, 17, 30, 6, 64, 65, 1, 5, 63, 12, 0, 40]


def test_the_constant_is_that_of_the_engine():
    assert ragged.SIDE_BY_SIDE == SIDE_BY_SIDE


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_fits", [1, 7, 8, 9, 16, 17, 21])
def test_every_fit_has_the_bits_it_has_alone(n_fits, dtype, threads):
    t, y = decays(LENGTHS[:n_fits], dtype)
    r = tw.fit(decay, t, y, START, dtype=dtype, threads=threads)
    assert r.params.dtype == dtype and r.status.shape == (n_fits,)
    for k in range(n_fits):
        alone(r, k, decay, t[k], y[k], START, dtype=dtype)
        few = len(y[k]) < 3
        assert (r.status[k] == tw.Status.TOO_FEW_POINTS) == few, r.reason(k)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_lengths_at_the_sizes_at_which_sums_change(dtype):
    lengths = [n for n in around(32, 64, SIDE_BY_SIDE, 16 * 64 * 8, least=4) for _ in range(2)]
    t, y = decays(lengths, dtype)
    r = tw.fit(decay, t, y, START, dtype=dtype)
    for k in range(0, len(t), 2):
        alone(r, k, decay, t[k], y[k], START, dtype=dtype)


def bump(x, a, m, w, c):
    return a * np.exp(-0.5 * ((x - m) / w) ** 2) + c


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("longest", [24, SIDE_BY_SIDE + 40])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bounds": {"a": (-1, 1), "m": (-5, 16)}},
        {"attempts": 1},
        {"robust": "cauchy", "f_scale": 0.03},
        {"robust": "soft_l1", "f_scale": 0.03},
        {"robust": "huber", "f_scale": "estimate"},
        {"linear": "auto"},
        {"starts": 3, "retry": 2},
        {"tied": {"c": "a/10"}},
        {"fixed": ["c"]},
    ],
    ids=lambda o: "-".join(o) or "plain",
)
def test_difficult_fits_have_the_bits_they_have_alone(options, longest, dtype):
    rng = np.random.default_rng(4)
    lengths = rng.integers(longest - 20, longest, 40)
    truth = np.array([2.0, 2.5, 0.5, 0.5]) * rng.uniform(0.3, 3, (40, 4))
    x = [np.linspace(0, 5, n).astype(dtype) for n in lengths]
    y = [bump(u, *p) + rng.normal(0, 0.02, u.size) for u, p in zip(x, truth, strict=True)]
    y = [row.astype(dtype) for row in y]
    starts = (truth[rng.permutation(40)] * rng.uniform(-3, 3, (40, 4))).astype(dtype)
    if "bounds" in options:
        starts[:, :2] = np.clip(starts[:, :2], -1, 1)
    r = tw.fit(bump, x, y, starts, **options)
    assert 0 < r.success.sum()
    for k in range(40):
        skip = {"redchi", "r2", "aic"} if "robust" in options else set()
        alone_but(skip, r, k, bump, x[k], y[k], starts[k], **options)


def alone_but(skip, r, k, *args, **kwargs):
    one = tw.fit(*args, **kwargs)
    for name in ("params", "chi2", "n_iter", "n_used", "status", "detail", "attempts", "stderr"):
        mine, theirs = getattr(r, name)[k], getattr(one, name)
        np.testing.assert_array_equal(mine, theirs, err_msg=f"{name} of fit {k}")


def test_what_is_left_out_of_the_data_sets():
    t, y = decays([30, 12, 41, 30, 8])
    sigma = [np.random.default_rng(k).uniform(0.04, 0.06, row.size) for k, row in enumerate(y)]
    mask = [np.arange(row.size) % 5 == 0 for row in y]
    y[1][3] = t[2][7] = np.nan
    y[4][:] = np.nan
    sigma[0][5], sigma[3][2], mask[3][2] = np.inf, -1, True
    y[3] = np.ma.masked_greater(y[3], 1.5)
    r = tw.fit(decay, t, y, START, sigma=sigma, mask=mask, absolute_sigma=True)
    for k in range(5):
        alone(
            r, k, decay, t[k], y[k], START, sigma=sigma[k], mask=mask[k], absolute_sigma=True
        )  # fmt: skip
    sigma[2][0], mask[2][0] = 0, False
    bad = tw.fit(decay, t, y, START, sigma=sigma, mask=mask)
    assert bad.status.tolist() == [*r.status[:2], tw.Status.BAD_SIGMA, *r.status[3:]]


def test_flat_arrays_with_offsets_are_the_same_data():
    t, y = decays(LENGTHS)
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    flat_t, flat_y = np.concatenate(t), np.concatenate(y)
    r = tw.fit(decay, flat_t, flat_y, START, offsets=offsets)
    listed = tw.fit(decay, t, y, START)
    np.testing.assert_array_equal(r.params, listed.params)
    assert r.fitted.shape == r.residual.shape == flat_y.shape
    assert r.jacobian.shape == (*flat_y.shape, 3)
    np.testing.assert_array_equal(r.fitted, np.concatenate(listed.fitted))
    sigma = np.full(flat_y.size, 0.1)
    weighted = tw.fit(decay, flat_t, flat_y, START, offsets=list(map(int, offsets)), sigma=sigma)
    np.testing.assert_allclose(weighted.chi2, 100 * r.chi2, rtol=1e-6, atol=1e-20)


def test_a_result_of_one_data_set_is_that_of_a_fit_alone():
    t, y = decays([12, 30, 12, 2, 25])
    r = tw.fit(decay, t, y, START)
    for k, one in enumerate(r):
        assert type(one) is tw.FitResult and one.status.shape == ()
        other = tw.fit(decay, t[k], y[k], START)
        for name in ("fitted", "residual", "jacobian", "params", "cov"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(r.fitted[k], other.fitted)
        np.testing.assert_array_equal(r.residual[k], other.residual)
        np.testing.assert_array_equal(r.jacobian[k], other.jacobian)
        np.testing.assert_array_equal(r.band()[k], other.band())
        np.testing.assert_array_equal(one.interval(), other.interval())
    assert r[1].profile("tau").interval.shape == (2,)
    some = r[[4, 1]]
    assert [len(f) for f in some.fitted] == [25, 30] and len(r[r.n_used == 12].fitted) == 2
    np.testing.assert_array_equal(r["tau"], r.params[:, 1])
    np.testing.assert_allclose(r.predict([0.0, 1.0])[1], decay(np.array([0.0, 1.0]), *r.params[1]))
    assert r.band([0.0, 1.0]).shape == (5, 2, 2)


def test_a_result_is_shown_copied_and_saved(tmp_path):
    t, y = decays([12, 30, 12, 2, 25])
    r = tw.fit("a*exp(-t/tau) + c", t, y, START, independent="t")
    assert repr(r).startswith("<FitResult: 5 fits, 4 succeeded") and "median" in r.summary()
    for other in (pickle.loads(pickle.dumps(r)), copy.deepcopy(r)):
        np.testing.assert_array_equal(other.fitted[1], r.fitted[1])
    r.save(tmp_path / "r.npz")
    np.testing.assert_array_equal(tw.load(tmp_path / "r.npz").params, r.params)
    table = r.to_dataframe()
    assert len(table) == 5 and table["tau"].iloc[1] == r["tau"][1]
    line = tw.fit("b*t + d", t, y, [0, 1], independent="t")
    assert line.compare(r).chi2.shape == (5, 2)


def test_what_belongs_to_each_fit_goes_with_it():
    """Starts, bounds, fixed values and scales: rows, dicts and both sides of bounds."""
    lengths = [30, 9, 12, 31, 9, 8]
    t, y = decays(lengths)
    p0 = np.array(list(START.values())) * np.linspace(0.9, 1.1, 6)[:, None]
    upper = np.stack([[2.0 + k / 4, 9.0, 1.0] for k in range(6)])
    held = np.zeros((6, 3), bool)
    held[[1, 3], 2] = True
    scales = np.linspace(0.1, 0.2, 6)
    r = tw.fit(*(decay, t, y, p0), bounds=(None, upper), fixed=held, robust="huber", f_scale=scales)
    named = tw.fit(
        *(decay, t, y, {"a": p0[:, 0], "tau": 2.0, "c": 0.0}),
        bounds={"a": (0, upper[:, 0])},
        fixed={"c": np.linspace(0, 0.2, 6)},
    )
    for k in range(6):
        one = dict(bounds=(None, upper[k]), fixed=held[k], robust="huber", f_scale=scales[k])
        alone_but((), r, k, decay, t[k], y[k], p0[k], **one)
        one = dict(bounds={"a": (0, upper[k, 0])}, fixed={"c": np.linspace(0, 0.2, 6)[k]})
        alone(named, k, decay, t[k], y[k], {"a": p0[k, 0], "tau": 2.0, "c": 0.0}, **one)
    np.testing.assert_array_equal(named["c"], np.linspace(0, 0.2, 6))
    assert r.problem.bounds[1].tolist() == upper.tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_counts(dtype):
    rng = np.random.default_rng(1)
    t = [np.linspace(0, 5, n).astype(dtype) for n in (20, 21, 22, 23, 40, 41)]
    y = [rng.poisson(decay(x, 50, 1.5, 5)).astype(dtype) for x in t]
    r = tw.fit(decay, t, y, [40, 1, 4], noise="poisson")
    for k in range(6):
        alone(r, k, decay, t[k], y[k], [40, 1, 4], noise="poisson")


def test_one_sigma_serves_all_points():
    t, y = decays(LENGTHS)
    r = tw.fit(decay, t, y, START, sigma=0.1, absolute_sigma=True)
    same = tw.fit(decay, t, y, START, sigma=[np.full(n, 0.1) for n in LENGTHS], absolute_sigma=True)
    np.testing.assert_array_equal(r.stderr, same.stderr)
    flat, offsets = np.concatenate(y), np.cumsum([0, *LENGTHS])
    r = tw.fit(
        decay, np.concatenate(t), flat, START, sigma=0.1, absolute_sigma=True, offsets=offsets
    )
    np.testing.assert_array_equal(r.stderr, same.stderr)


@pytest.mark.parametrize("robust", [None, "huber"])
def test_a_data_set_without_points_has_look_ups_of_no_points(robust):
    t, y = decays([0, 30, 0])
    for r in (
        tw.fit(decay, t, y, START, robust=robust),
        tw.fit(decay, t[:1], y[:1], START, robust=robust),
        tw.fit(decay, np.empty(0), np.empty((2, 0)), START, robust=robust),
    ):
        assert r.status[0] == tw.Status.TOO_FEW_POINTS
        for look_up in (r.fitted, r.residual, r.jacobian, r.band(), r.predict()):
            assert len(look_up[0]) == 0
        assert np.isnan(r.stderr[0]).all() and np.isnan(r.interval()[0]).all()
        r.summary(), r.failed(), repr(r), r.reason(0)


def test_a_slow_model_is_told_of_at_the_line_of_the_call():
    def slow(t, a):
        return np.array([float(v) for v in a * np.exp(-t)])

    t = np.linspace(0, 2, 9)
    for x, y in ((t, np.exp(-t)), ([t, t[1:]], [np.exp(-t), np.exp(-t[1:])])):
        with pytest.warns(tw.SlowModelWarning) as heard:
            tw.fit(slow, x, y, [1.0])
        assert [w.filename for w in heard] == [__file__]
