"""Masked arrays are told without `numpy.ma`: its import would take 20 ms of the first fit.

Where nobody has imported `numpy.ma` there is no masked array.
"""

from __future__ import annotations

import sys
from typing import Any, TypeGuard

import numpy as np


def is_masked_array(value: Any) -> TypeGuard[np.ma.MaskedArray[Any, Any]]:
    """Return whether a value is a masked array, whether or not an element of it is masked."""
    kind = getattr(sys.modules.get("numpy.ma"), "MaskedArray", ())
    return isinstance(value, kind)
