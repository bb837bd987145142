"""The problems of Moré, Garbow and Hillstrom, ACM Trans. Math. Softw. 7 (1981) 17: L = sum r_i^2.

Starts, sizes and known minima come from a file that stands beside the repository; the residuals are
written here so that complex numbers go through, because their Jacobian is taken by complex steps.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from descent_problems import SumOfSquares

_NAME = "mgh_problems.json"


class Problem(NamedTuple):
    """An instance: residuals(x), the standard start and the minima known."""

    name: str
    number: int
    residuals: object
    start: np.ndarray
    minima: list

    @property
    def loss(self):
        """Its sum of squares."""
        return SumOfSquares(self.residuals, len(self.start), rows=self.number == 35)


def file():
    """Return the path of the file of problems, or None if it is absent."""
    here = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("THALWEG_DATA", here)) / _NAME
    return path if path.exists() else None


# minima that standard starts are known to end in, besides the global one
_LOCAL = {2: [48.9842536792], 18: [5.65565e-3], 26: [2.79506e-5], 27: [1.0]}
_LOWER = {"Chebyquad n=10": [4.77271e-3]}


def load():
    """Return every instance; none if the file is absent."""
    path = file()
    for p in json.loads(path.read_text(encoding="utf-8")) if path else []:
        function, data = _RESIDUALS[p["num"]], p["data"] or {}
        data = {key: np.array(value, float) for key, value in data.items()}
        yield Problem(
            p["name"],
            p["num"],
            _bind(function, p["m"], data),
            np.array(p["x0"], float),
            [p["known_min"], *_LOCAL.get(p["num"], []), *_LOWER.get(p["name"], [])],
        )


def _bind(function, m, data):
    return lambda x: function(x, m, **data)


def _rosenbrock(x, m):
    return np.stack([10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]], axis=1).ravel()


def _freudenstein_roth(x, m):
    return np.array(
        [-13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1], -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1]]
    )


def _powell_badly_scaled(x, m):
    return np.array([1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001])


def _brown_badly_scaled(x, m):
    return np.array([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def _beale(x, m):
    return np.array([1.5, 2.25, 2.625]) - x[0] * (1 - x[1] ** np.arange(1, 4))


def _jennrich_sampson(x, m):
    i = np.arange(1, m + 1)
    return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))


def _helical_valley(x, m):
    turn = np.arctan(x[1] / x[0]) / (2 * np.pi) + (0.5 if x[0].real < 0 else 0)
    return np.array([10 * (x[2] - 10 * turn), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])


def _bard(x, m, y):
    u = np.arange(1.0, 16)
    v = 16 - u
    return y - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


def _gaussian(x, m, y):
    t = (8 - np.arange(1, 16)) / 2
    return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2) - y


def _meyer(x, m, y):
    return x[0] * np.exp(x[1] / (45.0 + 5 * np.arange(1, 17) + x[2])) - y


def _gulf(x, m):
    t = np.arange(1, m + 1) / 100
    y = 25 + (-50 * np.log(t)) ** (2 / 3)
    return np.exp(-(((y - x[1]) ** 2) ** (x[2] / 2)) / x[0]) - t


def _box(x, m):
    t = 0.1 * np.arange(1, m + 1)
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def _powell_singular(x, m):
    a, b, c, d = x.reshape(-1, 4).T
    r = [a + 10 * b, np.sqrt(5) * (c - d), (b - 2 * c) ** 2, np.sqrt(10) * (a - d) ** 2]
    return np.stack(r, axis=1).ravel()


def _wood(x, m):
    return np.array(
        [
            10 * (x[1] - x[0] ** 2),
            1 - x[0],
            np.sqrt(90) * (x[3] - x[2] ** 2),
            1 - x[2],
            np.sqrt(10) * (x[1] + x[3] - 2),
            (x[1] - x[3]) / np.sqrt(10),
        ]
    )


def _kowalik_osborne(x, m, u, y):
    return y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def _brown_dennis(x, m):
    t = np.arange(1, m + 1) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def _osborne1(x, m, y):
    t = 10 * np.arange(m)
    return y - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))


def _biggs(x, m):
    t = 0.1 * np.arange(1, m + 1)
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


def _osborne2(x, m, y):
    t = np.arange(m) / 10
    peaks = sum(x[k] * np.exp(-((t - x[7 + k]) ** 2) * x[4 + k]) for k in range(1, 4))
    return y - (x[0] * np.exp(-t * x[4]) + peaks)


def _watson(x, m):
    powers, slopes = _watson_sums(x.size)
    middle = slopes @ x - (powers @ x) ** 2 - 1
    return np.append(middle, [x[0], x[1] - x[0] ** 2 - 1])


@cache
def _watson_sums(n):
    """t**j and its derivatives, shape (29, n), made once: a fit takes thousands of steps."""
    powers = (np.arange(1, 30) / 29)[:, None] ** np.arange(n)
    return powers, np.hstack([np.zeros((29, 1)), np.arange(1, n) * powers[:, :-1]])


def _penalty1(x, m):
    return np.append(np.sqrt(1e-5) * (x - 1), np.sum(x**2) - 0.25)


def _penalty2(x, m):
    n = len(x)
    i = np.arange(2, n + 1)
    y = np.exp(i / 10) + np.exp((i - 1) / 10)
    first = np.sqrt(1e-5) * (np.exp(x[1:] / 10) + np.exp(x[:-1] / 10) - y)
    second = np.sqrt(1e-5) * (np.exp(x[1:] / 10) - np.exp(-0.1))
    last = np.sum((n - np.arange(n)) * x**2) - 1
    return np.concatenate([[x[0] - 0.2], first, second, [last]])


def _variably_dimensioned(x, m):
    s = np.sum(np.arange(1, len(x) + 1) * (x - 1))
    return np.concatenate([x - 1, [s, s**2]])


def _trigonometric(x, m):
    n = len(x)
    return n - np.sum(np.cos(x)) + np.arange(1, n + 1) * (1 - np.cos(x)) - np.sin(x)


def _brown_almost_linear(x, m):
    return np.append(x[:-1] + np.sum(x) - (len(x) + 1), np.prod(x) - 1)


def _boundary_value(x, m):
    n = len(x)
    h = 1 / (n + 1)
    t, padded = h * np.arange(1, n + 1), np.concatenate([[0], x, [0]])
    return 2 * x - padded[:-2] - padded[2:] + h**2 * (x + t + 1) ** 3 / 2


def _integral_equation(x, m):
    n = len(x)
    h = 1 / (n + 1)
    t = h * np.arange(1, n + 1)
    cube = (x + t + 1) ** 3
    left, right = np.cumsum(t * cube), (1 - t) * cube
    above = np.sum(right) - np.cumsum(right)
    return x + h / 2 * ((1 - t) * left + t * above)


def _broyden_tridiagonal(x, m):
    padded = np.concatenate([[0], x, [0]])
    return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1


def _broyden_banded(x, m):
    n = len(x)
    i, j = np.ogrid[:n, :n]
    near = (j != i) & (j >= i - 5) & (j <= i + 1)
    return x * (2 + 5 * x**2) + 1 - near @ (x * (1 + x))


def _linear_full_rank(x, m):
    return np.append(x, np.zeros(m - len(x))) - 2 / m * np.sum(x) - 1


def _linear_rank1(x, m):
    return np.arange(1, m + 1) * np.sum(np.arange(1, len(x) + 1) * x) - 1


def _linear_rank1_zeros(x, m):
    s = np.sum(np.arange(2, len(x)) * x[1:-1])
    return np.concatenate([[-1], np.arange(1, m - 1) * s - 1, [-1]])


def _chebyquad(x, m):
    """Also of rows of parameters, (..., n): it is called more often than all others together."""
    T, y = np.ones((m + 1, *x.shape), x.dtype), 2 * x - 1
    T[1] = y
    for i in range(1, m):
        T[i + 1] = 2 * y * T[i] - T[i - 1]
    i = np.arange(2, m + 1, 2)
    means = np.moveaxis(np.add.reduce(T[1:], axis=-1), 0, -1) / x.shape[-1]
    means[..., 1::2] += 1 / (i**2 - 1)
    return means


_RESIDUALS = {
    1: _rosenbrock,
    2: _freudenstein_roth,
    3: _powell_badly_scaled,
    4: _brown_badly_scaled,
    5: _beale,
    6: _jennrich_sampson,
    7: _helical_valley,
    8: _bard,
    9: _gaussian,
    10: _meyer,
    11: _gulf,
    12: _box,
    13: _powell_singular,
    14: _wood,
    15: _kowalik_osborne,
    16: _brown_dennis,
    17: _osborne1,
    18: _biggs,
    19: _osborne2,
    20: _watson,
    21: _rosenbrock,
    22: _powell_singular,
    23: _penalty1,
    24: _penalty2,
    25: _variably_dimensioned,
    26: _trigonometric,
    27: _brown_almost_linear,
    28: _boundary_value,
    29: _integral_equation,
    30: _broyden_tridiagonal,
    31: _broyden_banded,
    32: _linear_full_rank,
    33: _linear_rank1,
    34: _linear_rank1_zeros,
    35: _chebyquad,
}
