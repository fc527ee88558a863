"""Percentiles and bins of latencies that were counted by value. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

EDGES_MS = tuple(step * 10**power for power in range(6) for step in (10, 15, 20, 30, 50, 70))
"""Lower ends of the bins: even on a logarithmic scale, and round."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers that took from `low_ms` to below `high_ms`."""

    low_ms: int
    high_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How long answers took, in milliseconds, to three digits."""

    count: int
    mean: float
    p50: int
    p95: int
    p99: int
    longest: int
    bins: tuple[Bin, ...]
    """From the first that holds an answer to the last, without gaps."""


def spread_of(counts: Mapping[int, int]) -> Spread | None:
    """From how many answers took how many milliseconds; None: there are none."""
    total = sum(counts.values())
    if not total:
        return None
    ordered = sorted(counts.items())
    return Spread(
        count=total,
        mean=sum(value * number for value, number in ordered) / total,
        p50=percentile(ordered, total, 0.50),
        p95=percentile(ordered, total, 0.95),
        p99=percentile(ordered, total, 0.99),
        longest=ordered[-1][0],
        bins=_bins(counts),
    )


def percentile(ordered: Iterable[tuple[int, int]], total: int, share: float) -> int:
    """The smallest value that at least this share of all values does not exceed (nearest rank)."""
    seen, last = 0, 0
    for value, number in ordered:
        seen, last = seen + number, value
        if seen >= share * total:
            break
    return last


def merged(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Counts of several parts added up."""
    found: Counter[int] = Counter()
    for part in parts:
        found.update(part)
    return dict(found)


def _bins(counts: Mapping[int, int]) -> tuple[Bin, ...]:
    lows = (0, *EDGES_MS)
    sums: Counter[int] = Counter()
    for value, number in counts.items():
        sums[max(place for place, low in enumerate(lows) if low <= value)] += number
    highs = (*EDGES_MS, 10 * EDGES_MS[-1])
    return tuple(Bin(lows[place], highs[place], sums[place]) for place in range(min(sums), max(sums) + 1))
