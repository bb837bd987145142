"""Bootstrap and jackknife: their values, their bits, their failures; comparison of models."""

import numpy as np
import pytest
from interval_cases import SIGMA, data, decay, fitted
from scipy import stats

import thalweg as tw

KINDS = ["residual", "wild", "parametric"]


def line(n=15, *batch, seed=1):
    x = np.linspace(0, 1, n)
    y = 2 * x + 1 + np.random.default_rng(seed).normal(0, 0.3, (*batch, n))
    return tw.fit("a*x + b", x, y, p0=[1, 0])


# ---- bootstrap -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["residual", "parametric"])
def test_standard_errors_are_those_of_a_linear_model(kind):
    """4000 samples give a standard error to 1.1 %."""
    r = line(40)
    b = r.bootstrap(4000, seed=3, kind=kind)
    np.testing.assert_allclose(b.stderr, r.stderr, rtol=0.05)
    assert (np.abs(b.bias) < 0.1 * r.stderr).all()
    np.testing.assert_allclose(b.cov[0, 1], r.cov[0, 1], rtol=0.15)


def test_the_wild_bootstrap_is_the_sandwich():
    """Its covariance is (J'J)^-1 J' diag(e^2) J (J'J)^-1 n / dof."""
    r = line(40)
    J, e = r.jacobian, r.residual
    inverse = np.linalg.inv(J.T @ J)
    sandwich = inverse @ (J.T * e**2) @ J @ inverse * 40 / 38
    b = r.bootstrap(4000, seed=3, kind="wild")
    np.testing.assert_allclose(b.stderr, np.sqrt(np.diag(sandwich)), rtol=0.05)


def test_with_absolute_sigma_parametric_noise_has_the_size_of_sigma():
    x = np.linspace(0, 1, 15)
    r = tw.fit("a*x + b", x, 2 * x, p0=[1, 0], sigma=np.full(15, 0.5), absolute_sigma=True)
    np.testing.assert_allclose(r.bootstrap(4000, kind="parametric").stderr, r.stderr, rtol=0.05)


def test_sigma_is_kept_and_its_scale_drawn():
    x = np.linspace(0, 1, 30)
    sigma = np.where(x < 0.5, 0.1, 1.0)
    y = 2 * x + sigma * np.random.default_rng(2).normal(0, 2, 30)
    r = tw.fit("a*x + b", x, y, p0=[1, 0], sigma=sigma)
    for kind in ("residual", "parametric"):
        np.testing.assert_allclose(r.bootstrap(4000, kind=kind).stderr, r.stderr, rtol=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_depend_on_the_seed_alone(kind, monkeypatch):
    from thalweg.fitting import refits, resampling

    r = fitted(2, 3)
    b = r.bootstrap(30, seed=5, kind=kind, threads=1)
    assert b.samples.shape == (2, 3, 30, 3) and b.kind == kind
    np.testing.assert_array_equal(r.bootstrap(30, 5, kind, threads=2).samples, b.samples)
    assert not np.array_equal(r.bootstrap(30, 6, kind).samples, b.samples)
    assert not np.array_equal(
        b.samples[0, 0] - b.estimate[0, 0], b.samples[0, 1] - b.estimate[0, 1]
    )
    for size in (1, 20 * 7, 20 * 30 * 2):  # samples, or fits, in parts
        monkeypatch.setattr(refits, "AT_ONCE", size)
        monkeypatch.setattr(resampling, "AT_ONCE", size)
        np.testing.assert_array_equal(r.bootstrap(30, 5, kind).samples, b.samples)


def test_points_left_out_stay_out():
    t, y = data(2)
    y[:, 3] = np.nan
    y[0, 4] = 1e6
    mask = np.zeros((2, 20), bool)
    mask[0, 4] = True
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4], mask=mask)
    b = r.bootstrap(400, seed=1)
    assert (b.n_failed == 0).all()
    np.testing.assert_allclose(b.stderr, r.stderr, rtol=0.25)
    used = [[k for k in range(20) if k not in (3, 4)], [k for k in range(20) if k != 3]]
    alone = tw.fit(decay, t[used[0]], y[0, used[0]], p0=[1, 1, 0.4])
    np.testing.assert_allclose(alone.bootstrap(50).samples, r.bootstrap(50).samples[0], rtol=1e-5)


def test_ties_bounds_and_fixed_parameters_hold_in_every_sample():
    b = fitted(2, tied={"c": "a/6"}).bootstrap(20)
    np.testing.assert_allclose(b["c"], b["a"] / 6)
    assert (fitted(2, fixed={"tau": 1.2}).bootstrap(20)["tau"] == 1.2).all()
    assert (fitted(2, bounds={"c": (0.49, 1)}, p0=[1, 1, 0.5]).bootstrap(50)["c"] >= 0.49).all()


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_models_that_python_calls_and_float32():
    def called(t, a, tau, c):
        return np.array([float(v) for v in decay(t, a, float(tau), c)])

    t, y = data()
    slow, fast = (tw.fit(f, t, y, p0=[1, 1, 0.4]).bootstrap(10) for f in (called, decay))
    np.testing.assert_allclose(slow.samples, fast.samples, rtol=1e-4)
    rough = tw.fit(decay, t, y.astype(np.float32), p0=[1, 1, 0.4], dtype=np.float32).bootstrap(10)
    assert rough.samples.dtype == np.float32
    np.testing.assert_allclose(rough.samples, fast.samples, rtol=5e-3, atol=5e-3)


def test_failed_samples_are_counted_and_do_not_count():
    t, y = data(3)
    y[1] = np.nan
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4])
    b = r.bootstrap(25)
    assert b.n_failed.tolist() == [0, 25, 0] and b.n_used.tolist() == [25, 0, 25]
    assert np.isnan(b.stderr[1]).all() and np.isnan(b.interval()[1]).all()
    assert np.isfinite(b.stderr[[0, 2]]).all()
    assert repr(b) == "<Resamples: residual, 25 samples of 3 fits, 25 failed>"
    assert r.jackknife().n_failed.tolist() == [0, 0, 0]


def test_intervals_are_quantiles_of_the_samples():
    b = fitted(2).bootstrap(200)
    low, high = np.quantile(b.samples, [0.025, 0.975], axis=-2)
    np.testing.assert_allclose(b.interval(), np.stack([low, high], -1), rtol=1e-12)
    mirrored = 2 * b.estimate[..., None] - np.stack([high, low], -1)
    np.testing.assert_allclose(b.interval(method="basic"), mirrored, rtol=1e-12)


def test_bca_is_that_of_scipy_for_a_mean():
    """A mean is the fit of a constant; the quantiles of two samplings nearly agree."""
    y = np.random.default_rng(4).exponential(1, 30)
    r = tw.fit("0*x + m", np.arange(30.0), y, p0=[1])
    ours = r.bootstrap(20_000).interval(0.9, "bca")[0]
    theirs = stats.bootstrap((y,), np.mean, n_resamples=20_000, confidence_level=0.9, rng=1)
    expected = np.array(theirs.confidence_interval)
    np.testing.assert_allclose(ours, expected, atol=0.12 * np.diff(expected)[0])


def test_bca_is_its_formula():
    """Efron 1987: quantiles at Phi(z0 + (z0 + z) / (1 - a (z0 + z)))."""
    r = fitted(2)
    b, theta = r.bootstrap(500), r.jackknife().samples
    d = theta.mean(-2, keepdims=True) - theta
    a = (d**3).sum(-2) / (6 * (d**2).sum(-2) ** 1.5)
    z0 = stats.norm.ppf((b.samples < b.estimate[:, None]).mean(-2))
    for side, z in enumerate(stats.norm.ppf([0.05, 0.95])):
        levels = stats.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z)))
        for k in np.ndindex(2, 3):
            expected = np.quantile(b.samples[k[0], :, k[1]], levels[k])
            np.testing.assert_allclose(b.interval(0.9, "bca")[k][side], expected, rtol=1e-9)


def test_each_fit_has_random_numbers_of_its_own():
    t, y = data()
    samples = tw.fit(decay, t, np.stack([y, y]), p0=[1, 1, 0.4]).bootstrap(20).samples
    assert not np.isclose(samples[0], samples[1]).any(axis=-1).all()
    np.testing.assert_array_equal(
        tw.fit(decay, t, y, p0=[1, 1, 0.4]).bootstrap(20).samples, samples[0]
    )


@pytest.mark.parametrize("method", ["percentile", "basic"])
def test_bootstrap_intervals_hold_the_truth_nearly_as_often_as_they_say(method):
    """1000 fits: the standard error of the coverage is 0.7 points."""
    r = line(30, 1000)
    both = r.bootstrap(300, seed=1).interval(0.95, method)
    share = 100 * np.mean((both[..., 0] <= [2, 1]) & ([2, 1] <= both[..., 1]), axis=0)
    assert (np.abs(share - 95) < 3).all(), share


# ---- jackknife -------------------------------------------------------------------------------


def test_the_jackknife_leaves_out_one_point_after_the_other():
    t, y = data(2, n=12)
    mask = np.zeros((2, 12), bool)
    mask[1, 5] = True
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4], mask=mask)
    j = r.jackknife()
    for k in range(12):
        kept = np.arange(12) != k
        one = tw.fit(decay, t[kept], y[:, kept], p0=r.params, mask=mask[:, kept])
        if k != 5:
            np.testing.assert_allclose(j.samples[:, k], one.params, rtol=1e-6)
    assert np.isnan(j.samples[1, 5]).all() and j.n_failed.tolist() == [0, 0]
    s = j.samples[0]
    expected = np.sqrt(11 / 12 * ((s - s.mean(0)) ** 2).sum(0))
    np.testing.assert_allclose(j.stderr[0], expected, rtol=1e-12)
    np.testing.assert_allclose(j.bias[0], 11 * (s.mean(0) - r.params[0]), rtol=1e-9)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    y = np.random.default_rng(4).normal(0, 1, 30)
    j = tw.fit("0*x + m", np.arange(30.0), y, p0=[1]).jackknife()
    np.testing.assert_allclose(j.stderr, y.std(ddof=1) / np.sqrt(30), rtol=1e-9)


def test_nothing_to_resample():
    assert fitted(0).bootstrap(5).samples.shape == (0, 5, 3)
    assert fitted(0).jackknife().samples.shape == (0, 20, 3)


def test_what_interrupts_carries_what_was_finished(monkeypatch):
    from thalweg.fitting import profile, refits, resampling

    r = fitted(6)
    whole = r.bootstrap(10), r.jackknife(), r.profile("tau", points=0)
    for module in (refits, resampling):
        monkeypatch.setattr(module, "AT_ONCE", 1)  # one fit, or one sample, at a time
    left = []  # calls that are made before one is interrupted

    def interrupted(*arguments):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return refits.run_again(*arguments)

    for module in (resampling, profile):
        monkeypatch.setattr(module, "run_again", interrupted)
    asks = (12, r.bootstrap, 10), (4, r.jackknife), (12, r.profile, "tau")
    for (calls, ask, *arguments), expected in zip(asks, whole, strict=True):
        left[:] = [calls]
        with pytest.raises(KeyboardInterrupt) as error:
            ask(*arguments)
        partly = error.value.result
        assert type(partly) is type(expected)
        if isinstance(expected, tw.Profile):
            done = partly.lower_status != tw.Limit.NOT_RUN
            assert 0 < done.sum() < 6
            np.testing.assert_array_equal(partly.lower[done], expected.lower[done])
        else:
            done = ~np.isnan(partly.samples)
            assert 0 < done.sum() < done.size
            np.testing.assert_array_equal(partly.samples[done], expected.samples[done])


def test_refusals_of_resampling(tmp_path):
    r = fitted(2)
    with pytest.raises(ValueError, match="kind must be 'residual', 'wild', 'parametric'"):
        r.bootstrap(kind="pairs")
    for n in (0, 1, 2.5, "many"):
        with pytest.raises(ValueError, match="n must be a whole number"):
            r.bootstrap(n)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        r.bootstrap(10, seed=-1)
    t, y = data(2)
    exact = tw.fit(decay, t[[0, 5, 15]], y[:, [0, 5, 15]], p0=[1, 1, 0.4])
    with pytest.raises(ValueError, match="as many parameters as points"):
        exact.bootstrap(10)
    for ask in (lambda r: r.bootstrap(10), lambda r: r.jackknife()):
        with pytest.raises(ValueError, match=r"with shared parameters \(tau\)"):
            ask(fitted(2, shared="tau"))
        r.save(tmp_path / "r.npz")
        with pytest.raises(ValueError, match="a loaded result has no"):
            ask(tw.load(tmp_path / "r.npz", decay))
    with pytest.raises(ValueError, match="method must be"):
        r.bootstrap(10).interval(method="bc")
    with pytest.raises(ValueError, match="level must be"):
        r.bootstrap(10).interval(95)
    with pytest.raises(ValueError, match="samples of a jackknife have no quantiles"):
        r.jackknife().interval()
    with pytest.raises(KeyError, match="the parameters are a, tau, c"):
        r.jackknife()["k"]


# ---- comparison ------------------------------------------------------------------------------


def models(*batch, **options):
    """Fits of a decay without and with a background."""
    t, y = data(*batch)
    small = tw.fit("a*exp(-t/tau)", t, y, p0=[1, 1], independent="t", **options)
    return small, tw.fit(decay, t, y, p0=[1, 1, 0.4], **options)


def test_the_f_test_is_that_of_scipy():
    small, large = models(4)
    c = small.compare(large)
    f = (small.chi2 - large.chi2) / (large.chi2 / large.dof)
    assert c.test == "F" and c.n_free[0].tolist() == [2, 3]
    np.testing.assert_allclose(c.statistic, f, rtol=1e-12)
    np.testing.assert_allclose(c.p_value, stats.f.sf(f, 1, 17), rtol=1e-10)
    np.testing.assert_array_equal(large.compare(small).p_value, c.p_value)
    np.testing.assert_array_equal(c.aic, np.stack([small.aic, large.aic], -1))
    np.testing.assert_array_equal(c.bic, np.stack([small.bic, large.bic], -1))
    K = np.array([3, 4])
    np.testing.assert_allclose(c.aicc - c.aic, [2 * K * (K + 1) / (20 - K - 1)] * 4, rtol=1e-9)
    np.testing.assert_array_equal(small.aicc, c.aicc[:, 0])


def test_with_absolute_sigma_the_difference_of_chi2_is_tested():
    small, large = models(sigma=np.full(20, SIGMA), absolute_sigma=True)
    c = small.compare(large)
    assert c.test == "chi2"
    np.testing.assert_allclose(c.p_value, stats.chi2.sf(small.chi2 - large.chi2, 1), rtol=1e-9)
    assert "chi2 =" in repr(c) and "AICc" in repr(c)


def test_the_f_test_rejects_a_true_model_as_often_as_it_says():
    """4000 fits: the standard error of the share is 0.34 points."""
    x = np.linspace(0, 1, 10)
    y = 2 * x + 1 + np.random.default_rng(3).normal(0, 0.3, (4000, 10))
    small = tw.fit("a*x + b", x, y, p0=[1, 0])
    p = small.compare(tw.fit("a*x + b + c*x**2", x, y, p0=[1, 0, 0])).p_value
    assert abs(100 * np.mean(p < 0.05) - 5) < 1.4


def test_models_of_as_many_parameters_have_no_test():
    r = fitted(3)
    assert np.isnan(r.compare(r).p_value).all()
    assert repr(r.compare(r)) == "<Comparison of 3 fits: p < 0.05 for 0>"


def test_fits_of_other_data_are_refused(tmp_path):
    t, y = data(2)
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4])

    def other(t=t, y=y, **options):
        return tw.fit("a*exp(-t/tau)", t, y, p0=[1, 1], independent="t", **options)

    s = np.full(20, 0.1)
    cases = {
        "y has the shape": other(t[:-1], y[:, :-1]),
        "y differs": other(y=y + 1),
        "x differs": other(t=t + 1),
        "sigma differs": other(sigma=s * 2),
        "they use different points": other(mask=np.arange(20) == 3),
        "one of the fits has absolute_sigma": other(sigma=s, absolute_sigma=True),
    }
    for words, fit in cases.items():
        with pytest.raises(ValueError, match=words):
            r.compare(fit)
    r.save(tmp_path / "r.npz")
    with pytest.raises(ValueError, match="a loaded result has no comparison"):
        r.compare(tw.load(tmp_path / "r.npz", decay))
