"""Start values from a function of the user's, called for each data set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from .._arguments.check import Array, by_name, numbers
from ..model import ModelInfo
from .data import Data


def with_guess(
    model: ModelInfo, guess: Any, p0: Any, data: Data, tied: Collection[str]
) -> tuple[ModelInfo, Any, bool]:
    """Return the model with the user's function that guesses its start, if there is one, and p0.

    The third value tells whether p0 was "neighbours", which stands for None otherwise.

    Raises
    ------
    TypeError
        ``guess`` cannot be called.
    ValueError
        There is a p0, too, or the names of the parameters are not known.
    """
    neighbours = isinstance(p0, str) and p0 == "neighbours"
    p0 = None if neighbours else p0
    if guess is None:
        return model, p0, neighbours
    if not callable(guess):
        raise TypeError(f"guess must be a function guess(x, y), got {type(guess).__name__}")
    if p0 is not None:
        raise ValueError("p0 and guess both say where fits start; give one of them")
    if model.names is None:
        raise ValueError("guess needs a model whose parameters have names; this one takes *args")
    model = model._replace(guess=_Guess(guess, model.names, data, tuple(tied)))
    return model, p0, neighbours


class _Guess:
    """Calls ``guess(x, y)`` for each data set, in the shape of its points."""

    def __init__(
        self, function: Callable[..., Any], names: Sequence[str], data: Data, tied: tuple[str, ...]
    ) -> None:
        self.function, self.names, self.data, self.tied = function, names, data, tied

    def __call__(self, _: Any, rows: Array) -> Array:
        """Return starts (B, P) for y (B, N), which is NaN where a point is left out."""
        starts = np.empty((len(rows), len(self.names)))
        for fit, row in enumerate(rows):
            y = self.data.as_returned(row.reshape(self.data.points).copy())
            value = self.function(self.data.argument(fit), y)
            starts[fit] = self._read(value)
        return starts

    def _read(self, value: Any) -> Array:
        """The values of all parameters, in order; tied ones may be absent from a mapping."""
        if isinstance(value, Mapping):
            known = {**dict.fromkeys(self.tied, 0.0), **value}
            value = by_name(known, self.names, "guess")
        array = numbers(value, "what guess returns", np.float64)
        if array.shape != (len(self.names),):
            raise ValueError(
                f"guess must return a start for each of {', '.join(self.names)}, "
                f"got shape {array.shape}"
            )
        return array
