r"""
A T2 map
========

After an excitation the signal of a voxel of tissue decays as :math:`S_0\, e^{-TE/T_2}`. A spin-echo
scan takes an image at each of several echo times, and a fit in every voxel makes the map of
:math:`T_2`. An image stack is a batch of any shape: the echoes are the last axis.

If the variable ``THALWEG_DATA`` names a folder with ``mri/t2dataset.npy``, a brain is fitted;
otherwise a phantom of three tissues in noise.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

echoes = np.array([10.0, 25.0, 50.0, 90.0, 150.0, 250.0])  # ms


def phantom(shape=(128, 96)):
    """Return echoes of a head of three tissues: a fluid within grey within white matter."""
    yy, xx = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    radius = np.hypot(xx / 0.8, yy / 0.9)
    s0, t2 = np.zeros(shape), np.ones(shape)
    for size, proton, time in ((1, 900, 80), (0.8, 800, 65), (0.3, 1200, 300)):
        s0[radius < size], t2[radius < size] = proton, time
    clean = s0[..., None] * np.exp(-echoes / t2[..., None])
    noise = np.random.default_rng(0).normal(0, 15, (2, *clean.shape))
    return np.hypot(clean + noise[0], noise[1])  # scanners give magnitudes


file = Path(os.environ.get("THALWEG_DATA", "")) / "mri" / "t2dataset.npy"
images = np.load(file).astype(float) if file.is_file() else phantom()
fig, axes = plt.subplots(1, 6, figsize=(9.4, 2.6), layout="constrained")
for ax, image, echo in zip(axes, np.moveaxis(images, -1, 0), echoes, strict=True):
    ax.imshow(image, cmap="gray", vmax=np.quantile(images, 0.995))
    ax.set(title=f"{echo:.0f} ms", xticks=[], yticks=[])
plt.show()

# %%
# Outside of the head there is nothing to fit. A mask of shape (rows, columns, 1) leaves out all
# points of such voxels; they get the status TOO_FEW_POINTS and NaN. The built-in model guesses its
# start in every voxel.

outside = images[..., 0] < 0.15 * np.quantile(images[..., 0], 0.99)
mask = np.broadcast_to(outside[..., None], images.shape)
r = tw.fit(
    tw.models.spin_echo, echoes, images, mask=mask, bounds={"S0": (0, None), "T2": (0, None)}
)
print(r["T2"].shape, f"{r.success[~outside].mean():.2%} of the voxels inside succeeded")

fig, axes = plt.subplots(1, 3, figsize=(9.4, 4.0), layout="constrained")
for ax, name in zip(axes, r.names, strict=False):
    tw.plot.map(r, name, ax=ax)
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
relative = np.where(r.success, 100 * r.stderr[..., 1] / r["T2"], np.nan)
shown = axes[2].imshow(relative, cmap="magma", vmin=0, vmax=np.nanquantile(relative, 0.95))
axes[2].set(title="standard error of T2, %", xticks=[], yticks=[])
fig.colorbar(shown, ax=axes[2], shrink=0.8)
plt.show()

# %%
# One voxel of it. Its residuals tell whether one exponential is enough.

row, column = np.array(images.shape[:2]) // 2 + [0, 12]
print(r.reason(row, column))
r.plot(row, column)
plt.show()
