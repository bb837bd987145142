"""Several outputs together with everything else that fit does, and what is refused."""

import numpy as np
import pytest
from output_cases import MODELS, OMEGA, F, T, data, decays, fitted, impedance, noise, resonator

import thalweg as tw

START = dict(zip(("R", "C", "L"), MODELS["impedance"][3], strict=True))


def test_fixed_tied_bounds_and_linear():
    y = data("impedance", (3,))
    r = fitted("impedance", y)
    held = tw.fit(impedance, OMEGA, y, p0={**START, "L": 0.3}, fixed=["L"])
    assert (held["L"] == 0.3).all()
    tied = tw.fit(impedance, OMEGA, y, p0={"R": 1, "C": 1}, tied={"L": "0.15*R"})
    np.testing.assert_allclose(tied["L"], 0.15 * tied["R"])
    assert (tied.stderr[:, 2] > 0).all()
    bounded = tw.fit(impedance, OMEGA, y, p0={**START, "C": 0.5}, bounds={"C": (0, 0.6)})
    assert (bounded["C"] == 0.6).all()
    assert bounded.at_bound[:, 1].all()
    auto = tw.fit(impedance, OMEGA, y, p0={"R": 1, "C": 1}, linear="auto")
    np.testing.assert_allclose(auto.params, r.params, rtol=1e-7)
    own = tw.fit(impedance, OMEGA, y, p0=[1, 1, 1], fixed=[[0, 0, 0], [0, 0, 1], [0, 0, 0]]
                 == np.ones((3, 3)))  # fmt: skip
    assert own["L"][1] == 1


def test_shared():
    y = data("decays", (4,))
    r = tw.fit(decays, T, y, p0=[1, 1, 1], shared="tau")
    assert np.unique(r["tau"]).size == 1
    stacked = y.reshape(8, T.size)

    def all_of(t, tau, *a):
        return tuple(p * np.exp(-t / tau) for p in a)

    one = tw.fit(all_of, T, stacked, p0=[1.0] * 9)
    np.testing.assert_allclose(r["tau"][0], one.params[0], rtol=1e-7)
    np.testing.assert_allclose(r.params[:, :2].reshape(-1), one.params[1:], rtol=1e-7)
    np.testing.assert_allclose(r.groups.chi2[0], one.chi2, rtol=1e-9)
    np.testing.assert_allclose(r.stderr[0, 2], one.stderr[0], rtol=1e-5)


def test_robust():
    y = data("resonator", (10,))
    y[:, ::9] += 0.5
    plain, robust = fitted("resonator", y), fitted("resonator", y, robust="cauchy", f_scale=0.03)
    true = MODELS["resonator"][2]
    assert np.abs(robust.params - true).mean() < 0.3 * np.abs(plain.params - true).mean()
    estimated = fitted("resonator", y, robust="huber", f_scale="estimate")
    assert estimated.success.all()


def test_counts_of_two_outputs():
    t, true = np.linspace(0, 4, 60), np.array([50.0, 30.0, 1.2])
    y = np.random.default_rng(1).poisson(np.stack(decays(t, *true)), (2000, 2, 60))
    r = tw.fit(decays, t, y, p0=[40, 40, 1], noise="poisson")
    pull = (r.params - true) / r.stderr
    assert np.abs(pull.mean(0)).max() < 0.1
    np.testing.assert_allclose(pull.std(0), 1, atol=0.06)


def test_starts_and_guesses():
    y = data("resonator", (3,))
    r = fitted("resonator", y, starts=4)
    assert (r.agreement >= 1).all()
    seen = []

    def guess(f, y):
        seen.append((f.shape, y.shape, y.dtype))
        return {"f0": f[np.abs(y).argmin()], "kappa": 0.3, "a": np.abs(y).max(), "phi": 0, "q": 0.5}

    g = tw.fit(resonator, F, y, guess=guess)
    np.testing.assert_allclose(g.params, r.params, rtol=1e-6)
    assert seen == [(F.shape, F.shape, np.dtype(complex))] * 3


def test_profile_bootstrap_jackknife_and_comparison():
    y = data("impedance", (2,))
    r = fitted("impedance", y)
    limits = r.profile("C", points=0).interval
    np.testing.assert_allclose(limits, r.interval()[:, 1], rtol=0.02)
    for kind in ("residual", "wild", "parametric"):
        b = r.bootstrap(400, kind=kind)
        # few points decide, and have few signs: the wild errors are the least certain
        np.testing.assert_allclose(b.stderr, r.stderr, rtol=0.6)
    j = r.jackknife()
    assert j.samples.shape == (2, OMEGA.size, 3)  # a complex number is left out as a whole
    np.testing.assert_allclose(j.stderr, r.stderr, rtol=1)
    keep = np.arange(OMEGA.size) != 5
    some = tw.fit(impedance, OMEGA[keep], y[0][keep], p0=MODELS["impedance"][3])
    np.testing.assert_allclose(j.samples[0, 5], some.params, rtol=1e-6)
    simple = tw.fit(impedance, OMEGA, y, p0={**START, "L": 0}, fixed=["L"])
    assert (simple.compare(r).p_value < 1e-6).all()


def test_a_bootstrap_draws_each_output_from_its_own_residuals():
    """The second output is a thousand times as noisy as the first."""
    rng = np.random.default_rng(2)
    x = np.linspace(0, 1, 50)
    y = np.stack([1 + x, 1 + x]) + rng.normal(size=(2, 50)) * [[1e-3], [1.0]]
    y[1, 7] = np.nan  # so that the outputs do not use the same points
    r = tw.fit(lambda x, a, b: (a + 0 * x, b + 0 * x), x, y - [x, x], p0=[0, 0])
    spread = r.bootstrap(500).stderr
    assert spread[0] < 0.01 < 0.05 < spread[1]


def test_a_bootstrap_keeps_what_correlates_the_outputs():
    """Both outputs have the same errors, so that a - b is certain."""
    x = np.linspace(0, 1, 40)
    e = np.random.default_rng(3).normal(size=40)
    r = tw.fit(lambda x, a, b: (a + 0 * x, b + 0 * x), x, np.stack([e, e + 2]), p0=[0, 0])
    for kind in ("residual", "wild"):
        samples = r.bootstrap(100, kind=kind).samples
        assert np.ptp(samples[:, 1] - samples[:, 0]) < 1e-6


def test_goodness():
    y = data("decays")
    y[1] += 100 - y[1].mean()  # a mean of its own must not count as explained

    def constants(t, a, b):
        return a + 0 * t, b + 0 * t

    r = tw.fit(constants, T, y, p0=[0, 0])
    np.testing.assert_allclose(r.r2, 0, atol=1e-9)
    z = fitted("impedance")
    centred = z.problem.data.y.reshape(2, -1)
    total = np.square(centred - centred.mean(1, keepdims=True)).sum()
    np.testing.assert_allclose(z.r2, 1 - z.chi2 / total, rtol=1e-12)
    assert z.aic < fitted("impedance", fixed=["L"]).aic


def test_files(tmp_path):
    for name in ("impedance", "decays"):
        model, x, _, _ = MODELS[name]
        r = fitted(name, data(name, (3,)))
        r.save(tmp_path / "result.npz")
        again = tw.load(tmp_path / "result.npz", model)
        assert (again.params == r.params).all()
        np.testing.assert_allclose(again.predict(x[:4]), r.predict(x[:4]), rtol=1e-14)
        np.testing.assert_allclose(again.band(x[:4]), r.band(x[:4]), rtol=1e-12)
        assert again[1].predict(x[:4]).shape == r[1].predict(x[:4]).shape
        with pytest.raises(ValueError, match="holds no data"):
            _ = again.residual


def test_pictures():
    plt = pytest.importorskip("matplotlib.pyplot")
    r = fitted("impedance", data("impedance", (2,)))
    axes = r.plot(1, band=0.95)
    labels = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert labels == ["real part", "imaginary part"]
    assert len(tw.plot.overview(r).axes) == 2
    assert tw.plot.residuals(r) is not None
    d = fitted("decays", sigma=(0.02, 0.05))
    names = [text.get_text() for text in d.plot()[0].figure.legends[0].get_texts()]
    assert names == ["output 0", "output 1"]
    xx, yy = np.meshgrid(np.arange(4.0), np.arange(3.0))
    wave = tw.fit(lambda xy, a, b: a * xy[0] + 1j * b * xy[1], (xx, yy), xx + 2j * yy, p0=[2, 1])
    assert wave.plot().shape == (6,)
    with pytest.raises(ValueError, match="a figure of their own"):
        wave.plot(ax=plt.subplots(1, 3)[1])
    with pytest.raises(ValueError, match="a band is drawn for models of one variable"):
        wave.plot(band=0.9)
    plt.close("all")


def test_an_interrupted_fit_gives_what_it_has():
    y = data("resonator", (2000,))

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        fitted("resonator", np.tile(y, (20, 1)), callback=stop)
    assert caught.value.result.fitted.shape == (40_000, F.size)


def test_nothing_of_the_callers_is_changed():
    y, x = data("impedance", (2,)), OMEGA.copy()
    sigma = np.full(OMEGA.size, 0.1 + 0.2j)
    copies = [v.copy() for v in (y, x, sigma)]
    tw.fit(impedance, x, y, p0=MODELS["impedance"][3], sigma=sigma)
    assert all((a == b).all() for a, b in zip((y, x, sigma), copies, strict=True))


def test_empty_batches():
    for name in ("impedance", "decays"):
        y = data(name, (2,))[:0]
        r = fitted(name, y)
        assert r.fitted.shape == y.shape
        assert r.jacobian.shape == (*y.shape, 3)


# ---- refusals -----------------------------------------------------------------------------------

Y = data("impedance", (2,))
TWO = data("decays")
P3 = [1, 1, 1]
REFUSALS = [
    (TypeError, "y is complex, but the model exponential is real", dict(model="exponential", y=Y)),
    (TypeError, "y is complex, but the model <lambda> is real",
     dict(model=lambda x, a, b, c: a * x + b + c, y=Y[0])),
    (TypeError, "y is complex, but the model decays is real", dict(model=decays, y=Y)),
    (TypeError, "the model impedance is complex, but y is real", dict(y=Y.real)),
    (TypeError, "got an array of complex128; a complex model needs a complex y",
     dict(y=Y[0].real)),
    (ValueError, "needs counts, but y is complex", dict(noise="poisson")),
    (ValueError, r"sigma must have shape \(N=41\)", dict(sigma=np.ones(40))),
    (ValueError, "sigma must be positive, got -0.1", dict(sigma=-0.1 - 1j)),
    (ValueError, r"mask must have shape \(N=41\)", dict(mask=np.zeros(3, bool))),
    (ValueError, r"x must have shape \(N=41,\)", dict(x=OMEGA[1:])),
    (TypeError, "sigma must be real|sigma must be numbers", dict(sigma=["a"] * 41)),
]  # fmt: skip
REFUSALS_OF_TWO = [
    (ValueError, r"2 outputs, so y must have shape \(..., K=2, N\), got \(3, 30\)",
     dict(y=np.ones((3, 30)))),
    (ValueError, r"shape \(30,\), got shape \(2, 30\); K outputs need y", dict(y=TWO[0])),
    (ValueError, r"the outputs of y must have one shape, got \(3, 29\) and \(3, 30\)",
     dict(y=(np.ones((3, 30)).tolist(), np.ones((3, 29)).tolist()))),
    (ValueError, "a data set of a length of its own has one output",
     dict(y=(np.ones((3, 30)), np.ones((3, 29))))),
    (ValueError, "x must be a list of 2 arrays", dict(y=(TWO[0], TWO[1, 1:]))),
    (ValueError, r"sigma must have shape \(K=2, N=30\)", dict(sigma=np.ones((3, 30)))),
    (ValueError, r"sigma must have shape \(K=2, N=30\)", dict(sigma=np.ones(29))),
    (TypeError, "sigma must be real", dict(sigma=0.1 + 0.2j)),
    (ValueError, "x must have shape", dict(x=np.ones((2, 3, 30)))),
]  # fmt: skip


@pytest.mark.parametrize(("error", "words", "given"), REFUSALS)
def test_bad_complex_input_is_refused_in_one_sentence(error, words, given):
    call = {"model": impedance, "x": OMEGA, "y": Y, "p0": P3, **given}
    with pytest.raises(error, match=words):
        tw.fit(**call)


@pytest.mark.parametrize(("error", "words", "given"), REFUSALS_OF_TWO)
def test_bad_input_of_two_outputs_is_refused_in_one_sentence(error, words, given):
    with pytest.raises(error, match=words):
        tw.fit(**{"model": decays, "x": T, "y": TWO, "p0": P3, **given})


def test_curve_fit_refuses_complex_data():
    with pytest.raises(TypeError, match="ydata must be real"):
        tw.curve_fit(impedance, OMEGA, Y[0], P3)


def test_noise_helper():
    assert noise(3, 1, 1.0).dtype == complex
