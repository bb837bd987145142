"""Arguments of fits into a store that are wrong: one sentence, and nothing is written."""

from pathlib import Path

import numpy as np
import pytest
from store_cases import X, decays, fit

import thalweg as tw

pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such store"):
        tw.scale.open_result(tmp_path / "none.zarr")
    with pytest.raises(OSError, match=r"none"):
        fit(decays(3), out=tmp_path / "none" / "r.zarr")
    with pytest.raises(ValueError, match="chunk is for results in a store"):
        fit(decays(3), chunk=2)
    with pytest.raises(ValueError, match="is a single one"):
        fit(decays(), out=tmp_path / "r.zarr")
    with pytest.raises(ValueError, match="holds no data sets"):
        fit(decays(0), out=tmp_path / "r.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options, words",
    [
        ({"sigma": np.ones(11)}, r"sigma must have shape \(N=12,\) or \(6, N=12\), got \(11,\)"),
        ({"mask": np.zeros((5, 12), bool)}, r"mask must have shape .* got \(5, 12\)"),
        ({"p0": np.ones((5, 3))}, r"p0 must have shape \(P,\) or \(6, P\), got \(5, 3\)"),
        ({"p0": np.ones(4)}, "p0 must have shape"),
        ({"p0": {"a": 1, "tau": np.ones(5), "c": 0}}, r"p0\['tau'\] must have shape \(\) or \(6\)"),
        ({"f_scale": np.ones(5), "robust": "huber"}, "f_scale must have shape"),
        ({"bounds": {"tau": (0, np.ones(5))}}, "bounds of tau must have shape"),
        ({"shared": "tau"}, "shared parameters need all data sets in memory"),
        ({"p0": "neighbours"}, "needs all data sets in memory"),
        ({"bounds": [1, 2, 3]}, "bounds must be a pair"),
        ({"axis": 2}, "axis 2 is out of range"),
        ({"y": [X, X[:5]]}, "data sets of different lengths are fitted in memory"),
        ({"y": X, "offsets": [0, 5, 12]}, "data sets of different lengths are fitted in memory"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(options, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        fit(**{"y": decays(6)} | options, out=tmp_path / "r.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc").exists(), reason="no folder that nobody may write to")
def test_a_folder_that_cannot_be_written():
    with pytest.raises(OSError, match=r"it cannot be written: .*/proc/r.zarr"):
        fit(decays(3), out="/proc/r.zarr")
