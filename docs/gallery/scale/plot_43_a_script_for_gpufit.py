"""
A script for a GPU, without one
===============================

Localisation microscopy fits millions of small spots, and many of its scripts call ``pygpufit``.
``thalweg.scale.gpufit`` answers that call, with the same arguments, numbers and states, on the CPU.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw
from thalweg.scale import gpufit as gf  # was: import pygpufit.gpufit as gf

rng = np.random.default_rng(4)
n_fits, size = 20_000, 7
yy, xx = np.mgrid[:size, :size].astype(np.float32)
truth = np.empty((n_fits, 5), np.float32)  # amplitude, x, y, width, offset
truth[:, 0] = rng.uniform(40, 400, n_fits)
truth[:, 1:3] = 3 + rng.uniform(-0.5, 0.5, (n_fits, 2))
truth[:, 3], truth[:, 4] = 1.1, 8

amplitude, x0, y0, width, offset = truth.T[:, :, None, None]
mean = amplitude * np.exp(-((xx - x0) ** 2 + (yy - y0) ** 2) / (2 * width**2)) + offset
data = rng.poisson(mean).astype(np.float32).reshape(n_fits, size**2)
start = truth * rng.uniform(0.9, 1.1, truth.shape).astype(np.float32)

# %%
# From here on the script is as it was.

parameters, states, chi_squares, number_iterations, execution_time = gf.fit(
    data,
    None,
    gf.ModelID.GAUSS_2D,
    start,
    tolerance=1e-4,
    max_number_iterations=50,
    parameters_to_fit=None,
    estimator_id=gf.EstimatorID.MLE,
    user_info=None,
)
converged = states == 0
print(f"{converged.mean():.1%} converged, {n_fits / execution_time:,.0f} fits/s")
assert converged.mean() > 0.99

# %%
# Gpufit has no error bars. The call of Thalweg itself has: how far each spot can be trusted is
# known spot by spot, and dim ones are told from bright ones without a threshold set by eye.

r = tw.fit(
    tw.models.gaussian2d,
    (xx, yy),
    data.reshape(n_fits, size, size),
    start,
    noise="poisson",
    dtype=np.float32,
)
np.testing.assert_allclose(r["x0"][converged], parameters[converged, 1], atol=2e-2)

edges = np.linspace(40, 400, 13)
bins = np.digitize(truth[:, 0], edges) - 1
scatter, told = np.empty(12), np.empty(12)
for k in range(12):
    some = (bins == k) & r.success
    scatter[k] = (r["x0"] - truth[:, 1])[some].std()
    told[k] = np.sqrt((r.stderr[some, 1] ** 2).mean())

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.imshow(data[:12].reshape(3, 4, size, size).transpose(0, 2, 1, 3).reshape(3 * size, 4 * size))
left.set(title="Twelve of 20,000 spots", xticks=[], yticks=[])
middle = (edges[1:] + edges[:-1]) / 2
right.plot(middle, scatter, "o", color="#0072B2", label="scatter about the truth")
right.plot(middle, told, color="#D55E00", label="standard error, by Thalweg")
right.set(title="Position", xlabel="amplitude / photons", ylabel="pixels")
right.legend()
plt.show()
assert (abs(scatter / told - 1) < 0.15).all()
