r"""
Plain functions, bounds, and parameters that become zero
========================================================

Often all there is of a loss is a function and its gradient. `FunctionLoss` takes the two, and every
first-order method goes down on it: step sizes come from backtracking where no second derivative is
known. The valley of Rosenbrock, :math:`(1 - a)^2 + 100 (b - a^2)^2`, is curved and narrow.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw


def value(theta):
    a, b = theta
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2


def gradient(theta):
    a, b = theta
    return np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])


valley = tw.FunctionLoss(value, gradient, n_params=2)
start = [-1.2, 1.0]
methods = [tw.GradientDescent(), tw.Nesterov(), tw.ConjugateGradient(), tw.LBFGS()]
runs = [tw.minimize(valley, start, m, max_iter=400, record=True) for m in methods]
fig, axes = plt.subplots(1, 2, figsize=(9.4, 4.0), layout="constrained")
a, b = np.meshgrid(np.linspace(-1.6, 1.4, 201), np.linspace(-0.6, 1.8, 201))
height = np.log10((1 - a) ** 2 + 100 * (b - a * a) ** 2 + 1e-3)
axes[0].contour(a, b, height, 14, colors="0.8", linewidths=0.8)
for r in (runs[0], runs[3]):
    axes[0].plot(*r.history.theta.T, ".-", ms=4, lw=1, label=r.method.name)
axes[0].plot(1, 1, "k*", ms=9)
axes[0].set(xlabel="a", ylabel="b", title="400 steps of gradient descent, and L-BFGS")
axes[0].legend(loc="lower center")
tw.plot.convergence(runs, ax=axes[1])
plt.show()

# %%
# L-BFGS keeps the last ten steps with the changes of the gradient along them, and so knows how the
# loss curves where it has just been: its :math:`K` maps each change of the gradient back to its
# step, and :math:`-K \nabla L` is nearly Newton's direction. It costs two loops over these pairs.
#
# Bounds are kept by conjugate gradients and by L-BFGS, too. On a quadratic loss conjugate gradients
# run on a face of the box, with the parameters on their bounds held, until a bound is met or until
# a held parameter promises more than those that move; then they begin anew on another face.

B = np.array([[2.0, 1.2], [1.2, 1.5]])
bowl = tw.QuadraticLoss(B, theta_star=[1.6, -0.2])
inside = [
    tw.minimize(bowl, [-1.0, -0.8], m, bounds=([-1.2, -1.0], [0.6, 0.9]), record=True)
    for m in (tw.ConjugateGradient(), tw.LBFGS(), tw.GradientDescent())
]
fig, ax = plt.subplots(figsize=(5.4, 4.4), layout="constrained")
x, y = np.meshgrid(np.linspace(-1.6, 2.0, 201), np.linspace(-1.4, 1.6, 201))
u = np.stack([x - 1.6, y + 0.2])
ax.contour(x, y, np.einsum("iab,ij,jab->ab", u, B, u), 18, colors="0.8", linewidths=0.8)
ax.add_patch(plt.Rectangle((-1.2, -1.0), 1.8, 1.9, fill=False, lw=1.4))
for r in inside:
    ax.plot(*r.history.theta.T, "o-", ms=5, lw=1.2, label=f"{r.method.name}, {r.n_iter} steps")
ax.plot(1.6, -0.2, "k*", ms=9)
ax.annotate("minimum without bounds", (1.6, -0.2), (0.8, -0.5), fontsize="small")
ax.set(xlabel="θ₀", ylabel="θ₁", title="Three ways to the lowest point of a box")
ax.legend(loc="upper left", fontsize="small")
plt.show()

# %%
# A penalty :math:`l_1 \sum_j |\theta_j|` has a kink at zero that holds parameters there: the larger
# :math:`l_1`, the fewer are left. `ProximalGradient` goes down on the smooth loss and then moves
# each parameter towards zero, but not beyond. Here four of twenty columns make the data. How far
# the loss is from its minimum at most is known at every point: the duality gap, which is what
# ``gtol`` is compared with.

rng = np.random.default_rng(3)
A = rng.standard_normal((60, 20))
truth = np.zeros(20)
truth[[2, 7, 11, 16]] = [3.0, -2.0, 1.5, -1.0]
loss = tw.LinearLeastSquares(A, A @ truth + 0.8 * rng.standard_normal(60))
most = np.abs(loss.gradient(np.zeros(20))).max()  # with a larger penalty all are zero
penalties = most * np.geomspace(1, 1e-3, 40)
theta, path = np.zeros(20), []
for l1 in penalties:
    theta = tw.minimize(loss, theta, tw.ProximalGradient(l1), max_iter=5000).theta
    path.append(theta)
fig, ax = plt.subplots(figsize=(7.0, 4.0), layout="constrained")
for j, course in enumerate(np.array(path).T):
    ax.semilogx(penalties, course, lw=1.8 if truth[j] else 0.8, color=None if truth[j] else "0.6")
for j in np.flatnonzero(truth):
    ax.axhline(truth[j], color="0.85", lw=0.8, zorder=0)
ax.invert_xaxis()
ax.set(xlabel="penalty l1", ylabel="parameters", title="Four columns come first, then the noise")
plt.show()
