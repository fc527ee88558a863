"""Keeps turns of the event loop short when the machine, not the server, is what is slow.

Answers that arrive faster than they can be worked off queue up on the loop. More requests in flight then make nothing
faster, but everything else that lives on the loop waits for the whole queue: a key that was pressed, a verb from
another process, a commit. So while turns are long fewer requests are let out; the queue gets short, the rate stays.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

WATCHED_S = 0.005
"""A turn of the loop may cost so much where a person looks on. A key press needs some five turns until it is drawn."""
ALONE_S = 0.02
"""The same where nobody does: a verb of another process is to be done in a quarter of a second."""
FEWEST = 16
"""Requests in flight that are always allowed: enough to keep one core busy."""
LOOK_S = 0.02
"""Between two measurements, in seconds of the turn clock."""
COARSE_S = 0.001
GROWTH = 1.1
SHRINK = 0.8


def turn_clock() -> float:
    """What this thread has worked, in seconds, where the platform counts it finely enough; else the time.

    A turn is long for want of a processor as well, when others work on this machine. Fewer requests do not help then:
    what is in flight was cut again and again, to the few that are always allowed.
    """
    return time.thread_time() if _IS_FINE else time.perf_counter()


_IS_FINE = time.get_clock_info("thread_time").resolution < COARSE_S


def eased(limit: int | None, turn_s: float, in_flight: int, most_s: float) -> int | None:
    """The new bound on requests in flight after a turn that cost so much, where one may cost `most_s`; None: no bound.

    Long turns cut what is in flight by a fifth; short ones raise the bound by a tenth, until it no longer binds.
    """
    if turn_s > most_s:
        return max(FEWEST, int(min(in_flight, limit or in_flight) * SHRINK))
    if limit is None or turn_s > most_s / 2:
        return limit
    grown = int(limit * GROWTH) + 1
    return None if in_flight < limit // 2 else grown


class Courtesy:
    """Measures turns while there is much in flight, and bounds it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_s: float, clock: Callable[[], float]) -> None:
        """`most_s`: what a turn may cost, in seconds of the clock."""
        self._loop = loop
        self._most_s = most_s
        self._clock = clock
        self._measuring = False
        self._looked_at = clock()
        self.limit: int | None = None
        """Requests in flight at most, of all jobs together; None: as many as the jobs want."""

    def allows(self, in_flight: int) -> bool:
        """Whether one more may go out."""
        if in_flight >= FEWEST and not self._measuring and self._clock() - self._looked_at >= LOOK_S:
            self._measuring = True
            self._loop.call_soon(self._begin, in_flight)
        return self.limit is None or in_flight < self.limit

    def _begin(self, in_flight: int) -> None:
        self._loop.call_soon(self._end, self._clock(), in_flight)

    def _end(self, began: float, in_flight: int) -> None:
        self._looked_at = self._clock()
        self._measuring = False
        self.limit = eased(self.limit, self._looked_at - began, in_flight, self._most_s)
