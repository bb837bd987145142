"""Labels of several levels, as a MultiIndex of pandas and xarray has, survive a fit."""

import numpy as np
import pytest

import thalweg as tw

pd = pytest.importorskip("pandas")
xr = pytest.importorskip("xarray")

T = np.linspace(0, 4, 9)
KEYS = [("a", 1), ("a", 2), ("b", 1), ("c", 5)]
Y = np.array([k * np.exp(-T / 2) for k in (1.0, 2, 3, 4)])
MODEL, P0 = "a*exp(-t/tau)", {"a": 1, "tau": 1}


def fit(y, **options):
    return tw.fit(MODEL, T, y, P0, independent="t", **options)


def rows(names=("sample", "run")):
    return pd.MultiIndex.from_tuples(KEYS, names=names)


@pytest.mark.parametrize("side", ["rows", "columns"])
@pytest.mark.parametrize("saved", [False, True])
def test_levels_of_rows_and_columns(side, saved, tmp_path):
    table = pd.DataFrame(Y, rows(), pd.Index(T, name="t"))
    r = fit(table, axis="t") if side == "rows" else fit(table.T, axis=0)
    if saved:
        r.save(tmp_path / "r.npz")
        r = tw.load(tmp_path / "r.npz")
    out = r.to_dataframe()
    pd.testing.assert_index_equal(out.index, rows())
    np.testing.assert_allclose(out.loc[("b", 1), "a"], 3)
    dataset = r.to_xarray()
    assert dataset["tau"].dims == (("dim_0",) if side == "rows" else ("dim_1",))
    np.testing.assert_allclose(dataset["a"].sel(sample="a", run=2), 2)
    pd.testing.assert_index_equal(r[1:].to_dataframe().index, rows()[1:])
    pd.testing.assert_index_equal(r[[3, 0]].to_dataframe().index, rows()[[3, 0]])
    assert r[2].to_dataframe().shape[0] == 1 and r[2].to_xarray()["sample"] == "b"


def test_levels_beside_another_axis(tmp_path):
    y = xr.DataArray(
        np.stack([Y, 2 * Y], 1).reshape(2, 2, 2, T.size),
        dims=("row", "col", "kind", "t"),
        coords={"row": [10, 20], "col": ["l", "r"], "kind": ["x", "y"], "t": T},
    )
    stacked = y.stack(cell=("row", "col"))  # (kind, t, cell)
    r = fit(stacked, axis="t")
    out = r.to_dataframe()
    assert out.index.names == ["kind", "row", "col"]
    np.testing.assert_allclose(out.loc[("y", 20, "l"), "a"], r["a"][1, 2])
    r.save(tmp_path / "r.npz")
    for one in (r, tw.load(tmp_path / "r.npz")):
        dataset = one.to_xarray()
        assert dataset["a"].dims == ("kind", "cell") and list(dataset.indexes["cell"].names) == [
            "row",
            "col",
        ]
        whole = dataset.unstack("cell")["a"]
        np.testing.assert_array_equal(whole.sel(kind="y", row=20, col="l"), r["a"][1, 2])
    assert r[0].to_dataframe().index.names == ["row", "col"]
    assert r[:, 0].to_dataframe().index.name == "kind"


@pytest.mark.parametrize(
    "names, told",
    [
        ((None, None), ["dim_0_0", "dim_0_1"]),
        (("a", "a"), ["dim_0_0", "dim_0_1"]),
        (("sample", None), ["sample", "dim_0_1"]),
        (("t", "run"), ["dim_0_t", "run"]),
        ((1, 2), ["1", "2"]),
    ],
)
def test_levels_without_names_of_their_own(names, told):
    r = fit(pd.DataFrame(Y, rows(names), pd.Index(T, name="t")))
    assert r.to_dataframe().index.names == told
    assert set(told) <= set(r.to_xarray().coords)


def test_a_level_with_the_name_of_a_number_is_refused_for_xarray_alone():
    r = fit(pd.DataFrame(Y, rows(("tau", "run")), T))
    assert r.to_dataframe().index.names == ["tau", "run"]
    with pytest.raises(ValueError, match="'tau' is the name of a coordinate of y and of a number"):
        r.to_xarray()


def test_columns_of_several_levels_may_be_the_points():
    columns = pd.MultiIndex.from_product([["u"], T], names=["kind", "t"])
    r = fit(pd.DataFrame(Y, pd.Index(list("abcd"), name="sample"), columns))
    assert list(r.to_dataframe().index) == list("abcd")
    assert list(r.to_xarray().coords) == ["sample", "cov_i", "cov_j"]
