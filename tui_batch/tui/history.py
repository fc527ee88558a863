"""What a job's figures were: a bounded memory, fine for the last ten minutes and coarse for hours before.

Counts are kept as they were, not as rates: the rate between any two moments is then exact, however the points were
thinned, and it is the same for a job of this process and for one of which only the database tells.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from tui_batch.domain.job import Counters
from tui_batch.engine.snapshot import JobSnapshot, Latency

FINE_S = 1.0
FINE = 600
"""Points a second apart: ten minutes."""
COARSE_S = 30.0
COARSE = 1_440
"""Points half a minute apart: twelve hours."""
SMOOTH_S = 5.0
"""Rates are told over at least so long: answers come in bursts."""
NOW_S = 10.0
"""The rate now is that of the last so many seconds."""
YOUNG_S = 2.0
"""Of a job that was watched for a shorter time nothing is said about its rate."""
SHORTEST_S = 30.0
"""A chart shows at least so much time."""
NOTHING_ANSWERED = Latency()


@dataclass(frozen=True, slots=True)
class Point:
    """A job at one moment."""

    at: float
    """Seconds on the clock that the history is fed by."""
    counters: Counters
    in_flight: int | None = None
    """None: another process runs the job and does not say."""
    latency: Latency = NOTHING_ANSWERED
    """Of the answers of the minute before."""

    @property
    def finished(self) -> int:
        """Items that came to an end."""
        return self.counters.done + self.counters.dead


Amount = Callable[[Point], float]
"""A count that only grows, such as items or tokens."""
Level = Callable[[Point], float | None]
"""A figure as it is at a moment; None: not known then."""


def finished(point: Point) -> float:
    """Items that came to an end."""
    return float(point.finished)


def tokens(point: Point) -> float:
    """Tokens sent and received."""
    return float(point.counters.tokens_in + point.counters.tokens_out)


class History:
    """The points of one job, in order of time."""

    def __init__(self) -> None:
        self._fine: deque[Point] = deque()
        self._coarse: deque[Point] = deque(maxlen=COARSE)
        self._now: Point | None = None
        self._shift_s = 0.0
        """Added to every time: a clock that was set back must not stop the charts until it has caught up."""

    def add(self, t: float, job: JobSnapshot) -> None:
        """Takes in what the engine says of a job at a time on the wall clock."""
        self._take(Point(t, job.counters, job.in_flight, job.recent))

    def add_counters(self, t: float, counters: Counters) -> None:
        """Takes in what the database says of a job that another process runs."""
        self._take(Point(t, counters))

    def _take(self, point: Point) -> None:
        if self._now is not None and point.at + self._shift_s < self._now.at:
            self._shift_s = self._now.at - point.at
        point = replace(point, at=point.at + self._shift_s)
        self._now = point
        if self._fine and point.at - self._fine[-1].at < FINE_S:
            return
        self._fine.append(point)
        if len(self._fine) > FINE:
            old = self._fine.popleft()
            if not self._coarse or old.at - self._coarse[-1].at >= COARSE_S:
                self._coarse.append(old)

    @property
    def points(self) -> list[Point]:
        """All points, the newest last."""
        newest = [self._now] if self._now and (not self._fine or self._now is not self._fine[-1]) else []
        return [*self._coarse, *self._fine, *newest]

    @property
    def newest_at(self) -> float:
        """The time of the newest point; minus infinity when there is none."""
        return float("-inf") if self._now is None else self._now.at

    @property
    def age_s(self) -> float:
        """How long the job has been watched, as far as is remembered."""
        first = self._coarse[0] if self._coarse else self._fine[0] if self._fine else None
        return 0.0 if first is None or self._now is None else self._now.at - first.at

    def span_s(self, longest_s: float) -> float:
        """The time that a chart of at most so many seconds shows."""
        return min(longest_s, max(SHORTEST_S, self.age_s))

    def rate(self) -> float | None:
        """Items finished per second lately; None: not watched for long enough."""
        if self._now is None or self.age_s < YOUNG_S:
            return None
        points = self.points
        return _rate(points, [point.at for point in points], finished, self._now.at, min(NOW_S, self.age_s))

    def eta_s(self) -> float | None:
        """Seconds to the end at the present rate; None: there is none."""
        rate = self.rate()
        if self._now is None or not rate:
            return None
        return self._now.counters.pending / rate

    def rates(self, amount: Amount, span_s: float, count: int) -> list[float | None]:
        """Amount per second at `count` moments of the last `span_s` seconds, the newest last; None before it began."""
        points = self.points
        if self._now is None or count < 1:
            return [None] * count
        times = [point.at for point in points]
        step = span_s / count
        over = max(SMOOTH_S, step)
        found = []
        for n in range(count):
            at = self._now.at - (count - 1 - n) * step
            known = at - times[0]
            found.append(None if known < FINE_S else _rate(points, times, amount, at, min(over, known)))
        return found

    def levels(self, level: Level, span_s: float, count: int) -> list[float | None]:
        """A figure at `count` moments of the last `span_s` seconds, the newest last; None where it is not known."""
        points = self.points
        if self._now is None or count < 1:
            return [None] * count
        times = [point.at for point in points]
        step = span_s / count
        places = [bisect_right(times, self._now.at - (count - 1 - n) * step) - 1 for n in range(count)]
        return [None if place < 0 else level(points[place]) for place in places]


def _rate(points: list[Point], times: list[float], amount: Amount, at: float, over_s: float) -> float:
    """Amount per second in the `over_s` seconds before a moment. Counts that went back (a retry) count as none."""
    if over_s <= 0:
        return 0.0
    return max(0.0, (_at(points, times, amount, at) - _at(points, times, amount, at - over_s)) / over_s)


def _at(points: list[Point], times: list[float], amount: Amount, at: float) -> float:
    """A count at a moment, taken to have grown evenly between two points."""
    place = bisect_right(times, at)
    if place == 0:
        return amount(points[0])
    if place == len(points):
        return amount(points[-1])
    before, after = points[place - 1], points[place]
    share = (at - before.at) / (after.at - before.at)
    return amount(before) + share * (amount(after) - amount(before))
