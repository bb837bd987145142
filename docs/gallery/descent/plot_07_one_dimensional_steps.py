r"""
Choosing a step in one dimension
================================

Whatever the direction :math:`d`, the step size is a problem in one dimension: find a good
:math:`\alpha` for :math:`\varphi(\alpha) = L(\theta + \alpha d^t)`. Where the loss has a second
derivative, Taylor's formula gives a first answer,

.. math:: \varphi(\alpha) \approx \varphi(0) + \alpha \varphi'(0) + \frac{\alpha^2}{2} \varphi''(0),
          \qquad \alpha = -\frac{\varphi'(0)}{\varphi''(0)},

which is exact if the loss is quadratic.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

parabola = tw.QuadraticLoss([[1.0]], theta_star=[2.0])
tw.plot.step_sizes(parabola, [-1.0])
plt.show()

# %%
# With one parameter and the Hessian :math:`\sigma`, the step :math:`\alpha = 1/\sigma` is exact.
# Smaller ones come from one side, larger ones jump to the other side, and beyond :math:`2/\sigma`
# each jump ends higher than it began.
#
# A loss that is not quadratic bends differently elsewhere. This one is steep on one side and flat
# on the other, :math:`L(\theta) = e^{\theta} - 2 \theta`; its curvature is :math:`e^\theta`.


class Skewed(tw.Loss):
    n_params = 1

    def value_and_gradient(self, theta):
        t = float(theta[0])
        return np.exp(t) - 2 * t, np.array([np.exp(t) - 2])

    def hessian(self, theta):
        return np.exp(np.asarray(theta, float)).reshape(1, 1)


loss = Skewed()
fig, axes = plt.subplots(1, 2, figsize=(9.4, 4.0), layout="constrained", sharey=True)
for ax, start in zip(axes, (3.0, -1.2), strict=True):
    d = tw.diagnose(loss, [start])
    r = tw.minimize(loss, [start], tw.GradientDescent(step_size=0.05), record=True)
    tw.plot.steps(loss, r, limits=(-1.6, 3.3), ax=ax)
    ax.get_legend().remove()
    ax.set_title(
        f"start {start}: curvature {1 / d.best_step:.2f}, {r.n_iter} steps of α = 0.05",
        fontsize="medium",
    )
    ax.label_outer()
plt.show()

# %%
# A step that is right on the flat side is too large on the steep side, where the largest stable
# step is only :math:`2/e^3 \approx 0.1`. So a line search looks for an :math:`\alpha` that is good
# *here*. It accepts one that lowers the loss by a fair part of what the slope promises, and that
# leaves a slope clearly less steep (the strong conditions of Wolfe):
#
# .. math:: \varphi(\alpha) \leq \varphi(0) + c_1 \alpha \varphi'(0), \qquad
#           |\varphi'(\alpha)| \leq c_2 |\varphi'(0)|.

theta, c1, c2 = 3.0, 0.1, 0.3  # usual are 1e-4 and 0.9, which accept nearly everything here
slope = np.exp(theta) - 2  # d = -slope
alpha = np.linspace(0, 0.3, 400)
along = theta - alpha * slope
value, derivative = np.exp(along) - 2 * along, -(np.exp(along) - 2) * slope
promised = value[0] + c1 * alpha * derivative[0]
good = (value <= promised) & (np.abs(derivative) <= c2 * abs(derivative[0]))

fig, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
ax.plot(alpha, value, color="#333333", label="φ(α)")
ax.plot(alpha, promised, "--", color="#D55E00", label="first condition: φ(α) below this line")
bottom = np.full(good.sum(), value.min() - 0.8)
ax.plot(alpha[good], bottom, "s", color="#009E73", markersize=3, label="both conditions hold")
ax.set(xlabel="step size α", ylabel="loss along the direction of descent")
ax.set_ylim(top=17)
ax.legend(frameon=False, loc="upper right", fontsize="small")
plt.show()

# %%
# The methods with a line search need no step size at all:

for method in (tw.SteepestDescent(), tw.ConjugateGradient(), tw.Newton()):
    r = tw.minimize(loss, [3.0], method)
    print(
        f"{method.name}: theta = {r.theta[0]:.9f} in {r.n_iter} iterations, ln 2 = {np.log(2):.9f}"
    )
