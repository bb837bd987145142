"""The mean squared error over dask arrays: that of samples in memory, by sums of a fixed order."""

import pickle
import sys

import numpy as np
import pytest

import thalweg as tw
from thalweg.losses import check_adjoint, check_gradient

da = pytest.importorskip("dask.array")

from lazy_cases import nothing_computed  # noqa: E402

from thalweg.scale.dask import ChunkError, MSELoss  # noqa: E402

K = 300
RNG = np.random.default_rng(0)
T = RNG.uniform(0, 5, K)
X = 3 * np.exp(-T / 2) + RNG.normal(0, 0.1, K)
W = RNG.uniform(0, 2, K) * (RNG.random(K) > 0.2)
AT, D = np.array([2.0, 1.5]), np.array([0.3, -1.0])


def lazy(size, weights=None, **options):
    x = da.from_array(X, chunks=size)
    return MSELoss("a*exp(-t/tau)", da.from_array(T, 70), x, weights, independent="t", **options)


def memory(weights=None, **options):
    return tw.MSELoss("a*exp(-t/tau)", T, X, weights, independent="t", **options)


QUANTITIES = {
    "value": (AT,),
    "gradient": (AT,),
    "hessian": (AT,),
    "gauss_newton": (AT,),
    "hessian_vector": (AT, D),
    "residuals": (AT,),
    "jvp": (AT, D),
    "vjp": (AT, X),
}


@pytest.mark.parametrize("size", [K, 1, 7, 8, 9, 150, (0, 100, 0, 199, 1)])
@pytest.mark.parametrize("weights", [None, W], ids=["", "weights"])
def test_the_quantities_of_a_loss(size, weights):
    one, other = lazy(size if isinstance(size, int) else (size,), weights), memory(weights)
    for name, arguments in QUANTITIES.items():
        expected = getattr(other, name)(*arguments)
        value = np.asarray(getattr(one, name)(*arguments))
        assert value.shape == np.shape(expected), name
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12, err_msg=name)
    if size != 1:  # many sums of 300 blocks each, of which the quantities above have shown all
        assert check_gradient(one, AT).passed and check_adjoint(one, AT).passed
    assert one.names == ("a", "tau") and one.n_samples == K and not one.is_quadratic


def test_float32_and_ties():
    one, other = lazy(64, dtype=np.float32), memory(dtype=np.float32)
    assert one.precision == other.precision
    np.testing.assert_allclose(one.gradient(AT), other.gradient(AT), rtol=1e-5)
    one, other = lazy(64, tied={"tau": "a"}), memory(tied={"tau": "a"})
    assert one.names == ("a",)
    np.testing.assert_allclose(one.gradient([2.0]), other.gradient([2.0]), rtol=1e-12)


METHODS = [None, tw.LBFGS(), tw.GaussNewton(), tw.Newton(), tw.ConjugateGradient()]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_methods_of_descent_take_it_as_any_other(method):
    own = (method,) if method else ()
    one, other = tw.minimize(lazy(80), AT, *own), tw.minimize(memory(), AT, *own)
    assert one.success and one.status == other.status
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-7)


def test_coordinate_descent_and_diagnosis():
    assert tw.minimize(lazy(150), AT, tw.CoordinateDescent()).success
    one, other = tw.diagnose(lazy(150), AT), tw.diagnose(memory(), AT)
    assert abs(one.kappa / other.kappa - 1) < 1e-9


def test_the_bits_do_not_depend_on_the_scheduler():
    import dask

    paths = []
    for scheduler, workers in (("synchronous", 1), ("threads", 1), ("threads", 4)):
        with dask.config.set(scheduler=scheduler, num_workers=workers):
            r = tw.minimize(lazy(13), AT, tw.LBFGS(), record=True)
            paths.append([r.theta.tobytes(), r.loss, r.gradient_norm, r.n_iter])
    assert paths[0] == paths[1] == paths[2]


def test_the_samples_are_read_once():
    reads = []

    def read(block):
        reads.append(block.size)
        return block

    x = da.from_array(X, chunks=60).map_blocks(read, dtype=float, meta=np.empty(0))
    loss = MSELoss("a*exp(-t/tau)", T, x, independent="t")
    assert reads == [60] * 5
    loss.gradient(AT)
    loss.residuals(AT).compute()
    assert len(reads) == 5


def test_residuals_stay_lazy():
    loss = lazy(80)
    with nothing_computed():
        e, Jv = loss.residuals(AT), loss.jvp(AT, D)
    assert e.chunks == ((80, 80, 80, 60),) and Jv.dtype == float
    np.testing.assert_array_equal(e.compute(), memory().residuals(AT))
    np.testing.assert_allclose(loss.vjp(AT, Jv), memory().vjp(AT, memory().jvp(AT, D)))


def test_masks_grids_and_vectors():
    masked = np.ma.array(X, mask=RNG.random(K) < 0.1)
    one = MSELoss("a*exp(-t/tau)", T, da.from_array(masked, chunks=64), independent="t")
    other = tw.MSELoss("a*exp(-t/tau)", T, masked, independent="t")
    assert abs(one.value(AT) / other.value(AT) - 1) < 1e-14
    np.testing.assert_array_equal(one.residuals(AT).compute(), other.residuals(AT))

    yy, xx = np.mgrid[:20, :30]
    given, w = dict(independent=("x", "y")), RNG.uniform(0, 1, 600)
    z, theta = np.sin(xx) + yy, [1.0, 2.0, 3.0]
    one = MSELoss("a*y + b*x + c", (da.from_array(xx, 7), yy), da.from_array(z, 9), w, **given)
    other = tw.MSELoss("a*y + b*x + c", (xx, yy), z, w, **given)
    assert abs(one.value(theta) / other.value(theta) - 1) < 1e-13 and one.is_quadratic
    np.testing.assert_array_equal(one.residuals(theta).compute(), other.residuals(theta))

    def both(y, theta):
        return theta[0] * y[0] + theta[1] * y[1], theta[2] * y[2]

    Y, Z = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 2))
    one = MSELoss(both, da.from_array(Y, (8, 2)), da.from_array(Z, (9, 1)), n_params=3)
    other = tw.MSELoss(both, Y, Z, n_params=3)
    np.testing.assert_allclose(one.gradient(theta), other.gradient(theta), rtol=1e-12)
    np.testing.assert_array_equal(one.residuals(theta).compute(), other.residuals(theta))
    assert "K=50, 6 blocks, Nx=2, P=3" in repr(one)


def test_refusals():
    x = da.from_array(np.where(np.arange(K) == 130, np.nan, X), chunks=60)
    with pytest.raises(ChunkError, match=r"^the chunk of samples \[120:180\]: ValueError: targets"):
        MSELoss("a*exp(-t/tau)", T, x, independent="t")
    x = da.from_array(X, chunks=60)
    for given, words in (
        ({"inputs": T[:9]}, "targets must have shape (9,) or (9, Nx), got (300,)"),
        ({"inputs": (T, T)}, "takes 1 independent variable"),
        ({"inputs": (T, T[:9])}, "all inputs must have one shape"),
        ({"weights": W[:9]}, "weights must have shape (K=300,), got (9,)"),
        ({"targets": da.stack([x, x], axis=1)}, "the model returns 1 value per sample"),
        ({"targets": x[x > 0], "inputs": x[x > 0]}, "compute_chunk_sizes()"),
        ({"targets": x[:0], "inputs": x[:0]}, "there must be a sample and a target"),
        ({"dtype": int}, "dtype must be float64 or float32"),
    ):
        with nothing_computed(), pytest.raises((ValueError, TypeError)) as caught:
            MSELoss("a*exp(-t/tau)", **({"inputs": T, "targets": x, "independent": "t"} | given))
        assert words in str(caught.value)
    with pytest.raises(ValueError, match="e must have the shape of the targets"):
        lazy(60).vjp(AT, T[:9])
    with pytest.raises(TypeError, match="did you mean n_params"):
        MSELoss("a*t", T, x, nparams=1)


def elsewhere(value):
    """Return what another process gets: arrays that may lie anywhere in memory, read-only."""
    buffers = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    odd = [memoryview(b"." + bytes(buffer.raw()))[1:] for buffer in buffers]
    return pickle.loads(data, buffers=odd)


def test_blocks_that_are_sent_to_another_worker():
    block = lazy(100, W)._model._blocks[1].compute()
    there = elsewhere(block)
    for name in ("loss_and_gradient", "gauss_newton", "hessian"):
        np.testing.assert_array_equal(there.sum(name, AT), block.sum(name, AT))
    e = elsewhere(X[100:200])
    assert not e.flags.aligned
    np.testing.assert_array_equal(there.vjp(AT, e), block.vjp(AT, X[100:200]))
    assert sys.getsizeof(block) > 1600
