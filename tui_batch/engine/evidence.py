"""Tells from what was taken and what was refused whether any limit can explain the refusals.

A server that counts requests (or tokens) over some span refuses where the count is at its limit and takes where it
is below. So at a refusal the limit is no larger than what was taken in the span before it, and whatever is taken in a
span later, the limit is no smaller. A refusal is *unexplained* when, for every span that a server may count over, more
was taken later than the refusal allows. Nothing needs to go slower to find that out; it shows while the load rises
again after a refusal.

Requests pass one another on their way, so what was taken "before" is counted generously, and what was taken later
sparingly: by JITTER_S at either end of a span. What came before the first refusal counts for nothing, for a bucket that
fills slowly allows a burst once, and a limit may fall.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import sub

SPANS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
"""Spans that servers count over; one that lies between two shows in both."""
TICK_S = 0.025
"""Requests are counted by this time."""
JITTER_S = 0.1
"""Requests sent closer together than this may reach the server in another order."""
SLACK_SHARE = 0.1
"""Part of a limit by which a server's own count may waver: several machines count together, or others use the key."""
SLACK = 2
"""The same in requests, at least; in tokens, as many as that many mean requests."""
MOST_DOUBT = 0.5
"""Part of a limit: where a refusal tells it less exactly than that, it would agree with any other."""
BY_FAR = 2.0
"""So many times as much as a refusal allows counts twice."""
KEPT_S = 60.0
REFUSALS = 16
HORIZON = round((KEPT_S + max(SPANS_S) + 1.0) / TICK_S)
"""Ticks kept: what came in the longest span before the oldest refusal kept."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a refusal says of the limit of one span, if there is one."""

    least: float
    """It was taken for certain in the span before the refusal, so the limit is no smaller."""
    most: float
    """No more can have been taken, so the limit is no larger."""


class Evidence:
    """What one deployment took and refused lately. Times in seconds on the caller's clock."""

    def __init__(self) -> None:
        self._first_tick = 0
        self._requests: list[int] = []
        """Sent in each tick and not refused, from `_first_tick` on; `_tokens` likewise."""
        self._tokens: list[int] = []
        self._refused: deque[float] = deque(maxlen=REFUSALS)

    def sent(self, at: float, tokens: int) -> None:
        """A request goes out."""
        place = self._place(at)
        self._requests[place] += 1
        self._tokens[place] += tokens

    def refused(self, at: float, tokens: int) -> None:
        """A request sent at `at` was refused."""
        self._refused.append(at)
        self.withdrew(at, tokens)

    def withdrew(self, at: float, tokens: int) -> None:
        """What was said to be sent at `at` was not."""
        place = int(at / TICK_S) - self._first_tick
        if 0 <= place < len(self._requests):
            self._requests[place] -= 1
            self._tokens[place] -= tokens

    def unexplained(self, until: float) -> int:
        """How many of the refusals of the last minute no limit explains. What was sent after `until` is left out."""
        while self._refused and self._refused[0] < until - KEPT_S:
            self._refused.popleft()
        if not self._refused:
            return 0
        view = self._view(until)
        return sum(min(span.excess(at) for span in view) for at in self._refused)

    def agrees(self, until: float) -> bool:
        """Whether one limit over one span explains all refusals, and is narrowly known from them."""
        return bool(self._refused) and any(span.agrees(self._refused) for span in self._view(until))

    def __len__(self) -> int:
        """Ticks held; bounded."""
        return len(self._requests)

    def _view(self, until: float) -> list[_Span]:
        since = min(self._refused, default=until)
        end = min(len(self._requests), int(until / TICK_S) + 1 - self._first_tick)
        start = max(0, int(since / TICK_S) + 1 - self._first_tick)
        requests, tokens = (list(accumulate(sent[:end], initial=0)) for sent in (self._requests, self._tokens))
        mean = tokens[-1] / max(1, requests[-1])
        spans = [_Span(span_s, self._first_tick, start, requests, 1.0) for span_s in SPANS_S]
        return [*spans, _Span(max(SPANS_S), self._first_tick, start, tokens, mean)]

    def _place(self, at: float) -> int:
        """Where the tick of a time is counted, with room made for it."""
        tick = int(at / TICK_S)
        place = tick - self._first_tick
        size = len(self._requests)
        if place >= size + HORIZON or not size:
            self._first_tick, self._requests, self._tokens = tick, [0], [0]
            return 0
        if place >= size:
            self._requests.extend([0] * (place + 1 - size))
            self._tokens.extend([0] * (place + 1 - size))
            if place >= 2 * HORIZON:
                gone = place + 1 - HORIZON
                del self._requests[:gone], self._tokens[:gone]
                self._first_tick += gone
                place -= gone
        return max(0, place)


@dataclass
class _Span:
    """One way to count: requests or tokens (`sums`, running sums by tick) over one span."""

    span_s: float
    first_tick: int
    start: int
    """Only what was sent from this tick on counts as taken later."""
    sums: list[int]
    mean: float
    """The size of a request."""

    @cached_property
    def taken(self) -> int:
        """The most that was taken in any span later."""
        ticks = round((self.span_s - JITTER_S) / TICK_S)
        sums = self.sums[self.start :]
        if len(sums) <= ticks:
            return sums[-1] - sums[0] if sums else 0
        most: int = max(map(sub, sums[ticks:], sums))
        return most

    def excess(self, at: float) -> int:
        """0: a limit over this span fits a refusal of a request sent at `at`; 1: it does not; 2: by far not."""
        most = self.bounds(at).most
        allowed = most + self._slack(most)
        return (self.taken > allowed) + (self.taken > BY_FAR * allowed)

    def agrees(self, refused: deque[float]) -> bool:
        """Whether one limit over this span fits all refusals."""
        bounds = [self.bounds(at) for at in refused]
        if any(one.most - one.least > MOST_DOUBT * one.most for one in bounds):
            return False
        least, most = max(one.least for one in bounds), min(one.most for one in bounds)
        return max(least, self.taken) <= most + self._slack(most)

    def bounds(self, at: float) -> Bounds:
        """What a refusal of a request sent at `at` says of the limit."""
        tick = at / TICK_S - self.first_tick
        span, jitter = self.span_s / TICK_S, JITTER_S / TICK_S
        least = self._between(tick - span + jitter + 1, tick - jitter)
        return Bounds(least, self._between(tick - span - jitter, tick + jitter + 1))

    def _between(self, start: float, end: float) -> int:
        last = len(self.sums) - 1
        return max(0, self.sums[min(last, max(0, int(end)))] - self.sums[min(last, max(0, int(start)))])

    def _slack(self, limit: float) -> float:
        return max(SLACK * self.mean, SLACK_SHARE * limit)
