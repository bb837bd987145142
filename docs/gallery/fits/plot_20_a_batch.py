"""
A batch of a hundred thousand
=============================

Data sets are stacked, points along the last axis, and fitted by one call. The model is recorded
once; eight data sets run side by side, on every processor. The same call takes a million: change
the number in the script and it takes ten times as long.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

fits = 100_000
rng = np.random.default_rng(0)
t = np.linspace(0, 10, 30)
truth = rng.uniform([1.0, 1.0, 0.0], [3.0, 4.0, 1.0], (fits, 3))
a, tau, c = truth.T[:, :, None]
y = a * np.exp(-t / tau) + c + rng.normal(0, 0.05, (fits, t.size))

begin = time.perf_counter()
r = tw.fit("a*exp(-t/tau) + c", t, y, p0={"a": 1, "tau": 2, "c": 0}, independent="t")
seconds = time.perf_counter() - begin
print(f"{fits / seconds:,.0f} fits per second on {tw.get_num_threads()} threads")
print(r.summary())

# %%
# Everything in the result is an array over the batch. How far is each τ from the truth, in units
# of its own standard error? If the error bars are right, that is a normal distribution of width 1.

good = r.success
pull = ((r["tau"] - truth[:, 1]) / r.stderr[:, 1])[good]
fig, axes = plt.subplots(1, 2, figsize=(9.2, 3.8), layout="constrained")
axes[0].hexbin(truth[good, 1], r["tau"][good], gridsize=60, extent=(1, 4, 0.5, 5), bins="log")
axes[0].axline((2, 2), slope=1, color="w", lw=1)
axes[0].set(xlabel="true τ", ylabel="fitted τ", title="Long decays are hard to tell from c")
edges = np.linspace(-4, 4, 81)
axes[1].hist(pull, edges, density=True, color="0.75")
axes[1].plot(edges, np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), color="C3")
axes[1].set(xlabel="(fitted τ − true τ) / standard error", title="The error bars are the spread")
plt.show()

# %%
# Half the memory and less time: ``dtype="float32"``, with about four digits, which is more than the
# noise leaves here.

begin = time.perf_counter()
single = tw.fit(
    "a*exp(-t/tau) + c",
    t,
    y.astype(np.float32),
    p0={"a": 1, "tau": 2, "c": 0},
    independent="t",
    dtype="float32",
)
both = r.success & single.success
off = np.abs(single["tau"] - r["tau"])[both] / r.stderr[both, 1]
print(f"{fits / (time.perf_counter() - begin):,.0f} fits per second in float32")
print(f"99 of 100 differ by less than {np.quantile(off, 0.99):.4f} standard errors")
