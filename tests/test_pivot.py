"""Block principal pivoting: as the reference does it, identities, certificates."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from pivot_cases import EPS, Problem, matrix, problems, sides, violation
from scipy.optimize import lsq_linear, nnls

from thalweg import Status, kernels, reference
from thalweg.kernels import block_pivoting
from thalweg.status import PIVOTED

FIELDS = kernels.Pivoted._fields


def rounding(problem, r):
    """What sums of P terms make of c − Gθ, per length of a column; with room for the solution."""
    P = problem.A.shape[1]
    size = np.abs(problem.B).sum(axis=-1) + r.reach
    return 8 * (P + 1) * EPS * size


def as_given(problem, r):
    """The bounds as arrays, for each problem."""
    return tuple(np.broadcast_to(side, r.theta.shape) for side in sides(problem.bounds))


# ---- equal to the reference ---------------------------------------------------------------------


def test_signature_is_that_of_the_reference():
    ours, theirs = (
        inspect.signature(module.block_pivoting).parameters for module in (kernels, reference)
    )
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


def test_outcomes_are_statuses():
    contract = Path(__file__).resolve().parents[1] / "csrc" / "linear" / "contract.h"
    numbers = dict(re.findall(r"TW_PIVOT_(\w+) = (-?\d+)", contract.read_text()))
    assert {name: int(n) for name, n in numbers.items()} == {s.name: s.value for s in PIVOTED}
    assert all(text.startswith("converged: ") == s.success for s, text in PIVOTED.items())


@given(problems())
def test_matches_reference(isa, problem):
    """The minimum is unique in what the objective is; θ is where no columns depend on others."""
    r = problem.run()
    want = dict(zip(FIELDS, problem.run(reference.block_pivoting), strict=True))
    np.testing.assert_array_equal(r.status, want["status"])
    size = (np.sqrt((problem.B**2).sum(-1)) + r.reach) ** 2
    slack = 1e2 * (problem.A.shape[1] + 1) * EPS * size
    assert (np.abs(r.objective - want["objective"]) <= slack).all()
    assert (r.violation <= rounding(problem, r)).all()


@pytest.mark.parametrize("bounds", [(0, None), (-0.3, 0.3), (0.2, 0.6)])
@pytest.mark.parametrize("kind", ["plain", "positive"])
@pytest.mark.parametrize("P", [1, 5, 8, 9, 17])
def test_makes_the_exchanges_of_the_reference(isa, P, kind, bounds):
    rng = np.random.default_rng(P)
    problem = Problem(matrix(rng, P + 20, P, kind), rng.standard_normal((40, P + 20)), bounds)
    r = problem.run()
    want = dict(zip(FIELDS, problem.run(reference.block_pivoting), strict=True))
    np.testing.assert_array_equal(r.n_iter, want["n_iter"])
    # a plain matrix of so many more rows than columns has a condition number below 100
    for name in ("theta", "objective", "reach"):
        np.testing.assert_allclose(getattr(r, name), want[name], rtol=1e4 * EPS, atol=1e4 * EPS)


@pytest.mark.parametrize("bounds", [(0, None), (0.2, 0.6), (0, 0.1)])
@pytest.mark.parametrize("P", [2, 3, 8])
def test_makes_the_exchanges_of_the_reference_where_columns_depend(isa, P, bounds):
    """All coordinates are free at the start, and every second column is twice the one before."""
    rng = np.random.default_rng(P)
    A = np.abs(rng.standard_normal((P + 20, P)))
    A[:, 1::2] = 2 * A[:, : P - 1 : 2]
    problem = Problem(A, np.abs(rng.standard_normal((40, P + 20))), bounds)
    assert (problem.C > 0).all()
    want = dict(zip(FIELDS, problem.run(reference.block_pivoting), strict=True))
    np.testing.assert_array_equal(problem.run().n_iter, want["n_iter"])


def test_descends_as_the_reference_where_full_exchanges_fail(isa):
    """Whole families of columns that are nearly alike; some problems take dozens of exchanges."""
    longest = 0
    for seed in range(1, 9):
        rng = np.random.default_rng(seed)
        P = int(rng.integers(4, 13))
        A = rng.standard_normal((P + 2, P)) @ np.diag(np.logspace(0, -2, P))
        A = A @ rng.standard_normal((P, P))
        for bounds in ((0, None), (-0.3, 0.3)):
            problem = Problem(A, rng.standard_normal((40, P + 2)), bounds)
            r = problem.run()
            want = problem.run(reference.block_pivoting)
            assert r.success.all()
            np.testing.assert_array_equal(r.n_iter, want[FIELDS.index("n_iter")])
            longest = max(longest, r.n_iter.max())
    assert longest > 20


# ---- certificates --------------------------------------------------------------------------------


@given(problems())
def test_is_a_minimum(isa, problem):
    r = problem.run()
    assert r.success.all() and (r.status == Status.ROUNDING).all()
    lower, upper = as_given(problem, r)
    assert ((r.theta >= lower) & (r.theta <= upper)).all()
    exact = violation(problem.G, problem.C, r.theta, (lower, upper))
    assert (np.abs(exact - r.violation) <= rounding(problem, r)).all()
    assert (exact <= rounding(problem, r)).all()


def test_is_scipys_nnls():
    rng = np.random.default_rng(0)
    A = np.abs(rng.standard_normal((28, 5)))
    B = np.maximum(rng.standard_normal((200, 5)), 0) @ A.T + 0.3 * rng.standard_normal((200, 28))
    r = block_pivoting(A.T @ A, B @ A)
    for theta, b in zip(r.theta, B, strict=True):
        np.testing.assert_allclose(theta, nnls(A, b)[0], rtol=0, atol=1e-13)


def test_is_scipys_lsq_linear():
    rng = np.random.default_rng(1)
    A, B = rng.standard_normal((30, 7)), rng.standard_normal((20, 30))
    lower, upper = -rng.random(7) / 4, rng.random(7) / 4
    r = block_pivoting(A.T @ A, B @ A, bounds=(lower, upper))
    for theta, b in zip(r.theta, B, strict=True):
        want = lsq_linear(A, b, (lower, upper), method="bvls", tol=1e-14).x
        np.testing.assert_allclose(theta, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("bounds", [(0, None), (-0.3, 0.3)])
@pytest.mark.parametrize("P", [6, 9, 12])
def test_banks_of_decays(P, bounds):
    """Columns that G hardly tells apart, where rounding leads simpler rules in circles."""
    rng = np.random.default_rng(P)
    problem = Problem(matrix(rng, P + 2, P, "decays"), rng.standard_normal((2000, P + 2)), bounds)
    r = problem.run()
    assert r.success.all()
    assert (violation(problem.G, problem.C, r.theta, sides(bounds)) <= rounding(problem, r)).all()


def test_columns_that_occur_twice():
    """The sum of two equal columns' coefficients is what it is without one of them."""
    rng = np.random.default_rng(3)
    A, B = rng.standard_normal((20, 4)), rng.standard_normal((100, 20))
    twice = np.column_stack([A, A])
    want, got = (block_pivoting(X.T @ X, B @ X) for X in (A, twice))
    assert got.success.all()
    np.testing.assert_allclose(got.theta[:, :4] + got.theta[:, 4:], want.theta, rtol=0, atol=1e-13)
    # where one of them is not enough, the other does the rest
    want = block_pivoting(A.T @ A, B @ A, bounds=(-0.4, 0.4))
    got = block_pivoting(twice.T @ twice, B @ twice, bounds=(-0.2, 0.2))
    assert got.success.all()
    np.testing.assert_allclose(got.theta[:, :4] + got.theta[:, 4:], want.theta, rtol=0, atol=1e-13)


def test_what_is_nearly_dependent_is_singular():
    """A column 1e-9 beside another: G has no digit of it left, but c says that it matters."""
    rng = np.random.default_rng(4)
    q = np.linalg.qr(rng.standard_normal((30, 3)))[0]
    A = np.column_stack([q[:, 0], q[:, 0] + 1e-9 * q[:, 1]])
    r = block_pivoting(A.T @ A, A.T @ (q[:, 0] + 3 * q[:, 1]), bounds=None)
    assert r.status == Status.SINGULAR and not r.success
    np.testing.assert_allclose(r.violation, 3e-9, rtol=1e-3)
    assert "lost the digits" in r.reason()
    # an error of c that is told makes it a tie
    again = block_pivoting(A.T @ A, A.T @ (q[:, 0] + 3 * q[:, 1]), bounds=None, noise=4e-9)
    assert again.status == Status.ROUNDING


def test_c_outside_the_range_of_G_is_singular():
    r = block_pivoting([[1.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [1.0, -2.0], [1.0, 0.0]])
    assert r.status.tolist() == [Status.SINGULAR, Status.ROUNDING, Status.ROUNDING]
    np.testing.assert_array_equal(r.theta[:, 0], 1)
    assert r.violation.tolist() == [2, 0, 0]


def test_ties_are_no_violations():
    """At the minimum y is 0 in exact arithmetic where θ is 0, and its rounding has any sign."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((40, 6))
    truth = np.maximum(rng.standard_normal((500, 6)), 0)
    r = block_pivoting(A.T @ A, truth @ A.T @ A)
    assert r.success.all() and r.n_iter.max() <= 12
    np.testing.assert_allclose(r.theta, truth, rtol=0, atol=1e-13)


def test_a_limit_is_told():
    rng = np.random.default_rng(6)
    problem = Problem(rng.standard_normal((20, 9)), rng.standard_normal((50, 20)), (-0.1, 0.1))
    whole = problem.run()
    for most in (0, 1, 2):
        r = problem.run(max_iter=most)
        short = whole.n_iter > most
        assert 0 < short.sum() < 50 or most == 0
        np.testing.assert_array_equal(r.status == Status.MAX_ITER, short)
        assert (np.abs(r.theta) <= 0.1).all() and (r.n_iter <= most).all()
        np.testing.assert_array_equal(r.theta[~short], whole.theta[~short])
        exact = violation(problem.G, problem.C, r.theta, problem.bounds)
        np.testing.assert_allclose(r.violation, exact.astype(float), rtol=0, atol=1e-13)
        F = r.objective + 0.5 * (problem.B**2).sum(-1)
        np.testing.assert_allclose(F, problem.F(r.theta), rtol=1e-12)
    assert "max_iter exchanges" in r.reason(int(np.argmax(short)))


# ---- identities ----------------------------------------------------------------------------------


@given(problems())
def test_threads_neighbours_and_the_place_change_no_bit(isa, problem):
    r = problem.run(threads=1)
    for other in (problem.run(threads=3), problem.run(threads=3)):
        for one, two in zip(r, other, strict=True):
            np.testing.assert_array_equal(one, two)
    for m in range(len(problem.B)):
        low, high = (np.broadcast_to(side, r.theta.shape)[m] for side in sides(problem.bounds))
        alone = block_pivoting(problem.G, problem.C[m], bounds=(low, high))
        for one, many in zip(alone, r, strict=True):
            np.testing.assert_array_equal(one, many[m])
            np.testing.assert_array_equal(np.signbit(one), np.signbit(many[m]))


def test_a_minimum_beyond_all_numbers_is_not_finite(isa):
    """Scaled to columns of length 1 it is finite; a bound brings it back."""
    G, C = np.array([[1e-300]]), np.array([[1e10], [1.0]])
    assert block_pivoting(G, C, bounds=None).status.tolist() == [
        Status.NOT_FINITE, Status.ROUNDING,
    ]  # fmt: skip
    r = block_pivoting(G, C, bounds=(0, 1e305))
    assert r.success.all() and r.theta[0, 0] == 1e305


@pytest.mark.parametrize("bounds", [None, (-0.0, None), (None, -0.0)])
def test_no_zero_is_negative(isa, bounds):
    """Which zeros of c or of the bounds are negative is an accident of how they were computed."""
    rng = np.random.default_rng(8)
    A = rng.standard_normal((20, 5))
    C = np.concatenate([np.full((9, 5), -0.0), rng.standard_normal((200, 20)) @ A])
    theta = block_pivoting(A.T @ A, C, bounds=bounds).theta
    assert (theta == 0).any() and not np.signbit(theta[theta == 0]).any()


@pytest.mark.parametrize("unit", [1e-20, 1e-6, 1e6, 1e20])
@pytest.mark.parametrize("of", ["A", "b", "one column"])
def test_units_change_no_digit(of, unit):
    """Powers of two scale exactly."""
    unit = 2.0 ** np.round(np.log2(unit))
    rng = np.random.default_rng(7)
    A, B = rng.standard_normal((20, 6)), rng.standard_normal((30, 20))
    lower, upper = np.full(6, -0.1), np.full(6, 0.3)
    want = block_pivoting(A.T @ A, B @ A, bounds=(lower, upper))
    column = np.ones(6)
    if of == "one column":
        column[2] = unit
    elif of == "A":
        column[:] = unit
    else:
        B, lower, upper = B * unit, lower * unit, upper * unit
    A, lower, upper = A * column, lower / column, upper / column
    r = block_pivoting(A.T @ A, B @ A, bounds=(lower, upper))
    b = unit if of == "b" else 1.0
    np.testing.assert_array_equal(r.theta * column / b, want.theta)
    np.testing.assert_array_equal(r.violation / b, want.violation)
    np.testing.assert_array_equal(r.n_iter, want.n_iter)


def test_what_overflows_is_told():
    for G, c in [([[1e-300]], [1e300]), ([[1e-300, 0], [0, 1.0]], [1e300, 1.0])]:
        r = block_pivoting(G, c)
        assert r.status == Status.NOT_FINITE and not r.success
    assert block_pivoting([[1e-300]], [1e300], bounds=(0, 5.0)).theta == 5


def test_float32_right_hand_sides_are_read_as_they_are():
    rng = np.random.default_rng(8)
    A, C = rng.standard_normal((20, 6)), rng.standard_normal((30, 6)).astype(np.float32)
    for one, two in zip(
        block_pivoting(A.T @ A, C), block_pivoting(A.T @ A, C.astype(float)), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_only_the_lower_triangle_is_read():
    rng = np.random.default_rng(9)
    A, C = rng.standard_normal((20, 6)), rng.standard_normal((30, 6))
    G = A.T @ A
    H = G + np.triu(np.full((6, 6), 1e-9), 1)
    np.testing.assert_array_equal(block_pivoting(G, C).theta, block_pivoting(H, C).theta)


@pytest.mark.parametrize("batch", [(), (0,), (3,), (2, 0), (2, 3)])
def test_any_batch(batch):
    r = block_pivoting(np.eye(4), np.ones((*batch, 4)))
    assert r.theta.shape == (*batch, 4)
    assert all(x.shape == batch for x in r[1:])
    assert (r.theta == 1).all()


def test_no_coordinates():
    r = block_pivoting(np.zeros((0, 0)), np.zeros((3, 0)))
    assert r.theta.shape == (3, 0) and r.success.all() and (r.objective == 0).all()


@pytest.mark.parametrize("P", [2, 3, 6])
def test_what_depends_on_others_and_has_no_zero_in_its_box_is_taken_account_of(P):
    """A column twice, bounds that exclude 0: one of the two goes to its bound, not to 0."""
    rng = np.random.default_rng(P)
    A = rng.normal(size=(20, P))
    A = np.concatenate([A, A[:, P // 2 : P // 2 + 1]], axis=1)
    C = rng.normal(size=(40, 20)) @ A
    r = block_pivoting(A.T @ A, C, bounds=(0.3, 10.0))
    assert r.success.all() and (r.theta >= 0.3).all()
    y = C - r.theta @ (A.T @ A)
    inside = (r.theta > 0.3) & (r.theta < 10)
    # rounding of sums of P terms of size 20 and below
    assert np.abs(y[inside]).max(initial=0) < 1e-12 and (y[r.theta == 0.3] < 1e-12).all()
