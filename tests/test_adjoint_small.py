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
