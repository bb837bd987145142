"""The doors of `thalweg.scale` against what users do without them.

dask on two worker processes against one, xarray's own ``curvefit``, loops over the groups of a
table, loops over data sets of different lengths.  The answers are asserted first: to the last bit
where both are ours, to the tolerances of SciPy else.
"""

import os
import time
from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

T = np.linspace(0, 5, 40)
START = (2.0, 1.5, 0.3)
FORMULA = "a*exp(-t/tau) + c"
P0 = dict(zip(("a", "tau", "c"), START, strict=True))
PIXELS, OF_XARRAY = 100_000, 500  # a loop over all pixels takes minutes
FITS, CHUNKS, STARTS = 200_000, 16, 8  # so many that starting a graph (.1 s) counts little
GROUPS, OF_A_LOOP = 5_000, 200
SHORTEST, LONGEST = 10, 60
ROUNDS = 3


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def decays(*batch, x=T, seed=0):
    """Return noisy decays (*batch, N), each with a lifetime of its own."""
    rng = np.random.default_rng(seed)
    tau = rng.uniform(0.5, 3, batch)[..., None]
    return decay(x, 3.0, tau, 0.5) + rng.normal(0, 0.05, (*batch, x.size))


# ---- dask ------------------------------------------------------------------------------------


def block(number):
    """Return the data of one chunk, made by the worker that fits them, from its number."""
    return decays(FITS // CHUNKS, seed=int(number))


def on_workers(client):
    """Return data that lie with the workers of a cluster, as an array of dask."""
    dask, da = pytest.importorskip("dask"), pytest.importorskip("dask.array")
    shape = FITS // CHUNKS, T.size
    parts = [da.from_delayed(dask.delayed(block)(k), shape, float) for k in range(CHUNKS)]
    y = client.persist(da.concatenate(parts))
    with client.as_current():
        pytest.importorskip("distributed").wait(y)
    return y


def worked(client, call):
    """Return the processor time that a call takes the busiest worker; other work adds nothing."""
    before = client.run(time.process_time)
    call()
    after = client.run(time.process_time)
    return max(after[worker] - before[worker] for worker in after)


def test_two_worker_processes_over_one(record):
    distributed = pytest.importorskip("distributed")
    from thalweg.scale.dask import fit

    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("fewer processors than workers")
    settings = dict(threads_per_worker=1, processes=True, dashboard_address=":0")
    with (
        distributed.LocalCluster(n_workers=1, **settings) as one,
        distributed.LocalCluster(n_workers=2, **settings) as two,
        distributed.Client(one, set_as_default=False) as alone,
        distributed.Client(two, set_as_default=False) as both,
    ):

        def run(client, y):
            lazy = fit(FORMULA, T, y, P0, independent="t", starts=STARTS)
            return client.compute(lazy.params).result()

        calls = [partial(run, client, on_workers(client)) for client in (both, alone)]
        y = np.concatenate([block(k) for k in range(CHUNKS)])
        expected = tw.fit(FORMULA, T, y, P0, independent="t", starts=STARTS).params
        assert all(np.array_equal(call(), expected) for call in calls)
        times = ratio(*calls, ROUNDS)
        busy = [worked(client, call) for client, call in zip((both, alone), calls, strict=True)]
    what = f"{FITS:,} decays from {STARTS} starts over dask"
    record(f"{what}: 1 worker process over 2", times, "times", at_least=1.6)
    name = f"{what}: processor time of 1 worker over that of the busier of 2"
    record(name, busy[1] / busy[0], "times", at_least=1.6)


# ---- xarray ----------------------------------------------------------------------------------


def test_curvefit_of_xarray(record):
    xr = pytest.importorskip("xarray")
    import thalweg.scale.xarray  # noqa: F401

    image = xr.DataArray(decays(PIXELS), dims=("pixel", "t"), coords={"t": T})
    few = image[:OF_XARRAY]
    ours = partial(image.thalweg.curvefit, "t", decay, p0=P0)
    theirs = partial(few.curvefit, "t", decay, p0=P0)
    r, other = ours(), theirs()
    errors = np.sqrt(np.diagonal(other.curvefit_covariance.values, axis1=-2, axis2=-1))
    difference = abs(r.curvefit_coefficients[:OF_XARRAY] - other.curvefit_coefficients) / errors
    assert difference.max() < 1e-3
    scale = errors[:, :, None] * errors[:, None]
    assert (abs(r.curvefit_covariance[:OF_XARRAY] - other.curvefit_covariance) < 1e-3 * scale).all()
    times = ratio(ours, theirs, ROUNDS).times(PIXELS / OF_XARRAY)
    record(f"xarray's curvefit, {PIXELS:,} pixels", times, "times", at_least=100)


# ---- tables and data sets of different lengths -----------------------------------------------


def test_groups_of_a_table(record):
    pd = pytest.importorskip("pandas")
    optimize = pytest.importorskip("scipy.optimize")
    from thalweg.scale.tables import fit_table

    sizes = np.random.default_rng(1).integers(SHORTEST, LONGEST, GROUPS)
    key, t = (
        np.repeat(np.arange(GROUPS), sizes),
        np.concatenate([T[-1] * np.arange(n) / n for n in sizes]),
    )
    rng = np.random.default_rng(2)
    y = decay(t, 3.0, rng.uniform(0.5, 3, GROUPS)[key], 0.5) + rng.normal(0, 0.05, t.size)
    table = pd.DataFrame({"key": key, "t": t, "y": y})
    few = table[table.key < OF_A_LOOP]

    def loop():
        fits = {
            k: optimize.curve_fit(decay, *g[["t", "y"]].to_numpy().T, START)[0]
            for k, g in few.groupby("key")
        }
        return np.array([*fits.values()])

    ours = partial(fit_table, table, FORMULA, x="t", y="y", by="key", p0=P0, threads=1)
    r, other = ours().result, loop()
    same = abs(r.params[:OF_A_LOOP] - other) < 1e-3 * r.stderr[:OF_A_LOOP]
    assert same.all(-1).mean() > 0.95 and r.success.mean() > 0.99
    times = ratio(ours, loop, ROUNDS).times(GROUPS / OF_A_LOOP)
    record(f"{GROUPS:,} groups of a table: groupby and curve_fit", times, "times")


def test_data_sets_of_different_lengths(record):
    sizes = np.random.default_rng(3).integers(SHORTEST, LONGEST, GROUPS)
    x = [T[-1] * np.arange(n) / n for n in sizes]
    y = [decays(x=x_k, seed=k) for k, x_k in enumerate(x)]

    def loop():
        pairs = zip(x[:OF_A_LOOP], y[:OF_A_LOOP], strict=True)
        return [tw.fit(FORMULA, x_k, y_k, P0, independent="t", threads=1) for x_k, y_k in pairs]

    ours = partial(tw.fit, FORMULA, x, y, P0, independent="t", threads=1)
    r = ours()
    for k, alone in enumerate(loop()):
        assert np.array_equal(r.params[k], alone.params)
    times = ratio(ours, loop, ROUNDS).times(GROUPS / OF_A_LOOP)
    record(f"{GROUPS:,} data sets of different lengths: a loop of tw.fit", times, "times")
