"""Fits of several outputs and of complex models: the same as those of the stacked real problem."""

import pickle
import warnings

import numpy as np
import pytest
from output_cases import (
    LIFE,
    MODELS,
    OMEGA,
    RESONANCE,
    F,
    T,
    by_scipy,
    data,
    decays,
    fitted,
    flat,
    impedance,
    noise,
    resonator,
    value,
)
from sizes import MOST_BLOCK, around, constant, lanes

import thalweg as tw

EPS = np.finfo(float).eps
NAMES = list(MODELS)


@pytest.mark.parametrize("name", NAMES)
def test_estimates_are_those_of_scipy(name):
    model, x, _, p0 = MODELS[name]
    y = data(name)
    r = fitted(name, y)
    theta, chi2, C = by_scipy(model, x, y, p0)
    assert r.success
    assert r.dof == flat(y).size - theta.size
    np.testing.assert_allclose(r.params, theta, rtol=1e-7)
    np.testing.assert_allclose(r.chi2, chi2, rtol=1e-11)
    np.testing.assert_allclose(r.cov, C * chi2 / r.dof, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_values_have_the_shape_of_y(name):
    model, x, _, p0 = MODELS[name]
    y = data(name, (2, 3))
    r = fitted(name, y)
    assert r.params.shape == (2, 3, len(p0))
    assert r.fitted.shape == r.residual.shape == y.shape
    assert r.fitted.dtype == y.dtype
    assert r.jacobian.shape == (*y.shape, len(p0))
    np.testing.assert_allclose(r.fitted[1, 2], value(model, x, r.params[1, 2]), rtol=1e-12)
    np.testing.assert_allclose(r.residual, y - r.fitted, atol=1e-12)
    few = r.predict(x[:4])
    assert few.shape == (*y.shape[:-1], 4)
    np.testing.assert_allclose(few, r.fitted[..., :4], rtol=1e-12)
    total = np.square(flat(r.residual[0, 1])).sum()
    np.testing.assert_allclose(r.chi2[0, 1], total, rtol=1e-9)
    one = r[1, 2]
    assert one.fitted.shape == y.shape[2:]
    assert (one.params == r.params[1, 2]).all()
    assert len(r.to_dataframe()) == 6
    assert r.to_xarray()["chi2"].shape == (2, 3)
    again = pickle.loads(pickle.dumps(r))
    assert (again.fitted == r.fitted).all()


@pytest.mark.parametrize("name", NAMES)
def test_jacobian_and_band(name):
    from output_cases import differences

    model, x, _, _ = MODELS[name]
    r = fitted(name)
    J = differences(lambda theta: flat(value(model, x, theta)), r.params)
    got = np.stack([flat(np.ascontiguousarray(r.jacobian[..., j])) for j in range(J.shape[1])], -1)
    np.testing.assert_allclose(got, J, rtol=1e-5, atol=1e-7)
    band = r.band(level=0.95)
    parts = np.stack([r.fitted.real, r.fitted.imag]) if np.iscomplexobj(r.fitted) else r.fitted
    assert band.shape == (*parts.shape, 2)
    np.testing.assert_allclose(band.mean(-1), parts, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(r.band(x[:3], level=0.95), band[..., :3, :], rtol=1e-9)


# ---- weights, and points that are left out ------------------------------------------------------


def test_a_complex_sigma_is_one_for_each_part():
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.01, 0.03, OMEGA.size) + 1j * rng.uniform(0.02, 0.05, OMEGA.size)
    y = data("impedance")
    for given in (sigma, 0.02 + 0.05j, 0.03, sigma.real):
        r = fitted("impedance", y, sigma=given, absolute_sigma=True)
        theta, chi2, C = by_scipy(impedance, OMEGA, y, MODELS["impedance"][3], given)
        np.testing.assert_allclose(r.params, theta, rtol=1e-7)
        np.testing.assert_allclose(r.chi2, chi2, rtol=1e-10)
        np.testing.assert_allclose(r.cov, C, rtol=1e-4)


def test_an_infinite_sigma_of_a_part_leaves_that_part_out():
    sigma = np.full(OMEGA.size, 0.02 + 0.02j)
    sigma[3:9] = complex(0.02, np.inf)
    assert fitted("impedance", sigma=sigma).n_used == 2 * OMEGA.size - 6


@pytest.mark.parametrize("missing", [np.nan, complex(np.nan, 1), complex(1, np.nan)])
def test_a_complex_number_with_a_nan_is_missing_as_a_whole(missing):
    y = data("impedance")
    keep = np.ones(OMEGA.size, bool)
    keep[[2, 7, 30]] = False
    y[~keep] = missing
    r = fitted("impedance", y)
    assert r.n_used == 2 * keep.sum()
    some = tw.fit(impedance, OMEGA[keep], y[keep], p0=MODELS["impedance"][3])
    np.testing.assert_allclose(r.params, some.params, rtol=1e-10)
    assert np.isnan(r.residual[~keep]).all()
    assert np.isfinite(r.residual[keep]).all()


def test_masks_of_complex_data():
    y, mask = data("impedance", (3,)), np.zeros((3, OMEGA.size), bool)
    mask[1, 4:9], mask[2, ::3] = True, True
    masked = fitted("impedance", np.ma.array(y, mask=mask))
    given = fitted("impedance", y, mask=mask)
    assert (masked.params == given.params).all()
    assert given.n_used.tolist() == (2 * (~mask).sum(1)).tolist()


def test_weights_per_output():
    y = data("decays", (4,))
    sigma = np.array([0.01, 0.2])
    wide = np.broadcast_to(sigma[:, None], y.shape)
    fits = [fitted("decays", y, sigma=s) for s in (tuple(sigma), sigma[:, None], wide[0], wide)]
    assert all((r.params == fits[0].params).all() for r in fits)
    theta, chi2, _ = by_scipy(decays, T, y[2], MODELS["decays"][3], sigma[:, None])
    np.testing.assert_allclose(fits[0].params[2], theta, rtol=1e-7)
    np.testing.assert_allclose(fits[0].chi2[2], chi2, rtol=1e-10)
    per_point = np.linspace(0.01, 0.1, T.size)
    both = fitted("decays", y, sigma=per_point)
    each = fitted("decays", y, sigma=np.stack([per_point, per_point]))
    assert (both.params == each.params).all()


def test_a_missing_output_leaves_the_other():
    y = data("decays")
    y[1] = np.nan
    r = tw.fit(decays, T, y, p0={"a": 1, "b": 0.5, "tau": 1}, fixed=["b"])
    alone = tw.fit("a*exp(-x/tau)", T, y[0], p0=[1, 1])
    assert r.n_used == T.size
    np.testing.assert_allclose(r.params[[0, 2]], alone.params, rtol=1e-9)
    mask = np.array([[False], [True]])
    again = tw.fit(decays, T, data("decays"), [1, 0.5, 1], fixed=["b"], mask=mask)
    assert (again.params == r.params).all()


# ---- where the outputs lie ----------------------------------------------------------------------


def test_a_tuple_of_arrays_is_stacked():
    y = data("decays", (5,))
    r = fitted("decays", y)
    for given in (tuple(y.swapaxes(0, 1)), [y[:, 0], y[:, 1]], y.tolist()):
        assert (fitted("decays", given).params == r.params).all()
    one = fitted("decays", tuple(y[0]))
    assert (one.params == r.params[0]).all()
    assert (fitted("decays", y[0].tolist()).params == r.params[0]).all()


def test_axes():
    y = data("decays", (5,))
    r = fitted("decays", y)
    assert (fitted("decays", y.transpose(2, 0, 1), axis=0).params == r.params).all()
    tall = tuple(y[:, k].T for k in range(2))  # points on the first axis of each
    assert (fitted("decays", tall, axis=0).params == r.params).all()
    z = data("impedance", (5,))
    wanted = fitted("impedance", z)
    assert (fitted("impedance", z.T, axis=0).params == wanted.params).all()


def test_labels_survive():
    xr = pytest.importorskip("xarray")
    z = data("impedance", (3,))
    y = xr.DataArray(z.T, dims=("f", "cell"), coords={"cell": ["a", "b", "c"]})
    r = fitted("impedance", y, axis="f")
    assert r.to_xarray()["R"].sel(cell="b") == r["R"][1]
    assert (r.params == fitted("impedance", z).params).all()
    two = data("decays", (3,))
    y = xr.DataArray(two, dims=("cell", "channel", "t"), coords={"cell": ["a", "b", "c"]})
    assert fitted("decays", y, axis="t").to_xarray()["tau"].dims == ("cell",)


def test_several_complex_outputs():
    def two_ports(f, f0, kappa, a):
        s = resonator(f, f0, kappa, a, 0.1, 0.5)
        return s, 1 - s

    y = np.stack(two_ports(F, 0.1, 0.3, 1.2)) + noise((6, 2, F.size), 2, 0.01)
    r = tw.fit(two_ports, F, y, p0=[0, 0.5, 1])
    assert r.fitted.shape == y.shape
    assert r.fitted.dtype == complex
    assert r.jacobian.shape == (*y.shape, 3)
    assert (r.dof == 4 * F.size - 3).all()
    np.testing.assert_allclose(r[0].fitted, two_ports(F, *r.params[0]), rtol=1e-12)
    parts = np.stack([y.real, y.imag], axis=2).reshape(6, 4, F.size)

    def real(f, *theta):
        return [part for s in two_ports(f, *theta) for part in (s.real, s.imag)]

    np.testing.assert_allclose(tw.fit(real, F, parts, [0, 0.5, 1.0]).params, r.params, rtol=1e-9)


def test_images():
    xx, yy = np.meshgrid(np.arange(7.0), np.arange(5.0))

    def wave(xy, k, phi, a):
        return a * np.exp(1j * (k * xy[0] + phi)) + 0 * xy[1]

    y = wave((xx, yy), 0.4, 0.3, 2.0) + noise((2, 5, 7), 4, 0.05)
    r = tw.fit(wave, (xx, yy), y, p0=[0.35, 0.2, 1.5])
    assert r.fitted.shape == y.shape
    np.testing.assert_allclose(r.params, [[0.4, 0.3, 2.0]] * 2, atol=0.05)
    sigma = np.full((5, 7), 0.05)
    assert tw.fit(wave, (xx, yy), y, [0.35, 0.2, 1.5], sigma=sigma).success.all()


def test_each_data_set_has_x_of_its_own():
    y = data("resonator", (4,))
    shift = np.linspace(0, 0.3, 4)
    x = F + shift[:, None]
    r = tw.fit(resonator, x, y, p0=MODELS["resonator"][3])
    one = tw.fit(resonator, x[2], y[2], p0=MODELS["resonator"][3])
    np.testing.assert_array_equal(r.params[2], one.params)

    def centred(f, f0, kappa, a, phi, q):
        return resonator(f - f.mean(), f0, kappa, a, phi, q)

    c = tw.fit(centred, x, y, p0=MODELS["resonator"][3])
    np.testing.assert_allclose(c["f0"][:3] + shift[:3], r["f0"][:3], rtol=1e-6)


def test_closures_and_columns():
    pd = pytest.importorskip("pandas")
    y = data("resonator")
    line = np.exp(0.3j * F)
    r = tw.fit(lambda f, *p: line * resonator(f, *p), F, y * line, p0=MODELS["resonator"][3])
    wanted = fitted("resonator", y)
    np.testing.assert_allclose(r.params, wanted.params, rtol=1e-7)
    table = pd.DataFrame({"other": np.nan, "f": F})
    t = tw.fit(lambda d, f0, kappa, a, phi, q: resonator(d["f"], f0, kappa, a, phi, q), table, y,
               p0=MODELS["resonator"][3])  # fmt: skip
    np.testing.assert_array_equal(t.params, wanted.params)
    assert t.predict({"f": F[:5]}).shape == (5,)


# ---- sizes, types, units, threads ---------------------------------------------------------------


def sizes(dtype):
    width = lanes(dtype)
    block, team = MOST_BLOCK * width, constant("fit/lanes.h", "SIDE_BY_SIDE")
    return [n for n in around(width, block // 2, team // 2, team) if n >= 4]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_any_number_of_points(dtype):
    for n in sizes(dtype):
        x = np.linspace(-1, 1, n)
        theta = (0.3, 0.8, 1.1)

        def line(x, a, b, c):
            return a + b * x, c * x

        y = np.stack(line(x, *theta)) + noise((2, 2, n), n, 0.1, False)
        r = tw.fit(line, x, y, p0=[0, 0, 0.5], dtype=dtype)
        C = np.zeros((2, n, 3))
        C[0, :, 0], C[0, :, 1], C[1, :, 2] = 1, x, x
        for k in range(2):
            want, rest, *_ = np.linalg.lstsq(C.reshape(-1, 3), y[k].reshape(-1))
            np.testing.assert_allclose(r.params[k], want, rtol=3e4 * np.finfo(dtype).eps)
            np.testing.assert_allclose(r.chi2[k], rest[0], rtol=1e4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_complex64(dtype):
    y = data("resonator", (20,))
    r = fitted("resonator", y.astype(np.complex64), dtype=dtype)
    assert r.params.dtype == r.chi2.dtype == np.float32
    assert r.fitted.dtype == np.complex64
    assert r.success.all()
    exact = fitted("resonator", y, dtype=np.complex128)
    assert exact.params.dtype == np.float64
    error = np.abs(r.params - exact.params) / exact.stderr
    assert error.max() < 0.02


@pytest.mark.parametrize("exponent", [-130, -20, 20, 130])
def test_units_do_not_matter(exponent):
    """Resistances in another unit give the same digits, as long as squares of z stay in range."""
    y, unit = data("impedance", (8,)), 2.0**exponent
    r = fitted("impedance", y)
    p0 = np.array(MODELS["impedance"][3]) * [unit, 1 / unit, unit]
    other = tw.fit(impedance, OMEGA, y * unit, p0=p0)
    np.testing.assert_allclose(other.params, r.params * [unit, 1 / unit, unit], rtol=8 * EPS)


def test_threads_and_neighbours_do_not_matter():
    y = data("resonator", (300,))
    r = fitted("resonator", y, threads=1)
    two = fitted("resonator", y, threads=2)
    assert (r.params == two.params).all()
    assert (r.covariance_rows == two.covariance_rows).all()
    alone = fitted("resonator", y[137])
    assert (alone.params == r.params[137]).all()


def test_weight_2_is_a_point_twice():
    y = data("impedance")
    twice = tw.fit(impedance, np.tile(OMEGA, 2), np.tile(y, 2), p0=MODELS["impedance"][3])
    r = fitted("impedance", y, sigma=np.full(OMEGA.size, 0.5**0.5))
    np.testing.assert_allclose(twice.params, r.params, rtol=1e-9)
    np.testing.assert_allclose(twice.chi2, r.chi2, rtol=1e-9)


# ---- models that Python calls -------------------------------------------------------------------


def by_hand(omega, R, C, L):
    """The impedance, point by point, which cannot be recorded."""
    return np.array([impedance(float(w), R, C, L) for w in np.asarray(omega)])


def lists(t, a, b, tau):
    """The decays as lists of lists, which cannot be recorded."""
    return [[p * np.exp(-float(s) / tau) for s in np.asarray(t)] for p in (a, b)]


@pytest.mark.parametrize(("slow", "name"), [(by_hand, "impedance"), (lists, "decays")])
def test_a_model_that_python_calls(slow, name):
    _, x, _, p0 = MODELS[name]
    y = data(name, (2,))
    with pytest.warns(tw.SlowModelWarning):
        r = tw.fit(slow, x, y, p0=p0)
    wanted = fitted(name, y)
    np.testing.assert_allclose(r.params, wanted.params, rtol=1e-6)
    assert r.fitted.shape == wanted.fitted.shape
    np.testing.assert_allclose(r.jacobian, wanted.jacobian, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(r.predict(x[:3]), wanted.predict(x[:3]), rtol=1e-5)
    np.testing.assert_allclose(r.band(x[:3]), wanted.band(x[:3]), rtol=1e-4, atol=1e-6)
    with pytest.warns(tw.SlowModelWarning):
        one = tw.fit(slow, x, y[0], p0=dict(zip(wanted.names, p0, strict=True)))
    np.testing.assert_array_equal(one.params, r.params[0])


def test_a_list_of_a_number_per_point_is_one_output():
    x = np.arange(4.0)

    def line(x, a, b):
        return [a * float(v) + b for v in np.asarray(x)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.SlowModelWarning)
        r = tw.fit(line, x, [2 * x + 1, 3 * x], p0=[1, 1])
    np.testing.assert_allclose(r.params, [[2, 1], [3, 0]], atol=1e-9)


# ---- intervals that hold ------------------------------------------------------------------------


def test_intervals_of_a_resonator_hold_the_truth_as_often_as_they_say():
    """With 20,000 fits an estimate of the coverage has a standard error of 0.33 points."""
    y = value(resonator, F, RESONANCE) + noise((20_000, F.size), 11, 0.02)
    r = fitted("resonator", y)
    assert r.success.all()
    interval = r.interval(0.6827)
    inside = (interval[..., 0] <= RESONANCE) & (RESONANCE <= interval[..., 1])
    np.testing.assert_allclose(100 * inside.mean(0), 68.27, atol=1.0)


def test_intervals_of_two_outputs():
    sigma = np.array([[0.05], [0.01]])
    f = value(decays, T, LIFE)
    y = f + noise((20_000, *f.shape), 12, 1.0, False) * sigma
    r = fitted("decays", y, sigma=sigma, absolute_sigma=True)
    interval = r.interval(0.95)
    inside = (interval[..., 0] <= LIFE) & (LIFE <= interval[..., 1])
    np.testing.assert_allclose(100 * inside.mean(0), 95, atol=0.6)
