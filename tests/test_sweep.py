"""Coordinate-descent sweeps: the specification, identities, certificates, refusals."""

import inspect
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg import kernels, reference

EPS = np.finfo(float).eps


@dataclass
class Case:
    """A problem; `arrays` makes new copies of what a sweep writes."""

    A: np.ndarray
    theta: np.ndarray
    b: np.ndarray
    intercept: np.ndarray | None = None
    options: dict = field(default_factory=dict)

    def run(self, sweep, **more):
        """Return what a sweep reports, θ, residual and intercept."""
        theta, free = self.theta.copy(), None if self.intercept is None else self.intercept.copy()
        residual = self.b - self.A.astype(float) @ theta - (0 if free is None else free)
        done = sweep(self.A, theta, residual, intercept=free, **(self.options | more))
        return done, theta, residual, free


def rounding(case, sweeps=1):
    """Each update rounds sums of n terms, and passes on the errors of those before it.

    Conditioning is bounded by the draw: columns of A are at most 4, curvatures c + l2 at least 0.1
    or the column is zero.
    """
    n, P = case.A.shape
    size = 1 + np.abs(case.theta).max(initial=0) + np.abs(case.b).max(initial=0)
    return 1e3 * (n + 10) * (P + 1) * sweeps * EPS * size


def layouts(A, layout):
    """The same numbers, laid out in memory otherwise."""
    n, P = A.shape
    if layout == "strided":
        wide = np.full((2 * n, 3 * P), np.nan, A.dtype)
        wide[::2, ::3] = A
        return wide[::2, ::3]
    if layout == "reversed":
        return np.ascontiguousarray(A[::-1, ::-1])[::-1, ::-1]
    return np.array(A, order=layout)


@st.composite
def cases(draw, orders=("cyclic", "shuffled", "random", "greedy", "given")):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([0, 1, 2, 5, 17, 64, 255, 300, 1025, 2100, 4099]))
    P = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9, 19]))
    batch = draw(st.sampled_from([(), (), (1,), (3,), (0,)]))
    A = np.clip(rng.standard_normal((n, P)), -4, 4)
    A[:, rng.random(P) < 0.1] = 0
    if draw(st.booleans()) and P > 1:
        A[:, -1] = A[:, 0]  # equal columns
    A = layouts(A.astype(draw(st.sampled_from(["f8", "f4"]))), draw(st.sampled_from("FCSR")
                .map({"F": "F", "C": "C", "S": "strided", "R": "reversed"}.get)))  # fmt: skip
    lower = draw(st.sampled_from([None, 0.0, "each"]))
    upper = draw(st.sampled_from([None, 0.5, "each"]))
    low = None if lower is None else (0.0 if lower == 0 else -rng.random(P))
    high = None if upper is None else (0.5 if upper == 0.5 else rng.random(P))
    theta = rng.uniform(-0.5, 0.5, (P, *batch))
    theta = np.clip(theta.T, -9 if low is None else low, 9 if high is None else high).T.copy()
    order = draw(st.sampled_from(orders))
    if order == "given":
        order = rng.integers(0, P, draw(st.sampled_from([0, 1, 7, 30]))) if P else np.zeros(0, int)
    options = dict(
        l1=draw(st.sampled_from([0.0, 0.3, "each"])),
        l2=draw(st.sampled_from([0.1, 2.0, "each"])),
        weights=draw(st.sampled_from([None, "zeros", "any"])),
        bounds=draw(st.sampled_from([None, 1])) and (low, high),
        order=order,
        relaxation=draw(st.sampled_from([1.0, 1.0, 0.5, 1.7])),
        rng=draw(st.integers(0, 99)),
    )
    for name, scale in (("l1", 3.0), ("l2", 1.0)):
        if isinstance(options[name], str):
            options[name] = 0.1 + scale * rng.random(P)
    if options["weights"]:
        zeros = rng.random(n) < 0.3 if options["weights"] == "zeros" else False
        options["weights"] = np.where(zeros, 0, rng.uniform(0.5, 2, n))
    b = rng.standard_normal((n, *batch))
    free = rng.standard_normal(batch or 1) if draw(st.booleans()) else None
    return Case(A, theta, b, free, options)


def same(case, got, want, tolerance):
    """Everything a sweep reports and writes agrees."""
    for a, b in zip(got[1:], want[1:], strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
    done, spec = got[0], want[0]
    np.testing.assert_allclose(done.largest_change, spec[0], rtol=0, atol=tolerance)
    scale = 1 + np.abs(spec[2]).max(initial=0) + len(case.A)
    np.testing.assert_allclose(done.objective, spec[1], rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(done.objectives, spec[2], rtol=0, atol=tolerance * scale)


# ---- equal to the specification --------------------------------------------------------------


def test_signatures_agree():
    ours, spec = (inspect.signature(m.coordinate_sweep) for m in (kernels, reference))
    assert list(ours.parameters.values()) == [
        p.replace(annotation=ours.parameters[name].annotation)
        for name, p in spec.parameters.items()
    ]


@given(cases(), st.sampled_from([1, 2, 3]))
@settings(max_examples=250)
def test_a_sweep_is_what_the_specification_says(isa, case, sweeps):
    want = case.run(reference.coordinate_sweep, sweeps=sweeps)
    got = case.run(kernels.coordinate_sweep, sweeps=sweeps)
    if isinstance(case.options["order"], str) and case.options["order"] == "greedy":
        # a tie that rounding decides otherwise leads elsewhere, and falls as far
        np.testing.assert_allclose(got[0].objective, want[0][1], rtol=0.2, atol=1e-2)
        return
    same(case, got, want, rounding(case, sweeps))


@given(cases(orders=("cyclic", "shuffled", "given")))
@settings(max_examples=60)
def test_gram_mode_makes_the_same_updates(isa, case):
    want = case.run(reference.coordinate_sweep, sweeps=2)
    w = case.options["weights"]
    A = case.A.astype(float)
    for gram in (True, (A if w is None else w[:, None] * A).T @ A):
        same(case, case.run(kernels.coordinate_sweep, sweeps=2, gram=gram), want,
             rounding(case, 2))  # fmt: skip


@given(cases(orders=("greedy",)))
@settings(max_examples=60)
def test_greedy_takes_the_coordinate_by_which_the_objective_falls_most(isa, case):
    """Where rounding decides between equal falls the paths part; so only falls are compared."""
    case.options["order"] = "cyclic"
    start = case.run(kernels.coordinate_sweep, sweeps=0)[0].objectives[0]
    falls = [
        start - case.run(kernels.coordinate_sweep, order=[j])[0].objectives[-1]
        for j in range(case.A.shape[1])
    ]
    P = case.A.shape[1]
    if P == 0 or case.intercept is not None or case.b.size == 0:
        return
    one = Case(case.A, case.theta, case.b, None, case.options)
    got = one.run(kernels.coordinate_sweep, order="greedy", sweeps=1)[0].objectives
    best = np.max(falls, axis=0)
    tolerance = rounding(case) * (1 + np.abs(start))
    assert (start - got[-1] >= best - tolerance).all()  # the first update alone falls that far


def well_posed(n=400, P=12, seed=0, **options):
    rng = np.random.default_rng(seed)
    A = np.asfortranarray(rng.standard_normal((n, P)))
    return Case(A, np.zeros(P), rng.standard_normal(n), None, options)


@pytest.mark.parametrize("kind", [dict(), dict(l1=20.0, l2=1.0), dict(bounds=(-0.02, 0.05))])
def test_greedy_follows_the_specification(isa, kind):
    case = well_posed(**kind)
    want = case.run(reference.coordinate_sweep, order="greedy", sweeps=2)
    same(case, case.run(kernels.coordinate_sweep, order="greedy", sweeps=2), want,
         rounding(case, 2))  # fmt: skip


# ---- identities ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("layout", ["F", "C"])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_threads_change_no_bit(isa, dtype, layout, batch):
    rng = np.random.default_rng(1)
    n, P = 9001, 13
    A = np.array(rng.standard_normal((n, P)), dtype, order=layout)
    case = Case(A, np.zeros((P, *batch)), rng.standard_normal((n, *batch)),
                np.zeros(batch or 1), dict(l1=3.0, weights=rng.random(n), sweeps=3))  # fmt: skip
    one = case.run(kernels.coordinate_sweep, threads=1)
    for threads in (2, 5):
        for _ in range(3):
            more = case.run(kernels.coordinate_sweep, threads=threads)
            for a, b in zip((*one[0][:3], *one[1:]), (*more[0][:3], *more[1:]), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_the_place_in_memory_changes_no_bit(isa, dtype, batch):
    """Columns are walked from where they are aligned; every sum keeps its order."""
    rng = np.random.default_rng(6)
    n, P = 1500, 11
    A = rng.standard_normal((n, P)).astype(dtype)
    b, w = rng.standard_normal((n, *batch)), rng.random(n)
    results = []
    for offset in range(9):
        room = np.empty(n * P + 16, dtype)
        placed = room[offset : offset + n * P].reshape((n, P), order="F")
        placed[:] = A
        case = Case(placed, np.zeros((P, *batch)), b, None, dict(weights=w, sweeps=2, l1=1.0))
        results.append(case.run(kernels.coordinate_sweep, threads=1))
    for other in results[1:]:
        np.testing.assert_array_equal(other[1], results[0][1])
        np.testing.assert_array_equal(other[2], results[0][2])


def test_cutting_a_call_changes_no_bit(isa, monkeypatch):
    """Long calls are cut so that Ctrl-C is heard."""
    case = well_posed(3000, 37, l1=5.0, sweeps=4)
    whole = case.run(kernels.coordinate_sweep)
    monkeypatch.setattr("thalweg.kernels.sweep._AT_ONCE", 3000 * 9)
    for a, b in zip(whole[1:3], case.run(kernels.coordinate_sweep)[1:3], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(case.run(kernels.coordinate_sweep)[0].objectives,
                               whole[0].objectives, rtol=1e-14)  # fmt: skip


def test_sweeps_add_up(isa):
    """Three calls of one sweep are one call of three."""
    case = well_posed(500, 21, l1=2.0)
    _, theta, residual, _ = case.run(kernels.coordinate_sweep, sweeps=3)
    t, r = case.theta.copy(), case.b.copy()
    for _ in range(3):
        kernels.coordinate_sweep(case.A, t, r, l1=2.0)
    np.testing.assert_array_equal(t, theta)
    np.testing.assert_array_equal(r, residual)


def test_right_hand_sides_do_not_meet(isa):
    rng = np.random.default_rng(2)
    A, B = rng.standard_normal((700, 9)), rng.standard_normal((700, 5))
    theta, residual = np.zeros((9, 5)), B.copy()
    done = kernels.coordinate_sweep(A, theta, residual, l1=1.0, sweeps=3)
    for m in range(5):
        t, r = np.zeros(9), B[:, m].copy()
        alone = kernels.coordinate_sweep(A, t, r, l1=1.0, sweeps=3)
        np.testing.assert_allclose(theta[:, m], t, rtol=0, atol=1e-14)
        np.testing.assert_allclose(done.objectives[:, m], alone.objectives, rtol=1e-13)


def test_weight_two_is_a_row_twice(isa):
    case = well_posed(300, 7)
    twice = Case(np.vstack([case.A, case.A]), case.theta, np.tile(case.b, 2))
    t = case.run(kernels.coordinate_sweep, weights=np.full(300, 2.0), l1=3.0, sweeps=4)[1]
    np.testing.assert_allclose(t, twice.run(kernels.coordinate_sweep, l1=3.0, sweeps=4)[1],
                               rtol=0, atol=1e-14)  # fmt: skip


def test_an_intercept_is_a_column_of_ones(isa):
    case = well_posed(300, 7, l1=3.0, sweeps=4)
    free = Case(case.A, case.theta, case.b, np.zeros(1), case.options)
    ones = Case(np.hstack([case.A, np.ones((300, 1))]), np.zeros(8), case.b)
    _, theta, residual, intercept = free.run(kernels.coordinate_sweep)
    l1 = np.append(np.full(7, 3.0), 0)
    _, t, r, _ = ones.run(kernels.coordinate_sweep, l1=l1, sweeps=4)
    np.testing.assert_array_equal(np.append(theta, intercept), t)
    np.testing.assert_array_equal(residual, r)


@given(cases())
@settings(max_examples=100)
def test_the_objective_never_rises_and_the_residual_stays_true(isa, case):
    done, theta, residual, free = case.run(kernels.coordinate_sweep, sweeps=4, b=case.b)
    assert (np.diff(done.objectives, axis=0) <= 0).all()
    exact = case.b - case.A.astype(float) @ theta - (0 if free is None else free)
    np.testing.assert_allclose(residual, exact, rtol=0, atol=rounding(case, 4))
    assert done.drift <= rounding(case, 4)
    kept = case.run(kernels.coordinate_sweep, sweeps=4)[2]
    assert np.abs(kept - exact).max(initial=0) <= rounding(case, 4)


# ---- certificates ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["cyclic", "shuffled", "random", "greedy"])
@pytest.mark.parametrize("relaxation", [0.7, 1.0, 1.5])
def test_sweeps_end_where_the_optimality_conditions_hold(isa, order, relaxation):
    """KKT: A_j'Wr − l2 θ_j is l1 sign(θ_j), or in [−l1, l1] at 0, or pushes against a bound."""
    rng = np.random.default_rng(3)
    A, b, w = rng.standard_normal((200, 9)), rng.standard_normal(200), rng.random(200)
    l1, l2, low, high = 5.0, 0.5, -0.03, 0.01
    theta, r = np.zeros(9), b.copy()
    kernels.coordinate_sweep(A, theta, r, l1=l1, l2=l2, weights=w, bounds=(low, high), rng=0,
                             order=order, relaxation=relaxation, sweeps=400)  # fmt: skip
    g = A.T @ (w * r) - l2 * theta
    most = np.where(theta > 0, l1, np.where(theta < 0, -l1, l1))
    least = np.where(theta > 0, l1, -l1)
    assert (g <= np.where(theta == high, np.inf, most) + 1e-10).all()
    assert (g >= np.where(theta == low, -np.inf, least) - 1e-10).all()
    assert (theta == 0).any() and (theta == high).any() and (theta == low).any()


@pytest.mark.parametrize(("n", "P"), [(1000, 100), (5000, 30)])
def test_iterates_are_those_of_scikit_learn(isa, n, P):
    cd = pytest.importorskip("sklearn.linear_model._cd_fast").enet_coordinate_descent
    case = well_posed(n, P)
    b = case.A @ np.linspace(-1, 1, P) + case.b
    for sweeps in (1, 2, 5):
        w = np.zeros(P)
        with warnings.catch_warnings(action="ignore"):  # that it has not converged
            cd(w, 30.0, 2.0, case.A, b, sweeps, 0.0, np.random.RandomState(0), 0, 0, 0)
        theta, residual = np.zeros(P), b.copy()
        kernels.coordinate_sweep(case.A, theta, residual, l1=30.0, l2=2.0, sweeps=sweeps)
        np.testing.assert_allclose(theta, w, rtol=0, atol=1e-12)


def test_float32_columns_have_float64_sums(isa):
    """The answer is that of the same numbers in float64, where float32 sums would stall."""
    rng = np.random.default_rng(4)
    A = (1 + 1e-3 * rng.standard_normal((5000, 4))).astype("f4")
    b = rng.standard_normal(5000)
    theta, r = np.zeros(4), b.copy()
    kernels.coordinate_sweep(A, theta, r, l2=1e-2, sweeps=50)
    t, s = np.zeros(4), b.copy()
    kernels.coordinate_sweep(A.astype(float), t, s, l2=1e-2, sweeps=50)
    np.testing.assert_allclose(theta, t, rtol=1e-10)


def test_indices_beyond_32_bits(isa):
    """A stride of zero makes 2^31 elements out of few."""
    column = np.ones(2**16)
    A = np.lib.stride_tricks.as_strided(column, (2**16, 2**15 + 8), (8, 0))
    theta, r = np.zeros(A.shape[1]), np.full(2**16, 3.0)
    order = [A.shape[1] - 1, 2, 0]
    kernels.coordinate_sweep(A, theta, r, order=order)
    assert theta[-1] == 3 and not theta[:-1].any() and not r.any()


def test_sweeps_of_two_python_threads_run_side_by_side():
    """While one thread is in C the other can begin, only if the GIL is released."""
    case = well_posed(20_000, 100)
    spans = []

    def run():
        begin = time.perf_counter()
        case.run(kernels.coordinate_sweep, sweeps=20, threads=1)
        spans.append((begin, time.perf_counter()))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody is asked to give the GIL away
    try:
        both = [threading.Thread(target=run) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert max(begin for begin, _ in spans) < min(end for _, end in spans)


# ---- refusals --------------------------------------------------------------------------------


def read_only(array):
    array.flags.writeable = False
    return array


SHARED = np.zeros(12)
REFUSED = [
    (dict(A=np.ones((4, 3), int)), TypeError, "A must be float64 or float32, got int64"),
    (dict(A=np.ones(3)), ValueError, r"A must have shape \(n, P\), got \(3,\)"),
    (dict(A=np.ma.ones((4, 3))), TypeError, "A must not be masked"),
    (dict(theta=np.zeros(2)), ValueError, r"theta must have shape \(P=3,\) or \(P=3, M\)"),
    (dict(theta=[0.0] * 3), TypeError, "theta is written in place: it must be a float64"),
    (dict(theta=np.zeros(3, "f4")), TypeError, "got float32"),
    (dict(theta=read_only(np.zeros(3))), ValueError, "read-only"),
    (dict(theta=np.array([0, np.nan, 0])), ValueError, r"but theta\[1\] is nan"),
    (dict(residual=np.zeros(5)), ValueError, r"residual must have shape \(n=4,\), got \(5,\)"),
    (dict(residual=np.array([0, 0, 0, np.inf])), ValueError, r"residual\[3\] is inf"),
    (dict(theta=SHARED[:3], residual=SHARED[2:6]), ValueError, "shares memory with residual"),
    (dict(b=SHARED[:4], residual=SHARED[2:6]), ValueError, "residual .* shares memory with b"),
    (dict(A=SHARED.reshape(4, 3), theta=SHARED[:3]), ValueError, "shares memory with A"),
    (dict(l1=-1), ValueError, r"l1 must be finite and not negative, but l1\[0\] is -1"),
    (dict(l2=[0, np.nan, 0]), ValueError, r"l2\[1\] is nan"),
    (dict(l1=[1, 2]), ValueError, r"l1 must have shape \(P=3,\), got \(2,\)"),
    (dict(weights=[1, 1, -1, 1]), ValueError, r"weights\[2\] is -1"),
    (dict(weights=[1, 1, np.nan, 1]), ValueError, r"weights\[2\] is nan"),
    (dict(weights=[1, 1]), ValueError, r"weights must have shape \(n=4,\), got \(2,\)"),
    (dict(bounds=(1, 0)), ValueError, "bounds leave coordinate 0 no value"),
    (dict(bounds=(np.nan, 0)), ValueError, "bounds leave coordinate 0 no value"),
    (dict(bounds=3), ValueError, r"bounds must be a pair \(lower, upper\)"),
    (dict(bounds=(1, None)), ValueError, "theta must start within its bounds; coordinate 0"),
    (dict(order="best"), ValueError, "order must be 'cyclic', 'shuffled', 'random', 'greedy'"),
    (dict(order=[0, 3]), ValueError, "order names coordinate 3, but there are P=3"),
    (dict(order=[-1]), ValueError, "order names coordinate -1"),
    (dict(order=[0.5]), TypeError, "order must be a row of coordinates"),
    (dict(relaxation=2), ValueError, "relaxation must be between 0 and 2, got 2"),
    (dict(relaxation=np.nan), ValueError, "relaxation must be between 0 and 2, got nan"),
    (dict(sweeps=-1), ValueError, "sweeps must be a whole number"),
    (dict(threads=0), ValueError, "threads must be a whole number"),
    (dict(intercept=np.zeros(2)), ValueError, r"intercept must have shape \(1,\)"),
    (dict(gram=np.eye(2)), ValueError, r"gram must be True or have shape \(P=3, P=3\)"),
    (dict(gram=np.full((3, 3), np.nan)), ValueError, "gram must be finite"),
    (dict(gram=np.eye(3) + np.eye(3, k=1)), ValueError, "gram must be symmetric"),
    (dict(b=[1, 2, 3, np.nan]), ValueError, r"b\[3\] is nan"),
    (dict(b=[1, 2]), ValueError, r"b must have shape \(n=4,\), got \(2,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "sentence"), REFUSED)
def test_bad_input_is_refused_in_a_sentence(change, error, sentence):
    good = dict(A=np.eye(4)[:, :3].copy(), theta=np.zeros(3), residual=np.arange(4.0))
    call = good | change
    kept = [np.copy(call[name]) for name in ("theta", "residual")]
    with pytest.raises(error, match=sentence):
        kernels.coordinate_sweep(**call)
    for name, before in zip(("theta", "residual"), kept, strict=True):
        np.testing.assert_array_equal(call[name], before)


@pytest.mark.parametrize("gram", [None, True])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_what_is_not_finite_in_A_is_named_and_nothing_is_written(isa, dtype, value, gram):
    A = np.random.default_rng(5).standard_normal((3000, 11)).astype(dtype)
    A[2222, 9] = value
    theta, residual = np.zeros(11), np.ones(3000)
    with pytest.raises(ValueError, match=rf"A\[2222, 9\] is {value}"), np.errstate(all="ignore"):
        kernels.coordinate_sweep(A, theta, residual, gram=gram)
    assert not theta.any() and (residual == 1).all()


def test_columns_and_objectives_that_overflow_are_refused(isa):
    A, theta, residual = np.full((2, 2), 1e200), np.zeros(2), np.ones(2)
    with pytest.raises(ValueError, match="column 0 of A overflows"):
        kernels.coordinate_sweep(A, theta, residual)
    residual = np.full(2, 1e200)
    with pytest.raises(ValueError, match="the objective overflows"):
        kernels.coordinate_sweep(np.eye(2), theta, residual, l2=1.0)
    assert not theta.any() and (residual == 1e200).all()


def test_a_column_of_zeros_goes_to_zero_if_penalised(isa):
    A = np.zeros((3, 2))
    theta, residual = np.full(2, 0.5), np.ones(3)
    kernels.coordinate_sweep(A, theta, residual, l1=[1.0, 0.0], bounds=(0.2, 1.0))
    np.testing.assert_array_equal(theta, [0.2, 0.5])
