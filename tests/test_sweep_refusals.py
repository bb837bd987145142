"""Coordinate-descent sweeps over dense columns: what is refused, in which words."""

import numpy as np
import pytest
import scipy.sparse

from thalweg import kernels


def read_only(array):
    array.flags.writeable = False
    return array


SHARED = np.zeros(12)
REFUSED = [
    (dict(A=np.ones((4, 3), int)), TypeError, "A must be float64 or float32, got int64"),
    (dict(A=np.ones(3)), ValueError, r"A must have shape \(n, P\), got \(3,\)"),
    (dict(A=np.ma.ones((4, 3))), TypeError, "A must not be masked"),
    (dict(theta=np.ma.zeros(3)), TypeError, "theta must not be masked"),
    (dict(residual=np.ma.zeros(4)), TypeError, "residual must not be masked"),
    (dict(b=np.ma.masked_equal([0.0, 1, 2, 3], 2)), TypeError, "b must not be masked"),
    (dict(relaxation=None), ValueError, "relaxation must be between 0 and 2, got None"),
    (dict(centered=True), ValueError, "centered keeps the intercept .* it needs an intercept"),
    (
        dict(l1=[0, np.inf, 0], theta=np.ones(3)),
        ValueError,
        r"l1\[1\] is infinite, which keeps coordinate 1 at 0: theta must start there",
    ),
    (dict(l1=np.inf, bounds=(1, 2), theta=np.ones(3)), ValueError, r"l1\[0\] is infinite"),
    (dict(A=scipy.sparse.coo_array(np.eye(4)[:, :3])), TypeError, r"as A.tocsc\(\) .* got coo"),
    (dict(A=scipy.sparse.dok_array(np.eye(4)[:, :3])), TypeError, r"as A.tocsc\(\) .* got dok"),
    (dict(theta=np.zeros(2)), ValueError, r"theta must have shape \(P=3,\) or \(P=3, M\)"),
    (dict(theta=[0.0] * 3), TypeError, "theta is written in place: it must be a float64"),
    (dict(theta=np.zeros(3, "f4")), TypeError, "got float32"),
    (dict(theta=read_only(np.zeros(3))), ValueError, "read-only"),
    (dict(theta=np.array([0, np.nan, 0])), ValueError, r"but theta\[1\] is nan"),
    (dict(residual=np.zeros(5)), ValueError, r"residual must have shape \(n=4,\), got \(5,\)"),
    (dict(residual=np.array([0, 0, 0, np.inf])), ValueError, r"residual\[3\] is inf"),
    (dict(theta=SHARED[:3], residual=SHARED[2:6]), ValueError, "shares memory with residual"),
    (dict(b=SHARED[:4], residual=SHARED[2:6]), ValueError, "residual .* shares memory with b"),
    (dict(A=SHARED.reshape(4, 3), theta=SHARED[:3]), ValueError, "shares memory with A"),
    (dict(l1=-1), ValueError, "l1 must be finite and not negative, but l1 is -1"),
    (dict(l2=[0, np.nan, 0]), ValueError, r"l2\[1\] is nan"),
    (dict(l1=[1, 2]), ValueError, r"l1 must have shape \(\) or \(P=3,\), got \(2,\)"),
    (dict(weights=[1, 1, -1, 1]), ValueError, r"weights\[2\] is -1"),
    (dict(weights=[1, 1, np.nan, 1]), ValueError, r"weights\[2\] is nan"),
    (dict(weights=[1, 1]), ValueError, r"weights must have shape \(n=4,\), got \(2,\)"),
    (dict(bounds=(1, 0)), ValueError, "lower bound of parameter 0 exceeds the upper one"),
    (dict(bounds=(np.nan, 0)), ValueError, "the lower bound of parameter 0 is NaN"),
    (dict(bounds=3), ValueError, r"bounds must be a pair \(lower, upper\)"),
    (dict(bounds=(1, None)), ValueError, "theta must start within its bounds; coordinate 0"),
    (dict(order="best"), ValueError, "order must be 'cyclic', 'shuffled', 'random', 'greedy'"),
    (dict(order=[0, 3]), ValueError, "order names coordinate 3, but there are P=3"),
    (dict(order=[-1]), ValueError, "order names coordinate -1"),
    (dict(order=[0.5]), TypeError, "order must be a row of coordinates"),
    (dict(relaxation=2), ValueError, "relaxation must be between 0 and 2, got 2"),
    (dict(relaxation=np.nan), ValueError, "relaxation must be between 0 and 2, got nan"),
    (dict(sweeps=-1), ValueError, "sweeps must be a whole number"),
    (dict(threads=0), ValueError, "threads must be a whole number"),
    (dict(intercept=np.zeros(2)), ValueError, r"intercept must have shape \(1,\)"),
    (dict(gram=np.eye(2)), ValueError, r"gram must be True or have shape \(P=3, P=3\)"),
    (dict(gram=np.full((3, 3), np.nan)), ValueError, "gram must be finite"),
    (dict(gram=np.eye(3) + np.eye(3, k=1)), ValueError, "gram must be symmetric"),
    (dict(b=[1, 2, 3, np.nan]), ValueError, r"b\[3\] is nan"),
    (dict(b=[1, 2]), ValueError, r"b must have shape \(n=4,\), got \(2,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "sentence"), REFUSED)
def test_bad_input_is_refused_in_a_sentence(change, error, sentence):
    good = dict(A=np.eye(4)[:, :3].copy(), theta=np.zeros(3), residual=np.arange(4.0))
    call = good | change
    kept = [np.copy(call[name]) for name in ("theta", "residual")]
    with pytest.raises(error, match=sentence):
        kernels.coordinate_sweep(**call)
    for name, before in zip(("theta", "residual"), kept, strict=True):
        np.testing.assert_array_equal(call[name], before)


@pytest.mark.parametrize("gram", [None, True])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_what_is_not_finite_in_A_is_named_and_nothing_is_written(isa, dtype, value, gram):
    A = np.random.default_rng(5).standard_normal((3000, 11)).astype(dtype)
    A[2222, 9] = value
    theta, residual = np.zeros(11), np.ones(3000)
    with pytest.raises(ValueError, match=rf"A\[2222, 9\] is {value}"), np.errstate(all="ignore"):
        kernels.coordinate_sweep(A, theta, residual, gram=gram)
    assert not theta.any() and (residual == 1).all()


def test_columns_and_objectives_that_overflow_are_refused(isa):
    A, theta, residual = np.full((2, 2), 1e200), np.zeros(2), np.ones(2)
    with pytest.raises(ValueError, match="column 0 of A overflows"):
        kernels.coordinate_sweep(A, theta, residual)
    residual = np.full(2, 1e200)
    with pytest.raises(ValueError, match="the objective overflows"):
        kernels.coordinate_sweep(np.eye(2), theta, residual, l2=1.0)
    assert not theta.any() and (residual == 1e200).all()
