"""Ways to run a job, compared: one by one, many at once within the limits, a provider's batch at half price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tui_batch.domain.endpoint import Endpoint
from tui_batch.domain.job import Knobs
from tui_batch.domain.spending import CostRange
from tui_batch.money.prices import UnitPrices

CONCURRENT = "concurrent"
"""The name of the way that `run` takes."""
AUTO_IN_FLIGHT = 32
"""What `auto` is reckoned to find on a server of which nothing is known."""
BATCH_HOURS = 24
"""Within this time providers promise a batch; most are done far sooner."""
BATCH_HOSTS = frozenset(
    {
        "api.openai.com",
        "api.anthropic.com",
        "generativelanguage.googleapis.com",
        "api.groq.com",
        "api.together.xyz",
        "api.mistral.ai",
        "api.fireworks.ai",
    }
)
"""Hosts with batches at a lower price (their own pricing pages)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What decides how long a job takes."""

    requests: int
    tokens: int
    """In and out, of all requests."""
    latency_s: float
    """Of one request."""
    in_flight: int | None = None
    """Requests that the servers took at once before, where the job leaves that to the program; None: nobody knows."""
    is_measured: bool = False
    """The latency is what these servers took before, not what one may expect of any."""

    @property
    def each(self) -> str:
        """The latency in words."""
        return f"{self.latency_s:.1f} s a request{' as before' if self.is_measured else ''}"


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to run a job."""

    name: str
    cost: CostRange | None
    """None: unknown."""
    seconds: float | None
    """None: it cannot be run so."""
    refusals: int | None
    """Expected 429 answers; None: no limit is known, so nobody can say."""
    reason: str
    """Why these figures, in a line."""


def strategies(
    pace: Pace,
    cost: CostRange | None,
    knobs: Knobs,
    endpoints: Sequence[Endpoint],
    prices: Sequence[UnitPrices | None],
    usual: CostRange | None = None,
) -> tuple[Strategy, ...]:
    """The three ways, in order. `usual`: the cost at the usual service tier, which batches are priced by."""
    limits = Limits.of(knobs, endpoints)
    return (_one_by_one(pace, cost, limits), _concurrent(pace, cost, knobs, limits), _batch(usual, endpoints, prices))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may take, over all its endpoints."""

    rpm: int | None
    tpm: int | None
    rpd: int | None
    in_flight: int | None

    @classmethod
    def of(cls, knobs: Knobs, endpoints: Sequence[Endpoint]) -> Limits:
        """The job's own limits and those of its endpoints together; None: not limited, or unknown."""
        return cls(
            _lesser(knobs.rpm, _sum([endpoint.rpm for endpoint in endpoints])),
            _lesser(knobs.tpm, _sum([endpoint.tpm for endpoint in endpoints])),
            _sum([endpoint.rpd for endpoint in endpoints]),
            _lesser(knobs.concurrency, _sum([endpoint.max_in_flight for endpoint in endpoints])),
        )

    @property
    def are_known(self) -> bool:
        """Whether requests or tokens are limited by figures that are known."""
        return self.rpm is not None or self.tpm is not None

    def floor_s(self, pace: Pace) -> tuple[float, str]:
        """The least seconds that the limits allow, and which one decides. A job below a limit runs at once."""
        floors = (
            (_windows(pace.requests, self.rpm, 60), f"{self.rpm:,} RPM" if self.rpm else ""),
            (_windows(pace.tokens, self.tpm, 60), f"{self.tpm:,} TPM" if self.tpm else ""),
            (_windows(pace.requests, self.rpd, 86_400), f"{self.rpd:,} requests a day" if self.rpd else ""),
        )
        return max(floors)


def _one_by_one(pace: Pace, cost: CostRange | None, limits: Limits) -> Strategy:
    alone = pace.requests * pace.latency_s
    floor, what = limits.floor_s(pace)
    reason = f"{pace.each}, one after the other"
    if floor > alone:
        reason = f"{what} hold back even one at a time"
    return Strategy("one by one", cost, max(alone, floor + pace.latency_s), 0, reason)


def _concurrent(pace: Pace, cost: CostRange | None, knobs: Knobs, limits: Limits) -> Strategy:
    in_flight = limits.in_flight or pace.in_flight or AUTO_IN_FLIGHT
    work = math.ceil(pace.requests / in_flight) * pace.latency_s
    floor, what = limits.floor_s(pace)
    if floor > work:
        reason = (
            f"{what} hold it back; {math.ceil(pace.requests * pace.latency_s / max(floor, 1.0))} in flight are enough"
        )
    else:
        auto = f" (auto, {'reckoned' if pace.in_flight is None else 'as before'})" if limits.in_flight is None else ""
        reason = f"{in_flight} in flight{auto}, {pace.each}"
    if limits.are_known:
        return Strategy(CONCURRENT, cost, max(work, floor + pace.latency_s), 0, reason)
    # The limit is found by its first refusals; the server's headers often say it before that.
    return Strategy(CONCURRENT, cost, work, None, f"{reason}; no limit is known yet, answers will tell")


def offers_batches(endpoint: Endpoint) -> bool:
    """Whether the provider behind an endpoint takes batches at a lower price."""
    return urlsplit(endpoint.base_url).hostname in BATCH_HOSTS


def _batch(cost: CostRange | None, endpoints: Sequence[Endpoint], prices: Sequence[UnitPrices | None]) -> Strategy:
    without = [endpoint.name for endpoint in endpoints if not offers_batches(endpoint)]
    if without:
        offers = "offers" if len(without) == 1 else "offer"
        reason = f"{', '.join(without)} {offers} no batches at a lower price"
        return Strategy("provider batch", None, None, None, reason)
    share = max((one.batch for one in prices if one is not None), default=None)
    lower = None
    if cost is not None and share is not None:
        lower = CostRange(*(round(bound * share) for bound in (cost.low, cost.likely, cost.high)))
    words = "half the price" if share is None or share * 2 == 1 else f"{float(share):.0%} of the price"
    reason = f"{words}, no limits of its own; done within {BATCH_HOURS} h, often much sooner"
    return Strategy("provider batch", lower, BATCH_HOURS * 3_600.0, 0, reason)


def _windows(amount: int, limit: int | None, period_s: int) -> float:
    """Seconds until the last of an amount may start under an exact sliding window."""
    return 0.0 if not limit else float((math.ceil(amount / limit) - 1) * period_s)


def _lesser(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _sum(values: Sequence[int | None]) -> int | None:
    """None as soon as one is unlimited: it may take what the others cannot."""
    return None if not values or any(value is None for value in values) else sum(filter(None, values))
