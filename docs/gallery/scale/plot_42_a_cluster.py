"""
A movie on a cluster
====================

``thalweg.scale.dask.fit`` plans the fits of an array of dask and returns lazy arrays. Each chunk is
fitted by the worker that has it; the numbers are those of a fit in memory to the last bit. This
page runs on the threads of one machine; with a client of ``dask.distributed`` the same lines run on
its workers.
"""

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw
from thalweg.scale.dask import fit

ny, nx, n_frames = 120, 160, 60
t = np.arange(n_frames) * 0.5  # seconds
yy, xx = np.mgrid[:ny, :nx]
recovery = 4 + 3 * np.sin(xx / 30) ** 2 + 2 * np.cos(yy / 25) ** 2


def frames(block_info=None):
    """Make one chunk of the movie: bleached tissue whose fluorescence comes back."""
    (rows, columns, _) = block_info[None]["array-location"]
    rng = np.random.default_rng([rows[0], columns[0]])
    tau = recovery[slice(*rows), slice(*columns), None]
    mean = 40 + 100 * (1 - np.exp(-t / tau))
    return mean + rng.normal(0, 4, mean.shape)


chunks = ((40,) * 3, (40,) * 4, (n_frames,))
movie = da.map_blocks(frames, chunks=chunks, dtype=float, meta=np.empty((0, 0, 0)))
print(movie)

# %%
# This line computes nothing. It calls the model once, checks all arguments, and plans.

r = fit("dark + a*(1 - exp(-t/tau))", t, movie, {"dark": 30, "a": 80, "tau": 5}, independent="t")
print(r)

# %%
# What is asked for together is computed together: each chunk is fitted once. A reduction, such as
# this mean along the columns, never brings the whole map to one place.

tau, stderr, status, profile = dask.compute(r["tau"], r.stderr[..., 2], r.status, r["tau"].mean(0))
assert (status > 0).all()

memory = tw.fit(
    "dark + a*(1 - exp(-t/tau))",
    t,
    movie.compute(),
    {"dark": 30, "a": 80, "tau": 5},
    independent="t",
)
assert np.array_equal(tau, memory["tau"]) and np.array_equal(stderr, memory.stderr[..., 2])

fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
image = axes[0].imshow(tau, vmin=3, vmax=10)
fig.colorbar(image, ax=axes[0], label="tau / s")
axes[0].set(title="Recovery, twelve chunks", xticks=range(0, nx, 40), yticks=range(0, ny, 40))
axes[0].grid(color="white", lw=0.5)
axes[1].plot(profile, color="#0072B2", label="fitted")
axes[1].plot(recovery.mean(0), "--", color="#D55E00", label="true")
axes[1].set(title="Mean of each column", xlabel="column", ylabel="tau / s")
axes[1].legend()
pull = ((tau - recovery) / stderr).ravel()
axes[2].hist(pull, bins=60, range=(-4, 4), color="#56B4E9")
axes[2].set(title=f"Pulls, deviation {pull.std():.2f}", xlabel="(tau - true) / stderr")
plt.show()
assert abs(pull.std() - 1) < 0.05
