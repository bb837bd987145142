"""Independent variables by name: the columns of a dict or of a table such as a DataFrame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def columns_of(x: Any) -> dict[str, Any] | None:
    """Return the columns of x that hold numbers, by name; None if x has no columns."""
    if type(x) is np.ndarray and x.dtype.names is None:  # what most callers give
        return None
    if isinstance(x, Mapping):
        columns = dict(x)
    elif hasattr(x, "columns") and hasattr(x, "shape") and len(x.shape) == 2:  # pandas, polars
        columns = {name: x[name] for name in x.columns}
    elif getattr(getattr(x, "dtype", None), "names", None):  # a structured array
        columns = {name: x[name] for name in x.dtype.names}
    else:
        return None
    if not columns:
        raise ValueError("x has no columns")
    numeric = {name: values for name, values in columns.items() if _is_numeric(values)}
    return numeric or columns


def _is_numeric(values: Any) -> bool:
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    return (kind if kind is not None else np.asarray(values).dtype.kind) in "biuf"
