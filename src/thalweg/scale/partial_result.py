"""A result of which a store has kept the standard errors, but no covariances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from .._arguments.check import Array
from ..fitting import tables
from ..fitting.result import FitResult
from ..fitting.selection import select

_WORDS = (
    "the store holds standard errors, but no covariances; fit with "
    "out=thalweg.scale.Store(path, cov=True) to keep them"
)


class _WithoutCovariance(FitResult):
    """A result whose covariances are not known; whatever needs them says so."""

    __qualname__ = FitResult.__qualname__  # so that it is printed under the name of a result

    @property
    def covariance_rows(self) -> NoReturn:
        """Refuse what the store does not hold.

        Raises
        ------
        ValueError
        """
        raise ValueError(_WORDS)

    def to_dataframe(self) -> Any:
        """Return the table of `FitResult.to_dataframe` without the covariances."""
        return tables.to_dataframe(self, with_cov=False)

    def to_xarray(self) -> Any:
        """Return the Dataset of `FitResult.to_xarray` without the covariances."""
        return tables.to_xarray(self, with_cov=False)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        plain: FitResult = self.__dict__["_plain"]
        return without_covariance(select(plain, key), None)

    def __iter__(self) -> Iterator[FitResult]:
        return (self[k] for k in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return without_covariance, (self.__dict__["_plain"], self.__dict__.get("stderr"))


def without_covariance(result: FitResult, stderr: Array | None) -> FitResult:
    """Return a result whose covariances are not known; ``stderr`` are its standard errors."""
    own = _WithoutCovariance.__new__(_WithoutCovariance)
    known = {k: v for k, v in result.__dict__.items() if k != "covariance_rows"}
    own.__dict__.update(known, _plain=result)
    if stderr is not None:
        own.__dict__["stderr"] = stderr
    return own
