r"""
One lifetime of many decays
===========================

A sample is watched at twelve wavelengths. The decays differ in strength and background, but their
two lifetimes are those of the sample. Alone, the weak ones say next to nothing about them. The fit
of all together has one value of each lifetime: ``shared=["tau_1", "tau_2"]``. This is called global
analysis, and the amplitudes over the wavelength are the decay-associated spectra.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw


def decay(t, a_1, tau_1, a_2, tau_2, c):
    return a_1 * np.exp(-t / tau_1) + a_2 * np.exp(-t / tau_2) + c


rng = np.random.default_rng(4)
t = np.linspace(0, 20, 100)
wavelength = np.linspace(500, 610, 12)
fast = 3 * np.exp(-(((wavelength - 530) / 25) ** 2))
slow = 2 * np.exp(-(((wavelength - 565) / 30) ** 2))
clean = decay(t, fast[:, None], 1.2, slow[:, None], 5.0, 0.1)
y = clean + rng.normal(0, 0.05, clean.shape)

p0 = {"a_1": 1, "tau_1": 1, "a_2": 1, "tau_2": 6, "c": 0}
alone = tw.fit(decay, t, y, p0)
r = tw.fit(decay, t, y, p0, shared=["tau_1", "tau_2"])
assert r.success.all()
print(f"{alone.success.sum()} of 12 succeed alone, {r.success.sum()} together")
for j, name in enumerate(r.names):
    if name in r.shared:
        print(f"{name} = {r[name][0]:.3f} +- {r.stderr[0, j]:.3f}")

# %%
# The lifetimes of each decay alone scatter, where they are found at all; the line and its band are
# the value that all have together, and its standard error.

fig, axes = plt.subplots(1, 3, figsize=(11.0, 3.6), layout="constrained")
for k in (0, 3, 6, 9):
    axes[0].plot(t, y[k], ".", ms=3, color=f"C{k // 3}")
    axes[0].plot(t, r.fitted[k], lw=1.5, color=f"C{k // 3}", label=f"{wavelength[k]:.0f} nm")
axes[0].set(xlabel="t", ylabel="signal", title="Decays of one sample")
axes[0].legend(fontsize="small")
for j, color in ((1, "C0"), (3, "C3")):
    good = alone.success & (alone.stderr[:, j] < 3)
    axes[1].errorbar(
        wavelength[good],
        alone.params[good, j],
        alone.stderr[good, j],
        fmt="o",
        ms=4,
        color=color,
        lw=1,
    )
    value, error = r.params[0, j], r.stderr[0, j]
    axes[1].axhline(value, color=color, label=f"{r.names[j]}, shared".replace("tau_", "τ"))
    axes[1].axhspan(value - error, value + error, color=color, alpha=0.3, lw=0)
axes[1].set(xlabel="wavelength (nm)", ylabel="τ", title="Alone, and together", ylim=(0, 9))
axes[1].legend(fontsize="small", loc="upper right")
for j, truth, color in ((0, fast, "C0"), (2, slow, "C3")):
    label = f"of {r.names[j + 1]}".replace("tau_", "τ")
    axes[2].errorbar(
        wavelength, r.params[:, j], r.stderr[:, j], fmt="o", ms=4, color=color, label=label
    )
    axes[2].plot(wavelength, truth, color="0.6", lw=1)
axes[2].set(xlabel="wavelength (nm)", ylabel="amplitude", title="Spectra of the two decays")
axes[2].legend(fontsize="small")
plt.show()
