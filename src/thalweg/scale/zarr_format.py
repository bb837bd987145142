"""What a folder of Zarr, format 3, tells of itself: the texts of its files ``zarr.json``.

Only arrays of raw numbers in C order, little endian, are described here, in regular chunks that lie
in files ``c/0/1/...`` below the folder of the array.

References
----------
.. [1] Zarr core specification, version 3, https://zarr-specs.readthedocs.io/en/latest/v3/core.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FILE = "zarr.json"  # in the folder of each group and of each array


def group_text(attributes: Mapping[str, Any]) -> bytes:
    """Return the text that describes a group with these attributes."""
    return _text({"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)})


def array_text(
    shape: Sequence[int], chunk: Sequence[int], dtype: Any, fill: float, dims: Sequence[str]
) -> bytes:
    """Return the text that describes an array whose axes have these names."""
    dtype = np.dtype(dtype)
    order = {} if dtype.itemsize == 1 else {"configuration": {"endian": "little"}}
    return _text(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(shape),
            "data_type": dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": _fill(dtype, fill),
            "codecs": [{"name": "bytes", **order}],
            "attributes": {},
            "dimension_names": list(dims),
            "storage_transformers": [],
        }
    )


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode()


def _fill(dtype: np.dtype[Any], fill: float) -> Any:
    """The fill value as JSON knows it, which has no word for NaN."""
    if dtype.kind == "b":
        return bool(fill)
    if dtype.kind in "iu":
        return int(fill)
    return "NaN" if math.isnan(fill) else float(fill)


def described(folder: Path) -> dict[str, Any] | None:
    """Return what a folder tells of itself; None if it is no folder of Zarr."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
