"""Models to draw from: what NumPy computes, what Thalweg is given, and where parameters lie."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Template:
    """A model with the ranges of its true parameters.

    Attributes
    ----------
    function : callable
        f(x, a, b, ...) in NumPy.
    formula : str or None
        The same as text, in x (or x, y) and the parameters' names.
    ranges : dict name -> (low, high, kind)
        Kind "log": drawn log-uniformly; "sign": the same with a random sign; "lin": uniformly.
    x : tuple of float
        Between what x lies.
    n_x : int
        How many independent variables.
    builtin : str or None
        The built-in model that is the same.
    level : tuple of str
        Parameters that have the unit of y.
    side, piece : callable or None
        The kink of a model, if it has one: side(x, a, b, ...) tells on which side of it each point
        lies, -1 or 1, and 0 for a point on it; piece(side, x, a, b, ...) is f with each point held
        on its side.
    """

    function: Any
    formula: str
    ranges: dict
    x: tuple = (0.0, 5.0)
    n_x: int = 1
    builtin: str | None = None
    level: tuple = ("a", "c")
    side: Any = None
    piece: Any = None

    @property
    def names(self):
        """Names of the parameters."""
        return tuple(self.ranges)


A, C = (0.5, 5, "sign"), (-2, 2, "lin")

TEMPLATES = (
    Template(lambda x, a, c: a * x + c, "a*x + c", {"a": A, "c": C}, builtin="line"),
    Template(
        lambda x, a, b, c: a + b * x + c * x**2,
        "a + b*x + c*x**2",
        {"a": A, "b": A, "c": C},
        x=(-2, 3),
        builtin="polynomial2",
        level=("a", "b", "c"),
    ),
    Template(
        lambda x, a, t, c: a * np.exp(-x / t) + c,
        "a*exp(-x/t) + c",
        {"a": A, "t": (0.5, 3, "log"), "c": C},
        builtin="exponential",
    ),
    Template(
        lambda x, a, s, b, t: a * np.exp(-x / s) + b * np.exp(-x / t),
        "a*exp(-x/s) + b*exp(-x/t)",
        {"a": A, "s": (0.2, 0.8, "log"), "b": A, "t": (2, 6, "log")},
        level=("a", "b"),
    ),
    Template(
        lambda x, a, m, w, c: a * np.exp(-0.5 * ((x - m) / w) ** 2) + c,
        "a*exp(-0.5*((x - m)/w)**2) + c",
        {"a": A, "m": (1.5, 3.5, "lin"), "w": (0.3, 1, "log"), "c": C},
        builtin="gaussian",
    ),
    Template(
        lambda x, a, m, w, c: a / (1 + ((x - m) / w) ** 2) + c,
        "a/(1 + ((x - m)/w)**2) + c",
        {"a": A, "m": (1.5, 3.5, "lin"), "w": (0.3, 1, "log"), "c": C},
        builtin="lorentzian",
    ),
    Template(
        lambda x, a, m, w, c: a / (1 + np.exp(-(x - m) / w)) + c,
        "a/(1 + exp(-(x - m)/w)) + c",
        {"a": A, "m": (1.5, 3.5, "lin"), "w": (0.3, 1, "log"), "c": C},
        builtin="logistic",
    ),
    Template(
        lambda x, a, k: a * x / (k + x),
        "a*x/(k + x)",
        {"a": A, "k": (0.5, 3, "log")},
        x=(0.1, 8),
        builtin="michaelis_menten",
    ),
    Template(
        lambda x, a, p: a * x**p,
        "a*x**p",
        {"a": A, "p": (-1.5, 2.5, "lin")},
        x=(0.3, 4),
        builtin="power_law",
    ),
    Template(
        lambda x, a, f, p, c: a * np.sin(f * x + p) + c,
        "a*sin(f*x + p) + c",
        {"a": A, "f": (1, 3, "log"), "p": (-1, 1, "lin"), "c": C},
    ),
    Template(
        lambda x, a, t, f, p: a * np.exp(-x / t) * np.cos(f * x + p),
        "a*exp(-x/t)*cos(f*x + p)",
        {"a": A, "t": (1, 5, "log"), "f": (1, 3, "log"), "p": (-1, 1, "lin")},
        level=("a",),
    ),
    Template(
        lambda x, a, m, w: a * special.erf((x - m) / w),
        "a*erf((x - m)/w)",
        {"a": A, "m": (1.5, 3.5, "lin"), "w": (0.3, 2, "log")},
        level=("a",),
    ),
    Template(
        lambda x, a, b: a * np.log1p(b * x),
        "a*log1p(b*x)",
        {"a": A, "b": (0.3, 3, "log")},
        level=("a",),
    ),
    Template(
        lambda x, a, k, b: np.where(x < k, a * x, a * k + b * (x - k)),
        "a*x if x < k else a*k + b*(x - k)",
        {"a": A, "k": (2, 3, "lin"), "b": A},
        level=("a", "b"),
        side=lambda x, a, k, b: np.sign(x - k),
        piece=lambda side, x, a, k, b: np.where(side < 0, a * x, a * k + b * (x - k)),
    ),
    Template(
        lambda x, a, b, c: a * np.tanh(b * x) + c * np.abs(x - 1),
        "a*tanh(b*x) + c*abs(x - 1)",
        {"a": A, "b": (0.3, 2, "log"), "c": C},
    ),
    Template(
        lambda x, a, b, c: a + b * x[0] + c * x[1],
        "a + b*x + c*y",
        {"a": A, "b": A, "c": C},
        n_x=2,
        level=("a", "b", "c"),
    ),
    Template(
        lambda x, a, m, n, w, c: a * np.exp(-0.5 * ((x[0] - m) ** 2 + (x[1] - n) ** 2) / w**2) + c,
        "a*exp(-0.5*((x - m)**2 + (y - n)**2)/w**2) + c",
        {"a": A, "m": (1.5, 3.5, "lin"), "n": (1.5, 3.5, "lin"), "w": (0.6, 1.5, "log"), "c": C},
        n_x=2,
    ),
    Template(  # c and a are one parameter only
        lambda x, a, b, c: a * x + b * x + c,
        "a*x + b*x + c",
        {"a": A, "b": A, "c": C},
        level=("a", "b", "c"),
    ),
)
