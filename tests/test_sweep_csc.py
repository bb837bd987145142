"""Sweeps over sparse columns: as the reference does them, identities, certificates."""

import threading

import numpy as np
import pytest
from hypothesis import given
from scipy.sparse import csc_array
from sweep_csc_cases import KINDS, Problem, assert_same, matrix, problems, small

from thalweg import reference
from thalweg._core import sweep as _core
from thalweg.kernels import _sparse_sweep, coordinate_sweep

sparse = pytest.importorskip("scipy.sparse")


# ---- equal to the reference --------------------------------------------------------------------


@given(problems())
def test_matches_reference(isa, problem):
    assert_same(problem, problem.run(), problem.run(reference.coordinate_sweep))


@given(problems())
def test_b_refreshes_the_residual(isa, problem):
    fast = problem.run(b=problem.b)
    assert_same(problem, fast, problem.run(reference.coordinate_sweep, b=problem.b))
    _, theta, residual, intercept = fast
    after = problem._replace(theta=theta, intercept=intercept).residual()
    np.testing.assert_allclose(residual, after, rtol=0, atol=problem.rounding() / 10)


@pytest.mark.parametrize("relaxation", [1.0, 1.5])
@pytest.mark.parametrize("M", [None, 2])
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_greedy_matches_reference(isa, kind, centered, M, relaxation):
    """On data without ties, which rounding would decide."""
    rng = np.random.default_rng(3)
    A = matrix(rng, 200, 30, 0.1, kind)
    shape = () if M is None else (M,)
    options = {"order": "greedy", "sweeps": 2, "l1": 0.4, "l2": 0.1, "relaxation": relaxation}
    options["centered"] = centered
    options |= {"weights": rng.uniform(0.5, 2, 200), "bounds": (-0.3, None)}
    b = rng.standard_normal((200, *shape))
    problem = Problem(A, b, np.zeros((30, *shape)), np.zeros(M or 1), options)
    assert_same(problem, problem.run(), problem.run(reference.coordinate_sweep))


def test_greedy_takes_the_first_of_equals(isa):
    """Whole numbers: after the first update the residual is exactly zero."""
    A, theta, residual = sparse.csc_matrix(np.ones((4, 5))), np.zeros(5), np.full(4, 3.0)
    coordinate_sweep(A, theta, residual, order="greedy")
    np.testing.assert_array_equal(theta, [3, 0, 0, 0, 0])


@pytest.mark.parametrize("shape", [(), (3,), (11,)])
def test_drift_is_how_far_the_residual_was_off(isa, shape):
    """An error in a row without weight stays as it is, and the largest of them is the drift."""
    rng = np.random.default_rng(14)
    A, b, weights = matrix(rng, 50, 8, 0.3), rng.standard_normal((50, *shape)), np.ones(50)
    weights[20:23] = 0
    for row, error in ((20, 0.25), (21, -0.5), (22, 0.125)):
        theta, residual = np.zeros((8, *shape)), b.copy()
        residual.reshape(50, -1)[row, -1] += error
        report = coordinate_sweep(A, theta, residual, weights=weights, b=b)
        np.testing.assert_allclose(report.drift, abs(error), rtol=0, atol=1e-12)
        np.testing.assert_allclose(residual, b - A @ theta, rtol=0, atol=1e-12)


def test_is_scikit_learns_descent():
    """The same iterates as scikit-learn's, with its centred columns too."""
    descent = pytest.importorskip("sklearn.linear_model._cd_fast").sparse_enet_coordinate_descent
    rng = np.random.default_rng(0)
    A, b = matrix(rng, 80, 40, 0.1), rng.standard_normal(80)
    for centered in (False, True):
        mean = np.asarray(A.mean(axis=0)).ravel() * centered
        theta, target = np.zeros(40), b - b.mean() * centered
        with pytest.warns(UserWarning, match=r"did not converge"):
            descent(
                np.asarray(theta), 0.5, 0.3, A.data, A.indices, A.indptr, target, None, mean,
                3, 0.0, np.random.RandomState(0), do_screening=False,
            )  # fmt: skip
        problem = Problem(A, b, np.zeros(40), np.zeros(1) if centered else None, {})
        ours = problem.run(l1=0.5, l2=0.3, sweeps=3, centered=centered)[1]
        np.testing.assert_allclose(ours, theta, rtol=0, atol=1e-12)


# ---- identities --------------------------------------------------------------------------------


@given(problems(orders=("cyclic", "random", "greedy")))
def test_objective_never_rises(isa, problem):
    """It is also what theta and residual say it is."""
    report, theta, residual, _ = problem.run(sweeps=3)
    objectives = np.atleast_2d(report.objectives.T).T
    assert (np.diff(objectives, axis=0) <= 0).all()
    w = problem.options["weights"]
    w = np.ones(len(residual)) if w is None else w
    l1, l2 = (np.broadcast_to(problem.options[k], len(theta)) for k in ("l1", "l2"))
    F = w @ residual**2 / 2 + l1 @ np.abs(theta) + l2 @ theta**2 / 2
    tolerance = problem.rounding(3) * (1 + np.abs(objectives).sum())
    np.testing.assert_allclose(report.objectives[-1], F, rtol=0, atol=tolerance)


@given(problems())
def test_keeps_residual_and_bounds(isa, problem):
    _, theta, residual, intercept = problem.run()
    after = problem._replace(theta=theta, intercept=intercept).residual()
    np.testing.assert_allclose(residual, after, rtol=0, atol=problem.rounding(2))
    lower, upper = problem.options["bounds"]
    assert ((theta.T >= lower) & (theta.T <= upper)).all()


@given(problems(orders=("cyclic", "shuffled", "greedy")))
def test_threads_change_no_bit(isa, problem):
    one, *others = (problem.run(threads=t) for t in (1, 2, 5))
    for other in others:
        for ours, theirs in zip(one[1:], other[1:], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(one[0].objectives, other[0].objectives)


def test_right_hand_sides_do_not_meet(isa):
    """Each has the bits it has among others, wherever it stands in them."""
    rng = np.random.default_rng(1)
    A, b = matrix(rng, 90, 20, 0.2), rng.standard_normal((90, 20))
    options = {"l1": 0.3, "sweeps": 3}
    whole = Problem(A, b, np.zeros((20, 20)), np.zeros(20), options).run()
    turned = Problem(A, b[:, ::-1].copy(), np.zeros((20, 20)), np.zeros(20), options).run()
    for ours, theirs in zip(whole[1:], turned[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs[..., ::-1])
    alone = Problem(A, b[:, 4], np.zeros(20), np.zeros(1), options).run()
    np.testing.assert_allclose(whole[1][:, 4], alone[1], rtol=0, atol=1e-13)


def test_index_types_change_no_bit(isa):
    A, wide = (matrix(np.random.default_rng(5), 70, 15, 0.3, kind) for kind in KINDS[:2])
    b = np.linspace(-1, 2, 70)
    narrow_run, wide_run = (Problem(M, b, np.zeros(15), None, {}).run()[1:3] for M in (A, wide))
    for ours, theirs in zip(narrow_run, wide_run, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("centered", [False, True])
def test_splitting_the_sweeps_changes_nothing(isa, centered):
    rng = np.random.default_rng(4)
    problem = Problem(
        matrix(rng, 60, 12, 0.3), rng.standard_normal(60), np.zeros(12), np.zeros(1), {}
    )
    _, theta, residual, intercept = problem.run(sweeps=3, centered=centered)
    parts = problem
    for _ in range(3):
        _, partial, _, constant = parts.run(centered=centered)
        parts = parts._replace(theta=partial, intercept=constant)
    np.testing.assert_allclose(parts.theta, theta, rtol=0, atol=problem.rounding())
    np.testing.assert_allclose(parts.residual(), residual, rtol=0, atol=problem.rounding())
    np.testing.assert_allclose(parts.intercept, intercept, rtol=0, atol=problem.rounding())


@pytest.mark.parametrize("order", ["cyclic", "shuffled"])
def test_cutting_a_call_changes_no_bit(isa, monkeypatch, order):
    """Orders that are drawn are drawn for some sweeps at a time."""
    rng = np.random.default_rng(15)
    problem = Problem(matrix(rng, 60, 12, 0.3), rng.standard_normal((60, 2)), np.zeros((12, 2)),
                      np.zeros(2), {"order": order, "sweeps": 5, "seed": 3})  # fmt: skip
    whole = problem.run()
    monkeypatch.setattr(_sparse_sweep, "_AT_ONCE", 24)
    for ours, theirs in zip(problem.run()[1:], whole[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(problem.run()[0].objectives, whole[0].objectives)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("M", [1, 3])
def test_columns_that_are_known_are_swept_as_those_that_are_looked_at(isa, centered, M):
    rng = np.random.default_rng(3)
    A = np.where(rng.random((30, 8)) < 0.4, rng.standard_normal((30, 8)), 0.0)
    w, b = rng.random(30), rng.standard_normal((30, M))
    columns = _sparse_sweep.columns_of(csc_array(A))
    mean = w @ A / w.sum() if centered else np.zeros(8)
    each = (np.full(8, 0.1), np.zeros(8), np.full(8, -1.0), np.ones(8), 1.0)
    found = []
    for known in ({}, {"curvature": w @ (A - mean) ** 2, "mean": mean if centered else None}):
        theta, residual = np.zeros((8, M)), b.copy()
        status, _ = _core.sparse_sweep(
            (30, 8, M), columns.indptr, columns.indices, columns.values, weights=w, each=each,
            order=np.array([7, 0, 3]), greedy=False, sweeps=4, centered=centered, theta=theta,
            residual=residual, intercept=np.zeros(M), b=b, change=np.zeros(M),
            fall=np.zeros((4, M)), drift=np.zeros(M), threads=1, **known,
        )  # fmt: skip
        assert status == 0
        found.append((theta, residual))
    for one, other in zip(*found, strict=True):
        assert one.any()
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_weight_two_is_a_point_twice(isa):
    rng = np.random.default_rng(6)
    A, b = matrix(rng, 40, 10, 0.4), rng.standard_normal(40)
    twice = sparse.csc_matrix(sparse.vstack([A, A]))
    weighted = Problem(A, b, np.zeros(10), np.zeros(1), {"weights": np.full(40, 2.0)})
    doubled = Problem(twice, np.concatenate([b, b]), np.zeros(10), np.zeros(1), {})
    for options in ({}, {"centered": True}):
        one, two = (p.run(l1=0.7, sweeps=3, **options) for p in (weighted, doubled))
        np.testing.assert_allclose(one[1], two[1], rtol=0, atol=weighted.rounding(3))
        np.testing.assert_allclose(one[3], two[3], rtol=0, atol=weighted.rounding(3))


def test_float32_values_are_only_read_as_such(isa):
    """Sums and the residual are float64, so values that float32 holds exactly give the same."""
    rng = np.random.default_rng(8)
    A, b = matrix(rng, 80, 15, 0.3, KINDS[2]), rng.standard_normal(80)
    single, double = (Problem(M, b, np.zeros(15), None, {}).run() for M in (A, A.astype(float)))
    np.testing.assert_array_equal(single[1], double[1])
    np.testing.assert_array_equal(single[2], double[2])


# ---- certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["cyclic", "shuffled", "random", "greedy"])
def test_sweeps_end_at_the_optimum(isa, order):
    """Where no coordinate can move: the subgradient holds 0, or points out of the box."""
    rng = np.random.default_rng(9)
    A, b, w = matrix(rng, 150, 30, 0.1), rng.standard_normal(150), rng.uniform(0.5, 2, 150)
    options = {
        "l1": 0.5,
        "l2": 0.1,
        "weights": w,
        "bounds": (-0.1, None),
        "sweeps": 200,
        "order": order,
    }
    problem = Problem(A, b, np.zeros(30), np.zeros(1), options | {"seed": 1})
    report, theta, residual, _ = problem.run(b=b)
    g = A.T @ (w * residual) - 0.1 * theta
    excess = np.where(theta > 0, g - 0.5, np.where(theta < 0, g + 0.5, np.sign(g) * (abs(g) - 0.5)))
    excess = np.where((theta == 0) & (np.abs(g) <= 0.5), 0.0, excess)
    excess = np.where((theta == -0.1) & (excess < 0), 0.0, excess)
    assert np.abs(excess).max() < 1e-11
    assert abs(w @ residual) < 1e-11
    assert report.largest_change < 1e-12
    assert report.drift < 1e-12


def test_centered_is_the_faster_way_to_the_same_optimum(isa):
    rng = np.random.default_rng(10)
    A, b = abs(matrix(rng, 100, 10, 0.7)), 5 + rng.standard_normal(100)
    problem = Problem(A, b, np.zeros(10), np.zeros(1), {"l1": 0.2})
    _, theta, _, intercept = problem.run(sweeps=3000)
    report, centered, _, constant = problem.run(sweeps=100, centered=True)
    np.testing.assert_allclose(centered, theta, rtol=0, atol=1e-9)
    np.testing.assert_allclose(constant, intercept, rtol=0, atol=1e-9)
    assert report.objectives[5] < problem.run(sweeps=5)[0].objectives[5]


def test_a_constant_column_is_the_intercepts(isa):
    A = sparse.csc_matrix(np.column_stack([np.full(30, 0.1), np.arange(30.0)]))
    b = np.linspace(3, 8, 30) ** 2
    weights = np.random.default_rng(0).random(30)
    for w in (None, weights):
        problem = Problem(A, b, np.array([2.0, 0.0]), np.zeros(1), {"weights": w})
        assert problem.run(sweeps=20, centered=True)[1][0] == 2.0
        assert problem.run(sweeps=2, centered=True, l1=1.0)[1][0] == 0.0


def test_columns_without_values(isa):
    """theta_j stays without a penalty and goes to zero with one, or as near as it may."""
    A = sparse.csc_matrix((5, 4))
    theta = np.array([1.0, -2.0, 3.0, 4.0])
    options = {"l1": [0, 1, 1, 0], "l2": [0, 0, 0, 1], "bounds": ([-5, -5, 0.5, -5], None)}
    _, after, residual, _ = Problem(A, np.ones(5), theta, None, options).run()
    np.testing.assert_array_equal(after, [1.0, 0.0, 0.5, 0.0])
    np.testing.assert_array_equal(residual, np.ones(5))


def test_two_threads_of_python_at_once():
    """The GIL is free while a sweep runs."""
    rng = np.random.default_rng(11)
    A, b = matrix(rng, 500, 400, 0.1), rng.standard_normal(500)
    problem, ticks, done = (
        Problem(A, b, np.zeros(400), None, {"sweeps": 400}),
        [],
        threading.Event(),
    )
    alone = problem.run()[1]
    results = []

    def sweep():
        results.append(problem.run()[1])
        done.set()

    worker = threading.Thread(target=sweep)
    worker.start()
    while not done.is_set():
        ticks.append(None)
    worker.join()
    assert len(ticks) > 10
    np.testing.assert_array_equal(results[0], alone)


# ---- forms of the arguments ---------------------------------------------------------------------


def test_outputs_of_any_strides(isa):
    rng = np.random.default_rng(12)
    A, b = matrix(rng, 30, 8, 0.4), rng.standard_normal((30, 3))
    problem = Problem(A, b, np.zeros((8, 3)), np.zeros(3), {"sweeps": 2})
    _, theta, residual, intercept = problem.run()
    strided = [np.zeros((8, 3), order="F"), np.asfortranarray(b), np.zeros(6)[::2]]
    coordinate_sweep(A, strided[0], strided[1], intercept=strided[2], sweeps=2, centered=False)
    for ours, theirs in zip(strided, (theta, residual, intercept), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_is_what_the_public_sweep_runs():
    """A sparse matrix and the same as a dense one."""
    rng = np.random.default_rng(13)
    A, b = matrix(rng, 50, 10, 0.3), rng.standard_normal(50)
    results = []
    for form in (A, A.toarray()):
        theta, residual, intercept = np.zeros(10), b.copy(), np.zeros(1)
        options = {"l1": 0.2, "bounds": (0, None), "order": "shuffled", "seed": 3, "sweeps": 2}
        coordinate_sweep(form, theta, residual, intercept=intercept, **options)
        results.append(np.concatenate([theta, residual, intercept]))
    np.testing.assert_allclose(*results, rtol=0, atol=1e-13)


def test_rows_are_taken_as_their_columns(isa):
    A, b = matrix(np.random.default_rng(5), 70, 15, 0.3), np.linspace(-1, 2, 70)
    options = {"sweeps": 2, "l1": 0.1}
    columns, rows = (Problem(M, b, np.zeros(15), None, options).run() for M in (A, A.tocsr()))
    for ours, theirs in zip(rows[1:3], columns[1:3], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(problems(orders=("cyclic", "shuffled", "some")))
def test_gram_mode_makes_the_same_updates(isa, problem):
    want = problem.run(reference.coordinate_sweep)
    A, w = problem.A.toarray().astype(float), problem.options["weights"]
    for gram in (True, (A if w is None else w[:, None] * A).T @ A):
        assert_same(problem, problem.run(gram=gram), want)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["cyclic", "greedy", "random"])
@pytest.mark.parametrize("centered", [None, True, False])
def test_gram_mode_of_a_sparse_matrix_is_that_of_a_dense_one(isa, kind, order, centered):
    """The same products, by rows or by columns; of a dense A they are summed in another order."""
    rng = np.random.default_rng(7)
    A, b = matrix(rng, 90, 12, 0.3, kind), rng.standard_normal((90, 2))
    options = {"order": order, "l1": 0.2, "gram": True, "centered": centered, "sweeps": 3}
    options |= {"weights": rng.uniform(0, 1, 90), "seed": 2}
    dense = Problem(np.ascontiguousarray(A.toarray()), b, np.zeros((12, 2)), np.zeros(2), options)
    for form in (A, A.tocsr()):
        got, want = (swept(M, dense) for M in (form, dense.A))
        for ours, theirs in zip(got, want, strict=True):
            # 90 roundings of each product, of values of size 1, and a few sweeps
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def swept(A, problem):
    """Return theta, residual, intercept and objectives of a problem with this form of A."""
    theta, residual, intercept = problem.theta.copy(), problem.b.copy(), problem.intercept.copy()
    done = coordinate_sweep(A, theta, residual, intercept=intercept, **problem.options)
    return theta, residual, intercept, done.objectives


def test_a_generator_is_a_seed():
    rng = np.random.default_rng(13)
    A, b = matrix(rng, 50, 10, 0.3), rng.standard_normal(50)
    for form in (A, A.toarray()):
        runs = []
        for seed in (3, np.random.default_rng(3)):
            theta, residual = np.zeros(10), b.copy()
            coordinate_sweep(form, theta, residual, order="random", seed=seed, sweeps=2)
            runs.append(theta)
        np.testing.assert_array_equal(*runs)


def test_spare_room_and_explicit_zeros_are_allowed(isa):
    """SciPy may leave room behind the last column, and zeros where there were values."""
    A = small(data=[1.0, 0.0, 3.0, np.nan], indices=[0, 2, 1, -7])
    theta, residual = np.zeros(2), np.ones(3)
    coordinate_sweep(A, theta, residual)
    np.testing.assert_allclose(theta, [1, 1 / 3], rtol=1e-15)
    np.testing.assert_allclose(residual, [0, 0, 1], rtol=0, atol=1e-15)


def test_indices_of_two_types(isa):
    """int32 rows with int64 starts, as large problems have them."""
    A = small()
    A.indptr = A.indptr.astype(np.int64)
    theta, residual = np.zeros(2), np.ones(3)
    coordinate_sweep(A, theta, residual)
    np.testing.assert_allclose(theta, [0.6, 1 / 3], rtol=1e-15)
