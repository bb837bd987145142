"""
A dose-response plate
=====================

A plate of 96 wells holds twelve compounds at eight doses. The built-in model ``hill`` is the curve
of four parameters, and guesses its start; each row of the table is a data set. What is asked for is
the dose of half the effect, EC50, which spans decades, so its error is best read as a factor.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(8)
dose = np.geomspace(1e-3, 1e2, 8)  # µM
ec50 = np.geomspace(0.02, 8, 12)
slope = rng.uniform(0.8, 1.8, 12)
signal = tw.models.hill(dose, 100, 5, ec50[:, None], slope[:, None])
plate = signal + rng.normal(0, 3, signal.shape)
plate[3] = 100 + rng.normal(0, 3, 8)  # a compound without effect
plate[7, 2] = np.nan  # a well that was lost

r = tw.fit(
    tw.models.hill,
    dose,
    plate,
    bounds={"ec50": (1e-5, 1e4), "slope": (0.2, 5)},
)
print(r.summary())
print("relative error of EC50:", (r.stderr[:, 2] / r["ec50"]).round(2))

# %%
# The lost well is left out of its curve only. The compound without effect has no EC50: whatever
# the numbers of that fit are, their error bars or the status say that nothing is known.

fine = np.geomspace(dose[0], dose[-1], 200)
curves = r.predict(fine)
known = r.success & (r.stderr[:, 2] < r["ec50"])
fig, axes = plt.subplots(3, 4, figsize=(9.2, 6.0), sharex=True, sharey=True, layout="constrained")
for k, ax in enumerate(axes.flat):
    ax.semilogx(dose, plate[k], "o", ms=4, color="0.3")
    ax.plot(fine, curves[k], color="C0" if known[k] else "C3")
    text = f"EC50 {r['ec50'][k]:.3g} µM" if known[k] else "no EC50"
    ax.set_title(f"{k + 1}: {text}", fontsize="small")
fig.supxlabel("dose, µM")
fig.supylabel("response, %")
plt.show()

# %%
# Found against true, with the error as a factor: ``stderr / ec50`` is that of its logarithm.

fig, ax = plt.subplots(figsize=(5.0, 4.0), layout="constrained")
factor = np.exp(r.stderr[known, 2] / r["ec50"][known])
found = r["ec50"][known]
ax.errorbar(
    ec50[known], found, yerr=(found - found / factor, found * factor - found), fmt="o", capsize=3
)
ax.plot(ec50, ec50, color="0.7", zorder=0)
ax.set(xscale="log", yscale="log", xlabel="true EC50, µM", ylabel="fitted EC50, µM")
plt.show()
