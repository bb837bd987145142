"""The points of the tests of recording."""

import numpy as np

X = np.array([-3.1, -1.0, -0.4, 0.0, 0.3, 0.9, 1.0, 2.2, 30.0])
N = len(X)
