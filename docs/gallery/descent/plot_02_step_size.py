r"""
The step size
=============

Too small a step wastes iterations, too large a step does not go down at all. Where the border lies
follows from the curvature. On a quadratic loss with Hessian :math:`H` the error
:math:`e = \theta - \theta^*` obeys

.. math:: e \leftarrow (1 - \alpha H) \, e,

so its component along the eigenvector with eigenvalue :math:`\sigma_i` is multiplied by
:math:`1 - \alpha \sigma_i` each time. All of them shrink if and only if
:math:`0 < \alpha < 2 / \sigma_{\max}`.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

loss = tw.QuadraticLoss([[2, 1.2], [1.2, 1.5]], theta_star=[1, -0.5])
start = [-2, 2]

tw.plot.step_sizes(loss, start)
plt.show()

# %%
# With a tenth of the best step the way is smooth and slow. The best step zigzags a little: it
# overshoots along the steep direction just as much as it falls short along the flat one. Three
# percent beyond the border the steep component grows with every step, whatever the flat one does.
#
# The two ends of the spectrum compete, and the best fixed step treats them alike:
# :math:`|1 - \alpha \sigma_{\max}| = |1 - \alpha \sigma_{\min}|` gives
#
# .. math:: \alpha = \frac{2}{\sigma_{\max} + \sigma_{\min}}, \qquad
#           \text{error} \leftarrow \frac{\kappa - 1}{\kappa + 1} \, \text{error}, \qquad
#           \kappa = \frac{\sigma_{\max}}{\sigma_{\min}}.

d = tw.diagnose(loss, start)
print(f"largest stable step {d.largest_stable_step:.4f}, best step {d.best_step:.4f}")

# %%
# How many iterations it takes is not symmetric: a step that is half the best costs twice the
# iterations, but a little more than the best is soon too much.

sizes = np.linspace(0.05, 0.995, 60) * d.largest_stable_step
counts = [
    tw.minimize(loss, start, tw.GradientDescent(step_size=s), max_iter=5000).n_iter for s in sizes
]

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.semilogy(sizes, counts, color="#0072B2")
ax.axvline(
    d.best_step, color="#009E73", linestyle="--", label=r"best, $2/(\sigma_{\max} + \sigma_{\min})$"
)
ax.axvline(
    d.largest_stable_step, color="#D55E00", linestyle="--", label=r"border, $2/\sigma_{\max}$"
)
ax.set(xlabel="step size α", ylabel="iterations")
ax.legend(loc="upper center", frameon=False)
plt.show()

# %%
# Whoever takes too large a step is told so, with the number that would have worked:

print(tw.minimize(loss, start, tw.GradientDescent(step_size=0.5)).reason())
