"""The quadratic loss and its matrix in memory: what is read, in which order, and nothing else."""

import numpy as np
import pytest
import scipy.sparse as sp
from sizes import constant
from walls import before_a_wall

from thalweg._core import quadratic as core
from thalweg.kernels import quadratic_form

PART_ROWS = constant("quadratic/quadratic.c", "PART_ROWS")
BAND = constant("quadratic/triangle.h", "BAND")
NEAREST, NEAR = constant("quadratic/full.h", "NEAREST"), constant("quadratic/full.h", "NEAR")


@pytest.mark.parametrize("P", [1, 2, 7, 9, 15, 17, 31, 63, 65, 129])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nothing_behind_a_matrix_is_read(isa, P, dtype):
    B, theta = before_a_wall((P, P), dtype), before_a_wall(P)
    B[:] = np.random.default_rng(P).standard_normal((P, P))
    theta[:] = 1
    same_row = np.broadcast_to(B[-1], (P, P))
    for matrix in (B, B.T, B[::-1], same_row):
        wanted = matrix.sum(dtype=float)  # P^2 numbers of size 1, summed in another order
        value, gradient = quadratic_form(matrix, theta, gradient=True)
        assert value == quadratic_form(matrix, theta)
        assert abs(value - wanted) <= 4 * P**2 * np.finfo(float).eps * np.abs(matrix).sum()
        assert gradient.shape == (P,)
    for how in ({"triangle": "lower"}, {"triangle": "upper"}, {"symmetrise": True}):
        assert np.isfinite(quadratic_form(B, theta, **how))


def test_parts_of_any_matrix_have_as_many_rows():
    """Each part is summed by itself: its large numbers cancel before they meet the small one."""
    P = 2 * PART_ROWS
    diagonal = np.zeros(P)
    diagonal[0], diagonal[PART_ROWS + 1], diagonal[P - BAND] = 1, 2.0**60, -(2.0**60)
    for gradient in (False, True):
        value = quadratic_form(np.diag(diagonal), np.ones(P), gradient=gradient)
        assert (value[0] if gradient else value) == 1


@pytest.mark.parametrize("size", [NEAREST, NEAR])
def test_the_size_of_the_caches_changes_no_bit(isa, size):
    """With the gradient the matrix is read in one way, alone in ways that its size decides."""
    for P in (int((size / 8) ** 0.5) + k for k in (-1, 0, 1)):
        rng = np.random.default_rng(P)
        B, theta = rng.standard_normal((P, P)), rng.standard_normal(P)
        value = quadratic_form(B, theta)
        assert value == quadratic_form(B, theta, gradient=True)[0]
        apart = np.full((P, P + 3), np.nan)
        apart[:, :P] = B
        assert value == quadratic_form(apart[:, :P], theta)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("bad", [-1, -(2**28), 3, 2**28])
def test_columns_spoilt_after_the_check_lead_nowhere_in_any_matrix(isa, index, bad):
    B = sp.csr_array(np.array([[1.0, 2.0, 0.0], [0.0, 3.0, 4.0], [5.0, 0.0, 6.0]]))
    columns, starts = B.indices.astype(index), B.indptr.astype(index)
    matrix = core.Matrix()
    matrix._csr(B.data, columns, starts, 3, False, True)
    columns[2] = bad
    for M in (1, 9):
        theta, value, gradient = np.ones((M, 3)), np.zeros(M), np.zeros((M, 3))
        how = {"shared_star": True, "many": True, "threads": 1}
        for target in (None, gradient):
            with pytest.raises(ValueError, match=r"^row 1 of the sparse B has changed"):
                core.evaluate(matrix, theta, None, value, target, **how)
