"""Random model functions, drawn so that rules of simplification meet, and how to compare them.

A drawn function is plain NumPy: it computes on arrays of any precision and records on symbols.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from thalweg.model.trace import Recording, record

N, P = 7, 3

# Comparisons in extended precision tell a wrong formula (error of order 1) from rounding, which
# starts at 1e-16 in folded constants.  Points where a relative change of 1e-10 of the input moves
# the value by more than 1e-7 are left out: there rounding would show, or a branch changes.
STEPS = (1e-10, -1e-10)
WELL_CONDITIONED = 1e-7
AGREEMENT = 1e-7


class Model(NamedTuple):
    """A function of one variable and P parameters, and its text for the error message."""

    function: Callable
    text: str

    def __repr__(self):
        return self.text


def _operation(text, function):
    return lambda *parts: Model(
        lambda x, *p: function(*[part.function(x, *p) for part in parts]),
        text.format(*[part.text for part in parts]),
    )


UNARY = [
    _operation("-{}", lambda a: -a),
    _operation("abs({})", abs),
    _operation("({})**2", lambda a: a**2),
    _operation("({})**3", lambda a: a**3),
    _operation("np.sin({})", np.sin),
    _operation("np.cos({})", np.cos),
    _operation("np.tanh({})", np.tanh),
    _operation("np.arctan({})", np.arctan),
    _operation("np.exp(-({})**2)", lambda a: np.exp(-(a**2))),
    _operation("np.sqrt(1 + ({})**2)", lambda a: np.sqrt(1 + a**2)),
    _operation("np.log1p(({})**2)", lambda a: np.log1p(a**2)),
    _operation("(1 / (2 + np.cos({})))", lambda a: 1 / (2 + np.cos(a))),
]
BINARY = [
    _operation("({} + {})", lambda a, b: a + b),
    _operation("({} - {})", lambda a, b: a - b),
    _operation("({} * {})", lambda a, b: a * b),
    _operation("({} / {})", lambda a, b: a / b),
    _operation("np.minimum({}, {})", np.minimum),
    # not behind the origin, where the sign of a zero would count
    _operation("np.arctan2({}, 1 + ({})**2)", lambda a, b: np.arctan2(a, 1 + b**2)),
    _operation("(0.1 + abs({})) ** np.tanh({})", lambda a, b: (0.1 + abs(a)) ** np.tanh(b)),
]
TERNARY = [
    _operation("np.where({} < {}, {}, 1)", lambda a, b, c: np.where(a < b, c, 1.0)),
    _operation("np.where({} < 0.3, {}, {})", lambda a, b, c: np.where(a < 0.3, b, c)),
]

LEAVES = st.one_of(
    st.sampled_from([Model(lambda x, *p, j=j: p[j], f"p{j}") for j in range(P)]),
    st.just(Model(lambda x, *p: x, "x")),
    st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0]).map(
        lambda c: Model(lambda x, *p: np.float64(c), f"({c})")
    ),
)


def _grow(parts):
    return st.one_of(
        st.tuples(st.sampled_from(UNARY), parts).map(lambda t: t[0](*t[1:])),
        st.tuples(st.sampled_from(BINARY), parts, parts).map(lambda t: t[0](*t[1:])),
        # products twice, since most rules are about them
        st.tuples(st.just(BINARY[2]), parts, parts).map(lambda t: t[0](*t[1:])),
        st.tuples(st.sampled_from(TERNARY), parts, parts, parts).map(lambda t: t[0](*t[1:])),
    )


models = st.recursive(LEAVES, _grow, max_leaves=12)
seeds = st.integers(0, 2**32 - 1)


def inputs(seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """x (N,) and parameters in extended precision, none near 0 or another."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.4, 1.9, N + P) * rng.choice([-1, 1], N + P)
    return values[:N].astype(np.longdouble), list(values[N:].astype(np.longdouble))


def recorded(model: Callable) -> Recording:
    with np.errstate(all="ignore"):  # a model may compute NaN from constants alone
        return record(model, 1, P, N, single=True)


def direct(model: Model, x: np.ndarray, theta: list) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(model.function(x, *theta), np.longdouble), (N,))


def well_conditioned(model: Model, x: np.ndarray, theta: list) -> np.ndarray:
    """Points at which the value hardly moves with the input, and is of moderate size.

    None if anything divides by 0, since a graph does not keep the sign of a zero.
    """
    try:
        with np.errstate(divide="raise", over="ignore", invalid="ignore"):
            model.function(x, *theta)
    except FloatingPointError:
        return np.zeros(N, bool)
    value = direct(model, x, theta)
    moved = [direct(model, x * (1 + s), [t * (1 - s) for t in theta]) for s in STEPS]
    limit = WELL_CONDITIONED * (1 + abs(value))
    with np.errstate(all="ignore"):
        return (abs(value) < 1e6) & np.all([abs(m - value) < limit for m in moved], axis=0)


def assert_agree(got, wanted, where, scale=1.0):
    got = np.broadcast_to(np.asarray(got, np.longdouble), np.shape(wanted))
    got, wanted = got[where], wanted[where]
    error, limit = abs(got - wanted), AGREEMENT * scale * (1 + abs(wanted))
    assert np.all(error <= limit), f"error {error}, limit {limit}"
