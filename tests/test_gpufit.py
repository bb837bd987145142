"""The call of pygpufit: Gpufit's own cases, its arguments, states and refusals."""

import json

import numpy as np
import pytest
from nist import DATA

import thalweg as tw
from thalweg.scale import gpufit as gf

CASES = {c["case"]: c for c in json.loads((DATA / "gpufit_cases.json").read_text())["cases"]}
F32 = np.float32


def gaussian(x, p):
    return p[0] * np.exp(-((x - p[1]) ** 2) / (2 * p[2] ** 2)) + p[3]


def images(name, size, p):
    """The data of a case, written anew from the formulas."""
    y, x = np.mgrid[:size, :size].astype(float)
    dx, dy = x - p[1], y - p[2]
    if name == "gauss_2d":
        z = p[0] * np.exp(-(dx**2 + dy**2) / (2 * p[3] ** 2)) + p[4]
    elif name == "gauss_2d_elliptic":
        z = p[0] * np.exp(-((dx / p[3]) ** 2 + (dy / p[4]) ** 2) / 2) + p[5]
    elif name == "gauss_2d_rotated":
        u, v = dx * np.cos(p[6]) - dy * np.sin(p[6]), dx * np.sin(p[6]) + dy * np.cos(p[6])
        z = p[0] * np.exp(-((u / p[3]) ** 2 + (v / p[4]) ** 2) / 2) + p[5]
    else:
        z = p[0] / ((dx / p[3]) ** 2 + 1) / ((dy / p[4]) ** 2 + 1) + p[5]
    return z.reshape(1, -1)


def data_of(name):
    case = CASES[name]
    if name == "gauss_1d":
        return gaussian(np.arange(5), case["true"])[None]
    return images(name, int(case["grid"].split("x")[0]), case["true"])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("estimator", [gf.EstimatorID.LSE, gf.EstimatorID.MLE])
@pytest.mark.parametrize(
    "name",
    ["gauss_1d", "gauss_2d", "gauss_2d_elliptic", "gauss_2d_rotated", "cauchy_2d_elliptic"],
)
def test_its_peaks(name, estimator, dtype):
    case = CASES[name]
    data, start = data_of(name).astype(dtype), np.array([case["start"]], dtype)
    offset = case["params_order"].split(",").index("b")
    if estimator == gf.EstimatorID.MLE:  # a mean of counts must be positive
        start[0, offset] = 0.5
    model = getattr(gf.ModelID, name.upper())
    for weights in (None, np.ones_like(data)):
        p, states, chi2, steps, seconds = gf.fit(
            data, weights, model, start, case["tolerance"], 25, None, estimator, None
        )
        assert p.dtype == chi2.dtype == dtype and states.dtype == steps.dtype == np.int32
        assert states.tolist() == [gf.State.CONVERGED] and chi2[0] < 1e-6
        assert 0 < steps[0] <= 25 and seconds > 0
        loose = 2e-3 if dtype == np.float32 else 1e-6
        np.testing.assert_allclose(p[0], case["true"], atol=loose)


@pytest.mark.parametrize("estimator", [gf.EstimatorID.LSE, gf.EstimatorID.MLE])
@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_its_two_fits_with_x_as_user_info(own, as_bytes, estimator):
    case = CASES["gauss_1d two fits"]
    x = np.linspace(-0.5, 1, case["n_points"]).astype(F32)
    data = np.stack([gaussian(x, p) for p in case["true"]]).astype(F32)
    start = np.array(case["start"], F32)
    if estimator == gf.EstimatorID.MLE:
        start[:, 3] = 0.5
    user_info = np.concatenate([x, x]) if own else x
    if as_bytes:
        user_info = user_info.view(np.uint8)
    p, states, chi2, _, _ = gf.fit(
        data, None, gf.ModelID.GAUSS_1D, start, 1e-6, 100, None, estimator, user_info
    )
    assert (states == 0).all() and (chi2 < 1e-6).all()
    np.testing.assert_allclose(np.abs(p), case["true"], atol=2e-3)


def test_its_line():
    case = CASES["linear_1d"]
    arrays = (np.array([case[name]], F32) for name in ("y", "start"))
    data, start = arrays
    x = np.array(case["x"], F32)
    p, states, chi2, _, _ = gf.fit(data, None, gf.ModelID.LINEAR_1D, start, user_info=x)
    assert states[0] == 0 and chi2[0] == 0
    np.testing.assert_allclose(p[0], case["true"], rtol=1e-6)
    again, *_ = gf.fit(data, None, gf.ModelID.LINEAR_1D, start)  # x is 0, 1 without it, too
    np.testing.assert_array_equal(again, p)


@pytest.mark.parametrize("far", [1, 10, 100])
def test_its_difficult_problems(far):
    case = CASES[next(name for name in CASES if name.startswith("brown_dennis"))]
    start = np.multiply([case["start"]], float(far))
    p, states, chi2, _, _ = gf.fit(
        np.zeros((1, 20)), None, gf.ModelID.BROWN_DENNIS, start, 1e-8, 1000
    )
    assert states[0] == 0 and chi2[0] <= case["chi2"]
    np.testing.assert_allclose(p[0], case["true"], atol=1e-2)
    case = CASES["fletcher_powell_helix"]
    start = np.multiply([case["start"]], float(far))
    p, states, chi2, _, _ = gf.fit(
        np.zeros((1, 3)), None, gf.ModelID.FLETCHER_POWELL, start, 1e-12, 1000
    )
    assert states[0] == 0 and chi2[0] < 1e-20
    np.testing.assert_allclose(p[0], case["true"], atol=1e-9)


def spots(n=17, dtype=F32):
    rng = np.random.default_rng(0)
    true = np.column_stack(
        [rng.uniform(50, 99, n), *rng.uniform(1.5, 2.5, (2, n)), np.full(n, 1.0), np.full(n, 9.0)]
    )
    data = np.concatenate([images("gauss_2d", 5, p) for p in true])
    start = true * rng.uniform(0.9, 1.1, true.shape)
    return rng.poisson(data).astype(dtype), start.astype(dtype)


@pytest.mark.parametrize("user_info", ["nothing of ours", np.zeros(7, np.uint8), [np.nan]])
def test_models_of_images_do_not_read_user_info(user_info):
    data, start = spots(3)
    expected, *_ = gf.fit(data, None, gf.ModelID.GAUSS_2D, start)
    p, *_ = gf.fit(data, None, gf.ModelID.GAUSS_2D, start, user_info=user_info)
    np.testing.assert_array_equal(p, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("estimator", [gf.EstimatorID.LSE, gf.EstimatorID.MLE])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 16, 17])
def test_it_is_a_fit(n, estimator, dtype):
    """The parameters, chi2 and steps are those of `thalweg.fit` with the same settings."""
    data, start = spots(n, dtype)
    p, states, chi2, steps, _ = gf.fit(
        data, None, gf.ModelID.GAUSS_2D, start, estimator_id=estimator
    )
    y, x = np.mgrid[:5, :5].astype(dtype)
    r = tw.fit(
        *(tw.models.gaussian2d, (x, y), data.reshape(n, 5, 5)),
        p0=start,
        noise="poisson" if estimator else "normal",
        ftol=1e-4,
        max_iter=25,
        dtype=dtype,
    )
    np.testing.assert_allclose(p, r.params, rtol=1e-8 if dtype == np.float64 else 1e-3)
    np.testing.assert_allclose(chi2, r.chi2, rtol=1e-8 if dtype == np.float64 else 1e-3)
    assert ((states == 0) == r.success).all() and (steps <= 25).all()


def test_weights_are_those_of_squares():
    data, start = spots()
    w = np.random.default_rng(1).uniform(0.5, 2, data.shape).astype(F32)
    w[:, 3] = 0
    data[:, 3] = 1e6
    data[2, 7] = np.nan
    p, states, chi2, _, _ = gf.fit(data, w, gf.ModelID.GAUSS_2D, start, 1e-6, 100)
    assert (states == 0).all()
    y, x = np.mgrid[:5, :5].reshape(2, -1)
    value = tw.models.gaussian2d((x, y), *p.T[:, :, None].astype(float))
    expected = np.nansum(w * (data - value) ** 2 * (w > 0), axis=1)
    np.testing.assert_allclose(chi2, expected, rtol=1e-3)


def test_constraints_and_parameters_to_fit():
    data, start = spots()
    n, P = start.shape
    limits = np.zeros((n, 2 * P), F32)
    limits[:, ::2], limits[:, 1::2] = -5, 5
    limits[:, 6:8] = 1.2, 1.5
    types = np.array([0, 0, 0, 3, 0], np.int32)
    free, *_ = gf.fit(data, None, gf.ModelID.GAUSS_2D, start)
    p, states, *_ = gf.fit_constrained(data, None, gf.ModelID.GAUSS_2D, start, limits, types)
    assert (p[:, 3] >= F32(1.2)).all() and (p[:, 3] <= F32(1.5)).all()
    assert (p[:, 0] > 5).all() and (states == 0).all()
    for kind, side in ((gf.ConstraintType.LOWER, np.less), (gf.ConstraintType.UPPER, np.greater)):
        one = np.array([0, 0, 0, kind, 0], np.int32)
        p, *_ = gf.fit_constrained(data, None, gf.ModelID.GAUSS_2D, start, limits, one)
        assert not side(p[:, 3], F32(1.2 if kind == 1 else 1.5)).any()
    for none in (None, np.zeros(5, np.int32)):
        same, *_ = gf.fit_constrained(data, None, gf.ModelID.GAUSS_2D, start, limits, none)
        np.testing.assert_array_equal(same, free)
    held = np.array([1, 1, 1, 0, 1], np.int32)
    p, states, *_ = gf.fit_constrained(
        data, None, gf.ModelID.GAUSS_2D, start, limits, types, parameters_to_fit=held
    )
    np.testing.assert_array_equal(p[:, 3], start[:, 3])  # a fixed one knows no constraints


def test_states():
    data, start = spots(4)
    start[1, 3] = np.nan
    data[2] = np.nan
    _, states, *_ = gf.fit(data, None, gf.ModelID.GAUSS_2D, start, 1e-6, 100)
    assert states.tolist() == [0, gf.State.GPU_NOT_READY, gf.State.SINGULAR_HESSIAN, 0]
    few = gf.fit(data[:1], None, gf.ModelID.GAUSS_2D, start[:1] * F32(3), 1e-9, 1)
    assert few[1].tolist() == [gf.State.MAX_ITERATION] and few[3].tolist() == [1]
    start[0, 4] = -20
    negative = gf.fit(data[:1], None, 1, start[:1], estimator_id=gf.EstimatorID.MLE)
    assert negative[1].tolist() == [gf.State.NEG_CURVATURE_MLE]
    empty = gf.fit(data[:0], None, 1, start[:0])
    assert empty[0].shape == (0, 5) and empty[1].shape == (0,)


def test_there_is_no_gpu():
    assert gf.cuda_available() is False and "uses no GPU" in gf.get_last_error()
    assert gf.get_cuda_version() == ((0, 0), (0, 0))


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"model_id": gf.ModelID.SPLINE_2D}, ValueError, "user_info must hold the intervals"),
        ({"model_id": 99}, ValueError, "model_id must be a number of ModelID, got 99"),
        ({"data": np.zeros(25)}, ValueError, r"data must have 2 axes, got shape \(25,\)"),
        ({"data": np.zeros((4, 24))}, ValueError, "takes the points for a square image, and 24"),
        ({"data": [["a"] * 25] * 4}, TypeError, "data must hold numbers"),
        ({"initial_parameters": np.zeros((4, 4))}, ValueError, r"shape \(n_fits=4, 5\)"),
        ({"weights": np.ones((4, 9))}, ValueError, "weights must have the shape of data"),
        ({"weights": -np.ones((4, 25))}, ValueError, "weights must not be negative"),
        ({"estimator_id": 2}, ValueError, "estimator_id must be a number of EstimatorID"),
        ({"parameters_to_fit": [1, 0]}, ValueError, "parameters_to_fit must have 5 entries"),
        ({"constraint_types": [0, 0, 0, 4, 0]}, ValueError, "a number of ConstraintType for each"),
        ({"constraint_types": [0, 0, 0, 1, 0]}, ValueError, "constraint_types needs constraints"),
        (
            {"constraint_types": [0, 0, 0, 1, 0], "constraints": np.zeros((4, 5))},
            ValueError,
            "constraints must have the shape",
        ),
        ({"tolerance": -1}, ValueError, "tolerance must be a number >= 0"),
        ({"max_number_iterations": 2.5}, ValueError, "max_number_iterations must be a whole"),
        (
            {"model_id": 0, "initial_parameters": np.ones((4, 4)), "user_info": np.zeros(7, F32)},
            ValueError,
            "user_info must hold x of one data set, 25 numbers, or of all, 100; got 7",
        ),
    ],
)
def test_refusals(change, error, words):
    data, start = spots(4)
    arguments = {"data": data, "weights": None, "model_id": 1, "initial_parameters": start}
    with pytest.raises(error, match=words):
        gf.fit_constrained(**arguments | change)


def test_arguments_have_the_order_and_the_names_of_pygpufit():
    import inspect

    names = "data weights model_id initial_parameters tolerance max_number_iterations"
    more = "parameters_to_fit estimator_id user_info"
    assert list(inspect.signature(gf.fit).parameters) == f"{names} {more}".split()
    first, second = names.split(" tolerance")
    constrained = f"{first} constraints constraint_types tolerance{second} {more}".split()
    assert list(inspect.signature(gf.fit_constrained).parameters) == constrained
