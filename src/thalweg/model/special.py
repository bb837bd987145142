"""Functions of SciPy that the specification uses; SciPy is imported when they are called."""

from collections.abc import Callable
from typing import Any


def special(name: str) -> Callable[..., Any]:
    """Return the function of that name of `scipy.special`."""

    def call(*operands: Any) -> Any:
        try:
            import scipy.special
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                f"{name} in plain NumPy needs SciPy: install scipy (compiled fits do not need it)"
            ) from None
        return getattr(scipy.special, name)(*operands)

    return call
