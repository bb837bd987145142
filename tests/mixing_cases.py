"""Models whose points mix, as a user writes them; N is the number of points of their data."""

import numpy as np

import thalweg as tw


def response_of(taps):
    """A lopsided response that is not 0 anywhere."""
    k = np.arange(taps)
    return (0.3 + np.exp(-0.5 * ((k - taps / 3) / (1 + taps / 5)) ** 2)) / (1 + taps)


def of_length(N, taps=5):
    """The models by name, for data of N points and responses of ``taps``: each takes x, a, b, c."""
    taps = min(taps, N)
    r = response_of(taps)
    grid = np.linspace(0.0, 4.0, N + taps - 1)  # longer than the data
    further = np.linspace(0.0, 5.0, N + 3)
    few = np.linspace(0.1, 3.0, 7)
    K = np.cos(np.outer(np.arange(N) + 1.0, np.arange(7) + 0.5) / 5)
    square = np.sin(np.outer(np.arange(N) + 1.0, np.arange(N) + 2.0) / 7) / N
    knots, heights = np.array([-1.0, 0.3, 0.9, 2.0, 5.0]), np.array([0.2, 1.0, -0.5, 2.0, 1.0])

    def decay(x, a, b):
        return a * np.exp(-b * x)

    def normalised(x, a, b, c):
        f = np.exp(-b * x) + c * x
        return a * f / np.sum(f)

    def nested(x, a, b, c):
        f = np.convolve(np.exp(-b * x), r, "same")
        return np.convolve(a * f**2 + c, r)[:N] / np.mean(f)

    return {
        "full": lambda x, a, b, c: np.convolve(decay(x, a, b) + c, r)[:N],
        "same": lambda x, a, b, c: np.convolve(decay(x, a, b), r, "same") + c,
        "swapped": lambda x, a, b, c: np.convolve(r, decay(x, a, b) + c * x, mode="same"),
        "valid": lambda x, a, b, c: np.convolve(decay(grid, a, b) + c, r, "valid"),
        "late": lambda x, a, b, c: np.convolve(decay(x, a, b) + c, r)[taps - 1 : taps - 1 + N],
        "moved": lambda x, a, b, c: tw.convolve(decay(x, a, b), r, "causal", shift=c),
        "moved both": lambda x, a, b, c: tw.convolve(a * np.exp(-b * x), r, shift=c * b) + a,
        "sums": lambda x, a, b, c: np.cumsum(decay(x, a, b) + c),
        "method": lambda x, a, b, c: decay(x, a, b).cumsum() + c * (b * x).mean(),
        "normalised": normalised,
        "nested": nested,
        "area": lambda x, a, b, c: a * x / (1 + np.trapezoid(np.exp(-b * x), x)) + c,
        "matrix": lambda x, a, b, c: K @ (a * np.exp(-b * few) + c * few),
        "square": lambda x, a, b, c: np.dot(square, decay(x, a, b)) + c * (decay(x, 1, b) @ square),
        "row": lambda x, a, b, c: decay(x, a, b) * np.dot(decay(x, 1, b), square[0]) + c,
        "table": lambda x, a, b, c: a * np.interp(b * x - c, knots, heights),
        "ends": lambda x, a, b, c: a * np.interp(b * x, knots[1:4], heights[1:4], 1, 2.0) + c,
        "first": lambda x, a, b, c: decay(x, a, b) / (1 + decay(x, 1, c)[0]),
        "steps": lambda x, a, b, c: a * x + np.diff(decay(further, b, c))[:N].sum(),
        "whole": lambda x, a, b, c: decay(x, a, b) / np.sum(decay(x, 1, b) + c) + np.sum(a + 0 * x),
        "levels": lambda x, a, b, c: np.cumsum(decay(x, a, b) / np.sum(decay(x, c, b))) * np.sum(x),
    }


POINT = (1.3, 0.7, 0.45)  # a, b, c


def abscissa(N):
    return np.linspace(0.05, 3.0, N)


def numerical(model, x, theta, step=1e-6):
    """The derivatives (N, P) of a model, by central differences of sixth order; NaN at kinks."""
    columns = []
    for j in range(len(theta)):
        moved = np.array([theta] * 6, float)
        h = step ** (1 / 3) * max(abs(theta[j]), 0.1) * 0.1
        moved[:, j] += h * np.array([1, -1, 2, -2, 3, -3])
        f = [model(x, *t) for t in moved]
        slope = (45 * (f[0] - f[1]) - 9 * (f[2] - f[3]) + f[4] - f[5]) / (60 * h)
        here = model(x, *theta)
        near, far = (np.abs(f[k] - 2 * here + f[k + 1]) for k in (0, 4))
        kink = np.abs(far - 9 * near) > near + 1e-9 * np.abs(here).max()  # f is not smooth
        columns.append(np.where(kink, np.nan, slope))
    return np.stack(columns, axis=-1)
