"""The second request of an item: asking the judge about its answer, and what becomes of the item then.

The answer is on the disk before its judge is asked, and the item stays pending until the judge has spoken. So a crash
between the two repeats the judge's request, never the answer's. Plain functions; the landing writes what they decide.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Answered, Attempt, CachedResponse, ItemFlag, ItemRecord, ItemState, Leg
from tui_batch.domain.job import JobSpec
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.quality import Check, FailedCheck
from tui_batch.engine.queue import Judging, Prepared
from tui_batch.engine.retry import Dead, Done, History, RetryAt, RetryPolicy, decide
from tui_batch.quality.checks import Checks, Examined
from tui_batch.quality.drift import Reading, digest_of
from tui_batch.quality.judging import JUDGE, NoRuling, objection, ruling_of
from tui_batch.quality.kinds import refuses

JUDGED = frozenset({OutcomeClass.OK, OutcomeClass.TRUNCATED})
"""Answers that a judge is asked about; one that fails another check is not worth its price."""


def policy_of(spec: JobSpec) -> RetryPolicy:
    """How often a judge is asked about one answer: as often as the job's models are asked for one."""
    return RetryPolicy(max_attempts=spec.max_attempts, max_malformed=spec.max_attempts)


def heard(checks: Checks | None, item: Prepared, outcome: Outcome) -> Examined:
    """What came of a judge's request: its ruling with the other checks' scores, or an error. Any thread may ask."""
    judging = judging_of(item)
    answer = judging.answer
    given = Outcome(answer.cls, text=answer.text)
    other = Examined(given) if checks is None else checks.examine(given, judging.asked.columns)
    if outcome.cls not in JUDGED:
        return Examined(outcome, other.score, other.scores)
    try:
        return other.ruled(ruling_of(outcome.text or ""), outcome)
    except NoRuling as error:
        return Examined(replace(outcome, cls=OutcomeClass.MALFORMED, message=str(error)), other.score, other.scores)


@dataclass(frozen=True, slots=True)
class Heard:
    """A judge's answer with all that is needed to record it."""

    job_id: int
    item: Prepared
    """The judge's request; it is counted in its `requests`, unless the cache answered."""
    examined: Examined
    deployment: DeploymentKey
    cost_nano: int | None
    at: float
    """Unix time of the decision."""
    cached: bool = False
    presumed_nano: int = 0
    entry: CachedResponse | None = None
    """To be stored in the cache."""
    cache_key: bytes | None = None
    """The entry that answered."""
    saved_nano: int | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """An item after its judge spoke."""

    record: ItemRecord
    again: Prepared | None = None
    """The request that follows: for another answer, or to the judge once more. None: the item is settled."""


def ruled(found: Heard, check: Check, policy: RetryPolicy, rng: random.Random) -> Settled:
    """The judge gave a score: the answer is taken, or fails as it would fail any other check."""
    judging, ruling = judging_of(found.item), found.examined.ruling
    assert ruling is not None  # the caller has looked
    asked = judging.asked
    wrong = objection(check, ruling)
    if not wrong:
        return Settled(_record(found, ItemState.DONE, attempts=asked.attempts + 1))
    invalid = replace(found.examined.outcome, cls=OutcomeClass.INVALID, message=wrong)
    failing = (*found.examined.failing, FailedCheck(JUDGE, "", wrong))
    found = replace(found, examined=replace(found.examined, outcome=invalid, failing=failing))
    history = History(asked.attempts, asked.malformed, found.item.requests, asked.invalid)
    decision = decide(invalid, history, policy, now_unix=found.at, rng=rng)
    match decision:
        case Done(flags=flags):
            return Settled(replace(_record(found, ItemState.DONE, attempts=asked.attempts + 1), flags=flags))
        case RetryAt(at_unix=at, attempts=attempts, invalid=failed):
            again = replace(asked, attempts=attempts, invalid=failed, requests=found.item.requests)
            record = _record(found, ItemState.PENDING, attempts=attempts)
            record = replace(record, invalid=failed, available_at=at, score=None)
            if judging.answer.cached:
                record = replace(record, recanted=True, unsaved_nano=judging.answer.saved_nano)
            return Settled(_with_attempt(record, found), again)
        case _:
            dead = _record(found, ItemState.DEAD, attempts=asked.attempts + 1)
            return Settled(_with_attempt(replace(dead, invalid=asked.invalid + 1), found))


def unheard(found: Heard, decision: RetryAt | Dead | None) -> Settled:
    """The judge's request failed: it is repeated, or the answer is taken without it. None: the job pauses first."""
    item = found.item
    judging = judging_of(item)
    if isinstance(decision, Dead):
        record = _record(found, ItemState.DONE, attempts=judging.asked.attempts + 1)
        return Settled(_with_attempt(replace(record, flags=ItemFlag.UNJUDGED), found))
    again = item if decision is None else replace(item, attempts=decision.attempts)
    at = 0.0 if decision is None else decision.at_unix
    record = _record(found, ItemState.PENDING, attempts=judging.asked.attempts)
    record = replace(record, judging=1 + again.attempts, available_at=at, score=None)
    return Settled(_with_attempt(record, found), again)


def unaskable(job_id: int, item_id: int, attempts: int, invalid: int, outcome: Outcome, at: float) -> ItemRecord:
    """No request to the judge can be made (its prompt is too long, the row was edited): the answer is taken."""
    return ItemRecord(
        job_id=job_id,
        item_id=item_id,
        state=ItemState.DONE,
        attempts=attempts + 1,
        malformed=0,
        available_at=0.0,
        outcome=outcome,
        deployment=None,
        cost_nano=0,
        at=at,
        flags=ItemFlag.UNJUDGED,
        invalid=invalid,
        leg=Leg.JUDGE,
    )


def reading(item: Prepared, examined: Examined) -> Reading:
    """A judged answer as drift is told from it."""
    judging = judging_of(item)
    answer: Answered = judging.answer
    return Reading(
        item_id=item.id,
        row=item.order[1] + 1,
        score=examined.score,
        failed=examined.outcome.cls is OutcomeClass.INVALID,
        refused=refuses(answer.text),
        chars=len(answer.text),
        latency_s=answer.latency_s,
        digest=digest_of(answer.text),
    )


def judging_of(item: Prepared) -> Judging:
    """What a request to a judge is about."""
    assert item.judging is not None  # only the judge's requests come here
    return item.judging


def _record(found: Heard, state: ItemState, *, attempts: int) -> ItemRecord:
    asked, ruling = judging_of(found.item).asked, found.examined.ruling
    return ItemRecord(
        job_id=found.job_id,
        item_id=found.item.id,
        state=state,
        attempts=attempts,
        malformed=asked.malformed,
        available_at=0.0,
        outcome=found.examined.outcome,
        deployment=found.deployment,
        cost_nano=found.cost_nano,
        at=found.at,
        cached=found.cached,
        cache_entry=found.entry,
        cache_key=found.cache_key,
        saved_nano=found.saved_nano,
        invalid=asked.invalid,
        score=found.examined.score,
        presumed_nano=found.presumed_nano,
        leg=Leg.JUDGE,
        reason="" if ruling is None else ruling.reason,
        failing=found.examined.failing,
    )


def _with_attempt(record: ItemRecord, found: Heard) -> ItemRecord:
    """With the judge's request as it is kept: it failed, or it turned the answer down."""
    outcome = found.examined.outcome
    attempt = Attempt(
        item_id=found.item.id,
        number=max(1, found.item.requests),
        at=outcome.started_at or found.at,
        deployment=found.deployment,
        cls=outcome.cls,
        status=outcome.status,
        message=outcome.message,
        latency_s=outcome.latency_s,
        input_tokens=outcome.usage.input_tokens,
        output_tokens=outcome.usage.output_tokens,
        cost_nano=found.cost_nano,
        failing=found.examined.failing,
    )
    return replace(record, attempt=attempt)
