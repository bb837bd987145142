"""Arithmetic of many digits and points to test elementary functions at."""

import mpmath
import numpy as np

LONG = mpmath.MPContext()
LONG.prec = 140
DTYPES = (np.float64, np.float32)


class Points:
    """Test points of one element type: uniform and over magnitudes, the same at every call."""

    def __init__(self, dtype: type, count: int):
        self.info = np.finfo(dtype)
        self.count = count
        self.rng = np.random.default_rng(20)

    def uniform(self, low: float, high: float) -> np.ndarray:
        return self.rng.uniform(low, high, self.count)

    def magnitudes(self, low: float, high: float, signs: tuple[int, ...] = (-1, 1)) -> np.ndarray:
        low, high = max(low, float(self.info.tiny)), min(high, float(self.info.max) / 2)
        size = np.exp(self.rng.uniform(np.log(low), np.log(high), self.count // 2))
        return size * self.rng.choice(signs, size.size)

    def denormal(self) -> np.ndarray:
        return self.info.tiny * self.rng.uniform(0, 1, 20)


def special_values(dtype: type) -> np.ndarray:
    info = np.finfo(dtype)
    size = [0, 1, 2, 0.5, 3, 1e10, info.max, info.max / 3, info.tiny, info.smallest_subnormal]
    size = np.array([*size, np.inf, np.nan], dtype)
    return np.concatenate([size, -size])
