r"""
Linear models: unmixing a spectrum
==================================

A measured spectrum is a mixture, :math:`b = A \theta + \text{noise}`: the columns of :math:`A` are
the spectra of pure substances, :math:`\theta_j \ge 0` how much of each there is.
`coordinate_descent` minimises

.. math:: F(\theta) = \tfrac12 \| b - A \theta \|^2 + \sum_j l_{1j} |\theta_j|
          \quad \text{within bounds}

and proves how near it came: the duality gap is a number below which no other :math:`\theta` can
undercut it.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

wavelength = np.linspace(400, 700, 240)
centre = np.linspace(410, 690, 40)
A = np.exp(-0.5 * ((wavelength[:, None] - centre) / 14) ** 2)
amounts = np.zeros(40)
amounts[[6, 15, 17, 30]] = 1.0, 0.6, 0.9, 0.4
rng = np.random.default_rng(1)
b = A @ amounts + 0.03 * rng.standard_normal(240)

free = tw.coordinate_descent(A, b)
positive = tw.coordinate_descent(A, b, bounds=(0, None), tol=1e-12)
sparse = tw.coordinate_descent(A, b, bounds=(0, None), l1=0.05, tol=1e-12)
print(sparse)

fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharex=True, layout="constrained")
for ax, r, title in zip(
    axes,
    (free, positive, sparse),
    ("least squares", "non-negative", "non-negative, l1 = 0.05"),
    strict=True,
):
    ax.vlines(centre, 0, amounts, color="0.75", lw=5, label="truth")
    ax.plot(centre, r.theta, "o", ms=4, label="found")
    ax.set(title=title, xlabel="centre of the substance / nm")
axes[0].set_ylabel("amount")
axes[0].legend()
plt.show()

# %%
# Neighbouring spectra overlap, so plain least squares fits the noise with large amounts of both
# signs. That no amount is negative is a strong piece of knowledge: most coefficients become 0
# without any penalty. Where two neighbours share what belongs to one, data of this noise cannot
# tell; an l1 takes a little off each coefficient, and 0 is where the small ones end.
#
# How it went
# -----------
#
# The gap falls from round to round. Sweeps with the residual, the method as textbooks have it, take
# thousands of passes over such columns; on the Gram matrix of the coefficients that matter a few
# sweeps find out which are 0, and Newton steps end in the minimum of the others.

fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for strategy in ("gram", "residual"):
    r = tw.coordinate_descent(A, b, bounds=(0, None), l1=0.05, tol=1e-12, strategy=strategy)
    ax.semilogy(np.maximum(r.history.gap, 1e-18), "o-", label=r.strategy.split(" (")[0])
ax.axhline(r.wanted, color="0.6", ls="--", lw=1)
ax.set(xlabel="round", ylabel="duality gap", ylim=(1e-16, None))
ax.set_xticks(range(len(r.history.gap)))
ax.legend(fontsize="small")
plt.show()

# %%
# Many spectra at once
# --------------------
#
# Columns of b are right-hand sides that share what is known of A: here a line across a sample in
# which two substances pass into each other.

place = np.linspace(0, 1, 60)
truth = np.outer(amounts * (np.arange(40) < 16), 1 - place)
truth += np.outer(amounts * (np.arange(40) >= 16), place)
image = A @ truth + 0.03 * rng.standard_normal((240, 60))
r = tw.coordinate_descent(A, image, bounds=(0, None), l1=0.05)

fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, values, title in zip(
    axes, (image, truth, r.theta), ("measured", "truth", "found"), strict=True
):
    ax.imshow(values, aspect="auto", origin="lower", cmap="viridis")
    ax.set(title=title, xlabel="place")
axes[0].set_ylabel("wavelength")
axes[1].set_ylabel("substance")
plt.show()
