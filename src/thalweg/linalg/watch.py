"""Long calls of linear algebra that end when time is up or Ctrl-C is pressed.

One decomposition of a large matrix takes minutes, in which Python sees no signal and no clock.  A
call that is expected to take long therefore runs in a thread of its own, while the caller waits a
little at a time.  If the caller stops waiting, the call goes on unseen until it ends, and its
result is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from math import inf
from threading import Thread
from time import perf_counter
from typing import Any

from .._arguments.memory import refuse_square
from ..status import Halt, Status

_LONG = 2e9  # calls of fewer operations, a tenth of a second or so, are not worth a thread
PASSES = 100.0  # so many operations take as long as to fill a few new elements of large arrays
_PAUSE = 0.05  # seconds between two looks at the clock and at signals

_deadline: ContextVar[float] = ContextVar("deadline", default=inf)


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Let `check` and `watched` raise from this time of `perf_counter` on."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def check() -> None:
    """Raise `Halt` once time is up."""
    deadline = _deadline.get()
    if deadline < inf and perf_counter() >= deadline:
        raise Halt(Status.TIME)


def watched(operations: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return ``function(*arguments)``.

    Parameters
    ----------
    operations : float
        Roughly how many additions and multiplications the call takes.
    function : callable
        A function of NumPy or of compiled code, so that other threads may run beside it.

    Raises
    ------
    Halt
        Time was up before the call ended.
    """
    check()
    if operations < _LONG:
        return function(*arguments)
    outcome: list[Any] = []
    context = copy_context()  # it holds NumPy's error state

    def run() -> None:
        try:
            outcome.append((context.run(function, *arguments), None))
        except BaseException as error:  # it is raised again by the caller, below
            outcome.append((None, error))

    thread = Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_PAUSE)
        if thread.is_alive():
            check()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def refuse_dense(n_params: int, who: str) -> None:
    """Refuse work with P x P matrices that memory cannot hold.

    Raises
    ------
    TooLargeError
        Four such matrices, as many as a step of a dense method keeps at a time, do not fit.
    """
    refuse_square(n_params, 4, who, "ConjugateGradient, CoordinateDescent and LBFGS need none")
