r"""
Lifetimes with an instrument response
=====================================

A fluorescence decay is recorded as counts per bin, and the instrument smears it: a photon emitted
at :math:`t` is counted later, by a delay that follows the instrument's response.  The model is the
convolution of both, and since the response was measured in another run, its place is known to a
fraction of a bin only; so its shift is one more parameter.  Counts want ``noise="poisson"``.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(4)
t = np.arange(256) * 0.05  # ns
k = np.arange(64)
response = np.exp(-0.5 * ((k - 14) / 3.5) ** 2) + 0.15 * np.exp(-0.5 * ((k - 30) / 6) ** 2)
response /= response.sum()


def decay(t, photons, tau, background, shift):
    curve = np.exp(-t / tau)
    curve = photons * curve / np.sum(curve)
    return tw.convolve(curve, response, "causal", shift=shift) + background


lifetimes = rng.uniform(0.4, 2.5, 3000)
clean = np.stack([decay(t, 3000, tau, 2, 0.35) for tau in lifetimes])
counts = rng.poisson(clean).astype(float)
start = {"photons": 2000, "tau": 1, "background": 1, "shift": 0.1}
bounds = {"tau": (0.02, 50), "background": (0, None)}
r = tw.fit(decay, t, counts, start, noise="poisson", bounds=bounds)
print(f"{r.success.mean():.1%} of {len(counts)} decays succeed")
assert r.success.mean() > 0.98

# %%
# The usual way around the response is to fit the tail alone, from where the response has died away.
# It throws away most photons, and of short lifetimes nearly all.


def tail(t, a, tau, background):
    return a * np.exp(-t / tau) + background


late = t > 1.9
alone = tw.fit(
    tail, t[late], counts[:, late], [50, 1, 1], noise="poisson", bounds={"background": (0, None)}
)

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
one = int(np.argmin(np.abs(lifetimes - 0.8)))
left.semilogy(t, counts[one] + 0.5, ".", color="0.6", ms=3, label="counts")
left.semilogy(t, r[one].fitted, "C0", lw=1.5, label=rf"$\tau$ = {r['tau'][one]:.3f} ns")
left.semilogy(t[:64], response * counts[one].max() / response.max() + 0.5, "C3:", label="response")
left.set(xlabel="t (ns)", ylabel="counts per bin", title="One decay")
left.legend(fontsize="small")

short, scatter = lifetimes < 1, []
for ax, fit, title in ((middle, r, "With the response"), (right, alone, "The tail alone")):
    ok = fit.success
    error = fit["tau"] - lifetimes
    ax.plot(lifetimes[ok], error[ok], ".", ms=2, color="C0", alpha=0.5)
    ax.axhline(0, color="0.3", lw=0.8)
    ax.set(xlabel="true lifetime (ns)", ylabel="error (ns)", ylim=(-0.5, 0.5), title=title)
    scatter.append(1.48 * np.median(np.abs(error[ok & short])))
    print(f"{title}: scatter {scatter[-1]:.3f} ns of lifetimes below 1 ns")
assert scatter[0] < 0.7 * scatter[1]

# %%
# Error bars hold, too: the estimates scatter about the truth as they say.

pull = ((r["tau"] - lifetimes) / r.stderr[:, 1])[r.success]
print(f"within one standard error: {np.mean(np.abs(pull) < 1):.3f}, expected 0.683")
assert abs(np.mean(np.abs(pull) < 1) - 0.683) < 0.04
plt.show()
