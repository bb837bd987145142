"""Rows of weight 0 are left out of every kernel: what they hold is not looked at."""

import numpy as np
import pytest
from scipy import sparse

from thalweg import kernels

RNG = np.random.default_rng(0)
OUT = np.zeros(40, bool)
OUT[[0, 7, 13, 39]] = True
BAD = [np.nan, np.inf, -np.inf]


def spoilt(array, value):
    """Return an array with a value in some places of rows that are left out."""
    array = array.copy()
    array[OUT] = value
    return array


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("P", [1, 3, 9, 20])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("what", ["J", "e", "both"])
@pytest.mark.parametrize("form", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array])
def test_sums_over_jacobians(isa, bad, P, dtype, what, form):
    J, e = RNG.standard_normal((40, P)).astype(dtype), RNG.standard_normal(40).astype(dtype)
    w = np.where(OUT, 0, RNG.uniform(0.5, 2, 40))
    J_bad, e_bad = spoilt(J, bad) if what != "e" else J, spoilt(e, bad) if what != "J" else e
    for call in (kernels.adjoint_sum, kernels.vjp, kernels.normal_equations):
        wanted = call(form(J), np.where(OUT, 0, e), w)
        got = call(form(J_bad), e_bad, w)
        for ours, theirs in zip(np.atleast_1d(*got), np.atleast_1d(*wanted), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    with pytest.raises(ValueError, match=r"(J|J.data|e) must be finite"):
        kernels.adjoint_sum(form(J_bad), e_bad, np.where(OUT, 1, w))


@pytest.mark.parametrize("bad", BAD)
def test_blocks_of_jacobians(isa, bad):
    J, e = RNG.standard_normal((8, 5, 3)), RNG.standard_normal((8, 5))
    out = OUT.reshape(8, 5)
    J[out], e[out] = bad, bad
    clean = np.where(out[..., None], 0, J), np.where(out, 0, e)
    for w in (np.where(out, 0.0, 1.5), np.ma.array(np.full((8, 5), 1.5), mask=out)):
        np.testing.assert_array_equal(
            kernels.vjp(J, e, w), kernels.vjp(*clean, np.full((8, 5), 1.5))
        )
    masked = np.ma.array(e, mask=out)
    np.testing.assert_array_equal(kernels.vjp(J, masked), kernels.vjp(*clean))
    one = kernels.vjp(J[:, :1], np.ma.array(e[:, :1], mask=out[:, :1]))
    np.testing.assert_array_equal(one, kernels.vjp(clean[0][:, :1], clean[1][:, :1]))


def test_what_cannot_be_left_out_is_refused():
    J, masked = np.ones((3, 2)), np.ma.masked_equal([1.0, 2.0], 2.0)
    with pytest.raises(
        TypeError, match="J must not be masked; give rows to leave out the weight 0"
    ):
        kernels.adjoint_sum(np.ma.masked_equal(J, 1.0), np.ones(3))
    with pytest.raises(TypeError, match="v must not be masked"):
        kernels.jvp(J, masked)
    with pytest.raises(TypeError, match=r"in CSR format, got coo; J.tocsr\(\) converts it"):
        kernels.adjoint_sum(sparse.coo_array(J), np.ones(3))
    with pytest.raises(TypeError, match=r"in CSR format, got dok"):
        kernels.adjoint_sum(sparse.dok_array(J), np.ones(3))


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("what", ["A", "b", "both"])
@pytest.mark.parametrize("how", [{}, {"gram": True}, {"order": "greedy"}, {"sparse": True},
                                 {"sparse": True, "gram": True}])  # fmt: skip
@pytest.mark.parametrize("free", [False, True])
def test_sweeps(isa, bad, what, how, free):
    A, b = RNG.standard_normal((40, 6)), RNG.standard_normal(40)
    w = np.where(OUT, 0, RNG.uniform(0.5, 2, 40))
    A_bad, b_bad = spoilt(A, bad) if what != "b" else A, spoilt(b, bad) if what != "A" else b
    form = sparse.csc_array if "sparse" in how else np.asarray
    how = {k: v for k, v in how.items() if k != "sparse"} | {"l1": 0.3, "l2": 0.1, "sweeps": 4}
    runs, rest = [], None
    for A_k, b_k, w_k in (
        (A[~OUT], b[~OUT], w[~OUT]),
        (A_bad, b_bad, w),
        (A_bad, b_bad, np.ma.array(np.where(OUT, 7.0, w), mask=OUT)),
    ):
        theta, residual, t = np.zeros(6), b_k.copy(), np.zeros(1) if free else None
        done = kernels.coordinate_sweep(form(A_k), theta, residual, weights=w_k, intercept=t, **how)
        runs.append((theta, done.objectives, *(() if t is None else (t,))))
        if len(b_k) == 40:
            np.testing.assert_allclose(residual[~OUT], rest, rtol=0, atol=1e-12)
        else:
            rest = residual
    for other in runs[1:]:
        for ours, theirs in zip(other, runs[0], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_finite_rows_that_are_left_out_are_predicted(isa):
    A, b = RNG.standard_normal((40, 6)), RNG.standard_normal(40)
    b[7] = np.inf
    for form in (np.asarray, sparse.csc_array):
        theta, residual = np.zeros(6), b.copy()
        kernels.coordinate_sweep(form(A), theta, residual, weights=1.0 - OUT, b=b, sweeps=5)
        used = np.arange(40) != 7
        np.testing.assert_allclose(residual[used], (b - A @ theta)[used], rtol=0, atol=1e-12)
        assert residual[7] == np.inf


@pytest.mark.parametrize("how", [{}, {"gram": True}, {"order": "greedy"}, {"sparse": True},
                                 {"sparse": True, "gram": True}])  # fmt: skip
def test_an_infinite_penalty_keeps_a_coordinate_at_zero(isa, how):
    A, b = RNG.standard_normal((40, 6)), RNG.standard_normal(40)
    form = sparse.csc_array if "sparse" in how else np.asarray
    how = {k: v for k, v in how.items() if k != "sparse"}
    l1 = np.array([0.1, np.inf, 0.1, 0.1, np.inf, 0.1])
    theta, t = np.zeros(6), np.zeros(4)
    done = kernels.coordinate_sweep(form(A), theta, b.copy(), l1=l1, sweeps=60, **how)
    few = kernels.coordinate_sweep(
        form(A[:, np.isfinite(l1)]), t, b.copy(), l1=0.1, sweeps=60, **how
    )
    np.testing.assert_allclose(theta[np.isfinite(l1)], t, rtol=0, atol=1e-10)
    assert (theta[np.isinf(l1)] == 0).all()
    np.testing.assert_allclose(done.objective, few.objective)
