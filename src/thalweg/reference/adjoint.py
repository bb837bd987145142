"""The specification of the kernels over Jacobians: J (K, Nx, P), K blocks of Nx rows.

Each function has the signature of its compiled namesake; ``threads`` is not used, since results do
not depend on it.  J may also be one block (Nx, P), and then results lack the axis of blocks; a J in
compressed rows is made dense here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


def adjoint_sum(
    J: Any,
    e: Any,
    weights: Any = None,
    *,
    scale: float = 1.0,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """Return d_j = scale · Σ_k Σ_i w_ki J_kij ε_ki.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> J = np.arange(12.0).reshape(2, 3, 2)  # two blocks of three rows
    >>> reference.adjoint_sum(J, np.ones((2, 3)))
    array([30., 36.])
    """
    J, e, w = _dense(J, e, weights)
    d: Array = scale * np.einsum("...ij,...i->...j", J, w * e)
    d = d.sum(axis=0) if d.ndim == 2 else d
    if out is None:
        return d
    out[...] = d
    return out


def vjp(J: Any, e: Any, weights: Any = None, *, threads: int | None = None) -> Array:
    """Return Σ_i w_ki J_kij ε_ki for every k.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> J = np.arange(12.0).reshape(2, 3, 2)  # two blocks of three rows
    >>> reference.vjp(J, np.ones((2, 3)))
    array([[ 6.,  9.],
           [24., 27.]])
    """
    J, e, w = _dense(J, e, weights)
    d: Array = np.einsum("...ij,...i->...j", J, w * e)
    return d


def jvp(J: Any, v: Any, *, threads: int | None = None) -> Array:
    """Return Σ_j J_kij v_j for every k and i.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> J = np.arange(12.0).reshape(2, 3, 2)  # two blocks of three rows
    >>> reference.jvp(J, [1.0, -1.0])
    array([[-1., -1., -1.],
           [-1., -1., -1.]])
    """
    J, _, _ = _dense(J, None, None)
    y: Array = J @ np.asarray(v, dtype=float)
    return y


def normal_equations(
    J: Any,
    e: Any,
    weights: Any = None,
    *,
    per_problem: bool = False,
    threads: int | None = None,
) -> tuple[Array, Array, Array]:
    """Return Σ_k J_kᵗ W_k J_k, Σ_k J_kᵗ W_k ε_k and Σ_k ε_kᵗ W_k ε_k, or the three for every k.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import reference
    >>> J = np.array([[1.0, 0], [1, 1], [1, 2]])
    >>> JtWJ, JtWe, etWe = reference.normal_equations(J, np.array([1.0, 2, 3]))
    >>> JtWJ, JtWe, float(etWe)
    (array([[3., 3.],
           [3., 5.]]), array([6., 8.]), 14.0)
    """
    J, e, w = _dense(J, e, weights)
    sums = (
        np.einsum("...ij,...i,...il->...jl", J, w, J),
        np.einsum("...ij,...i,...i->...j", J, w, e),
        np.einsum("...i,...i,...i->...", e, w, e),
    )
    if J.ndim == 2 or per_problem:
        return sums
    JtWJ, JtWe, etWe = (s.sum(axis=0) for s in sums)
    return JtWJ, JtWe, etWe


def _dense(J: Any, e: Any, weights: Any) -> tuple[Array, Array, Array]:
    """Return J, e and w in float64; a sparse J in the blocks of e."""
    if hasattr(J, "indptr"):
        rows = np.zeros(J.shape)
        for q in range(len(rows)):
            part = slice(J.indptr[q], J.indptr[q + 1])
            np.add.at(rows[q], J.indices[part], J.data[part])
        J = rows if e is None else rows.reshape(*np.shape(e), -1 if rows.size else J.shape[1])
    J = np.asarray(J, dtype=float)
    e = np.zeros(J.shape[:-1]) if e is None else np.asarray(e, dtype=float)
    w = np.broadcast_to(1.0 if weights is None else np.asarray(weights, float), e.shape)
    left_out = w == 0  # a row of weight 0 is left out, whatever it holds
    return np.where(left_out[..., None], 0.0, J), np.where(left_out, 0.0, e), w
