r"""
The condition number
====================

The condition number is the ratio of the largest to the smallest singular value,

.. math:: \kappa = \frac{\sigma_{\max}}{\sigma_{\min}} \geq 1.

For a loss it is the squared ratio of the axes of its level lines: :math:`\kappa = 4` is an ellipse
twice as long as wide, :math:`\kappa = 100` a valley ten times as long as wide. Gradient descent has
to take steps that are safe across the valley, and needs many of them along it.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

tw.plot.valleys([4, 100])
plt.show()

# %%
# With the best fixed step the error shrinks by :math:`(\kappa - 1)/(\kappa + 1)` per iteration,
# which for large :math:`\kappa` means about :math:`\frac{\kappa}{2} \ln 10` iterations for each
# digit. Momentum replaces :math:`\kappa` by its root. The picture compares what `diagnose` predicts
# from the spectrum with what is counted.

methods = [tw.GradientDescent(), tw.HeavyBall(), tw.Nesterov()]
kappas = np.geomspace(2, 1000, 12)
start = [1.0, 1.0]

fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for method, colour in zip(methods, ("#D55E00", "#0072B2", "#009E73"), strict=True):
    losses = [tw.QuadraticLoss(np.diag([1.0, kappa])) for kappa in kappas]
    counted = [tw.minimize(loss, start, method, max_iter=50_000).n_iter for loss in losses]
    predicted = [tw.diagnose(loss, start).predicted_iterations[method.name] for loss in losses]
    ax.loglog(kappas, predicted, color=colour, label=f"{method.name}, predicted")
    ax.loglog(kappas, counted, "o", color=colour, markersize=4, label="counted")
ax.set(xlabel="condition number κ", ylabel="iterations until minimize stops, gtol = 1e-8")
ax.legend(frameon=False, fontsize="small")
plt.show()

# %%
# What a condition number costs is not the same for every method. The spectrum and the counts, for a
# loss with ten parameters and :math:`\kappa = 1000`:

rng = np.random.default_rng(0)
Q, _ = np.linalg.qr(rng.normal(size=(10, 10)))
B = (Q * np.geomspace(1, 1000, 10)) @ Q.T
d = tw.diagnose(tw.QuadraticLoss((B + B.T) / 2), rng.normal(size=10))
d.plot()
plt.show()

print(d.advice)
