"""Coordinate-descent sweeps over dense columns: the specification, identities, certificates."""

import inspect
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_cases import Case, cases, rounding, same, well_posed

from thalweg import kernels, reference

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


@pytest.mark.parametrize("kind", [dict(), dict(l1=20.0, l2=1.0), dict(bounds=(-0.02, 0.05))])
def test_greedy_follows_the_specification(isa, kind):
    case = well_posed(**kind)
    want = case.run(reference.coordinate_sweep, order="greedy", sweeps=2)
    same(case, case.run(kernels.coordinate_sweep, order="greedy", sweeps=2), want,
         rounding(case, 2))  # fmt: skip


def test_greedy_takes_the_first_of_equals(isa):
    """Whole numbers: after the first update the residual is exactly zero."""
    theta, residual = np.zeros(19), np.full(4, 3.0)
    kernels.coordinate_sweep(np.ones((4, 19)), theta, residual, order="greedy")
    np.testing.assert_array_equal(theta, 3.0 * (np.arange(19) == 0))


def test_drift_is_how_far_the_residual_was_off(isa):
    """An error in a row without weight stays as it is."""
    case = well_posed(300, 7)
    weights = np.r_[np.ones(298), 0, 1]
    theta, residual = case.theta.copy(), case.b.copy()
    residual[298] -= 0.5
    report = kernels.coordinate_sweep(case.A, theta, residual, weights=weights, b=case.b)
    np.testing.assert_allclose(report.drift, 0.5, rtol=0, atol=1e-12)
    np.testing.assert_allclose(residual, case.b - case.A @ theta, rtol=0, atol=1e-12)


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
    _, theta, residual, intercept = free.run(kernels.coordinate_sweep, centered=False)
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
    kernels.coordinate_sweep(A, theta, r, l1=l1, l2=l2, weights=w, bounds=(low, high), seed=0,
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


@pytest.mark.clock
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


def test_a_column_of_zeros_goes_to_zero_if_penalised(isa):
    A = np.zeros((3, 2))
    theta, residual = np.full(2, 0.5), np.ones(3)
    kernels.coordinate_sweep(A, theta, residual, l1=[1.0, 0.0], bounds=(0.2, 1.0))
    np.testing.assert_array_equal(theta, [0.2, 0.5])
