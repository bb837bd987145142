"""Functions of complex numbers as pairs (re, im) of real ones.

Every function here is plain NumPy, like those of `functions`: with arrays it computes, with the
symbols of `trace` it records itself, as formulas of real values that the engine knows.

A part that is the float 0.0 is *known to be zero*, as the real part of ``1j * w`` is.  Terms with
it are left out, so that an expression costs what it would if it were written by hand, and zero
times infinity is zero.

The forms lose no digits to cancellation that the result does not have itself, and neither value nor
derivative leaves the range of numbers where the function is finite; the exceptions are named where
they stand.  Where a function has a branch cut it has the values of NumPy, but for the sign of zero,
which recorded values do not keep: on the negative real axis the angle is +pi.

References: W. Kahan, "Branch cuts for complex elementary functions, or much ado about nothing's
sign bit", 1987; R. L. Smith, "Algorithm 116: complex division", Communications of the ACM 5, 1962.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Part = Any  # a number, an array or a recorded value; the float 0.0 is known to be zero
Pair = tuple[Part, Part]

_ZERO = 0.0
_HALF_PI = 0.5 * math.pi
_MOST_PRODUCTS = 64  # the largest exponent of a power that is a product, as in NumPy about 100


def is_zero(part: Part) -> bool:
    """Return whether a part is known to be zero."""
    return type(part) is float and part == 0.0


def _sum(a: Part, b: Part) -> Part:
    if is_zero(a):
        return b
    return a if is_zero(b) else a + b


def _minus(a: Part) -> Part:
    return a if is_zero(a) else -a


def _difference(a: Part, b: Part) -> Part:
    if is_zero(a):
        return _minus(b)
    return a if is_zero(b) else a - b


def _product(a: Part, b: Part) -> Part:
    return _ZERO if is_zero(a) or is_zero(b) else a * b


def add(z: Pair, w: Pair) -> Pair:
    """z + w."""
    return _sum(z[0], w[0]), _sum(z[1], w[1])


def subtract(z: Pair, w: Pair) -> Pair:
    """z - w."""
    return _difference(z[0], w[0]), _difference(z[1], w[1])


def negative(z: Pair) -> Pair:
    """-z."""
    return _minus(z[0]), _minus(z[1])


def conjugate(z: Pair) -> Pair:
    """re - i im."""
    return z[0], _minus(z[1])


def multiply(z: Pair, w: Pair) -> Pair:
    """z w."""
    (a, b), (c, d) = z, w
    return (
        _difference(_product(a, c), _product(b, d)),
        _sum(_product(a, d), _product(b, c)),
    )


def divide(z: Pair, w: Pair) -> Pair:
    """z / w, as z conj(w / h) / h with h = abs(w): no square leaves the range of numbers.

    Where one part of w is a given number, as in 1 + i u, it is z conj(w) / (1 + u^2), which is what
    one would write by hand and costs less.  There the square of u must not overflow: beyond 1e154
    (float32: 1e19) the quotient is 0.
    """
    (a, b), (c, d) = z, w
    if is_zero(d):
        return (a if is_zero(a) else a / c), (b if is_zero(b) else b / c)
    if is_zero(c):
        return (b if is_zero(b) else b / d), _minus(a if is_zero(a) else a / d)
    if _is_given(c) or _is_given(d):
        r = 1.0 / (c * c + d * d)
    else:
        r = 1.0 / np.hypot(c, d)
        c, d = c * r, d * r
    one_part = is_zero(a) or is_zero(b)
    if one_part:  # it is multiplied by r first, which is a product less
        a, b = _product(a, r), _product(b, r)
    re = _sum(_product(a, c), _product(b, d))
    im = _difference(_product(b, c), _product(a, d))
    return (re, im) if one_part else (_product(re, r), _product(im, r))


def _is_given(part: Part) -> bool:
    """Whether a part is a number whose square is far from the limits of float32."""
    return type(part) is float and 1e-9 < abs(part) < 1e9


def square(z: Pair) -> Pair:
    """z z."""
    a, b = z
    if is_zero(a) or is_zero(b):
        return _difference(_product(a, a), _product(b, b)), _ZERO
    return (a - b) * (a + b), 2.0 * (a * b)


def absolute(z: Pair) -> Part:
    """abs(z) = sqrt(re^2 + im^2)."""
    a, b = z
    if is_zero(a) or is_zero(b):
        return abs(b if is_zero(a) else a)
    return np.hypot(a, b)


def angle(z: Pair) -> Part:
    """The angle of z, from -pi to pi."""
    a, b = z
    if is_zero(b):
        return np.where(a < 0, math.pi, 0.0)
    if is_zero(a):
        return _HALF_PI * np.sign(b)
    return np.arctan2(b, a)


def sqrt(z: Pair) -> Pair:
    """The root of z with real part >= 0; sums of equal signs only, so that nothing cancels."""
    a, b = z
    if is_zero(b):
        t = np.sqrt(abs(a))
        return np.where(a < 0, 0.0, t), np.where(a < 0, t, 0.0)
    if is_zero(a):
        t = np.sqrt(0.5 * abs(b))
        return t, np.where(b < 0, -t, t)
    t = np.sqrt(0.5 * np.hypot(a, b) + 0.5 * abs(a))
    rest = 0.5 * b / np.where(t == 0, 1.0, t)  # the other part, up to its sign
    return np.where(a < 0, abs(rest), t), np.where(a < 0, np.where(b < 0, -t, t), rest)


def exp(z: Pair) -> Pair:
    """e^re (cos im + i sin im)."""
    a, b = z
    if is_zero(b):
        return np.exp(a), _ZERO
    if is_zero(a):
        return np.cos(b), np.sin(b)
    size = np.exp(a)
    return size * np.cos(b), size * np.sin(b)


def expm1(z: Pair) -> Pair:
    """exp(z) - 1, as expm1(re) cos im - 2 sin^2(im / 2) + i e^re sin im."""
    a, b = z
    if is_zero(b):
        return np.expm1(a), _ZERO
    half = -2.0 * np.sin(0.5 * b) ** 2
    if is_zero(a):
        return half, np.sin(b)
    return np.expm1(a) * np.cos(b) + half, np.exp(a) * np.sin(b)


def log(z: Pair) -> Pair:
    """log abs(z) + i angle(z), where abs(z)^2 = 1 + (h - 1) (h + 1) + l^2 with parts of size h > l.

    This form is that for log1p near 1 and i, and takes nothing from the digits elsewhere.
    """
    a, b = z
    size = absolute(z)
    if is_zero(a) or is_zero(b):
        return np.log(size), angle(z)
    high, low = np.maximum(abs(a), abs(b)), np.minimum(abs(a), abs(b))
    near = 0.5 * np.log1p((high - 1.0) * (high + 1.0) + low * low)
    return np.where((size > 0.5) & (size < 2.0), near, np.log(size)), angle(z)


def log1p(z: Pair) -> Pair:
    """log(1 + z); the square of z must not leave the range of numbers."""
    a, b = z
    if is_zero(a):
        return 0.5 * np.log1p(b * b), np.arctan(b)
    if is_zero(b):
        return log((1.0 + a, _ZERO))
    return 0.5 * np.log1p(a * (2.0 + a) + b * b), np.arctan2(b, 1.0 + a)


def sinh(z: Pair) -> Pair:
    """sinh(re) cos(im) + i cosh(re) sin(im)."""
    a, b = z
    if is_zero(a):
        return _ZERO, np.sin(b)
    if is_zero(b):
        return np.sinh(a), _ZERO
    return np.sinh(a) * np.cos(b), np.cosh(a) * np.sin(b)


def cosh(z: Pair) -> Pair:
    """cosh(re) cos(im) + i sinh(re) sin(im)."""
    a, b = z
    if is_zero(a):
        return np.cos(b), _ZERO
    if is_zero(b):
        return np.cosh(a), _ZERO
    return np.cosh(a) * np.cos(b), np.sinh(a) * np.sin(b)


def tanh(z: Pair) -> Pair:
    r"""The hyperbolic tangent, which is near 1 for a large real part, where sinh and cosh overflow.

    With e = exp(-2 abs(re)) and n = 1 - e it is
    (sign(re) n (1 + e) + 4i e sin(im) cos(im)) / (n^2 + 4 e cos^2(im)).
    """
    a, b = z
    if is_zero(a):
        return _ZERO, np.tan(b)
    if is_zero(b):
        return np.tanh(a), _ZERO
    decay = np.where(a < 0, 2.0 * a, -2.0 * a)
    n, e = -np.expm1(decay), np.exp(decay)
    sine, cosine = np.sin(b), np.cos(b)
    r = 1.0 / (n * n + 4.0 * e * cosine * cosine)
    re = n * (1.0 + e) * r
    return np.where(a < 0, -re, re), 4.0 * e * sine * cosine * r


def _turned(function: Any) -> Any:
    """Return the function z -> -i function(i z), which makes sin of sinh and tan of tanh."""

    def turned(z: Pair) -> Pair:
        re, im = function((_minus(z[1]), z[0]))
        return im, _minus(re)

    return turned


sin, tan = _turned(sinh), _turned(tanh)


def cos(z: Pair) -> Pair:
    """cosh(i z)."""
    return cosh((_minus(z[1]), z[0]))


def power(z: Pair, w: Pair) -> Pair:
    """z ** w: a product for whole numbers w, a root for 0.5, else by size and angle of z."""
    exponent = w[0]
    if is_zero(w[1]) and isinstance(exponent, float | int):
        if exponent == 0.5:
            return sqrt(z)
        if exponent == int(exponent) and abs(exponent) <= _MOST_PRODUCTS:
            return _whole_power(z, int(exponent))
    if is_zero(w[1]):
        size, turn = absolute(z) ** exponent, exponent * angle(z)
        return size * np.cos(turn), size * np.sin(turn)
    return exp(multiply(w, log(z)))


def _whole_power(z: Pair, exponent: int) -> Pair:
    """z ** exponent, by squaring."""
    if exponent < 0:
        return divide((1.0, _ZERO), _whole_power(z, -exponent))
    value: Pair | None = None
    while exponent:
        if exponent & 1:
            value = z if value is None else multiply(value, z)
        exponent >>= 1
        if exponent:
            z = square(z)
    return (1.0, _ZERO) if value is None else value
