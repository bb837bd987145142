"""Fits of dask arrays: the bits of fits in memory whatever the chunks, nothing computed early."""

import operator
import sys
from functools import partial

import numpy as np
import pytest

import thalweg as tw

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

from dask.callbacks import Callback  # noqa: E402
from lazy_cases import DECAY, NUMBERS, OPTIONS, P0, T, assert_same, decays, nothing_computed  # noqa: E402

from thalweg.scale.dask import ChunkError, fit  # noqa: E402


@pytest.mark.parametrize(
    "chunks",
    [(9, 7, 25), (1, 1, 25), (7, 3, 25), (8, 7, 5), (9, 2, 3), ((2, 0, 7), (7,), (25,))],
    ids=str,
)
@pytest.mark.parametrize("dtype", [None, "float32"])
def test_a_lazy_fit_has_the_bits_of_one_in_memory(chunks, dtype):
    y = decays(9, 7)
    with nothing_computed():
        r = fit(DECAY, T, da.from_array(y, chunks=chunks), dtype=dtype, **OPTIONS)
        assert r.names == ("a", "tau", "c") and r.shape == (9, 7)
        arrays = [r.params, r["tau"], r.cov, r.status]
    assert [a.shape for a in arrays] == [(9, 7, 3), (9, 7), (9, 7, 3, 3), (9, 7)]
    assert all(type(a._meta) is np.ndarray for a in arrays)
    memory = tw.fit(DECAY, T, y, dtype=dtype, **OPTIONS)
    assert_same(r, memory)
    np.testing.assert_array_equal(r["tau"].compute(), memory["tau"])
    whole = r.compute()
    assert type(whole) is type(memory) and repr(whole) == repr(memory)
    np.testing.assert_array_equal(whole.cov, memory.cov)
    np.testing.assert_array_equal(whole.predict(T), memory.predict(T))
    with pytest.raises(ValueError, match="holds no data"):
        whole.residual  # noqa: B018


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 17])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16])
def test_chunks_at_the_numbers_of_lanes(size, kind):
    y = (100 * decays(19)).astype(kind)
    assert_same(
        fit(DECAY, T, da.from_array(y, chunks=(size, 25)), **OPTIONS),
        tw.fit(DECAY, T, y, **OPTIONS),
    )


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,)])
def test_batches_without_axes_and_without_fits(shape):
    y = decays(*shape)
    r = fit(DECAY, T, da.from_array(y, chunks=-1), **OPTIONS)
    assert_same(r, tw.fit(DECAY, T, y, **OPTIONS))
    assert r.compute().status.shape == shape


def test_fits_without_points():
    y = np.empty((3, 2, 0))
    r = fit(DECAY, np.empty(0), da.from_array(y, chunks=(2, 1, 1)), **OPTIONS).compute()
    assert (r.status == tw.fit(DECAY, np.empty(0), y, **OPTIONS).status).all()


def test_points_along_the_first_axis():
    y = np.moveaxis(decays(5, 4), -1, 0)
    r = fit(DECAY, T, da.from_array(y, chunks=(6, 2, 3)), axis=0, **OPTIONS)
    assert_same(r, tw.fit(DECAY, T, y, axis=0, **OPTIONS))


def test_images_have_several_axes_of_points():
    yy, xx = np.mgrid[:9, :11]
    images = tw.models.gaussian2d((xx, yy), 200, 5.3, 4.1, 1.4, 20)
    images = images + np.random.default_rng(0).normal(0, 4, (6, 9, 11))
    r = fit(tw.models.gaussian2d, (xx, yy), da.from_array(images, chunks=(4, 5, 5)))
    assert_same(r, tw.fit(tw.models.gaussian2d, (xx, yy), images))
    lazy_x = fit("gaussian2d", (da.from_array(xx), yy), da.from_array(images, chunks=(4, 9, 11)))
    assert_same(lazy_x, tw.fit("gaussian2d", (xx, yy), images))


def test_missing_points_and_masks():
    y, rng = decays(9, 5), np.random.default_rng(1)
    y[0, 0, :3], y[1, 1] = np.nan, np.nan
    mask = rng.random(y.shape) < 0.1
    rows = rng.random((9, 5, 1)) < 0.3
    lazy = da.from_array(y, chunks=(4, 5, 25))
    of = partial(fit, DECAY, T, **OPTIONS)
    memory = partial(tw.fit, DECAY, T, **OPTIONS)
    assert_same(of(lazy), memory(y))
    assert_same(of(lazy, mask=da.from_array(mask, chunks=3)), memory(y, mask=mask))
    assert_same(of(lazy, mask=rows), memory(y, mask=rows))
    assert_same(of(lazy, mask=mask[0, 0]), memory(y, mask=mask[0, 0]))
    masked = da.ma.masked_array(lazy, mask=da.from_array(mask, chunks=(4, 5, 25)))
    assert_same(of(masked), memory(np.ma.array(y, mask=mask)))


def test_arguments_of_each_fit():
    y, rng = decays(9, 5), np.random.default_rng(1)
    sigma = rng.uniform(0.5, 2, y.shape)
    a, high = rng.uniform(1, 2, (9, 5)), rng.uniform(1, 3, (9, 5))
    p0 = np.stack([a, a, 0 * a], -1)
    x = T + rng.uniform(0, 0.1, (9, 5, 1))
    held = rng.random((9, 5, 3)) < 0.2
    lazy = da.from_array(y, chunks=(4, 3, 25))
    whole = {"sigma": sigma, "p0": p0, "fixed": held}
    by_name = {
        "p0": {"a": a, "tau": 1, "c": 0.1},
        "bounds": {"tau": (0, high)},
        "fixed": {"c": 0.1 * a},
    }
    for given in (
        whole,
        by_name,
        {"p0": p0, "bounds": (-p0 - 5, None)},
        {"p0": P0, "sigma": sigma[0, 0]},
    ):
        memory = tw.fit(DECAY, T, y, independent="t", **given)
        assert_same(fit(DECAY, T, lazy, independent="t", **given), memory)
        lazily = in_chunks(given)
        assert_same(fit(DECAY, T, lazy, independent="t", **lazily), memory)
    assert_same(fit(DECAY, da.from_array(x), lazy, **OPTIONS), tw.fit(DECAY, x, y, **OPTIONS))
    assert_same(fit(DECAY, da.from_array(T, 4), lazy, **OPTIONS), tw.fit(DECAY, T, y, **OPTIONS))


def in_chunks(value):
    """Return a nest of dicts and tuples with all its arrays of fits in chunks of 2."""
    if isinstance(value, dict):
        return {name: in_chunks(v) for name, v in value.items()}
    if isinstance(value, tuple):
        return tuple(map(in_chunks, value))
    return da.from_array(value, chunks=2) if isinstance(value, np.ndarray) else value


def test_a_start_that_all_fits_share_may_be_lazy():
    y, start = decays(6), np.array([1.0, 1.0, 0.0])
    r = fit(DECAY, T, da.from_array(y, chunks=(4, 25)), da.from_array(start), independent="t")
    assert_same(r, tw.fit(DECAY, T, y, start, independent="t"))


OTHERS = [
    {"tied": {"c": "0.1*a"}},
    {"linear": "auto"},
    {"noise": "poisson"},
    {"robust": "huber", "f_scale": "estimate"},
    {"robust": "cauchy", "f_scale": np.linspace(1, 2, 9)},
    {"starts": 3, "bounds": {"a": (0, 9), "tau": (0.1, 9), "c": (-1, 1)}},
    {"retry": 2, "max_iter": 3},
    {"fixed": ["c"], "absolute_sigma": True},
    {"guess": lambda x, y: [y[0], 1.0, 0.0], "p0": None},
]


@pytest.mark.parametrize("options", OTHERS, ids=lambda o: "-".join(o))
def test_other_options(options):
    y = np.abs(decays(9))
    options = OPTIONS | options
    r = fit(DECAY, T, da.from_array(y, chunks=(4, 25)), **options)
    names = (*NUMBERS, "status", "detail", "at_bound")  # a robust fit has no likelihood
    assert_same(r, memory := tw.fit(DECAY, T, y, **options), names)
    if "starts" in options:
        np.testing.assert_array_equal(r.agreement.compute(), memory.agreement)
    np.testing.assert_array_equal(r.compute().stderr, memory.stderr)


def test_variables_are_not_taken_for_fits():
    """Two variables as the rows of an array, and as many fits in a chunk."""
    x, y = np.stack([T, T**2]), decays(5)

    def plane(x, a, b, c):
        return a * x[0] + b * x[1] + c

    r = fit(plane, x, da.from_array(y, chunks=(2, 25)), [0, 0, 0])
    assert_same(r, tw.fit(plane, x, y, [0, 0, 0]))
    assert_same(
        fit(plane, da.from_array(x, 1), da.from_array(y, chunks=(2, 25)), [0, 0, 0]), r.compute()
    )
    table = {"u": T, "v": T**2}
    by_name = fit(
        "a*u + b*v", table, da.from_array(y, chunks=(2, 25)), [0, 0], independent=["u", "v"]
    )
    assert_same(by_name, tw.fit("a*u + b*v", table, y, [0, 0], independent=["u", "v"]))


def test_complex_models():
    def resonance(f, a, tau):
        return a / (1 + 1j * f * tau)

    y = resonance(T, np.arange(1.0, 8)[:, None], 1.3) + 0.01 * decays(7)
    r = fit(resonance, T, da.from_array(y, chunks=(2, 25)), [1, 1])
    memory = tw.fit(resonance, T, y, [1, 1])
    assert_same(r, memory)
    np.testing.assert_array_equal(r.compute().predict(T), memory.predict(T))


def slow(x, a, b):
    """A model that cannot be recorded."""
    return np.array([a * v + b for v in x.tolist()])


def test_models_that_python_calls():
    y = decays(5)
    with pytest.warns(tw.SlowModelWarning):
        r = fit(slow, T, da.from_array(y, chunks=(2, 25)), [1, 1])
        memory = tw.fit(slow, T, y, [1, 1])
        assert_same(r, memory)


def test_each_chunk_is_fitted_once_for_all_outputs():
    r = fit(DECAY, T, da.from_array(decays(40), chunks=(10, 25)), **OPTIONS)
    names = ("params", "stderr", "cov", "chi2", "status", "aic")
    started = []
    with Callback(pretask=lambda key, dsk, state: started.append(key)):
        dask.compute(*(getattr(r, name) for name in names), scheduler="synchronous")
    fits = [key for key in started if isinstance(key, tuple) and key[0].startswith("fit-")]
    assert len(fits) == len(set(fits)) == 4
    kept = r.persist()
    started.clear()
    with Callback(pretask=lambda key, dsk, state: started.append(key)):
        kept.chi2.compute(scheduler="synchronous")
    assert not [key for key in started if isinstance(key, tuple) and key[0].startswith("fit-")]


def test_the_graph_grows_with_the_number_of_chunks():
    sizes = []
    for n in (10, 20, 40):
        y = da.zeros((n, n, 25), chunks=(1, 1, 25))
        sizes.append(len(dict(fit(DECAY, T, y, **OPTIONS).params.__dask_graph__())))
    assert sizes[2] - sizes[1] <= 4.1 * (sizes[1] - sizes[0])
    assert sizes[2] <= 5 * 40**2


@pytest.mark.parametrize(
    "model", [DECAY, "exponential", tw.models.exponential, lambda t, a, b: a + b * t]
)
def test_processes(model):
    y = decays(6)
    options = OPTIONS if model == DECAY else {"p0": [1, 1]} if callable(model) else {}
    if model is tw.models.exponential:
        options = {}
    r = fit(model, T, da.from_array(y, chunks=(3, 25)), **options)
    params = r.params.compute(scheduler="processes", num_workers=2)
    np.testing.assert_array_equal(params, tw.fit(model, T, y, **options).params)


def test_threads_of_dask_and_of_fits():
    y = decays(64)
    memory = tw.fit(DECAY, T, y, **OPTIONS)
    for threads in (1, 2):
        r = fit(DECAY, T, da.from_array(y, chunks=(8, 25)), threads=threads, **OPTIONS)
        params = r.params.compute(scheduler="threads", num_workers=3)
        np.testing.assert_array_equal(params, memory.params)


def broken(x, a, b):
    """A model that cannot be recorded, and raises for some data."""
    if float(x[0]) > 0.5:
        raise ZeroDivisionError("not here")
    return np.array([a * v + b for v in x.tolist()])


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_a_chunk_that_raises():
    y, x = decays(9), np.tile(T, (9, 1))
    x[5] += 1
    lazy = da.from_array(y, chunks=(3, 25))
    with pytest.raises(
        ChunkError, match=r"^the chunk of fits \[3:6\]: ZeroDivisionError: not here$"
    ):
        fit(broken, x, lazy, [1, 1]).compute()
    r = fit(broken, x, lazy, [1, 1], errors="ignore").compute()
    memory = tw.fit(broken, x[:5], y[:5], [1, 1])
    np.testing.assert_array_equal(r.params[:5], memory.params)  # those that had finished, too
    assert r.status[5] == tw.Status.NOT_RUN and np.isnan(r.params[5]).all()
    assert r.success[[0, 1, 2, 3, 4, 6, 7, 8]].all()


def test_a_chunk_that_cannot_be_read():
    def load(block, block_info=None):
        if block_info[0]["chunk-location"] == (1, 0):
            raise OSError("the disk is gone")
        return block

    lazy = da.from_array(decays(9), chunks=(3, 25)).map_blocks(load, dtype=float)
    with pytest.raises(OSError, match="the disk is gone"):
        fit(DECAY, T, lazy, **OPTIONS).compute()


LAZY = da.zeros((4, 25), chunks=(2, 25))
REFUSALS = [
    ({"groups": np.zeros(4)}, ValueError, "groups is for data in memory"),
    ({"out": "r.zarr"}, ValueError, "r.to_xarray().to_zarr(path)"),
    ({"chunk": 2}, ValueError, "chunk is for data that thalweg.fit reads itself"),
    ({"p0": "neighbours"}, ValueError, "p0='neighbours' is for data in memory"),
    ({"errors": "warn"}, ValueError, "errors must be 'raise' or 'ignore', got 'warn'"),
    ({"p0": {"a": 1, "tua": 1, "c": 0}}, ValueError, "did you mean 'tau'?"),
    ({"p0": [1, 1]}, ValueError, "p0 must have shape"),
    ({"sigma": np.ones(24)}, ValueError, "sigma has the shape (24,): neither that of the points"),
    ({"mask": LAZY[:3] > 0}, ValueError, "mask has the shape (3, 25)"),
    ({"x": np.ones(24)}, ValueError, "x has the shape (24,)"),
    ({"y": LAZY[LAZY[:, 0] > 0]}, ValueError, "y.compute_chunk_sizes() finds them"),
    ({"y": LAZY.astype(complex)}, TypeError, "y is complex, but the model"),
    ({"y": da.zeros(())}, ValueError, "y must have at least one axis"),
    ({"axis": "time"}, ValueError, "axis='time' is the name of an axis"),
    ({"axis": 2}, ValueError, "axis 2 is out of range"),
    ({"maxiter": 3}, TypeError, "did you mean max_iter?"),
    ({"shared": "tau"}, ValueError, "shared is for data in memory, since chunks do not know"),
    ({"callback": print}, ValueError, "callback is for data in memory"),
    ({"bounds": {"tau": (2, 1)}}, ValueError, "the lower bound of tau exceeds"),
]


@pytest.mark.parametrize("given, kind, words", REFUSALS, ids=lambda v: str(v)[:40])
def test_refusals_come_before_anything_is_computed(given, kind, words):
    given = {"x": T, "y": LAZY} | OPTIONS | given
    with nothing_computed(), pytest.raises(kind) as caught:
        fit(DECAY, **given)
    assert words in str(caught.value) and str(caught.value).count("\n") == 0


def test_what_is_lazy_is_not_computed_by_a_fit_in_memory():
    y = da.from_array(decays(2))
    with nothing_computed():
        for given in ({"y": y}, {"x": y[0]}, {"p0": y[0, :3]}, {"sigma": y}, {"mask": y > 0}):
            with pytest.raises(TypeError, match=r"is lazy: thalweg\.scale\.dask takes it"):
                tw.fit(DECAY, **({"x": T, "y": T} | OPTIONS | given))
        with pytest.raises(TypeError, match="targets is lazy"):
            tw.MSELoss("a*x", T, y[0])
        with pytest.raises(AttributeError, match="a LazyResult has no attribute 'residual'"):
            fit(DECAY, T, y, **OPTIONS).residual  # noqa: B018
        with pytest.raises(KeyError, match="did you mean 'tau'"):
            fit(DECAY, T, y, **OPTIONS)["tua"]
    with pytest.raises(TypeError, match=r"import thalweg\.scale\.xarray"):
        pytest.importorskip("xarray")
        import xarray

        fit(DECAY, T, xarray.DataArray(y), **OPTIONS)


def test_numbers_of_chunks_and_functions_of_results():
    y = decays(9)
    r = fit(DECAY, T, da.from_array(y, chunks=(4, 25)), **OPTIONS)
    assert repr(r) == "<LazyResult: 9 fits (9,) in 3 chunks\n of a, tau, c>"
    assert "params" in dir(r) and "a*exp" not in repr(r)
    memory = tw.fit(DECAY, T, y, **OPTIONS)
    at_two = r.map(operator.methodcaller("predict", [2.0]))
    np.testing.assert_array_equal(at_two.compute(), memory.predict([2.0]))


def test_without_dask_the_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask", None)
    monkeypatch.delitem(sys.modules, "thalweg.scale.dask")
    with pytest.raises(ModuleNotFoundError, match="needs dask: python -m pip"):
        import thalweg.scale.dask  # noqa: F401
