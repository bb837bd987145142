r"""
Steepest descent
================

Why fix the step size at all? Along the line :math:`\theta + \alpha d^t` the loss is a function of
one number, and on a quadratic loss its minimum is known in closed form. With the gradient
:math:`g = \nabla L` and :math:`d = -g`

.. math:: \alpha = \frac{g \, g^t}{g \, H g^t},

at the price of one product with the Hessian :math:`H`. This is steepest descent with exact line
search: no setting, and no risk of going up.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

loss = tw.QuadraticLoss([[1, 0], [0, 10]])
start = [10, 1]
steepest = tw.minimize(loss, start, tw.SteepestDescent(), record=True)

tw.plot.contours(loss, steepest, limits=((-4, 11), (-4, 4)))
plt.show()

# %%
# At the lowest point of a line the gradient is perpendicular to that line. So every direction is
# perpendicular to the one before, and the way is a zigzag across the valley. From this start, the
# worst one, each step multiplies the loss by :math:`\left(\frac{\kappa - 1}{\kappa + 1}\right)^2`:
# the best step along each line is no better in the long run than one fixed step for all lines.

steps = np.diff(steepest.history.theta, axis=0)[:4]
steps /= np.linalg.norm(steps, axis=1, keepdims=True)
print("cosines of the angles between successive steps:")
print([f"{a @ b:.1e}" for a, b in pairwise(steps)])

# %%
# The step sizes alternate between two values, one long enough for the flat direction and one for
# the steep. A fixed step has to be safe for the steep one always.

fixed = tw.minimize(loss, start, tw.GradientDescent(), record=True)
tw.plot.convergence([fixed, steepest], tw.diagnose(loss, start))
plt.show()

# %%
# From another start steepest descent may be much faster, because the fixed step has no luck to
# have. What it cannot do is remember: each step forgets what the one before has found out about the
# valley. :ref:`sphx_glr_auto_gallery_descent_plot_08_slow_convergence.py` shows the methods that
# do.

lucky = [9, 3]
for method in (tw.GradientDescent(), tw.SteepestDescent()):
    print(f"{method.name}: {tw.minimize(loss, lucky, method).n_iter} iterations")
