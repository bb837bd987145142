r"""
Slow convergence and its cures
==============================

A descent is slow because the valley is narrow: :math:`\kappa` is large. There are four cures.
*Momentum* remembers where it came from, which replaces :math:`\kappa` by :math:`\sqrt\kappa`.
*Conjugate gradient* chooses each direction such that the work of the ones before is not undone, and
needs no more than :math:`P` steps on a quadratic loss. *Preconditioning* rescales the parameters.
*Newton's method* rescales them so well that the valley becomes round.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(2)
Q, _ = np.linalg.qr(rng.normal(size=(20, 20)))
B = (Q * np.geomspace(1, 300, 20)) @ Q.T
loss = tw.QuadraticLoss((B + B.T) / 2)
start = rng.normal(size=20)

methods = [
    tw.GradientDescent(),
    tw.SteepestDescent(),
    tw.HeavyBall(),
    tw.Nesterov(),
    tw.ConjugateGradient(),
]
descents = [tw.minimize(loss, start, method, max_iter=450) for method in methods]
tw.plot.convergence(descents, tw.diagnose(loss, start))
plt.show()

# %%
# Solid lines are runs; dashed lines and crosses were known before them, from the spectrum alone.
# Heavy ball first rises and then falls at its rate, :math:`(\sqrt\kappa - 1)/(\sqrt\kappa + 1)`;
# conjugate gradient is faster than its bound, as nearly always.
#
# In two dimensions one sees what memory does: momentum swings out of the zigzag, and conjugate
# gradient arrives with its second step.

narrow = tw.QuadraticLoss([[1, 0], [0, 25]])
ways = [
    tw.minimize(narrow, [-10, 1.2], method, record=True)
    for method in (tw.GradientDescent(), tw.HeavyBall(), tw.ConjugateGradient())
]
fig, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
tw.plot.contours(narrow, ways, limits=((-11, 4), (-2.6, 2.6)), ax=ax)
plt.show()

# %%
# Often the valley is narrow only because the parameters are measured in unlike units. A diagonal
# preconditioner divides each by its own curvature, and the diagnosis says beforehand what that
# leaves of :math:`\kappa`.

units = np.array([1.0, 60.0])
unlike = tw.QuadraticLoss(np.outer(units, units) * [[1, 0.4], [0.4, 1]])
d = tw.diagnose(unlike, [1, 1])
print(f"κ = {d.kappa:.3g}, after scaling {d.kappa_scaled:.3g}")
for preconditioner in (None, "diagonal"):
    method = tw.GradientDescent(preconditioner=preconditioner)
    r = tw.minimize(unlike, [1, 1], method, max_iter=1_000_000)
    print(f"preconditioner {preconditioner}: {r.n_iter} iterations")

# %%
# Newton's step :math:`-H^{-1} \nabla L^t` spheres the ellipse: in the coordinates
# :math:`u = H^{1/2} (\theta - \theta^*)` the level lines are circles, and on circles the gradient
# points at the centre.

tw.plot.sphered(tw.QuadraticLoss([[3, 2.2], [2.2, 2]]), [0.3, 1.6])
plt.show()

# %%
# What is best depends on the price of a step: a Newton step solves :math:`P` equations, about
# :math:`P^3/3` operations; a step of all the others costs one gradient.

print(tw.diagnose(loss, start).advice)
