"""Fits at every size where the engine changes what it does, in both element types and layouts.

Fits of few points lie side by side, those of many are cut into blocks and chunks, which threads may
share; ill-conditioned ones go to the orthogonal factorisation.  Each case is compared with NumPy,
and one thread with two, bit by bit.  scripts/sanitize.sh runs these tests where every piece of
workspace ends at a wall.
"""

import numpy as np
import pytest
from problems import nearly_equal
from sizes import LEAST_BLOCK, MOST_BLOCK, around, constant, lanes

import thalweg as tw

SIDE_BY_SIDE = constant("fit/lanes.h", "SIDE_BY_SIDE")
CHUNK_BLOCKS = constant("fit/points.h", "CHUNK_BLOCKS")
SHARED_CHUNKS = constant("fit/engine.c", "SHARED_CHUNKS")
POINTS_PER_THREAD = constant("fit/engine.c", "POINTS_PER_THREAD")
TAKEN_AT_ONCE = constant("fit/engine.c", "TAKEN_AT_ONCE")
TYPES = [np.float64, np.float32]

FIELDS = ("params", "chi2", "n_iter", "n_used", "status", "covariance_rows", "detail")


def fit_twice(*arguments, **options):
    """Fit with one thread and with two; both must agree in every bit."""
    one, two = (tw.fit(*arguments, threads=threads, **options) for threads in (1, 2))
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(two, field), getattr(one, field), err_msg=field)
    return one


def cosines(x, *c):
    """Orthogonal on [0, pi]; on a small part of it the same to many digits."""
    return sum(c_k * np.cos(k * x) for k, c_k in enumerate(c))


def sizes_of_parameters(dtype):
    """Where triangles, rows of reflections or blocks of points are just full, with or without the
    residual as one column more."""
    sizes = around(lanes(dtype), 2 * lanes(dtype), LEAST_BLOCK * lanes(dtype))
    return sorted({*range(1, 9), *sizes, *(n - 1 for n in sizes)})


PARAMETERS = [(dtype, n) for dtype in TYPES for n in sizes_of_parameters(dtype)]


def data_of_cosines(dtype, n_params, n_points, width, n_fits):
    rng = np.random.default_rng(n_params)
    x = np.linspace(0, width, n_points).astype(dtype)
    truth = rng.standard_normal((n_fits, n_params)) / (1 + np.arange(n_params))
    y = [cosines(x.astype(float), *c) + 0.1 * rng.standard_normal(n_points) for c in truth]
    return x, np.array(y).astype(dtype)


def has_the_chi2_that_numpy_finds(fit, x, y):
    """At the parameters found, but for the rounding of a sum of cosines on both sides."""
    eps, numbers = np.finfo(y.dtype).eps, np.arange(fit.params.shape[-1])
    c, exact = (
        np.abs(fit.params.astype(float)),
        np.array(
            [np.cos(np.outer(x.astype(float), numbers)) @ c for c in fit.params.astype(float)]
        ),
    )
    want = np.sum((y - exact) ** 2, axis=-1)
    # the error of each point: of as many additions as terms, and of the arguments k x
    error = eps * ((len(numbers) + 8) * c.sum(-1) + x.max() * c @ numbers) * np.sqrt(len(x))
    allowed = 2 * error * np.sqrt(want) + error**2 + 1e2 * eps * want
    assert (np.abs(fit.chi2 - want) <= allowed).all()


def number_of_fits(n_params, n_points):
    """As many as there must be for a second thread to be used; of wide problems, which take long, a
    few."""
    return POINTS_PER_THREAD // n_points + 2 if n_params <= 130 else 2


@pytest.mark.parametrize("layout", ["fits side by side", "points side by side"])
@pytest.mark.parametrize(("dtype", "n_params"), PARAMETERS)
def test_any_number_of_parameters(dtype, n_params, layout):
    """A well-conditioned problem: the least squares are those of NumPy."""
    n_points = n_params + 5 if layout == "fits side by side" else SIDE_BY_SIDE + 1 + n_params
    x, y = data_of_cosines(dtype, n_params, n_points, np.pi, number_of_fits(n_params, n_points))
    fit = fit_twice(cosines, x, y, np.zeros(n_params), dtype=dtype)
    has_the_chi2_that_numpy_finds(fit, x, y)
    columns = np.cos(np.outer(x.astype(float), np.arange(n_params)))
    least = np.linalg.lstsq(columns, y.T.astype(float))[1]
    # a parameter is off by an error of the model or by xtol at most: chi2 by its square
    off = 1e-3 if dtype == np.float32 else 1e-7
    assert (fit.chi2 <= least * (1 + off)).all()


NEARLY_THE_SAME = [
    (dtype, n_params, layout)
    for dtype, n_params in PARAMETERS
    for layout in ("fits side by side", "points side by side", "shared chunks")
    if n_params in (2, 7) or n_params > LEAST_BLOCK * lanes(dtype) - 3
    if n_params <= 130 or layout != "shared chunks"  # where triangles are merged as in any other
]


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize(("dtype", "n_params", "layout"), NEARLY_THE_SAME)
def test_any_number_of_parameters_that_are_nearly_the_same(dtype, n_params, layout, bounded):
    """An ill-conditioned problem: triangles of R are merged, of all blocks and chunks."""
    chunk = CHUNK_BLOCKS * LEAST_BLOCK * lanes(dtype)
    n_points, n_fits = {
        "fits side by side": (n_params + 5, 3),
        "points side by side": (SIDE_BY_SIDE + 1 + n_params, 2),
        "shared chunks": (SHARED_CHUNKS * chunk + 1, 1),
    }[layout]
    x, y = data_of_cosines(dtype, n_params, n_points, 0.5, n_fits)
    bounds = (-2, 2) if bounded else None
    fit = fit_twice(cosines, x, y, np.ones(n_params), dtype=dtype, bounds=bounds, max_iter=2)
    has_the_chi2_that_numpy_finds(fit, x, y)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n_params", around(8 * LEAST_BLOCK, 16 * LEAST_BLOCK))
def test_parameters_fixed_for_some_fits_only(dtype, n_params):
    """Each fit holds other ones."""
    n_points = SIDE_BY_SIDE // 2
    x, y = data_of_cosines(dtype, n_params, n_points, 0.5, 3)
    fixed = np.random.default_rng(0).random((3, n_params)) < 0.5
    fit = fit_twice(cosines, x, y, np.ones(n_params), dtype=dtype, fixed=fixed, max_iter=2)
    assert (fit.params[fixed] == 1).all()
    has_the_chi2_that_numpy_finds(fit, x, y)


# ---- points ------------------------------------------------------------------------------------


def parabola(x, a, b, c):
    return a + b * x + c * x**2


def sizes_of_points(dtype):
    block = MOST_BLOCK * lanes(dtype)
    chunk = CHUNK_BLOCKS * block
    return around(lanes(dtype), SIDE_BY_SIDE, block, chunk, SHARED_CHUNKS * chunk, least=4)


POINTS = [(dtype, n) for dtype in TYPES for n in sizes_of_points(dtype)]


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize(("dtype", "n_points"), POINTS)
def test_any_number_of_points(dtype, n_points, partial):
    """With all points alike, or some masked, some NaN and each with a sigma."""
    rng = np.random.default_rng(n_points)
    x = np.linspace(-1, 1, n_points).astype(dtype)
    y = (parabola(x, 1.0, 2.0, 3.0) + 0.1 * rng.standard_normal((2, n_points))).astype(dtype)
    sigma, use = np.ones((2, n_points)), np.ones((2, n_points), bool)
    options = {}
    if partial and n_points > 8:
        use = rng.random((2, n_points)) < 0.8
        use[:, :4] = True
        sigma = rng.uniform(0.5, 2, (2, n_points)).astype(dtype)
        y[1, ~use[1]] = np.nan
        options = dict(mask=~use, sigma=sigma)
    fit = fit_twice(parabola, x, y, [0.5, 0.5, 0.5], dtype=dtype, **options)
    assert fit.n_used.tolist() == use.sum(axis=1).tolist()
    columns = np.stack([x**0, x, x**2], axis=-1).astype(float)
    for k in range(2):
        C, e = columns[use[k]] / sigma[k][use[k], None], y[k][use[k]] / sigma[k][use[k]]
        theta, rest, *_ = np.linalg.lstsq(C, e.astype(float))
        # condition below 100; sums of squares are rounded block by block
        np.testing.assert_allclose(fit.params[k], theta, rtol=3e4 * np.finfo(dtype).eps)
        np.testing.assert_allclose(fit.chi2[k], rest[0], rtol=1e4 * np.finfo(dtype).eps)
    want = parabola(x.astype(float), *fit.params.T[..., None].astype(float))
    np.testing.assert_allclose(fit.predict(), want, atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("dtype", "n_points"), POINTS)
def test_any_number_of_points_of_columns_nearly_the_same(dtype, n_points):
    """The same plane is spanned by u and v, where NumPy finds the least chi2."""
    apart = 2.0**-20 if dtype == np.float64 else 2.0**-9
    u, w = nearly_equal(n_points, apart)
    y = np.random.default_rng(1).standard_normal((2, n_points)).astype(dtype)
    x = (u.astype(dtype), w.astype(dtype))
    fit = fit_twice(lambda x, a, b: a * x[0] + b * x[1], x, y, [0.5, 0.5], dtype=dtype)
    plane = np.stack([x[0], (x[1] - x[0]) / apart], axis=-1).astype(float)
    least = np.linalg.lstsq(plane, y.T.astype(float))[1]
    np.testing.assert_allclose(fit.chi2, least, rtol=1e2 * np.finfo(dtype).eps / apart)


# ---- batches, and models that only Python can evaluate -------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
def test_any_number_of_fits(dtype):
    """The first fits of a batch are the same whatever follows them."""
    x = np.linspace(-1, 1, 30).astype(dtype)
    numbers = around(lanes(dtype), TAKEN_AT_ONCE, 4 * TAKEN_AT_ONCE, 8 * TAKEN_AT_ONCE)
    rng = np.random.default_rng(2)
    y = (np.exp(x) + 0.1 * rng.standard_normal((numbers[-1], 30))).astype(dtype)
    whole = fit_twice("a*exp(b*x)", x, y, [1.0, 1.0], dtype=dtype)
    assert whole.success.all()
    for n in numbers:
        some = fit_twice("a*exp(b*x)", x, y[:n], [1.0, 1.0], dtype=dtype)
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(some, field), getattr(whole, field)[:n])


SLOW = [
    (dtype, n_params, n_points)
    for dtype in TYPES
    for n_params in around(2 * lanes(dtype), LEAST_BLOCK * lanes(dtype), most=130)
    for n_points in (n_params, n_params + 1, *around(2 * lanes(dtype), SIDE_BY_SIDE))
    if n_params <= n_points and (n_points <= n_params + 1 or n_params <= 2 * lanes(dtype) + 1)
]


@pytest.mark.parametrize(("dtype", "n_params", "n_points"), SLOW)
def test_a_model_called_from_python_of_any_size(dtype, n_params, n_points):
    x, y = data_of_cosines(dtype, n_params, n_points, 0.5, 1)
    columns = np.cos(np.outer(x, np.arange(n_params)))

    def model(x, *c):
        return columns @ np.array([float(c_k) for c_k in c])

    with pytest.warns(tw.SlowModelWarning):
        fit = tw.fit(model, x, y, np.ones(n_params), dtype=dtype, max_iter=2)
    has_the_chi2_that_numpy_finds(fit, x, y)
