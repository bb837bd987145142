"""Matrices and points for the tests of the quadratic form."""

import numpy as np
import scipy.sparse as sp
from byte_order import named
from hypothesis import strategies as st

from thalweg.kernels import Symmetric

EPS = np.finfo(float).eps


SIZES = st.one_of(st.integers(0, 20), st.sampled_from([31, 32, 33, 63, 64, 65, 71, 130]))


LARGE = 1111  # rows: several parts, bands and segments, and a remainder of each


def rounding(B, x):
    """Return how far two sums for x'Bx may be apart, and for a row of Bx.

    A sum of n products is off by at most n eps of the sum of their sizes, whatever its order
    (Higham, "Accuracy and Stability", section 3.1); there are two such sums, each over P.
    """
    size = np.abs(x) @ np.abs(B)
    steps = 2 * (B.shape[0] + 4) * EPS
    return steps * (size * np.abs(x)).sum(-1), 2 * steps * size


def matrix(P, seed, dtype=np.float64):
    """Return a symmetric indefinite matrix whose elements differ widely in size."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((P, P)) * 10.0 ** rng.integers(-3, 4, (P, P))
    return (np.tril(A) + np.tril(A, -1).T).astype(dtype)


def half(B, triangle):
    """Return B with NaN in all places outside a triangle."""
    keep = (np.tril if triangle == "lower" else np.triu)(np.ones(B.shape, bool))
    return np.where(keep, B, np.array(np.nan, B.dtype))


def strided(B):
    """Return B inside a larger array: rows are further apart than they are long."""
    wide = np.full((len(B), len(B) + 3), np.nan, B.dtype)
    wide[:, : len(B)] = B
    return wide[:, : len(B)]


def sparse(B, index):
    """Return B in compressed sparse rows with indices of some type."""
    B = sp.csr_array(B)
    B.indices, B.indptr = B.indices.astype(index), B.indptr.astype(index)
    return B


# Every form in which the same matrix may be given.
WAYS = {
    "full": lambda B: (B, {}),
    "columns": lambda B: (np.asfortranarray(B), {}),
    "strided": lambda B: (strided(B), {}),
    "every other": lambda B: (np.repeat(np.repeat(B, 2, 0), 2, 1)[::2, ::2], {}),
    "reversed": lambda B: (B[::-1].copy()[::-1], {}),
    "read-only": lambda B: (np.frombuffer(B.tobytes(), B.dtype).reshape(B.shape), {}),
    "byte order named": lambda B: (named(B), {}),
    "swapped bytes": lambda B: (B.astype(B.dtype.newbyteorder()), {}),
    "checked": lambda B: (Symmetric(B), {}),
    "lower": lambda B: (half(B, "lower"), {"triangle": "lower"}),
    "upper": lambda B: (half(B, "upper"), {"triangle": "upper"}),
    "lower, columns": lambda B: (np.asfortranarray(half(B, "lower")), {"triangle": "lower"}),
    "upper, columns": lambda B: (np.asfortranarray(half(B, "upper")), {"triangle": "upper"}),
    "packed": lambda B: (B[np.tril_indices(len(B))], {}),
    "packed upper": lambda B: (B[np.triu_indices(len(B))], {"triangle": "upper"}),
    "symmetrised": lambda B: (2 * np.tril(B, -1) + np.diag(np.diag(B)), {"symmetrise": True}),
    "sparse": lambda B: (sparse(B, np.int32), {}),
    "sparse, long": lambda B: (sparse(B, np.int64), {}),
    "sparse lower": lambda B: (sparse(half(B, "lower"), np.int32), {"triangle": "lower"}),
    "sparse upper": lambda B: (sparse(half(B, "upper"), np.int64), {"triangle": "upper"}),
    "sparse columns": lambda B: (sp.csc_array(B), {}),
}


def points(P, M, seed, star):
    """Return theta and theta*, of (P,) when M is None."""
    rng = np.random.default_rng(seed)
    shape = (P,) if M is None else (M, P)
    theta = rng.standard_normal(shape)
    return theta, {"none": None, "shared": rng.standard_normal(P), "own": theta + 1}[star]
