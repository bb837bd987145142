r"""Preconditioners: a symmetric positive definite M near the Hessian, known by v -> M^-1 v.

A method of the gradient family goes along -M^-1 gradient instead of -gradient.  This is descent in
the coordinates M^(1/2) theta, where the Hessian is M^(-1/2) H M^(-1/2), and the closer M is to H
the rounder are the level lines there.

    Diagonal            M = |diag H|: parameters get their own units
    Block               M = the blocks of H on its diagonal: groups of parameters
    IncompleteCholesky  M = L L', L as sparse as the lower triangle of H
    Given               the user's M, or the user's function v -> M^-1 v

The incomplete factorisation is that of Meijerink and van der Vorst, Math. Comp. 31 (1977) 148;
where a pivot is not positive the diagonal is raised and it starts again (Manteuffel, Math. Comp. 34
(1980) 473).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._arguments.check import Array, count, numbers
from .._arguments.spelling import spelled
from .._showing import settings
from ..losses.base import Loss
from ..losses.curvature import Solve, curvature_matrix

_RAISES = 12  # how often the diagonal is raised, tenfold each, before a factorisation gives up


class Preconditioner(ABC):
    """A choice of M, from which `build` makes v -> M^-1 v for a loss at a point.

    Attributes
    ----------
    diagonal : bool
        Whether M is a diagonal matrix, so that bounds stay bounds in its coordinates.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> solve = tw.Diagonal().build(loss, np.zeros(2))
    >>> solve(np.array([20.0, 2.0]))
    array([1., 1.])
    """

    diagonal: ClassVar[bool] = False

    def __repr__(self) -> str:
        return settings(self)

    @abstractmethod
    def build(self, loss: Loss, theta: Array) -> Solve:
        """Return the function v, shape (P,), to M^-1 v."""


@spelled
@dataclass(frozen=True, repr=False)
class Diagonal(Preconditioner):
    """M = |diag H|, with 1 for parameters along which the loss does not curve.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.ConjugateGradient(preconditioner=tw.Diagonal())).success
    True
    """

    diagonal: ClassVar[bool] = True

    def build(self, loss: Loss, theta: Array) -> Solve:
        if loss.has_hessian:
            h = np.abs(loss.hessian_diagonal(theta))
        else:
            h = np.diagonal(loss.gauss_newton(theta)).copy()
        return _scaling(np.where(h > 0, h, 1.0))


@spelled
@dataclass(frozen=True, repr=False)
class Block(Preconditioner):
    """M = the blocks of H on its diagonal.

    Parameters
    ----------
    blocks : int or sequence of sequences of int
        The size of consecutive blocks, or the parameters of each block; parameters in no block are
        scaled by 1.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> tw.minimize(loss, [1.0, 1.0], tw.ConjugateGradient(preconditioner=tw.Block(2))).success
    True
    """

    blocks: int | Sequence[Sequence[int]]

    def build(self, loss: Loss, theta: Array) -> Solve:
        P, H = loss.n_params, curvature_matrix(loss, theta)
        groups = [(g, np.linalg.inv(_definite(H[np.ix_(g, g)]))) for g in self.groups(P)]

        def solve(v: Array) -> Array:
            result = v.copy()
            for group, inverse in groups:
                result[group] = inverse @ v[group]
            return result

        return solve

    def groups(self, n_params: int) -> list[Array]:
        """Return the parameters of each block."""
        if isinstance(self.blocks, int | np.integer):
            size = count(self.blocks, "blocks", 1, 2**31 - 1)
            return [np.arange(i, min(i + size, n_params)) for i in range(0, n_params, size)]
        groups = [np.asarray(group, np.intp) for group in self.blocks]
        seen = np.concatenate([np.zeros(0, np.intp), *groups])
        if len(np.unique(seen)) < len(seen) or not ((seen >= 0) & (seen < n_params)).all():
            raise ValueError(
                f"blocks must hold each of the parameters 0 to {n_params - 1} at most once"
            )
        return groups


@spelled
@dataclass(frozen=True, repr=False)
class IncompleteCholesky(Preconditioner):
    """M = L L' with L as sparse as the lower triangle of a sparse Hessian.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> import thalweg as tw
    >>> A = sp.diags_array([1.0, 2.0, 3.0]).tocsr()
    >>> loss = tw.LinearLeastSquares(A, [1.0, 2.0, 3.0])
    >>> method = tw.ConjugateGradient(preconditioner=tw.IncompleteCholesky())
    >>> tw.minimize(loss, [0.0, 0.0, 0.0], method).theta.round(6)
    array([1., 1., 1.])
    """

    def build(self, loss: Loss, theta: Array) -> Solve:
        H = loss.sparse_hessian(theta)
        if H is None:
            raise ValueError(
                f"incomplete Cholesky needs a sparse Hessian, and that of {loss.name} is not: "
                'use "diagonal" or Block'
            )
        from scipy.sparse.linalg import splu

        # A triangular matrix is its own LU factor: no fill, and both solves in compiled code.
        factor = splu(incomplete_cholesky(H), permc_spec="NATURAL", diag_pivot_thresh=0.0)
        return lambda v: factor.solve(factor.solve(v), "T")


@spelled
@dataclass(frozen=True, eq=False, repr=False)
class Given(Preconditioner):
    """The user's M, shape (P,) for a diagonal or (P, P), or function v -> M^-1 v.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> method = tw.ConjugateGradient(preconditioner=tw.Given([10.0, 1.0]))
    >>> tw.minimize(loss, [1.0, 1.0], method).success
    True
    """

    M: Any

    def build(self, loss: Loss, theta: Array) -> Solve:
        P = loss.n_params
        if callable(self.M):
            return _checked(self.M, loss)
        M = numbers(self.M, "preconditioner", np.float64)
        if M.shape == (P,):
            if not ((M > 0) & (M < np.inf)).all():
                raise ValueError("preconditioner must be positive and finite")
            return _scaling(M)
        if M.shape != (P, P):
            raise ValueError(
                f"preconditioner must have shape (P={P},) or (P={P}, P={P}), got {M.shape}"
            )
        if not np.allclose(M, M.T, rtol=1e-12, atol=0):
            raise ValueError("preconditioner must be symmetric")
        try:
            inverse = np.linalg.inv(np.linalg.cholesky(M))
        except np.linalg.LinAlgError:
            raise ValueError("preconditioner must be positive definite") from None
        return (inverse.T @ inverse).dot


_NAMED = {"diagonal": Diagonal(), "incomplete_cholesky": IncompleteCholesky()}


def as_preconditioner(value: Any) -> Preconditioner:
    """Return the preconditioner for a name, an array, a function or a preconditioner.

    Raises
    ------
    ValueError
        No preconditioner has this name.
    """
    if isinstance(value, Preconditioner):
        return value
    if isinstance(value, str):
        if value not in _NAMED:
            raise ValueError(f"preconditioner must be one of {', '.join(_NAMED)}, got {value!r}")
        return _NAMED[value]
    return Given(value)


def solver(value: Any, loss: Loss, theta: Array) -> Solve:
    """Return v -> M^-1 v for the setting ``preconditioner`` of a method; the identity for None."""
    return _same if value is None else as_preconditioner(value).build(loss, theta)


def keeps_bounds(value: Any) -> bool:
    """Return whether a projection on bounds is still one in the preconditioner's coordinates."""
    if value is None:
        return True
    chosen = as_preconditioner(value)
    if isinstance(chosen, Given):
        return not callable(chosen.M) and np.ndim(chosen.M) == 1
    return chosen.diagonal


def incomplete_cholesky(H: Any) -> Any:
    """Return the incomplete factor L, sparse by columns, of a sparse symmetric matrix.

    Raises
    ------
    ValueError
        The diagonal is not positive.
    """
    from scipy import sparse

    H = H.tocsc()
    d = H.diagonal()
    if not (d > 0).all():
        raise ValueError(
            "incomplete Cholesky needs a positive diagonal, and parameter "
            f"{int(np.argmin(d > 0))} has {d.min():g}"
        )
    raised = 0.0
    for _ in range(_RAISES):
        L = sparse.tril(H + raised * sparse.diags(d), format="csc")
        L.sort_indices()
        if _factorise(L):
            return L
        raised = max(1e-8, 10 * raised)
    raise ValueError(
        "incomplete Cholesky found no positive pivots; the Hessian is far from definite"
    )


def _factorise(L: Any) -> bool:
    """Turn the lower triangle into its incomplete factor, column by column; False at a bad pivot.

    Column k changes only the elements that exist already: those of column j below row j, for every
    row j of column k.
    """
    indptr, rows, values = L.indptr, L.indices, L.data
    for k in range(L.shape[0]):
        start, end = indptr[k], indptr[k + 1]
        if not values[start] > 0:
            return False
        values[start] = np.sqrt(values[start])
        below, column = rows[start + 1 : end], values[start + 1 : end]
        column /= values[start]
        for i, j in enumerate(below):
            target = rows[indptr[j] : indptr[j + 1]]
            place = np.searchsorted(target, below[i:])
            place[place == len(target)] = 0  # beyond the last row: no match
            there = target[place] == below[i:]
            values[indptr[j] + place[there]] -= column[i] * column[i:][there]
    return True


def _same(v: Array) -> Array:
    return v


def _scaling(h: Array) -> Solve:
    inverse = 1.0 / h
    return lambda v: inverse * v


def _definite(block: Array) -> Array:
    """The block with absolute eigenvalues, and 1 in place of those that are 0 to rounding."""
    values, vectors = np.linalg.eigh(block)
    size = np.abs(values)
    size = np.where(size > 1e-12 * size.max(initial=0.0), size, 1.0)
    mended: Array = (vectors * size) @ vectors.T
    return mended


def _checked(function: Callable[[Array], Any], loss: Loss) -> Solve:
    return lambda v: loss.at(function(v), "the preconditioner's result")
