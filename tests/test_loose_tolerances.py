"""Tolerances much larger than the default ones: fewer steps, and still no false word."""

import numpy as np
import pytest

from thalweg.descent.minimize import minimize
from thalweg.losses import MSELoss
from thalweg.optimizers import LBFGS, GradientDescent, LevenbergMarquardt, SteepestDescent

T = np.linspace(0, 5, 30)
DECAY = MSELoss("a*exp(-t/tau)", T, 2 * np.exp(-T / 1.5) + 0.05 * np.cos(9 * T), independent="t")
METHODS = [SteepestDescent(), GradientDescent(), LBFGS(), LevenbergMarquardt()]
RISING = MSELoss("a*exp(-t/tau)", T, 3 + 0.1 * T, independent="t")


@pytest.mark.parametrize("tol", [1e-2, 1e-3, 1e-5])
@pytest.mark.parametrize("which", ["gtol", "xtol", "ftol"])
@pytest.mark.parametrize(
    "method",
    [SteepestDescent(), GradientDescent(), LBFGS(), LevenbergMarquardt()],
    ids=lambda method: method.name,
)
def test_a_loose_tolerance_is_met_sooner_and_is_no_drift(method, which, tol):
    best = minimize(DECAY, [1.0, 1.0]).theta
    loose = minimize(DECAY, [1.0, 1.0], method, **{which: tol})
    assert loose.success, loose.summary()
    assert loose.n_iter <= minimize(DECAY, [1.0, 1.0], method).n_iter
    # a share tol of the loss is left where theta is the root of tol away
    assert (np.abs(loose.theta - best) <= np.sqrt(tol) * (np.abs(best) + 0.1)).all()
    assert not minimize(RISING, [1.0, 1.0], method, **{which: tol}).success
