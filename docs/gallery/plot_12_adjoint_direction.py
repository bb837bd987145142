r"""
The adjoint update direction
============================

Read backwards, the gradient of the mean squared error is a vote. Each sample propagates its own
error back to the parameters, :math:`J_k^t \epsilon_k`: the change that would lower this sample's
error fastest. The update direction is the mean of all votes, times two:

.. math:: d^t = -\nabla L^t = \frac2K \sum_{k=1}^K J_k^t \epsilon_k, \qquad
          \theta \leftarrow \theta + \alpha \, d^t.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(3)
y = np.linspace(-1, 1.6, 9)
x = 0.8 - 0.9 * y + rng.normal(0, 0.3, y.size)
J = np.stack([np.ones_like(y), y], axis=1)  # of the line theta_0 + theta_1 y
loss = tw.LinearLeastSquares(J, x, weights=np.full(y.size, 2 / y.size))


def votes(theta):
    """J_k' e_k of every sample, shape (K, P)."""
    return J * (x - J @ theta)[:, None]


# %%
# Grey are the votes of the single samples, blue is the update direction. A sample votes along its
# own row :math:`J_k`, since only this combination of parameters changes its prediction; how
# strongly, its error says. At the minimum the samples still disagree, but their votes cancel.

start = np.array([-0.6, 0.5])
end = tw.minimize(loss, start, tw.Newton()).theta
fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.6), layout="compressed")
for ax, theta, title in zip(axes, (start, end), ("start", "minimum"), strict=True):
    tw.plot.contours(loss, limits=((-2, 2.4), (-2.2, 2.2)), ax=ax)
    arrow = {"angles": "xy", "scale_units": "xy", "scale": 1, "zorder": 3}
    pulls = 0.5 * votes(theta)
    origin = np.broadcast_to(theta, pulls.shape)
    ax.quiver(*origin.T, *pulls.T, color="#666666", width=0.005, label="votes, halved", **arrow)
    d = -loss.gradient(theta)
    if np.linalg.norm(d) > 1e-9:
        ax.quiver(*theta, *(0.5 * d), color="#0072B2", width=0.012, label="d, halved", **arrow)
    ax.plot(*theta, "s", color="#D55E00", markersize=6, zorder=4)
    ax.set_title(f"at the {title}", fontsize="medium")
axes[0].legend(loc="upper right", fontsize="small", framealpha=0.9)
plt.show()

print("mean of the votes, times two:", 2 * votes(start).mean(axis=0))
print("-gradient:                   ", -loss.gradient(start))

# %%
# A sum over samples can be made in any blocks, and no Jacobian has to be kept: one pass over the
# data gives loss and gradient, for ten samples or ten million. And a part of the samples gives a
# rough idea of the whole, the better the more there are; its error falls with the root of their
# number.

K = 4000
y = rng.uniform(-1, 1.6, K)
x = 0.8 - 0.9 * y + rng.normal(0, 0.3, K)
J = np.stack([np.ones_like(y), y], axis=1)
all_votes = votes(start)
d = 2 * all_votes.mean(axis=0)
sizes = np.geomspace(4, 2000, 16).astype(int)
off = [
    np.mean(
        [
            np.linalg.norm(2 * all_votes[rng.integers(K, size=n)].mean(axis=0) - d)
            for _ in range(100)
        ]
    )
    for n in sizes
]

fig, ax = plt.subplots(figsize=(6.2, 3.8), layout="constrained")
ax.loglog(sizes, off / np.linalg.norm(d), "o", color="#D55E00", label="some samples against all")
ax.loglog(
    sizes,
    off[0] / np.linalg.norm(d) * np.sqrt(sizes[0] / sizes),
    color="#333333",
    label="1 / root of n",
)
ax.set(xlabel="samples that vote", ylabel="relative error of d")
ax.legend(frameon=False)
plt.show()
