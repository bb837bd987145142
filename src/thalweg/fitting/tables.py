"""A result as columns, as a table of pandas, as a Dataset of xarray, and in HTML."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from html import escape
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.check import Array
from .._optional import optional
from ..status import FITS, Status

if TYPE_CHECKING:
    from .result import FitResult


def columns(result: FitResult) -> dict[str, Array]:
    """Return the result as flat columns by name, one entry per fit, as files hold it."""
    P = len(result.names)
    params, stderr = result.params.reshape(-1, P), result.stderr.reshape(-1, P)
    out: dict[str, Array] = {}
    for j, name in enumerate(result.names):
        out[name] = params[:, j]
        out[f"{name}_stderr"] = stderr[:, j]
    for name in ("chi2", "dof", "n_used", "n_iter", "status"):
        out[name] = getattr(result, name).reshape(-1)
    if result.groups is not None:
        out["group"] = result.groups.number.reshape(-1)
        out["group_chi2"] = result.groups.chi2.reshape(-1)
    words = {code: Status(code).name.lower() for code in np.unique(out["status"])}
    out["reason"] = np.array([words[code] for code in out["status"]], dtype=np.str_)
    return out


def to_dataframe(result: FitResult, with_cov: bool = True) -> Any:
    """Return a pandas DataFrame; see `FitResult.to_dataframe`."""
    pd = optional("pandas", "to_dataframe needs")
    table = columns(result)
    P = len(result.names)
    cov = result.cov.reshape(-1, P, P) if with_cov else np.empty((0, P, P))
    for i, j in combinations(range(P), 2) if with_cov else ():
        table[f"{result.names[i]}_{result.names[j]}_cov"] = cov[:, i, j]
    return pd.DataFrame(table, index=_index(result, pd))


def _index(result: FitResult, pd: Any) -> Any:
    """The labels of the batch as an index of pandas; None if it has none."""
    labels, batch = result.problem.data.labels, result.status.shape
    if labels is None or not batch:
        return None
    along = [labels.along(k, size) for k, size in enumerate(batch)]
    if labels.levels:
        places = np.indices(batch).reshape(len(batch), -1)
        names: list[str] = []
        arrays: list[Array] = []
        for dim, values, place in zip(labels.dims, along, places, strict=True):
            of = labels.levels.get(dim)
            arrays += [values[place]] if of is None else [labels.coords[n][1][place] for n in of]
            names += [dim] if of is None else of
        return pd.MultiIndex.from_arrays(arrays, names=names)
    if len(batch) == 1:
        return pd.Index(along[0], name=labels.dims[0])
    return pd.MultiIndex.from_product(along, names=labels.dims)


def to_xarray(result: FitResult, with_cov: bool = True) -> Any:
    """Return an xarray Dataset; see `FitResult.to_xarray`."""
    xr = optional("xarray", "to_xarray needs")
    batch, table, labels = result.status.shape, columns(result), result.problem.data.labels
    del table["reason"]
    dims = labels.dims if labels else tuple(f"dim_{k}" for k in range(len(batch)))
    coords = dict(labels.coords) if labels else {}
    levels = labels.levels if labels else {}
    refuse_taken({*table, "cov", "cov_i", "cov_j"}, {*dims, *coords})
    variables: dict[str, Any] = {n: (dims, c.reshape(batch)) for n, c in table.items()}
    if with_cov:
        variables["cov"] = ((*dims, "cov_i", "cov_j"), result.cov)
    names = {key: list(result.names) for key in ("cov_i", "cov_j")} if with_cov else {}
    dataset = xr.Dataset(variables, {**coords, **names})
    for dim, of in levels.items():
        dataset = dataset.set_index({dim: of})
    dataset["status"].attrs = flags_of_status()
    return dataset


def refuse_taken(numbers: Collection[str], labels: Collection[Hashable]) -> None:
    """Refuse labels of data of which one has the name of a number of the result.

    Raises
    ------
    ValueError
    """
    taken = [str(label) for label in labels if label in numbers]
    if taken:
        raise ValueError(
            f"{min(taken)!r} is the name of a coordinate of y and of a number of the result; "
            "rename the coordinate"
        )


def flags_of_status() -> dict[str, Any]:
    """Return the attributes of a variable of statuses, by the CF conventions, section 3.5."""
    return {
        "flag_values": np.array(list(FITS), np.int8),
        "flag_meanings": " ".join(status.name.lower() for status in FITS),
    }


def to_html(result: FitResult) -> str:
    """Return a table of the parameters of one fit, or of their spread over a batch."""
    if result.status.ndim:
        good = np.count_nonzero(result.success)
        head, foot = f"{result.status.size} fits, {good} succeeded", ""
        titles = ["", "median", "5 %", "95 %", "median standard error"]
        rows = [[name, *(f"{v:.6g}" for v in spread)] for name, *spread in result.spread()]
    else:
        head, foot = result.reason(), f"<p>chi2 = {result.chi2:.9g}, dof = {result.dof}</p>"
        titles = ["", "value", "standard error"]
        columns = zip(result.names, result.params, result.stderr, result.notes(), strict=True)
        rows = [[name, f"{v:.9g}", note or f"{error:.3g}"] for name, v, error, note in columns]
    lines = ["".join(f"<th>{escape(title)}</th>" for title in titles)]
    lines += [
        f"<th>{escape(n)}</th>" + "".join(f"<td>{c}</td>" for c in cells) for n, *cells in rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<p><b>FitResult</b>: {escape(head)}</p><table>{body}</table>{foot}"


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"<td>{text}</td>" for text in texts)
