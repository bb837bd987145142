"""Least-squares problems shared by the tests, and how the reference sees a model."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

import thalweg as tw
from thalweg import reference
from thalweg.model.autodiff import gradient, jvp
from thalweg.model.graph import evaluate
from thalweg.model.tape import linear_together
from thalweg.model.trace import record, record_outputs

EPS = np.finfo(float).eps


# Loose enough that rounding decides neither which test stops a fit nor in which step.
COARSE = dict(xtol=1e-5, ftol=1e-8, gtol=1e-5)
# Rounding grows along the path of a fit, in chaotic regions tenfold a step; observed: 4e-12 for
# all but one in a thousand fits of at most this many steps.
STEPS_COMPARED = 20
PATH_AGREEMENT = 1e-8

EXACT = 1e3 * EPS  # smaller relative residuals are rounding, which then decides the status

RUN_AWAY = 1e6  # a parameter beyond this is not determined by the data: rounding decides it


def agrees(got, want, floor=0.0):
    """Return whether two values differ by rounding along the path, or by at most ``floor``."""
    error, allowed = np.abs(got - want), PATH_AGREEMENT * np.abs(want) + floor
    assert (error <= allowed).all(), f"{got} is not {want}: {error} > {allowed}"


def line(x, a, b):
    return a + b * x


def parabola(x, a, b, c):
    return a + b * x + c * x**2


def decay(x, a, tau, c):
    return a * np.exp(-x / tau) + c


def gaussian(x, a, x0, s, c):
    return a * np.exp(-((x - x0) ** 2) / (2 * s**2)) + c


def lorentzian(x, a, x0, w):
    return a / (1 + ((x - x0) / w) ** 2)


def two_decays(x, a, k, b, m):
    return a * np.exp(-k * x) + b * np.exp(-m * x)


def wave(x, a, w, phase):
    return a * np.sin(w * x + phase)


# model, typical parameters
MODELS: list[tuple[Callable, tuple[float, ...]]] = [
    (line, (1.0, -2.0)),
    (parabola, (1.0, -2.0, 0.5)),
    (decay, (3.0, 1.2, 0.5)),
    (gaussian, (4.0, 2.1, 0.6, 1.0)),
    (lorentzian, (4.0, 1.8, 0.5)),
    (two_decays, (2.0, 0.4, 3.0, 2.5)),
    (wave, (2.0, 1.5, 0.3)),
]


class Problem(NamedTuple):
    """Data of one fit, with a start and perhaps bounds and sigma."""

    model: Callable
    x: np.ndarray
    y: np.ndarray
    start: np.ndarray
    sigma: np.ndarray | None
    bounds: tuple[np.ndarray, np.ndarray] | None

    def fit(self, **options):
        """The engine's result."""
        return tw.fit(
            self.model, self.x, self.y, self.start, sigma=self.sigma, bounds=self.bounds, **options
        )

    def specified(self, **options):
        """The result of the specification."""
        lower, upper = self.bounds or (None, None)
        P = len(self.start)
        return reference.levenberg_marquardt(
            with_jacobian(self.model, self.x, P),
            self.y,
            self.start,
            sigma=self.sigma,
            lower=lower,
            upper=upper,
            curvature=curvature(self.model, self.x, P),
            linear=linear(self.model, self.x, P),
            **{"max_iter": 200 * (P + 1), **options},
        )

    @property
    def magnitude(self):
        """Sum of (y/sigma)^2, of which rounding leaves chi2 a fraction eps^2."""
        return np.sum((self.y / (1 if self.sigma is None else self.sigma)) ** 2)

    def __repr__(self):
        return (
            f"Problem({self.model.__name__}, x={self.x.tolist()}, y={self.y.tolist()}, "
            f"start={self.start.tolist()}, sigma={self.sigma}, bounds={self.bounds})"
        )


def nearly_equal(n_points, apart):
    """Columns u and u + apart v, exact in binary."""
    u, v = np.round(np.random.default_rng(0).standard_normal((2, n_points)) * 2**20) / 2**20
    return u, u + apart * v


def with_jacobian(model, x, n_params):
    """theta -> f and df/dtheta, in NumPy, from the same graph that the engine compiles."""
    graph, value, _ = record(model, 1, n_params, len(x), single=True)
    nodes = [value, *gradient(graph, value, [graph.theta(j) for j in range(n_params)])]

    def both(theta):
        values = evaluate(graph, nodes, x=[x], theta=theta)
        f, *columns = (np.broadcast_to(v, x.shape) for v in values)
        return f, np.column_stack(columns)

    return both


def curvature(model, x, n_params):
    """theta, d -> d2f(theta; d, d), in NumPy: the derivative along d, twice."""
    graph, (value,), _ = record_outputs(
        model, 1, n_params, len(x), single=True, vector=False, room=n_params
    )
    theta = [graph.theta(j) for j in range(n_params)]
    along = [graph.theta(n_params + j) for j in range(n_params)]
    for _ in range(2):
        (value,) = jvp(graph, [value], theta, along)

    def second(theta, d):
        (w,) = evaluate(graph, [value], x=[x], theta=[*theta, *d])
        return np.broadcast_to(w, x.shape)

    return second


def linear(model, x, n_params):
    """The parameters in which the model is linear together, as the engine finds them."""
    graph, value, _ = record(model, 1, n_params, len(x), single=True)
    derivatives = gradient(graph, value, [graph.theta(j) for j in range(n_params)])
    return linear_together(graph, derivatives, range(n_params))


@st.composite
def problems(draw, bounded=None, noise=None):
    """A model near its typical parameters; few points, bounds that bind and sigma are frequent."""
    model, typical = draw(st.sampled_from(MODELS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    P = len(typical)
    N = draw(st.integers(P, 40))
    x = np.sort(rng.uniform(0, 5, N))
    truth = np.array(typical) * rng.uniform(0.8, 1.25, P)
    level = draw(st.sampled_from([0.0, 1e-6, 0.01, 0.1])) if noise is None else noise
    y = model(x, *truth) + level * rng.standard_normal(N)
    start = truth * rng.uniform(0.7, 1.4, P)
    sigma = rng.uniform(0.5, 2, N) if draw(st.booleans()) else None
    if not (draw(st.booleans()) if bounded is None else bounded):
        return Problem(model, x, y, start, sigma, None)
    lower = np.where(
        rng.random(P) < 0.5, np.minimum(truth, start) - rng.uniform(0, 0.3, P), -np.inf
    )
    upper = np.where(rng.random(P) < 0.5, np.maximum(truth, start) + rng.uniform(0, 0.3, P), np.inf)
    binds = rng.random(P) < 0.3  # the truth lies outside
    upper = np.where(binds, np.maximum(start, (start + truth) / 2), upper)
    lower = np.minimum(lower, start)
    return Problem(model, x, y, start, sigma, (lower, upper))
