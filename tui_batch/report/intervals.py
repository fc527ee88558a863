"""Confidence intervals, at 95 %. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

_Z = 1.959964
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""Student's t, two-sided 95 %, for 1 to 30 degrees of freedom (any table of the distribution)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, ends included."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether the value lies outside."""
        return not self.low <= value <= self.high


@dataclass(slots=True)
class Moments:
    """Mean and variance of values as they come, after Welford (1962): no sum of squares that loses its digits."""

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    def add(self, value: float) -> None:
        """Takes in a value."""
        self.count += 1
        change = value - self.mean
        self.mean += change / self.count
        self._squares += change * (value - self.mean)

    @property
    def deviation(self) -> float:
        """Standard deviation of the sample; 0 for fewer than two values."""
        return sqrt(max(0.0, self._squares) / (self.count - 1)) if self.count > 1 else 0.0

    @property
    def interval(self) -> Interval | None:
        """Of the mean, after Student; None for fewer than two values."""
        return mean_interval(self.mean, self.deviation, self.count)


def mean_interval(mean: float, deviation: float, count: int) -> Interval | None:
    """Of a mean, from the sample's standard deviation; None for fewer than two values."""
    if count < 2:
        return None
    reach = (_T[count - 2] if count - 2 < len(_T) else _Z) * deviation / sqrt(count)
    return Interval(mean - reach, mean + reach)


def share_interval(hits: int, total: int) -> Interval | None:
    """Of a share, after Wilson (1927), which holds for few values and for shares near 0 and 1; None: no values."""
    if not total:
        return None
    share, spread = hits / total, _Z * _Z / total
    middle = (share + spread / 2) / (1 + spread)
    reach = _Z / (1 + spread) * sqrt(share * (1 - share) / total + spread / (4 * total))
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))
