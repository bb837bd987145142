"""Interrupt one long call of a kernel with a real SIGINT, and print how long that took.

Run as a program that reads names of cases, a line each, and answers each with a line: the seconds,
or what went wrong.  Large arrays are made by repeating one row or column of
memory, so that a call would take very long but needs little memory.

A case is a function to be interrupted, or a pair of such a function and a check of what it has
left, which gets the KeyboardInterrupt and is not part of the time.
"""

import os
import signal
import sys
import threading
import time

import numpy as np
from scipy import sparse

import thalweg
from thalweg import kernels
from thalweg.kernels import Symmetric, quadratic_form
from thalweg.linear import QGGMRF, icd

PROMISE = 0.2  # seconds within which a call must end
TRIES = 6  # the best of so many tries counts, since the machine may be busy


def repeated(n, P, by="rows", dtype=np.float64):
    """Return a matrix of n rows and P columns that are all the same."""
    one = np.random.default_rng(0).standard_normal(P if by == "rows" else n).astype(dtype)
    steps = (0, one.itemsize) if by == "rows" else (one.itemsize, 0)
    return np.lib.stride_tricks.as_strided(one, (n, P), steps, writeable=False)


def random_sparse(n, P, row, make=sparse.csr_array):
    """Return a sparse matrix with ``row`` elements in each row."""
    rng = np.random.default_rng(1)
    columns = np.sort(rng.permuted(np.tile(np.arange(P), (n, 1)), axis=1)[:, :row], axis=1)
    rows = sparse.csr_array(
        (rng.random(n * row), columns.ravel(), np.arange(n + 1) * row), shape=(n, P)
    )
    return make(rows)


def sums(kernel, J, **how):
    e = np.broadcast_to(1.0, J.shape[:-1])
    return lambda: kernel(J, e, **how)


def csr_sums(kernel, J, **how):
    e = np.ones(J.shape[0])
    return lambda: kernel(J, e, **how)


def form(B, M=None, **how):
    theta = np.ones((M, B.shape[0]) if M else B.shape[0])
    return lambda: quadratic_form(B, theta, **how)


def sweep(A, state=True, intercept=False, sweeps=10**6, M=None, **how):
    """A sweep, which leaves a dense problem as it was and a sparse one in agreement."""
    n, P = A.shape
    b = np.random.default_rng(2).standard_normal(n if M is None else (n, M))
    shape = P if M is None else (P, M)

    left = {}

    def call():
        theta, residual = np.zeros(shape), b.copy()
        free = np.zeros(M or 1) if intercept else None
        left.update(theta=theta, residual=residual, free=free)
        kernels.coordinate_sweep(A, theta, residual, intercept=free, sweeps=sweeps, **how)

    def look(error):
        theta, residual, free = left["theta"], left["residual"], left["free"]
        if not sparse.issparse(A):
            assert not theta.any(), "a dense sweep leaves everything as it was"
            assert (residual == b).all()
            assert free is None or not free.any()
        elif state:
            exact = b - A @ theta - (0 if free is None else free)
            assert np.abs(residual - exact).max() < 1e-8, "theta and residual do not fit"

    return call, look


def linear(A, b, **how):
    """A linear model, whose interrupt brings what has been reached."""

    def look(error):
        assert not error.result.success and error.result.theta.shape == (A.shape[1],)

    return lambda: thalweg.coordinate_descent(A, b, tol=0, **how), look


def pivoting(P, M):
    """Problems in a box, all with one row of C, whose interrupt brings those that are finished."""
    A = np.random.default_rng(4).standard_normal((P + 20, P))
    G, C = A.T @ A, np.broadcast_to(np.random.default_rng(5).standard_normal(P), (M, P))

    def look(error):
        if hasattr(error, "result"):  # else G was still being looked at
            finished = error.result.status != 0
            assert np.isfinite(error.result.theta[finished]).all(), "what is finished is there"
            assert np.isnan(error.result.theta[~finished]).all(), "and nothing else"

    return lambda: kernels.block_pivoting(G, C, bounds=(-0.01, 0.01)), look


def image(A, shape, **how):
    """A reconstruction, whose interrupt brings the image so far."""
    y = A @ np.random.default_rng(6).random(A.shape[1])

    def look(error):
        if hasattr(error, "result"):  # else A was still being looked at
            result = error.result
            assert not result.success and result.x.shape == shape
            assert result.history.largest_rise < 1e-12

    return lambda: icd(A, y, shape=shape, max_iter=10**6, tol=0, **how), look


def reading(y, **how):
    """A fit whose data have to be converted or turned before, and are interrupted meanwhile."""
    t, p0 = np.linspace(0, 4, 25), {"a": 1, "tau": 1}
    return lambda: thalweg.fit("a*exp(-t/tau)", t, y, p0=p0, independent="t", **how)


SEVENS = np.broadcast_to(np.float64(7), (2 * 10**7, 25))
BLOCKS = np.broadcast_to(repeated(1000, 64), (200_000, 1000, 64))
ALL_ROWS = 2 * 10**8  # rows of 1000 columns
ONES = np.lib.stride_tricks.as_strided(
    np.ones(400_000), (400_000, 400_000), (0, 8), writeable=False
)
WIDE = np.random.default_rng(4).standard_normal((6000, 5000))
WELL = np.random.default_rng(3).standard_normal((3000, 1500))
CASES = {
    "adjoint_sum": lambda: sums(kernels.adjoint_sum, repeated(ALL_ROWS, 1000)),
    "adjoint_sum by columns": lambda: sums(kernels.adjoint_sum, repeated(10**7, 10**5, "columns")),
    "adjoint_sum sparse": lambda: csr_sums(
        kernels.adjoint_sum, sparse.csr_array(
            (repeated(1, 1)[0].repeat(4 * 10**7), np.zeros(4 * 10**7, np.int32),
             np.arange(0, 4 * 10**7 + 1, 4, dtype=np.int32)), shape=(10**7, 3)), scale=2.0,
    ),
    "vjp": lambda: sums(kernels.vjp, BLOCKS),
    "vjp small": lambda: sums(kernels.vjp, np.broadcast_to(repeated(1000, 3), (10**7, 1000, 3))),
    "jvp": lambda: lambda: kernels.jvp(repeated(3 * 10**7, 1000), np.ones(1000)),
    "normal_equations": lambda: sums(
        kernels.normal_equations, repeated(10**7, 1500, dtype=np.float32)
    ),
    "normal_equations narrow": lambda: sums(kernels.normal_equations, repeated(10**10, 4)),
    "normal_equations per problem": lambda: sums(
        kernels.normal_equations, BLOCKS[:2000], per_problem=True
    ),
    "normal_equations sparse": lambda: csr_sums(
        kernels.normal_equations, random_sparse(2000, 3000, 2500)
    ),
    "quadratic_form": lambda: form(repeated(400_000, 400_000)),
    "quadratic_form gradient": lambda: form(repeated(400_000, 400_000), gradient=True),
    "quadratic_form triangle": lambda: form(repeated(400_000, 400_000), triangle="lower"),
    "quadratic_form many": lambda: form(repeated(3000, 3000), M=20_000),
    "quadratic_form many gradient": lambda: form(repeated(3000, 3000), M=20_000, gradient=True),
    "quadratic_form sparse": lambda: form(random_sparse(3000, 3000, 1500), M=10_000),
    "quadratic_form sparse triangle": lambda: form(
        random_sparse(3000, 3000, 1500), M=20_000, triangle="lower", gradient=True
    ),
    "block_pivoting": lambda: pivoting(5, 4 * 10**6),
    "block_pivoting large": lambda: pivoting(900, 64),
    "block_pivoting of half floats": lambda: lambda: kernels.block_pivoting(
        np.eye(5), np.broadcast_to(np.float16([1, -1, 1, 1, 1]), (10**8, 5))
    ),
    "fit of integers": lambda: reading(np.broadcast_to(np.int16(7), SEVENS.shape)),
    "fit along the first axis": lambda: reading(SEVENS.T, axis=0),
    "fit with a mask": lambda: reading(SEVENS, mask=np.broadcast_to(np.int8(1), SEVENS.shape)),
    "fit of masked values": lambda: reading(
        np.ma.masked_array(SEVENS, np.broadcast_to(np.arange(25) == 3, SEVENS.shape), copy=False)
    ),
    "Symmetric": lambda: lambda: Symmetric(ONES),
    "sweep": lambda: sweep(repeated(10**6, 10**5, "columns")),
    "sweep one long column": lambda: sweep(repeated(10**7, 40, "columns")),
    "sweep centered": lambda: sweep(repeated(10**6, 10**5, "columns"), intercept=True),
    "sweep by rows, many": lambda: sweep(repeated(10**5, 3000), M=20),
    "sweep random order": lambda: sweep(WELL, order="random", relaxation=0.5),
    "sweep gram": lambda: sweep(WELL, gram=True, intercept=True),
    "sweep greedy": lambda: sweep(WELL, order="greedy"),
    "sweep sparse": lambda: sweep(random_sparse(20_000, 500, 50, sparse.csc_array)),
    "sweep sparse centered": lambda: sweep(
        random_sparse(20_000, 500, 50, sparse.csc_array), intercept=True, l1=1e-3, M=20
    ),
    "sweep sparse greedy": lambda: sweep(
        random_sparse(20_000, 2000, 200, sparse.csc_array), order="greedy", sweeps=1000
    ),
    "linear passes": lambda: linear(repeated(10**6, 10**5, "columns"), np.arange(1e6), l1=1.0),
    "linear gram": lambda: linear(WIDE, np.arange(6000.0), l2=1.0, strategy="gram"),
    "linear residual": lambda: linear(WELL, np.arange(3000.0), strategy="residual"),
    "icd": lambda: image(random_sparse(20_000, 2000, 200, sparse.csc_array), (40, 50),
                         prior=QGGMRF(0.1)),
    "icd empty columns": lambda: image(sparse.csc_array((1, 3 * 10**6)), (150, 200, 100),
                                       prior=QGGMRF(0.1), start=np.random.default_rng(7).random(
                                           (150, 200, 100))),
}  # fmt: skip


def interrupt_once(call, look):
    """Return how many seconds after the signal the call has ended, and look at what it left.

    Where the machine is fast enough to end it before the signal, the signal meets the next one.
    """
    sent = []

    def send():
        time.sleep(0.4)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Thread(target=send)
    timer.start()
    try:
        while True:
            call()
    except KeyboardInterrupt as error:
        late = time.perf_counter() - sent[0]
        look(error)
        return late
    finally:
        timer.join()


def seconds_of(case):
    """Return the least time that it took to interrupt a case."""
    case = CASES[case]()
    call, look = case if isinstance(case, tuple) else (case, lambda error: None)
    delays = []
    while len(delays) < TRIES and min(delays, default=1) > PROMISE:
        delays.append(interrupt_once(call, look))
    return min(delays)


def main():
    for line in sys.stdin:
        try:
            answer = seconds_of(line.strip())
        except Exception as error:
            answer = repr(error)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
