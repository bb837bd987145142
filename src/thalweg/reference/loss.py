"""The specification of sums over samples (csrc/loss/contract.h): nodes of a graph, added up.

Each output of a graph is one term, of which every sample has a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Any

import numpy as np

from ..model.graph import Graph, evaluate

Array = np.ndarray[Any, np.dtype[np.float64]]


def values(
    graph: Graph, outputs: Sequence[int], x: Sequence[Array], theta: Sequence[float]
) -> Array:
    """Return every term of every sample, shape (K, n_terms); x holds one array (K,) per input."""
    terms = evaluate(graph, outputs, x, theta)
    return np.stack([np.broadcast_to(t, len(x[0])) for t in terms], axis=1).astype(float)


def sums(graph: Graph, outputs: Sequence[int], x: Sequence[Array], theta: Sequence[float]) -> Array:
    """Return the sum over the samples of each term, shape (n_terms,)."""
    return np.array([fsum(term) for term in values(graph, outputs, x, theta).T])


def normal(
    graph: Graph, outputs: Sequence[int], x: Sequence[Array], theta: Sequence[float], n_rows: int
) -> Array:
    """Return sum_k C_k' C_k, shape (m, m); the terms are the rows of C_k, shape (n_rows, m)."""
    C = values(graph, outputs, x, theta)
    C = C.reshape(len(C) * n_rows, -1)
    return C.T @ C
