"""How many of the first requests go at once to a server: a few, then ever more.

A limit that nobody stated shows by a refusal, and all that was sent before that refusal came back is refused as well.
So the first requests are few (the first answer's headers may state limits), and every answer lets one more go beside
the one that takes its place: the number doubles with every round. Refusals come at once while answers may take long,
so silence lets it grow, too: steadily, that a refusal may still stop the rest.

A known limit of a minute leaves open whether the server counts in seconds: at once go as many as a second's share of
it, and then it grows faster, for there is less to find out.
"""

from __future__ import annotations

import math

FIRST = 8
"""Requests in flight at first."""
FIRST_QUIET_S = 0.75
"""Silence counts for nothing until then: the connection is being made, perhaps the model loaded;"""
QUIET_S = 0.2
"""nor for so long after an answer. From then on this is the time in which the number doubles."""
KNOWN_FIRST_QUIET_S = 0.15
"""The same where a limit is known: enough for a connection and a refusal from another continent,"""
KNOWN_QUIET_S = 0.08
"""and for a refusal alone."""
OPEN = 512
"""From so many in flight on nothing is held back any more."""


class Opening:
    """The first seconds with one deployment. Times in seconds on the caller's clock."""

    def __init__(self, first_quiet_s: float = FIRST_QUIET_S) -> None:
        """`first_quiet_s`: as FIRST_QUIET_S; less where connections stand."""
        self._first_quiet_s = first_quiet_s
        self._is_known = False
        self._width = float(FIRST)
        self._since = math.inf
        """From then on silence counts; infinite: nothing was sent yet."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is held back any more."""
        return self._width >= OPEN

    def know(self, per_s: float) -> None:
        """A limit is known: what it allows in a second may go at once."""
        self._is_known = True
        self._width = max(self._width, per_s)

    def wait_until(self, now: float, in_flight: int) -> float | None:
        """Until when one more request waits if no answer comes before; None: it may go now."""
        if in_flight < (width := self._width_at(now)) or width >= OPEN:
            return None
        return self._since + self._quiet_s * math.log2(min(OPEN, in_flight + 1) / self._width)

    def launched(self, now: float) -> None:
        """A request goes out."""
        if self._since == math.inf:
            self._since = now + (KNOWN_FIRST_QUIET_S if self._is_known else self._first_quiet_s)

    def answered(self, now: float) -> None:
        """The server took a request: one more may go beside the one that takes its place."""
        if not self.is_over:
            self._width = self._width_at(now) + 1
            self._since = now + self._quiet_s

    def refused(self) -> None:
        """The server has shown its limit: from now on the limiter knows better."""
        self._width = float(OPEN)

    @property
    def _quiet_s(self) -> float:
        return KNOWN_QUIET_S if self._is_known else QUIET_S

    def _width_at(self, now: float) -> float:
        quiet = now - self._since
        # A tick more: the moment computed by wait_until must not fall short of it by rounding.
        return self._width if quiet <= 0 else self._width * 2 ** min(99.0, quiet / self._quiet_s) + 1e-6
