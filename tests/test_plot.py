"""Pictures: the axes hold the data, the curve and the images they should."""

import sys

import numpy as np
import pytest
from plot_cases import RNG, X, decay, decays

import thalweg as tw

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402 - after the backend is chosen

from thalweg import plot  # noqa: E402

ROWS, COLUMNS = np.indices((9, 12))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def line(ax, label):
    """The x and y of the line with a label."""
    (found,) = [artist for artist in ax.lines if artist.get_label() == label]
    return found.get_data()


def caption(figure):
    return figure.legends[0].get_title().get_text()


# ---- one fit -------------------------------------------------------------------------------------


def test_points_curve_and_residuals():
    r = decays()
    main, below = plot.fit(r)
    main.figure.canvas.draw()
    y = r.problem.data.y[0]
    assert np.array_equal(line(main, "data"), (X, y))
    x, curve = line(main, "fit")
    assert x.size > 400 and (np.diff(x) > 0).all()
    assert np.array_equal(curve[np.searchsorted(x, X)], r.predict())
    assert np.array_equal(below.lines[-1].get_ydata(), y - r.predict())
    assert main.get_shared_x_axes().joined(main, below)
    assert below.get_xlabel() == "x" and below.get_ylabel() == "residual"


def test_the_caption_gives_parameters_with_errors():
    r = decays()
    text = caption(plot.fit(r)[0].figure).splitlines()
    for name, value, error, shown in zip(r.names, r.params, r.stderr, text, strict=False):
        got = shown.removeprefix(f"{name} = ").split(" ± ")
        assert abs(float(got[0]) - value) <= 0.1 * error
        assert float(got[1]) == float(f"{error:.2g}")
    assert text[-1] == f"χ² = {r.chi2:.4g}, dof = 19"


def test_fixed_and_bounded_parameters_have_no_error():
    r = decays(fixed={"a": 2})
    assert "a = 2 (fixed)" in caption(plot.fit(r)[0].figure)
    r = decays(bounds={"tau": (None, 1.2)})
    assert "tau = 1.2 (at a bound)" in caption(plot.fit(r)[0].figure)


def test_sigma_becomes_error_bars():
    sigma = np.linspace(0.01, 0.03, X.size)
    r = decays(sigma=sigma)
    for ax in plot.fit(r):
        (bars,) = ax.containers
        (segments,) = bars.lines[2]
        lengths = [np.ptp(segment[:, 1]) for segment in segments.get_segments()]
        assert np.allclose(lengths, 2 * sigma, rtol=1e-12)


def test_points_left_out_are_faint_and_have_no_residual():
    mask = np.arange(X.size) == 4
    y = np.where(mask, 9, decay(X, 2, 1.5))
    y[7] = np.nan
    main, below = plot.fit(tw.fit(decay, X, y, p0=[1, 1], mask=mask))
    assert np.array_equal(line(main, "left out"), ([X[4]], [9]))
    (faint,) = [artist for artist in main.lines if artist.get_label() == "left out"]
    assert faint.get_alpha() < 0.5
    assert line(main, "data")[0].size == below.lines[-1].get_xdata().size == X.size - 2


def test_an_index_picks_the_fit():
    r = decays(2, 3)
    for index in ((1, 2), (-1, -1)):
        main, _ = plot.fit(r, *index)
        assert np.array_equal(line(main, "data")[1], r.problem.data.y[5])
    with pytest.raises(IndexError, match=r"index \(1,\) does not pick one fit of a batch of shape"):
        plot.fit(r, 1)
    with pytest.raises(IndexError, match=r"index \(2, 0\) does not pick"):
        plot.fit(r, 2, 0)


def test_x_and_sigma_per_fit():
    x = np.stack([X, X + 1])
    sigma = np.stack([np.full(X.size, 0.1), np.full(X.size, 0.2)])
    r = tw.fit(decay, x, decay(x, 2, 1.5), p0=[1, 1], sigma=sigma)
    main, _ = plot.fit(r, 1)
    (bars,) = main.containers
    assert np.array_equal(bars.lines[0].get_xdata(), X + 1)
    assert np.ptp(bars.lines[2][0].get_segments()[0][:, 1]) == pytest.approx(0.4, rel=1e-12)


def test_a_failed_fit_says_why_and_has_no_curve():
    y = decay(X, 2, 1.5)
    y[3] = np.inf
    main, _ = plot.fit(tw.fit(decay, X, y, p0=[1, 1]))
    assert "FAILED: y is not finite" in caption(main.figure)
    assert "fit" not in [artist.get_label() for artist in main.lines]
    main.figure.canvas.draw()


def test_in_axes_of_your_own():
    r = decays()
    _, ax = plt.subplots()
    (drawn,) = plot.fit(r, ax=ax)
    assert drawn is ax and ax.get_legend().get_title().get_text().startswith("a = ")
    _, pair = plt.subplots(2)
    assert list(plot.fit(r, ax=pair)) == list(pair)
    with pytest.raises(ValueError, match="ax must be 1 or 2 Axes for this model, got 3"):
        plot.fit(r, ax=plt.subplots(3)[1])


def test_the_result_has_it_as_a_method():
    r = decays(3)
    assert np.array_equal(line(r.plot(2)[0], "data")[1], r.problem.data.y[2])


def test_a_model_that_holds_arrays_is_drawn_at_its_points():
    weight = np.linspace(1, 2, X.size)
    order = np.argsort(-X)

    def model(x, a, tau):
        return weight[order] * decay(x, a, tau)

    r = tw.fit(model, X[order], model(X[order], 2, 1.5), p0=[1, 1])
    x, curve = line(plot.fit(r)[0], "fit")
    assert np.array_equal(x, X) and np.array_equal(curve, r.predict()[order])


def test_a_model_that_only_python_can_call_is_drawn_at_its_points():
    def model(x, a, tau):
        return a * np.array([np.exp(-float(v) / float(tau)) for v in x])

    with pytest.warns(tw.SlowModelWarning):
        r = tw.fit(model, X, decay(X, 2, 1.5), p0=[1, 1])
    x, curve = line(plot.fit(r)[0], "fit")
    assert np.array_equal(x, X) and np.array_equal(curve, r.predict())


def test_variables_are_called_as_in_the_model():
    r = tw.fit("a*exp(-t/tau)", X, decay(X, 2, 1.5), p0={"a": 1, "tau": 1}, independent="t")
    assert plot.fit(r)[1].get_xlabel() == "t"
    r = tw.fit("inversion_recovery", X, 1 - 2 * np.exp(-X))
    assert plot.fit(r)[1].get_xlabel() == "TI"


def test_three_variables_are_drawn_by_the_number_of_the_point():
    x = tuple(RNG.normal(size=(3, 8)))
    r = tw.fit("a*u + b*v*w", x, x[0] + x[1] * x[2], [0, 0], independent=["u", "v", "w"])
    main, below = plot.fit(r)
    assert np.array_equal(line(main, "fit"), (np.arange(8), r.predict()))
    assert below.get_xlabel() == "point"


# ---- two variables -------------------------------------------------------------------------------


def spots(x, y, *batch, **options):
    z = tw.models.gaussian2d((x, y), 3, 5, 4, 1.5, 1) + RNG.normal(0, 0.1, (*batch, *x.shape))
    return tw.fit("gaussian2d", (x, y), z, **options)


@pytest.mark.parametrize("transposed", [False, True])
def test_images_are_the_data_the_model_and_the_residuals(transposed):
    x, y = (COLUMNS.T, ROWS.T) if transposed else (COLUMNS, ROWS)
    mask = (x == 3) & (y == 2)
    r = spots(x, y, mask=mask)
    axes = plot.fit(r)
    data, model = r.problem.data.y.reshape(x.shape), r.predict()
    for ax, image in zip(axes, (data, model, data - model), strict=True):
        (drawn,) = ax.images
        shown = drawn.get_array().T if transposed else drawn.get_array()
        assert np.array_equal(shown.compressed(), image[~np.ma.getmaskarray(shown)])
        assert drawn.get_extent() == [-0.5, 11.5, -0.5, 8.5]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")
    assert np.array_equal(
        np.ma.getmaskarray(axes[0].images[0].get_array()), mask.T if transposed else mask
    )
    assert axes[0].images[0].get_clim() == axes[1].images[0].get_clim()
    low, high = axes[2].images[0].get_clim()
    assert low == -high
    axes[0].figure.canvas.draw()


def test_points_that_are_no_grid_are_coloured():
    x, y = RNG.uniform(0, 10, (2, 80))
    r = spots(x, y)
    axes = plot.fit(r)
    for ax, values in zip(axes[:2], (r.problem.data.y[0], r.predict()), strict=True):
        (points,) = ax.collections
        assert np.array_equal(points.get_offsets(), np.stack([x, y], axis=1))
        assert np.array_equal(points.get_array(), values)
    x = np.where(COLUMNS == 11, 20, COLUMNS)  # a grid, but not evenly spaced
    assert not plot.fit(spots(x, ROWS))[0].images


def test_images_need_three_axes():
    with pytest.raises(ValueError, match="ax must be 3 Axes for this model, got 1"):
        plot.fit(spots(COLUMNS, ROWS), ax=plt.subplots()[1])


# ---- overview ------------------------------------------------------------------------------------


def drawn(figure):
    return [ax for ax in figure.axes if ax.axison and ax.get_label() != "<colorbar>"]


def test_an_overview_of_few_fits_shows_each():
    r = decays(5)
    axes = drawn(plot.overview(r))
    assert [ax.get_title() for ax in axes] == ["0", "1", "2", "3", "4"]
    for ax, y in zip(axes, r.problem.data.y, strict=True):
        assert np.array_equal(line(ax, "data")[1], y)


def test_an_overview_with_titles_shows_the_first_nine():
    axes = drawn(plot.overview(decays(12), [f"column {k}" for k in range(12)]))
    assert [ax.get_title() for ax in axes] == [f"column {k}" for k in range(9)]


def test_an_overview_of_images_shows_three_panels_each():
    assert len(drawn(plot.overview(spots(COLUMNS, ROWS, 6)))) == 12


def test_an_overview_of_many_fits_maps_every_parameter():
    figure = plot.overview(decays(4, 5))
    assert [ax.images[0].colorbar.ax.get_ylabel() for ax in drawn(figure)] == ["a", "tau"]
    assert len(drawn(plot.overview(decays(30)))) == 2


def test_an_overview_of_one_or_no_fit():
    assert len(drawn(plot.overview(decays()))) == 2
    with pytest.raises(ValueError, match="there is no fit to draw"):
        plot.overview(decays(0))


# ---- bands ---------------------------------------------------------------------------------------


def test_a_band_is_drawn_about_the_curve():
    r = decays(2)
    axes = r.plot(1, band=0.95)
    (band,) = axes[0].collections
    edges = band.get_paths()[0].vertices
    x = axes[0].lines[-1].get_xdata()
    np.testing.assert_allclose(edges[:, 1].max(), r[1].band(x).max())
    assert band.get_label() == "band"
    assert not r.plot(1)[0].collections


def test_a_band_of_a_model_that_holds_arrays_is_at_the_points():
    t = np.array([3.0, 1.0, 2.0, 0.0, 4.0])
    known = np.exp(-t)
    r = tw.fit(lambda x, a, b: a * known + b, t, 2 * known + 0.1 * t, p0=[1, 0])
    (band,) = r.plot(band=0.5)[0].collections
    assert len(band.get_paths()[0].vertices) > 2 * 5


def test_a_band_of_several_variables_is_refused():
    with pytest.raises(ValueError, match="a band is drawn for models of one variable"):
        spots(COLUMNS, ROWS).plot(band=0.95)


# ---- other things --------------------------------------------------------------------------------


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    r = decays(2, 2)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in (lambda: plot.fit(r, 0, 0), lambda: plot.map(r, "a"), lambda: plot.overview(r)):
        with pytest.raises(ModuleNotFoundError) as missing:
            draw()
        assert str(missing.value) == "plots need matplotlib: python -m pip install matplotlib"


def test_without_xarray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ModuleNotFoundError) as missing:
        decays().to_xarray()
    assert str(missing.value) == "to_xarray needs xarray: python -m pip install xarray"
