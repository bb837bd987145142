"""The quadratic form and sums over Jacobians at every size where the kernels change what they do.

Each case is compared with NumPy, and one thread with two, bit by bit.  scripts/sanitize.sh runs
these tests where every piece of workspace ends at a wall.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from sizes import around, constant

from thalweg import kernels

EPS = np.finfo(float).eps
TYPES = [np.float64, np.float32]


def twice(kernel, *arguments, **options):
    """Call a kernel with one thread and with two; both must agree in every bit."""
    one, two = (kernel(*arguments, threads=threads, **options) for threads in (1, 2))
    for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (one, two)), strict=True):
        np.testing.assert_array_equal(a, b)
    return one


# ---- the quadratic form ------------------------------------------------------------------------

ROWS, BAND = constant("quadratic/triangle.h", "ROWS"), constant("quadratic/triangle.h", "BAND")
SEGMENT = constant("quadratic/triangle.h", "SEGMENT")
PART_ROWS = constant("quadratic/quadratic.c", "PART_ROWS")
SIDE = constant("quadratic/sparse.h", "SIDE")
BLOCK, TILES = constant("quadratic/many.h", "BLOCK"), constant("quadratic/many.h", "TILES")
MOST_POINTS = 3 * 8  # points of a tile: three registers of at most eight doubles
BATCH_TILES = constant("quadratic/many.h", "BATCH_TILES")

FORMS = {
    "full": lambda B: (B, {}),
    "lower": lambda B: (np.where(np.tri(len(B)), B, B.dtype.type("nan")), {"triangle": "lower"}),
    "upper": lambda B: (np.where(np.tri(len(B)).T, B, B.dtype.type("nan")), {"triangle": "upper"}),
    "packed": lambda B: (B[np.tril_indices(len(B))], {}),
    "packed upper": lambda B: (B[np.triu_indices(len(B))], {"triangle": "upper"}),
    "sparse": lambda B: (sp.csr_array(B), {}),
}


def symmetric(P, dtype):
    B = np.random.default_rng(P).standard_normal((P, P))
    return (B + B.T).astype(dtype)


def forms_agree(P, dtype, form, theta):
    B = symmetric(P, dtype)
    matrix, how = FORMS[form](B)
    got = twice(kernels.quadratic_form, matrix, theta, **how)
    value, gradient = twice(kernels.quadratic_form, matrix, theta, gradient=True, **how)
    wanted = theta @ B.astype(float)
    # sums of P products, in any order, of P rows
    size = np.abs(theta) @ np.abs(B.astype(float))
    error = 4 * (P + 8) * EPS * size
    assert (np.abs(gradient - 2 * wanted) <= 2 * error).all()
    for each in (got, value):
        assert (np.abs(each - (wanted * theta).sum(-1)) <= (error * np.abs(theta)).sum(-1)).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("P", around(ROWS, BLOCK, BAND, SEGMENT, PART_ROWS))
def test_quadratic_form_of_any_size(P, dtype, form):
    forms_agree(P, dtype, form, np.random.default_rng(1).standard_normal(P))


FEW = around(SIDE, MOST_POINTS // 4, MOST_POINTS // 2, MOST_POINTS)
MANY = around(TILES * MOST_POINTS, BATCH_TILES * MOST_POINTS, least=TILES * MOST_POINTS - 1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("M", "P"),
    [*((M, BLOCK + 1) for M in FEW), *((M, 5) for M in MANY), *((MANY[-2], P) for P in (1, 450))],
)
def test_quadratic_form_at_any_number_of_points(M, P, dtype, form):
    forms_agree(P, dtype, form, np.random.default_rng(2).standard_normal((M, P)))


# ---- sums over Jacobians -------------------------------------------------------------------------

TASK_BYTES = constant("adjoint/sums.h", "TASK_BYTES")
ROW_MULTIPLE = constant("adjoint/sums.h", "ROW_MULTIPLE")
CHUNK, MOST_CHUNK = constant("adjoint/sums.h", "CHUNK"), constant("adjoint/chunks.h", "MOST_CHUNK")
CHUNK_DOUBLES = constant("adjoint/chunks.h", "CHUNK_DOUBLES")
STREAM, STRIP = constant("adjoint/rows.h", "FEW"), constant("adjoint/rows.h", "STRIP")
NORMAL_STRIP = constant("adjoint/normal.h", "NORMAL_STRIP")
MOST_NARROW = 2 * 4  # columns: two vectors of half a group

LAYOUTS = {
    "rows": lambda J: J,
    "columns": lambda J: np.ascontiguousarray(J.swapaxes(1, 2)).swapaxes(1, 2),
    "gaps": lambda J: np.pad(J, ((0, 0), (0, 1), (0, 3)), constant_values=np.nan)[:, :-1, :-3],
    "sparse": lambda J: sp.csr_array(J.reshape(-1, J.shape[2])),
}
SMALL = [(1, n, 3) for n in around(ROW_MULTIPLE, MOST_CHUNK)]
COLUMNS = [(2, 19, P) for P in around(MOST_NARROW, STREAM, NORMAL_STRIP, MOST_CHUNK)]
ROWS_OF_CHUNKS = [(1, n, P) for P in (1, 17) for n in around(CHUNK)]
SPLITS = [  # rows of a split, and of two; a row of P doubles has a residual as well
    (1, n, P)
    for P in (1, 8, 70)
    for n in around(-(-TASK_BYTES // (8 * P + 8) // ROW_MULTIPLE) * ROW_MULTIPLE)
]
BLOCKS = [(K, Nx, P) for K in around(ROW_MULTIPLE, least=2) for Nx, P in ((3, 2), (10, 7), (1, 9))]


def jacobian(K, Nx, P, dtype, layout):
    rng = np.random.default_rng(K + Nx + P)
    J = rng.standard_normal((K, Nx, P)).astype(dtype)
    e, w = rng.standard_normal((2, K, Nx))
    return LAYOUTS[layout](J), J.astype(float), e, np.abs(w)


def close(got, want, size):
    """Within the rounding of a sum of as many terms as J has rows, n eps of the sum of sizes."""
    np.testing.assert_array_less(np.abs(got - want), 8 * EPS * size + 1e-300)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("K", "Nx", "P"), [*SMALL, *COLUMNS, *ROWS_OF_CHUNKS, *SPLITS, *BLOCKS])
def test_sums_over_jacobians_of_any_size(K, Nx, P, dtype, layout):
    A, J, e, w = jacobian(K, Nx, P, dtype, layout)
    rows, weighted = J.reshape(-1, P), (w * e).reshape(-1)
    size = (K * Nx + 8) * np.abs(weighted) @ np.abs(rows)
    close(twice(kernels.adjoint_sum, A, e, w), weighted @ rows, size)
    v = np.cos(np.arange(P))
    length = P * np.abs(rows).max() + 1
    close(twice(kernels.jvp, A, v).reshape(-1), rows @ v, P * length * np.ones(len(rows)))
    got = twice(kernels.normal_equations, A, e, w)
    weights = w.reshape(-1, 1)
    close(
        got.JtWJ,
        (weights * rows).T @ rows,
        (K * Nx + 8) * (weights * np.abs(rows)).T @ np.abs(rows),
    )
    close(got.JtWe, weighted @ rows, size)
    close(got.etWe, np.sum(w * e**2), (K * Nx + 8) * np.sum(w * e**2))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("K", "Nx", "P"), [*COLUMNS, *BLOCKS])
def test_sums_of_each_block_of_any_size(K, Nx, P, dtype, layout):
    A, J, e, w = jacobian(K, Nx, P, dtype, layout)
    weighted = w * e
    if layout == "sparse":
        e, w = e.reshape(-1), w.reshape(-1)
        A, J, weighted = sp.csr_array(A), J.reshape(-1, 1, P), weighted.reshape(-1, 1)
        e, w = e[:, None], w[:, None]
    size = (Nx + 8) * np.einsum("ki,kip->kp", np.abs(weighted), np.abs(J))
    want = np.einsum("ki,kip->kp", weighted, J)
    got = twice(kernels.vjp, A, e, w)
    close(got.reshape(want.shape), want, size)
    each = twice(kernels.normal_equations, A, e, w, per_problem=True)
    close(each.JtWe.reshape(want.shape), want, size)
    products = np.einsum("ki,kip,kiq->kpq", w, J, J)
    sizes = (Nx + 8) * np.einsum("ki,kip,kiq->kpq", w, np.abs(J), np.abs(J))
    close(each.JtWJ.reshape(products.shape), products, sizes)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("P", around(STRIP))
def test_sums_over_wide_jacobians(P, dtype, layout):
    A, J, e, w = jacobian(1, 21, P, dtype, layout)
    size = 29 * np.abs(w * e)[0] @ np.abs(J[0])
    close(twice(kernels.adjoint_sum, A, e, w), (w * e)[0] @ J[0], size)


def test_a_sum_of_more_rows_than_there_are_splits_of_the_usual_length():
    n = constant("adjoint/sums.h", "MAX_SPLITS") * TASK_BYTES // 16 + 1
    J, e = np.ones((1, n, 1)), np.ones((1, n))
    e[0, -1] = 3
    assert twice(kernels.adjoint_sum, J, e) == n + 2
