"""
A spectrum with missing points
==============================

Cosmic rays, dead pixels, an absorption line of the air: some points of a spectrum are no data. A
point is left out of a fit if y there is NaN or masked, if ``mask`` is True, or if its sigma is
infinite; what it holds is never looked at. Each spectrum of a batch may lack others.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(5)
wavelength = np.linspace(640, 670, 120)  # nm
y = tw.models.gaussian(wavelength, 80, 656.3, 1.8, 20) + rng.normal(0, 2, wavelength.size)
rays = [12, 31, 50, 95]
y[rays] += [300, 150, 220, 400]
air = (wavelength > 646.5) & (wavelength < 648.5)
y[air] *= 0.3

touched = tw.fit(tw.models.gaussian, wavelength, y)
mask = air.copy()
mask[rays] = True
r = tw.fit(tw.models.gaussian, wavelength, y, mask=mask)
print(r.summary())
print(f"{r.n_used} of {y.size} points were used")

fig, ax = plt.subplots(figsize=(7.6, 4.0), layout="constrained")
ax.plot(wavelength, y, ".", color="0.3", ms=5)
ax.plot(wavelength[mask], y[mask], "x", color="C3", label="left out")
ax.plot(wavelength, touched.predict(wavelength), "--", color="0.6", label="all points")
ax.plot(wavelength, r.predict(wavelength), color="C0", label="without them")
ax.set(xlabel="wavelength, nm", ylabel="counts", ylim=(-5, 460))
ax.legend()
plt.show()

# %%
# Where the bad points are is often not known beforehand. Fit, leave out what is farther off than
# five times the spread of the residuals, and fit again, until nothing changes. The spread is taken
# from their median, which a few bad points hardly move. (It does not work where the bad
# points look like a better peak than the peak.)

bad = np.zeros(y.size, bool)
for _ in range(20):
    r = tw.fit(tw.models.gaussian, wavelength, y, mask=bad)
    off = np.abs(y - r.predict(wavelength))
    now = off > 5 * 1.4826 * np.median(off[~bad])
    if (now == bad).all():
        break
    bad = now
print(f"{bad.sum()} points found; centre {r['x0']:.2f} ± {r.stderr[1]:.2f} nm")

# %%
# A batch in which every spectrum lacks other points: NaN is enough.

many = tw.models.gaussian(wavelength, 80, 656.3, 1.8, 20) + rng.normal(0, 2, (500, 120))
many[rng.random(many.shape) < 0.3] = np.nan
batch = tw.fit(tw.models.gaussian, wavelength, many)
print(batch.n_used[:5], batch.success.all(), f"{batch['x0'].std():.3f} nm spread,")
print(f"{batch.stderr[:, 1].mean():.3f} nm by the error bars")
