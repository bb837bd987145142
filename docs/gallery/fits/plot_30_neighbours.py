r"""
Pixels that teach each other
============================

Each pixel of a map holds an oscillation, and its frequency changes from pixel to pixel. One start
for all pixels finds the right period only where it happens to be near. ``p0="neighbours"`` lets the
pixels that were fitted well start the ones beside them, until the whole map is right; ``starts``
needs no neighbours, but more fits.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw


def wave(t, a, f, phi):
    return a * np.sin(2 * np.pi * f * t + phi)


rng = np.random.default_rng(1)
rows, columns = np.indices((40, 50))
f = 0.5 + 0.4 * np.exp(-((rows - 25) ** 2 + (columns - 15) ** 2) / 300) + 0.008 * columns
t = np.linspace(0, 10, 60)
y = wave(t, 1, f[..., None], 0.3) + rng.normal(0, 0.3, (40, 50, 60))

start = [1.0, 0.6, 0.0]
within = {"f": (0.2, 2)}  # beyond half the sampling frequency, 3, are others of the same values
maps = {
    "one start": tw.fit(wave, t, y, p0=start, bounds=within),
    "neighbours": tw.fit(wave, t, y, p0="neighbours", guess=lambda t, y: start, bounds=within),
    "20 starts": tw.fit(wave, t, y, p0=start, bounds=within, starts=20),
}

fig, axes = plt.subplots(1, 3, figsize=(10.0, 3.2), layout="constrained")
for ax, (name, r) in zip(axes, maps.items(), strict=True):
    found = np.abs(r["f"])
    right = np.mean(np.abs(found - f) < 0.02)
    picture = ax.imshow(found, vmin=0.4, vmax=1.3)
    ax.set(title=f"{name}: {right:.1%} right", xticks=[], yticks=[])
fig.colorbar(picture, ax=axes, label="frequency")
plt.show()

# %%
# How many starts led to the same minimum is a measure of trust: where only one of twenty did, the
# next twenty might find a better one.

fig, ax = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
picture = ax.imshow(maps["20 starts"].agreement, cmap="cividis")
ax.set(title="Starts that agree", xticks=[], yticks=[])
fig.colorbar(picture, ax=ax)
plt.show()
