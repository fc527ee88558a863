"""What a running job will have cost at its end, from what its items cost so far. Pure functions of a few sums."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tui_batch.domain.job import Counters
from tui_batch.domain.spending import CostRange

SIGMAS = 2.0
"""Half the band's width in standard errors: it holds the truth some 19 times in 20, if the rest is like the part."""


@dataclass(slots=True)
class CostTally:
    """What the ended items cost, as sums (nano-dollars). Retries and failures are in the cost of their items."""

    items: int = 0
    total: float = 0.0
    squares: float = 0.0
    """Sum of the squares of each item's last request's cost."""

    @classmethod
    def of(cls, counters: Counters) -> CostTally:
        """What an earlier run left: how far single costs lay apart is not stored, so it is taken as their mean."""
        items = counters.done + counters.dead
        total = float(counters.cost_nano)
        return cls(items, total, 2.0 * total * total / items if items else 0.0)

    def add(self, cost_nano: int, *, ended: bool) -> None:
        """One outcome; `ended`: of an item that is settled by it."""
        self.total += cost_nano
        if ended:
            self.items += 1
            self.squares += float(cost_nano) * cost_nano

    @property
    def mean(self) -> float:
        """Of an item."""
        return self.total / self.items if self.items else 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation of an item's cost; the mean itself as long as there is only one."""
        if self.items < 2:
            return self.mean
        return math.sqrt(max(0.0, self.squares / self.items - self.mean**2) * self.items / (self.items - 1))


def project(tally: CostTally, counters: Counters) -> CostRange | None:
    """The cost at the end: what is spent, and for every pending item the mean so far.

    The band has two parts: how sure the mean is, and how far single items lie from it. None as long as no item ended,
    or all came from the cache, which says nothing about the others, and while the cost of any request is unknown.
    Assumes that what is to come is like what was.
    """
    only_cached = counters.pending and counters.cached and counters.cached >= counters.done + counters.dead
    if not tally.items or counters.unpriced or only_cached:
        return None
    left = counters.pending
    error = SIGMAS * tally.deviation * math.sqrt(left * (1.0 + left / tally.items))
    likely = counters.cost_nano + left * tally.mean
    return CostRange(round(max(counters.cost_nano, likely - error)), round(likely), round(likely + error))
