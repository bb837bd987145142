"""Results in a file: an archive of arrays, ``.npz``, and a header of words in JSON; no pickle.

The file holds the numbers and names of a result, its labels and what the model is called, but
neither the data nor the model's code.  A formula and a built-in model come back with the result; a
function of Python is given again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._archives import load_archive, write_archive
from .._arguments.check import Array, PerFit
from .._arguments.spelling import spelled
from .._whole_files import Output
from ..model import ModelInfo, as_model
from ..model.graph import rebuilt
from ..model.several import Several
from ..model.ties import Tie, Ties
from .data import Data
from .labels import Labels
from .noise import Noise
from .problem import Problem
from .result import FitResult
from .selection import PER_FIT
from .shared import Groups, Sharing

_FORMAT = 1  # number of the file format; it rises with a change that older versions cannot read
_FORMAT_WITH_TIES = 2  # the format of results with tied parameters, which format 1 cannot hold
_FORMAT_WITH_GROUPS = 3  # and of results with shared parameters
_FORMAT_WITH_NOISE = 4  # and of results with other noise than normal
_FORMAT_WITH_OUTPUTS = 5  # and of results of models with several outputs, or complex ones
_GROUPS = "groups "  # begins the names of the arrays that tell of groups
_F_SCALE = "f_scale"  # the scale of a robust loss, () or (...)
_COORDINATE = "coordinate "  # begins the names of the arrays that are labels


def arrays_of(result: FitResult) -> dict[str, Array]:
    """Return the arrays of a file that `load` makes a result from.

    Raises
    ------
    TypeError
        A coordinate holds objects that are no texts.
    """
    problem = result.problem
    arrays = {name: getattr(result, name) for name in PER_FIT}
    if result.errors is not None:
        arrays["errors"] = result.errors
    if result.agreement is not None:
        arrays["agreement"] = result.agreement
    if result.groups is not None:
        arrays |= {_GROUPS + name: a for name, a in result.groups._asdict().items()}
    lower, upper = problem.bounds
    arrays |= {"lower": lower, "upper": upper, "free": np.array(problem.free, np.int64)}
    if problem.fixed is not None:
        arrays["fixed"] = problem.fixed
    if problem.noise is not None and (scale := problem.noise.f_scale) is not None:
        shape = problem.data.batch if scale.step else ()
        arrays[_F_SCALE] = scale.array.reshape(shape)
    labels = problem.data.labels
    for name, (_, values) in labels.coords.items() if labels else ():
        arrays[_COORDINATE + name] = _without_objects(values, name)
    arrays["header"] = np.array(json.dumps(_header(result)))
    return arrays


def _header(result: FitResult) -> dict[str, Any]:
    problem, labels = result.problem, result.problem.data.labels
    model, data = problem.model, problem.data
    return {
        "thalweg": _format_of(problem),
        "shared": problem.sharing and problem.sharing.names,
        "names": result.names,
        "absolute_sigma": problem.absolute_sigma,
        "noise": problem.noise and problem.noise.kind,
        "outputs": data.several,
        "model": model.label,
        "independent": model.independent if model.is_text else (),  # empty: a function of Python
        "form": data.form,
        "variables": len(data.x),
        "columns": data.names,
        "tied": problem.ties and _described(problem.ties),
        "dims": labels and labels.dims,
        "coords": labels and {name: dims for name, (dims, _) in labels.coords.items()},
        "levels": labels and labels.levels,
    }


def _format_of(problem: Problem) -> int:
    if problem.data.several:
        return _FORMAT_WITH_OUTPUTS
    if problem.noise:
        return _FORMAT_WITH_NOISE
    if problem.sharing:
        return _FORMAT_WITH_GROUPS
    return _FORMAT_WITH_TIES if problem.ties else _FORMAT


def _described(ties: Ties) -> dict[str, Any]:
    """The ties by their recorded graph, which tells their values and derivatives."""
    return {
        "places": ties.places,
        "texts": [tie.text for tie in ties.ties],
        "nodes": ties.graph.nodes,
        "outputs": ties.outputs,
    }


def _ties(described: dict[str, Any], names: tuple[str, ...]) -> Ties:
    """The ties that a file describes; the functions are not needed, as all values are known."""
    pairs = zip(described["places"], described["texts"], strict=True)
    ties = tuple(Tie(place, (), _Unknown(text), text) for place, text in pairs)
    graph = rebuilt(len(names), [tuple(node) for node in described["nodes"]])
    return Ties(names, ties, graph, tuple(described["outputs"]))


def _without_objects(values: Array, name: str) -> Array:
    """Return an object array of texts as an array of texts, and other arrays unchanged."""
    if values.dtype.kind != "O":
        return values
    if not all(isinstance(v, str) for v in values.reshape(-1)):
        raise TypeError(
            f"the coordinate {name!r} holds objects, which a file of numbers and names cannot hold"
        )
    return values.astype(np.str_)


def save(result: FitResult, path: Any) -> None:
    """Write a result to a file, whole or not at all; see `FitResult.save`."""
    arrays = arrays_of(result)
    Output(Path(path)).commit(lambda file: write_archive(file, arrays))


@spelled
def load(path: Any, model: Any = None) -> FitResult:
    """Return the result that `FitResult.save` or the command line wrote to an ``.npz`` file.

    Parameters
    ----------
    path : path
        The file.
    model : callable, str or Model, optional
        The model, for `FitResult.predict`; not needed for a formula or a built-in model.

    Returns
    -------
    FitResult
        The result with all numbers that were saved.  Attributes that need the data, such as
        `FitResult.residual`, raise ValueError, as the file holds no data.

    Raises
    ------
    ValueError
        The file is no result, was written by a later version, or the model has other parameters.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import thalweg as tw
    >>> r = tw.fit("a*x + b", [0.0, 1.0, 2.0], [1.0, 3.0, 5.0], p0={"a": 1, "b": 0})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     r.save(Path(folder) / "line.npz")
    ...     again = tw.load(Path(folder) / "line.npz")
    >>> again.predict([3.0]).round(9)
    array([7.])
    """
    return from_arrays(*_read(Path(path)), model)


def from_arrays(arrays: dict[str, Array], header: dict[str, Any], model: Any = None) -> FitResult:
    """Return the result of the arrays and the header that `arrays_of` gives."""
    names = tuple(header["names"])
    info = _model(header, names, model)
    per_fit: dict[str, Any] = {name: arrays[name] for name in PER_FIT}
    return FitResult(
        **per_fit,
        names=names,
        problem=_problem(header, arrays, info, names),
        errors=arrays.get("errors"),
        agreement=arrays.get("agreement"),
        groups=_groups(header, arrays),
    )


def _groups(header: dict[str, Any], arrays: dict[str, Array]) -> Groups | None:
    """The groups of fits with shared parameters; None if nothing is shared."""
    return Groups(*(arrays[_GROUPS + n] for n in Groups._fields)) if header.get("shared") else None


def _sharing(header: dict[str, Any], arrays: dict[str, Array]) -> Sharing | None:
    if not header.get("shared"):
        return None
    return Sharing(tuple(header["shared"]), arrays[_GROUPS + "number"].reshape(-1))


def _noise(header: dict[str, Any], arrays: dict[str, Array]) -> Noise | None:
    """The noise of the fits, with the scale of a robust loss; None for normal noise."""
    if not header.get("noise"):
        return None
    scale = arrays.get(_F_SCALE)
    row = None if scale is None else PerFit(scale.reshape(-1), int(scale.ndim > 0))
    return Noise(header["noise"], row)


def _read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the header of a file that `save` wrote."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; thalweg.scale.open_result opens a result in a store")
    try:
        arrays, _ = load_archive(path)
        header = json.loads(str(arrays["header"]))
        version, is_whole = header["thalweg"], _is_whole(header, arrays)
    except (ValueError, KeyError, TypeError):
        version, is_whole = 0, False
    if version > _FORMAT_WITH_OUTPUTS:
        raise ValueError(f"{path} was written by a later version of Thalweg than this one")
    if not is_whole:
        raise ValueError(f"{path} is no file of a Thalweg result, or a broken one")
    return arrays, header


def _is_whole(header: dict[str, Any], arrays: dict[str, Array]) -> bool:
    """Whether all arrays have the shapes that the header and the batch imply."""
    batch, P, F = arrays["chi2"].shape, len(header["names"]), len(arrays["free"])
    row = {"params": (P,), "covariance_rows": (F * (F + 1) // 2,)}
    more = [_GROUPS + name for name in Groups._fields] if header.get("shared") else []
    return all(arrays[n].shape == (*batch, *row.get(n, ())) for n in (*PER_FIT, *more))


@dataclass(frozen=True)
class _Unknown:
    """A stand-in for a Python function, of which a file holds the name alone."""

    label: str

    def __call__(self, *arguments: Any) -> Any:
        raise ValueError(
            f"the file holds only the name of its model, {self.label}; give the function: "
            "thalweg.load(path, model=...)"
        )


def _model(header: dict[str, Any], names: tuple[str, ...], model: Any) -> ModelInfo:
    """The model that the file names, or that is given, with the parameters of the result."""
    independent, label = tuple(header["independent"]), header["model"]
    if model is None and not independent:
        return ModelInfo(_Unknown(label), names, header["variables"], None, label)
    info = as_model(label if model is None else model, independent or None)
    if info.names is not None and tuple(info.names) != names:
        raise ValueError(
            f"the model has the parameters {', '.join(info.names)}, "
            f"the result in the file has {', '.join(names)}"
        )
    return info._replace(names=names)


def _problem(
    header: dict[str, Any], arrays: dict[str, Array], model: ModelInfo, names: tuple[str, ...]
) -> Problem:
    """The problem of a result without its data."""
    batch, dtype, P = arrays["chi2"].shape, arrays["chi2"].dtype, len(names)
    labels = None
    if header["dims"] is not None:
        of = header["coords"].items()
        coords = {name: (tuple(dims), arrays[_COORDINATE + name]) for name, dims in of}
        levels = {dim: tuple(own) for dim, own in header.get("levels", {}).items()}
        labels = Labels(tuple(header["dims"]), coords, levels)
    nothing, several = PerFit(np.empty(0, dtype), 0), header.get("outputs")
    several = several and Several(*several)
    data = Data(
        (nothing,) * header["variables"], header["form"], np.empty((arrays["chi2"].size, 0), dtype),
        None, None, batch, (several.n_real, 0) if several else (0,),
        names=tuple(header["columns"]), labels=labels, kept=False, several=several,
    )  # fmt: skip
    lower, upper = (
        PerFit(side.reshape(-1, P), 1) if side.ndim > 1 else PerFit(side, 0)
        for side in (arrays["lower"], arrays["upper"])
    )
    free = tuple(int(j) for j in arrays["free"])
    return Problem(
        model, data, names, free, PerFit(np.full(P, np.nan, dtype), 0), lower, upper,
        bool(np.isfinite(lower.array).any() or np.isfinite(upper.array).any()),
        arrays.get("fixed"), None, absolute_sigma=bool(header["absolute_sigma"]),
        ties=_ties(header["tied"], names) if header.get("tied") else None,
        sharing=_sharing(header, arrays),
        noise=_noise(header, arrays),
    )  # fmt: skip
