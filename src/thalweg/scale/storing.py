"""Fits of a batch larger than memory: piece by piece, from where the data are into a store.

While a piece is fitted a thread reads the next one and another writes the one before.  A piece is
fitted by `thalweg.fit` as every batch is, so that its results are those of a fit of all data in
memory to the last bit.  A finished piece is on the disk and marked; whatever ends the process, the
same call goes on with the others.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .._arguments.check import Array
from .._progress import open_bar
from ..fitting.fit import fit
from ..fitting.problem import SlowModelWarning
from ..fitting.result import FitResult
from ..fitting.saved import arrays_of
from .call import Call, read_piece, taken_apart
from .fingerprint import differences, digest_of_parts, digest_of_sources, fingerprint
from .grid import BY_CALLS, grid_of
from .lock import locked
from .sources import Region, in_words, spread
from .zarr_store import Spec, ZarrStore, create, open_store

_COMPARED = 32  # before a run goes on, the data of so many finished pieces are looked at again
_DIGESTED = ("x or y", "sigma, mask, p0, bounds, fixed or f_scale")
_FILL = {"status": 0, "detail": -1}


@dataclass(frozen=True)
class Store:
    """Where and how `thalweg.fit` keeps results, for its argument ``out``.

    Parameters
    ----------
    path : path
        The folder to be made, such as ``"result.zarr"``.
    cov : bool
        Whether covariances are kept beside the standard errors: F (F + 1) / 2 numbers more for each
        fit of F free parameters.
    overwrite : bool
        Whether a result of Thalweg that is there is replaced.  Nothing else ever is.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.scale.Store("result.zarr", cov=True)
    Store(path='result.zarr', cov=True, overwrite=False)
    """

    path: Any
    cov: bool = False
    overwrite: bool = False


# ---- the door ------------------------------------------------------------------------------------


def store_fit(given: Mapping[str, Any]) -> Any:
    """Fit into a store, or go on with it; ``given`` are the arguments of `thalweg.fit`.

    Returns
    -------
    StoredResult

    Raises
    ------
    ValueError
        The arguments are wrong, or the store was made by another call.
    OSError
        The store cannot be written.
    """
    out = given["out"] if isinstance(given["out"], Store) else Store(given["out"])
    path = Path(out.path)
    call = taken_apart(given)
    with locked(path):
        store = _store_for(call, out, path, given["chunk"])
        store.clean()
        done = store.finished()[..., 0] != 0
        todo = [place for place in store.grid.places() if not done[place]]
        return _fit_pieces(call, store, todo, given)


# ---- the store -----------------------------------------------------------------------------------


def _store_for(call: Call, out: Store, path: Path, chunk: Any) -> ZarrStore:
    """The store of this call: one that was begun, or a new one."""
    called = fingerprint(call.arguments, call.layout, call.first.problem, __version__)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        store = open_store(path)
        if not out.overwrite:
            _compare(call, store, called, out, chunk)
            return store
    call.refuse_merging()
    most = BY_CALLS if call.first.problem.recording is None else None
    grid = grid_of(call.layout, call.data, chunk, most)
    specs, about = _schema(call.first, out.cov, len(call.layout.batch))
    about |= {"call": called, "cov": out.cov}
    return create(path, grid, specs, about, call.labels)


def _schema(first: FitResult, cov: bool, n_batch: int) -> tuple[list[Spec], dict[str, Any]]:
    """The arrays of a store, and what it tells of results beside them."""
    arrays = _arrays_of(first)
    header = json.loads(str(arrays.pop("header")))
    if not cov:
        del arrays["covariance_rows"]
    specs, shared = [], {}
    for name, array in arrays.items():
        own = array.shape[n_batch + 1 :]
        if array.shape[: n_batch + 1] != (1,) * (n_batch + 1):
            shared[name] = [array.dtype.str, array.shape, list(map(repr, array.ravel().tolist()))]
        elif array[0].size:
            kind = array.dtype.str.replace("i8", "i4")  # numbers of points and of starts
            fill = _FILL.get(name, 0 if array.dtype.kind in "iu" else np.nan)
            specs.append(Spec(name, kind, own, fill))
    return specs, {"names": first.names, "header": json.dumps(header), "shared": shared}


def _compare(call: Call, store: ZarrStore, called: dict[str, str], out: Store, chunk: Any) -> None:
    """Refuse to go on with a store that another call has begun, or with other data."""
    changed = differences(store.about["call"], called)
    if store.about["cov"] != out.cov:
        changed.append(f"cov was {store.about['cov']} and is {out.cov}")
    if chunk is not None and grid_of(call.layout, call.data, chunk) != store.grid:
        changed.append(f"chunk={chunk} is not the {store.grid.piece} of before")
    if not changed:
        changed = _changed_data(call, store)
    if changed:
        raise ValueError(
            f"{store.path} was begun by another call: {'; '.join(changed)}; repeat that call to go "
            "on with it, or give another out, or out=thalweg.scale.Store(path, overwrite=True) to "
            "begin anew"
        )


def _changed_data(call: Call, store: ZarrStore) -> list[str]:
    """A sentence for a finished piece whose data are not those of before, among some of them."""
    marks = store.finished()
    done = np.argwhere(marks[..., 0])
    some = done[spread(len(done), _COMPARED)]
    for place in (tuple(map(int, p)) for p in some):
        region = store.grid.region(place)
        now = tuple(digest_of_sources(part, region) for part in (call.of_data, call.more))
        for what, before, after in zip(_DIGESTED, marks[place], now, strict=True):
            if int(before) != after:
                where = in_words(region)
                return [f"values of {what} in the data sets [{where}] are not those of before"]
    return []


# ---- the run -------------------------------------------------------------------------------------


class _Watch:
    """What a run tells while it goes on."""

    def __init__(self, total: int, before: int, callback: Any, bar: Any) -> None:
        self.total, self.done, self.callback, self.bar = total, before, callback, bar
        self.stopped = False

    def next_piece(self, size: int) -> bool:
        """Count a piece of so many fits as done; return whether the run shall end."""
        self.done += size
        return self.stopped

    def __call__(self, done: int, _: int) -> bool:
        """Tell how many fits of this piece are done; return whether the run shall end."""
        if self.bar is not None:
            self.bar.update(self.done + done - self.bar.n)
        if self.callback is not None and self.callback(self.done + done, self.total):
            self.stopped = True
        return self.stopped


def _fit_pieces(
    call: Call, store: ZarrStore, todo: Sequence[tuple[int, ...]], given: Mapping[str, Any]
) -> Any:
    """Fit the pieces that are not finished; what interrupts it is raised with what is."""
    from .stored_result import StoredResult

    grid = store.grid
    total = int(np.prod(grid.batch))
    before = total - sum(map(grid.size, todo))
    by_name = call.first.problem.model.is_text  # the store knows a formula or a built-in model
    result = StoredResult(store, None if by_name else given["model"])
    bar = open_bar(total, "fit", before) if given["progress"] else None
    wanted = bar is not None or given["callback"] is not None
    watch = _Watch(total, before, given["callback"], bar) if wanted else None
    try:
        run_pieces(call, store, todo, watch)
        return result
    except BaseException as error:
        _tell(error, result)
        raise
    finally:
        if bar is not None:
            bar.close()


def run_pieces(
    call: Call, store: ZarrStore, todo: Iterable[tuple[int, ...]], watch: _Watch | None
) -> None:
    """Fit pieces; the one before is written and the next one read at the same time."""
    places = iter(todo)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        coming = _next(call, store, places, reader)
        writing: Future[None] | None = None
        try:
            while coming is not None:
                place, reading = coming
                arguments, digests = reading.result()
                coming = _next(call, store, places, reader)
                result = _fit_one(arguments, watch, store.grid.region(place))
                if _was_cut_off(result, call, watch):
                    break
                if writing is not None:
                    writing.result()
                writing = writer.submit(_write, store, place, result, digests)
                del arguments, result
                if watch is not None and watch.next_piece(store.grid.size(place)):
                    break
        finally:
            if writing is not None:
                writing.result()


def _was_cut_off(result: FitResult, call: Call, watch: _Watch | None) -> bool:
    """Whether the callback has ended the run before all fits of a piece were final.

    A fit of several starts keeps the best so far, which does not tell that others were to follow.
    """
    several = call.arguments["starts"] is not None or call.arguments["retry"] is not None
    stopped = watch is not None and watch.stopped
    return (stopped and several) or not result.status.all()


def _next(
    call: Call, store: ZarrStore, places: Any, reader: ThreadPoolExecutor
) -> tuple[tuple[int, ...], Future[Any]] | None:
    """Begin to read the next piece; None after the last one."""
    place = next(places, None)
    if place is None:
        return None
    region = store.grid.region(place)
    n_data = len(call.of_data)

    def read() -> tuple[dict[str, Any], tuple[int, int]]:
        arguments, parts = read_piece(call.arguments, region)
        shape = [s.stop - s.start for s in region]
        return arguments, (
            digest_of_parts(parts[:n_data], shape),
            digest_of_parts(parts[n_data:], shape),
        )

    return place, reader.submit(read)


def _fit_one(
    arguments: dict[str, Any], watch: Callable[[int, int], Any] | None, region: Region
) -> FitResult:
    """Fit a piece; an exception tells which one it was."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowModelWarning)  # it was told with the first data set
        try:
            return fit(**arguments, callback=watch)
        except Exception as error:
            error.add_note(f"this was in the piece [{in_words(region)}] of the batch")
            raise


def _write(
    store: ZarrStore, place: tuple[int, ...], result: FitResult, digests: tuple[int, int]
) -> None:
    store.write(place, piece_arrays(store, result), digests)


def piece_arrays(store: ZarrStore, result: FitResult) -> dict[str, Array]:
    """Return the arrays of a piece, without the axis of length 1 that its batch begins with."""
    arrays = _arrays_of(result)
    return {name: arrays[name][0] for name in store.specs}


def _arrays_of(result: FitResult) -> dict[str, Array]:
    """The arrays of a result, those of every fit in the shape of the batch, with errors of all."""
    arrays = arrays_of(result) | {"stderr": result.stderr}
    arrays.pop("errors", None)
    if "fixed" in arrays:
        arrays["fixed"] = arrays["fixed"].reshape(result.params.shape)
    return arrays


def _tell(error: BaseException, result: Any) -> None:
    """Give an exception the stored result, and words that say how to go on."""
    words = (
        f"{result.n_finished} of {result.size} fits are finished in {result.path}; the same call "
        "goes on with the others"
    )
    with suppress(AttributeError):  # an exception class of the user's may refuse attributes
        error.result = result  # type: ignore[attr-defined]
    if type(error) is KeyboardInterrupt and not error.args:
        error.args = (words,)
    else:
        error.add_note(words)
