"""Coordinate-descent sweeps over dense and sparse matrices, in place."""

from __future__ import annotations

from typing import Any

from .._arguments.spelling import spelled
from ._dense_sweep import dense_of, dense_sweep
from ._sparse_sweep import Columns, columns_of, read_in_place, rows_of, sparse_sweep
from ._sweep_options import Array, Sweep, apart
from ._sweep_task import task_of


@spelled
def coordinate_sweep(
    A: Any,
    theta: Array,
    residual: Array,
    *,
    l1: Any = 0,
    l2: Any = 0,
    weights: Any = None,
    bounds: Any = None,
    order: Any = "cyclic",
    sweeps: int = 1,
    relaxation: float = 1.0,
    intercept: Array | None = None,
    centered: bool | None = None,
    gram: Any = None,
    b: Any = None,
    seed: Any = None,
    threads: int | None = None,
) -> Sweep:
    r"""Minimise a regularised least-squares loss in place, by updates of one coordinate at a time.

    .. math:: F(\theta) = \frac12 \sum_i w_i r_i^2 + \sum_j l_{1j} |\theta_j|
              + \frac12 \sum_j l_{2j} \theta_j^2, \qquad r = b - A \theta,

    within lower ≤ θ ≤ upper.  An update moves θ_j to its minimum,
    clip(S(A_jᵗWr + c_j θ_j, l1_j) / (c_j + l2_j)) with c_j = A_jᵗWA_j and the soft threshold
    S(z, l) = sign(z) max(|z| − l, 0), and subtracts A_j times the change from r.  The iterates are
    those of one update after the other, for any number of threads.

    Parameters
    ----------
    A : ndarray or SciPy sparse matrix, shape (n, P)
        The matrix, float64, or float32 with all sums in float64.  A dense A is read without a copy
        in any strides, fastest by columns.  A sparse A is read without a copy in compressed
        columns, with int32 or int64 indices and ascending rows in each column; compressed rows are
        copied into columns.  An update of a sparse A reads the stored values of its column twice.
    theta : ndarray of float64, shape (P,) or (P, M)
        On entry the start, within the bounds; on return the result.  M columns are M problems with
        the same A, which is read once for all.
    residual : ndarray of float64, shape (n,) or (n, M)
        On entry b − Aθ (less the intercept); on return the same for the new θ.
    l1, l2 : float or array_like of shape (P,)
        Penalties ≥ 0, in the unit of F over θ and over θ².  A coordinate with an infinite l1 stays
        at 0, where it must start.  scikit-learn, whose losses are divided by n, has
        l1 = n·alpha·l1_ratio and l2 = n·alpha·(1 − l1_ratio).
    weights : array_like, shape (n,), optional
        w ≥ 0, the inverse variance of each row; default 1, and 0 where masked.  A row of weight 0
        is left out: its A, residual and b may be NaN or infinite, and such a residual is not
        changed.
    bounds : pair of float, array_like of shape (P,) or None, optional
        (lower, upper), in the unit of θ; ``(0, None)`` for non-negativity.
    order : {"cyclic", "shuffled", "random", "greedy"} or array_like of int
        The coordinates that a sweep updates: "cyclic", 0 … P − 1; "shuffled", a new permutation in
        each sweep; "random", P draws with replacement; "greedy", P times the coordinate by whose
        update F falls most; or an array, these coordinates, any number of them.  Greedy sweeps of a
        dense A work on AᵗWA, as with ``gram``; those of a sparse A also keep A by rows.
    sweeps : int
        The number of sweeps.
    relaxation : float
        ω in (0, 2): θ_j goes ω times the way to its minimum, but not beyond a bound nor, with
        l1 > 0 and ω > 1, across 0.
    intercept : ndarray of float64, shape (1,) or (M,), optional
        A constant in the model, r = b − Aθ − intercept, neither penalised nor bounded.  It is
        updated in place.
    centered : bool, optional
        Whether to keep the intercept at its minimum before and after every update, which is
        coordinate descent on the columns less their weighted means and costs no more; default:
        True if there is an intercept.  False updates the intercept at the end of each sweep; then
        the intercept and a column whose mean is large beside its spread, such as years, converge
        very slowly.  A greedy order of a sparse A with a centered intercept computes all P
        gradients for each update, since all of them change with the intercept.
    gram : True or array_like of shape (P, P), optional
        Whether to work on AᵗWr and AᵗWA, which is formed, or given, once.  A sweep then costs P²
        instead of nP operations, which pays for n ≫ P and many sweeps; the residual is updated once
        at the end.  To form AᵗWA takes nP² operations for a dense A, and for a sparse A the squares
        of the numbers of stored values of its rows.  AᵗWA has P² numbers, and is refused if memory
        cannot hold it.
    b : array_like, shape of ``residual``, optional
        The right-hand side; if given, the residual is computed anew as b − Aθ (less the intercept)
        at the end.
    seed : int or numpy.random.Generator, optional
        The seed of the shuffled and random orders, as for ``numpy.random.default_rng``.
    threads : int, optional
        The most threads; by default the number of processors that this process may use.  With a
        sparse A they share the right-hand sides, in blocks of eight.  The result is the same to the
        last bit for any number.

    Returns
    -------
    Sweep
        (largest_change, objective, objectives, drift).

    Raises
    ------
    ValueError
        Shapes disagree; an input, which the message names, holds NaN or infinity; a penalty or
        weight is negative; bounds are empty; θ starts outside its bounds; arrays that are written
        are read-only or share memory; AᵗWA would not fit into memory; or indices of a sparse A are
        out of range, unsorted or duplicated (the first such column is named).  θ, residual and
        intercept are then unchanged.
    TypeError
        A is not float64 or float32, an array to be written is not float64, or an argument other
        than the weights is masked.
    KeyboardInterrupt
        Ctrl-C was pressed.  With a dense A, or with ``gram``, θ, residual and intercept are
        unchanged; otherwise they are those of the last update.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via
    coordinate descent", J. Stat. Softw. 33(1).  Devarakonda, Fountoulakis, Demmel and Mahoney
    (2016), "Avoiding communication in primal and dual block coordinate descent methods",
    arXiv:1612.04003.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.kernels import coordinate_sweep
    >>> A = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> b = np.array([3.0, 2.0, 1.0])
    >>> theta, residual = np.zeros(2), b.copy()
    >>> done = coordinate_sweep(A, theta, residual, sweeps=50)
    >>> theta.round(12), round(done.objective, 12)
    (array([1., 2.]), 0.0)

    >>> import scipy.sparse
    >>> A = scipy.sparse.csc_array([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> theta, residual = np.zeros(2), np.array([2.0, 3.0, 5.0])
    >>> coordinate_sweep(A, theta, residual, l1=2.0).objective
    9.5
    >>> theta, residual
    (array([0.5, 3. ]), array([1., 0., 2.]))
    """
    matrix = columns_of(A) if hasattr(A, "tocsc") else dense_of(A)
    t = task_of(
        matrix.shape,
        theta,
        residual,
        intercept,
        order=order,
        seed=seed,
        centered=centered,
        gram=gram,
        b=b,
        weights=weights,
        l1=l1,
        l2=l2,
        bounds=bounds,
        sweeps=sweeps,
        relaxation=relaxation,
        threads=threads,
    )
    outputs = {"theta": theta, "residual": residual, "intercept": intercept}
    inputs = {"b": b, "weights": weights, "gram": gram}
    if isinstance(matrix, Columns):
        apart(outputs, inputs | read_in_place(matrix, t, l1=l1, l2=l2))
        return sparse_sweep(matrix, t) if t.gram is None else dense_sweep(rows_of(matrix, t), t)
    apart(outputs, inputs | {"A": matrix})
    return dense_sweep(matrix, t)
