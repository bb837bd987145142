"""Fits of dask arrays: chunk by chunk, when dask computes, wherever its workers are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._optional import optional
from ..fitting.labels import labels_of, numbered
from ..fitting.layout import point_axes
from . import _chunk, _record
from ._chunk import Call, ChunkError
from ._cut import Cutter, is_lazy
from ._lazy import LazyResult, shared_object
from ._mse import MSELoss
from ._outputs import of_some_outputs

da = optional("dask.array", "thalweg.scale.dask needs")
tokenize = optional("dask.base", "thalweg.scale.dask needs").tokenize

__all__ = ["ChunkError", "LazyResult", "MSELoss", "fit"]


def fit(
    model: Any,
    x: Any,
    y: Any,
    p0: Any = None,
    *,
    sigma: Any = None,
    mask: Any = None,
    bounds: Any = None,
    fixed: Any = None,
    f_scale: Any = None,
    axis: int | Sequence[int] | None = None,
    threads: int = 1,
    errors: str = "raise",
    **options: Any,
) -> LazyResult:
    r"""Return `thalweg.fit` of a dask array, lazily: each chunk is fitted when dask computes.

    As there, :math:`\sum_i ((y_i - f(x_i; \theta)) / \sigma_i)^2` is minimised for each data set,
    and the numbers are the same to the last bit, whatever the chunks, the scheduler and the number
    of workers.  Nothing is computed by this call, which checks all arguments that are known.

    Parameters
    ----------
    model, x, y, p0, sigma, mask, bounds, fixed, f_scale, axis
        As in `thalweg.fit`.  y is an array of dask; x, sigma, mask, p0, bounds, fixed and f_scale,
        and what they hold by name, may be arrays of dask, too.  If y has several chunks along an
        axis of points it is rechunked: one chunk along it, and the size that dask is set to along
        the batch.
    threads : int
        The threads of a chunk's fits.  By default 1, for dask runs as many chunks at the same time
        as a worker has threads.
    errors : {"raise", "ignore"}
        With "ignore" the fits of a chunk that raises, for example because the model does, get the
        status NOT_RUN, and the other chunks go on.
    **options
        Further options of `thalweg.fit`, but for those of fits that know each other or report:
        shared, groups, p0="neighbours", callback, progress.

    Returns
    -------
    LazyResult
        Lazy arrays by the names that `FitResult` has for them.

    Raises
    ------
    ValueError, TypeError
        As in `thalweg.fit`; or the sizes of y are not known.
    ChunkError
        When dask computes, with errors="raise": a chunk raised; the message names it.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from thalweg.scale.dask import fit
    >>> t = np.linspace(0, 5, 30)
    >>> y = da.from_array(np.outer([1.0, 2.0, 3.0, 4.0], np.exp(-t / 2)), chunks=(2, 10))
    >>> r = fit("a*exp(-t/tau)", t, y, p0={"a": 1, "tau": 1}, independent="t")
    >>> r["a"]
    dask.array<getitem, shape=(4,), dtype=float64, chunksize=(4,), chunktype=numpy.ndarray>
    >>> r["a"].compute().round(9)
    array([1., 2., 3., 4.])
    """
    _refuse(p0, errors, options)
    y = _array(y)
    axes = _point_axes(x, y, axis)
    given = {"p0": p0, "bounds": bounds, "fixed": fixed, "f_scale": f_scale}

    def lazily(outputs: bool) -> LazyResult:
        own, cutter = _arranged(y, axes, outputs)
        arguments = {
            "x": cutter.variables(x),
            "sigma": cutter.of_points(sigma, "sigma"),
            "mask": cutter.of_points(mask, "mask"),
            **cutter.options(given),
        }
        more = cutter.layout.points, cutter.outputs, errors
        return _planned(Call(model, arguments, {"threads": threads, **options}, *more), own, cutter)

    return of_some_outputs(lazily, y.shape)


# The options of thalweg.fit by which fits know each other, or tell of themselves while they run.
_IN_MEMORY = ("shared", "groups", "offsets", "callback", "progress")


def _refuse(p0: Any, errors: Any, options: dict[str, Any]) -> None:
    """Refuse what fits in chunks cannot have."""
    if errors not in ("raise", "ignore"):
        raise ValueError(f"errors must be 'raise' or 'ignore', got {errors!r}")
    for name in ("out", "chunk"):
        if options.get(name) is not None:
            raise ValueError(
                f"{name} is for data that thalweg.fit reads itself; lazy results are written by "
                "dask, as r.to_xarray().to_zarr(path) does"
            )
    given = [n for n in _IN_MEMORY if options.get(n) is not None and options[n] is not False]
    if isinstance(p0, str):
        given.append(f"p0={p0!r}")
    if given:
        raise ValueError(
            f"{given[0]} is for data in memory, since chunks do not know of each other; "
            "thalweg.fit takes y.compute()"
        )


def _array(y: Any) -> Any:
    """y as an array of dask whose sizes are known."""
    if hasattr(y, "dims") and hasattr(y, "coords"):
        raise TypeError(
            "y is a DataArray: import thalweg.scale.xarray, and y.thalweg.fit(model, dim=...) fits "
            "it by names, lazily if its data are"
        )
    y = y if is_lazy(y) else da.asarray(y)
    if any(n != n for n in y.shape):
        raise ValueError(
            "the sizes of y's chunks are not known; y.compute_chunk_sizes() finds them"
        )
    return y


def _arranged(y: Any, axes: tuple[int, ...], outputs: bool) -> tuple[Any, Cutter]:
    """Return y with its points last, in one chunk, and the cutter of the other arguments."""
    shape, others = y.shape, [a for a in range(y.ndim) if a not in axes]
    axes = (*others[-1:], *axes) if outputs else axes
    y = da.moveaxis(y, axes, range(y.ndim - len(axes), y.ndim))
    n = y.ndim - len(axes)
    if any(len(sizes) > 1 for sizes in y.chunks[n:]):
        along = -1 if 0 in shape else "auto"
        y = y.rechunk({k: along if k < n else -1 for k in range(y.ndim)})
    return y, Cutter(shape, axes, y.chunks[:n], outputs and bool(others))


def _point_axes(x: Any, y: Any, axis: Any) -> tuple[int, ...]:
    """The axes of y that hold the points, counted from the front, as `thalweg.fit` finds them."""
    several = isinstance(x, tuple) or (isinstance(x, list) and x and np.ndim(x[0]) > 0)
    variables = list(x.values()) if isinstance(x, dict) else list(x) if several else []
    arrays = [v if hasattr(v, "shape") else np.asarray(v) for v in variables]
    form = "tuple" if arrays else "one"
    return point_axes(arrays, y, numbered(axis, labels_of(y)), form)


def _planned(call: Call, y: Any, cutter: Cutter) -> LazyResult:
    """Return the lazy result of a call for every chunk of y."""
    empty = call.of_no_fit(y.dtype, cutter.arrays)
    call.kind, call.problem = _record.record_type(empty), _record.stub(empty.problem)
    n = len(cutter.batch)
    batch = tuple(range(n))
    arrays = [
        *cutter.arrays,
        *((da.arange(sum(c), chunks=(c,)), (k,)) for k, c in enumerate(y.chunks[:n])),
    ]
    operands = [operand for pair in arrays for operand in pair]
    records = da.blockwise(
        _chunk.run, batch,
        shared_object(call, f"fit-call-{tokenize(*vars(call).values())}"), None,
        y, tuple(range(y.ndim)),
        *operands,
        n_where=n,
        token="fit",
        concatenate=True, align_arrays=False,
        dtype=call.kind, meta=np.empty((0,) * n, call.kind),
    )  # fmt: skip
    return LazyResult(records, empty)
