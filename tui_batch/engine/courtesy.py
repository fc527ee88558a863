"""Keeps turns of the event loop short when the machine, not the server, is what is slow.

Answers that arrive faster than they can be worked off queue up on the loop. More requests in flight then make nothing
faster, but everything else that lives on the loop waits for the whole queue: a key that was pressed, a verb from
another process, a commit. So while turns are long fewer requests are let out; the queue gets short, the rate stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TURN_S = 0.008
"""A turn of the loop may take so long. A key press needs some five turns until it is drawn."""
FEWEST = 16
"""Requests in flight that are always allowed: enough to keep one core busy."""
LOOK_S = 0.02
"""Between two measurements, in seconds of the turn clock."""
GROWTH = 1.1
SHRINK = 0.8


def eased(limit: int | None, turn_s: float, in_flight: int) -> int | None:
    """The new bound on requests in flight after a turn of that length; None: no bound.

    Long turns cut what is in flight by a fifth; short ones raise the bound by a tenth, until it no longer binds.
    """
    if turn_s > TURN_S:
        return max(FEWEST, int(min(in_flight, limit or in_flight) * SHRINK))
    if limit is None or turn_s > TURN_S / 2:
        return limit
    grown = int(limit * GROWTH) + 1
    return None if in_flight < limit // 2 else grown


class Courtesy:
    """Measures turns while there is much in flight, and bounds it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float]) -> None:
        self._loop = loop
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
        self.limit = eased(self.limit, self._looked_at - began, in_flight)
