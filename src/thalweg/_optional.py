"""Libraries that only some functions need: imported when asked for, named where missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# What pip installs, where it is called otherwise than what Python imports.
_PACKAGES = {"sklearn": "scikit-learn"}


def optional(module: str, need: str) -> Any:
    """Return a module that Thalweg runs without.

    Parameters
    ----------
    module : str
        The name to import, such as ``"matplotlib.pyplot"``.
    need : str
        The beginning of the sentence that says what needs it, such as ``"plots need"``.

    Raises
    ------
    ModuleNotFoundError
        The library is not installed, with the command that installs it.
    """
    library = module.partition(".")[0]
    try:
        import_module(library)  # a missing parent is noticed even where a part is loaded
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:  # the library is there, and broken
            raise
        package = _PACKAGES.get(library, library)
        raise ModuleNotFoundError(
            f"{need} {package}: python -m pip install {package}", name=library
        ) from None
