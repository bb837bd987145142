r"""
The loss as a matrix
====================

Stack the Jacobians of all samples to one matrix :math:`J`, shape (K Nx, P), and the errors to one
column :math:`\epsilon`. Near a minimum the mean squared error is a quadratic loss

.. math:: L(\theta) \approx L(\theta^*) + (\theta - \theta^*)^t B \, (\theta - \theta^*), \qquad
          B = \frac1K J^t J,

exactly so if the model is linear in its parameters. :math:`B` is symmetric and non-negative
definite, whatever the model: :math:`v^t B v = \frac1K \|J v\|^2`. Its eigenvectors are the right
singular vectors of :math:`J`, its eigenvalues :math:`\sigma_i^2 / K`; so
:math:`\kappa(B) = \kappa(J)^2`.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

y = np.linspace(0, 1, 40)
powers = np.stack([y**j for j in range(5)], axis=1)
legendre = np.polynomial.legendre.legvander(2 * y - 1, 4)

# %%
# Two ways to write polynomials of degree four: by powers of :math:`y`, and by Legendre's
# polynomials. Each column of :math:`J` tells what one parameter does to the predictions. Powers of
# :math:`y` on (0, 1) all do nearly the same, so some combinations of them do nearly nothing: these
# are the flat directions of the loss.

fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained", sharey=True)
for ax, J, name in zip(axes, (powers, legendre), ("powers", "Legendre polynomials"), strict=True):
    image = ax.imshow(J, aspect="auto", cmap="PuOr", vmin=-1, vmax=1, interpolation="nearest")
    ax.set(xlabel="parameter j")
    ax.set_title(f"J by {name}: κ = {tw.condition_number(J):.3g}", fontsize="medium")
axes[0].set_ylabel("sample k")
fig.colorbar(image, ax=axes, label=r"$\partial f(y_k) / \partial \theta_j$")
plt.show()

# %%
# Both span the same polynomials, so both fits are equally good. But the condition number of the
# Hessian is the square of that of :math:`J`, and gradient descent pays for it. To change the
# parameters is to change the landscape.

x = np.sin(5 * y) + np.random.default_rng(0).normal(0, 0.05, y.size)
for J, name in ((powers, "powers"), (legendre, "Legendre")):
    loss = tw.LinearLeastSquares(J, x, weights=np.full(y.size, 2 / y.size))
    d = tw.diagnose(loss, np.zeros(5), reduction=1e-6)
    n = d.predicted_iterations["GradientDescent"]
    print(f"{name}: κ of the Hessian {d.kappa:.3g}, gradient descent {n:,.0f} iterations")

# %%
# The singular values show how many combinations of the parameters the data determine, and how well:

fig, ax = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
for J, name, colour in ((powers, "powers", "#D55E00"), (legendre, "Legendre", "#0072B2")):
    ax.semilogy(tw.svd(J).values, "o-", color=colour, label=name)
ax.set(xlabel="number i", ylabel=r"singular value $\sigma_i$ of J", xticks=range(5))
ax.legend(frameon=False)
plt.show()
