"""
A labelled map, lazy
====================

Satellites, microscopes and models write cubes with named axes. Fitted through xarray, the map that
comes back has the coordinates of the cube, and where the cube is chunked nothing is computed before
it is asked for. Here sea surface temperatures of three years, made up, follow the seasons; the fit
finds mean, amplitude and the day of the maximum for every place, where clouds leave some days out.
"""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import thalweg.scale.xarray  # noqa: F401  gives arrays their .thalweg

rng = np.random.default_rng(5)
day = np.arange(0, 3 * 365, 8.0)
lat, lon = np.linspace(-60, 60, 61), np.linspace(0, 100, 51)
south = lat[:, None] < 0
warmest = np.where(south, 45, 227) + 12 * np.sin(np.radians(3 * lon))
size = 1 + 6 * np.abs(np.sin(np.radians(1.5 * lat)))[:, None] * (1 + 0.2 * np.cos(lon / 15))
mean = 28 * np.cos(np.radians(lat))[:, None] + 0 * lon
phase = 2 * np.pi * (day[:, None, None] - warmest) / 365
seen = mean + size * np.cos(phase) + rng.normal(0, 1, phase.shape)
seen[rng.random(seen.shape) < 0.3] = np.nan  # clouds

temperature = xr.DataArray(
    seen,
    dims=("day", "lat", "lon"),
    coords={"day": day, "lat": ("lat", lat, {"units": "degrees"}), "lon": lon},
    attrs={"units": "degrees Celsius"},
).chunk({"lat": 20})

# %%
# ``day`` of the model is the coordinate of that name. The chunks make the result lazy: this line
# only plans the fits of 3111 places.


def season(day, mean, c, s):
    angle = 2 * np.pi * day / 365
    return mean + c * np.cos(angle) + s * np.sin(angle)


fits = temperature.thalweg.fit(season, dim="day", p0={"mean": 15, "c": 1, "s": 1})
print(fits)

# %%
# Now they are made, and the rest is xarray's: the day of the maximum from the two components, drawn
# on the coordinates that the cube had.

fits = fits.compute()
fits["size"] = np.hypot(fits["c"], fits["s"])
fits["warmest"] = (np.arctan2(fits["s"], fits["c"]) * 365 / (2 * np.pi)) % 365
assert (fits["status"] > 0).all()
assert float(abs(fits["mean"] - mean).max()) < 1

fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
for ax, (name, label, colours) in zip(
    axes,
    [
        ("mean", "mean, °C", "viridis"),
        ("size", "amplitude, °C", "viridis"),
        ("warmest", "warmest day of the year", "twilight"),
    ],
    strict=True,
):
    ends = {"vmin": 0, "vmax": 365} if name == "warmest" else {}  # the colours of a year close
    image = ax.pcolormesh(fits["lon"], fits["lat"], fits[name], cmap=colours, **ends)
    fig.colorbar(image, ax=ax, label=label)
    ax.set(xlabel="longitude", ylabel="latitude")
axes[2].set_title("south and north are half a year apart", fontsize=10)
plt.show()
