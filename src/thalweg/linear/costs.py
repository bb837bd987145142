"""What the strategies cost, in seconds of one core of a usual machine: only their ratios matter."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

_PRODUCT, _ROUGH_PRODUCT = 1 / 65e9, 1 / 125e9  # a product of two elements in a Gram matrix
_COPIED = 60  # products that the copy of an element costs
_SPARSE_PRODUCT = 0.7e-9  # a stored value in a product of two sparse columns
_SWEEP, _SPARSE_SWEEP = 0.36e-9, 1.2e-9  # an element in a sweep
_COLUMN = 30e-9  # of a sweep, whatever its length
_PASS, _SPARSE_PASS = 0.3e-9, 0.6e-9  # an element in a product with the residual
_ELEMENT = 2e-9  # of a Gram matrix that is written, mirrored and factored
_FACTOR = 1 / 60e9  # of the factor of a Newton step, per cube of its size
_GRAM_SWEEP, _GRAM_SWEEPS = 0.3e-9, 20  # an element of a sweep on a Gram matrix; how many are usual

TRIAL = 8.0  # a Gram matrix that costs fewer sweeps is made without trying sweeps


class Costs:
    """Costs of a matrix with n rows, of which a column stores ``filled`` elements."""

    def __init__(self, n: int, filled: float, is_sparse: bool) -> None:
        self.n, self.filled, self.is_sparse = n, filled, is_sparse

    def gram(self, known: int, size: int, rough: bool = False) -> float:
        """Of making the Gram matrix of ``size`` columns, of which some are known."""
        pairs = float(size) ** 2 - float(known) ** 2
        if self.is_sparse:
            return pairs / 2 * self.filled * _SPARSE_PRODUCT + pairs * _ELEMENT
        products = self.n * (pairs + _COPIED * (size - known))
        return products * (_ROUGH_PRODUCT if rough else _PRODUCT) + pairs * _ELEMENT

    def steps(self, size: int) -> float:
        """Of the Newton steps on the Gram matrix of so many columns, of which some are usual."""
        return float(size) ** 3 * _FACTOR + _GRAM_SWEEPS * float(size) ** 2 * _GRAM_SWEEP

    def sweep(self, size: int) -> float:
        """Of a sweep over ``size`` columns."""
        return size * (self.filled * (_SPARSE_SWEEP if self.is_sparse else _SWEEP) + _COLUMN)

    def products(self, size: int) -> float:
        """Of a pass over ``size`` columns."""
        return size * self.filled * (_SPARSE_PASS if self.is_sparse else _PASS)

    def prefers_gram(
        self, known: int, size: int, coming: int, candidates: int, rough: bool
    ) -> bool:
        """Whether to make a Gram matrix of ``size`` columns without trying sweeps first.

        ``coming`` are the columns of all that violate their conditions now: growing by steps, each
        step alone looks cheap.
        """
        step, whole = self.gram(known, size, rough), self.gram(known, coming, rough)
        return (
            whole < TRIAL * self.sweep(coming)
            or step < 3 * self.sweep(size)
            or step < self.products(candidates)
        )


def costs_of(matrix: Any) -> Costs:
    """Return the costs of A, dense or by sparse columns."""
    n, P = matrix.shape
    if isinstance(matrix, np.ndarray):
        return Costs(n, float(n), False)
    return Costs(n, len(matrix.values) / max(P, 1), True)


def sweeps_to(gap: float, target: float, rate: float) -> float:
    """Return how many more sweeps bring the gap to the target, if each leaves ``rate`` of it."""
    if gap <= target:
        return 0.0
    return log(target / gap) / log(min(max(rate, 1e-3), 0.9999)) if target > 0 else float("inf")
