"""Elementary functions of the tape against long arithmetic, for every instruction set.

The error is counted in units in the last place (ulp) of the exact value.  `MAX_ULP` holds the
bounds that csrc/vecmath/vecmath.h promises; the points are dense where a function changes its
method and spread over all magnitudes elsewhere.
"""

from collections.abc import Callable
from functools import cache

import mpmath
import numpy as np
import pytest
from scipy import special
from tape_tools import apply
from vecmath_cases import DTYPES, LONG, Points, special_values

pytestmark = pytest.mark.usefixtures("isa")

# largest errors in float64 and float32, as promised in csrc/vecmath/vecmath.h
MAX_ULP = {
    "recip": (0.5, 0.5),
    "sqrt": (0.5, 0.5),
    "cbrt": (1.0, 1.0),
    "exp": (1.1, 1.1),
    "expm1": (1.75, 1.5),
    "log": (1.0, 1.0),
    "log1p": (1.0, 1.0),
    "sin": (2.0, 2.1),
    "cos": (2.0, 2.1),
    "tan": (2.75, 3.5),
    "asin": (2.0, 2.1),
    "acos": (1.25, 1.25),
    "atan": (1.75, 2.0),
    "sinh": (1.75, 1.75),
    "cosh": (1.75, 2.0),
    "tanh": (2.5, 2.5),
    "asinh": (1.75, 1.75),
    "acosh": (2.75, 2.5),
    "atanh": (1.75, 1.75),
    "erf": (2.1, 2.4),
    "erfc": (4.6, 4.75),
    "erfcx": (4.0, 4.25),
    "exp1": (4.0, 3.5),
    "pow": (1.5, 1.5),
    "atan2": (1.75, 1.75),
    "hypot": (1.1, 1.1),
}
PAIRS = ("pow", "atan2", "hypot")

OF_TWO = ("voigt_re", "voigt_im", "minimum", "maximum", "floor_divide", "remainder")
OF_THREE = (
    "voigt",
    "voigt_wing",
    *(f"voigt_far_{k}_{p}" for k in (1, 2, 3, 4) for p in ("re", "im")),
)

NUMPY: dict[str, Callable[..., np.ndarray]] = {
    "recip": lambda a: 1 / a,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": special.erf,
    "erfc": special.erfc,
    "erfcx": special.erfcx,
    "exp1": special.exp1,
    "pow": np.power,
    "atan2": np.arctan2,
    "hypot": np.hypot,
} | {
    name: getattr(np, name)
    for name in "sqrt cbrt exp expm1 log log1p sin cos tan sinh cosh tanh sign floor".split()
}

EXACT = {
    "recip": lambda a: 1 / a,
    "cbrt": lambda a: LONG.sign(a) * LONG.cbrt(abs(a)),
    "erfcx": lambda a: LONG.exp(a * a) * LONG.erfc(a),
    "exp1": LONG.e1,
    "pow": LONG.power,
}


def exact(op: str) -> Callable[..., mpmath.mpf]:
    return EXACT.get(op) or getattr(LONG, op)


def arguments(op: str, p: Points) -> list[np.ndarray]:
    """Points where `op` and its results are finite, around its method's boundaries too."""
    overflow = float(np.log(p.info.max)) * 0.9999999
    everywhere = p.magnitudes(0, np.inf)
    positive = [abs(everywhere), p.uniform(0.5, 2), 1 + p.magnitudes(1e-7, 0.1), p.denormal()]
    if op == "recip":
        return [p.uniform(-8, 8), everywhere]
    if op == "cbrt":
        return [p.uniform(-8, 8), everywhere, p.denormal()]
    if op in ("exp", "expm1"):
        underflow = np.log(float(p.info.smallest_subnormal)) if op == "exp" else -overflow
        return [p.uniform(-2, 2), p.uniform(underflow, overflow), p.magnitudes(0, 1)]
    if op in ("log", "sqrt"):
        return positive
    if op == "log1p":
        return [p.uniform(-0.999, 3), abs(everywhere), p.magnitudes(0, 0.5)]
    if op in ("sin", "cos", "tan"):
        multiples = np.arange(1, 3000, 7) * (np.pi / 2)
        return [p.uniform(-8, 8), p.uniform(-1e5, 1e5), multiples, everywhere]
    if op in ("asin", "acos", "atanh"):
        end = 1 - float(p.info.eps)
        return [p.uniform(-end, end), p.magnitudes(0, 0.5), 1 - p.magnitudes(1e-6, 0.1, (1,))]
    if op in ("sinh", "cosh"):
        return [p.uniform(-3, 3), p.uniform(-overflow, overflow), p.magnitudes(0, 1)]
    if op == "acosh":
        return [p.uniform(1, 4), 1 + p.magnitudes(1e-6, np.inf, (1,))]
    if op in ("erfc", "erfcx"):
        end = 9.0 if p.info.bits == 32 else 26.0
        return [p.uniform(-3, 3), p.uniform(-end, end), p.magnitudes(0, 1)]
    if op == "exp1":
        near = [p.uniform(0.01, 3), 1 + p.magnitudes(1e-7, 0.1), abs(p.magnitudes(0, 1))]
        return [*near, p.uniform(1, overflow), p.denormal()]
    return [p.uniform(-6, 6), everywhere]  # atan, tanh, asinh, erf


def pairs(op: str, p: Points) -> list[np.ndarray]:
    if op == "hypot":
        return [np.concatenate([p.uniform(-3, 3), p.magnitudes(0, np.inf)]) for _ in range(2)]
    if op == "atan2":
        return [np.concatenate([p.uniform(-3, 3), p.magnitudes(1e-12, 1e12)]) for _ in range(2)]
    base = np.concatenate([p.magnitudes(1e-30, 1e30, (1,)), p.uniform(0.5, 2)])
    limit = np.log(float(p.info.max)) * 0.98 / np.abs(np.log(base))
    return [base, p.rng.uniform(-1, 1, base.size) * np.minimum(limit, 1e4)]


@cache
def case(op: str, dtype: type) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Arguments and the exact value as the sum of two doubles."""
    p = Points(dtype, 200 if op in ("erf", "erfc", "erfcx", "exp1") else 1000)
    operands = pairs(op, p) if op in PAIRS else [np.concatenate(arguments(op, p))]
    operands = [a.astype(dtype) for a in operands]
    f = exact(op)
    values = [f(*(LONG.mpf(float(x)) for x in row)) for row in zip(*operands, strict=True)]
    high = np.array([float(v) for v in values])
    low = np.array([float(v - h) for v, h in zip(values, high.tolist(), strict=True)])
    return operands, high, low


def ulp_error(got: np.ndarray, high: np.ndarray, low: np.ndarray) -> np.ndarray:
    info = np.finfo(got.dtype)
    size = np.clip(np.abs(high), info.tiny, info.max / 2).astype(got.dtype)
    with np.errstate(invalid="ignore"):
        return np.abs((got.astype(np.float64) - high) - low) / np.spacing(size).astype(np.float64)


def assert_same_special(
    got: np.ndarray, want: np.ndarray, operands: tuple[np.ndarray, ...]
) -> None:
    """NaN, infinities and zeros stand in the same places, with the same signs."""
    for kind in (np.isnan, np.isinf, lambda v: v == 0):
        wrong = kind(got) != kind(want)
        assert not wrong.any(), [a[wrong] for a in operands]
    sign = (np.isinf(want) | (want == 0)) & (np.signbit(got) != np.signbit(want))
    assert not sign.any(), [a[sign] for a in operands]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", MAX_ULP)
def test_error_is_within_the_promised_ulps(op, dtype):
    operands, high, low = case(op, dtype)
    error = ulp_error(apply(op, *operands), high, low)
    bound = MAX_ULP[op][DTYPES.index(dtype)]
    wrong = ~(error <= bound)
    assert not wrong.any(), (np.nanmax(error), [a[wrong][:3] for a in operands])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", sorted(set(NUMPY) - set(PAIRS)))
def test_special_values_are_those_of_numpy(op, dtype):
    x = special_values(dtype)
    with np.errstate(all="ignore"):
        want = NUMPY[op](x.astype(np.float64)).astype(dtype)
    assert_same_special(apply(op, x), want, (x,))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", PAIRS)
def test_special_pairs_are_those_of_c(op, dtype):
    x, y = (a.ravel() for a in np.meshgrid(special_values(dtype), special_values(dtype)))
    with np.errstate(all="ignore"):
        want = NUMPY[op](x, y)
    got = apply(op, x, y)
    assert_same_special(got, want, (x, y))
    finite = np.isfinite(want)
    low = np.zeros(finite.sum())
    assert (ulp_error(got[finite], want[finite].astype(np.float64), low) <= 2.5).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_negative_bases_follow_c(dtype):
    base = -np.linspace(0.3, 4, 64).astype(dtype)
    for power in (-3.0, -2.0, 2.0, 3.0, 5.0):
        got = apply("pow", base, np.full_like(base, power))
        np.testing.assert_allclose(got, base.astype(float) ** power, rtol=2 * np.finfo(dtype).eps)
    assert np.isnan(apply("pow", base, np.full_like(base, 0.5))).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_operations_are_those_of_numpy(dtype):
    x = np.concatenate([special_values(dtype), np.linspace(-5, 5, 101).astype(dtype)])
    y = x[::-1].copy()
    for op in ("sign", "floor"):
        np.testing.assert_array_equal(apply(op, x), getattr(np, op)(x))
    for op in ("minimum", "maximum"):
        np.testing.assert_array_equal(apply(op, x, y), getattr(np, op)(x, y))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["floor_divide", "remainder"])
def test_quotients_and_remainders_are_those_of_numpy_to_the_last_bit(op, dtype):
    p = Points(dtype, 4000)
    x = special_values(dtype)
    a, b = (v.ravel() for v in np.meshgrid(x, x))
    tenths = [np.round(p.uniform(-30, 30), 1), np.round(p.uniform(-3, 3), 1)]
    parts = [
        (a, b),
        tenths,
        (p.uniform(-100, 100), p.uniform(-3, 3)),
        (p.magnitudes(0, np.inf), p.magnitudes(0, np.inf)),
        (p.magnitudes(1e-3, 1e9), np.full(p.count // 2, 0.1)),
    ]
    parts += [(tenths[1] * k, tenths[1]) for k in (1, 3, 7, 10, 2**20)]  # whole, before rounding
    a, b = (np.concatenate([part[k] for part in parts]).astype(dtype) for k in (0, 1))
    with np.errstate(all="ignore"):
        want = getattr(np, op)(a, b)
    got = apply(op, a, b)
    np.testing.assert_array_equal(got, want)
    ordinary = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[ordinary], np.signbit(want)[ordinary])


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_past_the_range_are_infinite_or_zero(dtype):
    edge = {np.float64: (709.79, -745.2), np.float32: (88.73, -104.0)}[dtype]
    over, under = (np.full(16, e, dtype) for e in edge)
    for op in ("exp", "expm1"):
        assert np.isposinf(apply(op, over)).all()
    assert (apply("exp", under) == 0).all()
    assert np.isposinf(apply("sinh", over + 1)).all()
    assert np.isposinf(apply("cosh", -over - 1)).all()
    assert np.isfinite(apply("cosh", over + dtype(0.5))).all()
    assert np.isposinf(apply("erfcx", -np.sqrt(over) * dtype(1.01))).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", [*NUMPY, *OF_TWO, *OF_THREE])
def test_bits_do_not_depend_on_position_or_neighbours(op, dtype):
    rng = np.random.default_rng(3)
    n = 256
    n_operands = 3 if op in OF_THREE else 2 if op in (*PAIRS, *OF_TWO) else 1
    outliers = np.concatenate([special_values(dtype), np.array([1e6, -740, 88.5, -0.7], dtype)])

    def draw() -> np.ndarray:
        usual = rng.uniform(-3, 3, n).astype(dtype)
        return np.where(rng.random(n) < 0.1, rng.choice(outliers, n), usual)

    operands = [draw() for _ in range(n_operands)]
    bits = apply(op, *operands).view(np.uint8).reshape(n, -1)
    for order in (rng.permutation(n), np.roll(np.arange(n), 1), np.arange(n)[: n - 3]):
        moved = apply(op, *(a[order] for a in operands)).view(np.uint8).reshape(order.size, -1)
        np.testing.assert_array_equal(moved, bits[order])
