r"""
Gradient descent
================

A loss :math:`L(\theta)` says how bad the parameters :math:`\theta` are. Its gradient
:math:`\nabla L`, a row with one entry per parameter, points uphill; so one goes the other way,
again and again:

.. math:: d = -\nabla L, \qquad \theta \leftarrow \theta + \alpha \, d^t.

The step size :math:`\alpha` is the only setting. Nothing else is needed but the gradient, which is
why the method works with millions of parameters as well as with two.
"""

import matplotlib.pyplot as plt

import thalweg as tw

# %%
# A quadratic loss is the simplest landscape with a valley:
#
# .. math:: L(\theta) = (\theta - \theta^*)^t B \, (\theta - \theta^*), \qquad
#           \nabla L = 2 \, (\theta - \theta^*)^t B.
#
# The level lines are ellipses about the minimum :math:`\theta^*`. The gradient is perpendicular to
# them, so a small step leads straight across the next line: not towards the minimum, unless the
# lines are circles.

loss = tw.QuadraticLoss([[2, 1.2], [1.2, 1.5]], theta_star=[1, -0.5])
descents = [
    tw.minimize(loss, start, tw.GradientDescent(step_size=0.05), record=True)
    for start in ([-2, 2], [3.5, 1.5], [-1.5, -1.5])
]
tw.plot.contours(loss, descents, labels=["from the left", "from the right", "from below"])
plt.show()

# %%
# All three end at the same point, because this loss has one minimum only. Far out the steps are
# long, since the gradient is; they become short where the valley floor is flat. That is the whole
# course of gradient descent: at first quick, then along a straight line in a semilogarithmic
# picture, which means that each iteration multiplies what is left by the same factor.

tw.plot.convergence(descents, labels=["from the left", "from the right", "from below"])
plt.show()

print(descents[0].summary())
