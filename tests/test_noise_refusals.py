"""What counts and robust losses refuse, and what becomes of their results."""

import numpy as np
import pytest
import scipy.optimize
from problems import line

import thalweg as tw
from thalweg.fitting.problem import SlowModelWarning

X = np.arange(12.0)
Y = np.arange(24.0).reshape(2, 12) + 1


def fit(**told):
    return tw.fit(line, X, told.pop("y", Y), [1.0, 1.0], **told)


def test_what_cannot_be_combined():
    with pytest.raises(ValueError, match="takes no sigma: the variance of a count is its mean"):
        fit(noise="poisson", sigma=np.sqrt(Y))
    with pytest.raises(ValueError, match="either noise='poisson' or robust"):
        fit(noise="poisson", robust="huber")
    with pytest.raises(ValueError, match="f_scale is the scale of a robust loss"):
        fit(f_scale=1.0)
    with pytest.raises(ValueError, match="f_scale is the scale of a robust loss"):
        fit(noise="poisson", f_scale=1.0)
    for told in ({"noise": "poisson"}, {"robust": "huber"}):
        with pytest.raises(ValueError, match="cannot be combined with shared parameters"):
            fit(shared="b", **told)
        with pytest.raises(ValueError, match="linear is for least squares"):
            fit(linear="auto", **told)


def test_words():
    with pytest.raises(ValueError, match="noise must be 'normal', 'poisson', got 'gauss'"):
        fit(noise="gauss")
    with pytest.raises(ValueError, match="robust must be 'huber', 'soft_l1', 'cauchy'"):
        fit(robust="tukey")
    with pytest.raises(ValueError, match="f_scale must be 'estimate', got 'guess'"):
        fit(robust="huber", f_scale="guess")


@pytest.mark.parametrize("f_scale", [0, -1, np.nan, np.inf, [1.0, 0.0]])
def test_scales_that_are_none(f_scale):
    with pytest.raises(ValueError, match="f_scale must be positive and finite"):
        fit(robust="huber", f_scale=f_scale)


def test_the_shape_of_scales():
    with pytest.raises(ValueError, match="f_scale must be a number or have the batch's shape"):
        fit(robust="huber", f_scale=[1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="f_scale"):
        fit(robust="huber", f_scale=["a", "b"])
    one, two = (fit(robust="huber", f_scale=s) for s in (0.5, 2.0))
    both = fit(robust="huber", f_scale=[0.5, 2.0])
    np.testing.assert_array_equal(both.params, [one.params[0], two.params[1]])


def test_negative_counts_are_named():
    y = Y.copy().reshape(2, 1, 12)
    y[1, 0, 4] = -3
    with pytest.raises(ValueError, match=r"y\[1, 0, 4\] is -3; mask=y < 0"):
        fit(noise="poisson", y=y)
    assert fit(noise="poisson", y=y, mask=y < 0).n_used.tolist() == [[12], [11]]
    with pytest.raises(ValueError, match=r"y\[0\] is -1"):
        fit(noise="poisson", y=np.full(12, -1.0))


def test_counts_need_not_be_whole():
    assert fit(noise="poisson", y=Y + 0.5).success.all()


def test_a_model_that_python_calls():
    def called(x, a, b):
        return np.array([a + b * v for v in x])

    for told in ({"noise": "poisson"}, {"robust": "huber"}):
        with (
            pytest.warns(SlowModelWarning),
            pytest.raises(ValueError, match="needs a model that can be recorded"),
        ):
            tw.fit(called, X, Y, [1.0, 1.0], **told)


def test_no_data_and_too_few():
    empty = fit(noise="poisson", y=np.empty((0, 12)))
    assert len(empty) == 0
    for told in ({"noise": "poisson"}, {"robust": "cauchy", "f_scale": "estimate"}):
        r = fit(y=np.where(X < 1, Y, np.nan), **told)
        assert all("fewer usable points" in r.reason(k) for k in range(2))
        assert len(fit(y=np.empty((0, 12)), **told)) == 0


def test_inputs_are_not_changed():
    y, scale = Y.copy(), np.array([1.0, 2.0])
    fit(noise="poisson", y=y)
    fit(robust="huber", y=y, f_scale=scale)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_array_equal(scale, [1.0, 2.0])


def test_goodness_of_counts():
    r = fit(noise="poisson")
    f = r.fitted
    deviance = 2 * (f - Y + Y * np.log(Y / f)).sum(axis=1)
    np.testing.assert_allclose(r.chi2, deviance, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(r.deviance, r.chi2)
    np.testing.assert_allclose(r.redchi, r.chi2 / 10)
    np.testing.assert_allclose(r.aic, r.chi2 + 4)
    mean = Y.mean(axis=1, keepdims=True)
    spread = 2 * (Y * np.log(Y / mean)).sum(axis=1)
    np.testing.assert_allclose(r.r2, 1 - r.chi2 / spread)
    y = Y.copy()
    y[0, 3] = np.nan
    y[1, 2] = 0
    assert np.isfinite(fit(noise="poisson", y=y).r2).all()


def test_goodness_of_robust_fits():
    r = fit(robust="huber")
    for name in ("aic", "bic", "r2", "deviance"):
        with pytest.raises(ValueError, match="a robust fit, robust='huber', has no"):
            getattr(r, name)
    with pytest.raises(ValueError, match="the deviance needs the noise"):
        _ = fit().deviance


@pytest.mark.parametrize(
    "told",
    [
        {"noise": "poisson"},
        {"robust": "huber"},
        {"robust": "huber", "f_scale": "estimate"},
        {"robust": "cauchy", "f_scale": [0.5, 2.0]},
    ],
)
def test_saved_results(tmp_path, told):
    r = fit(**told)
    r.save(tmp_path / "r.npz")
    again = tw.load(tmp_path / "r.npz", model=line)
    assert again.problem.noise.kind == r.problem.noise.kind
    if r.problem.noise.f_scale is not None:
        want, got = r.problem.noise.f_scale, again.problem.noise.f_scale
        np.testing.assert_array_equal(got.array, want.array)
        assert got.step == want.step
    np.testing.assert_array_equal(again[1].cov, r[1].cov)
    assert repr(again) == repr(r)
    assert again.summary() == r.summary()


# ---- curve_fit ---------------------------------------------------------------------------------


def with_an_outlier():
    rng = np.random.default_rng(2)
    y = line(X, 1.0, 2.0) + 0.1 * rng.standard_normal(12)
    y[3] += 20
    return y


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_curve_fit_takes_the_losses_of_scipy(loss):
    y, sigma = with_an_outlier(), np.linspace(0.5, 1, 12)
    told = {"sigma": sigma, "method": "trf", "loss": loss, "f_scale": 0.3, "x_scale": "jac"}
    want = scipy.optimize.curve_fit(line, X, y, [0, 1], **told, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    popt, pcov = tw.curve_fit(line, X, y, [0, 1], **told)
    np.testing.assert_allclose(popt, want[0], rtol=1e-5)
    r = tw.fit(line, X, y, [0, 1], sigma=sigma, robust=loss, f_scale=0.3)
    np.testing.assert_array_equal(pcov, r.cov)


def test_what_curve_fit_refuses_of_losses():
    y = with_an_outlier()
    with pytest.raises(ValueError, match="loss must be 'linear', 'huber'"):
        tw.curve_fit(line, X, y, loss="tukey")
    with pytest.raises(ValueError, match="'cauchy' forgets outliers as well"):
        tw.curve_fit(line, X, y, loss="arctan")
    with pytest.raises(ValueError, match="sigma must not be a matrix"):
        tw.curve_fit(line, X, y, sigma=np.eye(12), loss="huber")
    with pytest.raises(ValueError, match="f_scale must be positive"):
        tw.curve_fit(line, X, y, loss="huber", f_scale=-1)
    with (
        pytest.warns(SlowModelWarning),
        pytest.raises(ValueError, match="needs a model that can be recorded"),
    ):
        tw.curve_fit(lambda x, a: np.array([float(a) for _ in x]), X, y, [1.0], loss="huber")
    want = tw.curve_fit(line, X, y)
    for told in ({"loss": "linear"}, {"x_scale": [1.0, 2.0]}, {"loss": "linear", "f_scale": 0.1}):
        np.testing.assert_array_equal(tw.curve_fit(line, X, y, **told)[0], want[0])
