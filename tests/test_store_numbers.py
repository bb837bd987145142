"""What a result in a store tells beyond its arrays: computed numbers, pieces, tables, pictures."""

import numpy as np
import pytest
from store_cases import START, X, decays, fit

import thalweg as tw

pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return a stored result without covariances and the same in memory, with some failures."""
    y = decays(6, 7)
    y[2, 3:5] = np.nan
    y[:, 1, :3] = np.nan
    options = {"bounds": {"tau": (0, 2)}}
    folder = tmp_path_factory.mktemp("store")
    return fit(y, **options, out=folder / "r.zarr", chunk=(4, 3)), fit(y, **options)


@pytest.mark.parametrize("name", ["dof", "redchi", "aic", "aicc", "bic", "at_bound"])
def test_numbers_that_follow_from_others(both, name):
    stored, result = both
    values, expected = getattr(stored, name), getattr(result, name)
    assert values.dtype == expected.dtype and name in dir(stored)
    assert np.array_equal(values, expected, equal_nan=True)


def test_a_function_of_every_piece(both):
    stored, result = both
    values = stored.map(lambda part: part.interval(0.9))
    assert np.array_equal(values, result.interval(0.9), equal_nan=True)
    assert np.array_equal(
        stored.map(lambda part: part.predict(X)), result.predict(X), equal_nan=True
    )
    for wrong in (lambda part: part.names, lambda part: 1, lambda part: part.params[0]):
        with pytest.raises(ValueError, match=r"an array whose shape begins so, got"):
            stored.map(wrong)


def test_pieces_are_all_fits_once(both):
    stored, result = both
    seen = np.zeros(stored.shape, int)
    for region, part in stored.pieces():
        seen[region] += 1
        assert np.array_equal(part.params, result.params[region], equal_nan=True)
    assert (seen == 1).all()


@pytest.mark.parametrize("most, step", [(42, 1), (41, 2), (12, 2), (10, 3), (1, 7)])
def test_every_kth_fit(both, most, step):
    stored, result = both
    assert stored.step_of(most) == step
    part = stored.thinned(most)
    assert np.array_equal(part.params, result[::step, ::step].params, equal_nan=True)


def test_what_is_not_there_names_who_has_it(both):
    stored, _ = both
    for name, words in (
        ("residual", "needs the data; thalweg.fit of that part of y has it"),
        ("plot", "needs the data"),
        ("to_dataframe", r"a part of it has, such as r\[:100\].to_dataframe"),
        ("cov", r"r\[:100\].cov, and r.pieces\(\) goes through all"),
        ("band", "a part of it has"),
        ("tau", "has no attribute 'tau'$"),
    ):
        with pytest.raises(AttributeError, match=words):
            getattr(stored, name)
    assert not hasattr(stored, "_repr_html_")
    with pytest.raises(ValueError, match=r"a folder; thalweg.scale.open_result opens"):
        tw.load(stored.path)


def test_ties_are_told(tmp_path):
    stored = fit(decays(3), tied={"c": "a/6"}, out=tmp_path / "r.zarr")
    assert stored.tied == {"c": "a/6"}


def test_tables_of_a_part(both):
    pytest.importorskip("pandas")
    stored, result = both
    table, expected = stored[1:3].to_dataframe(), result[1:3].to_dataframe()
    assert list(table) == [name for name in expected if not name.endswith("_cov")]
    assert table.equals(expected[list(table)])


def test_a_dataset_is_read_when_it_is_asked_for(both):
    xarray = pytest.importorskip("xarray")
    stored, result = both
    dataset, expected = stored.to_xarray(), result.to_xarray()
    assert set(dataset) == set(expected) - {"cov", "dof"}
    assert dataset["tau"].dims == ("dim_0", "dim_1") and "array([" not in repr(dataset)
    for name in dataset:
        assert np.array_equal(dataset[name], expected[name], equal_nan=True), name
    assert dataset["status"].attrs["flag_meanings"] == expected["status"].attrs["flag_meanings"]
    part, same = stored[1:3].to_xarray(), result[1:3].to_xarray()
    xarray.testing.assert_equal(part, same.drop_vars(["cov", "cov_i", "cov_j"]))


def test_a_dataset_has_the_labels_of_y(tmp_path):
    xarray = pytest.importorskip("xarray")
    when = np.array(["2020-01-31", "2020-02-01"], "M8[ns]")
    coords = {"when": when, "t": X, "city": ("place", ["Aa", "Bb", "Cc"]), "place": [10.0, 20, 30]}
    y = xarray.DataArray(decays(2, 3), dims=("when", "place", "t"), coords=coords)
    dataset = fit(y, axis="t", out=tmp_path / "r.zarr").to_xarray()
    expected = fit(y, axis="t").to_xarray()
    xarray.testing.assert_equal(
        dataset, expected[list(dataset)].drop_vars(["cov_i", "cov_j"], errors="ignore")
    )
    lazy = dataset.chunk({})
    assert np.array_equal(lazy["tau"].mean("place"), expected["tau"].mean("place"))
    wrong = fit(y.rename(place="tau"), axis="t", out=tmp_path / "s.zarr")
    with pytest.raises(ValueError, match="'tau' is the name of a coordinate"):
        wrong.to_xarray()


# ---- pictures --------------------------------------------------------------------------------


@pytest.fixture
def plt():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    yield plt
    plt.close("all")


def test_a_map_is_drawn_of_a_store(both, plt, monkeypatch):
    stored, _ = both
    for name in ("tau", "tau_stderr", "redchi", "status"):
        ours, theirs = (tw.plot.map(r, name).images[0].get_array() for r in both)
        assert np.array_equal(np.ma.filled(ours, 0), np.ma.filled(theirs, 0)), name
    with pytest.raises(ValueError, match="holds no data"):
        tw.plot.map(stored, "residual")
    for draw in (tw.plot.residuals, lambda r: tw.plot.fit(r, 0, 0)):
        with pytest.raises(AttributeError, match=r"needs the data; thalweg.fit of that part"):
            draw(stored)
    thin = stored.thinned(10)
    monkeypatch.setattr(type(stored), "thinned", lambda self: thin)
    monkeypatch.setattr(type(stored), "step_of", lambda self: 3)
    image = tw.plot.map(stored, "tau").images[0]
    assert image.get_array().shape == (2, 3)
    assert image.get_extent() == [-0.5, 8.5, 5.5, -0.5]  # fit (3, 6) lies in its pixel
    assert tw.plot.overview(stored).axes


def test_a_histogram_tells_how_many_it_shows(plt, tmp_path):
    stored = fit(decays(1200), out=tmp_path / "r.zarr")
    assert tw.plot.map(stored, "tau").get_ylabel() == "fits"
    few = fit(decays(4), out=tmp_path / "few.zarr")
    assert len(tw.plot.overview(few).axes) == len(START)
