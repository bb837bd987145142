"""Lazy fits on a cluster of two worker processes: the bits of memory, and what goes wrong."""

import os
import signal
import time

import dask
import numpy as np
import pytest

import thalweg as tw

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

from lazy_cases import DECAY, OPTIONS, T, assert_same, decays  # noqa: E402

from thalweg.scale.dask import ChunkError, MSELoss, fit  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sending large graph"),
    pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.xdist_group("cluster"),
]


@pytest.fixture(scope="module")
def client():
    settings = {"distributed.worker.daemon": False, "distributed.admin.tick.limit": "60s"}
    given = dict(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0")
    with dask.config.set(settings), distributed.LocalCluster(**given) as cluster:
        with distributed.Client(cluster) as client:
            yield client


def closure(offset):
    """A model that only its value can be pickled by."""

    def model(t, a, tau):
        return a * np.exp(-t / tau) + offset

    return model


MODELS = {
    "formula": (DECAY, OPTIONS),
    "built in": (tw.models.exponential, {}),
    "closure": (closure(0.1), {"p0": [1, 1]}),
    "lambda": (lambda t, a, b: a + b * t, {"p0": [1, 1]}),
}


@pytest.mark.parametrize("model", MODELS)
def test_workers_return_the_bits_of_fits_in_memory(client, model):
    model, options = MODELS[model]
    y = decays(20, 3)
    r = fit(model, T, da.from_array(y, chunks=(4, 3, 25)), **options)
    memory = tw.fit(model, T, y, **options)
    assert_same(r, memory)
    kept = r.persist()
    np.testing.assert_array_equal(kept.compute().params, memory.params)
    np.testing.assert_array_equal(kept.cov.compute(), memory.cov)


def test_a_descent_takes_the_same_path(client):
    y = decays(40)
    x, t = da.from_array(y.ravel(), chunks=130), da.from_array(np.tile(T, 40), chunks=130)

    def path(scheduler):
        with dask.config.set(scheduler=scheduler):
            loss = MSELoss(DECAY, t, x, independent="t")
            r = tw.minimize(loss, [1.0, 1.0, 0.0], tw.LBFGS())
            return r.theta.tobytes(), r.loss, r.n_iter

    assert path(client) == path("synchronous")


def test_a_loss_stays_with_the_workers(client):
    y = decays(40)
    x = da.from_array(y.ravel(), chunks=500)
    loss = MSELoss(DECAY, np.tile(T, 40), x, independent="t")
    memory = tw.MSELoss(DECAY, np.tile(T, 40), y.ravel(), independent="t")
    theta = [2.0, 1.0, 0.1]
    np.testing.assert_allclose(loss.hessian(theta), memory.hessian(theta), rtol=1e-12)
    np.testing.assert_array_equal(loss.residuals(theta).compute(), memory.residuals(theta))
    np.testing.assert_allclose(loss.vjp(theta, x), memory.vjp(theta, y.ravel()), rtol=1e-12)


def raises_at(x, a, b):
    """A model that cannot be recorded, and raises for some data."""
    if float(x[0]) > 0.5:
        raise ZeroDivisionError("not here")
    return np.array([a * v + b for v in x.tolist()])


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_a_chunk_that_raises_is_named(client):
    y, x = decays(9), np.tile(T, (9, 1))
    x[5] += 1
    lazy = da.from_array(y, chunks=(3, 25))
    with pytest.raises(
        ChunkError, match=r"^the chunk of fits \[3:6\]: ZeroDivisionError: not here$"
    ):
        fit(raises_at, x, lazy, [1, 1]).compute()
    r = fit(raises_at, x, lazy, [1, 1], errors="ignore").compute()
    assert r.status[5] == tw.Status.NOT_RUN and r.success[[0, 1, 2, 3, 4, 6, 7, 8]].all()


def pause(block):
    time.sleep(0.3)
    return block


def test_a_worker_that_dies_loses_nothing(client):
    y = decays(24)
    lazy = da.from_array(y, chunks=(2, 25)).map_blocks(pause, dtype=float, meta=np.empty((0, 0)))
    kept = fit(DECAY, T, lazy, **OPTIONS).persist()
    time.sleep(0.8)
    os.kill(client.run(os.getpid)[next(iter(client.nthreads()))], signal.SIGKILL)
    np.testing.assert_array_equal(kept.params.compute(), tw.fit(DECAY, T, y, **OPTIONS).params)
