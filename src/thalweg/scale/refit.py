"""The failed fits of a store once more, with other arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import refuse_unknown
from ..fitting.fit import fit
from ._parts import filled
from .call import Call, taken_apart
from .fingerprint import digest_of_parts
from .float32 import rounded
from .lock import locked
from .sources import Sliced
from .stored_result import StoredResult
from .storing import piece_arrays
from .zarr_store import ZarrStore

_OTHERS = ("out", "chunk", "progress", "callback")  # arguments that a refit does not take


def refit_failed(stored: StoredResult, given: Mapping[str, Any]) -> StoredResult:
    """Fit again what has failed; see `StoredResult.refit_failed`."""
    known = {
        name: parameter.default
        for name, parameter in inspect.signature(fit).parameters.items()
        if name not in _OTHERS
    }
    refuse_unknown("refit_failed", given, tuple(known))
    call = taken_apart({**known, **dict.fromkeys(_OTHERS), **given})
    store = stored._store
    _refuse_others(store, call)
    with locked(store.path):
        if not stored.finished:
            raise ValueError(
                f"{store.path} is not finished; the call that began it goes on with it first"
            )
        for place in store.grid.places():
            status = store.read("status", store.grid.region(place))
            failed = np.flatnonzero(status <= 0)
            if failed.size:
                _refit(call, store, place, failed)
    return stored


def _refuse_others(store: ZarrStore, call: Call) -> None:
    """Refuse data or a model whose results the store cannot hold."""
    first, about = call.first, store.about
    free = [int(v) for v in about["shared"]["free"][2]]
    pairs = (
        ("the shape of the batch", store.grid.batch, call.layout.batch),
        ("the parameters", tuple(about["names"]), first.names),
        ("the places of the free parameters", tuple(free), first.problem.free),
        ("the type", np.dtype(store.specs["params"].dtype), first.params.dtype),
    )
    for what, there, here in pairs:
        if there != here:
            raise ValueError(f"{what} of {store.path} must stay {there}, and is {here} here")


def _refit(call: Call, store: ZarrStore, place: tuple[int, ...], failed: Array) -> None:
    """Fit some of a piece again and write the piece with what has become better."""
    region = store.grid.region(place)
    shape = tuple(s.stop - s.start for s in region)
    parts: dict[int, Array] = {id(leaf): leaf.read(region) for leaf in [*call.of_data, *call.more]}
    of_data = {id(leaf) for leaf in call.of_data}
    marks = store.finished()[place]
    digest = digest_of_parts([parts[id(leaf)] for leaf in call.of_data], shape)
    if digest != int(marks[0]):
        raise ValueError(f"x or y are not those that {store.path} was made from")

    def some(leaf: Sliced) -> Array:
        part = parts[id(leaf)]
        own = part.shape[1 + len(shape) :]
        whole = np.broadcast_to(part[0], (*shape, *own), subok=True)
        rows = np.asanyarray(whole.reshape(-1, *own)[failed][None])
        return rounded(rows) if call.single and id(leaf) in of_data else rows

    new = piece_arrays(store, fit(**filled(call.arguments, Sliced, some)))
    old = {name: store.read(name, region) for name in store.specs}
    better = _better(old, new, failed)
    for name, array in old.items():
        rows = array.reshape(-1, *array.shape[len(shape) :])
        rows[failed[better]] = new[name][better]
    store.write(place, old, marks)


def _better(old: Mapping[str, Array], new: Mapping[str, Array], failed: Array) -> Array:
    """Which of the new results are kept: successes, and failures of a lower chi2."""
    chi2 = old["chi2"].reshape(-1)[failed]
    lower = (new["chi2"] < chi2) | (np.isnan(chi2) & ~np.isnan(new["chi2"]))
    return np.asarray((new["status"] > 0) | lower)
