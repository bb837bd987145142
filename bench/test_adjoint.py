"""Sums over Jacobians beyond the caches, against NumPy and against what memory can bring."""

from functools import partial

import numpy as np
import pytest
from machine import processors, reader
from timing import interleaved, ratio

from thalweg import kernels

ELEMENTS = 2**25  # 256 MiB of J
ROUNDS = 9
WIDTHS = (4, 5, 8, 16, 64, 1000)
ROWS = (1, 16, 100)


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(0).standard_normal(ELEMENTS)


def jacobian(numbers, Nx, P):
    """Return J (K, Nx, P) and e (K, Nx)."""
    K = ELEMENTS // (Nx * P)
    return numbers[: K * Nx * P].reshape(K, Nx, P), numbers[: K * Nx].reshape(K, Nx).copy()


def by_blas(J, e):
    return J.reshape(-1, J.shape[2]).T @ e.ravel()


def by_einsum(J, e):
    return np.einsum("kip,ki->p", J, e)


def assert_sum(J, e, d):
    np.testing.assert_allclose(d, by_blas(J, e), rtol=0, atol=1e-12 * J.size**0.5)


@pytest.mark.parametrize("Nx", ROWS)
@pytest.mark.parametrize("P", WIDTHS)
@pytest.mark.parametrize("threads", (1, 2))
def test_share_of_bandwidth(numbers, threads, P, Nx, record):
    if threads > processors():
        pytest.skip("needs two processors")
    J, e = jacobian(numbers, Nx, P)
    ours = partial(kernels.adjoint_sum, J, e, threads=threads)
    assert_sum(J, e, ours())
    best = interleaved((ours, reader(numbers, threads)), ROUNDS).min(0)
    share = (J.nbytes + e.nbytes) / best[0] / (numbers.nbytes / best[1])
    name = f"adjoint_sum P={P} Nx={Nx}, {threads} threads, of the bandwidth of reading"
    record(name, 100 * share, "%", at_least=90)


@pytest.mark.parametrize("Nx", ROWS)
@pytest.mark.parametrize("P", WIDTHS)
def test_against_numpy(numbers, P, Nx, record):
    J, e = jacobian(numbers, Nx, P)
    ours = partial(kernels.adjoint_sum, J, e)
    assert_sum(J, e, ours())
    over_blas = ratio(ours, partial(by_blas, J, e), ROUNDS)
    over_einsum = ratio(ours, partial(by_einsum, J, e), 3)
    case = f"adjoint_sum P={P} Nx={Nx} over"
    record(f"{case} J.T @ e", over_blas, "times", at_least=1.3 if P <= 5 else 1.0)
    record(f"{case} einsum", over_einsum, "times", at_least=2.5 if P <= 8 else 1.3)


def both_products(J, e):
    return J.T @ J, J.T @ e


@pytest.mark.parametrize("P", (2, 4, 5, 8, 12, 16))
def test_normal_equations(numbers, P, record):
    J, e = (a[0] for a in jacobian(numbers, ELEMENTS // P, P))
    ours = partial(kernels.normal_equations, J, e)
    for got, want in zip(ours(), both_products(J, e), strict=False):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11 * J.size**0.5)
    r = ratio(ours, partial(both_products, J, e), 5)
    record(f"normal_equations P={P} over J.T @ J and J.T @ e", r, "times", at_least=3)


def products_per_problem(J, e):
    Jt = J.swapaxes(1, 2)
    return np.matmul(Jt, J), np.matmul(Jt, e[:, :, None])[:, :, 0], (e * e).sum(axis=1)


@pytest.mark.parametrize("count", (2_000, 50_000))  # 2 MB and 60 MB
def test_normal_equations_per_problem(numbers, count, record):
    J, e = (a[:count] for a in jacobian(numbers, 25, 5))
    ours = partial(kernels.normal_equations, J, e, per_problem=True)
    for got, want in zip(ours(), products_per_problem(J, e), strict=False):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)
    r = ratio(ours, partial(products_per_problem, J, e), 5 if count > 10_000 else 50)
    name = f"normal_equations of {count} problems, N=25, P=5, over matmul"
    record(name, r, "times", at_least=10)


@pytest.mark.parametrize("elements", (10**5, 3 * 10**6))  # in the caches, and beyond them
@pytest.mark.parametrize(
    ("Nx", "P"), [(1, 1), (10, 1), (100, 1), (1, 4), (2, 2), (4, 3), (3, 8), (25, 5), (5, 20)]
)
def test_small_blocks(numbers, Nx, P, elements, record):
    """One sum for each block; the processor's memory is the limit of the larger size."""
    K = elements // (Nx * P)
    J, e = (a[:K] for a in jacobian(numbers, Nx, P))
    ours, theirs = partial(kernels.vjp, J, e), partial(np.einsum, "kip,ki->kp", J, e)
    np.testing.assert_allclose(ours(), theirs(), rtol=0, atol=1e-11)
    best = interleaved((ours, theirs), 25).min(0)
    name = f"vjp of {elements} elements in blocks {Nx} x {P}, over einsum"
    record(name, best[1] / best[0], "times", at_least=1.5)


def test_small_call(benchmark, record):
    """What a call costs that has next to nothing to do."""
    J, e = np.ones((2, 3, 4)), np.ones((2, 3))
    assert (kernels.adjoint_sum(J, e) == 6).all()
    benchmark.pedantic(kernels.adjoint_sum, (J, e), rounds=ROUNDS, iterations=1000)
    record("adjoint_sum of 24 elements", 1e6 * benchmark.stats.stats.min, "us", at_most=10)
