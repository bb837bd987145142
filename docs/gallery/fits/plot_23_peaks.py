r"""
Peaks on a background
=====================

Two overlapping lines on a sloping background: a model of eight parameters, written as a function
that calls built-in ones. Starts matter here. A look at the data gives the centres to within a
width, and that is enough.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

m = tw.models


def spectrum(x, a1, x1, w1, a2, x2, w2, slope, offset):
    return m.gaussian(x, a1, x1, w1, 0) + m.lorentzian(x, a2, x2, w2, 0) + m.line(x, slope, offset)


rng = np.random.default_rng(1)
x = np.linspace(0, 100, 250)
y = spectrum(x, 40, 42, 5, 25, 58, 4, -0.1, 20) + rng.normal(0, 1.0, x.size)
start = {"a1": 30, "x1": 40, "w1": 4, "a2": 30, "x2": 60, "w2": 4, "slope": 0, "offset": 15}
r = tw.fit(spectrum, x, y, p0=start, bounds={"w1": (0, 20), "w2": (0, 20)})
print(r.summary())

p = dict(zip(r.names, r.params, strict=True))
base = m.line(x, p["slope"], p["offset"])
fig, axes = plt.subplots(
    2, 1, figsize=(7.0, 5.2), sharex=True, height_ratios=(3, 1), layout="constrained"
)
axes[0].plot(x, y, ".", color="0.6", ms=4)
axes[0].plot(x, r.fitted, color="C3", label="fit")
axes[0].fill_between(
    x, base, base + m.gaussian(x, p["a1"], p["x1"], p["w1"], 0), alpha=0.3, label="Gaussian"
)
axes[0].fill_between(
    x, base, base + m.lorentzian(x, p["a2"], p["x2"], p["w2"], 0), alpha=0.3, label="Lorentzian"
)
axes[0].legend()
axes[1].plot(x, r.residual, ".", color="0.4", ms=4)
axes[1].axhline(0, color="C3", lw=1)
axes[1].set(xlabel="x", ylabel="residual")
plt.show()

# %%
# Is the second line needed, and is it a Lorentzian? Models of the same data are compared by the
# Akaike information criterion, ``aic``: the lower one is preferred, and a difference of ten is
# a clear verdict. It counts parameters, so a model does not win by having more of them.


def one_peak(x, a1, x1, w1, slope, offset):
    return m.gaussian(x, a1, x1, w1, 0) + m.line(x, slope, offset)


def two_gaussians(x, a1, x1, w1, a2, x2, w2, slope, offset):
    return m.gaussian(x, a1, x1, w1, 0) + m.gaussian(x, a2, x2, w2, 0) + m.line(x, slope, offset)


single = tw.fit(one_peak, x, y, p0={"a1": 30, "x1": 50, "w1": 10, "slope": 0, "offset": 15})
twin = tw.fit(two_gaussians, x, y, p0=start)
for name, fit in (("one Gaussian", single), ("two Gaussians", twin), ("Gaussian + Lorentzian", r)):
    print(f"{name:22} aic {fit.aic:7.1f}   redchi {fit.redchi:6.2f}")
