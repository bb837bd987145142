"""Time callables against each other.

Two programs are compared in one process and in turns, so that both meet the same clock frequency,
the same caches and the same neighbours on the machine; what disturbs one round disturbs both sides
of its ratio.  The median of the ratios is what is reported, the best times beside it.

Every turn is two calls, of which the second is timed: the first finds the caches, the branch
predictors and the allocator's memory as the other program left them, and fresh pages of memory can
cost as much as the sums that are written there.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

Call = Callable[[], Any]


class Ratio(NamedTuple):
    """How many times as long b takes as a, and each one's best seconds.

    The median over rounds is what is reported; the quartiles tell how far rounds differ.
    """

    median: float
    quartiles: tuple[float, float]
    best_a: float
    best_b: float

    def times(self, factor: float) -> "Ratio":
        """Return the ratio where b did 1 / factor of the work of a."""
        low, high = self.quartiles
        return self._replace(median=self.median * factor, quartiles=(low * factor, high * factor))

    def inverse(self) -> "Ratio":
        """Return how many times as long a takes as b."""
        low, high = self.quartiles
        return Ratio(1 / self.median, (1 / high, 1 / low), self.best_b, self.best_a)


def seconds(call: Call, clock: Callable[[], float] = perf_counter) -> float:
    """Return how long one call takes."""
    start = clock()
    call()
    return clock() - start


def interleaved(
    calls: Sequence[Call], rounds: int, clock: Callable[[], float] = perf_counter
) -> np.ndarray:
    """Return the seconds of every call in every round, shape (rounds, len(calls)).

    Each round begins with another call, so that none always follows the same neighbour; each call
    is made twice, and the second one counts.  Of calls that use one thread ``process_time`` may be
    the clock, which stands still while the machine does other work.
    """
    times = np.empty((rounds, len(calls)))
    for k in range(rounds):
        for j in np.roll(np.arange(len(calls)), -k):
            calls[j]()
            times[k, j] = seconds(calls[j], clock)
    return times


def ratio(a: Call, b: Call, rounds: int = 5) -> Ratio:
    """Time a and b in turns and return how many times as long b takes."""
    times = interleaved((a, b), rounds)
    low, median, high = map(float, np.percentile(times[:, 1] / times[:, 0], [25, 50, 75]))
    return Ratio(median, (low, high), *map(float, times.min(0)))
