"""Data of float64 in a store of float32: a piece alone is never refused, most data sets are."""

import numpy as np
import pytest
from store_cases import X, assert_same, decays, fit

pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")

FAR = 1e9  # a floor that float32 moves in steps of 64


def some_merged(n, of):
    """Return data of which float32 merges the first n, (of, N)."""
    y = decays(of)
    y[:n] += FAR
    return y


@pytest.mark.parametrize("merged", [0, 1, 4, 9])
@pytest.mark.parametrize("kind", [np.float64, np.int64])
def test_data_that_memory_takes_a_store_takes_with_the_same_bits(merged, kind, tmp_path):
    y = some_merged(merged, 20)
    y = y if kind is np.float64 else np.round(1000 * y).astype(kind)
    y = np.ma.masked_array(y, np.random.default_rng(0).random(y.shape) < 0.1)
    result = fit(y, dtype=np.float32)
    stored = fit(y, dtype=np.float32, out=tmp_path / "r.zarr", chunk=3)
    assert stored.params.dtype == np.float32
    assert_same(stored, result)
    assert_same(fit(y, dtype=np.float32, out=tmp_path / "r.zarr", chunk=3), result)


@pytest.mark.parametrize("n", [1, 12, 64, 65, 500])
def test_data_that_memory_refuses_a_store_refuses(n, tmp_path):
    y = some_merged(n - n // 4, n)
    for out in ({}, {"out": tmp_path / "r.zarr", "chunk": 5}):
        with pytest.raises(ValueError, match=r"y near 1.* does not fit into float32"):
            fit(y, dtype=np.float32, **out)
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_masked_do_not_count(tmp_path):
    y = np.ma.masked_array(some_merged(6, 6), np.tile(np.arange(12) == 3, (6, 1)))
    y.data[:, 3] = 0
    for out in ({}, {"out": tmp_path / "r.zarr"}):
        with pytest.raises(ValueError, match="does not fit into float32"):
            fit(y, dtype=np.float32, **out)


def test_an_x_of_every_data_set_is_judged_as_well(tmp_path):
    x = X + np.where(np.arange(8) < 3, FAR, 0)[:, None]
    y = decays(8)
    options = {"model": "a + b*t", "p0": [1.0, 0.0], "independent": "t", "dtype": np.float32}

    def line(x, **more):
        import thalweg as tw

        given = dict(options)
        return tw.fit(given.pop("model"), x, y, **given, **more)

    assert_same(line(x, out=tmp_path / "r.zarr", chunk=2), line(x))
    with pytest.raises(ValueError, match=r"x near 1.* does not fit"):
        line(x[::-1] + FAR, out=tmp_path / "s.zarr", chunk=2)


def test_failed_fits_are_made_again_of_the_same_numbers(tmp_path):
    y = some_merged(1, 7)
    stored = fit(y, dtype=np.float32, max_iter=4, out=tmp_path / "r.zarr", chunk=2)
    failed = stored.failed()
    assert len(failed) > 1
    stored.refit_failed(
        "a*exp(-t/tau) + c", X, y, {"a": 2, "tau": 1, "c": 0}, independent="t", dtype=np.float32
    )
    again = fit(y, p0={"a": 2, "tau": 1, "c": 0}, dtype=np.float32)
    good = [k for k in failed if again.success[k]]
    assert len(good) > 1
    assert np.array_equal(stored[...].params[good], again.params[good])
