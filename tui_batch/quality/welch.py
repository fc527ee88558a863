"""Is one mean really below another? Welch's test over running sums.

Welch (1947), The generalization of "Student's" problem when several different population variances are involved.
It is chosen because scores of two windows have neither the same spread nor, where a job has just begun, the same
number; it needs three sums a window and nothing of the values themselves. Windows of a hundred bounded values are
large enough for means to be normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist


@dataclass(slots=True)
class Sums:
    """What is kept of any number of values: enough for their mean and variance, and to be added up."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Takes one value."""
        self.n += 1
        self.total += value
        self.squares += value * value

    def merge(self, other: Sums) -> None:
        """Takes all values of another."""
        self.n += other.n
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float:
        """Of at least one value."""
        return self.total / self.n

    @property
    def variance(self) -> float:
        """The sample's, of at least two values."""
        return max(0.0, (self.squares - self.total * self.total / self.n) / (self.n - 1))


@dataclass(frozen=True, slots=True)
class Welch:
    """The outcome of the test."""

    statistic: float | None
    """Student's t; None: no value varies, so chance has no part in a difference."""
    freedom: int | None
    """Welch-Satterthwaite degrees of freedom; None as above."""


def welch(difference: float, of: tuple[Sums, ...]) -> Welch:
    """The statistic of a difference of means. `of` are the one or two samples it comes from."""
    parts = [sums.variance / sums.n for sums in of]
    spread = sum(parts)
    if spread == 0:
        return Welch(None, None)
    freedom = spread**2 / sum(part**2 / (sums.n - 1) for part, sums in zip(parts, of, strict=True))
    return Welch(difference / math.sqrt(spread), max(1, int(freedom)))


def is_beyond(difference: float, test: Welch, alpha: float) -> bool:
    """Whether means differ by more than chance would make them: one-sided, at the level `alpha`.

    `difference` is positive in the direction that is asked about.
    """
    if difference <= 0 or test.statistic is None or test.freedom is None:
        return difference > 0
    return test.statistic > critical(alpha, test.freedom)


@lru_cache(maxsize=1024)
def critical(alpha: float, freedom: int) -> float:
    """Student's t at the upper tail `alpha`, by Abramowitz and Stegun 26.7.5 (good to 1 % from 10 degrees on)."""
    z = NormalDist().inv_cdf(1 - alpha)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
