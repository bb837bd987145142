"""Why a fit, a descent or a linear model stopped: each success is an inequality that was met.

All of them share one enum, in which a test of the same name asks the same question.  What exactly
is compared differs, so there is a table of sentences for each, `FITS`, `DESCENTS`, `LINEAR`,
`IMAGES` and `PIVOTED`, which also tells which statuses it can have.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final


class Status(IntEnum):
    """Why a fit, a descent or a linear model stopped; success is positive.

    The numbers down to RANGE, -10, are those of ``tw_status`` in csrc/fit/contract.h; those that
    follow belong to descents and linear models, and ROUNDING to pivoting too.

    Examples
    --------
    >>> import thalweg as tw
    >>> r = tw.fit("line", [0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
    >>> tw.Status(int(r.status)) is tw.Status.EXACT, tw.Status.EXACT > 0
    (True, True)
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
    ROUNDING = 5
    STATIONARY = 6
    INTERRUPTED = -11
    TIME = -12
    CALLBACK = -13
    DIVERGED = -14
    UNBOUNDED = -15
    NO_BRACKET = -16
    SADDLE = -17
    GAP = 7

    @property
    def success(self) -> bool:
        """Whether a tolerance was met."""
        return self > 0


# The sentences of fits; {parameter} and {input} are filled in by `explain`.
FITS: Final[Mapping[Status, str]] = {
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

DESCENTS: Final[Mapping[Status, str]] = {
    Status.INTERRUPTED: "interrupted before a tolerance was met; this is the best point so far",
    Status.GTOL: "converged: the gradient meets the test that gtol sets for this kind of loss",
    Status.XTOL: "converged: ||step|| <= xtol * ||theta||, and so is Newton's step",
    Status.FTOL: "converged: |change of the loss| <= ftol * |loss|, and so is what Newton's step "
    "promises",
    Status.ROUNDING: "converged: no step can lower the loss by more than its rounding error",
    Status.STATIONARY: "the gradient at the start is 0 and no curvature is negative: a minimum, or "
    "a loss that does not depend on theta",
    Status.MAX_ITER: "max_iter iterations were made before a tolerance was met",
    Status.TIME: "time_limit seconds passed before a tolerance was met",
    Status.CALLBACK: "the callback returned True",
    Status.NO_PROGRESS: "the step changes no digit of theta, yet no tolerance is met: "
    "gtol is below rounding, or step_size is too small",
    Status.DIVERGED: "the loss has grown far beyond its start; a smaller step may help",
    Status.NOT_FINITE: "the loss or its gradient is not finite",
    Status.UNBOUNDED: "the loss has no minimum: it does not curve upwards along the direction of "
    "descent",
    Status.NO_BRACKET: "the line search found no step that lowers the loss enough",
    Status.SADDLE: "the gradient vanishes, but the loss curves downwards: a saddle or a maximum",
    Status.DRIFT: "the loss has become flat along a parameter: no minimum in sight",
}

# The sentences of linear models; that of a success is followed by the gap that was asked for.
LINEAR: Final[Mapping[Status, str]] = {
    Status.GAP: "converged: duality gap <= tol * 1/2 ||b||^2",
    Status.NOT_RUN: "not run: the call was interrupted before this right-hand side",
    Status.MAX_ITER: "max_iter rounds were made before the gap was met",
    Status.NO_PROGRESS: "rounds no longer lower the duality gap",
    Status.INTERRUPTED: "interrupted before the gap was met",
    Status.TIME: "time_limit seconds passed before the gap was met",
    Status.CALLBACK: "the callback returned True",
}

# The sentences of images (`linear.icd`); that of a success ends in the same way.
IMAGES: Final[Mapping[Status, str]] = {
    Status.XTOL: "converged: the distance of every pixel from its minimum, the others at rest, is "
    "<= tol * max |x|",
    Status.MAX_ITER: "max_iter sweeps were made before the tolerance was met",
    Status.NO_PROGRESS: "sweeps bring the pixels no nearer to their minima",
    Status.INTERRUPTED: "interrupted before the tolerance was met; this is the image after the "
    "last whole sweep",
    Status.CALLBACK: "the callback returned True",
}

# The sentences of quadratic problems in a box, solved by pivoting (`kernels.block_pivoting`).
PIVOTED: Final[Mapping[Status, str]] = {
    Status.ROUNDING: "converged: nothing that points into the box is left of c - G theta, but what "
    "rounding may have made",
    Status.NOT_RUN: "not run: the job was interrupted before this problem had finished",
    Status.MAX_ITER: "max_iter exchanges were made before a minimum was found; theta is within the "
    "bounds",
    Status.SINGULAR: "a column that depends on others could still lower the objective: G has lost "
    "the digits that tell them apart, or c is not in the range of G",
    Status.NOT_FINITE: "theta overflows; another unit may help",
}

# What `detail` names with NOT_FINITE and with RANGE: a number of `tw_input` (csrc/fit/contract.h).
_INPUTS: Final = (
    "y",
    "the model or chi2 at the start",
    "a derivative of the model at the start",
)
_NO_MEAN: Final = 3  # with NOT_FINITE: a tw_input of counts
_SQUARES: Final = (
    "(y / sigma)^2",
    "chi2 at the start",
    "the square of a derivative of the model at the start",
)


def explain(status: int, detail: int, names: Sequence[str]) -> str:
    """Return the sentence of a fit's status; ``detail`` tells which parameter or input it names."""
    status = Status(status)
    if status is Status.NOT_FINITE and detail == _NO_MEAN:
        return "the model at the start is not positive, as the mean of counts must be"
    inputs = _SQUARES if status is Status.RANGE else _INPUTS
    return FITS[status].format(
        parameter=names[detail] if 0 <= detail < len(names) else "a parameter",
        input=inputs[detail] if 0 <= detail < len(inputs) else "an input",
    )


class Halt(Exception):
    """Raised by a method's step that cannot go on; `minimize` turns it into a status.

    It is defined here because linear algebra and losses, which know nothing of methods, raise it,
    too.

    Parameters
    ----------
    status : Status
    message : str
        A sentence with the numbers of this case; by default that of the status.
    """

    def __init__(self, status: Status, message: str = "") -> None:
        super().__init__(message or DESCENTS[status])
        self.status = status
