"""The spline models of Gpufit: values of their definition, fits of moved shapes, refusals."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from thalweg.scale import gpufit as gf
from thalweg.scale._gpufit_splines import SPLINES, spline_model

F32 = np.float32
ID = gf.ModelID
# The channels, points and intervals along the axes of each model.
SIZES = {
    ID.SPLINE_1D: (1, (13,), (19,)),
    ID.SPLINE_2D: (1, (7, 6), (12, 11)),
    ID.SPLINE_3D: (1, (7, 6, 2), (12, 11, 7)),
    ID.SPLINE_3D_MULTICHANNEL: (3, (6, 7, 1), (11, 12, 7)),
    ID.SPLINE_3D_PHASE_MULTICHANNEL: (2, (6, 7, 1), (11, 12, 7)),
}
models = pytest.mark.parametrize("model_id", SIZES)


def info_of(model_id, coefficients, points=None, intervals=None):
    """Return user_info as Gpufit wants it."""
    n_channels, own_points, own_intervals = SIZES[model_id]
    points, intervals = points or own_points, intervals or own_intervals
    head = [n_channels] if SPLINES[model_id].has_channels else []
    head += [*points, *intervals] if model_id != ID.SPLINE_1D else [*intervals]
    return np.concatenate([head, np.ravel(coefficients)])


def value_of(model_id, coefficients, intervals, points, p):
    """Return a model's values by its definition, point by point."""
    n_channels, d = SIZES[model_id][0], len(points)
    values = []
    for channel, *place in itertools.product(range(n_channels), *map(range, points[::-1])):
        at = np.subtract(place[::-1], p[1 : 1 + d])
        i = [int(min(max(np.floor(u), 0), n - 1)) for u, n in zip(at, intervals, strict=True)]
        shapes = []
        for shape in coefficients:
            c = shape[(channel, *i)]
            powers = [(u - k) ** np.arange(4) for u, k in zip(at, i, strict=True)]
            for power in powers:
                c = np.tensordot(power, c, axes=(0, 0))
            shapes.append(float(c))
        s = shapes[0]
        if len(shapes) == 3:
            s += np.cos(p[2 + d]) * shapes[1] + np.sin(p[2 + d]) * shapes[2]
        values.append(p[0] * s + p[1 + d])
    return np.array(values)


@models
@pytest.mark.parametrize("n", [1, 2, 3])
def test_values_are_those_of_the_definition(model_id, n):
    """The centre lies inside of the intervals, and on either side of them."""
    kind, (n_channels, points, _) = SPLINES[model_id], SIZES[model_id]
    d, rng = kind.n_axes, np.random.default_rng(n)
    points, intervals = tuple(min(m, 3) for m in points), (n, n + 1, n)[:d]
    c = rng.normal(size=(kind.n_shapes, n_channels, *intervals, *(4,) * d))
    info = info_of(model_id, c, points, intervals)
    model, x = spline_model(kind, info, n_channels * int(np.prod(points)))
    assert model.n_params == d + 2 + (kind.n_shapes > 1)
    for centre in (-0.7, 0.0, 1.4, -n - 0.5):
        p = [1.5, *(centre + 0.1 * np.arange(d)), 0.3, 0.8][: model.n_params]
        expected = value_of(model_id, c, intervals, points, p)
        np.testing.assert_allclose(model.function(x, *p), expected, rtol=1e-10, atol=1e-10)


def spline_of(values):
    """Return the coefficients of the interpolating spline of values on a grid of whole numbers."""
    for axis in range(values.ndim):
        c = CubicSpline(np.arange(values.shape[axis]), values, axis=axis).c[::-1]
        values = np.moveaxis(np.moveaxis(c, 1, axis + 1), 0, -1)
    return values


def shape(model_id, channel, number):
    """Return the values of a shape at the ends of its intervals."""
    _, _, intervals = SIZES[model_id]
    grid = np.meshgrid(*(np.arange(n + 1.0) for n in intervals), indexing="ij")
    u, v, w = (*grid, 5.5, 3.5)[:3] if len(grid) < 3 else grid
    width = 1.8 + 0.1 * w + 0.1 * channel
    r2 = (u - intervals[0] / 2) ** 2 + (v - 5.5) ** 2
    return np.exp(-r2 / (2 * width**2)) * (1 + 0.5 * np.cos(0.3 * u + 2.0 * number + channel))


def case(model_id, n_fits=9):
    """Return user_info, noisy data, their parameters and starts."""
    kind, (n_channels, points, _) = SPLINES[model_id], SIZES[model_id]
    c = [
        [spline_of(shape(model_id, k, m)) for k in range(n_channels)] for m in range(kind.n_shapes)
    ]
    info, d, rng = info_of(model_id, c), kind.n_axes, np.random.default_rng(0)
    model, x = spline_model(kind, info, n_channels * int(np.prod(points)))
    true = [200.0, *(-3.3, -2.6, -3.1)[:d], 20.0, 0.7][: model.n_params]
    mean = model.function(x, *true)
    start = np.add(true, [-30, *(0.6, -0.5, 0.4)[:d], 3, 0.2][: model.n_params])
    y = mean + rng.normal(0, 0.2, (n_fits, len(mean)))
    return info, y, np.array(true), np.tile(start, (n_fits, 1))


@models
@pytest.mark.parametrize("dtype", [np.float64, F32])
@pytest.mark.parametrize("estimator", [gf.EstimatorID.LSE, gf.EstimatorID.MLE])
def test_moved_shapes_are_found(model_id, dtype, estimator):
    info, y, true, start = case(model_id)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the model is recorded
        p, states, chi2, _, _ = gf.fit(
            *(y.astype(dtype), None, model_id, start.astype(dtype), 1e-8, 100),
            estimator_id=estimator,
            user_info=info.astype(F32),
        )
    assert (states == gf.State.CONVERGED).all() and p.dtype == dtype
    np.testing.assert_allclose(p.mean(axis=0), true, atol=0.05, rtol=0.02)
    if estimator == gf.EstimatorID.LSE:
        np.testing.assert_allclose(chi2.mean() / (y.shape[1] - len(true)), 0.04, rtol=0.5)


def test_a_tolerance_that_nothing_reaches_is_one_of_rounding():
    info, y, _, start = case(ID.SPLINE_1D)
    _, states, *_ = gf.fit(y, None, ID.SPLINE_1D, start, 1e-30, 100, user_info=info)
    assert (states == gf.State.CONVERGED).all()


@models
def test_constraints_weights_and_fixed_parameters(model_id):
    info, y, true, start = case(model_id, 3)
    P = len(true)
    y[:, 3] = 1e6
    w = np.ones_like(y)
    w[:, 3] = 0
    limits = np.tile(np.column_stack([true - 50, true + 50]).ravel(), (3, 1))
    limits[:, 2:4] = true[1] + 0.1, true[1] + 2
    types, free = np.full(P, gf.ConstraintType.LOWER_UPPER), np.ones(P, int)
    free[0] = 0
    start[:, 0] = true[0]
    p, states, *_ = gf.fit_constrained(
        *(y, w, model_id, start, limits, types, 1e-8, 100), free, user_info=info
    )
    assert (states == gf.State.CONVERGED).all()
    assert (p[:, 0] == true[0]).all() and (p[:, 1] == true[1] + 0.1).all()


def test_user_info_may_be_bytes_and_tell_the_points_of_one_axis():
    info, y, _, start = case(ID.SPLINE_1D)
    expected, *_ = gf.fit(y, None, ID.SPLINE_1D, start, user_info=info.astype(F32))
    for given in (info.astype(F32).view(np.uint8), np.append(13, info).astype(F32)):
        p, *_ = gf.fit(y, None, ID.SPLINE_1D, start, user_info=given)
        np.testing.assert_array_equal(p, expected)


def changed(place, value):
    def change(info):
        info = info.copy()
        info[place] = value
        return info

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda info: None, "user_info must hold the intervals and the coefficients"),
        (lambda info: info[:7], "user_info must hold the intervals and the coefficients"),
        (lambda info: info[:-1], "must hold 177408 finite coefficients for this spline, behind 7"),
        (changed(9, np.nan), "must hold 177408 finite coefficients"),
        (changed(0, 0), "must begin with 7 whole numbers from 1 on for this spline, got 0, 6, 7"),
        (changed(4, 2.5), "must begin with 7 whole numbers"),
        (changed(1, np.inf), "must begin with 7 whole numbers"),
        (changed(1, 5), "user_info tells of 105 points, and data have 126"),
        (lambda info: info.astype(F32).view(np.uint8)[:-1], "must hold float32, but has"),
    ],
)
def test_what_is_no_spline_is_refused(change, words):
    info, y, _, start = case(ID.SPLINE_3D_MULTICHANNEL, 1)
    with pytest.raises(ValueError, match=words):
        gf.fit(y, None, ID.SPLINE_3D_MULTICHANNEL, start, user_info=change(info))
