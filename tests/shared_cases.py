"""Data sets that share parameters, drawn at random, and what their fits are compared with."""

from functools import partial
from typing import NamedTuple

import numpy as np

import thalweg as tw
from thalweg.fitting.data import arrange
from thalweg.fitting.groups import Means, fit_groups
from thalweg.fitting.jobs import compiled_job
from thalweg.fitting.options import options_for
from thalweg.fitting.problem import prepare
from thalweg.fitting.shared import share
from thalweg.fitting.storage import result_of, results_for
from thalweg.model import as_model


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def two_decays(t, a, b, s, u, c):
    return a * np.exp(-t / s) + b * np.exp(-t / u) + c


def peak(x, a, m, s, c):
    return a * np.exp(-(((x - m) / s) ** 2) / 2) + c


class Case(NamedTuple):
    """G groups of M data sets of N points."""

    model: object
    x: np.ndarray  # (N,) or (G, M, N)
    y: np.ndarray  # (G, M, N)
    start: np.ndarray  # (G, M, P)
    shared: list
    options: dict

    @property
    def names(self):
        return list(self.model.__code__.co_varnames[1 : self.model.__code__.co_argcount])

    def fit(self, **options):
        return tw.fit(
            self.model, self.x, self.y, self.start, shared=self.shared, **self.options | options
        )

    def group(self, g):
        """One of the groups."""
        options = {k: v[g] if k == "sigma" else v for k, v in self.options.items()}
        x = self.x[g] if self.x.ndim > 1 else self.x
        return self._replace(x=x, y=self.y[g], start=self.start[g], options=options)

    def weights(self):
        sigma = np.broadcast_to(self.options.get("sigma", 1.0), self.y.shape)
        return np.where(np.isnan(self.y), 0.0, 1 / sigma)


def truth(rng, model, groups, members):
    """Parameters (G, M, P) of which any may be shared later, and those that usually are."""
    size = (groups, members)
    a, c = rng.uniform(1, 3, size), rng.uniform(0, 1, size)
    one = np.exp(0.2 * rng.standard_normal((groups, 1))) * np.ones(size)
    if model is decay:
        return np.stack([a, 2 * one, c], -1), ["tau"]
    if model is two_decays:
        return np.stack([a, rng.uniform(1, 3, size), 0.4 * one, 3 * one, c], -1), ["s", "u"]
    return np.stack([a, rng.uniform(-1, 1, size), 1.3 * one, c], -1), ["s"]


def draw(seed, *, groups=None, members=None, points=None, noise=None, bounded=None):
    """A case of random model, sizes, shared parameters, weights, missing points, bounds, units."""
    rng = np.random.default_rng(seed)
    model = (decay, two_decays, peak)[rng.integers(3)]
    G, M = groups or rng.integers(1, 4), members or rng.choice([1, 2, 3, 8, 9, 16, 17])
    N = points or rng.choice([12, 25, 40])
    theta, shared = truth(rng, model, G, M)
    case = Case(
        model, np.linspace(-4, 4, N) if model is peak else np.linspace(0, 6, N), *[None] * 4
    )
    names = case.names
    if model is not two_decays:
        shared = rng.choice(names, rng.integers(1, len(names) + 1), replace=False).tolist()
    for name in shared:
        theta[..., names.index(name)] = theta[:, :1, names.index(name)]
    x = case.x + 0.01 * rng.standard_normal((G, M, N)) if rng.random() < 0.3 else case.x
    clean = [
        [model(x[g, m] if x.ndim > 1 else x, *theta[g, m]) for m in range(M)] for g in range(G)
    ]
    noise = 10 ** rng.uniform(-4, -1.5) if noise is None else noise
    unit = 10.0 ** rng.choice([0, 0, -20, 15])
    y = np.array(clean) + noise * rng.standard_normal((G, M, N))
    start = theta * np.exp(0.1 * rng.standard_normal(theta.shape))
    options = {}
    if rng.random() < 0.4:
        options["sigma"] = unit * noise * rng.uniform(0.5, 2, y.shape)
        options["absolute_sigma"] = bool(rng.random() < 0.5)
    if rng.random() < 0.3:
        y[rng.random(y.shape) < 0.1] = np.nan
    heights = [j for j, name in enumerate(names) if name in "abc"]
    y, start[..., heights] = unit * y, unit * start[..., heights]
    if bounded or (bounded is None and rng.random() < 0.3):
        lower, upper = np.full((2, len(names)), [[-np.inf], [np.inf]])
        lower[0], upper[-1] = 1.5 * unit, 0.6 * unit
        options["bounds"] = lower, upper
        start = np.clip(start, lower, upper)
    return Case(model, x, y, start, shared, options)


def from_start(case, dtype=np.float64, **options):
    """The fit of the engine's groups alone, from the start itself, in one attempt."""
    info, dtype = as_model(case.model, None), np.dtype(dtype)
    given = case.options | options
    data = arrange(case.x, case.y, given.get("sigma"), None, None, dtype, info.n_x, ())
    absolute = bool(given.get("absolute_sigma"))
    problem = prepare(info, data, case.start, given.get("bounds"), None, dtype, absolute)
    problem = share(problem, case.shared, None)
    steps = {name: given[name] for name in ("xtol", "ftol", "gtol", "max_iter") if name in given}
    means = Means(lambda *_: None, compiled_job, options_for(dtype, len(case.names), **steps), 1)
    out = results_for(problem)
    _, begin = problem.sharing.in_order()
    fit_groups(problem, out, begin, means, None)
    out["attempts"].fill(1)
    return result_of(problem, out, finished=True)


def evaluate(case, m, theta):
    """[J | e] / sigma of one data set of a single group, at theta."""
    x = case.x[m] if case.x.ndim > 1 else case.x
    jacobian = partial(
        tw.fit, case.model, x, np.nan_to_num(case.y[m]), theta, max_iter=0
    )().jacobian
    e = np.nan_to_num(case.y[m]) - case.model(x, *theta)
    return np.column_stack([jacobian, e]) * case.weights()[m][:, None]


def stacked(case, params, at_bound):
    """The Jacobian of one group's problem, over all its parameters that are not at a bound, the
    residuals, and for each data set the columns of its parameters, -1 where there is none."""
    names, (M, N) = case.names, case.y.shape
    common = [names.index(name) for name in case.shared]
    own = [j for j in range(len(names)) if j not in common]
    S, L = len(common), len(own)
    J, columns = np.zeros((M * N, S + M * L)), np.zeros((M, len(names)), int)
    e = np.zeros(M * N)
    free = np.ones(S + M * L, bool)
    for m in range(M):
        columns[m, common], columns[m, own] = np.arange(S), S + m * L + np.arange(L)
        rows = evaluate(case, m, params[m])
        J[m * N : (m + 1) * N, columns[m]], e[m * N : (m + 1) * N] = rows[:, :-1], rows[:, -1]
        free[columns[m]] &= ~at_bound[m]
    place = np.where(free, np.cumsum(free) - 1, -1)
    return J[:, free], e, place[columns]


def inverse_normal(J):
    """(J'J)^-1 by orthogonal factorisation, of columns scaled to length 1."""
    size = np.linalg.norm(J, axis=0)
    R = np.linalg.inv(np.linalg.qr(J / size)[1])
    return (R @ R.T) / np.outer(size, size)
