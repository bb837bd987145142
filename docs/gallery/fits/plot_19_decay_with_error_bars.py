r"""
A decay with error bars
=======================

A decay :math:`a\, e^{-t/\tau} + c` has been counted, and of counts the noise is known: the standard
deviation of :math:`n` counts is :math:`\sqrt n`. So each point comes with its own ``sigma``, and
``absolute_sigma=True`` says that it is meant as it is, not just up to a factor. Then
:math:`\chi^2 / \mathrm{dof}` is a test of the model: it should be about 1.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


rng = np.random.default_rng(2)
t = np.linspace(0, 10, 40)
counts = rng.poisson(decay(t, 400, 1.8, 30))
r = tw.fit(
    decay,
    t,
    counts,
    p0={"a": 300, "tau": 1, "c": 10},
    sigma=np.sqrt(np.maximum(counts, 1)),
    absolute_sigma=True,
)
print(r.summary())
r.plot()
plt.show()

# %%
# An error bar is a promise: if the measurement were repeated, about 68 per cent of the fits would
# have the true value within theirs. Here it is repeated two thousand times. The fits are one call.

repeated = rng.poisson(decay(t, 400, 1.8, 30), (2000, t.size))
many = tw.fit(
    decay,
    t,
    repeated,
    p0={"a": 300, "tau": 1, "c": 10},
    sigma=np.sqrt(np.maximum(repeated, 1)),
    absolute_sigma=True,
)
inside = np.abs(many["tau"] - 1.8) < many.stderr[:, 1]
fig, axes = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
axes[0].hist(many["tau"], 40, color="0.75")
axes[0].axvline(1.8, color="C3", label="true τ")
axes[0].errorbar(
    r["tau"], 60, xerr=r.stderr[1], fmt="o", capsize=4, label="the first fit and its error bar"
)
axes[0].set(
    xlabel="τ", ylabel="fits", title=f"{inside.mean():.0%} of the error bars hold the truth"
)
axes[0].set_ylim(top=190)  # room for the legend
axes[0].legend(loc="upper right", fontsize="small")
axes[1].hist(many.redchi, 40, color="0.75")
axes[1].axvline(1, color="C3")
axes[1].set(xlabel="χ² / dof", ylabel="fits", title="The model is right, and so is sigma")
plt.show()

# %%
# Parameters are not independent of each other: a longer τ is made up for by a lower c. The
# covariance says so, and the two thousand fits show it.

print(r.correlation.round(2))
fig, ax = plt.subplots(figsize=(5.0, 4.0), layout="constrained")
ax.plot(many["tau"], many["c"], ".", ms=2, color="0.6")
value, turned = np.linalg.eigh(r.cov[1:, 1:])
angle = np.linspace(0, 2 * np.pi, 100)
circle = np.sqrt(value)[:, None] * np.stack([np.cos(angle), np.sin(angle)])
for size in (1, 2):
    ax.plot(*(np.array([[1.8], [30]]) + size * turned @ circle), color="C0", lw=1.5)
ax.set(xlabel="τ", ylabel="c", title="One and two standard errors, from cov of a single fit")
plt.show()
