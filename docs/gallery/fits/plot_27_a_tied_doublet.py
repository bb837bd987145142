r"""
A doublet whose lines are tied
==============================

Two lines of one element stand on a sloping background. Physics says that they have the same width
and that the second one is half as high. Models are added, and ``tied`` says the rest; the start is
guessed from the data.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

model = tw.models.gaussian + tw.models.gaussian + tw.models.line
ties = {"sigma_2": "sigma_1", "amplitude_2": "amplitude_1/2"}

rng = np.random.default_rng(4)
x = np.linspace(0, 10, 120)
truth = [4, 4.2, 0.7, 2, 6.8, 0.7, 0.15, 1]
y = model(x, *truth) + rng.normal(0, 0.25, (2000, x.size))  # two thousand spectra

tied = tw.fit(model, x, y, tied=ties)
print(tied[0].summary())
tied[0].plot()
plt.show()

# %%
# What is known need not be measured, so the error bars of the rest are smaller. Without the ties
# the same data leave much more room, to the height and the width of the small line.

loose = tw.fit(model, x, y, p0=truth)
fig, axes = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
for ax, name in zip(axes, ("amplitude_2", "sigma_2"), strict=True):
    bins = np.linspace(*np.percentile(loose[name], [0.5, 99.5]), 50)
    ax.hist(loose[name], bins, label="free", color="0.75")
    ax.hist(tied[name], bins, label="tied", color="C0", alpha=0.8)
    ax.axvline(truth[model.names.index(name)], color="0.2", linewidth=1)
    ax.set_xlabel(name)
axes[0].legend()
plt.show()

# %%
# Tied parameters have error bars as all others: those that follow from the free ones. They are as
# wide as the values scatter.

for name in ("amplitude_2", "sigma_2"):
    error = np.median(tied.stderr[:, tied.names.index(name)])
    print(f"{name}: scatter {tied[name].std():.4f}, error bar {error:.4f}")
