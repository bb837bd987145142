"""Pictures of many fits: maps of a number, of the status, of all residuals, and a first look."""

import numpy as np
import pytest
from plot_cases import RNG, X, decay, decays

import thalweg as tw

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402 - after the backend is chosen

from thalweg import plot  # noqa: E402


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def with_failures(*batch):
    """A batch whose first fit fails and whose second is far off."""
    y = decay(X, RNG.uniform(1, 3, (*batch, 1)), 1.5)
    y.reshape(-1, X.size)[0, 2] = np.inf
    y.reshape(-1, X.size)[1] *= 1e6
    return tw.fit(decay, X, y, p0={"a": 1, "tau": 1})


def test_a_map_is_the_parameter_without_failed_fits():
    r = with_failures(20, 30)
    ax = plot.map(r, "a")
    (image,) = ax.images
    shown = image.get_array()
    assert np.array_equal(np.ma.getmaskarray(shown), ~r.success)
    assert np.array_equal(shown.compressed(), r["a"][r.success])
    assert image.get_clim() == tuple(np.percentile(r["a"][r.success], [1, 99]))
    assert image.get_clim()[1] < 10
    assert image.colorbar.ax.get_ylabel() == "a" and image.colorbar.extend == "both"
    assert ax.get_title(loc="right") == "1 fit failed"
    bad = image.get_cmap().get_bad()
    assert np.ptp(bad[:3]) > 0.2  # no grey, and no colour of viridis
    ax.figure.canvas.draw()


def test_what_else_can_be_mapped():
    r = decays(4, 5)
    for name, values in {
        "chi2": r.chi2,
        "n_iter": r.n_iter,
        "tau_stderr": r.stderr[..., 1],
    }.items():
        (image,) = plot.map(r, name).images
        assert np.array_equal(image.get_array(), values)
    (image,) = plot.map(r, "dof", limits=(0, 30)).images
    assert image.get_clim() == (0, 30)
    with pytest.raises(ValueError, match="map names 'tua', but the parameters are a, tau; did you"):
        plot.map(r, "tua")


def test_pixels_without_data_are_no_failures():
    y = decay(X, RNG.uniform(1, 3, (3, 4, 1)), 1.5)
    y[0, 0, 2] = np.inf
    y[1:, 2:] = np.nan
    r = tw.fit(decay, X, y, p0={"a": 1, "tau": 1})
    assert plot.map(r, "a").get_title(loc="right") == "1 fit failed, 4 without data"


def test_a_constant_map_has_a_colour_scale():
    (image,) = plot.map(decays(3, 3, fixed={"a": 2}), "a").images
    low, high = image.get_clim()
    assert low < 2 < high


def test_a_map_where_everything_failed():
    y = np.full((2, 3, X.size), np.inf)
    ax = plot.map(tw.fit(decay, X, y, p0=[1, 1]), "a")
    assert ax.get_title(loc="right") == "6 fits failed"
    ax.figure.canvas.draw()


def test_a_fit_that_failed_with_parameters_is_not_in_the_map():
    r = decays(2, 3, max_iter=0)
    assert np.isfinite(r["a"]).all() and not r.success.any()
    (image,) = plot.map(r, "a").images
    assert np.ma.getmaskarray(image.get_array()).all()


def test_a_line_has_a_point_for_every_fit():
    r = with_failures(8)
    ax = plot.map(r, "tau")
    points, failed = ax.lines
    assert np.array_equal(points.get_data(), (np.arange(1, 8), r["tau"][1:]))
    assert failed.get_xdata().tolist() == [0]
    ax.figure.canvas.draw()


def test_many_fits_become_a_histogram():
    r = with_failures(600)
    ax = plot.map(r, "a")
    low, high = np.percentile(r["a"][1:], [1, 99])
    inside = np.count_nonzero((low <= r["a"][1:]) & (r["a"][1:] <= high))
    assert sum(bar.get_height() for bar in ax.patches) == inside
    assert ax.get_xlabel() == "a" and ax.get_title(loc="right") == "1 fit failed"


@pytest.mark.parametrize("batch", [(), (2, 2, 2)])
def test_other_batches_have_no_map(batch):
    with pytest.raises(ValueError, match=r"a map needs a batch of one or two dimensions, got one"):
        plot.map(decays(*batch), "a")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [9, 10, 30, 500, 501])
@pytest.mark.parametrize("failed", [False, True])
def test_a_first_look_at_any_number_of_fits_is_drawn_without_a_warning(n, failed):
    figure = plot.overview(with_failures(n) if failed else decays(n))
    figure.canvas.draw()
    labels = [ax.yaxis.get_label().get_window_extent() for ax in figure.axes if ax.get_ylabel()]
    frames = [ax.get_window_extent() for ax in figure.axes]
    assert not any(label.overlaps(frame) for label in labels for frame in frames)


def test_a_map_counts_pixels_in_whole_numbers_beside_a_bar_of_its_height():
    for shape in ((3, 4), (40, 7), (7, 40)):
        ax = plot.map(decays(*shape), "tau", limits=(0, 9))  # no arrows at the bar's ends
        ax.figure.canvas.draw()
        ticks = [*ax.get_xticks(), *ax.get_yticks()]
        assert all(tick == round(tick) for tick in ticks)
        frame, bar = (a.get_window_extent() for a in (ax, ax.images[0].colorbar.ax))
        assert abs(bar.height - frame.height) < 1 and abs(bar.y0 - frame.y0) < 1  # pixels


def test_a_map_of_the_status_names_each_that_occurs():
    r = with_failures(4, 5)
    ax = plot.map(r, "status")
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[0] == "NOT_FINITE (1)"
    counts = [int(word.split("(")[1][:-1]) for word in words]
    assert sum(counts) == 20 and len(words) == len(np.unique(r.status))
    colours = {tuple(c) for c in ax.images[0].get_array().reshape(-1, 4)}
    assert len(colours) == len(words)
    bars = plot.map(with_failures(7), "status")
    assert bars.patches[0].get_width() == 1
    assert sum(bar.get_width() for bar in bars.patches) == 7
    ax.figure.canvas.draw()


def test_maps_of_what_is_looked_up():
    r = with_failures(3, 4)
    for name in ("redchi", "r2", "aic", "bic", "n_used", "attempts"):
        shown = plot.map(r, name).images[0].get_array()
        assert np.array_equal(shown.compressed(), getattr(r, name)[r.success])
    shown = plot.map(r, "residual").images[0].get_array()
    assert np.allclose(shown[2, 3], np.sqrt(np.mean(r.residual[2, 3] ** 2)))


def test_residuals_of_all_fits_are_one_image():
    r = with_failures(3, 4)
    ax = plot.residuals(r)
    shown = ax.images[0].get_array()
    assert shown.shape == (12, X.size) and np.ma.getmaskarray(shown)[0].all()
    assert np.array_equal(shown[5], r.residual[1, 1])
    low, high = ax.images[0].get_clim()
    assert low == -high and ax.images[0].colorbar.ax.get_ylabel() == "y - f(x)"
    assert plot.residuals(r, limits=(-1, 2)).images[0].get_clim() == (-1, 2)
    assert plot.residuals(decays()).images[0].get_array().shape == (1, X.size)
    with pytest.raises(ValueError, match="there is no fit to draw"):
        plot.residuals(decays(0))


def test_pictures_have_the_names_of_the_data():
    pd, xr = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    y = decay(X, 2, 1.5) * np.ones((3, 2, 1))
    cube = xr.DataArray(y, dims=("depth", "beam", "time"), coords={"time": X})
    r = tw.fit(decay, cube.time, cube, p0={"a": 1, "tau": 1}, axis="time")
    ax = plot.map(r, "tau")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("beam", "depth")
    assert plot.fit(r, 0, 0)[-1].get_xlabel() == "time"
    table = pd.DataFrame(y[:, 0], pd.Index(["s1", "s2", "s3"], name="sample"))
    ax = plot.map(tw.fit(decay, pd.Series(X, name="delay"), table, p0={"a": 1, "tau": 1}), "a")
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "sample"
    assert [t.get_text() for t in ax.get_xticklabels() if t.get_text()] == ["s1", "s2", "s3"]


def test_to_xarray():
    pytest.importorskip("xarray")
    r = with_failures(2, 3)
    dataset = r.to_xarray()
    assert dict(dataset.sizes) == {"dim_0": 2, "dim_1": 3, "cov_i": 2, "cov_j": 2}
    assert np.array_equal(dataset["tau"], r["tau"], equal_nan=True)
    assert np.array_equal(dataset["tau_stderr"], r.stderr[..., 1], equal_nan=True)
    assert np.array_equal(dataset["chi2"], r.chi2, equal_nan=True)
    flags = dataset["status"].attrs
    meaning = dict(zip(flags["flag_values"], flags["flag_meanings"].split(), strict=True))
    assert meaning[int(dataset["status"][0, 0])] == "not_finite"
    assert decays().to_xarray()["a"].shape == ()
