"""Normal equations of many small problems, each with rows, errors and weights of its own."""

import numpy as np
import pytest

from thalweg import kernels, reference

EPS = np.finfo(float).eps


@pytest.mark.parametrize("P", [*range(1, 10), 17])
@pytest.mark.parametrize("Nx", [1, 5, 25, 130])
def test_each_problem_has_its_own_data(isa, P, Nx):
    """Float64 side by side, which is read where it lies; sums of Nx products of at most 8."""
    rng = np.random.default_rng(P)
    J, e, w = (rng.uniform(-2, 2, shape) for shape in ((9, Nx, P), (9, Nx), (9, Nx)))
    for weights in (None, w, w[0], w[:, :1]):
        got = kernels.normal_equations(J, e, weights, per_problem=True)
        want = reference.normal_equations(J, e, weights, per_problem=True)
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=8 * (Nx + 3) * EPS * Nx)


@pytest.mark.parametrize("P", [1, 3, 8, 17])
def test_problems_without_rows_are_zero(isa, P):
    """Whatever the memory held before."""
    for Nx in (5, 0):
        got = kernels.normal_equations(np.ones((9, Nx, P)), np.ones((9, Nx)), per_problem=True)
    for sums in got:
        assert not sums.any()


@pytest.mark.parametrize("P", [*range(1, 18), 31, 33, 200, 1024, 1025])
@pytest.mark.parametrize("Nx", [0, 1, 2, 7, 8, 9, 16, 40, 1023, 1024, 1025])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_each_block_has_its_own_sum(isa, P, Nx, dtype):
    """Rows and columns of many kinds; sums of Nx products of at most 8."""
    if P > 33 and Nx > 40:
        pytest.skip("as large as several small ones")
    rng = np.random.default_rng(P)
    J, e, w = (rng.uniform(-2, 2, s).astype(dtype) for s in ((5, Nx, P), (5, Nx), (5, Nx)))
    wide = np.full((5, Nx, P + 3), np.nan, dtype)
    wide[..., :P] = J
    for laid_out in (J, wide[..., :P], J.swapaxes(1, 2).copy().swapaxes(1, 2)):
        for weights in (None, w, w[0]):
            got = kernels.vjp(laid_out, e, weights)
            want = reference.vjp(J, e, weights)
            np.testing.assert_allclose(got, want, rtol=0, atol=8 * (Nx + 3) * EPS * max(Nx, 1))


@pytest.mark.parametrize("P", range(17, 33))
def test_the_columns_beyond_the_first_few_may_be_any_number(isa, P):
    rng = np.random.default_rng(P)
    for dtype in (np.float64, np.float32):
        J, e = (rng.uniform(-2, 2, s).astype(dtype) for s in ((4, 3, P), (4, 3)))
        got, want = kernels.vjp(J, e), reference.vjp(J, e)
        np.testing.assert_allclose(got, want, rtol=0, atol=8 * 6 * EPS * 3)


@pytest.mark.parametrize("shape", [(300, 1, 1), (90, 4, 3), (40, 1, 20)])
def test_a_block_alone_has_the_same_bits(isa, shape):
    rng = np.random.default_rng(1)
    J, e = rng.standard_normal(shape), rng.standard_normal(shape[:2])
    every = kernels.vjp(J, e, threads=2)
    np.testing.assert_array_equal(every, kernels.vjp(J, e, threads=1))
    for k in (0, 7, shape[0] - 1):
        np.testing.assert_array_equal(every[k], kernels.vjp(J[k], e[k]))


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 20, 1), (3, 4, 3), (3, 2, 40)])
def test_a_number_that_is_none_is_found_in_a_small_block(isa, shape):
    J, e = np.ones(shape), np.ones(shape[:2])
    J[1, -1, -1] = np.nan
    with pytest.raises(ValueError, match=r"J must be finite, got nan at \[1, "):
        kernels.vjp(J, e)
