r"""
Spots of few photons, and lines with outliers
=============================================

How precisely can a spot be located that sends N photons?  The bound of Cramér and Rao is the
inverse of Fisher's information, :math:`I = J^T \mathrm{diag}(1/f) J`; no unbiased estimate scatters
less.
Maximum likelihood, ``noise="poisson"``, comes as close to it as there are photons enough.  Least
squares, which takes all pixels for equally sure, does not.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(2)
yy, xx = np.mgrid[:9, :9].astype(float)


def spot(xy, photons, x0, y0, s, background):
    x, y = xy
    shape = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) / (2 * np.pi * s**2)
    return photons * shape + background


photons = np.geomspace(300, 10_000, 8)
errors, bound = {"maximum likelihood": [], "least squares": []}, []
for n in photons:
    truth = (n, 4.1, 3.9, 1.2, 3.0)
    clean = spot((xx, yy), *truth)
    counts = rng.poisson(clean, (2000, 9, 9)).astype(float)
    for name, noise in zip(errors, ("poisson", "normal"), strict=True):
        r = tw.fit(spot, (xx, yy), counts, truth, noise=noise, bounds={"background": (0, None)})
        assert r.success.mean() > 0.99
        errors[name].append((r["x0"] - truth[1])[r.success].std())
    exact = tw.fit(spot, (xx, yy), clean, truth, noise="poisson")
    bound.append(exact.stderr[1])

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for name, marker in zip(errors, "os", strict=True):
    ax.loglog(photons, errors[name], marker, ms=5, label=name)
ax.loglog(photons, bound, "0.3", lw=1.2, label="bound of Cramér and Rao", zorder=0)
ax.set(xlabel="photons of a spot", ylabel="standard deviation of x0 (pixels)")
ax.set_title("Where a spot is")
ax.legend(fontsize="small")
ratio = np.array(errors["maximum likelihood"]) / bound
print("scatter over the bound:", ratio.round(2))
assert (ratio < 1.08).all()
plt.show()

# %%
# A line, a tenth of whose points are wrong: the losses ``"huber"``, ``"soft_l1"`` and
# ``"cauchy"`` grow less than the square of a residual; ``f_scale="estimate"`` finds from which
# residual on.

x = np.linspace(0, 10, 60)
y = 1 + 0.5 * x + 0.2 * rng.standard_normal(60)
y[rng.choice(60, 6, replace=False)] += rng.uniform(3, 6, 6)
fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.plot(x, y, ".", color="0.4", ms=5)
for robust, color in ((None, "C3"), ("huber", "C0"), ("cauchy", "C2")):
    how = {"robust": robust, "f_scale": "estimate"} if robust else {}
    r = tw.fit("a + b*x", x, y, {"a": 0, "b": 0}, **how)
    ax.plot(x, r.fitted, color=color, lw=1.5, label=robust or "least squares")
ax.plot(x, 1 + 0.5 * x, "k--", lw=0.8, label="truth")
ax.set(xlabel="x", ylabel="y", title="A line through outliers")
ax.legend(fontsize="small")
plt.show()
