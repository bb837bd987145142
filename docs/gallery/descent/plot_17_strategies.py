r"""
How a linear model is solved
============================

`coordinate_descent` has two ways to minimise over the coefficients that matter, the working set.
One keeps the residual :math:`r = b - A\theta` and passes over the columns of the working set; the
other forms their Gram matrix :math:`A^t A` once and then needs no data at all, so that a sweep
costs next to nothing and Newton steps are at hand. Which is cheaper depends on how often the
working set is swept: much where columns resemble each other.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw

rng = np.random.default_rng(0)
n, P = 500, 2000


def correlated(rho):
    """Columns of which each has the correlation rho with the one before."""
    A = rng.standard_normal((n, P))
    for j in range(1, P):
        A[:, j] = rho * A[:, j - 1] + np.sqrt(1 - rho**2) * A[:, j]
    return A


def problem(rho):
    A = correlated(rho)
    truth = np.zeros(P)
    truth[:: P // 20] = rng.standard_normal(20)
    b = A @ truth + 0.5 * rng.standard_normal(n)
    return A, b, np.abs(A.T @ b).max() / 30


# %%
# The gap against time. Each point is a solution to another tolerance, and its time is the least
# of five that one thread needed for it.


def solve(A, b, l1, tol, strategy):
    """Return the result, and the least of five times in milliseconds."""
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        r = tw.coordinate_descent(A, b, l1=l1, tol=tol, strategy=strategy, threads=1)
        seconds.append(time.process_time() - begin)
    return r, 1e3 * min(seconds)


fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
tolerances = 10.0 ** -np.arange(1, 11)
for ax, rho in zip(axes, (0.0, 0.95), strict=True):
    A, b, l1 = problem(rho)
    for strategy in ("gram", "residual", "auto"):
        solved = [solve(A, b, l1, tol, strategy) for tol in tolerances]
        gaps = [r.gap / (0.5 * b @ b) for r, _ in solved]
        style = "k--" if strategy == "auto" else "o-"
        ax.semilogy([t for _, t in solved], gaps, style, ms=4, label=strategy)
    ax.set(title=f"neighbouring columns correlated by {rho}", xlabel="time / ms", xlim=(0, None))
axes[0].set_ylabel("duality gap / (½ ‖b‖²)")
axes[0].legend()
plt.show()

# %%
# Screening at work
# -----------------
#
# Most columns are never looked at twice. From the gap follows a ball in which the dual solution
# lies, and a column whose product with everything in that ball stays below its penalty has a
# coefficient of 0 in every minimum (Fercoq, Gramfort and Salmon 2015). The smaller the gap, the
# smaller the ball. What is left is taken into the working set, the worst offenders first.

A, b, l1 = problem(0.6)
r = tw.coordinate_descent(A, b, l1=l1, tol=1e-12)
h = r.history
support = np.count_nonzero(r.theta)

norms = np.linalg.norm(A, axis=0)
slope = np.abs(A.T @ (b - A @ r.theta))  # at the minimum, which is the centre of these balls
left_over = [np.count_nonzero(slope + np.sqrt(2 * gap) * norms >= l1) for gap in h.gap]

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.semilogy(range(1, len(h.gap)), h.working[1:], "o-", label="in the working set")
ax.semilogy(left_over, "s--", label="that a ball of this gap cannot exclude")
ax.axhline(support, color="0.6", ls=":", label=f"not 0 in the minimum: {support}")
ax.axhline(P, color="0.8", lw=1)
ax.set(xlabel="round", ylabel=f"columns of {P}", title="screening at work")
ax.set_xticks(range(len(h.gap)))
ax.legend(fontsize="small")
plt.show()

# %%
# Residual against fitted
# -----------------------
#
# A converged model need not be a good one. Residuals against fitted values show what the model does
# not know: here an l1 of a third of its largest value shrinks all coefficients, so residuals rise
# with what is fitted. Least squares on the columns that the lasso has chosen takes that back.

strong = tw.coordinate_descent(A, b, l1=10 * l1)
chosen = np.where(strong.theta != 0, 0.0, np.inf)
again = tw.coordinate_descent(A, b, l1=chosen, tol=1e-12)

fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharex=True, sharey=True, layout="constrained")
for ax, model, title in zip(
    axes, (strong, again), ("l1 = λmax / 3", "least squares on its columns"), strict=True
):
    fitted = model.predict(A)
    ax.plot(fitted, b - fitted, ".", ms=4)
    ax.axhline(0, color="0.6", lw=1)
    line = np.polyfit(fitted, b - fitted, 1)
    ends = np.array([fitted.min(), fitted.max()])
    ax.plot(ends, np.polyval(line, ends), "C1", label=f"slope {line[0]:.2f}")
    ax.set(title=title, xlabel="fitted")
    ax.legend()
axes[0].set_ylabel("residual")
plt.show()
