"""Signals that ask the command line to stop, as exceptions that let it end in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# They stand for Ctrl-C, the request of a scheduler or of `kill`, and the end of the terminal.
# Windows has no SIGHUP.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SIGNALS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


class Stop:
    """Whether the process was asked to stop, and by which signal.

    Attributes
    ----------
    number : int or None
        The last signal.
    held : bool
        While it is True a signal is noted but raises nothing, so that cleaning up is not cut off.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.held = False

    @property
    def status(self) -> int:
        """The exit status that a shell gives a process that ended by the signal."""
        return 128 + (self.number or int(signal.SIGINT))

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.number = number
        if not self.held:
            raise KeyboardInterrupt


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Make signals that would end the process raise KeyboardInterrupt, until the block ends.

    Signals that already have another handler, or are ignored as by `nohup`, are left alone.
    """
    stop, before = Stop(), {}
    if threading.current_thread() is threading.main_thread():  # others must not set handlers
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = handler
                signal.signal(number, stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
