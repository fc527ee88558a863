"""What came of one request, before anything is decided: whom it concerns, what it cost, what may be shared of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tui_batch.domain.endpoint import Api, DeploymentKey, Operation
from tui_batch.domain.item import Attempt, CachedResponse
from tui_batch.domain.job import CacheMode
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.quality import FailedCheck
from tui_batch.domain.values import immutable
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.lane import Lane
from tui_batch.engine.prompt_cut import checked
from tui_batch.engine.queue import Call, Prepared
from tui_batch.money.exposure import told
from tui_batch.money.prices import cost
from tui_batch.quality.checks import Examined
from tui_batch.quality.drift import Reading, digest_of
from tui_batch.quality.kinds import refuses

UNBILLED = frozenset(
    {
        OutcomeClass.RATE_LIMITED,
        OutcomeClass.OVERLOADED,
        OutcomeClass.QUOTA,
        OutcomeClass.AUTH,
        OutcomeClass.NOT_FOUND,
        OutcomeClass.BAD_REQUEST,
        OutcomeClass.CONTEXT_LENGTH,
        OutcomeClass.SERVER_ERROR,
    }
)
"""Errors that come before or instead of an answer; providers do not bill them."""

ANSWERED = frozenset({OutcomeClass.OK, OutcomeClass.TRUNCATED, OutcomeClass.INVALID, OutcomeClass.REFUSED})
"""Classes that say something about a model's quality."""


@dataclass(frozen=True, slots=True)
class Follower:
    """An item that waits for an equal request of this or another job."""

    run: JobRun
    item: Prepared


@immutable(frozen=True, slots=True)
class Arrival:
    """What came of one request, with whom it concerns."""

    run: JobRun
    item: Prepared
    """As it was sent; where there is no answer to be taken, this request is `counted` in it."""
    lane: Lane
    outcome: Outcome
    cost_nano: int | None
    score: float | None = None
    presumed_nano: int = 0
    """With an unknown cost: the most that it can be."""
    failing: tuple[FailedCheck, ...] = ()
    """The checks that the answer fails."""


def counted(item: Prepared) -> Prepared:
    """An item of which one more request was made."""
    return replace(item, requests=item.requests + 1)


def price_of(lane: Lane, call: Call, outcome: Outcome, busy_s: float = 0.0) -> int | None:
    """Nano-dollars that a request cost; None: unknown. `busy_s`: its share of the time that its server was busy."""
    prices = lane.prices
    refused = outcome.cls in UNBILLED and outcome.usage.total is None and not _had_begun(call, outcome)
    if refused and (prices is None or not prices.is_by_time):
        return 0
    if prices is None or (call.use.untold and not refused and prices.costs_tokens):
        return None
    usage = told(outcome.usage, call.use)
    return None if usage is None else cost(usage, prices, busy_s=busy_s)


def _had_begun(call: Call, outcome: Outcome) -> bool:
    """Whether an error ended a streamed answer half way: its first part may be billed, and nobody says so."""
    streamed = call.wire.timeouts.stall_s is not None
    return streamed and outcome.status is not None and 200 <= outcome.status < 300


def source_of(item: Prepared, answer: CachedResponse) -> DeploymentKey:
    """The deployment of an item's route that a stored response stands for."""
    return next(call.wire.deployment for call in item.calls if call.cache_key == answer.key)


def answer_of(arrival: Arrival, key: bytes) -> CachedResponse | None:
    """The answer as it may be stored and shared; None for one that must not be (cut, or the cache is off)."""
    outcome = arrival.outcome
    if outcome.cls is not OutcomeClass.OK or arrival.run.spec.cache is CacheMode.OFF:
        return None
    return CachedResponse(
        key=key,
        model=outcome.model or arrival.lane.key.model,
        text=outcome.text or "",
        finish_reason=outcome.finish_reason,
        input_tokens=outcome.usage.input_tokens,
        output_tokens=outcome.usage.output_tokens,
        cost_nano=arrival.cost_nano,
    )


def received(item: Prepared, index: int, outcome: Outcome) -> Outcome:
    """The outcome with what only its request can tell: whether the server read the whole prompt."""
    wire = item.calls[index].wire
    told = wire.api is Api.OLLAMA and wire.operation is not Operation.EMBED
    return checked(outcome, item.tokens_in, item.window) if told else outcome


def examine(run: JobRun, item: Prepared, outcome: Outcome) -> Examined:
    """The outcome as the job's checks see it."""
    return Examined(outcome) if run.checks is None else run.checks.examine(outcome, item.columns)


def reading_of(arrival: Arrival) -> Reading:
    """An answer as drift is told from it."""
    outcome, text = arrival.outcome, arrival.outcome.text or ""
    return Reading(
        item_id=arrival.item.id,
        row=arrival.item.order[1] + 1,
        score=arrival.score,
        failed=outcome.cls is OutcomeClass.INVALID,
        refused=outcome.cls is OutcomeClass.REFUSED or refuses(text),
        chars=len(text),
        latency_s=outcome.latency_s,
        digest=digest_of(text),
    )


def attempt_of(arrival: Arrival) -> Attempt:
    """A failed request, as it is kept."""
    outcome = arrival.outcome
    return Attempt(
        item_id=arrival.item.id,
        number=arrival.item.requests,
        at=outcome.started_at,
        deployment=arrival.lane.key,
        cls=outcome.cls,
        status=outcome.status,
        message=outcome.message,
        latency_s=outcome.latency_s,
        input_tokens=outcome.usage.input_tokens,
        output_tokens=outcome.usage.output_tokens,
        cost_nano=arrival.cost_nano,
        failing=arrival.failing,
    )
