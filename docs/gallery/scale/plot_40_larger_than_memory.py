r"""
A cube on disk, killed and resumed
==================================

A lifetime image has a decay in every pixel. This one lies in a file, and the fit never holds more
of it than a few pieces: ``tw.fit(..., out="lifetimes.zarr")`` reads a piece, fits it, and writes
its results while it reads on. The fit runs in a process of its own here, which is killed on the
way. The same call then goes on with what is left.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

folder = Path(tempfile.mkdtemp())
ny, nx, n_points = 240, 320, 32
t = np.linspace(0, 10, n_points)

yy, xx = np.mgrid[:ny, :nx]
lifetime = 2 + 0.8 * np.sin(xx / 25) * np.cos(yy / 19)
for row, column, radius in ((70, 90, 38), (150, 230, 55), (190, 70, 26)):
    lifetime[np.hypot(yy - row, xx - column) < radius] += 1.2
brightness = 150 + 100 * np.exp(-(((yy - 120) / 90) ** 2 + ((xx - 160) / 120) ** 2))

cube = np.lib.format.open_memmap(folder / "cube.npy", "w+", np.float32, (ny, nx, n_points))
rng = np.random.default_rng(0)
for row in range(ny):  # row by row, as an instrument may write it
    mean = brightness[row, :, None] * np.exp(-t / lifetime[row, :, None]) + 3
    cube[row] = rng.poisson(mean)
cube.flush()

# %%
# The script of the fit.  ``chunk`` makes the pieces small, so that there is time to kill it; one
# is about 64 MB of data otherwise.

script = f"""
import numpy as np
import thalweg as tw

t = np.linspace(0, 10, {n_points})
cube = np.load("cube.npy", mmap_mode="r")
start = {{"a": 100, "tau": 2, "c": 1}}
tw.fit("a*exp(-t/tau) + c", t, cube, start, independent="t", bounds={{"c": (0, None)}},
       noise="poisson", out="lifetimes.zarr", chunk=(16, 40))
"""
(folder / "fit_cube.py").write_text(script)
command = [sys.executable, "fit_cube.py"]

running = subprocess.Popen(command, cwd=folder)
store = folder / "lifetimes.zarr"
while running.poll() is None:
    if store.exists() and tw.scale.open_result(store).n_finished > 0.4 * ny * nx:
        running.kill()  # SIGKILL: the process has no moment to put anything in order
        break
    time.sleep(0.01)
running.wait()

r = tw.scale.open_result(store)
print(r)
begun = np.where(r.success, r["tau"], np.nan)

# %%
# The same script again: it fits the other pieces.

subprocess.run(command, cwd=folder, check=True)
r = tw.scale.open_result(store)
assert r.finished
tau = r["tau"]
assert np.array_equal(tau[np.isfinite(begun)], begun[np.isfinite(begun)])
print(r.summary())

# %%
# To the last bit the result is that of a fit of the whole cube in memory.

start = {"a": 100, "tau": 2, "c": 1}
options = {"independent": "t", "bounds": {"c": (0, None)}, "noise": "poisson"}
whole = tw.fit("a*exp(-t/tau) + c", t, np.load(folder / "cube.npy"), start, **options)
assert np.array_equal(tau, whole["tau"], equal_nan=True)

fig, axes = plt.subplots(1, 3, figsize=(11.5, 3.4), layout="constrained")
titles = ["The lifetime in each pixel", "Killed", "Resumed"]
colors = plt.colormaps["viridis"].with_extremes(bad="0.85")
for ax, values, title in zip(axes, (lifetime, begun, tau), titles, strict=True):
    image = ax.imshow(values, cmap=colors, vmin=1, vmax=4.2)
    ax.set(title=title, xticks=[], yticks=[])
fig.colorbar(image, ax=axes, label="lifetime")
plt.show()

# %%
# A part of the store is an ordinary result of these fits, so a map of it is drawn as always.

part = r[60:180, 160:320]
print(part)
tw.plot.map(part, "tau")
plt.show()
