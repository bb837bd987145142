"""Data sets of different lengths: models of every kind, and what is refused or interrupts."""

import numpy as np
import pytest
from ragged_cases import START, alone, decay, decays

import thalweg as tw
from thalweg.fitting import ragged
from thalweg.model import as_model

LENGTHS = [5, 9, 30, 31, 33, 12, 9, 40]


def about_the_mean(t, a, b):
    return a * (t - t.mean()) + b


def by_number(t, a, b):
    return a * t / t.size + b


def up_to_the_largest(t, a, b):
    return a * np.where(t < t.max() / 2, t, 0) + b


def cumulated(t, a, b):
    return a * np.cumsum(np.exp(-t * b)) + b


def slow(t, a, b):
    return np.array([a * float(x) + b for x in t])


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("model", [about_the_mean, by_number, up_to_the_largest, cumulated, slow])
def test_a_model_that_looks_at_all_points_sees_its_own(model, dtype):
    t, y = decays(LENGTHS, dtype)
    r = tw.fit(model, t, y, [1, 0])
    for k in range(len(t)):
        alone(r, k, model, t[k], y[k], [1, 0])
    np.testing.assert_allclose(r.fitted[2], model(t[2], *r.params[2]), rtol=1e-5)
    np.testing.assert_array_equal(r[3].fitted, r.fitted[3])


def test_a_slow_model_is_told_once():
    t, y = decays([5, 9, 9, 12])
    with pytest.warns(tw.SlowModelWarning) as told:
        r = tw.fit(slow, t, y, [1, 0])
    assert len(told) == 1 and r.success.all()
    assert r.predict([1.0, 2.0]).shape == (4, 2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_guessed_start_is_that_of_the_data_set_alone(dtype):
    t, y = decays([12, 30, 13, 12, 25], dtype)
    r = tw.fit(tw.models.exponential, t, y, bounds={"tau": (0, 10)})
    for k in range(5):
        alone(r, k, tw.models.exponential, t[k], y[k], bounds={"tau": (0, 10)})
    seen = []

    def guess(x, y):
        seen.append(len(x))
        return {"a": y.max(), "tau": 1.0, "c": 0.0}

    r = tw.fit(decay, t, y, guess=guess)
    assert sorted(seen) == [12, 12, 13, 25, 30] and r.success.all()
    for k in range(5):
        alone(r, k, decay, t[k], y[k], guess=guess)


def plane(uv, a, b, c):
    return a * uv[0] + b * np.exp(uv[1] / 10) + c


def columns(data, a, b, c):
    return a * data["u"] + b * np.exp(data["v"] / 10) + c


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_several_variables(dtype):
    u, y = decays(LENGTHS, dtype)
    v = [np.cos(row).astype(dtype) for row in u]
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    one = tw.fit(plane, (u, v), y, [1, 1, 0])
    named = tw.fit(columns, {"u": u, "v": v, "w": [r * np.nan for r in v]}, y, [1, 1, 0])
    flat_u, flat_v, flat_y = map(np.concatenate, (u, v, y))
    flat = tw.fit(plane, (flat_u, flat_v), flat_y, [1, 1, 0], offsets=offsets)
    matrix = tw.fit(plane, np.stack([flat_u, flat_v]), flat_y, [1, 1, 0], offsets=offsets)
    text = tw.fit("a*u + b*exp(v/10) + c", {"v": v, "u": u}, y, [1, 1, 0], independent=["u", "v"])
    for k in range(len(u)):
        alone(one, k, plane, (u[k], v[k]), y[k], [1, 1, 0])
    for other in (named, flat, matrix, text):
        np.testing.assert_array_equal(other.params, one.params)
    np.testing.assert_array_equal(named.fitted[2], named[2].fitted)


def test_lists_of_one_length_and_of_none():
    t, y = decays([9, 9, 9])
    r = tw.fit("a*x + b", t, y, [1, 0])  # one variable, so the three rows are not its variables
    rows = tw.fit("a*x + b", np.stack(t), np.stack(y), [1, 0])
    np.testing.assert_array_equal(r.params, rows.params)
    shared = tw.fit(decay, t[0], y, START)  # rows of a matrix, as ever
    assert shared.fitted.shape == (3, 9)
    objects = np.empty(2, object)
    objects[:] = [t[0], t[1][:5]]
    values = np.empty(2, object)
    values[:] = [y[0], y[1][:5]]
    of_objects = tw.fit(decay, objects, values, START)
    lists = tw.fit(decay, list(objects), list(values), START)
    np.testing.assert_array_equal(of_objects.params, lists.params)
    empty = tw.fit(decay, [], [], START, offsets=[0])
    assert empty.params.shape == (0, 3) and empty.success.shape == (0,) and len(empty) == 0
    no_points = tw.fit(decay, [], [], START, offsets=[0, 0, 0])
    assert (no_points.status == tw.Status.TOO_FEW_POINTS).all() and no_points.fitted.shape == (0,)


def test_callbacks_count_all_fits_and_end_the_job():
    t, y = decays(LENGTHS * 40)
    told = []
    r = tw.fit(decay, t, y, START, callback=lambda done, total: told.append((done, total)))
    assert told[-1] == (320, 320) and told == sorted(told)
    r = tw.fit(decay, t, y, START, callback=lambda done, total: done >= 40)
    assert 0 < (r.status == 0).sum() < 320 and np.isnan(r.params[r.status == 0]).all()
    assert r.n_iter[r.status == 0].sum() == 0 and (r.detail[r.status == 0] == -1).all()
    pytest.importorskip("tqdm")
    assert tw.fit(decay, t, y, START, progress=True, starts=2).agreement.shape == (320,)


def test_what_interrupts_carries_the_finished_fits():
    t, y = decays(LENGTHS * 40)

    def stop(done, total):
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupt:
        tw.fit(decay, t, y, START, callback=stop)
    part = interrupt.value.result
    whole = tw.fit(decay, t, y, START)
    done = part.status != 0
    assert 40 <= done.sum() < 320
    np.testing.assert_array_equal(part.params[done], whole.params[done])
    assert part[int(np.argmax(done))].success

    def guess(x, y):
        if len(x) > 30:
            raise RuntimeError("no")
        return [1, 1, 0]

    with pytest.raises(RuntimeError) as failed:
        tw.fit(decay, t, y, guess=guess)
    assert (failed.value.result.status != 0).sum() == 40 * 5


def test_units_far_from_one():
    t, y = decays([12, 30, 13, 12, 25])
    start = [1.5, 2.0, 0.1]
    r = tw.fit(decay, t, y, start)
    for scale in (2.0**600, 2.0**-600):
        s = tw.fit(decay, t, [row * scale for row in y], [1.5 * scale, 2.0, 0.1 * scale])
        assert s.success.all()
        np.testing.assert_array_equal(s["a"], r["a"] * scale)
        np.testing.assert_array_equal(s.stderr[:, 0], r.stderr[:, 0] * scale)


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"x": np.zeros(9)}, ValueError, "x must be a list of 2 arrays, as y is"),
        ({"x": [np.zeros(9)]}, ValueError, "x must be a list of 2 arrays, as y is, got 1"),
        ({"x": [np.zeros(9), np.zeros(4)]}, ValueError, r"x\[1\] has 4 points, but y\[1\] has 5"),
        ({"sigma": np.ones(9)}, ValueError, "sigma must be a list of 2 arrays"),
        ({"mask": [[False]] * 2}, ValueError, r"mask\[0\] has 1 points, but y\[0\] has 9"),
        ({"y": [np.zeros(9), np.zeros((5, 2))]}, ValueError, r"y\[1\] must be an array of one"),
        (
            {"y": [np.zeros((2, 9)), np.zeros((2, 5))]},
            ValueError,
            r"y\[0\] must be an array of one",
        ),
        ({"y": [np.zeros(9) + 1j, np.zeros(5)]}, TypeError, "y must be real where data sets have"),
        ({"y": [["a"] * 9, np.zeros(5)]}, TypeError, "y must be numbers"),
        ({"offsets": [0, 9]}, ValueError, "y must have one axis"),
        ({"shared": "tau"}, ValueError, "shared needs data sets of one length"),
        ({"groups": [0, 1]}, ValueError, "groups needs data sets of one length"),
        ({"axis": 0}, ValueError, "axis names axes of an array y"),
        ({"p0": "neighbours"}, ValueError, "p0='neighbours' needs data sets of one length"),
        ({"p0": np.ones((3, 3))}, ValueError, "p0 has the shape .3, 3., but there are B=2"),
        ({"p0": {**START, "a": [1, 2, 3]}}, ValueError, r"p0\['a'\] has the shape"),
        ({"bounds": (np.zeros((3, 3)), None)}, ValueError, "bounds has the shape"),
        ({"fixed": np.zeros((3, 3), bool)}, ValueError, "fixed has the shape"),
        ({"noise": "poisson"}, ValueError, r"y\[1\]\[2\] is -1; a mask leaves"),
    ],
)
def test_refusals(change, error, words):
    y = [np.linspace(2, 1, 9), np.array([3, 2, -1.0, 1, 1])]
    arguments = {"x": [np.arange(9.0), np.arange(5.0)], "y": y, "p0": START, **change}
    with pytest.raises(error, match=words):
        tw.fit(decay, **arguments)


@pytest.mark.parametrize(
    "offsets, words",
    [
        ([1, 14], "rise from 0 to the number of points, 14; got 1 to 14"),
        ([0, 9], "got 0 to 9"),
        ([0, 9, 5, 14], "falling in between"),
        ([0.0, 14.0], "offsets must be B . 1 whole numbers"),
        (9, "offsets must be B . 1 whole numbers"),
        ([], "offsets must be B . 1 whole numbers"),
    ],
)
def test_wrong_offsets(offsets, words):
    with pytest.raises(ValueError, match=words):
        tw.fit(decay, np.arange(14.0), np.arange(14.0), START, offsets=offsets)
    with pytest.raises(ValueError, match=r"y\[5\] is -5"):
        y = np.where(np.arange(14) == 5, -5.0, 4.0)
        tw.fit(decay, np.arange(14.0), y, START, offsets=[0, 9, 14], noise="poisson")


def test_what_a_ragged_result_refuses():
    t, y = decays([9, 12])
    r = tw.fit(decay, t, y, START)
    for method in (lambda: r.profile("tau"), r.bootstrap, r.jackknife):
        with pytest.raises(ValueError, match=r"is for data sets of one length; r.17."):
            method()
    with pytest.raises(ValueError, match="numbers of points differ"):
        r.compare(tw.fit(decay, t[::-1], y[::-1], START))
    with pytest.raises(ValueError, match="give x, too"):
        r.band(sigma=[1.0])


def test_float32_refuses_what_it_would_merge_in_most_data_sets():
    t, y = decays([9, 12, 12, 20, 21])
    far = [row + 1e9 for row in t]
    with pytest.raises(ValueError, match=r"x near .* does not fit into float32"):
        tw.fit(decay, far, y, START, dtype=np.float32)
    one = [far[0], *t[1:]]
    assert tw.fit(decay, one, y, START, dtype=np.float32).success[1:].all()


@pytest.mark.parametrize("at_once", [1, 4000, 20_000])
def test_rows_are_copied_a_piece_at_a_time(monkeypatch, at_once):
    t, y = decays(LENGTHS * 5)
    whole = tw.fit(decay, t, y, START)
    monkeypatch.setattr(ragged, "AT_ONCE", at_once)
    pieces = tw.fit(decay, t, y, START)
    for name in ("params", "chi2", "status", "cov"):
        np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name))


def test_few_points_are_added_and_none_of_them_counts():
    """At most 12 % of the points, and rows of at most 64 MiB at a time."""
    lengths = np.random.default_rng(0).integers(20, 200, 3000)
    t, y = decays(lengths)
    sizes = []

    def fit(model, x, y, *args, **kwargs):
        sizes.append(y.shape)
        return tw.fit(model, x, y, *args, **kwargs)

    arguments = dict.fromkeys(
        ("sigma", "mask", "shared", "groups", "axis", "offsets", "callback", "progress", "starts")
    )
    arguments |= {"f_scale": None, "bounds": None, "fixed": None, "dtype": None, "noise": "normal"}
    arguments |= {"info": as_model(decay), "model": decay, "x": t, "y": y, "p0": START}
    ragged.fit_ragged(fit, arguments)
    rows = sum(n * N for n, N in sizes)
    assert rows <= (1 + ragged.PADDING) * lengths.sum() and len(sizes) < 40
