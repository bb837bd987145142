"""The derivative of the incomplete gamma function by its shape, beside exact values and in fits."""

import math

import numpy as np
import pytest

import thalweg as tw
from thalweg import reference
from thalweg.model.graph import NUMPY

special = pytest.importorskip("scipy.special")
SHAPES = [1e-8, 1e-3, 0.3, 1.0, 2.5, 9.0, 10.0, 77.0, 1500.0, 99_999.0, 1e5, 3e7]
OFFSETS = [-5.0, -1.0, -0.1, 0.0, 0.3, 1.0, 4.0]  # (x - a) / sqrt(a)
SHARES = [1e-12, 0.01, 0.5, 1.0, 3.0, 40.0]  # x / max(a, 1)

EXACT = [  # a, x and the slope, by mpmath: central differences of P(a, x) of 60 digits
    (0.001, 0.02, -68.480919980654854),
    (0.3, 1e-06, -4.5487769193291312e-5),
    (0.3, 1.2, -2.9468818047989077),
    (0.3, 5.0, -4.6998244156798339),
    (2.5, 2.0, -0.9534627029186165),
    (2.5, 3.6, -1.2755885144571808),
    (9.0, 14.0, -1.2601838001284188),
    (77.0, 70.0, -0.95516669251138525),
    (77.0, 90.0, -1.0823684861232284),
    (1500.0, 1480.0, -0.99341387827707085),
    (1500.0, 1560.0, -1.0198518481558601),
]


def places():
    """Shapes and abscissas at which the density can be told from 0."""
    near = [(a, a + z * math.sqrt(a)) for a in SHAPES for z in OFFSETS]
    far = [(a, s * max(a, 1.0)) for a in SHAPES if a < 100 for s in SHARES]
    edge = [(a, a + 1) for a in SHAPES] + [(a, math.nextafter(a + 1, math.inf)) for a in SHAPES]
    return np.array([(a, x) for a, x in near + far + edge if x > 0])


def test_slope_is_its_specification():
    rows = places()
    got = NUMPY["gammainc_slope"](*rows.T)
    wanted = [reference.incomplete.gammainc_slope(*row) for row in rows]
    assert np.isfinite(got).all() and (got < 0).sum() > 100
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_slope_outside_of_the_range():
    a, x = np.array(
        [(0, 1), (-1, 1), (1, -1), (np.nan, 1), (1, np.nan), (np.inf, 1), (1, np.inf)]
    ).T
    assert np.isnan(NUMPY["gammainc_slope"](a, x)).all()
    assert NUMPY["gammainc_slope"](0.5, 0.0) == 0
    assert NUMPY["gammainc_slope"](2e5, 5e-324) == 0


@pytest.mark.parametrize(("a", "x", "exact"), EXACT)
def test_slope_is_exact(a, x, exact):
    assert NUMPY["gammainc_slope"](a, x) == pytest.approx(exact, rel=5e-14 * max(1, a / 100))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("of", ["gammainc", "gammaincc"])
def test_shapes_are_found(of, dtype):
    x = np.linspace(0.05, 9, 41).astype(dtype)
    function = getattr(special, of)
    truth = np.array([(2.0, shape, 1.5) for shape in (0.4, 1.0, 3.0, 30.0)])
    scale = np.where(truth[:, 1] > 10, 0.15, 1.5)
    y = truth[:, :1] * function(truth[:, 1:2], x / scale[:, None])
    start = np.stack([np.full(4, 1.5), 0.8 * truth[:, 1], 1.1 * scale], axis=1)
    r = tw.fit(lambda x, a, shape, scale: a * function(shape, x / scale), x, y, start, dtype=dtype)
    assert r.success.all()
    wanted = np.stack([truth[:, 0], truth[:, 1], scale], axis=1)
    np.testing.assert_allclose(r.params, wanted, rtol=1e-7 if dtype == np.float64 else 2e-3)
    alone = tw.fit(
        lambda x, a, shape, scale: a * function(shape, x / scale), x, y[0], start[0], dtype=dtype
    )
    np.testing.assert_array_equal(r.params[0], alone.params)
