"""The quadratic form against its specification, and identities."""

import inspect
import threading
from functools import lru_cache

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given
from hypothesis import strategies as st
from quadratic_cases import LARGE, SIZES, WAYS, matrix, points, rounding

from thalweg import reference
from thalweg.kernels import Symmetric, line_minimum, quadratic_form

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
