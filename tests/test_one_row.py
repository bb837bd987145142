"""What is known at once of x and y that are one row of points each, as in a loop of small fits."""

import numpy as np
import pytest

import thalweg as tw
from thalweg._core.buffers import one_row

TYPES = [np.dtype(np.float64), np.dtype(np.float32)]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n", [1, 2, 50])
@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize(
    ("value", "word"),
    [(1.0, "finite"), (np.inf, "infinite"), (-np.inf, "infinite"), (np.nan, "nan")],
)
def test_a_row_is_finite_or_infinite_or_holds_nan(dtype, n, place, value, word):
    row, other = np.full(n, np.finfo(dtype).max, dtype), np.zeros(n, dtype)
    row[place] = value
    assert one_row(row, other, dtype) == (word, "finite")
    assert one_row(other, row, dtype) == ("finite", word)


def test_nan_counts_for_more_than_infinity():
    row = np.array([np.inf, np.nan, -np.inf])
    assert one_row(row, row, TYPES[0]) == ("nan", "nan")


def _read_only(row):
    row.flags.writeable = False
    return row


NO_ROWS = {
    "list": lambda row: row.tolist(),
    "None": lambda row: None,
    "two axes": lambda row: row.reshape(1, -1),
    "no axis": lambda row: row[0].reshape(()),
    "every second": lambda row: np.repeat(row, 2)[::2],
    "read-only": _read_only,
    "other bytes": lambda row: row.astype(row.dtype.newbyteorder()),
    "other type": lambda row: row.astype(np.float32 if row.itemsize == 8 else np.float64),
    "whole numbers": lambda row: row.astype(int),
    "masked": np.ma.array,
    "shorter": lambda row: row[:-1],
    "empty": lambda row: row[:0],
    "not aligned": lambda row: np.frombuffer(bytearray(b" " + row.tobytes()), row.dtype, offset=1),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", NO_ROWS)
def test_what_is_no_row_is_looked_at_longer(dtype, kind):
    row, other = np.arange(1.0, 6.0).astype(dtype), np.ones(5, dtype)
    changed = NO_ROWS[kind](row)
    assert one_row(changed, other, dtype) is None
    assert one_row(other, changed, dtype) is None


@pytest.mark.parametrize("name", ["xdata", "ydata"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_curve_fit_refuses_a_row_that_is_not_finite(name, value):
    data = {"xdata": np.arange(5.0), "ydata": np.ones(5)}
    data[name][3] = value
    with pytest.raises(ValueError, match=f"{name} must be finite, but holds NaN or infinity"):
        tw.curve_fit(lambda x, a, b: a * x + b, p0=(1.0, 1.0), **data)


def test_a_point_whose_x_is_nan_is_left_out():
    x, y = np.arange(6.0), 2 * np.arange(6.0) + 1
    x[2], y[2] = np.nan, 100.0
    r = tw.fit(lambda x, a, b: a * x + b, x, y, (1.0, 0.0))
    assert r.n_used == 5
    assert np.allclose(r.params, [2, 1])
