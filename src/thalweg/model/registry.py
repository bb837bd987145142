"""The class of built-in models, and the list of them.

The models themselves are defined in `library`; the decorator `built_in` puts each on the list.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arithmetic import Composable
from .guess import Estimator, start_values

OFFSET = "offset"  # the parameter that is added to a model's values
PARAMETERS = "Parameters\n----------\n"


@dataclass(frozen=True, repr=False)
class Model(Composable):
    """A model function with the names of its parameters and start values from data.

    Call it like the function, ``model(x, *params)``; parameters of shape (..., 1) broadcast
    against x of shape (N,).

    Attributes
    ----------
    name : str
        The name by which `get_model` finds it.
    function : callable
        ``f(x, *params)``, or ``f((x, y), *params)`` with two independent variables.
    names : tuple of str
        The names of the parameters, in order.
    independent : tuple of str
        The names of the independent variables.
    formula : str
        The function as text.
    summary : str
        A description in one line.
    estimate : callable
        Takes scaled coordinates and data and returns start values; see `guess`.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.models.line.names
    ('slope', 'intercept')
    >>> float(tw.models.line(2.0, 3.0, 1.0))
    7.0
    """

    name: str
    function: Callable[..., Any]
    names: tuple[str, ...]
    independent: tuple[str, ...]
    formula: str
    summary: str
    estimate: Estimator

    def __post_init__(self) -> None:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        variables = [inspect.Parameter(n, kind) for n in ("".join(self.independent), *self.names)]
        notes = (inspect.getdoc(self.function) or "").partition("\n\n")[2]
        details = {
            "__name__": self.name,
            "__signature__": inspect.Signature(variables),  # what curve_fit counts
            "__doc__": f"{self.summary}\n\n    {self.formula}\n\n{PARAMETERS}{notes}",
        }
        for key, value in details.items():
            object.__setattr__(self, key, value)

    def __repr__(self) -> str:
        variables, names = ", ".join(self.independent), ", ".join(self.names)
        return f"<Model {self.name}({variables}; {names}):\n {self.formula}>"

    def __call__(self, x: Any, *params: Any) -> Any:
        """Return f(x, *params)."""
        return self.function(x, *params)

    def guess(self, x: ArrayLike | Sequence[ArrayLike], y: ArrayLike) -> NDArray[np.float64]:
        """Return start values for every data set in y.

        Parameters
        ----------
        x : array_like, shape (N,) or (..., N), or a sequence of two such arrays
            The independent variable, or variables, in any order and spacing.
        y : array_like, shape (..., N)
            The data; a value that is not finite is a missing point.

        Returns
        -------
        ndarray, shape (..., P)
            Start values, finite even if the data determine nothing.  A row gets the same values to
            the last bit, alone or in a batch.

        Raises
        ------
        ValueError
            The shapes of x and y do not fit.
        """
        return start_values(self.estimate, x, y, len(self.independent), len(self.names))


MODELS: dict[str, Model] = {}  # the built-in models by name, in the order of `library`


def built_in(estimate: Estimator, formula: str) -> Callable[[Callable[..., Any]], Model]:
    """Turn a function into the model of its name; its docstring begins with the summary."""

    def decorate(function: Callable[..., Any]) -> Model:
        name = function.__name__
        first, *names = inspect.signature(function).parameters
        independent = ("x", "y") if first == "xy" else (first,)
        summary = (function.__doc__ or "").partition("\n")[0]
        function.__qualname__ = f"{name}.function"  # where pickle finds it
        model = Model(name, function, tuple(names), independent, formula, summary, estimate)
        MODELS[name] = model
        return model

    return decorate
