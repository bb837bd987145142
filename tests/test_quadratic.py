"""The quadratic loss: equal to its specification, its identities, certificates and refusals."""

import inspect
import threading
from functools import lru_cache

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given
from hypothesis import strategies as st

from thalweg import reference
from thalweg._core import quadratic as core
from thalweg.kernels import Symmetric, line_minimum, quadratic_form

EPS = np.finfo(float).eps
SIZES = st.one_of(st.integers(0, 20), st.sampled_from([31, 32, 33, 63, 64, 65, 71, 130]))
LARGE = 1111  # rows: several parts, bands and segments, and a remainder of each


def rounding(B, x):
    """Return how far two sums for x'Bx may be apart, and for a row of Bx.

    A sum of n products is off by at most n eps of the sum of their sizes, whatever its order
    (Higham, "Accuracy and Stability", section 3.1); there are two such sums, each over P.
    """
    size = np.abs(x) @ np.abs(B)
    steps = 2 * (B.shape[0] + 4) * EPS
    return steps * (size * np.abs(x)).sum(-1), 2 * steps * size


def matrix(P, seed, dtype=np.float64):
    """Return a symmetric indefinite matrix whose elements differ widely in size."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((P, P)) * 10.0 ** rng.integers(-3, 4, (P, P))
    return (np.tril(A) + np.tril(A, -1).T).astype(dtype)


def half(B, triangle):
    """Return B with NaN in all places outside a triangle."""
    keep = (np.tril if triangle == "lower" else np.triu)(np.ones(B.shape, bool))
    return np.where(keep, B, np.array(np.nan, B.dtype))


def strided(B):
    """Return B inside a larger array: rows are further apart than they are long."""
    wide = np.full((len(B), len(B) + 3), np.nan, B.dtype)
    wide[:, : len(B)] = B
    return wide[:, : len(B)]


def sparse(B, index):
    """Return B in compressed sparse rows with indices of some type."""
    B = sp.csr_array(B)
    B.indices, B.indptr = B.indices.astype(index), B.indptr.astype(index)
    return B


# Every way to bring one and the same matrix.
WAYS = {
    "full": lambda B: (B, {}),
    "columns": lambda B: (np.asfortranarray(B), {}),
    "strided": lambda B: (strided(B), {}),
    "every other": lambda B: (np.repeat(np.repeat(B, 2, 0), 2, 1)[::2, ::2], {}),
    "reversed": lambda B: (B[::-1].copy()[::-1], {}),
    "read-only": lambda B: (np.frombuffer(B.tobytes(), B.dtype).reshape(B.shape), {}),
    "swapped bytes": lambda B: (B.astype(B.dtype.newbyteorder()), {}),
    "checked": lambda B: (Symmetric(B), {}),
    "lower": lambda B: (half(B, "lower"), {"triangle": "lower"}),
    "upper": lambda B: (half(B, "upper"), {"triangle": "upper"}),
    "lower, columns": lambda B: (np.asfortranarray(half(B, "lower")), {"triangle": "lower"}),
    "upper, columns": lambda B: (np.asfortranarray(half(B, "upper")), {"triangle": "upper"}),
    "packed": lambda B: (B[np.tril_indices(len(B))], {}),
    "packed upper": lambda B: (B[np.triu_indices(len(B))], {"triangle": "upper"}),
    "symmetrised": lambda B: (2 * np.tril(B, -1) + np.diag(np.diag(B)), {"symmetrise": True}),
    "sparse": lambda B: (sparse(B, np.int32), {}),
    "sparse, long": lambda B: (sparse(B, np.int64), {}),
    "sparse lower": lambda B: (sparse(half(B, "lower"), np.int32), {"triangle": "lower"}),
    "sparse upper": lambda B: (sparse(half(B, "upper"), np.int64), {"triangle": "upper"}),
    "sparse columns": lambda B: (sp.csc_array(B), {}),
}
STARS = ("none", "shared", "own")


# Ways to bring a matrix that need not be symmetric.
ANY = ("full", "columns", "strided", "every other", "reversed", "read-only", "swapped bytes")
ANY_WAYS = {way: WAYS[way] for way in (*ANY, "sparse", "sparse, long", "sparse columns")} | {
    "padded": lambda B: (
        np.pad(B, ((0, 0), (8, 8)), constant_values=np.nan)[:, 8 : 8 + len(B)],
        {},
    ),
    "one row": lambda B: (np.broadcast_to(B[:1], B.shape), {}),
    "sparse, in pieces": lambda B: (in_pieces(B), {}),
}


def in_pieces(B):
    """Return B in sparse rows that hold two halves of every element, columns falling."""
    rows = sp.csr_array(B[:, ::-1])
    data, index = np.repeat(rows.data / 2, 2), np.repeat(len(B) - 1 - rows.indices, 2)
    return sp.csr_array((data, index, 2 * rows.indptr), shape=B.shape)


def general(P, seed, dtype=np.float64):
    """Return a matrix that is far from symmetric, whose elements differ widely in size."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((P, P)) * 10.0 ** rng.integers(-3, 4, (P, P))).astype(dtype)


@lru_cache
def large(way, dtype):
    """Return a matrix of LARGE rows, the way it is brought, and the arguments that say so."""
    B = matrix(LARGE, 0, dtype)
    return B, *WAYS[way](B)


def points(P, M, seed, star):
    """Return theta and theta*, of (P,) when M is None."""
    rng = np.random.default_rng(seed)
    shape = (P,) if M is None else (M, P)
    theta = rng.standard_normal(shape)
    return theta, {"none": None, "shared": rng.standard_normal(P), "own": theta + 1}[star]


# ---- equal to the specification --------------------------------------------------------------


@given(
    P=SIZES,
    M=st.one_of(st.none(), st.integers(0, 9), st.sampled_from([23, 24, 25, 100])),
    way=st.sampled_from(sorted(WAYS)),
    star=st.sampled_from(STARS),
    dtype=st.sampled_from([np.float64, np.float32]),
    seed=st.integers(0, 2**16),
)
@example(P=0, M=None, way="full", star="none", dtype=np.float64, seed=0)
@example(P=70, M=None, way="packed upper", star="shared", dtype=np.float32, seed=1)
@example(P=70, M=30, way="upper", star="own", dtype=np.float32, seed=1)
def test_value_and_gradient_are_what_the_specification_says(isa, P, M, way, star, dtype, seed):
    full = matrix(P, seed, dtype)
    B, how = WAYS[way](full)
    theta, theta_star = points(P, M, seed, star)
    wanted = reference.quadratic_form(full, theta, theta_star, gradient=True)
    of_value, of_gradient = rounding(
        full.astype(float), theta - (0 if theta_star is None else theta_star)
    )
    value = quadratic_form(B, theta, theta_star, **how)
    with_gradient, g = quadratic_form(B, theta, theta_star, gradient=True, **how)
    for got in (value, with_gradient):
        assert np.shape(got) == theta.shape[:-1]
        assert (np.abs(got - wanted[0]) <= of_value).all()
    assert g.shape == theta.shape
    assert (np.abs(g - wanted[1]) <= of_gradient).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_matrices_too(isa, way, dtype):
    full, B, how = large(way, dtype)
    theta, _ = points(LARGE, None, 1, "none")
    of_value, of_gradient = rounding(full.astype(float), theta)
    wanted, wanted_gradient = reference.quadratic_form(full, theta, gradient=True)
    value, g = quadratic_form(B, theta, gradient=True, **how)
    assert abs(value - wanted) <= of_value
    assert (np.abs(g - wanted_gradient) <= of_gradient).all()


def whole(way, B):
    """Return the matrix that a way makes of B."""
    return np.broadcast_to(B[:1], B.shape) if way == "one row" else B


def assert_as_specified(B, given_as, theta, theta_star=None):
    """Value and gradient, alone and together, are those of the specification."""
    wanted = reference.quadratic_form(B, theta, theta_star, gradient=True)
    x = theta - (0 if theta_star is None else theta_star)
    both = np.abs(B.astype(float)) + np.abs(B.astype(float)).T
    of_value, of_gradient = rounding(both, x)
    value = quadratic_form(given_as, theta, theta_star)
    with_gradient, g = quadratic_form(given_as, theta, theta_star, gradient=True)
    for got in (value, with_gradient):
        assert (np.abs(got - wanted[0]) <= of_value).all()
    assert (np.abs(g - wanted[1]) <= of_gradient).all()
    if theta.ndim == 1:
        assert value == with_gradient


@given(
    P=SIZES,
    M=st.one_of(st.none(), st.integers(0, 9), st.sampled_from([23, 24, 25, 100])),
    way=st.sampled_from(sorted(ANY_WAYS)),
    star=st.sampled_from(STARS),
    dtype=st.sampled_from([np.float64, np.float32]),
    seed=st.integers(0, 2**16),
)
@example(P=64, M=None, way="strided", star="none", dtype=np.float64, seed=0)
@example(P=65, M=None, way="full", star="own", dtype=np.float32, seed=0)
@example(P=130, M=30, way="columns", star="shared", dtype=np.float64, seed=0)
def test_a_matrix_needs_no_symmetry(isa, P, M, way, star, dtype, seed):
    B = whole(way, general(P, seed, dtype))
    given_as, _ = ANY_WAYS[way](B)
    assert_as_specified(B, given_as, *points(P, M, seed, star))


@pytest.mark.parametrize("way", ANY_WAYS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_matrices_without_symmetry_too(isa, way, dtype):
    B = whole(way, general(LARGE, 0, dtype))
    theta, _ = points(LARGE, None, 1, "none")
    assert_as_specified(B, ANY_WAYS[way](B)[0], theta)


@pytest.mark.parametrize("P", [8, 24, 63, 64, 65, 128, 512])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_place_of_a_matrix_in_memory_changes_no_bit(isa, P, dtype):
    B, (theta, _) = general(P, 0, dtype), points(P, None, 1, "none")
    wanted = quadratic_form(B, theta, gradient=True)
    memory = np.full(P * (P + 9) + 20, np.nan, dtype)
    for first in range(9):
        for step in (P, P + 1, P + 8):
            placed = np.lib.stride_tricks.as_strided(
                memory[first:], (P, P), (step * memory.itemsize, memory.itemsize)
            )
            placed[:] = B
            assert same_bits(quadratic_form(placed, theta, gradient=True), wanted)
            assert quadratic_form(placed, theta) == wanted[0]
            memory[:] = np.nan


@given(P=SIZES, M=st.sampled_from([None, 30]), seed=st.integers(0, 2**16))
def test_a_matrix_and_its_transpose_have_one_value_and_one_gradient(isa, P, M, seed):
    B, (theta, _) = general(P, seed), points(P, M, seed, "none")
    here, there = (quadratic_form(A, theta, gradient=True) for A in (B, B.T))
    if M is None:
        assert same_bits(here, there)  # the same memory, read in one way
    mean = quadratic_form(B, theta, gradient=True, symmetrise=True)
    of_value, of_gradient = rounding(np.abs(B) + np.abs(B.T), theta)
    for other in (there, mean):
        assert (np.abs(here[0] - other[0]) <= of_value).all()
        assert (np.abs(here[1] - other[1]) <= of_gradient).all()


@given(
    P=st.integers(1, 40),
    M=st.one_of(st.none(), st.integers(0, 9)),
    one_direction=st.booleans(),
    star=st.sampled_from(STARS),
    seed=st.integers(0, 2**16),
)
def test_line_minimum_is_what_the_specification_says(isa, P, M, one_direction, star, seed):
    B = general(P, seed)
    theta, theta_star = points(P, M, seed, star)
    d, _ = points(P, None if one_direction else M, seed + 1, "none")
    got = line_minimum(B, theta, d, theta_star)
    wanted = reference.line_minimum(B, theta, d, theta_star)
    x = theta - (0 if theta_star is None else theta_star)
    of_curvature, of_row = rounding(np.abs(B) + np.abs(B.T), d)
    curvature = ((d @ B) * d).sum(-1)
    noise = (np.abs(x) * of_row).sum(-1) + np.abs(wanted) * 2 * of_curvature
    assert np.shape(got) == np.shape(wanted)
    clear = np.abs(curvature) > 4 * of_curvature  # else its sign is a matter of rounding
    agree = np.abs(got - wanted) * np.abs(curvature) <= 2 * noise
    assert (agree | (np.isnan(got) & np.isnan(wanted)) | ~clear).all()


@pytest.mark.parametrize("name", ["quadratic_form", "line_minimum"])
def test_specification_and_kernel_take_the_same_arguments(name):
    kernel = {"quadratic_form": quadratic_form, "line_minimum": line_minimum}[name]
    parameters = (inspect.signature(f).parameters for f in (kernel, getattr(reference, name)))
    kernel, specified = ([(p.name, p.kind, p.default) for p in q.values()] for q in parameters)
    assert kernel == specified


# ---- identities ------------------------------------------------------------------------------


def same_bits(a, b):
    """Whether two results, with or without a gradient, are equal."""
    a, b = (r if isinstance(r, tuple) else (r,) for r in (a, b))
    return all(map(np.array_equal, a, b))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("M", [None, 30])
def test_threads_change_no_bit(isa, way, dtype, M):
    _, B, how = large(way, dtype)
    theta, star = points(LARGE, M, 0, "shared")
    for gradient in (False, True):
        one, more = (
            quadratic_form(B, theta, star, gradient=gradient, threads=n, **how) for n in (1, 3)
        )
        assert same_bits(one, more)


@given(
    P=SIZES,
    M=st.integers(1, 60),
    way=st.sampled_from(["full", "upper", "packed", "sparse"]),
    gradient=st.booleans(),
    data=st.data(),
)
def test_a_point_has_the_same_bits_anywhere_in_any_batch(isa, P, M, way, gradient, data):
    B, how = WAYS[way](matrix(P, 0))
    theta, _ = points(P, M, 1, "none")
    some = data.draw(st.lists(st.integers(0, M - 1), min_size=1, max_size=40))
    every = quadratic_form(B, theta, gradient=gradient, **how)
    chosen = quadratic_form(B, theta[some], gradient=gradient, **how)
    every, chosen = (r if gradient else (r,) for r in (every, chosen))
    for a, b in zip(every, chosen, strict=True):
        assert np.array_equal(a[some], b)


def test_batches_are_cut_without_a_trace(isa):
    P, M = 700, 1500  # more points than are packed at once
    B = matrix(P, 0)
    theta, star = points(P, M, 0, "own")
    for gradient in (False, True):
        every = quadratic_form(B, theta, star, gradient=gradient)
        parts = [
            quadratic_form(B, theta[k], star[k], gradient=gradient)
            for k in (slice(0, 7), slice(7, 1201), slice(1201, None))
        ]
        if not gradient:
            every, parts = (every,), [(part,) for part in parts]
        for whole, *pieces in zip(every, *parts, strict=True):
            assert np.array_equal(whole, np.concatenate(pieces))


@given(P=SIZES, way=st.sampled_from(sorted(WAYS)), dtype=st.sampled_from([np.float64, np.float32]))
def test_one_point_has_the_same_value_with_and_without_gradient(isa, P, way, dtype):
    B, how = WAYS[way](matrix(P, 0, dtype))
    theta, star = points(P, None, 1, "shared")
    value = quadratic_form(B, theta, star, **how)
    assert value == quadratic_form(B, theta, star, gradient=True, **how)[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_storage_of_a_triangle_changes_no_bit(isa, dtype):
    B, *_ = large("full", dtype)
    theta, _ = points(LARGE, None, 1, "none")
    value, g = quadratic_form(Symmetric(B), theta, gradient=True)
    for other in (
        quadratic_form(B, theta, gradient=True, triangle="lower"),
        quadratic_form(B[np.tril_indices(LARGE)], theta, gradient=True),
    ):
        assert value == other[0]
        assert np.array_equal(g, other[1])


@given(P=st.integers(1, 70), k=st.integers(-300, 300), seed=st.integers(0, 2**16))
def test_units_change_nothing_but_the_unit(isa, P, k, seed):
    B = matrix(P, seed)
    theta, _ = points(P, None, seed, "none")
    value, g = quadratic_form(B, theta, gradient=True)
    scaled, scaled_gradient = quadratic_form(2.0 ** (2 * k) * B, 2.0**-k * theta, gradient=True)
    assert scaled == value
    assert np.array_equal(scaled_gradient, 2.0**k * g)


def test_python_threads_run_side_by_side(isa):
    B, wanted, got = matrix(300, 0), [], {}
    theta, _ = points(300, 8, 0, "none")
    wanted = [quadratic_form(B, t) for t in theta]

    def work(k):
        got[k] = [quadratic_form(B, theta[k]) for _ in range(50)]

    workers = [threading.Thread(target=work, args=(k,)) for k in range(len(theta))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(set(got[k]) == {wanted[k]} for k in range(len(theta)))


# ---- certificates ----------------------------------------------------------------------------


@given(P=SIZES, seed=st.integers(0, 2**16), many=st.booleans())
def test_whole_numbers_are_exact(isa, P, seed, many):
    rng = np.random.default_rng(seed)
    B = rng.integers(-9, 10, (P, P))
    B = B + B.T
    x = rng.integers(-9, 10, (5, P))
    value, g = quadratic_form(B, x if many else x[0], gradient=True)
    assert np.array_equal(g, 2 * x @ B if many else 2 * x[0] @ B)
    assert np.array_equal(value, ((x @ B) * x).sum(1) if many else x[0] @ B @ x[0])
    assert np.array_equal(quadratic_form(B, x), ((x @ B) * x).sum(1))


@given(P=st.integers(1, 40), seed=st.integers(0, 2**16))
def test_the_gradient_at_the_minimum_of_a_line_is_at_right_angles_to_it(isa, P, seed):
    A = matrix(P, seed)
    B = A @ A + np.eye(P)
    B = (B + B.T) / 2
    theta, star = points(P, None, seed, "shared")
    d, _ = points(P, None, seed + 1, "none")
    alpha = line_minimum(B, theta, d, star)
    _, g = quadratic_form(B, theta + alpha * d, star, gradient=True)
    _, of_row = rounding(B, np.abs(theta - star) + np.abs(alpha * d))
    assert abs(g @ d) <= 4 * of_row @ np.abs(d)


def test_more_elements_than_32_bits_can_count(isa):
    P = 46_400  # squared: 2.15e9, above 2^31; all rows are the same memory
    row = np.ones(P)
    B = np.lib.stride_tricks.as_strided(row, (P, P), (0, row.itemsize), writeable=False)
    x = np.zeros(P)
    x[[0, 1, P // 2, -1]] = 1, 2, 3, 4
    value, g = quadratic_form(B, x, gradient=True, triangle="lower")
    assert value == 100
    assert (g == 20).all()


# ---- what is not symmetric -------------------------------------------------------------------

ASYMMETRY = "B must be symmetric, but"


@pytest.mark.parametrize("storage", ["full", "columns", "list", "sparse"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(P=SIZES.filter(lambda P: P > 1), data=st.data())
def test_every_pair_is_compared_and_the_worst_is_named(isa, storage, dtype, P, data):
    i = data.draw(st.integers(1, P - 1))
    j = data.draw(st.integers(0, i - 1))
    if data.draw(st.booleans()):
        i, j = j, i
    B = np.ones((P, P), dtype)
    B[i, j] = 3
    if P > 2:
        a = (max(i, j) + 1) % P if max(i, j) + 1 < P else 3 - i - j if P == 3 else min(i, j) - 1
        if 0 <= a < P and a not in (i, j):
            B[a, i] = 2  # not the worst
    given_as = {
        "full": lambda: B,
        "columns": lambda: np.asfortranarray(B),
        "list": B.tolist,
        "sparse": lambda: sp.csr_array(B),
    }[storage]()
    here = rf"B\[{i}, {j}\] = 3\.0 and B\[{j}, {i}\] = 1\.0"
    there = rf"B\[{j}, {i}\] = 1\.0 and B\[{i}, {j}\] = 3\.0"
    with pytest.raises(ValueError, match=f"{ASYMMETRY} ({here}|{there}); symmetrise=True"):
        Symmetric(given_as)


def test_rows_far_apart_are_compared_too(isa):
    B = matrix(LARGE, 0)
    for i, j in [(LARGE - 1, 0), (LARGE - 1, LARGE - 2), (700, 300), (1104, 5), (64, 63)]:
        spoilt = B.copy()
        spoilt[i, j] += 1e4
        with pytest.raises(ValueError, match=rf"B\[({i}, {j}|{j}, {i})\] = "):
            Symmetric(spoilt)


def test_a_pattern_that_is_not_symmetric_is_refused(isa):
    B = sp.csr_array(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    for A in (B, B.T.tocsr()):
        with pytest.raises(ValueError, match=ASYMMETRY):
            Symmetric(A)
    B = sp.csr_array(np.array([[1.0, 5.0], [5.0, 1.0]]))
    B.data[1] = 0  # an element that is stored and zero has no partner, and none is missed
    B = sp.csr_array((B.data[[0, 1, 3]], B.indices[[0, 1, 3]], [0, 2, 3]), shape=(2, 2))
    assert quadratic_form(Symmetric(B), np.ones(2)) == 2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_what_rounding_leaves_passes(isa, dtype, storage):
    P = 30
    B = matrix(P, 3, dtype)
    B += np.tril(B, -1) * np.array(8 * np.finfo(dtype).eps, dtype)
    assert (B != B.T).any()
    theta, _ = points(P, None, 3, "none")
    of_value, _ = rounding(B.astype(float), theta)
    wanted = reference.quadratic_form(B, theta, triangle="lower")
    assert abs(quadratic_form(Symmetric(storage(B)), theta) - wanted) <= of_value


def test_symmetric_keeps_the_caller_s_array_and_cannot_change():
    B = np.eye(3)
    S = Symmetric(B)
    assert S.arrays == (B,) or np.shares_memory(S.arrays[0], B)
    assert (S.P, repr(S)) == (3, "<Symmetric 3 x 3, full lower, float64>")
    with pytest.raises(AttributeError):
        S.P = 4
    with pytest.raises(TypeError, match="made already"):
        S._full(B, False)
    with pytest.raises(ValueError, match="were settled when B was made"):
        quadratic_form(S, np.ones(3), triangle="lower")
    assert Symmetric(np.eye(3), symmetrise=True).arrays[0].shape == (6,)


# ---- refusals --------------------------------------------------------------------------------

B3 = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])
UNSORTED = sp.csr_array((np.ones(4), [1, 0, 1, 0], [0, 2, 4]), shape=(2, 2))
TWICE = sp.csr_array((np.ones(3), [0, 0, 1], [0, 2, 3]), shape=(2, 2))
OUTSIDE = sp.csr_array((np.ones(2), [0, 1], [0, 1, 2]), shape=(2, 2))
OUTSIDE.indices[0] = 2
READ_ONLY = np.zeros(3)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    "error, sentence, arguments, how",
    [
        (ValueError, r"B must have shape \(P, P\), got \(2, 3\)", (B3[:2], np.ones(3)), {}),
        (ValueError, r"B must have shape \(P, P\), got \(\)", (2.0, np.ones(1)), {}),
        (ValueError, r"B must have shape \(P, P\), got \(2, 3\)", (sp.csr_array(B3[:2]), B3), {}),
        (ValueError, r"packed B must have P\(P \+ 1\)/2 elements, got 7", (np.ones(7), B3), {}),
        (ValueError, r"theta must have shape \(P=3,\) or \(M, P=3\), got \(2,\)", (B3, [1, 2]), {}),
        (ValueError, r"theta must have shape .* got \(1, 1, 3\)", (B3, np.ones((1, 1, 3))), {}),
        (ValueError, r"theta_star must have shape \(P=3,\) or \(M", (B3, np.ones(3), [1.0]), {}),
        (
            ValueError,
            r"theta_star must have shape \(P=3,\) or theta's \(3,\), got \(2, 3\)",
            (B3, np.ones(3), np.ones((2, 3))),
            {},
        ),
        (TypeError, "B must be real, got complex", (B3 + 1j, np.ones(3)), {}),
        (TypeError, "theta must be numbers", (B3, ["a", "b", "c"]), {}),
        (ValueError, "triangle must be 'lower' or 'upper'", (B3, B3), {"triangle": "left"}),
        (
            ValueError,
            "symmetrise uses both triangles of B, triangle only one",
            (B3, B3),
            {"triangle": "lower", "symmetrise": True},
        ),
        (
            ValueError,
            r"B must have shape \(P, P\), got \(6,\)",
            (np.ones(6), B3),
            {"symmetrise": 1},
        ),
        (ValueError, "threads must be a whole number from 1", (B3, np.ones(3)), {"threads": 0}),
        (ValueError, "row 0 of the sparse B has columns outside", (OUTSIDE, [1, 2]), {}),
        (
            ValueError,
            "row 0 of the sparse B has columns that are",
            (UNSORTED, [1, 2]),
            {"triangle": "lower"},
        ),
        (
            ValueError,
            "row 0 of the sparse B has columns that are",
            (TWICE, [1, 2]),
            {"triangle": "upper"},
        ),
        (TypeError, "B must not be masked", (np.ma.masked_equal(B3, 4.0), np.ones(3)), {}),
        (TypeError, "theta must not be masked", (B3, np.ma.masked_equal([1.0, 2, 3], 2)), {}),
        (TypeError, "theta_star must not be", (B3, B3, np.ma.masked_equal([1.0, 2, 3], 2)), {}),
        (ValueError, "out is for the gradient", (B3, np.ones(3)), {"out": np.ones(3)}),
        (
            TypeError,
            "out must be a C-contiguous array of float64",
            (B3, np.ones(3)),
            {"gradient": True, "out": np.ones(3, np.float32)},
        ),
        (
            ValueError,
            r"out must have theta's shape \(3,\), got \(4,\)",
            (B3, np.ones(3)),
            {"gradient": True, "out": np.ones(4)},
        ),
        (
            ValueError,
            "out is read-only",
            (B3, np.ones(3)),
            {"gradient": True, "out": READ_ONLY},
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(error, sentence, arguments, how):
    with pytest.raises(error, match=sentence):
        quadratic_form(*arguments, **how)


def test_an_output_that_overlaps_an_input_is_refused():
    B, memory = B3.copy(), np.ones(6)
    with pytest.raises(ValueError, match="out overlaps theta,"):
        quadratic_form(B, memory[:3], gradient=True, out=memory[2:5])
    with pytest.raises(ValueError, match="out overlaps theta_star"):
        quadratic_form(B, np.ones(3), memory[:3], gradient=True, out=memory[:3])
    for A in (B, Symmetric(B)):
        with pytest.raises(ValueError, match="out overlaps B"):
            quadratic_form(A, np.ones(3), gradient=True, out=B[1])
    assert np.array_equal(B, B3)
    assert (memory == 1).all()


@pytest.mark.parametrize("M", [None, 4])
def test_the_gradient_goes_where_it_is_wanted(isa, M):
    theta, _ = points(3, M, 0, "none")
    out = np.empty_like(theta)
    value, g = quadratic_form(B3, theta, gradient=True, out=out)
    assert g is out
    assert np.array_equal(out, quadratic_form(B3, theta, gradient=True)[1])
    assert np.array_equal(value, quadratic_form(B3, theta, gradient=True)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@given(
    P=st.sampled_from([1, 3, 8, 9, 40]), M=st.one_of(st.none(), st.integers(1, 30)), data=st.data()
)
def test_the_first_number_that_is_none_is_named(isa, bad, P, M, data):
    theta, star = points(P, M, 0, "shared")
    B = matrix(P, 0)
    j = data.draw(st.integers(0, P - 1))
    spoilt = theta.copy()
    spoilt.reshape(-1, P)[-1, j] = bad
    where = f"{j}" if M is None else f"{M - 1}, {j}"
    sentence = rf"\[{where}\] is {bad}"
    for gradient in (False, True):
        with pytest.raises(ValueError, match="theta" + sentence):
            quadratic_form(B, spoilt, gradient=gradient)
    spoilt = star.copy()
    spoilt[j] = bad
    with pytest.raises(ValueError, match=rf"theta_star\[{j}\] is {bad}"):
        quadratic_form(B, theta, spoilt)
    with pytest.raises(ValueError, match=rf"^d\[{j}\] is {bad}"):
        line_minimum(B, theta, spoilt)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("M", [None, 3])
def test_an_element_that_is_none_is_named(isa, way, bad, M):
    B = matrix(20, 0)
    i, j = 17, 4
    B[i, j] = B[j, i] = bad
    B, how = WAYS[way](B)
    theta = np.zeros(20 if M is None else (M, 20))  # 0 * NaN is NaN: nothing hides
    place = r"B\[17, 4\]|B\[4, 17\]"
    if "packed" in way or way == "symmetrised":
        place = r"B\[\d+\]"
    for gradient in (False, True):
        with pytest.raises(ValueError, match=f"({place}) is {bad}"):
            quadratic_form(B, theta, gradient=gradient, **how)


def test_finite_inputs_may_overflow():
    assert quadratic_form(np.array([[1e308]]), np.array([1e10])) == np.inf


def test_no_minimum_on_the_line_is_nan():
    B = np.diag([1.0, -1.0, 0.0])
    alpha = line_minimum(B, np.ones(3), np.eye(3))
    assert alpha[0] == -1
    assert np.isnan(alpha[1:]).all()
    assert np.isnan(line_minimum(B, np.ones(3), np.zeros(3)))


def test_line_minimum_says_which_shapes_disagree():
    with pytest.raises(ValueError, match=r"theta \(2, 3\), d \(4, 3\) and theta_star \(\)"):
        line_minimum(B3, np.ones((2, 3)), np.ones((4, 3)))


def test_inputs_stay_untouched():
    B, theta, star, d = B3.copy(), np.ones((2, 3)), np.full(3, 2.0), np.eye(3)[:2]
    for asked in (
        lambda: quadratic_form(B, theta, star, gradient=True),
        lambda: quadratic_form(B, theta, star, symmetrise=True),
        lambda: line_minimum(B, theta, d, star),
    ):
        asked()
        assert np.array_equal(B, B3)
        assert (theta == 1).all()
        assert (star == 2).all()
        assert np.array_equal(d, np.eye(3)[:2])


def test_indices_spoilt_after_the_check_lead_nowhere(isa):
    B = sp.csr_array(B3)
    S = Symmetric(B)
    wanted = quadratic_form(S, np.ones(3))
    for place, index in [(0, -(2**20)), (2, 2**30), (3, 0), (5, 2**30)]:
        spoilt = S.arrays[1].copy()
        S.arrays[1][place] = index
        try:
            for theta in (np.ones(3), np.ones((9, 3))):
                with pytest.raises(ValueError, match="has changed: its columns are unsorted"):
                    quadratic_form(S, theta)
        finally:
            S.arrays[1][:] = spoilt
    S.arrays[2][1] = 2**30
    with pytest.raises(ValueError, match="has changed"):
        quadratic_form(S, np.ones(3))
    S.arrays[2][1] = 2
    assert quadratic_form(S, np.ones(3)) == wanted


@pytest.mark.parametrize(
    "call",
    [
        lambda: core.Matrix()._full(np.ones((2, 3)), False),
        lambda: core.Matrix()._full(np.ones((2, 2), int), False),
        lambda: core.Matrix()._packed(np.ones(4), 2, False),
        lambda: core.Matrix()._csr(np.ones(2), np.zeros(3, int), np.zeros(3, int), 2, False),
        lambda: core.symmetrise(np.ones((2, 2)), np.ones(3, np.float32)),
        lambda: core.evaluate(
            Symmetric(B3), np.ones(3), None, np.ones(1), np.ones(2),
            shared_star=True, many=False, threads=1,
        ),
        lambda: core.evaluate(
            Symmetric(B3), np.ones((2, 3)), None, np.ones(2), None,
            shared_star=True, many=False, threads=1,
        ),
    ],
)  # fmt: skip
def test_the_core_lets_nothing_unsafe_through(call):
    with pytest.raises((TypeError, ValueError)):
        call()
