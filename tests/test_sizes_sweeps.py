"""Sweeps and sums over samples at every size where the kernels change what they do.

Each case is compared with its specification in NumPy, and one thread with two, bit by bit.
scripts/sanitize.sh runs these tests where every piece of workspace ends at a wall.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from sizes import LEAST_BLOCK, MOST_BLOCK, around, constant, lanes

import thalweg as tw
from thalweg import kernels, reference

EPS = np.finfo(float).eps
TYPES = [np.float64, np.float32]


def swept(sweep, A, b, shape, **options):
    """Sweep once from zero; return theta, the residual, the intercept and what was reported."""
    theta, residual = np.zeros((A.shape[1], *shape)), b.copy()
    intercept = np.zeros(shape or 1) if options.pop("free") else None
    done = sweep(A, theta, residual, intercept=intercept, **options)
    return theta, residual, intercept, *done[:3]


def equal_bits(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def sweeps_agree(sweep, specification, A, b, shape, tolerance, **options):
    one = swept(sweep, A, b, shape, threads=1, **options)
    two = swept(sweep, A, b, shape, threads=2, **options)
    equal_bits(one, two)
    want = swept(specification, A, b, shape, **options)
    for got, wanted in zip(one[:3], want[:3], strict=True):
        if wanted is not None:
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


# ---- dense columns -------------------------------------------------------------------------------

WIDTH, TILE = constant("sweep/contract.h", "TW_SWEEP_WIDTH"), constant("sweep/sweep.c", "NEAR_ROWS")
LEAST_CHUNK = constant("sweep/sweep.c", "LEAST_CHUNK")
USUAL_CHUNKS = constant("sweep/sweep.c", "USUAL_CHUNKS")
TOGETHER = constant("sweep/gram.h", "TOGETHER")
LONG_COLUMN = constant("sweep/columns.h", "LONG_COLUMN")
ROW_COUNTS = around(TILE, LEAST_CHUNK, LONG_COLUMN, USUAL_CHUNKS * LEAST_CHUNK)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("n", "P", "shape"),
    [
        *((n, WIDTH + 1, ()) for n in ROW_COUNTS),
        *((TILE + 1, P, ()) for P in around(WIDTH, 2 * WIDTH)),
        *((TILE + 1, WIDTH + 1, (M,)) for M in around(TOGETHER)),
    ],
)
def test_dense_sweeps_of_any_size(n, P, shape, dtype, order, free):
    rng = np.random.default_rng(n + P)
    A = np.array(rng.standard_normal((n, P)), dtype, order=order)
    b, weights = rng.standard_normal((n, *shape)), rng.uniform(0.5, 2, n)
    options = dict(l1=0.1, l2=0.1, weights=weights, free=free)
    # each update rounds sums of n terms, and passes on the errors of those before it
    tolerance = 1e2 * (P + 1) * np.sqrt(n) * EPS
    sweep, specified = kernels.coordinate_sweep, reference.coordinate_sweep
    sweeps_agree(sweep, specified, A, b, shape, tolerance, **options)
    sweeps_agree(sweep, specified, A, b, shape, tolerance, **options | dict(weights=None))


@pytest.mark.parametrize("order", ["cyclic", "greedy"])
@pytest.mark.parametrize("M", [None, *around(TOGETHER)])
@pytest.mark.parametrize("P", around(WIDTH))
def test_sweeps_on_a_gram_matrix_of_any_size(P, M, order):
    rng = np.random.default_rng(P)
    A, shape = rng.standard_normal((30, P)), () if M is None else (M,)
    b = rng.standard_normal((30, *shape))
    sweep = kernels.coordinate_sweep
    options = dict(l1=0.1, order=order, free=False, gram=True)
    one, two = (swept(sweep, A, b, shape, threads=t, **options) for t in (1, 2))
    equal_bits(one, two)
    np.testing.assert_allclose(one[1], b - A @ one[0], atol=1e3 * EPS)


# ---- sparse columns ------------------------------------------------------------------------------

LINE, SHORT, AHEAD = (constant("sweep/csc.h", name) for name in ("LINE", "SHORT", "AHEAD"))
LENGTHS = [0, *around(LINE, SHORT, AHEAD)]


def sparse_columns(lengths, n, dtype, index):
    """Columns of given numbers of values, in runs of rows or scattered, in turn."""
    rng = np.random.default_rng(len(lengths))
    A = np.zeros((n, len(lengths)))
    for j, length in enumerate(lengths):
        rows = rng.permutation(n)[:length] if j % 2 else np.arange(length) + (n - length) // 2
        A[rows, j] = rng.uniform(0.5, 1.5, length) * rng.choice([-1, 1], length)
    A = sp.csc_array(A.astype(dtype))
    A.indices, A.indptr = A.indices.astype(index), A.indptr.astype(index)
    return A


@pytest.mark.parametrize("how", ["plain", "free", "centered", "greedy"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("n", "P", "shape"),
    [
        (2 * AHEAD + 1, 2 * len(LENGTHS), ()),
        *((SHORT + 1, P, ()) for P in around(2, LINE)),
        *((SHORT + 1, 3, (M,)) for M in around(LINE)),
        *((n, 3, (LINE + 1,)) for n in around(LINE)),
    ],
)
def test_sparse_sweeps_of_any_size(n, P, shape, dtype, index, weighted, how):
    """Columns of every number of values at which their loops change; trees of greedy ones."""
    lengths = [min(length, n) for length in (LENGTHS * 2 if P > LINE + 1 else LENGTHS[:P])]
    A = sparse_columns([*lengths, *[n] * (P - len(lengths))][:P], n, dtype, index)
    rng = np.random.default_rng(5)
    b, weights = rng.standard_normal((n, *shape)), rng.uniform(0.5, 2, n) if weighted else None
    options = dict(l1=0.05, l2=0.1, weights=weights, free=how in ("free", "centered"))
    if how == "greedy":
        options["order"] = "greedy"
    options["centered"] = how == "centered"
    tolerance = 1e2 * (P + 1) * np.sqrt(n) * EPS
    sweep, specified = kernels.coordinate_sweep, reference.coordinate_sweep
    sweeps_agree(sweep, specified, A, b, shape, tolerance, **options)


# ---- sums over samples ---------------------------------------------------------------------------

CHUNK_BLOCKS = constant("loss/loss.c", "CHUNK_BLOCKS")
MOST_CHUNKS = constant("loss/loss.c", "MOST_CHUNKS")
CHAINS = constant("loss/loss.c", "CHAINS")


def network(x, w):
    """Hidden units of three weights each, so that many terms of the gradient share a factor."""
    units = [w[k : k + 3] for k in range(0, len(w) - 2, 3)]
    rest = w[3 * len(units) :]
    return sum(a * np.tanh(b * x + c) for a, b, c in units) + sum(rest) * x


def derivatives(x, w):
    """The Jacobian of `network`, (K, P)."""
    columns = []
    for k in range(0, len(w) - 2, 3):
        a, t = w[k], np.tanh(w[k + 1] * x + w[k + 2])
        columns += [t, a * x * (1 - t**2), a * (1 - t**2)]
    return np.stack(columns + [x] * (len(w) - len(columns)), axis=1)


def numbers_of_samples(dtype):
    block, small = MOST_BLOCK * lanes(dtype), LEAST_BLOCK * lanes(dtype)
    sizes = around(lanes(dtype), small, block, CHUNK_BLOCKS * block)
    return [*sizes, MOST_CHUNKS * CHUNK_BLOCKS * block + 1]


@pytest.mark.parametrize(
    ("dtype", "K", "P"),
    [
        *((dtype, K, 4) for dtype in TYPES for K in numbers_of_samples(dtype)),
        *((dtype, 100, P) for dtype in TYPES for P in [1, *around(CHAINS, 3 * LEAST_BLOCK, 64)]),
    ],
)
def test_sums_over_samples_of_any_size(dtype, K, P):
    rng = np.random.default_rng(K + P)
    x, w = rng.uniform(-1, 1, K).astype(dtype).astype(float), rng.uniform(0.5, 1, P)
    y = np.sin(x)
    losses = [tw.MSELoss(network, x, y, n_params=P, dtype=dtype, threads=t) for t in (1, 2)]
    e, J = y - network(x, w), derivatives(x, w)
    want = {
        "value": np.mean(e**2),
        "gradient": -2 * e @ J / K,
        "gauss_newton": 2 * J.T @ J / K,
        "residuals": e,
    }
    for name, wanted in want.items():
        one, two = (getattr(loss, name)(w) for loss in losses)
        np.testing.assert_array_equal(one, two)
        # a unit's rounding, of as many units as there are
        tolerance = 10 * (P + 10) * np.finfo(dtype).eps * (1 + np.abs(wanted).max())
        np.testing.assert_allclose(np.reshape(one, np.shape(wanted)), wanted, atol=tolerance)
