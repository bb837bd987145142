r"""
The MSE loss and its gradient
=============================

A model predicts measurements :math:`x_k` from inputs :math:`y_k` with parameters :math:`\theta`;
its errors are :math:`\epsilon_k = x_k - f_\theta(y_k)`. The mean squared error turns all of them
into one number,

.. math:: L(\theta) = \frac1K \sum_{k=1}^K \|\epsilon_k\|^2.

By the chain rule its gradient is a sum over samples of the error times the Jacobian
:math:`J_k = \nabla_\theta f_\theta(y_k)`,

.. math:: \nabla L = -\frac2K \sum_{k=1}^K \epsilon_k^t J_k.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(5)
y = np.linspace(-1, 1, 15)
x = 0.6 + 1.4 * y + rng.normal(0, 0.35, y.size)

# %%
# A line is the simplest model, :math:`f_\theta(y) = \theta_0 + \theta_1 y`, with
# :math:`J_k = (1, y_k)`. `MSELoss` records the model as it is written and differentiates it by
# backward propagation, for any model; here the formulae above can be written out beside it.

loss = tw.MSELoss(lambda y, a, b: a + b * y, y, x)
J = np.stack([np.ones_like(y), y], axis=1)

theta = np.array([-0.4, 0.2])
errors = x - J @ theta
print("loss:", loss.value(theta), np.mean(errors**2))
print("gradient:", loss.gradient(theta), -2 / y.size * errors @ J)

# %%
# On the left the errors at this :math:`\theta`: the loss is their mean square. On the right the
# loss as a landscape, and the way that gradient descent takes from there. At its end the errors are
# perpendicular to every column of the Jacobian, :math:`\sum_k \epsilon_k^t J_k = 0`: no change of
# the parameters can lower them further.

r = tw.minimize(loss, theta, tw.GradientDescent(step_size=0.1), record=True)

fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
left.plot(y, J @ theta, color="#D55E00", label="model at the start")
left.plot(y, J @ r.theta, color="#0072B2", label="model at the end")
left.vlines(y, J @ theta, x, color="#999999", linewidth=1, label="errors at the start")
left.plot(y, x, "o", color="#333333", label="measured")
left.set(xlabel="input y", ylabel="x")
left.legend(frameon=False, fontsize="small")
tw.plot.contours(loss, r, ax=right)
plt.show()

print("errors times Jacobian at the end:", (x - J @ r.theta) @ J)

# %%
# A gradient written by hand is wrong at first more often than not. `check_gradient` compares it
# with differences of the loss, and knows how exact these can be.

print(tw.check_gradient(loss, theta))
