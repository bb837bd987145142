r"""
Singular values and definiteness
================================

Every matrix turns, stretches and turns again. Its singular value decomposition

.. math:: A = U \, \mathrm{diag}(\sigma) \, V^t, \qquad A v_i = \sigma_i u_i,

says by how much it stretches, :math:`\sigma_1 \geq \sigma_2 \geq \ldots \geq 0`, and in which
directions: perpendicular :math:`v_i` become perpendicular :math:`u_i`. The unit circle becomes an
ellipse with half-axes :math:`\sigma_i`.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

A = np.array([[1.6, 0.4], [0.3, 0.9]])
U, sigma, V = tw.svd(A)

angle = np.linspace(0, 2 * np.pi, 200)
circle = np.stack([np.cos(angle), np.sin(angle)])

fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.3), layout="compressed", sharex=True, sharey=True)
for ax, curve, arrows, name in (
    (axes[0], circle, V, "$v_{0}$"),
    (axes[1], A @ circle, U * sigma, r"$\sigma_{0} u_{0}$"),
):
    ax.plot(*curve, color="#333333")
    for i, colour in enumerate(("#D55E00", "#0072B2")):
        ax.quiver(
            0, 0, *arrows[:, i], color=colour, angles="xy", scale_units="xy", scale=1, width=0.012
        )
        beyond = arrows[:, i] * (1 + 0.3 / np.linalg.norm(arrows[:, i]))
        label = name.replace("{0}", f"{i + 1}")
        ax.text(*beyond, label, color=colour, ha="center", va="center")
    ax.set_aspect("equal")
    ax.set(xlim=(-2.1, 2.3), ylim=(-1.5, 1.6))
axes[0].set_title("unit circle", fontsize="medium")
axes[1].set_title(f"its image under A: σ = {sigma[0]:.2f}, {sigma[1]:.2f}", fontsize="medium")
plt.show()

# %%
# A symmetric matrix needs one set of directions only, its eigenvectors,
# :math:`B = V \mathrm{diag}(\lambda) V^t`; its singular values are :math:`\sigma_i = |\lambda_i|`.
# The signs of :math:`\lambda` decide the shape of :math:`L(\theta) = \theta^t B \theta`, and
# whether there is a minimum to go down to.

matrices = {
    "bowl": [[2, 1], [1, 2]],
    "valley": [[1, 1], [1, 1]],
    "saddle": [[1, 2], [2, 1]],
}

fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="compressed")
for (name, B), ax in zip(matrices.items(), axes, strict=True):
    tw.plot.contours(tw.QuadraticLoss(B), limits=((-1, 1), (-1, 1)), ax=ax)
    values = ", ".join(f"{value:.0f}" for value in tw.eigen(B).values)
    ax.set_title(f"{name}: λ = {values}\n{tw.definiteness(B)}", fontsize="medium")
plt.show()

# %%
# On the bowl every method of descent ends at the one minimum. In the valley, where an eigenvalue is
# 0, it ends on the floor, but where depends on the start: the loss does not tell the two parameters
# apart. On the saddle it runs away, and is stopped.

for name, B in matrices.items():
    r = tw.minimize(
        tw.QuadraticLoss(B), [0.5, 0.3], tw.GradientDescent(step_size=0.1), max_iter=200
    )
    print(f"{name}: {r.theta.round(3)}, {r.reason()}")

# %%
# The diagnosis of a loss says the same of its Hessian, in words:

print(tw.diagnose(tw.QuadraticLoss(matrices["valley"]), [0.5, 0.3], names=["a", "b"]).advice)
