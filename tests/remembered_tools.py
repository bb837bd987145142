"""Recordings beside those that are made anew, for the tests of what is remembered."""

import numpy as np
import pytest

from thalweg.model import remembered, trace

X = np.linspace(0.5, 5, 20)


def kept():
    return len(remembered._KEPT)


def recorded(function, x=X, n_params=2):
    """What a recording is: its key, and its arrays."""
    r = trace.record(function, 1, n_params, x.shape, single=True, data=[x])
    return r.graph.key((r.output,)), [a.tolist() for a in r.arrays]


def same_as_anew(function, x=X, n_params=2):
    """Record a function, and compare with what it gives when nothing is remembered."""
    found = recorded(function, x, n_params)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "remembered", lambda *_: None)
        assert recorded(function, x, n_params) == found
    return found


def decay(x, a, tau):
    return a * np.exp(-x / tau)
