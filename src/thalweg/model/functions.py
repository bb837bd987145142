"""Functions of numbers, arrays or recorded values, written with the operations of a tape.

Every function here is plain NumPy on purpose: with arrays it computes, with the symbols of `trace`
it records itself.  The forms are chosen so that neither the value nor any derivative overflows
where the function itself is finite, and so that the derivative is right where two branches meet:
``where(x < 0, x, -x)`` has derivative -1 at 0, ``-abs(x)`` would have 0.

Only erf, erfc, erfcx, exp1, the two parts of the Faddeeva function and the Voigt profile are
primitives, whose values for arrays come from the table `graph.NUMPY`.  References: DLMF 6.2
(exponential integral), 7.1 to 7.19 (error functions, Voigt profiles); Maechler, "Accurately
computing log(1 - exp(-|a|))", 2012 (the forms of the log1p and expm1 formulas).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .graph import NUMPY

Value = Any  # a number, an array or a recorded value

LN2, LN10 = math.log(2.0), math.log(10.0)
_SQRT2, _SQRT_PI = math.sqrt(2.0), math.sqrt(math.pi)


def _primitive(op: str) -> Callable[..., Value]:
    def call(*values: Value) -> Value:
        for value in values:
            record = getattr(type(value), "_apply", None)
            if record is not None:
                return record(value, op, *values)
        return NUMPY[op](*values)

    call.__name__ = op
    return call


erf, erfc, erfcx = _primitive("erf"), _primitive("erfc"), _primitive("erfcx")
exp1 = _primitive("exp1")
voigt_re, voigt_im = _primitive("voigt_re"), _primitive("voigt_im")
_voigt = _primitive("voigt")


def _minus_abs(x: Value) -> Value:
    return np.where(x < 0, x, -x)


def expit(x: Value) -> Value:
    """Logistic function 1 / (1 + exp(-x))."""
    decay = np.exp(_minus_abs(x))
    return np.where(x < 0, decay, 1.0) / (1.0 + decay)


def log_expit(x: Value) -> Value:
    """log(expit(x))."""
    return np.where(x < 0, x, 0.0) - np.log1p(np.exp(_minus_abs(x)))


def logit(p: Value) -> Value:
    """log(p / (1 - p))."""
    return np.log(p) - np.log1p(-p)


def softplus(x: Value) -> Value:
    """log(1 + exp(x))."""
    return -log_expit(-x)


def _difference(a: Value, b: Value) -> Value:
    """a - b, but 0 for two equal infinities."""
    return np.where((a == b) & (abs(a) == math.inf), 0.0, a - b)


def logaddexp(a: Value, b: Value) -> Value:
    """log(exp(a) + exp(b))."""
    return np.where(a < b, b, a) + np.log1p(np.exp(_minus_abs(_difference(a, b))))


def logaddexp2(a: Value, b: Value) -> Value:
    """log2(2**a + 2**b)."""
    rest = np.log1p(np.exp(LN2 * _minus_abs(_difference(a, b)))) / LN2
    return np.where(a < b, b, a) + rest


def xlogy(x: Value, y: Value) -> Value:
    """x * log(y), but 0 where x = 0 unless y is NaN."""
    return np.where((x == 0) & (y == y), 0.0, x * np.log(y))


def xlog1py(x: Value, y: Value) -> Value:
    """x * log(1 + y), but 0 where x = 0 unless y is NaN."""
    return np.where((x == 0) & (y == y), 0.0, x * np.log1p(y))


def fmax(a: Value, b: Value) -> Value:
    """The larger of two values; if one is NaN, the other."""
    return np.where(a != a, b, np.where(b != b, a, np.maximum(a, b)))


def fmin(a: Value, b: Value) -> Value:
    """The smaller of two values; if one is NaN, the other."""
    return np.where(a != a, b, np.where(b != b, a, np.minimum(a, b)))


def exprel(x: Value) -> Value:
    """(exp(x) - 1) / x; near 0 its Taylor series, up to the terms that rounding hides."""
    near = abs(x) < 1e-4
    safe = np.where(near, 1.0, x)
    series = polyval((1 / 24, 1 / 6, 1 / 2, 1.0), x)
    quotient = np.where(x == math.inf, math.inf, np.expm1(safe) / safe)
    return np.where(near, series, quotient)


def sinc(x: Value) -> Value:
    """sin(pi x) / (pi x); near 0 its Taylor series, up to the terms that rounding hides."""
    near = abs(x) < 1e-3
    angle = math.pi * np.where(near, 1.0, x)
    series = polyval((math.pi**4 / 120, -(math.pi**2) / 6, 1.0), x**2)
    return np.where(near, series, np.sin(angle) / angle)


def ndtr(x: Value) -> Value:
    """Standard normal distribution function."""
    return 0.5 * erfc(x * -math.sqrt(0.5))


def log_ndtr(x: Value) -> Value:
    """log(ndtr(x)); by erfcx where ndtr itself would underflow."""
    z = x * math.sqrt(0.5)
    tail = np.log(0.5 * erfcx(np.where(x < 0, -z, 0.0))) - z**2
    return np.where(x < 0, tail, np.log1p(-0.5 * erfc(np.where(x < 0, 0.0, z))))


def dawsn(x: Value) -> Value:
    """Dawson's integral exp(-x**2) * integral of exp(t**2) from 0 to x."""
    return (0.5 * _SQRT_PI) * voigt_im(x, 0.0)


def voigt_profile(x: Value, sigma: Value, gamma: Value) -> Value:
    """Convolution of a normal density (sigma) with a Cauchy density (half width gamma).

    Either width may be 0; the value is NaN if one is negative.
    """
    return _voigt(x, sigma, gamma)


def exp2(x: Value) -> Value:
    """2**x."""
    return 2.0**x


def exp10(x: Value) -> Value:
    """10**x."""
    return 10.0**x


def log2(x: Value) -> Value:
    """Logarithm to base 2."""
    return np.log(x) * (1.0 / LN2)


def log10(x: Value) -> Value:
    """Logarithm to base 10."""
    return np.log(x) * (1.0 / LN10)


def ceil(x: Value) -> Value:
    """Smallest integer not below x."""
    return -np.floor(-x)


def trunc(x: Value) -> Value:
    """Integer part of x."""
    return np.where(x < 0, ceil(x), np.floor(x))


def rint(x: Value) -> Value:
    """Nearest integer; of two equally near ones the even one."""
    below = np.floor(x)
    distance = x - below
    odd = below - 2.0 * np.floor(0.5 * below)
    return below + np.where(distance == 0.5, odd, np.where(distance < 0.5, 0.0, 1.0))


def around(x: Value, decimals: int = 0) -> Value:
    """Nearest multiple of 10**-decimals."""
    scale = 10.0**decimals
    return rint(x * scale) / scale


def fmod(a: Value, b: Value) -> Value:
    """Remainder of a / b with the sign of a."""
    return np.sign(a) * (abs(a) % abs(b))


def copysign(a: Value, b: Value) -> Value:
    """|a| with the sign of b; b = 0, also -0, counts as positive."""
    return np.where(b < 0, -abs(a), abs(a))


def heaviside(x: Value, at_zero: Value) -> Value:
    """0 for x < 0, 1 for x > 0, ``at_zero`` for x = 0, NaN for NaN."""
    return np.where(x == 0, at_zero, 0.5 + 0.5 * np.sign(x))


def clip(
    a: Value, a_min: Value = None, a_max: Value = None, *, min: Value = None, max: Value = None
) -> Value:
    """``a`` limited to an interval; a limit that is None does not limit it."""
    lower = a_min if min is None else min
    upper = a_max if max is None else max
    raised = a if lower is None else np.maximum(a, lower)
    return raised if upper is None else np.minimum(raised, upper)


def polyval(p: Sequence[Value], x: Value) -> Value:
    """Polynomial with coefficients ``p``, highest power first (Horner's scheme)."""
    value = p[0]
    for coefficient in p[1:]:
        value = value * x + coefficient
    return value


def select(condlist: Sequence[Value], choicelist: Sequence[Value], default: Value = 0.0) -> Value:
    """The choice that belongs to the first condition that holds, else ``default``."""
    value = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        value = np.where(condition, choice, value)
    return value


def piecewise(
    x: Value, condlist: Sequence[Value], funclist: Sequence[Any], *args: Any, **kw: Any
) -> Value:
    """The function that belongs to the last condition that holds; an extra one is the default."""
    *functions, otherwise = [*funclist] if len(funclist) > len(condlist) else [*funclist, 0.0]

    def branch(function: Any) -> Value:
        return function(x, *args, **kw) if callable(function) else function

    value = branch(otherwise)
    for condition, function in zip(condlist, functions, strict=True):
        value = np.where(condition, branch(function), value)
    return value
