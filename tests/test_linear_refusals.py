"""What `coordinate_descent` refuses, each in one sentence that names it."""

import numpy as np
import pytest
import scipy.sparse as sp
from linear_cases import hole

import thalweg as tw
from thalweg import kernels

A, B = np.arange(12.0).reshape(4, 3) ** 1.5, np.arange(4.0)


@pytest.mark.parametrize(
    ("a", "b", "how", "words"),
    [
        (hole(A, 2, 1), B, {}, r"A\[2, 1\] is nan"),
        (hole(A, 3, 2, value=np.inf), B, dict(intercept=True), r"A\[3, 2\] is inf"),
        (hole(A, 2, 1), B, dict(weights=[0, 1, 1, 1]), r"A\[2, 1\] is nan"),
        (sp.csc_array(hole(A, 2, 1)), B, {}, r"A\[2, 1\] is nan"),
        (A, hole(B, 3), {}, r"b\[3\] is nan"),
        (A, hole(np.c_[B, B], 3, 1), {}, r"b\[3, 1\] is nan"),
        (A, B[:3], {}, r"b must have shape \(n=4,\) or \(n=4, M\), got \(3,\)"),
        (A, B[0], {}, r"b must have shape"),
        (A[0], B, {}, r"A must have shape \(n, P\), got \(3,\)"),
        (A, B, dict(l1=-1), "l1 must be finite and not negative, but l1 is -1.0"),
        (A, B, dict(l1=[0, np.nan, 0]), r"l1\[1\] is nan"),
        (A, B, dict(l2=[0, -1, 0]), r"l2 must be finite and not negative, but l2\[1\] is -1.0"),
        (A, B, dict(l2=np.inf), "l2 must be finite"),
        (A, B, dict(l1=[1, 2]), r"l1 must have shape \(\) or \(P=3,\), got \(2,\)"),
        (A, B, dict(weights=[1, -1, 1, 1]), r"weights\[1\] is -1.0"),
        (A, B, dict(weights=[1, np.nan, 1, 1]), r"weights\[1\] is nan"),
        (A, B, dict(weights=[1, 1]), r"weights must have shape \(n=4,\), got \(2,\)"),
        (A, B, dict(bounds=(1, 0)), "the lower bound of parameter 0 exceeds"),
        (A, B, dict(bounds=(1, None), l1=np.inf), r"l1\[0\] is infinite"),
        (A, B, dict(start=[0, 0]), r"start must have shape \(P=3,\), got \(2,\)"),
        (A, np.c_[B, B], dict(start=np.zeros((3, 3))), r"\(P=3,\) or \(P=3, M=2\)"),
        (A, B, dict(start=[0, np.nan, 0]), "start must be finite"),
        (A, B, dict(tol=-1), "tol must be a number >= 0"),
        (A, B, dict(max_iter=-1), "max_iter must be a whole number"),
        (A, B, dict(threads=0), "threads must be a whole number"),
        (A, B, dict(order="greedy"), "order must be 'cyclic', 'shuffled', 'random', got 'greedy'"),
        (A, B, dict(strategy="gpu"), "strategy must be 'auto', 'gram', 'residual', got 'gpu'"),
        (A, B, dict(strategy="gram", order="random"), "with the residual, not on a Gram matrix"),
        (A * 1e200, B, {}, "column 0 of A overflows"),
        (sp.csc_array(A * 1e200), B, dict(intercept=True), "column 0 of A overflows"),
        (A * 1e150 + 1e160, B, dict(intercept=True), "column 0 of A has a norm of .*: measure it"),
        (A * 1e-160, B, {}, "column 0 of A has a norm of .*: measure it in other units"),
    ],
)
def test_what_makes_no_sense_is_refused(a, b, how, words):
    with pytest.raises(ValueError, match=words):
        tw.coordinate_descent(a, b, **how)


@pytest.mark.parametrize(
    ("a", "b", "how", "words"),
    [
        (A, np.ma.array(B, mask=[1, 0, 0, 0]), {}, "b must not be masked; give rows"),
        (np.ma.array(A, mask=A > 5), B, {}, "A must not be masked"),
        (A.astype(complex), B, {}, "A must be real numbers"),
        (A, B.astype(complex), {}, "b must be real"),
        (A, B, dict(callback=1), "callback must be callable, got int"),
        (A, B, dict(alpha=1), "has no argument 'alpha'; did you mean l1"),
        (A, B, dict(maxiter=1), "has no argument 'maxiter'; did you mean max_iter"),
        (A, B, dict(sample_weight=1), "did you mean weights"),
        (A.astype(str), B, {}, "A must be real numbers, got an array of <U"),
        (A, B.astype(str), {}, "b must be numbers, got an array of <U"),
        (A, [0, 1, "2", 3], {}, "b must be numbers, got an array of <U"),
        (A, np.array([0, 1, b"2", 3], object), {}, "b must be numbers, got b'2' in an object"),
        (A, B, dict(l1="1"), "l1 must be numbers, got the text '1'"),
        (A, B, dict(l2=np.str_("1")), "l2 must be numbers, got the text"),
        (A, B, dict(weights=["1"] * 4), "weights must be numbers, got an array of <U1"),
        (A, B, dict(bounds=("0", None)), "lower bounds must be numbers, got '0'"),
        (A, B, dict(start=["1"] * 3), "start must be numbers"),
        (A, B, dict(tol="1e-3"), "tol must be a number >= 0, got '1e-3'"),
        (A, B, dict(time_limit=b"1"), "time_limit must be a number >= 0, got b'1'"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(a, b, how, words):
    with pytest.raises(TypeError, match=words):
        tw.coordinate_descent(a, b, **how)


@pytest.mark.parametrize(("n", "P"), [(0, 3), (4, 0), (0, 0)])
@pytest.mark.parametrize("M", [0, 1, 12])
@pytest.mark.parametrize("how", [{}, dict(l1=1.0, intercept=True), dict(bounds=(0.5, None))])
@pytest.mark.parametrize("kind", [np.asarray, sp.csc_array], ids=["dense", "sparse"])
def test_nothing_to_fit_is_solved(n, P, M, how, kind):
    for start in (None, np.zeros((P, M))):
        r = tw.coordinate_descent(kind(np.zeros((n, P))), np.ones((n, M)), start=start, **how)
        assert r.theta.shape == (P, M) and (r.theta == how.get("bounds", (0, 0))[0]).all()


def test_an_alpha_over_no_weight_is_refused():
    for x, y, w in ((A[:0], B[:0], None), (A, B, np.zeros(4))):
        with pytest.raises(ValueError, match="the sum of the weights, which is 0"):
            tw.linear.lasso_path(x, y, sample_weight=w)


def test_negative_factors_and_text_are_refused_by_estimators():
    for factors, kind, words in (
        ([1, -np.inf, 1], ValueError, "penalty_factors must not be negative, got -inf"),
        ([1, np.nan, 1], ValueError, "penalty_factors must not be negative, got nan"),
        (["1"] * 3, TypeError, "penalty_factors must be numbers, got an array of <U1"),
    ):
        with pytest.raises(kind, match=words):
            tw.linear.Lasso(penalty_factors=factors).fit(A, B)
    with pytest.raises(TypeError, match="weights must be numbers, got an array of <U1"):
        tw.linear.enet_path(A, B, sample_weight=["1"] * 4)


def stored_twice(a):
    """Return columns with rows in falling order, half of each element stored twice."""
    n, P = a.shape
    rows = np.tile(np.r_[np.arange(n)[::-1], np.arange(n)[::-1]], P)
    values = np.concatenate([np.r_[c[::-1], c[::-1]] / 2 for c in a.T])
    return sp.csc_array((values, rows, np.arange(P + 1) * 2 * n), shape=a.shape)


@pytest.mark.parametrize("form", [sp.coo_array, sp.lil_array, sp.dok_array, stored_twice])
def test_every_sparse_format_is_taken(form):
    a = form(A)
    want = tw.coordinate_descent(A, B, l1=0.1, bounds=(0, None)).theta
    kept = {k: np.array(getattr(a, k)) for k in ("data", "indices") if form is stored_twice}
    np.testing.assert_allclose(tw.coordinate_descent(a, B, l1=0.1, bounds=(0, None)).theta, want)
    for name, before in kept.items():
        np.testing.assert_array_equal(getattr(a, name), before)


def test_masked_weights_leave_rows_out():
    mask = [True, False, False, True]
    w = np.ma.array([np.nan, 1, 2, -5], mask=mask)
    a, b = hole(A, 0, 0), hole(B, 3)
    r = tw.coordinate_descent(a, b, weights=w, l1=0.1)
    plain = tw.coordinate_descent(A[1:3], B[1:3], weights=[1, 2], l1=0.1)
    np.testing.assert_allclose(r.theta, plain.theta, rtol=1e-12)
    sparse = tw.coordinate_descent(sp.csr_array(a), b, weights=w, l1=0.1)
    np.testing.assert_allclose(sparse.theta, plain.theta, rtol=1e-12)


def test_nothing_of_the_caller_is_changed_or_kept():
    a, b, w, start = A.copy(), B.copy(), np.ones(4), np.ones(3)
    l1, l2 = np.ones(3), np.ones(3)
    r = tw.coordinate_descent(a, b, l1=l1, l2=l2, weights=w, start=start, bounds=(0, 2))
    for now, before in ((a, A), (b, B), (w, 1), (start, 1), (l1, 1), (l2, 1)):
        np.testing.assert_array_equal(now, before)
    theta = r.theta.copy()
    for array in (a, b, w, start, l1, l2):
        array[:] = 7
    np.testing.assert_array_equal(r.theta, theta)


def test_kernels_and_convolutions_take_no_text_for_a_number():
    with pytest.raises(TypeError, match="relaxation must be a number between 0 and 2, got '1'"):
        kernels.coordinate_sweep(A, np.zeros(3), B.copy(), relaxation="1")
    with pytest.raises(TypeError, match="shift must be a number of samples, got '1'"):
        tw.convolve(B, [1.0, 2.0], shift="1")
