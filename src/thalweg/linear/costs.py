"""What sweeps, passes and Gram matrices cost: seconds of one core of the machine of development.

Only ratios of these costs are used, so another machine changes little.  Costs measured on a Zen 3
with AVX2, where a Gram matrix costs 2.5 times as much beside a sweep, gave slower choices there: a
first Gram matrix of few columns is worth more than it costs, as later sweeps begin nearer.
"""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

# Seconds, measured on one core, for
_PRODUCT, _ROUGH_PRODUCT = 1 / 65e9, 1 / 125e9  # a_ij a_ik in a Gram matrix, float64 and float32
_SPARSE_PRODUCT = 0.7e-9  # a stored value in the product of two sparse columns
_SWEEP, _SPARSE_SWEEP = 0.36e-9, 1.2e-9  # a stored element of A in a sweep
_COLUMN = 30e-9  # a column in a sweep, besides its elements
_PASS, _SPARSE_PASS = 0.3e-9, 0.6e-9  # a stored element of A in a product with the residual
_ELEMENT = 2e-9  # writing and mirroring an element of a Gram matrix
_FACTOR = 1 / 60e9  # factoring a matrix of size m, over m³
_GRAM_SWEEP = 0.3e-9  # an element of a Gram matrix in a sweep on it
_COPIED = 60  # copying an element of A before it is multiplied costs as much as so many products
_GRAM_SWEEPS = 20  # sweeps that a solution on a Gram matrix usually takes

TRIAL = 8.0  # a Gram matrix that costs less than so many sweeps is made without trying sweeps


class Costs:
    """The costs of a matrix A with n rows, whose columns store ``filled`` elements on average."""

    def __init__(self, n: int, filled: float, is_sparse: bool) -> None:
        self.n, self.filled, self.is_sparse = n, filled, is_sparse

    def gram(self, known: int, size: int, rough: bool = False) -> float:
        """Return the cost of the Gram matrix of ``size`` columns, ``known`` of them made before."""
        pairs = float(size) ** 2 - float(known) ** 2
        if self.is_sparse:
            return pairs / 2 * self.filled * _SPARSE_PRODUCT + pairs * _ELEMENT
        products = self.n * (pairs + _COPIED * (size - known))
        return products * (_ROUGH_PRODUCT if rough else _PRODUCT) + pairs * _ELEMENT

    def steps(self, size: int) -> float:
        """Return the cost of the usual Newton steps and sweeps on a Gram matrix of that size."""
        return float(size) ** 3 * _FACTOR + _GRAM_SWEEPS * float(size) ** 2 * _GRAM_SWEEP

    def sweep(self, size: int) -> float:
        """Return the cost of a sweep over ``size`` columns."""
        return size * (self.filled * (_SPARSE_SWEEP if self.is_sparse else _SWEEP) + _COLUMN)

    def products(self, size: int) -> float:
        """Return the cost of the products of ``size`` columns with the residual."""
        return size * self.filled * (_SPARSE_PASS if self.is_sparse else _PASS)

    def prefers_gram(
        self, known: int, size: int, coming: int, candidates: int, rough: bool
    ) -> bool:
        """Whether to make a Gram matrix of ``size`` columns without trying sweeps first.

        ``coming`` is the size with all present violators.  It counts because a matrix that grows
        step by step looks cheap at every step.
        """
        step, whole = self.gram(known, size, rough), self.gram(known, coming, rough)
        return (
            whole < TRIAL * self.sweep(coming)
            or step < 3 * self.sweep(size)
            or step < self.products(candidates)
        )


def costs_of(matrix: Any) -> Costs:
    """Return the costs of A, a dense array or sparse columns."""
    n, P = matrix.shape
    if isinstance(matrix, np.ndarray):
        return Costs(n, float(n), False)
    return Costs(n, len(matrix.values) / max(P, 1), True)


def sweeps_to(gap: float, target: float, rate: float) -> float:
    """Return how many sweeps bring the gap to the target, if each multiplies it by ``rate``."""
    if gap <= target:
        return 0.0
    return log(target / gap) / log(min(max(rate, 1e-3), 0.9999)) if target > 0 else float("inf")
