"""
A curve in a pipeline
=====================

``CurveRegressor`` makes a regressor of scikit-learn from any model: it is searched, cross-validated
and scored as the others are. Here cross-validation decides between three growth curves of a
culture, none of which is linear in its parameters.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.model_selection import KFold, cross_val_score

from thalweg.scale.sklearn import CurveRegressor

rng = np.random.default_rng(2)
hours = np.sort(rng.uniform(0, 24, 60))
density = 1.8 * np.exp(-np.exp(0.35 * (9 - hours))) + 0.05 + rng.normal(0, 0.05, hours.size)
X = hours[:, None]


def exponential(t, a, rate):
    return a * np.exp(rate * t)


def logistic(t, top, rate, middle, bottom):
    return bottom + top / (1 + np.exp(-rate * (t - middle)))


def gompertz(t, top, rate, middle, bottom):
    return bottom + top * np.exp(-np.exp(-rate * (t - middle)))


curves = {
    "exponential": CurveRegressor(exponential, p0={"a": 0.2, "rate": 0.1}),
    "logistic": CurveRegressor(logistic, p0={"top": 2, "rate": 0.5, "middle": 10, "bottom": 0}),
    "Gompertz": CurveRegressor(gompertz, p0={"top": 2, "rate": 0.5, "middle": 10, "bottom": 0}),
    "Gaussian process": GaussianProcessRegressor(RBF(5) + WhiteKernel(0.01), normalize_y=True),
}

# %%
# A score is that of points that the fit has not seen.

folds = KFold(10, shuffle=True, random_state=0)
scores = {name: cross_val_score(curve, X, density, cv=folds) for name, curve in curves.items()}
for name, score in scores.items():
    print(f"{name:>16}: R2 = {score.mean():.4f} +- {score.std() / np.sqrt(10):.4f}")
assert scores["Gompertz"].mean() > scores["exponential"].mean()

# %%
# The parameters have a meaning and errors, and a prediction has a standard error, as Gaussian
# processes have it. Beyond the data the curve knows where it goes, and the process does not.

best = curves["Gompertz"].fit(X, density)
print(best.result_.summary())
ahead = np.linspace(0, 36, 200)[:, None]

fig, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
ax.plot(hours, density, ".", color="#333333")
for name, colour in (("Gompertz", "#D55E00"), ("Gaussian process", "#0072B2")):
    value, error = curves[name].fit(X, density).predict(ahead, return_std=True)
    ax.plot(ahead, value, color=colour, label=name)
    ax.fill_between(ahead[:, 0], value - 2 * error, value + 2 * error, color=colour, alpha=0.2)
ax.set(title="Ahead of the data", xlabel="hours", ylabel="optical density", ylim=(-0.5, 3))
ax.legend()
plt.show()
