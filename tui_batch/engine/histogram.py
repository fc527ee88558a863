"""Figures that cost O(1) an event and a bounded amount of memory: latency percentiles and rates."""

from __future__ import annotations

import math
from collections import deque

LOWEST_S = 0.000_1
"""Latencies below this share the first bucket."""
GROWTH = 1.05
"""Each bucket is 5 % wider than the one before, so a percentile is off by at most 2.5 %."""
BUCKETS = 400
"""Covers 0.1 ms to about 30,000 s."""
_LOG_GROWTH = math.log(GROWTH)


def bucket_of(value_s: float) -> int:
    """The bucket that a latency counts in. Values out of range count in the first or last one."""
    return 0 if value_s <= LOWEST_S else min(BUCKETS - 1, 1 + int(math.log(value_s / LOWEST_S) / _LOG_GROWTH))


class Histogram:
    """Latencies in seconds, in buckets of equal relative width."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._total = 0

    def __len__(self) -> int:
        """How many values were added."""
        return self._total

    def add(self, value_s: float) -> None:
        """Counts one latency."""
        self.count(bucket_of(value_s))

    def count(self, bucket: int) -> None:
        """Counts one latency by its bucket, for those who count it in several histograms."""
        self._counts[bucket] += 1
        self._total += 1

    def merge(self, other: Histogram) -> None:
        """Adds all of another histogram's values."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self._total += other._total

    def percentile(self, share: float) -> float | None:
        """The latency that `share` (0 to 1) of the values do not exceed, within 2.5 %; None: no values yet."""
        if not self._total:
            return None
        rank = max(1, math.ceil(share * self._total))
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= rank:
                return LOWEST_S * GROWTH ** (index - 0.5) if index else LOWEST_S
        raise AssertionError("ranks never exceed the total")


class RecentHistogram:
    """The latencies of the last minute or so: a ring of histograms, each of which takes in `slot_s` seconds."""

    __slots__ = ("_ring", "_slot_s", "_slots")

    def __init__(self, slot_s: float = 10.0, slots: int = 6) -> None:
        self._slot_s = slot_s
        self._slots = slots
        self._ring: deque[tuple[float, Histogram]] = deque(maxlen=slots)

    def add(self, now: float, value_s: float) -> None:
        """Counts one latency, at a time that does not go backwards."""
        self.count(now, bucket_of(value_s))

    def count(self, now: float, bucket: int) -> None:
        """Counts one latency by its bucket."""
        if not self._ring or now - self._ring[-1][0] >= self._slot_s:
            self._ring.append((now, Histogram()))
        self._ring[-1][1].count(bucket)

    def merged(self, now: float) -> Histogram:
        """All that is not older than the ring."""
        whole = Histogram()
        for started, part in self._ring:
            if now - started < self._slot_s * self._slots:
                whole.merge(part)
        return whole


class WindowedRate:
    """Amount per second over the last `window_s` seconds, in 50 slots; young meters divide by their age."""

    __slots__ = ("_slot_s", "_slots", "_started", "_sum", "_window_s")

    def __init__(self, window_s: float = 10.0) -> None:
        self._window_s = window_s
        self._slot_s = window_s / 50
        self._slots: deque[list[float]] = deque()
        self._sum = 0.0
        self._started: float | None = None

    def add(self, now: float, amount: float) -> None:
        """Counts an amount at a time that does not go backwards."""
        if self._started is None:
            self._started = now
        self._expire(now)
        if self._slots and now - self._slots[-1][0] < self._slot_s:
            self._slots[-1][1] += amount
        else:
            self._slots.append([now, amount])
        self._sum += amount

    def rate(self, now: float) -> float:
        """Amount per second. An age below one second counts as one, so that the first event is no spike."""
        if self._started is None:
            return 0.0
        self._expire(now)
        return max(0.0, self._sum) / min(self._window_s, max(1.0, now - self._started))

    def _expire(self, now: float) -> None:
        slots = self._slots
        while slots and slots[0][0] <= now - self._window_s:
            self._sum -= slots.popleft()[1]
        if not slots:
            # Sums of floats drift; an empty window is exactly nothing.
            self._sum = 0.0
