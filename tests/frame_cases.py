"""Tables of pandas and polars with the same content."""

import numpy as np
import pandas as pd
import pytest

LIBRARIES = ["pandas", "polars", "lazy"]
START = {"a": 1.5, "tau": 2.0, "c": 0.1}


def frame(library, columns):
    """Return a table of a library with these columns."""
    if library == "pandas":
        return pd.DataFrame(columns)
    pl = pytest.importorskip("polars")
    nan_is_null = {k: np.asarray(v) if isinstance(v, np.ndarray) else v for k, v in columns.items()}
    table = pl.DataFrame(nan_is_null, strict=False)
    return table.lazy() if library == "lazy" else table


def column(table, name):
    """Return a column of a result's table as an array; of pandas also a level of the index."""
    if isinstance(table, pd.DataFrame):
        at = table.index.get_level_values(name) if name in table.index.names else table[name]
        return np.asarray(at)
    return table[name].to_numpy()


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def samples(n_groups, seed=0, dtype=np.float64):
    """Return columns of a long table, rows in disorder, of groups of 4 to 40 points."""
    rng = np.random.default_rng(seed)
    key = np.repeat(np.arange(n_groups) * 7 % 100, rng.integers(4, 41, n_groups))
    key = rng.permutation(key)
    t = rng.uniform(0, 8, key.size).astype(dtype)
    y = decay(t, 2 + key / 100, 1 + key / 50, 0.2) + rng.normal(0, 0.05, key.size)
    return {"sample": key, "t": t, "signal": y.astype(dtype)}
