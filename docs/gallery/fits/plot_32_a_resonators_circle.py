r"""
A resonator's circle
====================

A network analyser measures the complex transmission :math:`S_{21}` past a resonator. In the complex
plane the data lie on a circle; how large it is tells the internal and the coupling losses, and how
fast the frequency runs along it tells the linewidth. Real and imaginary part are fitted together by
a model that computes with complex numbers, with a tilted circle for a mismatched line.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw


def transmission(f, f0, Q, Q_c, tilt, a, phi, delay):
    line = a * np.exp(1j * (phi - 2 * np.pi * f * delay))
    depth = Q / Q_c * np.exp(1j * tilt) / np.cos(tilt)
    return line * (1 - depth / (1 + 2j * Q * (f / f0 - 1)))


rng = np.random.default_rng(2)
f = np.linspace(4.995, 5.005, 201)  # GHz
true = {"f0": 5.0004, "Q": 4000, "Q_c": 6000, "tilt": 0.25, "a": 0.8, "phi": 0.6, "delay": 0.0}
sigma = 0.012
noise = sigma * (rng.normal(size=f.size) + 1j * rng.normal(size=f.size))
y = transmission(f, **true) + noise

start = {
    "f0": f[np.abs(y).argmin()], "Q": 2000, "Q_c": 4000, "tilt": 0, "a": np.abs(y).max(),
    "phi": np.angle(y[0]), "delay": 0,
}  # fmt: skip
r = tw.fit(transmission, f, y, start, sigma=sigma, absolute_sigma=True, fixed=["delay"])
assert r.success
print(r.summary())

# %%
# The quality factor of the resonator by itself follows from the two that were fitted,
# 1 / Q = 1 / Q_i + 1 / Q_c, and its standard error from their covariance.

Q, Q_c = r["Q"], r["Q_c"]
Q_i = 1 / (1 / Q - 1 / Q_c)
slopes = np.array([(Q_i / Q) ** 2, -((Q_i / Q_c) ** 2)])
error = np.sqrt(slopes @ r.cov[1:3, 1:3] @ slopes)
print(f"Q_i = {Q_i:.0f} +- {error:.0f}")

# %%
# The circle, and the two parts over the frequency with the band in which the model lies with 95 %
# probability: ``r.band`` has one for each part.

many = np.linspace(f[0], f[-1], 1001)
circle, band = r.predict(many), r.band(many, level=0.95)
fig, axes = plt.subplots(1, 3, figsize=(11.5, 3.7), layout="constrained")
axes[0].plot(y.real, y.imag, ".", ms=4, color="0.4")
axes[0].plot(circle.real, circle.imag, lw=1.8, color="#D55E00")
at_f0 = r.predict([r["f0"]])[0]
axes[0].plot(at_f0.real, at_f0.imag, "o", color="#0072B2", label="at f0")
axes[0].set(xlabel="Re S21", ylabel="Im S21", title="The circle", aspect="equal")
axes[0].legend(fontsize="small")
for part, values, color in ((0, y.real, "#0072B2"), (1, y.imag, "#009E73")):
    label = ("real part", "imaginary part")[part]
    axes[1].plot(1e3 * (f - 5), values, ".", ms=3, color=color, alpha=0.5)
    axes[1].plot(1e3 * (many - 5), (circle.real, circle.imag)[part], color=color, label=label)
    axes[1].fill_between(1e3 * (many - 5), *band[part].T, color=color, alpha=0.3, lw=0)
    scaled = (r.residual.real, r.residual.imag)[part] / sigma
    axes[2].plot(1e3 * (f - 5), scaled, ".", ms=4, color=color)
axes[1].set(xlabel="f - 5 GHz (MHz)", ylabel="S21", title="Both parts, with their bands")
axes[1].legend(fontsize="small")
axes[2].axhline(0, color="0.6", lw=1)
axes[2].set(
    xlabel="f - 5 GHz (MHz)", ylabel="residual / σ", title=f"χ² = {r.chi2:.0f}, dof = {r.dof}"
)
plt.show()
