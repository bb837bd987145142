r"""
Coordinate descent
==================

Change one parameter at a time, each to the minimum along its axis. With :math:`g_j` the derivative
along parameter :math:`j` and :math:`H_{jj}` the curvature there

.. math:: \theta_j \leftarrow \theta_j - \frac{g_j}{H_{jj}},
          \qquad j = 1, 2, \ldots, P, 1, 2, \ldots

No step size, no line search: on a quadratic loss each of these steps is exact. One pass over all
parameters is a *sweep*.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

loss = tw.QuadraticLoss([[2, 1.2], [1.2, 1.5]], theta_star=[1, -0.5])
sweeps = tw.minimize(loss, [-2, 2], tw.CoordinateDescent(), record=True)

tw.plot.staircase(loss, sweeps)
plt.show()

# %%
# The way is a staircase: every step is parallel to an axis and ends where a level line touches it.
# If the axes of the ellipses were those of the parameters, one sweep would do. The more the
# parameters are tied to each other, the smaller are the stairs.

fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="compressed")
for tie, ax in zip((0.0, 0.7, 0.95), axes, strict=True):
    tied = tw.QuadraticLoss([[1, tie], [tie, 1]])
    r = tw.minimize(tied, [-1, 0.2], tw.CoordinateDescent(), record=True)
    tw.plot.staircase(tied, r, limits=((-1.2, 0.6), (-0.6, 1.2)), ax=ax)
    ax.get_legend().remove()
    ax.set_title(f"correlation {tie}, sweeps: {r.n_iter}", fontsize="medium")
plt.show()

# %%
# A sweep on :math:`H = D + L + L^t`, diagonal and triangles, multiplies the gradient by
# :math:`T = -L^t (D + L)^{-1}`: these are the Gauss-Seidel iterations of linear algebra. In the
# long run the gradient shrinks by the largest modulus of the eigenvalues of :math:`T`, for two
# parameters the square of their correlation. Units do not matter: coordinate descent takes the same
# way whatever each parameter is measured in.

correlations = np.linspace(0.1, 0.99, 30)
counted, predicted = [], []
for tie in correlations:
    tied = tw.QuadraticLoss([[1, tie], [tie, 1]])
    counted.append(tw.minimize(tied, [-1, 0.2], tw.CoordinateDescent()).n_iter)
    predicted.append(tw.diagnose(tied, [-1, 0.2]).predicted_iterations["CoordinateDescent"])

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.semilogy(correlations, predicted, color="#0072B2", label="predicted")
ax.semilogy(correlations, counted, "o", color="#D55E00", markersize=4, label="counted")
ax.set(xlabel="correlation of the two parameters", ylabel="sweeps")
ax.legend(frameon=False)
plt.show()
