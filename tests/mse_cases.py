"""Losses and data for the tests of mean squared errors."""

import numpy as np

import thalweg as tw
from thalweg.model.trace import record_outputs

EPS = np.finfo(float).eps


def staged(x, a, b):
    """Terms of every kind: scales, products of all stages, sums, and such as depend on one only."""
    u, v = np.tanh(a * x), np.exp(-b * x)
    return [
        u * v,
        -3.0 * a * u * v,
        u**2,
        b * u,
        x * v,
        -x * v,
        a * b * np.exp(x),
        x * x,
        -x,
        a + b,
        2.0,
        u + v,
        -(u * u),
        np.where(u > v, u, v),
    ]


def recorded(K):
    """Graph and outputs of `staged`."""
    graph, outputs, _ = record_outputs(staged, 1, 2, K, single=True, vector=False)
    return graph, outputs


def data(K, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, K)


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def rational(x, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + x * (b2 + x * (b3 + x * b4))) / (1 + x * (b5 + x * (b6 + x * b7)))


def spiral(y, a, b, c):
    """Two inputs, three outputs, one of them an input only, one linear in a parameter."""
    u, v = y
    return a * np.sin(b * u) * v, c * u + v, u * v


def network(y, theta):
    """A network of one input, three hidden units with tanh, and two outputs."""
    h = np.tanh(theta[0:3] * y + theta[3:6])
    return theta[6:12].reshape(2, 3) @ h + theta[12:14]


class Case:
    """A loss, parameters at which it is tested, and its predictions in NumPy."""

    def __init__(self, model, inputs, n_outputs, theta, weighted=False, vector=False, seed=0):
        rng = np.random.default_rng(seed)
        inputs = np.asarray(inputs)
        self.K = len(inputs)
        self.theta = np.array(theta, float)
        self.P, self.vector, self.model = len(self.theta), vector, model
        self.shape = (self.K,) if n_outputs == 0 else (self.K, n_outputs)
        self.y = inputs
        self.x = rng.standard_normal(self.shape)
        self.w = rng.uniform(0, 2, self.K) if weighted else np.ones(self.K)
        self.loss = tw.MSELoss(
            model,
            inputs,
            self.x,
            self.w if weighted else None,
            n_params=self.P if vector else None,
        )
        self.rng = rng

    def predict(self, theta):
        """Return predictions, shape (K, Nx), sample by sample; theta of any type."""
        rows = []
        for y in self.y:
            f = self.model(y, theta) if self.vector else self.model(y, *theta)
            rows.append(np.atleast_1d(np.asarray(f)))
        return np.array(rows)

    def value(self, theta):
        e = self.x.reshape(self.K, -1) - self.predict(theta)
        return (self.w[:, None] * e * e).sum() / self.K


def uniform(K, *more, seed=3):
    return np.random.default_rng(seed).uniform(0.2, 2, (K, *more))


CASES = {
    "decay": lambda: Case(decay, uniform(50), 0, (2.0, 1.5, 0.3)),
    "decay, one column": lambda: Case(decay, uniform(50), 1, (2.0, 1.5, 0.3)),
    "decay, weighted": lambda: Case(decay, uniform(33), 0, (2.0, 1.5, 0.3), weighted=True),
    "rational": lambda: Case(rational, uniform(60), 0, (1, 2, -1, 0.5, 0.3, 0.8, 0.2)),
    "three outputs": lambda: Case(spiral, uniform(40, 2), 3, (1.0, 2.0, -0.5)),
    "three, weighted": lambda: Case(spiral, uniform(9, 2), 3, (1, 2, -0.5), weighted=True),
    "network": lambda: Case(network, uniform(30), 2, np.linspace(-1, 1, 14), vector=True),
    "one sample": lambda: Case(rational, uniform(1), 0, (1, 2, -1, 0.5, 0.3, 0.8, 0.2)),
}


def scale(values):
    return np.abs(values).max() + EPS
