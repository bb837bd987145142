r"""Student's t, F and chi-squared, in the standard library alone: as results of fits need them.

Everything follows from the regularised incomplete beta function

    I_x(a, b) = x^a (1 - x)^b / (a B(a, b)) (1 + d_1 / (1 + d_2 / (1 + ...))),

a continued fraction that converges fast for x < (a + 1) / (a + b + 2); elsewhere
I_x(a, b) = 1 - I_{1-x}(b, a).  For degrees of freedom m and n, whole numbers,

    P(\|t\| > s)  = I_x(n/2, 1/2),    x = n / (n + s^2),
    P(F > f)    = I_x(n/2, m/2),    x = n / (n + m f),

and B(a, b) comes from ln Gamma(a + b) - ln Gamma(a) without the difference of two large numbers,
as 2 b is a whole number.  Up to a million degrees of freedom a probability is right to 1e-10 of
itself, and a quantile of t to 1e-11 of itself.

Reference: M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions", 1964, formulas 26.5.2,
26.5.8, 26.7.1 and 26.4.4 to 26.4.5.
"""

from __future__ import annotations

from functools import lru_cache
from math import erfc, exp, inf, lgamma, log, log1p, sqrt
from statistics import NormalDist

_TERMS = 10_000  # the fraction needs some sqrt(max(a, b)) terms
_TINY = 1e-300  # stands for a 0 in a denominator of the continued fraction
_SERIES_FROM = 20.0  # from here the series of `_half_step` is right to 1e-16
_ALMOST_NORMAL = 1e10  # from so many degrees of freedom t is normal to 1e-9 of itself


def _half_step(a: float) -> float:
    """Return ln Gamma(a + 1/2) - ln Gamma(a)."""
    if a < _SERIES_FROM:
        return lgamma(a + 0.5) - lgamma(a)
    u = 1 / (a * a)
    series = -1 / 8 + u * (1 / 192 + u * (-1 / 640 + u * (17 / 14336 - u * 31 / 18432)))
    return 0.5 * log(a) + series / a


def _log_beta(a: float, b: float) -> float:
    """Return ln B(a, b); 2 a and 2 b are whole numbers."""
    a, b = max(a, b), min(a, b)
    whole = int(b)
    rise = sum(log(a + k) for k in range(whole))  # ln Gamma(a + whole) - ln Gamma(a)
    if b != whole:
        rise += _half_step(a + whole)
    return lgamma(b) - rise


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of I_x(a, b), by the method of Lentz."""
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d or _TINY)
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / ((1 + term * d) or _TINY)
            c = (1 + term / c) or _TINY
            value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return value


def _upper(a: float, b: float, z: float) -> float:
    """Return I_x(a, b) at x = 1 / (1 + z)."""
    if not z > 0:
        return 1.0
    if z == inf:
        return 0.0
    log_x, log_rest = -log1p(z), -log1p(1 / z)
    front = exp(a * log_x + b * log_rest - _log_beta(a, b))
    x, rest = 1 / (1 + z), z / (1 + z)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, rest) / b


def t_tail(s: float, dof: float) -> float:
    """Return P(|t| > s), s >= 0, of Student's t with ``dof`` degrees of freedom."""
    return _upper(dof / 2, 0.5, s * s / dof)


def f_tail(f: float, m: int, n: float) -> float:
    """Return P(F > f) with m degrees of freedom in the numerator and n in the denominator."""
    return _upper(n / 2, m / 2, m * f / n)


def chi2_tail(q: float, m: int) -> float:
    """Return P(chi2 > q) with m degrees of freedom, a finite sum of positive terms."""
    if not q > 0:
        return 1.0
    half = q / 2
    total = erfc(sqrt(half)) if m % 2 else 0.0
    for k in range(m // 2):
        power = k + 0.5 if m % 2 else float(k)
        total += exp(power * log(half) - half - lgamma(power + 1))
    return total


def normal_quantile(level: float) -> float:
    """Return z with P(|Z| <= z) = level for a standard normal Z."""
    tail = (1 - level) / 2
    return -NormalDist().inv_cdf(tail)


@lru_cache(maxsize=4096)
def t_quantile(level: float, dof: float) -> float:
    """Return s with P(|t| <= s) = level for Student's t; infinite without degrees of freedom.

    Newton's method starts at the quantile of the normal distribution, which is too small.  The tail
    is a convex function that falls, so all steps go up.
    """
    if not dof > 0:
        return inf
    s = normal_quantile(level)
    if dof > _ALMOST_NORMAL:
        return s
    wanted, log_scale = 1 - level, -_log_beta(dof / 2, 0.5) - 0.5 * log(dof)
    for _ in range(500):
        density = 2 * exp(log_scale - (dof + 1) / 2 * log1p(s * s / dof))
        step = (t_tail(s, dof) - wanted) / density
        s += step
        if not step > 1e-15 * s:
            break
    return s
