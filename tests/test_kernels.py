"""Every kernel is its specification: each instruction set, element type and number of threads.

Inputs are of the element type, sums are in float64: so the specification on the same numbers in
float64 says what is right, to the rounding of some thousand additions.  One thread sets the bits.
"""

import numpy as np
import pytest

import thalweg as tw
from thalweg import kernels, reference

ROUNDING = (
    1e-11  # relative to the largest element: 1e4 additions of numbers of one size, in float64
)


def adjoint(rng, dtype):
    J, e, w = rng.standard_normal((700, 9, 13)), rng.standard_normal((700, 9)), rng.random((700, 9))
    return "adjoint_sum", (J.astype(dtype), e), {"weights": w}


def normal(rng, dtype):
    J, e = rng.standard_normal((900, 7, 6)), rng.standard_normal((900, 7))
    return "normal_equations", (J.astype(dtype), e), {"weights": rng.random((900, 7))}


def products(rng, dtype):
    return "jvp", (rng.standard_normal((40, 300, 11)).astype(dtype), rng.standard_normal(11)), {}


def one_point(rng, dtype):
    B = rng.standard_normal((333, 333)).astype(dtype)
    return "quadratic_form", (B, rng.standard_normal(333)), {"gradient": True}


def many_points(rng, dtype):
    B = rng.standard_normal((150, 150)).astype(dtype)
    return "quadratic_form", (B, rng.standard_normal((37, 150))), {"gradient": True}


def sparse_points(rng, dtype):
    scipy = pytest.importorskip("scipy.sparse")
    B = scipy.random_array((200, 200), density=0.05, rng=rng, format="csr").astype(dtype)
    return "quadratic_form", (B, rng.standard_normal((20, 200))), {"gradient": True}


def sweep(rng, dtype):
    A = np.asfortranarray(rng.standard_normal((5000, 14)).astype(dtype))
    arrays = (A, np.zeros((14, 2)), rng.standard_normal((5000, 2)))
    return "coordinate_sweep", arrays, {"l1": 20.0, "sweeps": 3, "intercept": np.zeros(2)}


def sparse_sweep(rng, dtype):
    scipy = pytest.importorskip("scipy.sparse")
    A = scipy.random_array((3000, 60), density=0.05, rng=rng, format="csc").astype(dtype)
    arrays = (A, np.zeros((60, 11)), rng.standard_normal((3000, 11)))
    return "coordinate_sweep", arrays, {"l1": 1.0, "sweeps": 3, "intercept": np.zeros(11)}


CASES = (adjoint, normal, products, one_point, many_points, sparse_points, sweep, sparse_sweep)


def run(module, case, dtype, read_as, threads):
    """All that a call returns and writes, as a list of arrays."""
    name, arrays, options = case(np.random.default_rng(8), dtype)
    arrays = [a.astype(read_as) if a.dtype == dtype else a for a in arrays]
    done = getattr(module, name)(*arrays, threads=threads, **options)
    written = [*arrays[1:], options["intercept"]] if "intercept" in options else []
    parts = done if isinstance(done, tuple) else [done]
    return [np.asarray(part, float) for part in (*parts, *written) if part is not None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_kernel_is_its_specification(kernel, case):
    got = run(kernels, case, kernel.dtype, kernel.dtype, kernel.threads)
    one = run(kernels, case, kernel.dtype, kernel.dtype, 1)
    want = run(reference, case, kernel.dtype, np.float64, None)
    for ours, first, theirs in zip(got, one, want, strict=True):
        np.testing.assert_array_equal(ours, first)
        size = np.abs(theirs).max(initial=1e-300)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDING * size)


def test_fits_and_losses_have_the_same_bits_for_any_number_of_threads(kernel):
    x = np.linspace(0, 5, 9000).astype(kernel.dtype)
    y = (2 * np.exp(-x / 1.5) + 0.01 * np.sin(99 * x)).astype(kernel.dtype)
    stack = y[:40] * np.linspace(1, 2, 500)[:, None]

    def model(x, a, tau):
        return a * np.exp(-x / tau)

    def found(threads):
        one = tw.fit(model, x, y, p0=[1, 1], dtype=kernel.dtype, threads=threads)
        many = tw.fit(model, x[:40], stack, p0=[1, 1], dtype=kernel.dtype, threads=threads)
        loss = tw.MSELoss(model, x, y, threads=threads)
        theta = [1.5, 2.0]
        parts = (loss.value(theta), loss.gradient(theta), loss.gauss_newton(theta))
        return [one.params, one.cov, many.params, many.cov, many.chi2, *parts]

    for ours, first in zip(found(kernel.threads), found(1), strict=True):
        np.testing.assert_array_equal(ours, first)
