"""The failed fits of a store once more, and how a run goes through its pieces."""

import os

import numpy as np
import pytest
from store_cases import X, begin, decays, fit

from thalweg.scale import storing

pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")


@pytest.fixture
def failed(tmp_path):
    """Return data, and a store with failed fits in some of its pieces."""
    y, path = decays(4, 5), tmp_path / "r.zarr"
    y[1, 2], y[3, 3] = np.nan, np.nan
    return y, fit(y, out=path, chunk=(2, 2), max_iter=6)


def test_failed_fits_are_made_again_alone(failed):
    y, stored = failed
    good, first = stored.success, stored[...]
    assert 0 < good.sum() < good.size - 2
    again = stored.refit_failed(
        "a*exp(-t/tau) + c", X, y, {"a": 2, "tau": 1, "c": 0}, independent="t"
    )
    assert again is stored
    assert np.array_equal(stored[...].params[good], first.params[good])
    assert stored.failed().tolist() == [[1, 2], [3, 3]]
    alone = fit(y, p0={"a": 2, "tau": 1, "c": 0})
    assert np.array_equal(stored[...].params[~good], alone.params[~good], equal_nan=True)
    assert np.array_equal(stored[...].stderr[~good], alone.stderr[~good], equal_nan=True)
    assert fit(y, out=stored.path, max_iter=6).failed().tolist() == [[1, 2], [3, 3]]  # finished


def test_a_failure_of_a_higher_chi2_replaces_nothing(failed):
    y, stored = failed
    before = stored[...]
    far = {"a": 50, "tau": 0.01, "c": 40}
    stored.refit_failed("a*exp(-t/tau) + c", X, y, far, independent="t", max_iter=1, attempts=1)
    after = stored[...]
    ran = np.isfinite(before.chi2)
    assert (after.chi2[ran] <= before.chi2[ran]).all()
    assert np.array_equal(after.params, before.params, equal_nan=True)


@pytest.mark.parametrize("writes", range(9))
def test_a_refit_that_is_killed_loses_no_success(failed, monkeypatch, writes):
    """Whatever was written, a fit that says it succeeded has all numbers of its success."""
    y, stored = failed
    rename, left = os.replace, [writes]

    def until_killed(file, target):
        left[0] -= 1
        if left[0] < 0:
            raise SystemExit
        rename(file, target)

    before = stored[...]
    monkeypatch.setattr(os, "replace", until_killed)
    options = {"p0": {"a": 2, "tau": 1, "c": 0}, "independent": "t"}
    with pytest.raises(SystemExit):
        stored.refit_failed("a*exp(-t/tau) + c", X, y, **options)
    monkeypatch.undo()
    now = stored[...]
    assert stored.finished
    stored.refit_failed("a*exp(-t/tau) + c", X, y, **options)
    assert stored.failed().tolist() == [[1, 2], [3, 3]]
    after, alone = stored[...], fit(y, p0=options["p0"])
    for name in ("params", "stderr", "chi2", "n_iter"):
        was, is_now, at_last = (getattr(r, name) for r in (before, now, after))
        assert np.array_equal(is_now[before.success], was[before.success]), name
        assert np.array_equal(is_now[now.success], at_last[now.success]), name
        again = ~before.success
        assert np.array_equal(at_last[again], getattr(alone, name)[again], equal_nan=True), name


@pytest.mark.parametrize(
    "change, words",
    [
        ({"y": decays(4, 5, seed=9)}, "x or y are not those"),
        ({"y": decays(4, 4)}, "the shape of the batch of .* must stay"),
        ({"model": "a*exp(-t/tau)", "p0": {"a": 1, "tau": 1}}, "the parameters of"),
        ({"fixed": ["c"]}, "the places of the free parameters"),
        ({"dtype": np.float32}, "the type of"),
    ],
)
def test_a_refit_of_something_else_is_refused(failed, change, words):
    y, stored = failed
    given = {"model": "a*exp(-t/tau) + c", "x": X, "y": y, "p0": {"a": 2, "tau": 1, "c": 0}}
    with pytest.raises(ValueError, match=words):
        stored.refit_failed(**given | {"independent": "t"} | change)


def test_a_refit_takes_no_other_words(failed):
    y, stored = failed
    with pytest.raises(TypeError, match="did you mean max_iter"):
        stored.refit_failed("line", X, y, maxiter=3)
    with pytest.raises(TypeError, match="no argument 'out'"):
        stored.refit_failed("line", X, y, out="s.zarr")


def test_a_refit_of_what_is_not_finished_is_refused(tmp_path):
    y = decays(10)
    with pytest.raises(ValueError, match="not finished; the call that began it"):
        begin(y, tmp_path / "r.zarr").refit_failed(
            "a*exp(-t/tau) + c", X, y, {"a": 2, "tau": 1, "c": 0}, independent="t"
        )


def test_pieces_are_read_fitted_and_written_side_by_side(tmp_path, monkeypatch):
    """No more than two pieces are read, and one is written, at a time."""
    events = []
    read, write = storing.read_piece, storing._write

    def reading(arguments, region):
        events.append(("read", region[0].start))
        return read(arguments, region)

    def writing(store, place, result, digests):
        write(store, place, result, digests)
        events.append(("written", place[0] * 2))

    monkeypatch.setattr(storing, "read_piece", reading)
    monkeypatch.setattr(storing, "_write", writing)
    fit(decays(20), out=tmp_path / "r.zarr", chunk=2)
    written = 0
    for what, place in events:
        if what == "written":
            written = place + 2
        assert place - written <= 6  # one read, one fitted, one written
