"""Sizes beyond 2³¹ elements, in little memory: offsets are as wide as addresses."""

import ctypes
import mmap

import numpy as np
import pytest

from thalweg import kernels

PAST = 2**31 + 8  # what a 32-bit index cannot reach


@pytest.fixture
def repeated(tmp_path):
    """Gives a function that makes an array which holds a block again and again.

    The pages of the block, 2²⁰ bytes or a multiple, are mapped side by side: the array is
    contiguous and takes the memory of the block alone.
    """
    c_mmap = ctypes.CDLL(None, use_errno=True).mmap
    c_mmap.restype = ctypes.c_void_p
    c_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    MAP_FIXED, MAP_NORESERVE = 0x10, getattr(mmap, "MAP_NORESERVE", 0)

    def repeat(block, times):
        path, size = tmp_path / str(id(block)), block.nbytes
        block.tofile(path)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANON | MAP_NORESERVE
        room = np.frombuffer(mmap.mmap(-1, size * times, flags, mmap.PROT_READ), block.dtype)
        with path.open("rb") as file:
            for at in range(room.ctypes.data, room.ctypes.data + room.nbytes, size):
                where = c_mmap(at, size, mmap.PROT_READ, mmap.MAP_SHARED | MAP_FIXED,
                               file.fileno(), 0)  # fmt: skip
                assert where == at
        return room

    return repeat


# ---- the quadratic loss --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_quadratic_form_of_one_row_again_and_again(isa, dtype):
    """B of ones: (Σθ)², and whole numbers make it exact."""
    P = 46342
    B = np.broadcast_to(np.ones(P, dtype), (P, P))
    theta = np.arange(P) % 3 - 0.0
    assert B.size > 2**31
    value, gradient = kernels.quadratic_form(B, theta, gradient=True)
    assert value == theta.sum() ** 2
    np.testing.assert_array_equal(gradient, 2 * theta.sum())


def test_quadratic_form_of_rows_far_apart(isa, tmp_path):
    """In a file with holes: only what is read takes room."""
    big = np.memmap(tmp_path / "B", np.float64, "w+", shape=(3 * PAST,))
    B = np.lib.stride_tricks.as_strided(big, (3, 3), (8 * PAST, 8))
    B[...] = [[2, 1, 0], [1, 3, 1], [0, 1, 4]]
    for matrix in (B, B.T):
        value, gradient = kernels.quadratic_form(matrix, [1.0, 2.0, 3.0], gradient=True)
        assert value == 66
        np.testing.assert_array_equal(gradient, [8, 20, 28])


@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_quadratic_form_of_a_packed_giant(repeated, triangle):
    """All ones; the last rows begin beyond 2³¹."""
    P = 2**16 + 8
    B = repeated(np.ones(2**18, np.float32), 2**13 + 3)[: P * (P + 1) // 2]
    theta = np.arange(P) % 3 - 0.0
    assert B.size > 2**31
    value, gradient = kernels.quadratic_form(B, theta, gradient=True, triangle=triangle)
    assert value == theta.sum() ** 2
    np.testing.assert_array_equal(gradient, 2 * theta.sum())


# ---- sweeps --------------------------------------------------------------------------------------


def test_sweep_over_one_column_again_and_again(isa):
    """A stride of zero makes 2³¹ elements out of few."""
    column = np.ones(2**16)
    A = np.lib.stride_tricks.as_strided(column, (2**16, 2**15 + 8), (8, 0))
    theta, r = np.zeros(A.shape[1]), np.full(2**16, 3.0)
    order = [A.shape[1] - 1, 2, 0]
    kernels.coordinate_sweep(A, theta, r, order=order)
    assert theta[-1] == 3 and not theta[:-1].any() and not r.any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sweep_over_columns_or_rows_far_apart(isa, tmp_path, dtype):
    """In a file with holes: only what is read takes room."""
    big = np.memmap(tmp_path / "A", dtype, "w+", shape=(3 * PAST,))
    step = big.itemsize * PAST
    for shape, strides in (((40, 3), (big.itemsize, step)), ((3, 40), (step, big.itemsize))):
        A = np.lib.stride_tricks.as_strided(big, shape, strides)
        A[...] = np.random.default_rng(0).standard_normal(shape)
        results = []
        for form in (A, A.copy()):
            theta, r = np.zeros(shape[1]), np.ones(shape[0])
            kernels.coordinate_sweep(form, theta, r, l2=1.0)
            results.append(np.append(theta, r))
        np.testing.assert_allclose(*results, rtol=0, atol=1e-13)


def test_sweep_over_stored_values_of_a_giant(repeated):
    """Columns of 2¹⁸ values, each in every fourth row; the last begin beyond 2³¹."""
    sparse = pytest.importorskip("scipy.sparse")
    n, P = 2**18, 2**13 + 2
    A = sparse.csc_array((4 * n, P), dtype=np.float32)
    A.data = repeated(np.ones(n, np.float32), P)
    A.indices = repeated(np.arange(0, 4 * n, 4, dtype=np.int64), P)
    A.indptr = np.arange(P + 1, dtype=np.int64) * n
    theta, r = np.zeros(P), np.zeros(4 * n)
    r[::4] = 3
    kernels.coordinate_sweep(A, theta, r, order=[P - 1, 0])
    assert theta[-1] == 3 and not theta[:-1].any() and not r.any()


# ---- what is not finite at the end of large inputs -----------------------------------------------

ROWS = 2**20 + 5


def ones_but(*shape):
    """Ones, and NaN in the last place."""
    array = np.ones(shape)
    array.flat[-1] = np.nan
    return array


@pytest.mark.parametrize("layout", "FC")
def test_nan_in_the_last_row_is_named(layout):
    last = ROWS - 1
    A, bad = (np.asarray(a, order=layout) for a in (np.ones((ROWS, 2)), ones_but(ROWS, 2)))
    for J, e, name in ((bad, np.ones(ROWS), rf"J .* nan at \[{last}, 1\]"),
                       (A, ones_but(ROWS), rf"e .* nan at \[{last}\]")):  # fmt: skip
        for kernel in (kernels.adjoint_sum, kernels.normal_equations):
            with pytest.raises(ValueError, match=name):
                kernel(J, e)
    with pytest.raises(ValueError, match=rf"A\[{last}, 1\] is nan"):
        kernels.coordinate_sweep(bad, np.zeros(2), np.ones(ROWS))
    with pytest.raises(ValueError, match=rf"residual\[{last}\] is nan"):
        kernels.coordinate_sweep(A, np.zeros(2), ones_but(ROWS))
    with pytest.raises(ValueError, match=rf"weights\[{last}\] is nan"):
        kernels.coordinate_sweep(A, np.zeros(2), np.ones(ROWS), weights=ones_but(ROWS))


def test_nan_in_the_last_stored_value_is_named():
    sparse = pytest.importorskip("scipy.sparse")
    A = sparse.csc_array(np.ones((ROWS, 2)))
    A.data[-1] = np.nan
    with pytest.raises(ValueError, match=r"column 1 holds NaN"):
        kernels.coordinate_sweep(A, np.zeros(2), np.ones(ROWS))
    with pytest.raises(ValueError, match=rf"J.data .* nan at \[{2 * ROWS - 1}\]"):
        kernels.adjoint_sum(A.tocsr(), np.ones(ROWS))


@pytest.mark.parametrize("triangle", [None, "lower"])
def test_nan_in_the_last_element_of_B_is_named(triangle):
    P = 1111
    with pytest.raises(ValueError, match=rf"B\[{P - 1}, {P - 1}\] is nan"):
        kernels.quadratic_form(ones_but(P, P), np.ones(P), triangle=triangle)


def test_nan_in_the_last_of_many_parameters_is_named():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match=rf"theta\[{ROWS - 1}\] is nan"):
        kernels.quadratic_form(sparse.eye_array(ROWS, format="csr"), ones_but(ROWS))
