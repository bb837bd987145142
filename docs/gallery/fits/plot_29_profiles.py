r"""
Profiles against normal intervals
=================================

A decay has been watched for less than its lifetime, with noise. How long may the lifetime be? The
standard error says :math:`\tau \pm s`, the same to both sides. The profile likelihood asks for each
:math:`\tau` how well the best decay with that lifetime fits, and finds that long lifetimes are much
less contradicted by the data than short ones.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw


def decay(t, a, tau):
    return a * np.exp(-t / tau)


rng = np.random.default_rng(4)
t = np.linspace(0, 2, 15)
y = decay(t, 1, 3) + rng.normal(0, 0.08, t.size)
r = tw.fit(decay, t, y, p0={"a": 1, "tau": 1})
p = r.profile("tau", 0.997, points=61)
print(r.summary())
print("95 % by the standard error:", r.interval(0.95)[1])
print("95 % by the profile:       ", r.profile("tau", 0.95).interval)

r.plot(band=0.95)
plt.show()

# %%
# On the left, chi2 of the best decay with each lifetime. By the standard error it would be a
# parabola, and the interval is where that parabola crosses the level: at 95 per cent the two ends
# differ. On the right, the signed root of the same: it would be a straight line.

fig, axes = plt.subplots(1, 2, figsize=(9.0, 3.8), layout="constrained")
tau, scale = p.values, p.scale
normal = (tau - r["tau"]) / r.stderr[1]
limits = {"profile": r.profile("tau", 0.95).interval, "normal": r.interval(0.95)[1]}
axes[0].plot(tau, (p.chi2 - p.minimum) / scale, color="C0", label="profile")
inside = normal > -3.3
axes[0].plot(tau[inside], normal[inside] ** 2, "--", color="C1", label="standard error")
level = ((r.interval(0.95)[1, 1] - r["tau"]) / r.stderr[1]) ** 2
axes[0].axhline(level, color="0.6", lw=1)
for color, (low, high) in zip(("C0", "C1"), limits.values(), strict=True):
    axes[0].plot([low, high], [level, level], "o", color=color)
axes[0].text(tau[-1], level, "95 %", va="bottom", ha="right", color="0.4")
axes[0].set(xlabel="τ", ylabel="(χ² − χ²min) / s²", ylim=(0, 12))
axes[0].legend()
axes[1].plot(tau, p.zeta, color="C0", label="profile")
axes[1].plot(tau, normal, "--", color="C1", label="standard error")
axes[1].axhline(level**0.5, color="0.6", lw=1)
axes[1].axhline(-(level**0.5), color="0.6", lw=1)
axes[1].set(xlabel="τ", ylabel="ζ", ylim=(-3.5, 3.5))
axes[1].legend()
plt.show()

# %%
# Which is right? Two thousand such experiments tell: both intervals hold the true lifetime about as
# often as they say, but where the normal one misses it, it nearly always lies too low.

many = tw.fit(
    decay,
    t,
    decay(t, 1, 3) + rng.normal(0, 0.08, (2000, t.size)),
    p0={"a": 1, "tau": 3},
    bounds={"tau": (0, None)},
)
profiles = many.profile("tau", 0.95, points=0)
both = {"profile": profiles.interval, "standard error": many.interval(0.95)[:, 1]}
for name, ends in both.items():
    low, high = np.mean(3 < ends[:, 0]), np.mean(3 > ends[:, 1])
    print(f"{name:>15}: too high {low:.1%}, too low {high:.1%} of the time")
