"""
Models of lmfit and astropy, a thousand times
=============================================

A model that is written for lmfit or astropy need not be written again to fit a whole cube of
spectra. ``from_lmfit`` and ``from_astropy`` return the model and the options of ``tw.fit``: starts,
bounds, fixed and tied parameters come with it.
"""

import time

import lmfit
import matplotlib.pyplot as plt
import numpy as np
from astropy.modeling.models import Gaussian1D, Linear1D

import thalweg as tw
from thalweg.scale.astropy import from_astropy
from thalweg.scale.lmfit import from_lmfit

rng = np.random.default_rng(6)
ny, nx = 25, 40
wave = np.linspace(6520, 6610, 90)
yy, xx = np.mgrid[:ny, :nx]
shift = 4 * np.tanh((xx - 20) / 6) * np.exp(-(((yy - 12) / 9) ** 2))  # a galaxy that turns
bright = 20 * np.exp(-(np.hypot((yy - 12) / 8, (xx - 20) / 13) ** 2)) + 3
line = np.exp(-((wave - 6563 - shift[..., None]) ** 2) / (2 * 3.0**2))
cube = bright[..., None] * line + 5 + rng.normal(0, 0.5, (ny, nx, wave.size))

# %%
# lmfit: a sum of two models with prefixes, parameters with bounds.

model = lmfit.models.GaussianModel(prefix="line_") + lmfit.models.ConstantModel()
params = model.make_params(line_amplitude=80, line_center=6563, line_sigma=4, c=5)
params["line_sigma"].set(min=0.5, max=20)

fitted_model, options = from_lmfit(model, params)
r = tw.fit(fitted_model, wave, cube, **options)
assert r.success.all()

start = time.perf_counter()
one = model.fit(cube[12, 20], params, x=wave)
by_lmfit = time.perf_counter() - start
start = time.perf_counter()
tw.fit(fitted_model, wave, cube, **options)
print(f"{ny * nx} spectra by Thalweg take as long as")
print(f"{(time.perf_counter() - start) / by_lmfit:.1f} by lmfit")
centre = one.params["line_center"]
assert abs(r["line_center"][12, 20] - centre.value) < 0.01 * centre.stderr

# %%
# astropy: a compound model, whose parameters are fixed and bound on the model itself.

compound = Gaussian1D(amplitude=10, mean=6563, stddev=4) + Linear1D(slope=0, intercept=5)
compound.slope_1.fixed = True
fitted_model, options = from_astropy(compound)
s = tw.fit(fitted_model, wave, cube, **options)
np.testing.assert_allclose(s["mean_0"], r["line_center"], atol=1e-3)
print(s.summary())

fig, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
for ax, values, title in zip(
    axes,
    (shift, r["line_center"] - 6563, s["mean_0"] - 6563),
    ("True shift", "By the model of lmfit", "By the model of astropy"),
    strict=True,
):
    image = ax.imshow(values, cmap="RdBu_r", vmin=-5, vmax=5)
    ax.set(title=title, xticks=[], yticks=[])
fig.colorbar(image, ax=axes, label="shift / angstrom")
plt.show()
