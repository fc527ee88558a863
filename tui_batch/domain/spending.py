"""Money over all jobs: what was spent, by day and by what it went to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


def day_of(unix: float) -> str:
    """The day of a Unix time in UTC, as providers bill it: `2026-11-21`."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Spent:
    """A sum over some requests."""

    requests: int = 0
    cached: int = 0
    """Items answered by the response cache."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nano: int = 0
    """Sum of the known costs."""
    unpriced: int = 0
    """Requests whose cost is unknown."""
    presumed_nano: int = 0
    """The most that requests whose cost nobody will ever know can have cost: they count against caps."""
    saved_nano: int = 0
    """What cache hits would have cost."""

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.requests + other.requests,
            self.cached + other.cached,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost_nano + other.cost_nano,
            self.unpriced + other.unpriced,
            self.presumed_nano + other.presumed_nano,
            self.saved_nano + other.saved_nano,
        )


@dataclass(frozen=True, slots=True)
class Secured:
    """What is set aside in the database for a job's requests."""

    nano: int
    """Nano-dollars set aside in all; requests may be in flight for so much."""
    others_nano: int
    """What other running jobs have set aside: some of it may come free."""


@dataclass(frozen=True, slots=True)
class CostRange:
    """A cost that is not known yet, in nano-dollars: most likely between `low` and `high`."""

    low: int
    likely: int
    high: int

    def __add__(self, other: CostRange) -> CostRange:
        return CostRange(self.low + other.low, self.likely + other.likely, self.high + other.high)
