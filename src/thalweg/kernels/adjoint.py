"""Sums over the user's Jacobians: adjoint accumulation, products, normal equations.

A Jacobian is K blocks J_k of Nx rows and P columns, one block for each measured vector x_k.  It is
read once, without a copy, by all threads.  How it is divided among them depends on its sizes alone,
so that every result has the same bits for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from .._arguments.arrays import (
    compressed,
    lying,
    real_array,
    refuse_not_finite,
    refuse_output,
    whole_strides,
)
from .._arguments.check import Array, left_out, thread_limit
from .._arguments.masked import is_masked_array
from .._arguments.spelling import spelled
from .._core import adjoint as _core
from .._core.failures import Adjoint, refuse


class NormalEquations(NamedTuple):
    """JᵗWJ, JᵗWε and εᵗWε: the Gauss-Newton step d solves JᵗWJ d = JᵗWε.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import normal_equations
    >>> J = np.array([[[1.0, 0.0], [1.0, 1.0]]])
    >>> n = normal_equations(J, np.array([[1.0, 2.0]]))
    >>> n.JtWJ
    array([[2., 1.],
           [1., 1.]])
    """

    JtWJ: Array  # (P, P), or (K, P, P) per problem
    JtWe: Array  # (P,), or (K, P) per problem
    etWe: Array  # (), or (K,) per problem


class _Operands(NamedTuple):
    """The checked arguments of a call: J, the shape of its blocks, and the arrays per row."""

    J: Any  # (K, Nx, P), or (indptr, indices, data, P)
    batch: tuple[int, ...]  # (K,), or () for a J without that axis
    K: int
    Nx: int
    P: int
    e: Array | None  # (K, Nx)
    weights: Array | None
    named: dict[str, Any]  # the user's arrays by name, for messages


@spelled
def adjoint_sum(
    J: Any,
    e: Any,
    weights: Any = None,
    *,
    scale: float = 1.0,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """Return d = scale · Σ_k J_kᵗ W_k ε_k, d_j = scale · Σ_k Σ_i w_ki J_kij ε_ki.

    With scale 2/K, W = 1 and J_k = ∇_θ f_θ(y_k) it is the update direction −∇L of the mean squared
    error L = (1/K) Σ_k ‖x_k − f_θ(y_k)‖².

    Parameters
    ----------
    J : array (K, Nx, P) or (Nx, P), or sparse (K·Nx, P)
        The Jacobian, float64 or float32, of any library, in the processor's memory.  It is not
        copied if its last axis is contiguous or, for blocks stored column by column, the one before
        it.  A sparse J is SciPy's CSR, or any object with ``indptr``, ``indices``, ``data`` and
        ``shape``; its row k·Nx + i is row i of block k.
    e : array (K, Nx) or (Nx,)
        The prediction errors ε, float64 or float32.  Masked ones have the weight 0.
    weights : array that broadcasts to the shape of e, optional
        The weights w, of any sign; default 1, and 0 where masked.  A row of weight 0 is left out,
        and may hold NaN and infinity.
    scale : float
        A factor of the result.
    out : array (P,) of float64, optional
        The array to write the result to; it must not overlap an input.
    threads : int, optional
        The most threads; by default the number of processors that this process may use.

    Returns
    -------
    array (P,)
        The sum d, float64 for any J: all sums are computed in float64.

    Raises
    ------
    TypeError
        An argument does not hold real numbers, or is not in the processor's memory.
    ValueError
        Shapes disagree; an input, which the message names, is NaN or infinite; or ``out`` cannot
        take the result.
    OverflowError
        The inputs are finite, but the result is not.
    KeyboardInterrupt
        Ctrl-C was pressed; ``out`` is unchanged.

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapter 3 (the reverse mode).

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg.kernels as kernels
    >>> J = np.arange(12.0).reshape(2, 3, 2)
    >>> kernels.adjoint_sum(J, np.ones((2, 3)))
    array([30., 36.])
    """
    if out is None and isfinite(scale):
        plain: Array | None = _core.sum_plain(J, e, weights, scale, False, thread_limit(threads))
        if plain is not None:
            return plain
    A = _operands(J, e, weights)
    d = _sum(A, scale, False, (A.P,), out, threads)
    if out is None:
        return d
    out[...] = d
    return out


@spelled
def vjp(J: Any, e: Any, weights: Any = None, *, threads: int | None = None) -> Array:
    """Return J_kᵗ W_k ε_k of every block, Σ_i w_ki J_kij ε_ki: backward propagation.

    Parameters
    ----------
    J, e, weights, threads
        As of `adjoint_sum`.

    Returns
    -------
    array (K, P), or (P,) for J (Nx, P)

    Raises
    ------
    TypeError, ValueError, OverflowError, KeyboardInterrupt
        As of `adjoint_sum`.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg.kernels as kernels
    >>> kernels.vjp(np.arange(12.0).reshape(2, 3, 2), np.ones((2, 3)))
    array([[ 6.,  9.],
           [24., 27.]])
    """
    plain: Array | None = _core.sum_plain(J, e, weights, 1.0, True, thread_limit(threads))
    if plain is not None:
        return plain
    A = _operands(J, e, weights)
    return _sum(A, 1.0, True, (*A.batch, A.P), None, threads)


@spelled
def jvp(J: Any, v: Any, *, threads: int | None = None) -> Array:
    """Return J_k v of every block, Σ_j J_kij v_j: forward propagation.

    Parameters
    ----------
    J, threads
        As of `adjoint_sum`.
    v : array (P,)
        The change of the parameters.

    Returns
    -------
    array (K, Nx), or (Nx,) for J (Nx, P) and (K·Nx,) for a sparse one

    Raises
    ------
    TypeError, ValueError, OverflowError, KeyboardInterrupt
        As of `adjoint_sum`.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg.kernels as kernels
    >>> kernels.jvp(np.arange(12.0).reshape(2, 3, 2), [1, 1])
    array([[ 1.,  5.,  9.],
           [13., 17., 21.]])
    """
    A = _operands(J, None, None)
    vector = real_array(v, "v")
    if vector.shape != (A.P,):
        raise ValueError(f"v must have shape (P={A.P},), got {vector.shape}")
    y = np.empty((*A.batch, A.Nx))
    core = _core.Jacobian(A.J, None, None, A.K, A.Nx, False)
    contiguous = np.ascontiguousarray(vector, dtype=np.float64)
    _refuse(core.jvp(contiguous, thread_limit(threads), y), A.named | {"v": vector}, "J v")
    return y


@spelled
def normal_equations(
    J: Any,
    e: Any,
    weights: Any = None,
    *,
    per_problem: bool = False,
    threads: int | None = None,
) -> NormalEquations:
    """Return Σ_k J_kᵗ W_k J_k, Σ_k J_kᵗ W_k ε_k and Σ_k ε_kᵗ W_k ε_k from one pass over J.

    Parameters
    ----------
    J, e, weights, threads
        As of `adjoint_sum`.
    per_problem : bool
        Whether each block is a problem of its own, so that nothing is summed over k.

    Returns
    -------
    NormalEquations
        ``JtWJ`` (P, P), exactly symmetric, ``JtWe`` (P,) and ``etWe`` (); with ``per_problem``
        (K, P, P), (K, P) and (K,).  All are float64.

    Raises
    ------
    TypeError, ValueError, OverflowError, KeyboardInterrupt
        As of `adjoint_sum`.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2nd ed., Springer 2006, section 10.3.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg.kernels as kernels
    >>> J = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> JtJ, Jte, ete = kernels.normal_equations(J, [1.0, 2.0, 3.0])
    >>> np.linalg.solve(JtJ, Jte)
    array([1., 1.])
    """
    A = _operands(J, e, weights)
    head = A.batch if per_problem else ()
    JtWJ, JtWe = np.empty((*head, A.P, A.P)), np.empty((*head, A.P))
    etWe = np.empty(head)

    def sums(A: _Operands) -> int:
        core = _core.Jacobian(A.J, A.e, A.weights, A.K, A.Nx, per_problem)
        return core.normal(thread_limit(threads), JtWJ, JtWe, etWe)

    _run(sums, A, "a sum of the normal equations")
    return NormalEquations(JtWJ, JtWe, etWe)


def _sum(
    A: _Operands,
    scale: float,
    per_block: bool,
    shape: tuple[int, ...],
    out: Array | None,
    threads: int | None,
) -> Array:
    if not isfinite(scale := float(scale)):
        raise ValueError(f"scale must be a finite number, got {scale}")
    if out is not None:
        refuse_output(out, shape, f"(P={A.P},)", A.named)
    d = np.empty(shape)

    def sums(A: _Operands) -> int:
        core = _core.Jacobian(A.J, A.e, A.weights, A.K, A.Nx, per_block)
        return core.sum(scale, thread_limit(threads), d)

    _run(sums, A, "the sum of w J e")
    return d


def _run(sums: Callable[[_Operands], int], A: _Operands, what: str) -> None:
    """Compute sums; compute them again if only rows of weight 0 hold values that are not finite."""
    found = sums(A)
    if found == Adjoint.NOT_FINITE and A.weights is not None and (A.weights == 0).any():
        A = _without(A, A.weights == 0)
        found = sums(A)
    _refuse(found, A.named, what)


def _without(A: _Operands, left: Array) -> _Operands:
    """Return the operands with 0 for values that are not finite, in the rows ``left`` out."""
    e = A.e if A.e is None else np.where(left & ~np.isfinite(A.e), 0, A.e)
    if isinstance(A.J, tuple):
        indptr, indices, data, P = A.J
        rows = np.repeat(left.ravel(), np.diff(indptr))
        data = np.where(rows & ~np.isfinite(data[: len(rows)]), 0, data[: len(rows)])
        return A._replace(J=(indptr, indices, data, P), e=e, named=A.named | {"e": e})
    J = A.J.copy()
    for k in range(A.K if A.Nx > 1 else 0):
        J[k][left[k] & ~np.isfinite(J[k]).all(1)] = 0
    if A.Nx == 1:
        J[(left & ~np.isfinite(J).all(2))[:, 0]] = 0
    names = {"J": J if len(A.batch) else J[0], "e": e if len(A.batch) or e is None else e[0]}
    return A._replace(J=J, e=e, named=A.named | names)


def _refuse(found: int, named: dict[str, Any], what: str) -> None:
    """Raise an error for the status ``found`` of the kernel, which names the input at fault."""
    if found == Adjoint.NOT_FINITE:
        if _is_sparse(named["J"]):
            named = {"J.data": np.asarray(named["J"].data)} | named
            del named["J"]
        refuse_not_finite(named, what)
    refuse(Adjoint, found, last=named["J"].shape[-1] - 1)


def _is_sparse(J: Any) -> bool:
    return all(hasattr(J, name) for name in ("indptr", "indices", "data", "shape"))


def _operands(J: Any, e: Any, weights: Any) -> _Operands:
    """Check J and the arrays per row; ``e`` is None for products with J alone."""
    sparse = type(J) is not np.ndarray and (_is_sparse(J) or hasattr(J, "tocsr"))
    matrix: Any = compressed(J) if sparse else real_array(J, "J")
    if sparse:
        rows, P = (int(n) for n in J.shape)
        block: tuple[int, ...] = (rows,)
    elif matrix.ndim in (2, 3):
        *head, P = matrix.shape
        block = tuple(head)
    else:
        raise ValueError(f"J must have shape (K, Nx, P) or (Nx, P), got {matrix.shape}")
    if is_masked_array(e) or is_masked_array(weights):
        e, weights = _with_masks(e, weights)
    errors = None if e is None else real_array(e, "e")
    if errors is not None:
        block = _blocks(errors.shape, block, sparse)
    K, Nx = (1, *block) if len(block) == 1 else block
    w = None if weights is None else _weights(weights, block)
    named = {"J": J if sparse else matrix, "e": errors, "weights": w}
    return _Operands(
        J=(*matrix, P) if sparse else lying(matrix if matrix.ndim == 3 else matrix[None]),
        batch=block[:-1],
        K=K,
        Nx=Nx,
        P=P,
        e=_per_row(errors, K, Nx),
        weights=_per_row(w, K, Nx),
        named=named,
    )


def _with_masks(e: Any, weights: Any) -> tuple[Any, Any]:
    """Return e and weights without masks; masked elements get the weight 0."""
    (e, out), (w, none) = left_out(e), left_out(1.0 if weights is None else weights)
    w = np.where(False if none is None else none, 0.0, w)
    return e, w if out is None else np.where(out, 0.0, w)


def _blocks(shape: tuple[int, ...], block: tuple[int, ...], sparse: bool) -> tuple[int, ...]:
    """Return the shape of e, which must be that of J's rows; a sparse J gets its blocks from e."""
    if sparse and len(shape) == 2 and shape[0] * shape[1] == block[0]:
        return shape
    if shape != block:
        names = ("K", "Nx") if len(block) == 2 else ("K·Nx" if sparse else "Nx",)
        words = ", ".join(f"{name}={n}" for name, n in zip(names, block, strict=True))
        words += "," if len(block) == 1 else ""
        also = " or (K, Nx)" if sparse else ""
        raise ValueError(f"e must have shape ({words}){also} as the rows of J, got {shape}")
    return shape


def _weights(weights: Any, block: tuple[int, ...]) -> Array:
    w = real_array(weights, "weights")
    if w.shape == block:
        return w
    try:
        return np.broadcast_to(w, block)
    except ValueError:
        raise ValueError(
            f"weights must have the shape of e, {block}, or broadcast to it, got {w.shape}"
        ) from None


def _per_row(array: Array | None, K: int, Nx: int) -> Array | None:
    if array is None:
        return None
    return whole_strides(array if array.ndim == 2 else array[None]).reshape(K, Nx)
