"""Why a fit stopped: each status is the inequality that was met, in words.

The numbers are those of ``tw_status`` in csrc/thalweg.h.  Positive is success.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final


class Status(IntEnum):
    """Why a fit stopped; success is positive.

    Attributes
    ----------
    sentence : str
        The test that was met; ``{parameter}``, ``{input}`` are filled in by `explain`.
    """

    NOT_RUN = 0
    FTOL = 1
    XTOL = 2
    GTOL = 3
    EXACT = 4
    MAX_ITER = -1
    NO_PROGRESS = -2
    SINGULAR = -3
    NOT_FINITE = -4
    TOO_FEW_POINTS = -5
    BAD_START = -6
    BAD_BOUNDS = -7
    BAD_SIGMA = -8
    DRIFT = -9
    RANGE = -10

    @property
    def sentence(self) -> str:
        """The test that was met."""
        return _SENTENCES[self]

    @property
    def success(self) -> bool:
        """Whether the fit met a tolerance."""
        return self > 0


_SENTENCES: Final = {
    Status.NOT_RUN: "not run: the job was interrupted before this fit had finished",
    Status.FTOL: "converged: actual and predicted reduction of chi2 <= ftol * chi2, "
    "or its rounding",
    Status.XTOL: "converged: every |step_j| <= xtol * (|theta_j| + sqrt(chi2) / D_j)",
    Status.GTOL: "converged: cosine between the residual and the model's tangents <= gtol",
    Status.EXACT: "converged: chi2 is at the rounding level of sum (y / sigma)^2",
    Status.MAX_ITER: "max_iter trial steps were taken before a tolerance was met",
    Status.NO_PROGRESS: "no trial step reduces chi2, yet no tolerance is met; "
    "the model may not be smooth here",
    Status.SINGULAR: "the data do not determine {parameter}: "
    "its derivative is zero or a combination of the others",
    Status.NOT_FINITE: "{input} is not finite",
    Status.TOO_FEW_POINTS: "fewer usable points than free parameters",
    Status.BAD_START: "the start of {parameter} is not finite or lies outside its bounds",
    Status.BAD_BOUNDS: "the bounds of {parameter} are NaN or the lower exceeds the upper",
    Status.BAD_SIGMA: "a sigma is not positive",
    Status.DRIFT: "the model has gone flat: {parameter} runs off, "
    "and chi2 hardly depends on it any more",
    Status.RANGE: "{input} leaves the range of the arithmetic in any unit; "
    "start nearer to the data, or fit in float64",
}

# detail, `tw_input` of csrc/thalweg.h, of NOT_FINITE and of RANGE
_INPUTS: Final = (
    "y",
    "the model or chi2 at the start",
    "a derivative of the model at the start",
)
_SQUARES: Final = (
    "(y / sigma)^2",
    "chi2 at the start",
    "the square of a derivative of the model at the start",
)


def explain(status: int, detail: int, names: Sequence[str]) -> str:
    """Return the sentence of a status, naming the parameter or input that ``detail`` points to."""
    status = Status(status)
    inputs = _SQUARES if status is Status.RANGE else _INPUTS
    return status.sentence.format(
        parameter=names[detail] if 0 <= detail < len(names) else "a parameter",
        input=inputs[detail] if 0 <= detail < len(inputs) else "an input",
    )
