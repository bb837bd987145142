"""Why a descent stopped: each reason is the inequality that was met, in words."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Stop(IntEnum):
    """Why `minimize` stopped; success is positive.

    Attributes
    ----------
    sentence : str
        The test that was met, in the words of the tolerances of `minimize`.
    """

    INTERRUPTED = 0
    GRADIENT = 1
    STEP = 2
    LOSS = 3
    ROUNDING = 4
    STATIONARY = 5
    MAX_ITER = -1
    TIME = -2
    CALLBACK = -3
    STALLED = -4
    DIVERGED = -5
    NOT_FINITE = -6
    UNBOUNDED = -7
    NO_BRACKET = -8
    SADDLE = -9
    FLAT = -10

    @property
    def sentence(self) -> str:
        """The test that was met."""
        return _SENTENCES[self]

    @property
    def success(self) -> bool:
        """Whether a tolerance was met."""
        return self > 0


_SENTENCES: Final = {
    Stop.INTERRUPTED: "interrupted before a tolerance was met; this is the best point so far",
    Stop.GRADIENT: "converged: the gradient meets the test that tol sets for this kind of loss",
    Stop.STEP: "converged: ||step|| <= step_tol * ||theta||, and so is Newton's step",
    Stop.LOSS: "converged: |change of the loss| <= loss_tol * |loss|, and so is what Newton's step "
    "promises",
    Stop.ROUNDING: "converged: no step can lower the loss by more than its rounding error",
    Stop.STATIONARY: "the gradient at the start is 0 and no curvature is negative: a minimum, or a "
    "loss that does not depend on theta",
    Stop.MAX_ITER: "max_iter iterations were made before a tolerance was met",
    Stop.TIME: "time_limit seconds passed before a tolerance was met",
    Stop.CALLBACK: "the callback returned True",
    Stop.STALLED: "the step changes no digit of theta, yet no tolerance is met: "
    "tol is below rounding, or step_size is too small",
    Stop.DIVERGED: "the loss has grown far beyond its start; a smaller step may help",
    Stop.NOT_FINITE: "the loss or its gradient is not finite",
    Stop.UNBOUNDED: "the loss has no minimum: it does not curve upwards along the direction of "
    "descent",
    Stop.NO_BRACKET: "the line search found no step that lowers the loss enough",
    Stop.SADDLE: "the gradient vanishes, but the loss curves downwards: a saddle or a maximum",
    Stop.FLAT: "the loss has become flat along a parameter: no minimum in sight",
}


class Halt(Exception):
    """Raised by a method's step that cannot go on; `minimize` turns it into a status.

    Parameters
    ----------
    status : Stop
    message : str
        A sentence with the numbers of this case; the status' own where empty.
    """

    def __init__(self, status: Stop, message: str = "") -> None:
        super().__init__(message or status.sentence)
        self.status = status
