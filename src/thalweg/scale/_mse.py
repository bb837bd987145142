"""The mean squared error of samples in dask arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from math import prod
from typing import Any

import numpy as np

from .._arguments.check import Array, thread_limit
from .._arguments.spelling import spelled
from .._optional import optional
from ..fitting.options import element_type
from ..losses.mean_of_squares import MeanOfSquares
from ..losses.recorded import RecordedModel, parameters_of, with_ties
from ..model import as_model
from ._cut import is_lazy
from ._lazy import shared_object
from ._sums import Blocks, Shared, block_of


@spelled
class MSELoss(MeanOfSquares):
    r"""The mean squared error of a model over samples in dask arrays, exact derivatives included.

    With K samples of inputs :math:`y_k` and targets :math:`x_k`, as in `thalweg.MSELoss`,

    .. math:: L(\theta) = \frac{1}{K} \sum_k w_k \|\varepsilon_k\|^2,
              \qquad \varepsilon_k = x_k - f_\theta(y_k),

    .. math:: \nabla L = -\frac{2}{K} \sum_k w_k \varepsilon_k^t J_k,
              \qquad J_k = \nabla_\theta f_\theta(y_k).

    The samples are read once, when the loss is made, and stay where dask computed them.  Each
    evaluation is a task for each chunk, :math:`\sum_k \varepsilon_k^t J_k` over its samples, and
    few tasks that add these sums in the order of the chunks: the bits depend on the chunks, not on
    the scheduler or the workers, so that a descent takes the same path everywhere.  Methods of
    descent and `thalweg.minimize` take the loss as any other.

    Parameters
    ----------
    model, n_params, independent, tied, dtype
        As of `thalweg.MSELoss`.
    inputs : array, shape (K,) or (K, Ny), or a tuple of arrays
        As there, of dask or of NumPy.
    targets : dask array, shape (K,) or (K, Nx)
        As there; its chunks along the samples are the blocks.
    weights : array, shape (K,), optional
        As there.
    threads : int
        The threads of each task; by default 1, for a worker runs as many tasks as it has threads.

    Raises
    ------
    ValueError, TypeError
        As of `thalweg.MSELoss`.
    ChunkError
        The samples of a chunk are wrong; the message names it.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import thalweg as tw
    >>> from thalweg.scale.dask import MSELoss
    >>> t = da.linspace(0, 4, 50, chunks=20)
    >>> loss = MSELoss("a*exp(-t/tau)", t, 3 * da.exp(-t / 2), independent="t")
    >>> tw.minimize(loss, [1.0, 1.0]).theta.round(6)
    array([3., 2.])
    """

    _model: Blocks  # type: ignore[assignment]

    def __init__(
        self,
        model: Any,
        inputs: Any,
        targets: Any,
        weights: Any = None,
        *,
        n_params: int | None = None,
        independent: str | Sequence[str] | None = None,
        tied: Any = None,
        dtype: Any = None,
        threads: int = 1,
    ) -> None:
        info = as_model(model, independent)
        P, self._names = parameters_of(info, n_params)
        info, P, self._names = with_ties(info, P, self._names, tied)
        element = element_type(np.float64 if dtype is None else dtype)
        x, columns, w = _samples(inputs, targets, weights)
        several, d = isinstance(inputs, tuple), columns[0].ndim if isinstance(inputs, tuple) else 1
        n = len(columns) if several else prod(columns[0].shape[1:])
        if info.n_x is not None and info.n_x != n:
            raise ValueError(
                f"{info.label} takes {info.n_x} independent variables, inputs have {n}"
            )
        single = not several and columns[0].ndim == 1
        given: dict[str, Any] = dict(n_params=P, vector=n_params is not None, dtype=element)
        given["threads"] = thread_limit(threads)
        zeros = np.zeros((1, prod(x.shape[d:])))
        probe = RecordedModel(info.function, [np.ones(1)] * n, zeros, None, single=single, **given)
        self._there, self._shape, self._K, self._Nx = None, x.shape, prod(x.shape[:d]), zeros.size
        shared = Shared(info.function, len(columns), several, w is not None, given)
        blocks = _blocks(shared, x, [*columns, *([] if w is None else [w])], d)
        self._model, self._chunks = Blocks(blocks, x.chunks, d, probe), x.chunks
        self.n_params, self._label = P, info.label
        self.precision = float(np.finfo(element).eps)

    has_hessian = has_gauss_newton = True

    def residuals(self, theta: Any) -> Any:
        r"""Return :math:`\varepsilon_k = x_k - f_\theta(y_k)` as a dask array like targets.

        Residuals of targets that are left out are 0.
        """
        return self._model.values("residuals", self.at(theta))

    def jvp(self, theta: Any, v: Any) -> Any:
        r"""Return :math:`J_k v`, forward propagation, as a dask array shaped as the targets."""
        return self._model.values("jvp", self.at(theta), self.at(v, "v"))

    def vjp(self, theta: Any, e: Any) -> Array:
        r"""Return :math:`\sum_k e_k^t J_k`, shape (P,): backward propagation.

        Parameters
        ----------
        theta : array_like, shape (P,)
        e : array_like or dask array, of the shape of the targets
        """
        if np.shape(e) != self._shape:
            raise ValueError(
                f"e must have the shape of the targets, {self._shape}, got {np.shape(e)}"
            )
        return self._model.vjp(self.at(theta), _lazy(e).rechunk(self._chunks))

    def hessian(self, theta: Any) -> Array:
        r"""Return the exact second derivatives of L, shape (P, P), in one pass.

        .. math:: \nabla^2 L = \frac{2}{K}\sum_k w_k (J_k^t J_k - \varepsilon_k^t \nabla^2 f_k)
        """
        H = self._model.hessian(self.at(theta)) / self._K
        return np.asarray((H + H.T) / 2)

    def describe(self) -> tuple[str, str]:
        """Return the formula and the sizes, for the repr."""
        names = "" if self._names is None else f": {', '.join(self._names)}"
        sizes = f"K={self._K}, {len(self._model)} blocks, Nx={self._Nx}, P={self.n_params}"
        return f"(1/K) sum_k w_k |x_k - f_k|^2, f = {self._label}", f"{sizes}{names}"

    @property
    def n_samples(self) -> int:
        """K, the number of samples."""
        return self._K

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the parameters; None if the model takes them as one array."""
        return self._names


def _lazy(array: Any) -> Any:
    return array if is_lazy(array) else optional("dask.array", "a lazy loss needs").asarray(array)


def _samples(inputs: Any, targets: Any, weights: Any) -> tuple[Any, list[Any], Any]:
    """Return targets, inputs and weights as dask arrays in the chunks of the targets."""
    several = isinstance(inputs, tuple)
    columns, x = [_lazy(v) for v in (inputs if several else (inputs,))], _lazy(targets)
    if not columns or (not several and columns[0].ndim not in (1, 2)):
        raise ValueError("inputs must have shape (K,) or (K, Ny), or be a tuple of arrays")
    if any(n != n for array in (x, *columns) for n in array.shape):
        raise ValueError("the sizes of chunks are not known; compute_chunk_sizes() finds them")
    points = columns[0].shape if several else columns[0].shape[:1]
    if several and any(c.shape != points for c in columns):
        raise ValueError(f"all inputs must have one shape, got {[c.shape for c in columns]}")
    d = len(points)
    if not x.size:
        raise ValueError(f"there must be a sample and a target, got targets of shape {x.shape}")
    if x.shape[:d] != points or x.ndim > d + 1:
        wanted = ", ".join(map(str, points))
        raise ValueError(f"targets must have shape ({wanted},) or ({wanted}, Nx), got {x.shape}")
    w = None if weights is None else _lazy(weights)
    if w is not None and w.shape != (prod(points),):
        raise ValueError(f"weights must have shape (K={prod(points)},), got {w.shape}")
    x = x.rechunk({k: -1 for k in range(d, x.ndim)})
    along = dict(enumerate(x.chunks[:d]))
    columns = [c.rechunk({**along, **{k: -1 for k in range(d, c.ndim)}}) for c in columns]
    return x, columns, w if w is None else w.reshape(points).rechunk(along)


def _blocks(shared: Shared, x: Any, arrays: list[Any], d: int) -> Any:
    """Return a dask array of blocks, an object for each chunk of the samples."""
    da, base = optional("dask.array", "a lazy loss needs"), optional("dask.base", "this needs")
    where = [(da.arange(sum(c), chunks=(c,)), (k,)) for k, c in enumerate(x.chunks[:d])]
    others = count(x.ndim)
    own = [(a, (*range(d), *(next(others) for _ in a.shape[d:]))) for a in arrays]
    operands = [operand for pair in (*own, *where) for operand in pair]
    key = f"loss-call-{base.tokenize(*shared)}"
    return da.blockwise(
        block_of, tuple(range(d)),
        shared_object(shared, key), None,
        x, tuple(range(x.ndim)),
        *operands,
        token="block", concatenate=True, align_arrays=False,
        dtype=object, meta=np.empty((0,) * d, object),
    )  # fmt: skip
