"""
Recordings of different lengths
===============================

Some instruments stop when nothing more is seen, so that every recording has a length of its own.
``tw.fit`` takes them as lists of arrays. Here fluorescent molecules fade until they bleach: each
trace ends when its molecule does, and each is fitted with the bits that it would have alone.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(8)
n_molecules, step = 2000, 0.05  # seconds between images
ends = np.clip(rng.exponential(2.5, n_molecules), 0.4, 12)
times, traces = [], []
for end in ends:
    t = np.arange(0, end, step)
    brightness = 90 * np.exp(-t / 1.8) + 30
    times.append(t)
    traces.append(rng.poisson(brightness).astype(float))

lengths = np.array([len(t) for t in times])
print(f"{n_molecules} traces of {lengths.min()} to {lengths.max()} points")

# %%
# The call is the usual one. Starts, bounds and results have an entry for each trace.

r = tw.fit(
    "a*exp(-t/tau) + c",
    times,
    traces,
    p0={"a": 80, "tau": 2, "c": 20},
    bounds={"tau": (0.05, 50), "c": (0, None)},
    independent="t",
    noise="poisson",
)
print(r.summary())

alone = tw.fit(
    "a*exp(-t/tau) + c",
    times[17],
    traces[17],
    p0={"a": 80, "tau": 2, "c": 20},
    bounds={"tau": (0.05, 50), "c": (0, None)},
    independent="t",
    noise="poisson",
)
assert np.array_equal(r[17].params, alone.params)

# %%
# A short trace says little about the lifetime, and its standard error tells so. The lifetimes of
# long traces scatter as far as their errors say.

good = r.success & (r.stderr[:, 1] < 1.8) & ~r.at_bound.any(axis=1)
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for k in np.argsort(lengths)[[100, 1000, 1900]]:
    line = left.plot(times[k], traces[k], ".", ms=3, alpha=0.5)[0]
    left.plot(times[k], r.fitted[k], color=line.get_color())
left.set(title="Three traces", xlabel="time / s", ylabel="photons")
right.errorbar(
    lengths[good] * step,
    r["tau"][good],
    r.stderr[good, 1],
    fmt=".",
    ms=2,
    lw=0.3,
    color="#0072B2",
)
right.axhline(1.8, color="#D55E00")
right.set(title="Lifetimes", xlabel="length / s", ylabel="tau / s", ylim=(0, 6))
plt.show()

longer = good & (lengths * step > 4)
pull = (r["tau"][longer] - 1.8) / r.stderr[longer, 1]
print(f"the lifetimes of long traces scatter by {pull.std():.2f} standard errors")
assert 0.85 < pull.std() < 1.15
