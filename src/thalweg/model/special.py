"""Functions of SciPy that the specification uses; SciPy is imported when they are called."""

from collections.abc import Callable
from typing import Any

from .._optional import optional


def special(name: str) -> Callable[..., Any]:
    """Return the function of that name of `scipy.special`."""

    def call(*operands: Any) -> Any:
        module = optional("scipy.special", f"{name} in plain NumPy (compiled fits do not) needs")
        return getattr(module, name)(*operands)

    return call
