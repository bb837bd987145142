"""Pictures of data sets of different lengths."""

import numpy as np
import pytest
from ragged_cases import START, decay, decays

import thalweg as tw

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402 - after the backend is chosen

from thalweg import plot  # noqa: E402


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_each_fit_is_drawn_with_its_own_points():
    t, y = decays([12, 30, 9])
    r = tw.fit(decay, t, y, START)
    for k in range(3):
        ax = plot.fit(r, k, band=0.95)[0]
        drawn = [line.get_xydata() for line in ax.lines]
        assert any(len(xy) == len(t[k]) and np.array_equal(xy[:, 1], y[k]) for xy in drawn)
        assert r.plot(k)[0].get_title() == plot.fit(r[k])[0].get_title()
    with pytest.raises(IndexError, match="does not pick one fit"):
        plot.fit(r, 3)
    (image,) = plot.residuals(r).images
    shown = image.get_array()
    assert shown.shape == (3, 30) and np.ma.getmaskarray(shown)[0, 12:].all()
    np.testing.assert_array_equal(shown[0, :12].filled(np.nan), r.residual[0])
    assert plot.map(r, "residual") is not None
