"""Batches in parts, of models of which only a fit tells whether they have several outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..fitting.outputs import NoAxisOfOutputs

_Result = TypeVar("_Result")


class OtherOutputs(ValueError):
    """An axis of y was taken for one of the batch, and is that of outputs, or the other way round.

    A fit of some data sets has then a result of this shape instead of theirs.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(f"the outputs of the model make a batch of shape {shape} of the data")


def of_some_outputs(call: Callable[[bool], _Result], shape: tuple[int, ...]) -> _Result:
    """Return ``call(outputs)``, with False or, if that is refused, with True.

    ``outputs`` says that the last axis of y before the points is that of the outputs of a model.
    Data of one output are the usual ones, and a model is asked by the fit alone; so they are tried
    first.

    Raises
    ------
    ValueError
        Both are refused: the error of data of one output, unless the model has several.  ``shape``
        is that of y.
    """
    try:
        return call(False)
    except ValueError as error:
        refusal = error
    try:
        return call(True)
    except NoAxisOfOutputs as error:
        raise error.of_all(shape) from None
    except ValueError as error:
        several = isinstance(refusal, NoAxisOfOutputs | OtherOutputs)
        raise (error if several else refusal) from None
