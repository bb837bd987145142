"""Models whose points mix, against NumPy: values, derivatives, fits, sizes, types, units."""

import warnings

import numpy as np
import pytest
from mixing_cases import POINT, abscissa, numerical, of_length

import thalweg as tw
from thalweg.fitting.evaluation import evaluate_recording
from thalweg.model.autodiff import gradient, jvp
from thalweg.model.graph import evaluate
from thalweg.model.trace import record

NAMES = list(of_length(9))
EPS = {np.float64: np.finfo(np.float64).eps, np.float32: np.finfo(np.float32).eps}


@pytest.fixture(autouse=True)
def recorded():
    """All models of this file are recorded."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", tw.SlowModelWarning)
        yield


def by_tape(model, x, theta, dtype=float):
    """The value and the derivatives by all parameters that the compiled engine gives."""
    recording = record(model, 1, len(theta), len(x), single=True, data=[x])
    rows = np.array([theta], dtype)
    out = np.empty((1, 1 + len(theta), len(x)), dtype)
    at = [tw._arguments.check.PerFit(x.astype(dtype), 0)]
    evaluate_recording(recording, range(len(theta)), at, rows, out)
    return out[0, 0], out[0, 1:].T


def size_of(*arrays):
    return max(np.abs(a).max() for a in arrays)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("N", [1, 2, 7, 8, 9, 16, 17, 33, 100])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_derivatives_are_numpys(name, N, dtype):
    model, x = of_length(N)[name], abscissa(N)
    f, J = by_tape(model, x, POINT, dtype)
    expected, slopes = model(x, *POINT), numerical(model, x, POINT)
    np.testing.assert_allclose(f, expected, rtol=0, atol=50 * EPS[dtype] * size_of(expected))
    far = max(1e-7, 200 * EPS[dtype]) * np.nanmax(np.abs(slopes))
    assert np.isfinite(slopes).mean() > 0.9
    assert (np.abs(J - slopes) <= far)[np.isfinite(slopes)].all()


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_says_what_numpy_does(name):
    """The reference of every table, and both ways to differentiate."""
    model, x = of_length(23)[name], abscissa(23)
    graph, output, arrays = record(model, 1, 3, 23, single=True, data=[x])
    theta = [graph.theta(j) for j in range(3)]
    slopes = gradient(graph, output, theta)
    direction = [graph.const(c) for c in (0.5, -1.0, 2.0)]
    [along] = jvp(graph, [output], theta, direction)
    f, along, *J = evaluate(graph, [output, along, *slopes], [x, *arrays], POINT)
    expected = model(x, *POINT)
    np.testing.assert_allclose(f, expected, rtol=0, atol=1e-14 * size_of(expected))
    J = np.stack([np.broadcast_to(column, 23) for column in J], axis=-1)
    np.testing.assert_allclose(along, J @ [0.5, -1.0, 2.0], rtol=0, atol=1e-13 * size_of(J))
    slopes = numerical(model, x, POINT)
    assert (np.abs(J - slopes) <= 1e-7 * np.nanmax(np.abs(slopes)))[np.isfinite(slopes)].all()


@pytest.mark.parametrize("N", [4, 8, 9, 100, 511, 512, 513, 600])
@pytest.mark.parametrize("name", NAMES)
def test_fits_find_what_made_the_data(name, N):
    """In both layouts: fits side by side up to 512 points, points side by side beyond."""
    model, x = of_length(N, 9)[name], abscissa(N)
    rng = np.random.default_rng(N)
    truth = np.array(POINT) * rng.uniform(0.97, 1.03, (11, 3))
    y = np.stack([model(x, *t) for t in truth])
    r = tw.fit(model, x, y, p0=list(POINT), xtol=1e-12)
    J = [numerical(model, x, t) for t in truth]
    J = [np.nan_to_num(j) for j in J]
    known = np.array([np.linalg.cond(j / np.linalg.norm(j, axis=0)) < 1e5 for j in J])
    assert r.success[known].all(), r.summary()
    close = np.abs(r.params - truth)[known] <= 1e-4 * np.abs(truth[known])
    assert close.all() or (r.chi2[known] < 1e-16 * (y[known] ** 2).sum(axis=1)).all()
