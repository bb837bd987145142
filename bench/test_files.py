"""Text files of numbers: `read_table` beside the readers of pandas and NumPy."""

from functools import partial
from time import process_time

import numpy as np
import pytest
from timing import interleaved

import thalweg as tw

ROWS, COLUMNS = 200_000, 3
ROUNDS = 5
# Few digits are read by an exact product or quotient, all digits of a double by longer sums.
FORMATS = {"6 decimals": "%.6f", "17 digits": "%.17g"}


# pandas 3.1 warns of the argument, and still reads by it to the nearest double.
@pytest.mark.filterwarnings("ignore:The 'float_precision' argument is deprecated")
@pytest.mark.parametrize("digits", FORMATS)
def test_a_long_table(digits, record, tmp_path):
    pd = pytest.importorskip("pandas")
    path = tmp_path / "long.csv"
    values = np.random.default_rng(0).uniform(-10, 10, (ROWS, COLUMNS))
    np.savetxt(path, values, FORMATS[digits], ",", header="t,a,b", comments="")

    ours = partial(tw.read_table, path)
    by_pandas = partial(pd.read_csv, path, float_precision="round_trip")
    by_numpy = partial(np.loadtxt, path, delimiter=",", skiprows=1)
    table, expected = ours(), by_numpy()
    assert np.array_equal(np.column_stack([table[name] for name in "tab"]), expected)
    assert np.array_equal(by_pandas().to_numpy(), expected)

    calls = [ours, partial(pd.read_csv, path), by_pandas, by_numpy]
    own, quick, exact, numpy = interleaved(calls, ROUNDS, process_time).min(0)
    name = f"{ROWS:,} rows of {COLUMNS} numbers of {digits} as text"
    record(name, 1e3 * own, "ms")
    record(f"{name}: time over pandas.read_csv", own / quick, "times", at_most=2)
    record(f"{name}: time over pandas.read_csv to the nearest double", own / exact, "times")
    record(f"{name}: time over numpy.loadtxt", own / numpy, "times")
