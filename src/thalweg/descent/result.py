"""What a descent returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._arguments.check import Floats
from .._showing import as_html, brief
from ..status import Status

if TYPE_CHECKING:
    from ..optimizers.base import Method


class History(NamedTuple):
    """The course of a descent, one entry per point; the start is the first.

    Attributes
    ----------
    loss : ndarray, shape (n_iter + 1,)
    gradient_norm : ndarray, shape (n_iter + 1,)
        Norms of the gradient without the components that a bound holds back.
    step_size : ndarray, shape (n_iter,)
        The step size alpha of each step; NaN if the method has none.
    theta : ndarray, shape (n_iter + 1, P), or None
        The points, if ``record`` was true.
    """

    loss: Floats
    gradient_norm: Floats
    step_size: Floats
    theta: Floats | None

    def __repr__(self) -> str:
        points = f"{len(self.loss)} points" + ", with theta" * (self.theta is not None)
        return f"<History: {points}, loss {self.loss[0]:.6g} to {self.loss[-1]:.6g}>"

    def _repr_html_(self) -> str:
        return as_html(self)


@dataclass(frozen=True, eq=False, repr=False)
class DescentResult:
    """Where a descent ended, and why.

    Attributes
    ----------
    theta : ndarray, shape (P,)
        The point that met the test; if none did, the one with the smallest loss.
    loss : float
        The loss at ``theta``.
    gradient_norm : float
        The norm of its gradient at ``theta``, without the components that a bound holds back.
    status : Status
        Why it stopped.
    n_iter : int
        Iterations made.
    history : History
        Loss, gradient norm, step size and, on request, theta of every iteration.
    method : Method
        The settings that were used.
    message : str
        Why it stopped, with the numbers of this case.

    Examples
    --------
    >>> import thalweg as tw
    >>> loss = tw.QuadraticLoss([[10.0, 2.0], [2.0, 1.0]])
    >>> r = tw.minimize(loss, [1.0, 1.0], tw.GradientDescent())
    >>> r.success
    True
    >>> r.theta.round(6) + 0.0
    array([0., 0.])
    """

    theta: Floats
    loss: float
    gradient_norm: float
    status: Status
    n_iter: int
    history: History
    method: Method
    message: str

    def __repr__(self) -> str:
        first = f"{self.method.name}, {self.n_iter} iterations, {self.status.name}"
        numbers = f"loss = {self.loss:.9g}, ||gradient|| = {self.gradient_norm:.3g}"
        return f"<DescentResult: {first}\n {numbers}\n theta = {brief(self.theta)}>"

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def success(self) -> bool:
        """Whether a tolerance was met."""
        return self.status.success

    def reason(self) -> str:
        """Return in words why it stopped."""
        return self.message

    def summary(self) -> str:
        """Return a few lines to read."""
        return "\n".join(
            [
                f"{self.method.name}: {self.n_iter} iterations, {self.status.name}",
                f"loss = {self.loss:.9g}, ||gradient|| = {self.gradient_norm:.3g}",
                f"theta = {self.theta}",
                self.message,
            ]
        )
