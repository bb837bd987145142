"""What the status of a kernel means: the one place that turns a status into an exception.

Each family of kernels that can fail returns an enumeration of its own, in which 0 means success;
see csrc/<family>/contract.h.  (How a fit ends is no failure but a result, and has its sentences in
`thalweg.status`.)
"""
from enum import IntEnum

from thalweg._core cimport thalweg_h as c


class Adjoint(IntEnum):
    """What `tw_adjoint` returns."""

    OK = c.TW_ADJOINT_OK
    NOT_FINITE = c.TW_ADJOINT_NOT_FINITE
    BAD_INDEX = c.TW_ADJOINT_BAD_INDEX
    BAD_INDPTR = c.TW_ADJOINT_BAD_INDPTR


class Linear(IntEnum):
    """What `tw_linear` returns."""

    OK = c.TW_LINEAR_OK
    OVERFLOW = c.TW_LINEAR_OVERFLOW
    SCALE = c.TW_LINEAR_SCALE


class Quadratic(IntEnum):
    """What `tw_quadratic` returns."""

    OK = c.TW_QUADRATIC_OK
    BAD_ROW = c.TW_QUADRATIC_BAD_ROW


class Sweep(IntEnum):
    """What `tw_sweep` and `tw_sweep_csc` return."""

    OK = c.TW_SWEEP_OK
    BAD_INDPTR = c.TW_SWEEP_BAD_INDPTR
    BAD_ROW = c.TW_SWEEP_BAD_ROW
    BAD_ORDER = c.TW_SWEEP_BAD_ORDER
    NOT_FINITE = c.TW_SWEEP_NOT_FINITE
    OVERFLOW = c.TW_SWEEP_OVERFLOW


SENTENCES = {
    Adjoint: {
        Adjoint.NOT_FINITE: "{what} is not finite",
        Adjoint.BAD_INDEX: "J.indices must be columns from 0 to {last}",
        Adjoint.BAD_INDPTR: "J.indptr must rise from 0 or more to at most the length of J.indices",
    },
    Linear: {
        Linear.OVERFLOW: "column {where} of A overflows: its weighted sum of squares is not finite",
        Linear.SCALE: "{what} has a norm of {norm:.3g}, whose square is at the end of the range of "
        "numbers: measure it in other units",
    },
    Quadratic: {
        Quadratic.BAD_ROW: "row {where} of the sparse B {has} columns {wrong}",
    },
    Sweep: {
        Sweep.BAD_INDPTR: "indptr of A must rise from 0 to at most the number of stored values, "
        "but does not at column {where}",
        Sweep.BAD_ROW: "column {where} of A has a row index that is not in [0, n={n})",
        Sweep.BAD_ORDER: "column {where} of A has row indices that are unsorted or duplicated; "
        "A.sum_duplicates() puts them in order",
        Sweep.NOT_FINITE: "A must be finite, but column {where} holds NaN or infinity",
        Sweep.OVERFLOW: "column {where} of A overflows: its weighted sum of squares is not finite",
    },
}


def refuse(family, int status, **facts):
    """Raise ValueError with the sentence of a status of a family, unless it means success.

    Parameters
    ----------
    family : type
        `Adjoint`, `Linear`, `Quadratic` or `Sweep`.
    status : int
    **facts
        The values that the sentence names, such as ``where``.
    """
    if status == 0:
        return
    sentence = SENTENCES[family].get(status)
    if sentence is None:
        raise RuntimeError(
            f"a kernel returned {status}, which is no status of the family {family.__name__}"
        )
    raise ValueError(sentence.format(**facts))
