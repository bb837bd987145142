"""Several starts, starts of neighbours, and starts that a user's function guesses."""

import numpy as np
import pytest
from cli_cases import call
from interval_cases import data, decay, fitted

import thalweg as tw
from thalweg.fitting.multistart import _halton

X = np.linspace(0, 10, 80)


def wave(x, a, f, p):
    return a * np.sin(2 * np.pi * f * x + p)


def waves(*batch, seed=0):
    """Waves of frequencies between 0.3 and 1.5, and these."""
    rng = np.random.default_rng(seed)
    f = rng.uniform(0.3, 1.5, batch)
    y = wave(X, 2, f[..., None], 0.4) + rng.normal(0, 0.2, (*batch, X.size))
    return y, f


BOUNDS = {"f": (0.1, 2.0)}


def right(r, f):
    return np.mean(np.abs(np.abs(r["f"]) - f) < 0.02)


# ---- starts ----------------------------------------------------------------------------------


def test_more_starts_find_more_frequencies():
    y, f = waves(200)
    one = tw.fit(wave, X, y, p0=[1, 0.5, 0], bounds=BOUNDS)
    many = tw.fit(wave, X, y, p0=[1, 0.5, 0], bounds=BOUNDS, starts=40)
    assert right(one, f) < 0.5 and right(many, f) > 0.97
    assert (many.chi2 <= one.chi2 * (1 + 1e-9))[one.success].all()
    assert many.success.all() and (many.agreement >= 1).all()


def test_agreement_counts_the_starts_that_end_at_the_minimum():
    r = fitted(3, starts=4)
    assert r.agreement.tolist() == [4, 4, 4]
    assert r.reason(0).endswith("(starts that agree: 4)")
    assert fitted(3).agreement is None and "starts" not in fitted(3).reason(0)
    y, _ = waves(1)
    each = []
    for m in range(6):
        f = 0.5 if m == 0 else 0.1 + 1.9 * _halton(m, 3)[1]
        a, p = (10 ** (2 * _halton(m, 3)[j] - 1) for j in (0, 2)) if m else (1, 1)
        each.append(tw.fit(wave, X, y, p0=[a, f, p], bounds=BOUNDS))
    least = min(r.chi2[0] for r in each if r.success[0])
    r = tw.fit(wave, X, y, p0=[1, 0.5, 1], bounds=BOUNDS, starts=6)
    assert r.chi2[0] == pytest.approx(least, rel=1e-6)
    alike = [e.success[0] and abs(e.chi2[0] / least - 1) < 1e-6 for e in each]
    assert r.agreement[0] == sum(alike)


def test_starts_that_fail_do_not_agree():
    """A start of 0 without bounds stays, so that all starts are the same, and fail alike."""
    r = tw.fit("a*x + b", X, 2 * X + 1, p0=[0, 0], max_iter=0, attempts=1, starts=3)
    assert not r.success and r.agreement == 0


def test_points_of_halton():
    expected = [[0, 0, 0], [1 / 2, 1 / 3, 1 / 5], [1 / 4, 2 / 3, 2 / 5], [3 / 4, 1 / 9, 3 / 5]]
    np.testing.assert_allclose([_halton(m, 3) for m in range(4)], expected)


@pytest.mark.parametrize("options", [{"starts": 5}, {"retry": 5}])
def test_a_fit_is_the_same_alone_and_in_a_batch(options):
    y, _ = waves(2, 3)
    whole = tw.fit(wave, X, y, p0=[1, 0.5, 0], attempts=1, threads=1, **options)
    again = tw.fit(wave, X, y, p0=[1, 0.5, 0], attempts=1, threads=2, **options)
    np.testing.assert_array_equal(whole.params, again.params)
    for k in np.ndindex(2, 3):
        one = tw.fit(wave, X, y[k], p0=[1, 0.5, 0], attempts=1, **options)
        np.testing.assert_array_equal(one.params, whole.params[k])
        assert one.status == whole.status[k] and one.chi2 == whole.chi2[k]


def test_one_start_is_the_plain_fit():
    plain = fitted(3)
    for options in ({"starts": 1}, {"retry": 0}, {"retry": 9}):
        np.testing.assert_array_equal(fitted(3, **options).params, plain.params)


def test_retry_is_for_failed_fits_alone():
    """Fits of one trial step fail; more starts, of which some begin near by, find some of them."""
    y, _ = waves(30)
    options = {"p0": [1, 0.5, 0], "bounds": BOUNDS, "attempts": 1, "max_iter": 6}
    plain = tw.fit(wave, X, y, **options)
    more = tw.fit(wave, X, y, retry=30, **options)
    good = plain.success
    assert not good.all() and more.success.sum() > good.sum()
    np.testing.assert_array_equal(more.params[good], plain.params[good])
    assert more.agreement is None


def test_starts_keep_to_bounds_fixed_and_tied_parameters():
    r = fitted(4, starts=6, fixed={"c": 0.5}, bounds={"a": (1, 2.5), "tau": (0.01, 100)})
    assert (r["c"] == 0.5).all() and (r["a"] <= 2.5).all() and r.success.all()
    held = np.arange(12).reshape(4, 3) % 3 == 2
    own = fitted(4, starts=6, p0=[1, 1, 0.5], fixed=held)
    assert (own["c"] == 0.5).all()
    tied = fitted(4, starts=6, tied={"c": "a/6"})
    np.testing.assert_allclose(tied["c"], tied["a"] / 6)
    assert (tied.agreement == 6).all()


def test_the_results_of_starts_are_results(tmp_path):
    r = fitted(4, starts=3)
    assert r[1].agreement == 3 and r[:2].agreement.tolist() == [3, 3]
    r.save(tmp_path / "r.npz")
    np.testing.assert_array_equal(tw.load(tmp_path / "r.npz", decay).agreement, r.agreement)
    np.testing.assert_allclose(r.stderr, fitted(4).stderr, rtol=1e-6)
    assert r.profile("tau", points=0).lower.shape == (4,)
    assert fitted(0, starts=3).agreement.shape == (0,)


def test_float32_and_models_that_python_calls():
    t, y = data(3)
    r = tw.fit(decay, t, y.astype(np.float32), p0=[1, 1, 0.4], starts=4, dtype=np.float32)
    assert (r.agreement == 4).all()

    def called(t, a, tau, c):
        return np.array([float(v) for v in decay(t, a, float(tau), c)])

    with pytest.warns(tw.SlowModelWarning):
        slow = tw.fit(called, t, y[0], p0=[1, 1, 0.4], starts=3)
    assert slow.agreement == 3


def test_units_do_not_matter():
    t, y = data(3)
    bounds = {"tau": (0.01, 100)}
    r = tw.fit(decay, t, y, p0=[1, 1, 0.4], bounds=bounds, starts=4)
    for size in (2.0**300, 2.0**-300):
        other = tw.fit(decay, t, y * size, p0=[size, 1, 0.4 * size], bounds=bounds, starts=4)
        np.testing.assert_allclose(other["a"], r["a"] * size, rtol=1e-9)
        np.testing.assert_array_equal(other.agreement, r.agreement)


def test_the_callback_counts_all_starts_and_ends_them():
    t, y = data(50)
    seen = []
    tw.fit(decay, t, y, p0=[1, 1, 0.4], starts=3, callback=lambda *a: seen.append(a))
    assert seen[-1] == (150, 150) and all(total == 150 for _, total in seen)
    ended = tw.fit(decay, t, y, p0=[1, 1, 0.4], starts=3, callback=lambda done, _: done >= 50)
    assert ended.success.all()


def test_what_interrupts_later_starts_carries_the_best_so_far():
    t, y = data(50)

    def stop(done, total):
        if done > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        tw.fit(decay, t, y, p0=[1, 1, 0.4], starts=3, callback=stop)
    assert error.value.result.success.all()
    assert error.value.result.params.shape == (50, 3)


def test_what_a_later_start_found_before_it_is_interrupted_is_kept():
    y, _ = waves(50)
    options = {"p0": [1, 0.5, 0], "bounds": BOUNDS, "attempts": 1}

    def stop(done, total):
        if done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        tw.fit(wave, X, y, starts=3, callback=stop, **options)
    both = tw.fit(wave, X, y, starts=2, **options)
    np.testing.assert_array_equal(error.value.result.params, both.params)
    assert (both.params != tw.fit(wave, X, y, **options).params).any()


# ---- neighbours ------------------------------------------------------------------------------


def image(seed=3):
    """A map of frequencies that change slowly, and starts that are right for one pixel."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((12, 10))
    f = 0.5 + 0.03 * rows + 0.04 * columns
    y = wave(X, 2, f[..., None], 0.4) + rng.normal(0, 0.2, (12, 10, X.size))
    return y, f


def test_neighbours_teach_each_other():
    y, f = image()
    alone = tw.fit(wave, X, y, p0=[1, 0.5, 0], attempts=1)
    near = tw.fit(wave, X, y, p0="neighbours", guess=lambda x, y: [1, 0.5, 0], attempts=1)
    assert right(alone, f) < 0.5 and right(near, f) == 1
    assert near.success.all() and (near.chi2 <= alone.chi2 * (1 + 1e-9))[alone.success].all()
    again = tw.fit(
        wave, X, y, p0="neighbours", guess=lambda x, y: [1, 0.5, 0], attempts=1, threads=1
    )
    np.testing.assert_array_equal(again.params, near.params)


def test_neighbours_in_a_row_and_with_built_in_guesses():
    y, f = image()
    r = tw.fit(wave, X, y[0], p0="neighbours", guess=lambda x, y: [1, 0.5, 0], attempts=1)
    assert right(r, f[0]) == 1
    t, y = data(5)
    r = tw.fit(tw.models.exponential, t, y, p0="neighbours")
    np.testing.assert_allclose(r["tau"], tw.fit(tw.models.exponential, t, y)["tau"], rtol=1e-6)


def test_neighbours_that_failed_teach_nothing():
    y, f = image()
    y[5] = np.nan
    r = tw.fit(wave, X, y, p0="neighbours", guess=lambda x, y: [1, 0.5, 0], attempts=1)
    assert (r.status[5] < 0).all() and right(r[:5], f[:5]) == 1


# ---- guess -----------------------------------------------------------------------------------


def test_a_guess_is_called_for_each_data_set():
    t, y = data(2, 3)
    y[1, 2, 4] = np.nan
    seen = []

    def guess(x, y):
        seen.append((x, y))
        return {"c": y[-1], "a": y[0], "tau": 1.0}

    r = tw.fit(decay, t, y, guess=guess)
    assert r.success.all() and len(seen) == 6
    np.testing.assert_array_equal(seen[5][1], y[1, 2])
    np.testing.assert_array_equal(seen[5][0], t)
    by_hand = np.stack([y[..., 0], np.ones((2, 3)), y[..., -1]], -1)
    np.testing.assert_array_equal(tw.fit(decay, t, y, p0=by_hand).params, r.params)


def test_guesses_of_images_bounds_and_ties():
    xx, yy = np.meshgrid(np.arange(7.0), np.arange(6.0))
    z = 3 * np.exp(-((xx - 3) ** 2 + (yy - 3) ** 2) / 4) + 0 * np.ones((4, 1, 1))
    spot = "a*exp(-((x-u)**2+(y-v)**2)/4)"

    def guess(x, y):
        assert x[0].shape == y.shape == (6, 7)
        v, u = np.unravel_index(np.nanargmax(y), y.shape)
        return y.max(), u + 0.4, v

    assert tw.fit(spot, (xx, yy), z, guess=guess).success.all()
    inside = tw.fit(spot, (xx, yy), z, guess=guess, bounds={"u": (0, 3.2)})
    np.testing.assert_allclose(inside["u"], 3, atol=1e-6)
    tied = tw.fit(spot, (xx, yy), z, guess=lambda x, y: {"a": 2, "u": 2.5}, tied={"v": "u"})
    np.testing.assert_allclose(tied["v"], 3, atol=1e-6)


def test_refusals():
    t, y = data(2)
    for name, least in (("starts", 1), ("retry", 0)):
        for value in (least - 1, 2.5, "many", 10**9):
            with pytest.raises(ValueError, match=f"{name} must be a whole number"):
                tw.fit(decay, t, y, p0=[1, 1, 0.4], **{name: value})
    for options in ({"starts": 3}, {"retry": 1}):
        with pytest.raises(ValueError, match="are for fits without shared parameters"):
            fitted(2, shared="tau", **options)
    with pytest.raises(ValueError, match="one data set has no neighbours"):
        tw.fit(tw.models.exponential, t, y[0], p0="neighbours")
    with pytest.raises(ValueError, match="p0 is needed: give a start for a, tau, c"):
        tw.fit(decay, t, y, p0="neighbours")
    with pytest.raises(TypeError, match=r"guess must be a function guess\(x, y\), got list"):
        tw.fit(decay, t, y, guess=[1, 1, 1])
    with pytest.raises(ValueError, match="p0 and guess both say where fits start"):
        tw.fit(decay, t, y, p0=[1, 1, 0.4], guess=lambda x, y: [1, 1, 1])
    with pytest.raises(ValueError, match=r"for each of a, tau, c, got shape \(2,\)"):
        tw.fit(decay, t, y, guess=lambda x, y: [1, 1])
    with pytest.raises(ValueError, match="guess must give every parameter; c missing"):
        tw.fit(decay, t, y, guess=lambda x, y: {"a": 1, "tau": 1})
    with pytest.raises(ValueError, match="whose parameters have names"):
        tw.fit(lambda x, *p: p[0] * x, t, y, guess=lambda x, y: [1])
    with pytest.raises(TypeError, match="what guess returns must be numbers"):
        tw.fit(decay, t, y, guess=lambda x, y: ["a", "b", "c"])


def test_the_command_line_has_starts_and_retry(tmp_path, capsys):
    y, _ = waves(3)
    np.savetxt(tmp_path / "waves.csv", np.column_stack([X, *y]), delimiter=",")
    model, out = "a*sin(2*pi*f*x + p)", tmp_path / "out.npz"
    options = ["fit", tmp_path / "waves.csv", "--model", model, "--p0", "a=1,f=0.5,p=0.1"]
    options += ["--bounds", "f=0.1:2", "--out", out, "--quiet"]
    call(capsys, *options, "--starts", 30)
    r, rows = tw.load(out), np.loadtxt(tmp_path / "waves.csv", delimiter=",").T
    p0 = {"a": 1, "f": 0.5, "p": 0.1}
    expected = tw.fit(model, rows[0], rows[1:], p0=p0, bounds={"f": (0.1, 2)}, starts=30)
    np.testing.assert_array_equal(r.params, expected.params)
    np.testing.assert_array_equal(r.agreement, expected.agreement)
    call(capsys, *options, "--force", "--retry", 2)
    _, said = call(capsys, *options, "--force", "--starts", 0, code=2)
    assert "starts must be a whole number from 1" in said
