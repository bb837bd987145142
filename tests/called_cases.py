"""Data for tests of models that Python calls, and the two functions that fit them."""

import warnings

import numpy as np

import thalweg as tw
from thalweg import SlowModelWarning

X = np.arange(8.0)
Y = 2 * X + 1


def params_by(name):
    """Return what fits parameters by either function, without the warning of a called model."""

    def call(model, x=X, y=Y, p0=(1.0, 1.0), **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SlowModelWarning)
            if name == "fit":
                return tw.fit(model, x, y, p0, **options).params
            return tw.curve_fit(model, x, y, p0, **options)[0]

    return call
