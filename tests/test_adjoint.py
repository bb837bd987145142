"""The adjoint kernels against their specification, and identities."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse

from thalweg import kernels, reference

EPS = np.finfo(np.float64).eps


sizes = st.sampled_from([0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 25, 33])


widths = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17, 23, 24, 31, 40, 65, 70])


layouts = st.sampled_from(
    ["rows", "columns", "gaps", "wide", "reversed", "upside down", "repeated", "everywhere"]
)


dtypes = st.sampled_from([np.float64, np.float32])


def rounding(*factors: np.ndarray) -> float:
    """The error of a sum of n products, n times eps times the sum of their sizes at most.

    The kernels and NumPy both sum in blocks and stay far below; the bound is Higham's, Accuracy and
    Stability of Numerical Algorithms, 2nd ed., section 3.1.
    """
    size = np.prod([np.max(np.abs(f), initial=0.0) for f in factors])
    n = max(f.size for f in factors) + 4
    return float(n * n * EPS * size)


def laid_out(J: np.ndarray, layout: str) -> np.ndarray:
    """The same blocks in memory of another order."""
    K, Nx, P = J.shape
    if layout == "columns":
        return np.ascontiguousarray(J.swapaxes(1, 2)).swapaxes(1, 2)
    if layout == "gaps":  # between blocks
        return np.concatenate([J, J[:, :1] + np.nan], axis=1)[:, :Nx]
    if layout == "wide":  # between rows
        return np.concatenate([J, np.full((K, Nx, 3), np.nan, J.dtype)], axis=2)[:, :, :P]
    if layout == "reversed":
        return J[::-1].copy()[::-1]
    if layout == "upside down":
        return J[:, ::-1].copy()[:, ::-1]
    if layout == "repeated":
        return np.broadcast_to(J[:1], J.shape) if K else J
    if layout == "everywhere":
        return np.asfortranarray(J)
    return J


@st.composite
def blocks(draw):
    """J, e and weights of every layout, type and degenerate size."""
    K, Nx, P = draw(sizes), draw(sizes), draw(widths)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    J = laid_out(rng.standard_normal((K, Nx, P)).astype(draw(dtypes)), draw(layouts))
    e = rng.standard_normal((K, Nx)).astype(draw(dtypes))
    if draw(st.booleans()):
        e = np.asfortranarray(e)
    shape = draw(st.sampled_from([None, (K, Nx), (Nx,), (K, 1), ()]))
    weights = None if shape is None else rng.uniform(-1, 2, shape).astype(draw(dtypes))
    return J, e, weights


def all_of(J, e, weights, **options):
    """The results of every kernel, by name."""
    v = np.cos(np.arange(J.shape[-1]))
    one = kernels.normal_equations(J, e, weights, **options)
    each = kernels.normal_equations(J, e, weights, per_problem=True, **options)
    return {
        "adjoint_sum": kernels.adjoint_sum(J, e, weights, scale=-0.5, **options),
        "vjp": kernels.vjp(J, e, weights, **options),
        "jvp": kernels.jvp(J, v, **options),
        **one._asdict(),
        **{f"{name} per problem": value for name, value in each._asdict().items()},
    }


def bits(results):
    return {name: value.tobytes() for name, value in results.items()}


@given(blocks())
def test_kernels_equal_their_reference(isa, problem):
    J, e, w = problem
    v = np.cos(np.arange(J.shape[2]))
    ww = np.ones(1) if w is None else w
    close = np.testing.assert_allclose
    linear = rounding(J, e, ww)
    d = kernels.adjoint_sum(J, e, w, scale=-0.5)
    close(d, reference.adjoint_sum(J, e, w, scale=-0.5), rtol=0, atol=linear)
    close(kernels.vjp(J, e, w), reference.vjp(J, e, w), rtol=0, atol=linear)
    close(kernels.jvp(J, v), reference.jvp(J, v), rtol=0, atol=rounding(J, v))
    for per_problem in (False, True):
        got = kernels.normal_equations(J, e, w, per_problem=per_problem)
        want = reference.normal_equations(J, e, w, per_problem=per_problem)
        for g, t, tolerance in zip(
            got, want, (rounding(J, J, ww), linear, rounding(e, e, ww)), strict=True
        ):
            assert g.dtype == np.float64
            close(g, t, rtol=0, atol=tolerance, strict=True)
        assert (got.JtWJ == got.JtWJ.swapaxes(-1, -2)).all()


@given(blocks())
def test_compressed_rows_equal_dense_ones(isa, problem):
    J, e, w = problem
    K, Nx, P = J.shape
    thin = np.where(np.abs(J) < 0.7, 0, J)
    matrix = sparse.csr_array(thin.reshape(K * Nx, P))
    got = all_of(matrix, e, w)
    want = all_of(thin, e, w)
    factors = {"JtWJ": (J, J)}
    for name in got:
        tolerance = rounding(*factors.get(name.split()[0], (J, e)), np.full(1, 4.0)) + rounding(
            e, e
        )
        np.testing.assert_allclose(
            got[name].reshape(want[name].shape), want[name], rtol=0, atol=tolerance
        )


@pytest.mark.parametrize("index", (np.int32, np.int64))
def test_compressed_rows_in_any_order_and_twice(isa, index):
    """Elements of the same place add up, before they are squared."""
    indptr, indices = np.array([0, 3, 3, 5], index), np.array([2, 0, 2, 1, 1], index)
    matrix = sparse.csr_array((np.array([1.0, 2, 3, 4, 5]), indices, indptr), shape=(3, 4))
    dense = np.array([[2.0, 0, 4, 0], [0, 0, 0, 0], [0, 9, 0, 0]])
    e = np.array([1.0, -2, 3])
    for name, value in all_of(matrix, e, None).items():
        np.testing.assert_allclose(value, all_of(dense, e, None)[name], rtol=4 * EPS)


@given(blocks())
def test_forward_and_backward_are_adjoint(isa, problem):
    """<J v, e> = <v, J' e>"""
    J, e, _ = problem
    v = np.cos(np.arange(J.shape[2]))
    forward, backward = np.sum(kernels.jvp(J, v) * e), v @ kernels.adjoint_sum(J, e)
    np.testing.assert_allclose(forward, backward, rtol=0, atol=rounding(J, e, v))


@given(blocks())
def test_blocks_add_up(isa, problem):
    J, e, w = problem
    tolerance = rounding(J, e, np.full(1, 2.0))
    total = kernels.vjp(J, e, w).sum(axis=0)
    np.testing.assert_allclose(kernels.adjoint_sum(J, e, w), total, rtol=0, atol=tolerance)


@given(blocks(), st.integers(0, 32))
def test_a_problem_does_not_depend_on_its_neighbours(isa, problem, k):
    J, e, w = problem
    assume(len(J) and J.flags.c_contiguous)
    k %= len(J)
    ww = None if w is None else np.broadcast_to(w, e.shape)
    alone = all_of(J[k].copy(), e[k].copy(), None if w is None else ww[k].copy())
    together = all_of(J, e, w)
    for name in ("vjp", "JtWJ per problem", "JtWe per problem", "etWe per problem"):
        assert together[name][k].tobytes() == alone[name].tobytes()


@given(blocks())
def test_weights(isa, problem):
    """Weights of one change no bit; a weight of two is a row twice."""
    J, e, _ = problem
    ones = all_of(J, e, np.ones(()))
    assert bits(ones) == bits(all_of(J, e, None))
    twice = all_of(np.concatenate([J, J]), np.concatenate([e, e]), None)
    double = all_of(J, e, 2.0)
    for name, tolerance in (
        ("adjoint_sum", rounding(J, e)),
        ("JtWJ", rounding(J, J)),
        ("etWe", rounding(e, e)),
    ):
        np.testing.assert_allclose(twice[name], double[name], rtol=0, atol=4 * tolerance)


SHAPES = [(3000, 16, 5), (1, 70_000, 4), (2, 100, 1100), (2, 20_000, 17), (40_000, 3, 8)]


@pytest.mark.parametrize("dtype", (np.float64, np.float32))
@pytest.mark.parametrize("shape", SHAPES)
def test_bits_do_not_depend_on_threads(isa, shape, dtype):
    rng = np.random.default_rng(0)
    J, e = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[:2])
    for layout in ("rows", "columns"):
        some = laid_out(J, layout)
        single = all_of(some, e, e * e, threads=1)
        assert bits(single) == bits(all_of(some, e, e * e, threads=3))
    flat = sparse.csr_array(np.where(J < 1, 0, J).reshape(-1, shape[2]))
    assert bits(all_of(flat, e, None, threads=1)) == bits(all_of(flat, e, None, threads=3))
    want = reference.adjoint_sum(J, e, e * e)
    got = kernels.adjoint_sum(J, e, e * e)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * np.abs(J).sum())


def test_large_triangles_in_strips(isa):
    rng = np.random.default_rng(1)
    J, e = rng.standard_normal((1, 900, 200)), rng.standard_normal((1, 900))
    JtJ, Jte, ete = kernels.normal_equations(J, e)
    tolerance = rounding(J[0, :1], J[0, :1]) * 900
    np.testing.assert_allclose(JtJ, J[0].T @ J[0], rtol=0, atol=tolerance)
    np.testing.assert_allclose(Jte, J[0].T @ e[0], rtol=0, atol=tolerance)
    np.testing.assert_allclose(ete, e[0] @ e[0], rtol=1e-13)


def test_sums_of_float32_are_made_in_float64(isa):
    """One million times 1 + 2^-20 is exact in float64, and far from it in float32."""
    n = 1 << 20
    J, e = np.full((1, n, 3), 1 + 2.0**-20, np.float32), np.ones((1, n), np.float32)
    want = np.full(3, n + 1.0)
    np.testing.assert_array_equal(kernels.adjoint_sum(J, e), want)
    np.testing.assert_array_equal(kernels.vjp(J, e)[0], want)
    np.testing.assert_array_equal(kernels.normal_equations(J, e).JtWe, want)


def test_more_than_two_to_the_31_elements(isa):
    """A row read again and again costs no memory, and sums of small whole numbers are exact."""
    K, P = 2**13 + 1, 2**18 + 3
    row = (np.arange(P) % 5 - 2.0).astype(np.float32)
    J, e = np.broadcast_to(row, (K, 1, P)), np.broadcast_to(1.0, (K, 1))
    assert J.size > 2**31
    np.testing.assert_array_equal(kernels.adjoint_sum(J, e), K * row)


def test_offsets_beyond_two_to_the_31_elements(tmp_path):
    """Blocks far apart in a file with holes: only what is read takes room."""
    far = 2**31 + 8
    big = np.memmap(tmp_path / "J", np.float64, "w+", shape=(3 * far,))
    strides = (8 * far, 40, 8)
    J = np.lib.stride_tricks.as_strided(big, (3, 2, 5), strides)
    J[...] = np.arange(30.0).reshape(3, 2, 5)
    e = np.array([[1.0, 2], [3, 4], [5, 6]])
    for name, value in all_of(J, e, None).items():
        np.testing.assert_allclose(value, all_of(J.copy(), e, None)[name], rtol=1e-14)
