r"""
Tomography
==========

A tomograph measures integrals of an object :math:`x` along rays, :math:`y = A x + \text{noise}`:
row :math:`i` of the sparse matrix :math:`A` holds how much each pixel weighs in ray :math:`i`. The
image is the minimum of

.. math:: F(x) = \tfrac12 \sum_i w_i (y_i - a_i x)^2 + \text{prior}(x), \qquad x \ge 0,

and `thalweg.linear.icd` goes there pixel by pixel: the column of a pixel holds the few rays that
meet it, so that an update is cheap, exact, and needs no step size.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp

from thalweg.linear import QGGMRF, GaussianPrior, icd

N, VIEWS, BINS = 96, 40, 137  # pixels along a side, angles, and detector bins as wide as a pixel

# %%
# The object has ellipses (centre, half axes, angle and what they add), as heads have: a shell, two
# dark chambers, and small things that are hard to see.

ELLIPSES = [
    (0.00, 0.00, 0.72, 0.95, 0, 1.0),
    (0.00, 0.00, 0.66, 0.88, 0, -0.6),
    (0.24, 0.05, 0.13, 0.34, -18, -0.25),
    (-0.24, 0.05, 0.17, 0.42, 18, -0.25),
    (0.00, -0.40, 0.22, 0.25, 0, 0.25),
    (0.00, 0.10, 0.05, 0.05, 0, 0.4),
    (-0.10, 0.62, 0.05, 0.03, 0, 0.3),
    (0.08, 0.62, 0.03, 0.05, 0, 0.3),
]
axis = (np.arange(N) - (N - 1) / 2) / (N / 2)
across, down = np.meshgrid(axis, axis)
phantom = np.zeros((N, N))
for u, v, a, b, degrees, value in ELLIPSES:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    along, aside = (across - u) * c + (down - v) * s, (down - v) * c - (across - u) * s
    phantom += value * ((along / a) ** 2 + (aside / b) ** 2 <= 1)

# %%
# Parallel beams: at angle :math:`\varphi` the centre of a pixel falls on the detector at
# :math:`t = u \cos\varphi + v \sin\varphi`, between two bins that share it. Each column of A has
# two values for each view, and no more.


def projections(angles):
    """Return the matrix of parallel beams, by columns, shape (views · bins, N²)."""
    centre = np.arange(N) - (N - 1) / 2
    u, v = (axis.ravel() for axis in np.meshgrid(centre, centre))
    t = np.cos(angles)[:, None] * u + np.sin(angles)[:, None] * v + (BINS - 1) / 2
    first = np.floor(t).astype(int)
    share = t - first
    rows = first + BINS * np.arange(len(angles))[:, None]
    pixels = np.broadcast_to(np.arange(N * N), t.shape)
    values = np.concatenate([1 - share, share], axis=None)
    places = np.concatenate([rows, rows + 1], axis=None), np.tile(pixels.ravel(), 2)
    return sp.csc_array(sp.coo_array((values, places), (len(angles) * BINS, N * N)))


angles = np.linspace(0, np.pi, VIEWS, endpoint=False)
A = projections(angles)
rng = np.random.default_rng(0)
noise = 0.4
y = A @ phantom.ravel() + noise * rng.standard_normal(A.shape[0])
weights = np.full(len(y), 1 / noise**2)
print(f"{A.shape[0]} measurements, {A.shape[1]} pixels, {A.nnz / A.shape[1]:.0f} values a column")

# %%
# Two priors, and what was used before there were any: filtered back-projection, which filters each
# view with :math:`|f|` and smears it back over the image. A Gaussian prior smooths noise and edges
# alike; the q-generalised one takes differences beyond :math:`T\sigma` for edges, which it keeps.


def back_projection(y):
    """Return the image of filtered views: Ram-Lak's filter, windowed by a cosine."""
    size = 2 * BINS
    f = np.fft.rfftfreq(size)
    views = np.fft.rfft(y.reshape(VIEWS, BINS), size) * f * np.cos(np.pi * f)
    filtered = np.fft.irfft(views, size)[:, :BINS]
    return (A.T @ filtered.ravel()).reshape(N, N) * np.pi / VIEWS


smooth = icd(A, y, weights, prior=GaussianPrior(0.06), shape=(N, N))
sharp = icd(A, y, weights, prior=QGGMRF(0.02, p=1.1, T=0.5), shape=(N, N))
print(sharp)

images = {
    "phantom": phantom,
    "filtered back-projection": back_projection(y),
    "icd, Gaussian prior": smooth.x,
    "icd, q-GGMRF": sharp.x,
}
fig, axes = plt.subplots(1, 4, figsize=(12, 3.6), layout="constrained")
for ax, (title, x) in zip(axes, images.items(), strict=True):
    shown = ax.imshow(x, cmap="gray", vmin=0, vmax=1)
    error = np.sqrt(np.mean((x - phantom) ** 2))
    ax.set_title(title if x is phantom else f"{title}\nerror {error:.3f}", fontsize=10)
    ax.set_axis_off()
fig.colorbar(shown, ax=axes, shrink=0.8)
plt.show()

# %%
# The course
# ----------
#
# A sweep makes one update for each pixel. The cost never rises, whatever the order of the pixels
# and the relaxation :math:`\omega` in (0, 2). With such a prior the work that is left after a few
# sweeps is at the edges: the default order, called non-homogeneous, visits those pixels more often
# that were far from their minima, and needs half the sweeps; going beyond the minimum of each one,
# by :math:`\omega = 1.5`, saves a part of the rest.

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
runs = ("cyclic", 1.0), ("shuffled", 1.0), ("nonhomogeneous", 1.0), ("nonhomogeneous", 1.5)
how = dict(prior=QGGMRF(0.02, p=1.1, T=0.5), shape=(N, N), seed=0)
best = icd(A, y, weights, tol=1e-8, **how).cost
for order, omega in runs:
    r = icd(A, y, weights, order=order, relaxation=omega, tol=1e-5, **how)
    assert r.history.largest_rise < 1e-13
    ax.semilogy(r.history.cost / best - 1, label=f"{order}, ω = {omega}")
ax.set(xlabel="sweep", ylabel="cost above its minimum, relative", xlim=(0, 80), ylim=(1e-9, None))
ax.legend()
plt.show()
