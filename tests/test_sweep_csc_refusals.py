"""Sweeps over sparse columns: what is refused, in which words."""

import numpy as np
import pytest
from sweep_csc_cases import small

from thalweg.kernels import coordinate_sweep

sparse = pytest.importorskip("scipy.sparse")

NAN = np.nan


def rows(data=(1.0, 2.0, 3.0), indices=(0, 1, 0), indptr=(0, 1, 2, 3)):
    """A matrix (3, 2) by rows as its three arrays, each replaceable."""
    A = sparse.csr_matrix((3, 2))
    A.data, A.indices, A.indptr = (
        np.array(data),
        np.array(indices, np.int32),
        np.array(indptr, np.int32),
    )
    return A


REFUSED = [
    ({"A": sparse.coo_matrix((3, 2))}, TypeError, "A must be sparse in compressed columns, .* coo"),
    ({"A": rows(indptr=[0, 1, 5, 3])}, ValueError, "indptr of A must rise from 0"),
    ({"A": rows(indptr=[1, 1, 2, 3])}, ValueError, "indptr of A must rise from 0"),
    ({"A": rows(indptr=[0, 1, 2, 9])}, ValueError, "indptr of A must rise from 0"),
    ({"A": rows(indptr=[0, 1])}, ValueError, "indptr of A must rise from 0"),
    ({"A": rows(indices=[0, 2, 1])}, ValueError, r"column index that is not in \[0, P=2\)"),
    ({"A": rows(indices=[0, -1, 1])}, ValueError, r"column index that is not in \[0, P=2\)"),
    ({"A": rows(indptr=[0, 2, 2, 3], indices=[1, 1, 0])}, ValueError, "unsorted or duplicated"),
    ({"A": rows(data=[1.0, NAN, 2.0])}, ValueError, "A must be finite, but column 1 holds NaN"),
    ({"A": small(dtype=complex)}, TypeError, "A must be float64 or float32, got complex128"),
    ({"A": small(dtype=int)}, TypeError, "A must be float64 or float32, got int64"),
    ({"A": small(indptr=[0, 3, 2], indices=[0, 1, 2])}, ValueError, "indptr of A must .* column 1"),
    ({"A": small(indptr=[1, 2, 3])}, ValueError, "indptr of A must rise .* column 0"),
    ({"A": small(indptr=[0, 2, 9])}, ValueError, "indptr of A must rise .* column 1"),
    ({"A": small(indptr=[0, -1, 3])}, ValueError, "indptr of A must rise .* column 0"),
    ({"A": small(indptr=[0, 3])}, ValueError, r"P \+ 1=3 elements in indptr .* got 2, 3 and 3"),
    ({"A": small(indices=[0, 2])}, ValueError, "as many indices as values, got 3, 2 and 3"),
    ({"A": small(indices=[0, 2, 3])}, ValueError, r"column 1 .* row index .* \[0, n=3\)"),
    ({"A": small(indices=[-1, 2, 1])}, ValueError, "column 0 of A has a row index that is not in"),
    ({"A": small(indices=[9, 0, 1])}, ValueError, "column 0 of A has a row index that is not in"),
    ({"A": small(indices=[2, -1, 1])}, ValueError, "column 0 of A has a row index that is not in"),
    ({"A": small(indices=[0, 2, 2**32 + 1], index=np.int64)}, ValueError, "column 1 .* row index"),
    ({"A": small(indptr=[0, 2**32 + 2, 3], index=np.int64)}, ValueError, "indptr .* column 0"),
    ({"A": small(indices=[2, 0, 1])}, ValueError, "column 0 .* unsorted or duplicated; A.sum_dup"),
    ({"A": small(indices=[2, 2, 1])}, ValueError, "column 0 .* unsorted or duplicated"),
    ({"A": small(data=[1, 2, NAN])}, ValueError, "A must be finite, but column 1 holds NaN or inf"),
    ({"A": small(data=[1, np.inf, 2])}, ValueError, "A must be finite, but column 0 holds NaN"),
    ({"A": small(data=[1, 2, 1e200])}, ValueError, "column 1 of A overflows"),
    ({"residual": np.array([0, 1e200, 0])}, ValueError, "the objective overflows"),
    ({"theta": [0.0, 0.0]}, TypeError, "theta is written in place: it must be a float64 array"),
    ({"theta": np.zeros(3)}, ValueError, r"theta must have shape \(P=2,\) or \(P=2, M\), got"),
    ({"theta": np.zeros((2, 2))}, ValueError, r"residual must have shape \(n=3, M=2\)"),
    ({"theta": np.array([0.0, NAN])}, ValueError, r"theta must be finite, but theta\[1\] is nan"),
    ({"residual": np.ones(4)}, ValueError, r"residual must have shape \(n=3,\), got \(4,\)"),
    ({"l1": -1.0}, ValueError, "l1 must be finite and not negative, but l1 is -1.0"),
    ({"weights": [1, NAN, 0]}, ValueError, "weights must be finite and not negative"),
    ({"bounds": (1, [2, 0])}, ValueError, "the lower bound of parameter 1 exceeds the upper one"),
    ({"bounds": (1, None)}, ValueError, "theta must start within its bounds"),
    ({"order": "sideways"}, ValueError, "order must be 'cyclic', 'shuffled', 'random', 'greedy'"),
    ({"order": [0, 2]}, ValueError, "order names coordinate 2, but there are P=2"),
    ({"sweeps": -1}, ValueError, "sweeps must be a whole number from 0"),
    ({"relaxation": 2.0}, ValueError, "relaxation must be between 0 and 2, got 2.0"),
    ({"threads": 0}, ValueError, "threads must be a whole number from 1 to 256"),
    ({"centered": True}, ValueError, "it needs an intercept"),
    ({"b": [1, NAN, 1]}, ValueError, r"b must be finite, but b\[1\] is nan"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "error", "sentence"), REFUSED)
def test_refusals_leave_everything_as_it_was(isa, changes, error, sentence):
    arguments = {"A": small(), "theta": np.array([0.5, -0.5]), "residual": np.ones(3)} | changes
    A, theta, residual = (arguments.pop(k) for k in ("A", "theta", "residual"))
    before = np.array(theta), residual.copy()
    with pytest.raises(error, match=sentence):
        coordinate_sweep(A, theta, residual, **arguments)
    np.testing.assert_array_equal(theta, before[0])
    np.testing.assert_array_equal(residual, before[1])


@pytest.mark.parametrize(("changes", "error", "sentence"), REFUSED)
def test_gram_mode_refuses_the_same(changes, error, sentence):
    arguments = {"A": small(), "theta": np.array([0.5, -0.5]), "residual": np.ones(3)} | changes
    A, theta, residual = (arguments.pop(k) for k in ("A", "theta", "residual"))
    with pytest.raises(error, match=sentence):
        coordinate_sweep(A, theta, residual, gram=True, **arguments)


def test_bounds_are_read_before_theta_is_written():
    A, theta, apart = small(), np.zeros(2), np.zeros(2)
    residual = np.array([1.0, -2.0, 3.0])
    coordinate_sweep(A, theta, residual.copy(), bounds=(theta, None))
    coordinate_sweep(A, apart, residual.copy(), bounds=(np.zeros(2), None))
    assert (theta == apart).all() and theta.any()


def test_shared_memory_is_refused():
    A, memory = small(), np.zeros(8)
    theta, residual = memory[:2], memory[1:4]
    with pytest.raises(
        ValueError, match=r"theta is written in place and shares memory with residual"
    ):
        coordinate_sweep(A, theta, residual)
    for name in ("weights", "b"):
        with pytest.raises(ValueError, match=rf"residual is .* shares memory with {name}"):
            coordinate_sweep(A, theta, memory[3:6], **{name: memory[3:6]})
    with pytest.raises(ValueError, match=r"intercept is .* shares memory with A"):
        coordinate_sweep(A, theta, memory[3:6], intercept=A.data[:1])
