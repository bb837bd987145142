"""
Failed fits, and how to find out why
====================================

Of many fits some fail: a detector was off, there was nothing to see, the curve was not what the
model says. None of them disturbs another, and each has a status and a sentence. Here four things
went wrong among three hundred decays.
"""

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(6)
t = np.linspace(0, 5, 30)
truth = rng.uniform([1, 0.5, 0], [3, 2, 0.5], (300, 3))
a, tau, c = truth.T[:, :, None]
y = a * np.exp(-t / tau) + c + rng.normal(0, 0.02, (300, t.size))
y[20:24] = np.nan  # the detector was off
y[50, 2:] = np.nan  # it went off early: two points for three parameters
y[100:105] = 0.0  # nothing at all
y[200:205] = 2.0 - 0.3 * t + rng.normal(0, 0.02, (5, t.size))  # a straight line, no decay

r = tw.fit("a*exp(-t/tau) + c", t, y, p0={"a": 1, "tau": 1, "c": 0}, independent="t")
print(r.summary())

# %%
# First count the reasons, then look at one fit of each kind.

print(Counter(tw.Status(s).name for s in r.status))
for k in (20, 50, 100, 200):
    print(f"fit {k}, {tw.Status(r.status[k]).name}: {r.reason(k)}")

curves = r.predict(t)
fig, axes = plt.subplots(1, 3, figsize=(9.2, 3.0), layout="constrained")
for ax, k in zip(axes, (50, 100, 200), strict=True):
    ax.plot(t, y[k], ".", color="0.4")
    if r.n_used[k] > 2:
        ax.plot(t, curves[k], color="C3")
    ax.set(title=f"fit {k}: {tw.Status(r.status[k]).name}", xlabel="t", xlim=(-0.2, 5.2))
plt.show()

# %%
# TOO_FEW_POINTS is about the data, and no setting helps. SINGULAR is about the question: zeros do
# not tell a lifetime. The straight lines are harder to see, for nearly all of them are successes: a
# very long decay is a straight line, and the minimum is where it says. What gives it away is the
# error.

useless = np.flatnonzero(r.success & (r.stderr[:, 1] > np.abs(r["tau"])))
for k in useless[:3]:
    print(f"fit {k}: tau = {r['tau'][k]:.0f} ± {r.stderr[k, 1]:.0f}")

# %%
# The cure is a simpler model. ``aic`` is lower for the model that the data prefer; of two that fit
# equally well it is the one with fewer parameters.

line = tw.fit(tw.models.line, t, y)
print("as well by a straight line:", np.flatnonzero(line.aic < r.aic))

# %%
# And a minimum of chi2 is no proof of the model. Sort by chi2 per degree of freedom and look at
# the residuals of the worst.

y[250] += 0.3 * np.sin(4 * t)  # a hum on one of them
r = tw.fit("a*exp(-t/tau) + c", t, y, p0={"a": 1, "tau": 1, "c": 0}, independent="t")
worst = int(np.nanargmax(np.where(r.success, r.redchi, np.nan)))
print(worst, r.reason(worst))
r.plot(worst)
plt.show()
