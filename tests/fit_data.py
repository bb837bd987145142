"""Data of the tests of fit."""

import numpy as np
from problems import decay

X = np.linspace(0, 4, 25)


Y = decay(X, 3, 1.2, 0.5) + 0.01 * np.cos(31 * X)


P0 = (2.0, 1.0, 0.0)
