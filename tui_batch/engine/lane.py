"""A deployment at work: its limits, breaker, concurrency and figures, and the admission of one request to it."""

from __future__ import annotations

from dataclasses import dataclass

from tui_batch.domain.endpoint import Deployment
from tui_batch.domain.job import JobState, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.values import immutable
from tui_batch.engine.breaker import Blocked, Breaker
from tui_batch.engine.concurrency import AutoLimit
from tui_batch.engine.histogram import Histogram, WindowedRate
from tui_batch.engine.opening import FIRST, QUIET_S, Opening
from tui_batch.engine.ratelimit import Admitted, RateLimiter, Ticket
from tui_batch.engine.router import LaneLoad
from tui_batch.engine.snapshot import Hold, LaneLimits, LaneSnapshot, Latency
from tui_batch.money.prices import UnitPrices

BREAKER = "breaker"
"""`Wait.what` while a breaker is open."""
REFUSED_UNREAD = frozenset(
    {
        OutcomeClass.QUOTA,
        OutcomeClass.AUTH,
        OutcomeClass.NOT_FOUND,
        OutcomeClass.BAD_REQUEST,
        OutcomeClass.CONTEXT_LENGTH,
    }
)
"""Refused before any token was worked on. The request itself still counts (OpenAI, rate limits guide)."""
ANSWERED = frozenset({OutcomeClass.OK, OutcomeClass.TRUNCATED})
"""The server gave an answer, and took the time that it takes."""
NO_FAULT = frozenset({OutcomeClass.REFUSED, OutcomeClass.CONTEXT_LENGTH, OutcomeClass.INVALID})
"""No usable answer, but it was the row's doing: nothing is wrong with the server."""
SMOOTHING = 0.2
"""Weight of the newest latency in the running mean that routing uses."""
FASTER = 0.5
"""Its weight when it is below the mean: a first answer that had to wait for the model to load is soon forgotten."""
FORGET_S = 10.0
"""An idle deployment's mean latency halves in this time, so that one that was slow once is asked again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now. `until` is a time on the loop's clock; None: until something in flight ends."""

    what: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a job stops dispatching, and the state it gets."""

    state: JobState
    reason: PauseReason | None = None
    message: str = ""


@immutable(frozen=True, slots=True)
class Pass:
    """Leave to send one request; every part must be settled or given back once."""

    lane_ticket: Ticket
    job_ticket: Ticket | None
    """None: the job has no limits of its own."""
    reserved_nano: int
    busy_from: float = 0.0
    """What `Lane.busy_seconds` said when it was given."""


@dataclass(slots=True)
class LaneRecord:
    """What came of a deployment's requests in this process."""

    requests: int = 0
    failed: int = 0
    trouble: str = ""
    trouble_at: float | None = None

    def add(self, now: float, outcome: Outcome) -> None:
        """Counts an outcome, and keeps the words of a failure."""
        self.requests += 1
        if outcome.cls in ANSWERED or outcome.cls in NO_FAULT:
            return
        self.failed += 1
        self.trouble_at = now
        status = f"{outcome.status} " if outcome.status is not None and outcome.status >= 400 else ""
        self.trouble = f"{outcome.cls}: {status}{outcome.message}".rstrip(" :")


class Lane:
    """One deployment's state, shared by all jobs that use it."""

    def __init__(
        self, deployment: Deployment, limiter: RateLimiter, prices: UnitPrices | None, window: int | None = None
    ) -> None:
        self.deployment = deployment
        self.key = deployment.key
        self.limiter = limiter
        self.prices = prices
        self.window = window
        """The model's context window in tokens; None: nobody publishes it."""
        self._busy_s = 0.0
        self._busy_at = 0.0
        self.breaker = Breaker()
        self.auto = AutoLimit()
        self.in_flight = 0
        self.closed: Halt | None = None
        """Why nothing is sent here any more (its key was refused, the model is gone); None while in use."""
        self.is_off = False
        """A person switched its endpoint off: as closed, but until they switch it on again."""
        endpoint = deployment.endpoint
        self._own = LaneLimits(endpoint.rpm, endpoint.tpm, endpoint.max_in_flight)
        self._record = LaneRecord()
        self._is_auto = False
        """Whether the last request was of a job without a concurrency of its own."""
        self._opening = Opening()
        self._doubts = 0
        self._lessons = 0
        self._by_chance = False
        self._latency = Histogram()
        self._tokens = WindowedRate(10.0)
        self._mean_latency: float | None = None
        self._measured_at = 0.0

    def load(self, now: float, weight: float = 1.0) -> LaneLoad:
        """What the router needs to know. What was measured counts for less the longer nothing is asked any more."""
        seconds = self._mean_latency
        if seconds is not None and not self.in_flight:
            seconds *= 0.5 ** ((now - self._measured_at) / FORGET_S)
        return LaneLoad(self.in_flight, weight, seconds, self.breaker.health)

    @property
    def in_use(self) -> bool:
        """Whether requests may go there at all."""
        return self.closed is None and not self.is_off

    def set_limits(self, limits: LaneLimits) -> None:
        """Replaces what a person allows; holds from the next request on. A lower limit of the server's own stays."""
        self._own = limits
        self.limiter.set_limits(rpm=limits.rpm, tpm=limits.tpm, rpd=self.deployment.endpoint.rpd)

    @property
    def seconds_per_item(self) -> float:
        """Mean latency lately; a second as long as nothing was answered."""
        return 1.0 if self._mean_latency is None else self._mean_latency

    def hold(self, now: float, *, auto: bool) -> Wait | None:
        """Why no request may go now, limits apart; None when one may. `auto`: the job leaves the concurrency to us."""
        self._is_auto = auto
        return self._held(now, auto=auto)

    def _held(self, now: float, *, auto: bool) -> Wait | None:
        allowed = self.breaker.allow(now)
        if isinstance(allowed, Blocked):
            return Wait(BREAKER, allowed.until)
        limit = self._limit(auto=auto)
        if limit is not None and self.in_flight >= limit:
            return Wait("concurrency")
        self._heed(now)
        if self._opening.is_over:
            return None
        if (known := self.limiter.known_per_s) is not None:
            self._opening.know(known)
        until = self._opening.wait_until(now, self.in_flight)
        return None if until is None else Wait("the first answer", until)

    def _heed(self, now: float) -> None:
        """Follows what the limiter has concluded about refusals since it was last asked."""
        if self.limiter.doubts != self._doubts:
            self._doubts = self.limiter.doubts
            self._opening = Opening(QUIET_S, FIRST * 2.0 ** (self._doubts - 1))
        if self.limiter.lessons != self._lessons:
            self._lessons = self.limiter.lessons
            self._opening.refused()
        if self.limiter.refuses_by_chance != self._by_chance:
            self._by_chance = self.limiter.refuses_by_chance
            if self._by_chance:
                self._opening.refused()
                self.auto.absolve()

    def _limit(self, *, auto: bool) -> int | None:
        fixed = self._own.max_in_flight
        if not auto:
            return fixed
        return self.auto.limit if fixed is None else min(fixed, self.auto.limit)

    def take(self, now: float, tokens: int) -> Ticket | Wait:
        """Reserves the rate limits for one request."""
        admitted = self.limiter.admit(now, tokens)
        if isinstance(admitted, Admitted):
            return admitted.ticket
        return Wait(admitted.what, admitted.until)

    def busy_seconds(self, now: float) -> float:
        """The seconds in which something was in flight, each divided by how many requests were.

        What a request adds to it is its share of the server's time; the shares of all add up to the time it was busy.
        """
        if self.in_flight:
            self._busy_s += max(0.0, now - self._busy_at) / self.in_flight
        self._busy_at = now
        return self._busy_s

    def launched(self, now: float) -> None:
        """A request goes out."""
        self.busy_seconds(now)
        self.in_flight += 1
        if not self._opening.is_over:
            self._opening.launched(now)
        self.breaker.started(now)

    def landed(self, now: float, ticket: Ticket, outcome: Outcome) -> None:
        """A request is over: settles its tokens and learns from it."""
        in_flight = self.in_flight
        self.busy_seconds(now)
        self.in_flight -= 1
        self._record.add(now, outcome)
        cls = outcome.cls
        if outcome.limits is not None:
            self.limiter.learn(outcome.limits, now, ticket)
        if cls is OutcomeClass.RATE_LIMITED:
            self.limiter.refused(now, outcome.retry_after_s, ticket)
            self._opening.stopped(now, now + (outcome.retry_after_s or 0.0))
        else:
            self.limiter.settle(ticket, counted_tokens(outcome), now)
        self._heed(now)
        if cls is OutcomeClass.OVERLOADED and outcome.retry_after_s is not None:
            self.limiter.stop_until(now + outcome.retry_after_s)
        self.breaker.record(cls, now, ticket.at)
        if cls is not OutcomeClass.RATE_LIMITED or self.limiter.minds_refusals:
            self.auto.on_outcome(now, cls, outcome.latency_s, in_flight, outcome.usage.output_tokens or 0)
        if cls in ANSWERED:
            self._opening.answered(now, outcome.latency_s)
            self._measure(now, outcome)

    def _measure(self, now: float, outcome: Outcome) -> None:
        self._latency.add(outcome.latency_s)
        self._tokens.add(now, outcome.usage.total or 0)
        seconds, mean = outcome.latency_s, self._mean_latency
        weight = SMOOTHING if mean is not None and seconds > mean else FASTER
        self._mean_latency = seconds if mean is None else mean + weight * (seconds - mean)
        self._measured_at = now

    def withdrawn(self, now: float, ticket: Ticket) -> None:
        """A request was cancelled on its way: the server may have counted it, so its reservation stands."""
        self.busy_seconds(now)
        self.in_flight -= 1
        self.limiter.settle(ticket, None)
        self.breaker.abandoned(now, ticket.at)

    def unsent(self, now: float, ticket: Ticket) -> None:
        """A request was admitted and then not sent: it leaves no trace."""
        self.busy_seconds(now)
        self.in_flight -= 1
        self.limiter.cancel(ticket)
        self.breaker.abandoned(now, ticket.at)

    def snapshot(self, now: float) -> LaneSnapshot:
        """Figures for a screen."""
        limits = self.limiter.snapshot(now)
        held = self._held(now, auto=self._is_auto)
        until = limits.blocked_until
        hold = None
        if held is not None:
            hold = Hold(held.what, None if held.until is None else max(0.0, held.until - now))
        elif until is not None and until > now:
            hold = Hold(limits.why, until - now)
        breaker = self.breaker.snapshot(now)
        return LaneSnapshot(
            endpoint=self.key.endpoint,
            model=self.key.model,
            in_flight=self.in_flight,
            limit=self._limit(auto=self._is_auto),
            breaker=breaker.state,
            rpm=limits.rpm,
            rpm_used=limits.rpm_used,
            tpm=limits.tpm,
            tpm_used=limits.tpm_used,
            rpd=limits.rpd,
            rpd_used=limits.rpd_used,
            learned=limits.learned,
            pace_per_s=limits.pace_per_s,
            latency=latency_of(self._latency),
            tokens_per_s=self._tokens.rate(now),
            closed=self.closed.message if self.closed else "",
            hold=hold,
            is_off=self.is_off,
            breaker_s=None if breaker.until is None else max(0.0, breaker.until - now),
            own=self._own,
            requests=self._record.requests,
            failed=self._record.failed,
            trouble=self._record.trouble,
            trouble_s=None if self._record.trouble_at is None else now - self._record.trouble_at,
        )


def counted_tokens(outcome: Outcome) -> int | None:
    """Tokens a request took from a limit: as reported; none for one refused unread; None, unknown, after a failure."""
    return 0 if outcome.cls in REFUSED_UNREAD else outcome.usage.total


def latency_of(histogram: Histogram) -> Latency:
    """The percentiles that screens show."""
    return Latency(histogram.percentile(0.50), histogram.percentile(0.95), histogram.percentile(0.99))
