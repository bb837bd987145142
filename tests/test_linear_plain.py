"""Small problems with arguments of the usual kinds: compiled checks, the general way's bits."""

import copy
import pickle
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sizes import around

import thalweg as tw
from thalweg.linear import LinearHistory, small, solver
from thalweg.linear.working_set import FEW
from thalweg.status import Status

FIELDS = (
    "theta", "intercept", "objective", "gap", "wanted", "kkt", "conditional", "drift", "status",
    "n_iter", "strategy", "message",
)  # fmt: skip


def data(n=20, P=6, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, P)) + 0.5
    return A, A @ np.where(rng.random(P) < 0.5, 1.0, 0.0) + rng.standard_normal(n)


def general(*args, **how):
    """The same call with all checks in Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "solve_plain", lambda *_: None)
        return tw.coordinate_descent(*args, **how)


def is_plain(*args, **how):
    """Whether the call is answered by compiled code alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "problem_of", lambda *_: (_ for _ in ()).throw(InterruptedError))
        try:
            tw.coordinate_descent(*args, **how)
        except InterruptedError:
            return False
        return True


def assert_same(one, two):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), name)
        assert type(getattr(one, name)) is type(getattr(two, name)), name
    courses = (
        r.history if isinstance(r.history, LinearHistory) else r.history[0] for r in (one, two)
    )
    for mine, theirs in zip(*courses, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "part": lambda A: np.repeat(np.repeat(A, 2, 0), 3, 1)[::2, ::3],
    "backwards": lambda A: np.ascontiguousarray(A[::-1, ::-1])[::-1, ::-1],
    "read-only": lambda A: np.frombuffer(A.tobytes(), A.dtype).reshape(A.shape),
}


@given(
    st.integers(1, 40), st.sampled_from([1, 2, 3, 8, 9, FEW]), st.sampled_from(list(LAYOUTS)),
    st.sampled_from([np.float64, np.float32]), st.integers(0, 2**32 - 1),
)  # fmt: skip
@example(1, 1, "columns", np.float64, 0)
@settings(max_examples=150)
def test_it_has_the_bits_of_the_general_way(n, P, layout, dtype, seed):
    rng = np.random.default_rng(seed)
    A, b = data(n, P, seed)
    A = LAYOUTS[layout](A.astype(dtype))
    size = float(np.abs(A.T.astype(float) @ b).max())
    each = [np.full(P, 0.3 * size), size / 4, np.float64(size / 8), 3, True, 0, 0.0]
    sides = [None, -1, -0.5, -np.inf, np.full(P, -2.0), np.float64(0), 0.25]
    how = {
        "l1": each[rng.integers(7)],
        "l2": each[rng.integers(7)],
        "bounds": [None, (sides[rng.integers(7)], [None, 0.25, np.inf, 1][rng.integers(4)])][
            rng.integers(2)
        ],
        "weights": [None, rng.random(n) + 0.1][rng.integers(2)],
        "intercept": bool(rng.integers(2)),
        "tol": [1e-4, 1e-9, 1][rng.integers(3)],
        "max_iter": [1000, 1][rng.integers(2)],
        "threads": [None, 1, 256][rng.integers(3)],
        "strategy": ["auto", "gram"][rng.integers(2)],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.ConvergenceWarning)
        one, two = tw.coordinate_descent(A, b, **how), general(A, b, **how)
        assert one.status != Status.GAP or is_plain(A, b, **how)
    assert_same(one, two)


@pytest.mark.parametrize("P", [P for P in around(FEW) if P > 0])
def test_sizes_at_the_limits(P):
    n = small._OPERATIONS // FEW**2
    for rows in (n - 1, n, n + 1):
        A, b = data(rows, P)
        how = {"l1": 0.1 * np.abs(A.T @ b).max()}
        assert is_plain(A, b, **how) == (P <= FEW and rows * P * P <= small._OPERATIONS)
        assert_same(tw.coordinate_descent(A, b, **how), general(A, b, **how))


A, B = data()
UNUSUAL = {
    "lists": ((A.tolist(), B.tolist()), {}),
    "integers": ((np.rint(3 * A).astype(int), B), {}),
    "b of float32": ((A, B.astype(np.float32)), {}),
    "b with a step": ((A, np.repeat(B, 2)[::2]), {}),
    "several right-hand sides": ((A, B[:, None]), {}),
    "other byte order": ((A.astype(">f8"), B), {}),
    "a subclass": ((A.view(np.matrix), B), {}),
    "b of a subclass": ((A, np.ma.masked_array(B)), {}),
    "strides of half an element": (
        (np.ndarray((20, 6), float, bytes(20 * 52), 0, (52, 8)), B), {}
    ),
    "a list of bounds": ((A, B), {"bounds": [0, None]}),
    "bounds of lists": ((A, B), {"bounds": ([0] * 6, [1] * 6)}),
    "scipy's bounds": ((A, B), {"bounds": type("Bounds", (), {"lb": 0.0, "ub": 1.0})()}),
    "a list of penalties": ((A, B), {"l1": [1.0] * 6}),
    "penalties of float32": ((A, B), {"l2": np.ones(6, np.float32)}),
    "a penalty as an array": ((A, B), {"l1": np.array(2.0)}),
    "penalties with a step": ((A, B), {"l1": np.arange(12.0)[::2]}),
    "a fraction": ((A, B), {"l2": Fraction(1, 3)}),
    "kept at 0": ((A, B), {"l1": [np.inf, *[1.0] * 5]}),
    "a huge integer": ((A, B), {"l1": 1 << 60}),
    "a weight of 0": ((A, B), {"weights": np.r_[0.0, np.ones(19)]}),
    "weights of 1": ((A, B), {"weights": np.ones(20, int)}),
    "an integer as a truth": ((A, B), {"intercept": 1}),
    "no tolerance": ((A, B), {"tol": None}),
    "max_iter as a float": ((A, B), {"max_iter": 10.0}),
    "threads as a float": ((A, B), {"threads": 2.0}),
    "a start": ((A, B), {"start": np.zeros(6)}),
    "a callback": ((A, B), {"callback": lambda iteration: False}),
    "a time limit": ((A, B), {"time_limit": 100}),
    "a seed": ((A, B), {"seed": 1}),
    "sweeps asked for": ((A, B), {"strategy": "residual"}),
    "another order": ((A, B), {"order": "shuffled"}),
    "no column": ((A[:, :0], B), {}),
    "no row": ((A[:0], B[:0]), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_not_usual_goes_the_general_way(name):
    args, how = UNUSUAL[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not is_plain(*args, **how)
        if name != "another order":
            assert_same(tw.coordinate_descent(*args, **how), general(*args, **how))


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


WRONG = [
    *(((changed(A, (3, 2), bad), B), {}) for bad in (np.nan, np.inf, -np.inf)),
    *(((A, changed(B, 19, bad)), {}) for bad in (np.nan, np.inf, -np.inf)),
    ((A, B[1:]), {}), ((A[1:], B), {}), ((B, B), {}), ((A[None], B), {}), ((A, B[0]), {}),
    ((A.astype(complex), B), {}), ((A, B.astype(complex)), {}), ((None, B), {}), ((A, None), {}),
    *(
        ((A, B), {name: bad})
        for name in ("l1", "l2")
        for bad in (
            -1, -1e-300, np.nan, None, "x", 1j, np.ones(5), np.ones((6, 1)), np.full(6, -1.0),
            changed(np.ones(6), 5, np.nan), np.ma.masked_all(6), 10**400,
        )
    ),
    ((A, B), {"l2": np.inf}), ((A, B), {"l2": changed(np.ones(6), 5, np.inf)}),
    *(
        ((A, B), {"bounds": bad})
        for bad in (
            (1, 0), (np.nan, 1), (0, np.nan), (np.inf, None), (None, -np.inf), (0, 1, 2), 0, "xy",
            (np.zeros(5), None), (None, changed(np.ones(6), 5, -np.inf)), ((0, 1), (0, 1)),
            (np.ones(6), np.zeros(6)), ("x", 1), {"a": (0, 1)}, [(0, 1)] * 6,
        )
    ),
    *(
        ((A, B), {"weights": bad})
        for bad in (
            -np.ones(20), np.ones(19), changed(np.ones(20), 19, np.nan), 1.0,
            changed(np.ones(20), 19, np.inf), changed(np.ones(20), 19, -1e-300), "w",
        )
    ),
    *(((A, B), {"tol": bad}) for bad in (-1, np.nan, np.inf, "x", 10**400)),
    *(((A, B), {"max_iter": bad}) for bad in (-1, 1.5, None, 1 << 70, np.nan)),
    *(((A, B), {"threads": bad}) for bad in (0, -1, 257, 1.5, "1", 1 << 70)),
    *(((A, B), {"order": bad}) for bad in ("other", np.array(["a", "b"]), None)),
    *(((A, B), {"strategy": bad}) for bad in ("other", np.array(["a", "b"]), None)),
    ((A, B), {"callback": 1}), ((A, B), {"start": np.zeros(5)}), ((A, B), {"time_limit": -1}),
    ((A[:, :2], B), {"bounds": [(0, 1), (0, 5)]}), ((A[:, :2], B), {"bounds": ((0, 1), (0, 5))}),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_what_is_wrong_is_refused_in_the_words_of_the_general_way(case):
    args, how = WRONG[case]
    with pytest.raises((ValueError, TypeError)) as one:
        tw.coordinate_descent(*args, **how)
    with pytest.raises((ValueError, TypeError)) as two:
        general(*args, **how)
    assert one.type is two.type and str(one.value) == str(two.value)


def test_arguments_are_not_changed_and_not_shared():
    how = {
        "l1": np.full(6, 0.1), "l2": np.full(6, 0.2), "weights": np.ones(20),
        "bounds": (np.full(6, -1.0), np.full(6, 1.0)),
    }  # fmt: skip
    given = [A, B, how["l1"], how["l2"], how["weights"], *how["bounds"]]
    before = copy.deepcopy(given)
    r = tw.coordinate_descent(A, B, **how)
    for array, old in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, old)
        assert not np.shares_memory(r.theta, array)
    assert r.theta.flags.owndata and r.theta.flags.writeable


def test_results_are_copied_and_pickled_before_and_after_their_words_are_made():
    r = tw.coordinate_descent(A, B, l1=1.0)
    for twin in (pickle.loads(pickle.dumps(r)), copy.deepcopy(r), copy.copy(r)):
        assert_same(twin, r)
    assert r.message is r.message is r.reason() and r.history is r.history
    assert_same(pickle.loads(pickle.dumps(r)), r)
    with pytest.raises(AttributeError):
        r.message = "other"


def test_ctrl_c_leaves_a_result_of_nothing(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(small._core, "solve_plain", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        tw.coordinate_descent(A, B)
    r = caught.value.result
    assert r.status is Status.NOT_RUN and r.theta.shape == (6,) and np.isnan(r.theta).all()
    assert r.reason().startswith("not run") and len(r.history.gap) == 1
