"""Arrays of other libraries as Jacobians, and what the adjoint kernels refuse."""

import inspect

import numpy as np
import pytest
from scipy import sparse

from thalweg import kernels, reference
from thalweg._core import adjoint as core

NAMES = ("adjoint_sum", "vjp", "jvp", "normal_equations")


# ---- arrays of other libraries ------------------------------------------------------------------


class Foreign:
    """An array that speaks DLPack and nothing else."""

    def __init__(self, array, error=None):
        self.array, self.error = array, error

    def __dlpack__(self, **options):
        if self.error:
            raise self.error
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("wrap", (Foreign, memoryview, np.ndarray.tolist, np.asfortranarray))
def test_arrays_of_other_libraries(wrap):
    J, e = np.arange(24.0).reshape(2, 3, 4), np.arange(6.0).reshape(2, 3)
    want = kernels.adjoint_sum(J, e)
    np.testing.assert_array_equal(kernels.adjoint_sum(wrap(J), wrap(e), wrap(e * 0 + 1)), want)


@pytest.mark.parametrize("dtype", ("i4", "?", "f2", ">f8", ">f4", "g"))
def test_other_types_of_number(dtype):
    J, e = (np.arange(24).reshape(2, 3, 4) % 2).astype(dtype), np.ones((2, 3), dtype)
    np.testing.assert_array_equal(kernels.adjoint_sum(J, e), J.sum((0, 1), dtype=float))


def test_fields_of_records_are_taken():
    """Strides that are no whole elements."""
    record = np.zeros((2, 3), np.dtype([("flag", "i1"), ("J", "f8", 4), ("e", "f8")]))
    record["J"], record["e"] = np.arange(24.0).reshape(2, 3, 4), np.arange(6.0).reshape(2, 3)
    want = reference.adjoint_sum(record["J"], record["e"])
    np.testing.assert_array_equal(kernels.adjoint_sum(record["J"], record["e"]), want)


def test_result_goes_where_it_is_wanted():
    J, e = np.ones((2, 3, 4)), np.ones((2, 3))
    whole = np.zeros((4, 2))
    assert kernels.adjoint_sum(J, e, out=whole[:, 1]).base is whole
    np.testing.assert_array_equal(whole, [[0, 6]] * 4)


def test_signatures_are_those_of_the_reference():
    for name in NAMES:
        ours = inspect.signature(getattr(kernels, name)).parameters
        theirs = inspect.signature(getattr(reference, name)).parameters
        assert [str(p) for p in ours.values()] == [str(p) for p in theirs.values()]


# ---- refusals -----------------------------------------------------------------------------------

J0, E0 = np.ones((2, 3, 4)), np.ones((2, 3))


def with_at(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize("value", (np.nan, np.inf, -np.inf))
@pytest.mark.parametrize(
    ("name", "place"), [("J", (1, 2, 3)), ("J", (0, 0, 0)), ("e", (1, 0)), ("weights", (0, 2))]
)
def test_not_finite_input_is_named(isa, name, place, value):
    inputs = {"J": J0, "e": E0, "weights": E0}
    inputs[name] = with_at(inputs[name], place, value)
    sentence = rf"{name} must be finite, got {value} at \[{', '.join(map(str, place))}\]"
    for call in (kernels.adjoint_sum, kernels.vjp, kernels.normal_equations):
        with pytest.raises(ValueError, match=sentence):
            call(**inputs)
    with pytest.raises(ValueError, match=sentence):
        kernels.normal_equations(**inputs, per_problem=True)
    if name == "J":
        with pytest.raises(ValueError, match=sentence):
            kernels.jvp(inputs["J"], np.zeros(4))


def test_not_finite_far_into_a_large_array():
    J = np.zeros((300, 100, 100))
    J[250, 40, 3] = np.nan
    with pytest.raises(ValueError, match=r"J must be finite, got nan at \[250, 40, 3\]"):
        kernels.adjoint_sum(J, np.zeros((300, 100)))
    with pytest.raises(ValueError, match=r"J must be finite, got nan at \[0, 25040, 3\]"):
        kernels.adjoint_sum(J.reshape(1, -1, 100), np.zeros((1, 30000)))


def test_not_finite_in_compressed_rows():
    matrix = sparse.csr_array(np.diag([1.0, np.nan, 0]))
    with pytest.raises(ValueError, match=r"J.data must be finite, got nan at \[1\]"):
        kernels.adjoint_sum(matrix, np.ones(3))
    e = np.array([1.0, 1, np.inf])  # the infinite one is of a row without elements
    with pytest.raises(ValueError, match=r"e must be finite, got inf at \[2\]"):
        kernels.adjoint_sum(sparse.csr_array(np.diag([1.0, 1, 0])), e)
    with pytest.raises(ValueError, match=r"v must be finite, got nan at \[2\]"):
        kernels.jvp(sparse.csr_array(np.diag([1.0, 1, 0])), [1, 1, np.nan])


def test_overflow_is_an_error_of_its_own():
    with pytest.raises(OverflowError, match="beyond the range of float64"):
        kernels.adjoint_sum(J0 * 1e200, E0 * 1e200)
    with pytest.raises(OverflowError, match="beyond the range of float64"):
        kernels.normal_equations(J0 * 1e200, E0)


def read_only():
    out = np.zeros(4)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("arguments", "options", "error", "sentence"),
    [
        ((J0, E0.T), {}, ValueError, r"e must have shape \(K=2, Nx=3\) as the rows of J, got"),
        ((J0[0], E0), {}, ValueError, r"e must have shape \(Nx=3,\) as the rows of J, got"),
        ((J0[0, 0], E0), {}, ValueError, r"J must have shape \(K, Nx, P\) or \(Nx, P\), got"),
        ((J0, E0, E0.T), {}, ValueError, r"weights must have the shape of e, \(2, 3\), or"),
        ((J0 * 1j, E0), {}, TypeError, "J must be real numbers, got an array of complex128"),
        ((J0, [["a"] * 3] * 2), {}, TypeError, "e must be real numbers, got an array of <U1"),
        ((Foreign(J0, BufferError("on device 0")), E0), {}, TypeError,
         "J must be an array in the processor's memory that can be shared: on device 0"),
        ((J0, E0), {"scale": np.nan}, ValueError, "scale must be a finite number, got nan"),
        ((J0, E0), {"threads": 0}, ValueError, "threads must be a whole number from 1 to 256"),
        ((J0, E0), {"out": np.zeros(5)}, ValueError, r"out must have shape \(P=4,\), got \(5,\)"),
        ((J0, E0), {"out": np.zeros(4, "f4")}, TypeError, "out must be .* of float64, got float32"),
        ((J0, E0), {"out": [0.0] * 4}, TypeError, "out must be a NumPy array of float64, got list"),
        ((J0, E0), {"out": read_only()}, ValueError, "out is read-only"),
        ((J0, E0), {"out": J0[0, 1]}, ValueError, "out overlaps J in memory"),
        ((J0[:, :2], E0.ravel()[:4].reshape(2, 2)), {"out": E0.ravel()[:4]}, ValueError,
         "out overlaps e in memory"),
    ],
)  # fmt: skip
def test_refusals(arguments, options, error, sentence):
    before = [np.array(a.array if isinstance(a, Foreign) else a) for a in arguments]
    with pytest.raises(error, match=sentence):
        kernels.adjoint_sum(*arguments, **options)
    for array, old in zip(arguments, before, strict=True):
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(array, old)


def test_output_between_the_elements_of_an_input_is_taken():
    both = np.ones((2, 3, 8))
    out = both[0, 0, 1::2]
    np.testing.assert_array_equal(kernels.adjoint_sum(both[:, :, ::2], E0, out=out), [6] * 4)


def test_nothing_is_written_where_an_input_is_not_finite():
    out = np.full(4, 7.0)
    with pytest.raises(ValueError, match="J must be finite"):
        kernels.adjoint_sum(with_at(J0, (0, 0, 0), np.nan), E0, out=out)
    np.testing.assert_array_equal(out, [7] * 4)


def test_vector_of_another_length():
    with pytest.raises(ValueError, match=r"v must have shape \(P=4,\), got \(3,\)"):
        kernels.jvp(J0, np.ones(3))


def csr(indptr, indices, data=(1.0, 2.0), shape=(2, 3)):
    class Rows:
        pass

    rows = Rows()
    rows.indptr, rows.indices, rows.data = map(np.asarray, (indptr, indices, data))
    rows.shape = shape
    return rows


@pytest.mark.parametrize(
    ("matrix", "error", "sentence"),
    [
        (csr([0, 1, 2], [0, 3]), ValueError, "J.indices must be columns from 0 to 2"),
        (csr([0, 1, 2], [0, -1]), ValueError, "J.indices must be columns from 0 to 2"),
        (csr([0, 2, 1], [0, 1]), ValueError, "J.indptr must rise from 0"),
        (csr([-1, 1, 2], [0, 1]), ValueError, "J.indptr must rise from 0"),
        (csr([0, 1, 3], [0, 1]), ValueError, "J.indptr must rise from 0"),
        (csr([0, 1], [0, 1]), ValueError, "J.indptr must have 3 elements, got 2"),
        (csr([0, 1, 2], [0.0, 1]), TypeError, "J.indices must be whole numbers"),
        (
            csr([0, 1, 2], [0]),
            ValueError,
            r"J.data must have shape \(1,\) as J.indices, got \(2,\)",
        ),
        (csr([0, 1, 2], [0, 1], shape=(2, 1, 3)), ValueError, r"J must have shape \(K·Nx, P\)"),
        (sparse.csc_array(np.eye(2)), TypeError, "must be in CSR format, got csc"),
    ],
)
def test_compressed_rows_that_are_not(isa, matrix, error, sentence):
    for call in (kernels.adjoint_sum, kernels.vjp, kernels.normal_equations):
        with pytest.raises(error, match=sentence):
            call(matrix, np.ones(2))
    with pytest.raises(error, match=sentence):
        kernels.jvp(matrix, np.ones(3))


def test_blocks_of_compressed_rows():
    with pytest.raises(ValueError, match=r"e must have shape \(K·Nx=4,\) or \(K, Nx\) as the rows"):
        kernels.adjoint_sum(sparse.csr_array(np.eye(4)), np.ones((2, 3)))


@pytest.mark.parametrize(
    ("J", "e", "error", "sentence"),
    [
        (J0, E0.T, ValueError, r"e and weights must have shape \(K, Nx\)"),
        (J0[:1], E0, ValueError, r"J must have shape \(K, Nx, P\)"),
        (J0[:, :, ::2], E0, ValueError, "J must be contiguous along its rows or its columns"),
        (J0.astype("i8"), E0, TypeError, "an array of format 'd' or 'f' is needed"),
    ],
)
def test_the_core_guards_its_memory(J, e, error, sentence):
    with pytest.raises(error, match=sentence):
        core.Jacobian(J, e, None, 2, 3, False)
    good = core.Jacobian(J0, E0, None, 2, 3, False)
    with pytest.raises(ValueError, match="an array of 4 elements is needed, got 24 bytes"):
        good.sum(1.0, 1, np.zeros(3))
