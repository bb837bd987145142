"""The quadratic loss against NumPy's theta @ B @ theta and ((T @ B) * T).sum(1).

A plain B is any square matrix, all of which is read; `Symmetric` and ``triangle="lower"`` read one
triangle.  One thread of ours runs against BLAS as it comes and held to one.
"""

from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
from timing import interleaved, ratio

from thalweg.kernels import Symmetric, line_minimum, quadratic_form

SMALL_CALLS = 200  # in one measurement of what takes a microsecond
BEYOND_CACHE = 6000  # rows: 288 MB
MANY = 256
EPS = np.finfo(float).eps


def problem(P, M=None):
    """Return a symmetric B and one theta, or M."""
    rng = np.random.default_rng(P)
    B = rng.standard_normal((P, P))
    return B + B.T, rng.standard_normal(P if M is None else (M, P))


def assert_equal(ours, theirs, B, theta):
    """Both are sums of P^2 products, right to P eps of the sum of their sizes."""
    scale = (np.abs(theta) @ np.abs(B) * np.abs(theta)).sum(-1)
    assert (np.abs(ours - theirs) <= 4 * len(B) * EPS * scale).all()


def repeated(call, times):
    """Return a call that does another one several times."""

    def several():
        for _ in range(times):
            call()

    return several


def blas(threads):
    """Return a context that holds BLAS to some threads, or leaves it as it is."""
    if threads is None:
        return nullcontext()
    return pytest.importorskip("threadpoolctl").threadpool_limits(threads, "blas")


def dense_form(B, theta):
    """What people write."""
    return theta @ B @ theta


def dense_gradient(B, theta):
    """What people write for both of a symmetric matrix."""
    Bx = B @ theta
    return theta @ Bx, 2 * Bx


def general_gradient(B, theta):
    """What people write for both of any matrix."""
    Bx = B @ theta
    return theta @ Bx, Bx + theta @ B


def many_forms(B, T):
    """What people write for many points."""
    return ((T @ B) * T).sum(1)


@pytest.mark.parametrize("P", [4, 5, 8, 16, 32, 64, 100, 128, 256, 300, 512, 700, 1000, 2000])
def test_any_square_matrix(P, record):
    """One theta, B not symmetric, one thread each: the value, and value and gradient together."""
    rng = np.random.default_rng(P)
    B, theta = rng.standard_normal((P, P)), rng.standard_normal(P)
    assert_equal(quadratic_form(B, theta), dense_form(B, theta), B, theta)
    ours, theirs = quadratic_form(B, theta, gradient=True), general_gradient(B, theta)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=0, atol=1e-12 * P)
    calls = max(1, SMALL_CALLS * 4096 // (P * P + 4096))
    value, both = (partial(quadratic_form, B, theta, gradient=g, threads=1) for g in (False, True))
    with blas(1):
        for name, call, peer, least in (
            ("quadratic form", value, dense_form, 1.0),
            ("quadratic form and gradient", both, general_gradient, 1.6),
        ):
            best = interleaved(
                (repeated(call, calls), repeated(partial(peer, B, theta), calls)), 25
            ).min(0)
            label = f"{name}, any matrix, P = {P}, over NumPy"
            record(label, best[1] / best[0], "times", at_least=least)


@pytest.mark.parametrize("P", [4, 8, 16, 64, 100, 300, 1000])
def test_in_cache(P, record):
    """One theta, one thread each."""
    B, theta = problem(P)
    once = Symmetric(B)
    assert_equal(quadratic_form(once, theta), dense_form(B, theta), B, theta)
    calls = SMALL_CALLS if P <= 100 else 5
    ours = {
        "checked once": partial(quadratic_form, once, theta, threads=1),
        "triangle named": partial(quadratic_form, B, theta, triangle="lower", threads=1),
        "plain": partial(quadratic_form, B, theta, threads=1),
    }
    with blas(1):
        for name, call in ours.items():
            theirs = partial(dense_form, B, theta)
            r = ratio(repeated(call, calls), repeated(theirs, calls), 25)
            label = f"quadratic form, P = {P}, {name}, over NumPy"
            record(label, r, "times", at_least=1)
            if P == 4:
                record(f"quadratic form, P = 4, {name}", 1e6 * r.best_a / calls, "us", at_most=2)
        both = partial(quadratic_form, once, theta, gradient=True, threads=1)
        r = ratio(repeated(both, calls), repeated(partial(dense_gradient, B, theta), calls), 25)
    label = f"quadratic form and gradient, P = {P}, checked once, over NumPy"
    record(label, r, "times", at_least=1)


@pytest.mark.parametrize("threads", [None, 1], ids=["BLAS as it comes", "BLAS with one thread"])
def test_beyond_cache(threads, record, request):
    """One theta, B read from memory; one thread of ours."""
    B, theta = problem(BEYOND_CACHE)
    label = f"P = {BEYOND_CACHE}, {request.node.callspec.id}"
    once = Symmetric(B)
    assert_equal(quadratic_form(once, theta), dense_form(B, theta), B, theta)
    with blas(threads):
        r = ratio(partial(quadratic_form, once, theta, threads=1), partial(dense_form, B, theta), 9)
        record(f"quadratic form, {label}: over NumPy", r, "times", at_least=1.6)
        plain = partial(quadratic_form, B, theta, threads=1)
        record(
            f"quadratic form, {label}, plain: over NumPy",
            ratio(plain, partial(dense_form, B, theta), 5),
            "times",
        )
        r = ratio(
            partial(quadratic_form, once, theta, gradient=True, threads=1),
            partial(dense_gradient, B, theta),
            5,
        )
        record(f"quadratic form and gradient, {label}: over NumPy", r, "times", at_least=1.6)


def test_share_of_bandwidth(record):
    """Bytes of one triangle a second over those of a plain sum of as much memory."""
    B, theta = problem(BEYOND_CACHE)
    half = B[: BEYOND_CACHE // 2].ravel()
    once = Symmetric(B)
    assert quadratic_form(once, theta, threads=1) == quadratic_form(once, theta)
    times = interleaved((partial(quadratic_form, once, theta, threads=1), half.sum), 9).min(0)
    record("quadratic form: bandwidth over that of a sum", times[1] / times[0], "times")


@pytest.mark.parametrize("P", [100, 300, 1000, 2000])
def test_many(P, record):
    """256 thetas at once, one thread each; a plain B."""
    B, T = problem(P, MANY)
    assert_equal(quadratic_form(B, T), many_forms(B, T), B, T)
    with blas(1):
        r = ratio(partial(quadratic_form, B, T, threads=1), partial(many_forms, B, T), 7)
    label = f"quadratic form, {MANY} thetas, P = {P}, over NumPy"
    record(label, r, "times", at_least=1.5)


def test_line_minimum(record):
    """One pass over half of B against two products."""
    B, theta = problem(2000)
    B = B @ B
    B = (B + B.T) / 2
    d = -2 * B @ theta

    def theirs():
        return -(2 * B @ theta) @ d / (2 * d @ B @ d)

    once = Symmetric(B)
    assert abs(line_minimum(once, theta, d) / theirs() - 1) < 1e-9
    with blas(1):
        r = ratio(partial(line_minimum, once, theta, d, threads=1), theirs, 9)
    record("line minimum, P = 2000, over NumPy", r, "times", at_least=1.6)
