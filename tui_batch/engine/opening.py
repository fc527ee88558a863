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
SLOWEST_S = 0.2
"""While no limit is known the requests after the first few go evenly: answers that come together would let many go
together, all to be refused. Where answers take less than this a refusal does, too, so that more may go meanwhile."""
GROWTH = 0.35
"""Share of all requests so far that may go in the time of one answer."""
PROVEN = 128
"""After so many requests without a refusal no limit of a free or first tier is likely any more,"""
PROVEN_GROWTH = 1.0
"""and as many as all so far may go in the time of one answer."""
STOP_DOUBLINGS = 2
"""How often the number doubles over a time of silence that the server asked for, however long."""
TOGETHER_S = 0.005
"""What falls due within so long goes together: a wake-up for each of thousands a second costs more than they do."""
OPEN = 512
"""From so many in flight on nothing is held back any more."""


class Opening:
    """The first seconds with one deployment. Times in seconds on the caller's clock."""

    def __init__(self, first_quiet_s: float = FIRST_QUIET_S, width: float = FIRST) -> None:
        """`first_quiet_s`: as FIRST_QUIET_S; less where connections stand. `width`: requests in flight at first."""
        self._first_quiet_s = first_quiet_s
        self._is_known = False
        self._width = width
        self._since = math.inf
        """From then on silence counts; infinite: nothing was sent yet."""
        self._sent = 0
        self._next_at = -math.inf
        self._answer_s = 0.0
        """The quickest answer so far, at most SLOWEST_S; 0: none came."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is held back any more."""
        return self._width >= OPEN

    def know(self, per_s: float) -> None:
        """A limit is known: what it allows in a second may go at once."""
        self._is_known = True
        self._next_at = -math.inf
        self._width = max(self._width, per_s)

    def wait_until(self, now: float, in_flight: int) -> float | None:
        """Until when one more request waits if no answer comes before; None: it may go now."""
        if (width := self._width_at(now)) >= OPEN:
            return None
        if in_flight < width:
            return self._next_at if self._next_at > now + TOGETHER_S else None
        return self._since + self._quiet_s * math.log2(min(OPEN, in_flight + 1) / self._width)

    def launched(self, now: float) -> None:
        """A request goes out."""
        if self._since == math.inf:
            self._since = now + (KNOWN_FIRST_QUIET_S if self._is_known else self._first_quiet_s)
        self._sent += 1
        if self._sent >= FIRST and not self._is_known:
            growth = GROWTH if self._sent < PROVEN else PROVEN_GROWTH
            self._next_at = max(now, self._next_at) + self._answer_s / (growth * self._sent)

    def answered(self, now: float, latency_s: float = SLOWEST_S) -> None:
        """The server took a request: one more may go beside the one that takes its place."""
        if not self.is_over:
            self._answer_s = min(self._answer_s or SLOWEST_S, latency_s)
            self._width = self._width_at(now) + 1
            self._since = now + self._quiet_s

    def stopped(self, now: float, until: float) -> None:
        """Nothing goes before `until`: that silence lets a few times as many go, and not more."""
        if until > now and not self.is_over:
            self._width = min(self._width_at(now), float(OPEN - 1))
            self._since = max(self._since, until - STOP_DOUBLINGS * self._quiet_s)

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
