"""What is computed from a result in a store, without more of it in memory than what is returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.check import Array
from .._optional import optional
from ..fitting.result import FitResult
from ..fitting.tables import flags_of_status, refuse_taken
from ..status import Status, explain
from .sources import Region
from .zarr_store import ZarrStore

if TYPE_CHECKING:
    from .stored_result import StoredResult

_SHOWN = 1_000_000  # about so many fits, evenly spread, give the percentiles of a summary
# Attributes of a result with a number, or a row of them, for each fit that follow from the others.
COMPUTED = ("dof", "redchi", "aic", "aicc", "bic", "at_bound")
_OF_DATA = {"problem", "fitted", "residual", "jacobian", "r2", "plot", "profile"}
_OF_DATA |= {"bootstrap", "jackknife"}
_NUMBERS = ("chi2", "n_used", "n_iter", "status")  # what a Dataset has beside parameters


def by_piece(store: ZarrStore, name: str) -> Iterator[tuple[Region, Array]]:
    """Yield each piece of an array: where it is in the batch, and its values."""
    for region in map(store.grid.region, store.grid.places()):
        yield region, store.read(name, region)


def mapped(
    pieces: Iterable[tuple[Region, FitResult]],
    function: Callable[[FitResult], Any],
    shape: tuple[int, ...],
) -> Array:
    """Return ``function(result)`` of the results of all pieces of a batch of this shape."""
    out: Array | None = None
    for region, part in pieces:
        value, batch = np.asarray(function(part)), part.status.shape
        if value.shape[: len(batch)] != batch:
            raise ValueError(
                f"of a result of shape {batch} the function must return an array whose shape "
                f"begins so, got {value.shape}"
            )
        if out is None:
            out = np.empty((*shape, *value.shape[len(batch) :]), value.dtype)
        out[region] = value
    assert out is not None
    return out


def why_absent(name: str) -> str:
    """Return the words for an attribute that a result in a store does not have."""
    words = f"a StoredResult has no attribute {name!r}"
    if name in _OF_DATA:
        return f"{words}, for it needs the data; thalweg.fit of that part of y has it"
    if not name.startswith("_") and (hasattr(FitResult, name) or name == "cov"):
        return f"{words}; a part of it has, such as r[:100].{name}, and r.pieces() goes through all"
    return words


def summary(stored: StoredResult) -> str:
    """Return the table of `StoredResult.summary`."""
    counts: dict[int, int] = {}
    for _, status in by_piece(stored._store, "status"):
        for code, n in zip(*np.unique(status, return_counts=True), strict=True):
            counts[int(code)] = counts.get(int(code), 0) + int(n)
    good = sum(n for code, n in counts.items() if code > 0)
    lines = [f"{stored.size} fits, {good} succeeded", *_spread(stored, good)]
    lines += [
        f"{n:>10}  {Status(c).name}: {explain(c, -1, stored.names)}"
        for c, n in sorted(counts.items())
    ]
    return "\n".join(lines)


def _spread(stored: StoredResult, good: int) -> Iterator[str]:
    """The lines of a summary that tell of the parameters."""
    grid = stored._store.grid
    places = list(grid.places())
    step = -(-len(places) * prod(grid.piece) // max(_SHOWN, prod(grid.piece)))
    some = [stored[grid.region(place)] for place in places[:: max(1, step)]]
    params, stderr = (
        np.concatenate([getattr(r, n)[r.success] for r in some]) for n in ("params", "stderr")
    )
    if not len(params):
        return
    if len(params) < good:
        yield f"of {len(params)} of these:"
    width = max(map(len, stored.names))
    yield f"{'':>{width}}   {'median':>13} {'5 %':>13} {'95 %':>13} {'median +-':>13}"
    for j, name in enumerate(stored.names):
        low, middle, high = np.percentile(params[:, j], [5, 50, 95])
        error = np.median(stderr[:, j])
        yield f"{name:>{width}}   {middle:13.6g} {low:13.6g} {high:13.6g} {error:13.6g}"


def lazy_dataset(store: ZarrStore, names: tuple[str, ...]) -> Any:
    """Return a Dataset of the numbers of a store, which are read when they are asked for."""
    xr = optional("xarray", "to_xarray needs")
    found = xr.open_zarr(str(store.path), chunks=None, consolidated=False, decode_cf=False)
    variables: dict[str, Any] = {}
    for j, name in enumerate(names):
        variables[name] = found["params"].variable[..., j]
        variables[f"{name}_stderr"] = found["stderr"].variable[..., j]
    variables |= {name: found[name].variable for name in _NUMBERS}
    dims, coords = tuple(store.about["dims"]), store.coordinates()
    refuse_taken(variables.keys(), {*dims, *coords})
    dataset = xr.Dataset(variables, coords)
    dataset["status"].attrs = flags_of_status()
    return dataset
