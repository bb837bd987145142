"""Results in a file: an archive of arrays, ``.npz``, and a header of words in JSON; no pickle.

The file holds the numbers and names of a result, its labels and what the model is called, but
neither the data nor the model's code.  A formula and a built-in model come back with the result; a
function of Python is given again.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from .._arguments.check import Array, PerFit
from .._arguments.spelling import spelled
from .._whole_files import Output
from ..model import ModelInfo, as_model
from .data import Data
from .labels import Labels
from .problem import Problem
from .result import FitResult

_FORMAT = 1  # of the file; a later one that older versions cannot read gets the next number
_NUMBERS = ("params", "chi2", "n_iter", "n_used", "status", "covariance_rows", "detail", "attempts")
_COORDINATE = "coordinate "  # begins the names of the arrays that are labels


def arrays_of(result: FitResult) -> dict[str, Array]:
    """Return the arrays of a file that `load` makes a result from.

    Raises
    ------
    TypeError
        A coordinate holds objects that are no texts.
    """
    problem = result.problem
    arrays = {name: getattr(result, name) for name in _NUMBERS}
    if result.errors is not None:
        arrays["errors"] = result.errors
    lower, upper = problem.bounds
    arrays |= {"lower": lower, "upper": upper, "free": np.array(problem.free, np.int64)}
    if problem.fixed is not None:
        arrays["fixed"] = problem.fixed
    labels = problem.data.labels
    for name, (_, values) in labels.coords.items() if labels else ():
        arrays[_COORDINATE + name] = _without_objects(values, name)
    arrays["header"] = np.array(json.dumps(_header(result)))
    return arrays


def _header(result: FitResult) -> dict[str, Any]:
    problem, labels = result.problem, result.problem.data.labels
    model, data = problem.model, problem.data
    return {
        "thalweg": _FORMAT,
        "names": result.names,
        "absolute_sigma": result.absolute_sigma,
        "model": model.label,
        "independent": model.independent,  # empty for a function of Python
        "form": data.form,
        "variables": len(data.x),
        "columns": data.names,
        "dims": labels and labels.dims,
        "coords": labels and {name: dims for name, (dims, _) in labels.coords.items()},
    }


def _without_objects(values: Array, name: str) -> Array:
    """Texts as an array of texts, and all else as it is."""
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

    Output(Path(path)).commit(lambda file: write_arrays(file, arrays))


def write_arrays(file: BinaryIO, arrays: dict[str, Array]) -> None:
    """Write arrays as `numpy.savez` does; what interrupts it leaves nothing behind to complain.

    A `ZipFile` that is deleted in the middle of a member, as after Ctrl-C, prints an exception that
    nobody can catch; without its file it is silent.
    """
    archive = zipfile.ZipFile(file, "w")
    try:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asanyarray(array), allow_pickle=False)
        archive.close()
    except BaseException:
        archive.fp = None
        raise


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
        With all numbers that were saved; what needs the data, such as `FitResult.residual`, says
        that a file holds none.

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
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays["header"]))
        version = header["thalweg"]
    except (ValueError, KeyError, EOFError, TypeError, AttributeError):
        raise ValueError(f"{path} is no file of a Thalweg result") from None
    if version > _FORMAT:
        raise ValueError(f"{path} was written by a later version of Thalweg than this one")
    names = tuple(header["names"])
    info = _model(header, names, model)
    return FitResult(
        **{name: arrays[name] for name in _NUMBERS},
        names=names,
        problem=_problem(header, arrays, info, names),
        errors=arrays.get("errors"),
        absolute_sigma=bool(header["absolute_sigma"]),
    )


def _model(header: dict[str, Any], names: tuple[str, ...], model: Any) -> ModelInfo:
    """The model that the file names, or that is given, with the parameters of the result."""
    independent, label = tuple(header["independent"]), header["model"]
    if model is None and not independent:

        def unknown(*arguments: Any) -> Any:
            raise ValueError(
                f"the file names its model, {label}, and does not hold it; give it: "
                "thalweg.load(path, model=...)"
            )

        return ModelInfo(unknown, names, header["variables"], None, label)
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
        labels = Labels(tuple(header["dims"]), coords)
    nothing = PerFit(np.empty(0, dtype), 0)
    data = Data(
        (nothing,) * header["variables"], header["form"], np.empty((arrays["chi2"].size, 0), dtype),
        None, None, batch, (0,), names=tuple(header["columns"]), labels=labels, kept=False,
    )  # fmt: skip
    lower, upper = (
        PerFit(side.reshape(-1, P), 1) if side.ndim > 1 else PerFit(side, 0)
        for side in (arrays["lower"], arrays["upper"])
    )
    free = tuple(int(j) for j in arrays["free"])
    return Problem(
        model, data, names, free, PerFit(np.full(P, np.nan, dtype), 0), lower, upper,
        bool(np.isfinite(lower.array).any() or np.isfinite(upper.array).any()),
        arrays.get("fixed"), None,
    )  # fmt: skip
