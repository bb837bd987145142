r"""
A path of penalties
===================

The lasso minimises

.. math:: F_\lambda(\theta) = \tfrac12 \| b - A \theta \|^2 + \lambda \sum_j |\theta_j|.

From :math:`\lambda_{max} = \max_j |A_j^t b|` on every coefficient is 0; as :math:`\lambda` falls
they enter one after the other. `thalweg.linear.path` solves for a hundred of them and carries along
what it knows, and each model has a duality gap that proves it.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw
from thalweg.linear import path

rng = np.random.default_rng(3)
n, P = 120, 400
A = rng.standard_normal((n, P))
truth = np.zeros(P)
truth[:6] = 4, -3, 2.5, -2, 1.5, 1
b = A @ truth + 2 * rng.standard_normal(n)

p = path(A, b, n=100, smallest=0.01)
print(p)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
left.semilogx(p.penalties, p.theta[6:].T, color="0.8", lw=0.7)
left.semilogx(p.penalties, p.theta[:6].T, lw=2)
left.invert_xaxis()
left.set(
    xlabel="penalty λ", ylabel="coefficients", title="six that are there, and 394 that are not"
)
right.loglog(p.penalties, p.gap, label="gap reached")
right.loglog(p.penalties, p.wanted, "--", label="gap wanted, $10^{-6}\\,\\|b\\|^2/2$")
right.invert_xaxis()
right.set(xlabel="penalty λ", ylabel="duality gap", title="each model is proved")
right.legend()
plt.show()

# %%
# Which penalty is best is not a question of optimisation: data that were not fitted have to say.
# The error on other rows falls as the coefficients enter that are there, and rises as noise is
# fitted. A penalty within one standard error of the best is as good as can be told, and sparser;
# `LassoCV` chooses so with ``rule="1se"``.

other = rng.standard_normal((400, P))
seen = other @ truth + 2 * rng.standard_normal(400)
error = np.mean((seen[:, None] - p.predict(other)) ** 2, axis=0)

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.semilogx(p.penalties, error, label="mean squared error on other rows")
ax.axhline(4, color="0.6", ls=":", label="variance of the noise")
ax.axvline(p.penalties[np.argmin(error)], color="C1", lw=1)
ax.invert_xaxis()
ax.set(xlabel="penalty λ", ylabel="mean squared error", ylim=(0, 20))
ax.legend()
plt.show()

# %%
# One model of the path by itself is the same, to the gaps.

k = int(np.argmin(error))
alone = tw.coordinate_descent(A, b, l1=p.penalties[k])
print(abs(alone.objective - p.objective[k]) <= alone.gap + p.gap[k])
