"""Results as Datasets of xarray: of fits that have run, and of fits that will."""

from __future__ import annotations

from typing import Any

from .._optional import optional
from ..fitting.tables import flags_of_status, refuse_taken

_OF_A_FIT = ("chi2", "dof", "n_used", "n_iter", "status")


def dataset(result: Any, dims: tuple[Any, ...], coords: Any, prefix: str = "") -> Any:
    """Return a Dataset with a variable for each parameter, its standard error, chi2 and so on.

    Parameters
    ----------
    result : FitResult or LazyResult
    dims : tuple
        The names of the batch's axes.
    coords : Coordinates or dict
        The coordinates that vary along these alone.
    prefix : str
        What the names of all variables begin with.

    Raises
    ------
    ValueError
        A coordinate has the name of a variable.
    """
    xr = optional("xarray", "a Dataset needs")
    numbers: dict[str, Any] = {}
    for j, name in enumerate(result.names):
        numbers[name] = result[name]
        numbers[f"{name}_stderr"] = result.stderr[..., j]
    numbers |= {name: getattr(result, name) for name in _OF_A_FIT}
    variables = {prefix + name: (dims, value) for name, value in numbers.items()}
    variables[f"{prefix}cov"] = ((*dims, "cov_i", "cov_j"), result.cov)
    refuse_taken({*variables, "cov_i", "cov_j"}, {*dims, *coords})
    names = list(result.names)
    out = xr.Dataset(variables, coords).assign_coords(cov_i=names, cov_j=names)
    out[f"{prefix}status"].attrs = flags_of_status()
    return out
