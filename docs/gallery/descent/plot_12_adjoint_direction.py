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


def turning(y, radius, speed):
    """A point on a circle at time y: two predictions, Nx = 2."""
    return radius * np.cos(speed * y), radius * np.sin(speed * y)


def measured(y):
    return np.stack(turning(y, 1.2, 1.4), axis=1) + rng.normal(0, 0.2, (y.size, 2))


y = np.linspace(0, 1.6, 9)
loss = tw.MSELoss(turning, y, measured(y))


def jacobians(loss, theta):
    """J_k of every sample, shape (K, Nx, P), a column at a time."""
    return np.stack([loss.jvp(theta, unit) for unit in np.eye(2)], axis=2)


def votes(loss, theta):
    """J_k' e_k of every sample, shape (K, P)."""
    return tw.kernels.vjp(jacobians(loss, theta), loss.residuals(theta))


# %%
# Grey are the votes of the single samples, blue is the update direction. A sample votes for a mix
# of the :math:`N_x` rows of its own :math:`J_k`, since only along these do the parameters change
# its predictions; how strongly, its errors say. At the minimum the samples still disagree, but
# their votes cancel.

start = np.array([0.7, 0.7])
end = tw.minimize(loss, start, tw.Newton()).theta
fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.6), layout="compressed")
for ax, theta, title in zip(axes, (start, end), ("start", "minimum"), strict=True):
    tw.plot.contours(loss, limits=((0.2, 2.2), (0.1, 2.3)), ax=ax)
    arrow = {"angles": "xy", "scale_units": "xy", "scale": 1, "zorder": 3}
    pulls = 0.5 * votes(loss, theta)
    origin = np.broadcast_to(theta, pulls.shape)
    ax.quiver(*origin.T, *pulls.T, color="#666666", width=0.005, label="votes, halved", **arrow)
    d = -loss.gradient(theta)
    if np.linalg.norm(d) > 1e-9:
        ax.quiver(*theta, *(0.5 * d), color="#0072B2", width=0.012, label="d, halved", **arrow)
    ax.plot(*theta, "s", color="#D55E00", markersize=6, zorder=4)
    ax.set_title(f"at the {title}", fontsize="medium")
axes[0].legend(loc="upper right", fontsize="small", framealpha=0.9)
plt.show()

# %%
# Three ways to the same direction: the mean of all votes; `adjoint_sum`, which adds them up in one
# pass over Jacobians that you bring, from whatever program; and the gradient of the loss, for which
# no Jacobian is ever kept.

J, errors = jacobians(loss, start), loss.residuals(start)
print("shapes of J, errors:", J.shape, errors.shape)
print("mean of the votes, times two:", 2 * votes(loss, start).mean(axis=0))
print("adjoint_sum:                 ", tw.kernels.adjoint_sum(J, errors, scale=2 / y.size))
print("-gradient:                   ", -loss.gradient(start))

# %%
# A sum over samples can be made in any blocks: one pass over the data gives loss and gradient, for
# ten samples or ten million. And a part of the samples gives a
# rough idea of the whole, the better the more there are; its error falls with the root of their
# number.

K = 4000
y = rng.uniform(0, 1.6, K)
all_votes = votes(tw.MSELoss(turning, y, measured(y)), start)
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
