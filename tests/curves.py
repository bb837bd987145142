"""Twelve curve models with data, whose fits are tried from poor starts; and their exact Hessians.

Where NIST or Moré, Garbow and Hillstrom give data these are taken, else they are simulated with
normal noise of a fixed seed.  Starts are drawn around ``truth``, for certified data the solution.
"""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

import thalweg as tw
from thalweg.model.autodiff import gradient
from thalweg.model.graph import evaluate
from thalweg.model.trace import record

EPS = np.finfo(float).eps

# ---- the models ------------------------------------------------------------------------------


def decay(x, a, tau, c):
    return a * np.exp(-x / tau) + c


def two_decays(x, a, k, b, m):
    return a * np.exp(-k * x) + b * np.exp(-m * x)


def growth(x, a, k):
    return a * (1 - np.exp(-k * x))


def cubed_growth(x, a, k):
    """Von Bertalanffy's growth of a weight; flat in k for large and for small k."""
    return a * (1 - np.exp(-k * x)) ** 3


def damped_sine(x, a, tau, f, phase):
    return a * np.exp(-x / tau) * np.sin(2 * np.pi * f * x + phase)


def four_parameters(x, bottom, top, middle, slope):
    return bottom + (top - bottom) / (1 + (x / middle) ** -slope)


def gaussian(x, a, x0, s, c):
    return a * np.exp(-((x - x0) ** 2) / (2 * s**2)) + c


def lorentzian_on_line(x, a, x0, w, c, slope):
    return a / (1 + ((x - x0) / w) ** 2) + c + slope * x


def michaelis(x, v, k):
    return v * x / (k + x)


def stretched(x, a, tau, b):
    return a * np.exp(-((x / tau) ** b))


def kowalik(x, b1, b2, b3, b4):
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


def meyer(x, b1, b2, b3):
    return b1 * np.exp(b2 / (x + b3))


def bard(uvw, a, b, c):
    u, v, w = uvw
    return a + u / (v * b + w * c)


def redundant(x, a, b, c):
    """Only a + b is determined."""
    return a * x + b * x + c


def gaussian2d(xy, a, x0, y0, s, c):
    x, y = xy
    return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) + c


# ---- their data ------------------------------------------------------------------------------


class Hessian(NamedTuple):
    """Measures by which points theta (B, P) are judged to be minima of chi2, from its Hessian."""

    lowest: np.ndarray  # (B,) the smallest eigenvalue of H_ij / (D_i D_j)
    decrement: np.ndarray  # (B,) the fall of chi2 that a Newton step promises, relative to chi2
    column: np.ndarray  # (B, P) |J_j| / |e|, the relative effect of a unit of parameter j


class Curve:
    """A model with one data set: ``truth`` (P,) and which parameters are ``linear`` in it."""

    def __init__(self, name, model, x, y, truth, linear):
        self.name, self.model, self.x, self.y = name, model, x, np.asarray(y, float)
        self.truth, self.linear = np.asarray(truth, float), linear

    def __repr__(self):
        return self.name

    def starts(self, number, factor, seed=0):
        """Starts log-uniform within ``factor`` of the truth, shape (number, P)."""
        rng = np.random.default_rng(seed)
        exponents = rng.uniform(-1, 1, (number, len(self.truth)))
        return self.truth * factor**exponents

    def fit(self, starts, **options):
        """Fit from every start (B, P)."""
        return tw.fit(self.model, self.x, np.tile(self.y, (len(starts), 1)), starts, **options)

    @cached_property
    def _graph(self):
        single = not isinstance(self.x, tuple)
        P, xs = len(self.truth), [self.x] if single else list(self.x)
        graph, value, _ = record(self.model, len(xs), P, len(self.y), single=single)
        theta = [graph.theta(j) for j in range(P)]
        first = gradient(graph, value, theta)
        second = [gradient(graph, d, theta[: i + 1]) for i, d in enumerate(first)]
        return graph, xs, value, first, second

    def derivatives(self, theta):
        """f (B, N), J (P, B, N) and second derivatives (P, P, B, N) at theta (B, P)."""
        graph, xs, value, first, second = self._graph
        P, shape = len(self.truth), (len(theta), len(self.y))
        columns = [t[:, None] for t in np.asarray(theta, float).T]
        nodes = [value, *first, *(n for row in second for n in row)]
        values = evaluate(graph, nodes, x=xs, theta=columns)
        f, *rest = (np.broadcast_to(v, shape) for v in values)
        twice = np.empty((P, P, *shape))
        for n, (i, j) in enumerate(zip(*np.tril_indices(P), strict=True)):
            twice[i, j] = twice[j, i] = rest[P + n]
        return f, np.stack(rest[:P]), twice

    def with_jacobian(self, theta):
        """f (N,) and its derivatives (N, P) at one theta (P,)."""
        graph, xs, value, first, _ = self._graph
        values = evaluate(graph, [value, *first], x=xs, theta=list(theta))
        f, *columns = (np.broadcast_to(v, self.y.shape) for v in values)
        return f, np.column_stack(columns)

    def curvature(self, theta, d):
        """d2f(theta; d, d), shape (N,)."""
        _, _, twice = self.derivatives(np.asarray(theta)[None])
        return np.einsum("i,j,ijn->n", d, d, twice[:, :, 0])

    def chi2(self, theta):
        """Sum of squares at theta (B, P), shape (B,)."""
        graph, xs, value, *_ = self._graph
        (f,) = evaluate(graph, [value], x=xs, theta=[t[:, None] for t in np.asarray(theta).T])
        with np.errstate(all="ignore"):
            return ((self.y - np.broadcast_to(f, (len(theta), len(self.y)))) ** 2).sum(-1)

    def hessian(self, theta):
        """Return the measures of points theta (B, P), from exact second derivatives."""
        f, J, twice = self.derivatives(theta)
        e = self.y - f
        chi2 = (e**2).sum(-1)
        size = np.sqrt((J**2).sum(-1)).T  # (B, P)
        D = np.where(size > 0, size, 1.0)
        H = np.einsum("ibn,jbn->bij", J, J) - np.einsum("ijbn,bn->bij", twice, e)
        values, vectors = np.linalg.eigh(H / (D[:, :, None] * D[:, None, :]))
        g = np.einsum("bij,bi->bj", vectors, np.einsum("ibn,bn->bi", J, e) / D)
        decrement = (g**2 / np.maximum(values, EPS)).sum(-1) / np.where(chi2 > 0, chi2, 1)
        return Hessian(
            values[:, 0], decrement, size / np.sqrt(np.where(chi2 > 0, chi2, 1))[:, None]
        )

    def no_minimum(self, theta):
        """Which of the points theta (B, P) are no minima of chi2, shape (B,) of bool.

        A minimum has a Hessian without a negative eigenvalue, of which a Newton step brings nothing
        more, and depends on every parameter: a change by the size of the parameter, here or in
        truth, must be seen in the residuals.
        """
        H = self.hessian(theta)
        seen = H.column * np.maximum(np.abs(theta), np.abs(self.truth))
        return ~((H.lowest > -1e-8) & (H.decrement < 1e-8) & (seen.min(-1) > 1e-5))


def _simulated(name, model, x, truth, noise, linear, seed):
    y = model(x, *truth) + noise * np.random.default_rng(seed).standard_normal(len(x))
    return Curve(name, model, x, y, truth, linear)


# BoxBOD, MGH09 and MGH10 as certified by NIST, and Bard's data: x, y and the solution
_PUBLISHED = {
    "BoxBOD": (
        (1, 2, 3, 5, 7, 10),
        (109, 149, 149, 191, 213, 224),
        (213.80940889, 0.54723748542),
    ),
    "MGH09": (
        (4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625),
        (
            *(0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627),
            *(0.0456, 0.0342, 0.0323, 0.0235, 0.0246),
        ),
        (0.19280693458, 0.19128232873, 0.12305650693, 0.13606233068),
    ),
    "MGH10": (
        range(50, 130, 5),
        (
            *(34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744),
            *(8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872),
        ),
        (5.609636471e-03, 6181.3463463, 345.22363462),
    ),
    "Bard": (
        range(1, 16),
        (
            *(0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39),
            *(0.37, 0.58, 0.73, 0.96, 1.34, 2.1, 4.39),
        ),
        (0.08241056, 1.133036, 2.343695),
    ),
}


def published(name, model):
    """A curve of published data; Bard's model has three variables, u, 16 - u and the smaller."""
    x, y, solution = _PUBLISHED[name]
    u = np.array(x, float)
    return Curve(
        name, model, (u, 16 - u, np.minimum(u, 16 - u)) if name == "Bard" else u, y, solution, (0,)
    )


def all_curves():
    """Return the twelve curves."""
    t, wide = np.linspace(0, 10, 50), np.geomspace(0.01, 100, 40)
    peak = np.linspace(0, 10, 60)
    return [
        _simulated("decay + c", decay, t, (3, 2, 0.5), 0.05, (0, 2), 1),
        _simulated("two decays", two_decays, t, (3, 0.3, 5, 2), 0.02, (0, 2), 2),
        published("BoxBOD", growth),
        _simulated("damped sine", damped_sine, t, (2, 4, 0.3, 0.5), 0.05, (0,), 3),
        _simulated("4PL", four_parameters, wide, (0.5, 3, 2, 1.2), 0.03, (0, 1), 4),
        _simulated("Gaussian + c", gaussian, peak, (3, 4, 0.8, 0.5), 0.05, (0, 3), 5),
        _simulated(
            "Lorentzian + line", lorentzian_on_line, peak, (3, 4, 0.8, 0.5, 0.1), 0.05, (0, 3, 4), 6
        ),
        _simulated("Michaelis", michaelis, np.linspace(0.1, 10, 20), (2, 1.5), 0.03, (0,), 7),
        _simulated("stretched", stretched, t[1:], (2, 2.5, 0.7), 0.02, (0,), 8),
        published("MGH09", kowalik),
        published("MGH10", meyer),
        published("Bard", bard),
    ]


def cubed_growth_curve():
    """The two-parameter growth curve."""
    return _simulated("growth", cubed_growth, np.linspace(0.5, 12, 24), (5, 0.4), 0.1, (0,), 9)


def easy(model, x, truth, noise, number, seed=0):
    """Data sets of one model and starts 10 % off, (number, N) and (number, P)."""
    rng = np.random.default_rng(seed)
    truth = np.asarray(truth, float)
    true = truth * rng.uniform(0.9, 1.1, (number, len(truth)))
    f = model(x, *true.T[:, :, None])
    y = f + noise * rng.standard_normal(f.shape)
    return y, true * (1 + 0.1 * rng.choice([-1, 1], true.shape))


class Easy(NamedTuple):
    """A batch of easy fits, which every engine converges on quickly."""

    name: str
    model: Callable
    x: object
    truth: tuple
    noise: float


def easy_sets():
    """Return easy batches, which must not be slowed down by measures for hard ones."""
    t, wide = np.linspace(0, 10, 50), np.geomspace(0.01, 100, 40)

    def grid(n):
        x, y = np.meshgrid(np.arange(n, dtype=float), np.arange(n, dtype=float))
        return x.ravel(), y.ravel()

    return [
        Easy("gauss2d 5x5", gaussian2d, grid(5), (500.0, 2.1, 1.9, 1.0, 10.0), 20.0),
        Easy("gauss2d 15x15", gaussian2d, grid(15), (500.0, 7.1, 6.9, 2.0, 10.0), 20.0),
        Easy("mono-exponential", lambda x, a, tau: a * np.exp(-x / tau), t, (3.0, 2.0), 0.05),
        Easy("decay + c", decay, t, (3.0, 2.0, 0.5), 0.05),
        Easy("4PL", four_parameters, wide, (0.5, 3.0, 2.0, 1.2), 0.03),
    ]
