"""Formulas whose independent variables are columns of a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


def with_independent(model: Any, names: Sequence[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a fit, with these columns as variables of a formula that uses one."""
    if not isinstance(model, str) or options.get("independent") is not None:
        return options
    words = set(re.findall(r"[^\W\d]\w*", model))
    return {**options, "independent": list(names)} if words & set(names) else options
