"""
Spots in a stack of images
==========================

A fluorescent molecule is a blurred spot of a few pixels; its centre can be found to a fraction of a
pixel. Windows of 9 by 9 pixels are cut out around the maxima of an image, and a Gaussian spot is
fitted to each, all in one call: two independent variables, the pixel grids, and a batch of images.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(4)
size, half = 96, 4
spots = tw.models.gaussian2d


def place(rows, columns):
    """Return centres about one to a window, shifted by up to half a pixel."""
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2).astype(float)
    return grid + rng.uniform(-0.5, 0.5, grid.shape)


centres = place(np.arange(8, size - 6, 12), np.arange(8, size - 6, 12))  # y, x
yy, xx = np.mgrid[:size, :size]
photons = rng.uniform(50, 400, len(centres))
clean = 10.0 + sum(
    spots((xx, yy), n, x, y, 1.3, 0) for n, (y, x) in zip(photons, centres, strict=True)
)
image = rng.poisson(clean).astype(float)

corners = np.rint(centres).astype(int) - half  # in practice: of the maxima of a smoothed image
windows = np.stack([image[y : y + 2 * half + 1, x : x + 2 * half + 1] for y, x in corners])
wy, wx = np.mgrid[: 2 * half + 1, : 2 * half + 1]
r = tw.fit(spots, (wx, wy), windows, sigma=np.sqrt(np.maximum(windows, 1)), absolute_sigma=True)
print(windows.shape, r.params.shape, f"{r.success.sum()} of {len(windows)} succeeded")

found = np.stack([r["y0"], r["x0"]], -1) + corners
fig, axes = plt.subplots(1, 2, figsize=(9.2, 4.4), layout="constrained")
axes[0].imshow(image, cmap="gray")
axes[0].plot(*found.T[::-1], "+", color="C1", ms=9)
axes[0].set(title="An image, and the centres that were found", xlabel="x", ylabel="y")
distance = np.hypot(*(found - centres).T)
axes[1].loglog(r["amplitude"], distance, ".", label="distance from the truth")
error = np.hypot(r.stderr[:, 1], r.stderr[:, 2])
axes[1].loglog(r["amplitude"], error, ".", label="standard error of the centre")
axes[1].set(xlabel="amplitude, photons", ylabel="pixels", title="Bright spots are placed better")
axes[1].set_xticks([60, 100, 200, 400], ["60", "100", "200", "400"])
axes[1].tick_params(axis="x", which="minor", labelbottom=False)
axes[1].legend()
plt.show()

# %%
# One spot, its fit and what is left.

r.plot(10)
plt.show()

# %%
# A movie is no different: frames and spots are two axes of the batch, and the result has both.

movie = rng.poisson(np.broadcast_to(clean, (50, size, size))).astype(float)
cut = np.stack([movie[:, y : y + 2 * half + 1, x : x + 2 * half + 1] for y, x in corners], axis=1)
track = tw.fit(spots, (wx, wy), cut)
print(cut.shape, track["x0"].shape, f"spread of x0 over time: {track['x0'].std(axis=0).mean():.3f}")
