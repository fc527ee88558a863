"""Tells from what was taken and what was refused whether any limit can explain the refusals.

A server that counts requests (or tokens) over some span refuses where the count is at its limit and takes where it
is below: whatever the limit is, no request can be taken with more behind it than one that was refused had. So a
refusal is *unexplained* when, for every span that a server may count over, requests were taken with more behind them.
Nothing needs to go slower to find that out; it shows while the load rises again after a refusal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

SPANS_S = (1.0, 2.0, 5.0, 10.0, 20.0)
"""Spans that servers count over, beside the minute; one that lies between two shows in both."""
JITTER_S = 0.1
"""Requests sent closer together than this may reach the server in another order."""
SLACK = 3
"""Requests by which a count here may differ from the server's anyhow."""
MOST_SLACK = 0.5
"""Share of a count: where it may be off by more, any two agree."""
LEAST_SHARE = 0.02
LEAST = 2
"""So many of the requests taken, at least, must have had more behind them."""
KEPT_S = 60.0
REFUSALS = 16
ACCEPTED = 256
SENT = 8_192
"""Times of sending kept: enough for 400 a second over the longest span."""


@dataclass(frozen=True, slots=True)
class Load:
    """What had been sent before a request, and with it: what a limit would be compared with."""

    counts: tuple[int, ...]
    """Requests in each of SPANS_S and in the minute, then tokens in the minute."""
    slack: tuple[float, ...]
    """How much each may be off, as seen by the server."""


def is_explained(refused: Load, accepted: Sequence[Load]) -> bool:
    """Whether a limit over some span fits a refusal: hardly any request was taken with more behind it."""
    least = max(LEAST, LEAST_SHARE * len(accepted))
    for place, (count, slack) in enumerate(zip(refused.counts, refused.slack, strict=True)):
        if sum(one.counts[place] > count + slack for one in accepted) < least:
            return True
    return False


class Evidence:
    """The loads of what one deployment took and refused lately. Times in seconds on the caller's clock."""

    def __init__(self) -> None:
        self._sent: list[float] = []
        self._refused: deque[tuple[float, Load]] = deque(maxlen=REFUSALS)
        self._accepted: deque[tuple[float, Load]] = deque(maxlen=ACCEPTED)

    def sent(self, at: float) -> None:
        """A request goes out."""
        if self._sent and at < self._sent[-1]:
            insort(self._sent, at)
            return
        self._sent.append(at)
        if len(self._sent) > 2 * SENT:
            del self._sent[:SENT]

    def refused(self, at: float, minute: int, tokens: int, size: int) -> None:
        """A request sent at `at` was refused. `minute`, `tokens`: sent in the minute before and with it."""
        self._refused.append((at, self._load(at, minute, tokens, size)))
        place = bisect_left(self._sent, at)
        if place < len(self._sent) and self._sent[place] == at:
            del self._sent[place]

    def accepted(self, at: float, minute: int, tokens: int, size: int) -> None:
        """A request sent at `at` was taken. Only what comes after a refusal is looked at."""
        while self._refused and self._refused[0][0] < at - KEPT_S:
            self._refused.popleft()
        if self._refused and at > self._refused[0][0]:
            self._accepted.append((at, self._load(at, minute, tokens, size)))

    def unexplained(self) -> int:
        """How many of the refusals of the last minute no limit explains."""
        if not self._refused:
            return 0
        first = self._refused[0][0]
        accepted = [load for at, load in self._accepted if at > first]
        return sum(not is_explained(load, accepted) for _, load in self._refused)

    @property
    def agrees(self) -> bool:
        """Whether one limit over one span explains all refusals: about as many requests were behind each of them."""
        loads = [load for _, load in self._refused]
        spans = range(len(loads[0].counts) if loads else 0)
        return any(self._agree(loads, place) for place in spans)

    def _agree(self, loads: Sequence[Load], place: int) -> bool:
        limit = max(loads, key=lambda load: load.counts[place])
        least = min(load.counts[place] for load in loads)
        slack = limit.slack[place]
        if slack > MOST_SLACK * limit.counts[place]:
            return False
        return least + slack >= limit.counts[place] and not any(
            load.counts[place] > least + slack for _, load in self._accepted
        )

    def _load(self, at: float, minute: int, tokens: int, size: int) -> Load:
        end = bisect_right(self._sent, at)
        counts = tuple(end - bisect_right(self._sent, at - span, 0, end) for span in SPANS_S)
        near = bisect_right(self._sent, at + JITTER_S) - bisect_left(self._sent, at - JITTER_S)
        slack = float(SLACK + near)
        mean = tokens / max(1, minute)
        return Load((*counts, minute, tokens), (slack,) * (len(counts) + 1) + (slack * mean + size,))
