"""From an outcome to what is written: settle, decide, record. Plain functions on the loop, no awaits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Attempt, CachedResponse, ItemFlag, ItemRecord, ItemState
from tui_batch.domain.job import CacheMode, JobState, PauseReason
from tui_batch.domain.outcome import JOB_WIDE, Outcome, OutcomeClass
from tui_batch.engine.flights import RecentAnswers, SingleFlight
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.lane import Halt, Lane, Pass
from tui_batch.engine.prepare import Unsendable
from tui_batch.engine.queue import Prepared
from tui_batch.engine.retry import Dead, Done, History, PauseJob, RetryAt, decide
from tui_batch.money.prices import cost

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


@dataclass(frozen=True, slots=True)
class Follower:
    """An item that waits for an equal request of this or another job."""

    run: JobRun
    item: Prepared


class Landing:
    """Takes in what came of items, on behalf of all running jobs."""

    def __init__(
        self,
        lanes: Mapping[DeploymentKey, Lane],
        *,
        record: Callable[[ItemRecord], None],
        halt: Callable[[JobRun, Halt], None],
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._lanes = lanes
        self._record = record
        self._halt = halt
        self._clock = clock
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self.flights: SingleFlight[Follower] = SingleFlight()
        self.recent = RecentAnswers()

    def join(self, run: JobRun, item: Prepared) -> bool:
        """Answers an item from this run's answers, or hangs it on an equal request in flight."""
        if not run.uses_cache:
            return False
        for call in item.calls:
            answer = self.recent.get(call.cache_key)
            if answer is not None:
                self.hit(run, item, answer)
                return True
            if self.flights.follow(call.cache_key, Follower(run, item)):
                run.followers += 1
                return True
        return False

    def hit(self, run: JobRun, item: Prepared, answer: CachedResponse) -> None:
        """Records an item as done by a stored answer: no request, no cost."""
        outcome = Outcome(OutcomeClass.OK, text=answer.text, finish_reason=answer.finish_reason, model=answer.model)
        key = next(call.wire.deployment for call in item.calls if call.cache_key == answer.key)
        self._write(
            run,
            ItemRecord(
                job_id=run.id,
                item_id=item.id,
                state=ItemState.DONE,
                attempts=item.attempts,
                malformed=item.malformed,
                available_at=0.0,
                outcome=outcome,
                deployment=key,
                cost_nano=0,
                at=self._clock(),
                cached=True,
                cache_key=answer.key,
                saved_nano=answer.cost_nano,
            ),
        )

    def unsendable(self, run: JobRun, dead: Unsendable) -> None:
        """Records an item that no request can be made of."""
        item = dead.item
        at = self._clock()
        attempt = Attempt(
            item_id=item.id,
            number=item.attempts + 1,
            at=at,
            deployment=DeploymentKey("", ""),
            cls=dead.outcome.cls,
            status=None,
            message=dead.outcome.message,
            latency_s=0.0,
            cost_nano=0,
        )
        self._write(
            run,
            ItemRecord(
                job_id=run.id,
                item_id=item.id,
                state=ItemState.DEAD,
                attempts=item.attempts,
                malformed=item.malformed,
                available_at=0.0,
                outcome=dead.outcome,
                deployment=None,
                cost_nano=0,
                at=at,
                attempt=attempt,
            ),
        )
        self._watch(run, dead.outcome, permanent=True)

    def land(self, run: JobRun, item: Prepared, index: int, granted: Pass, outcome: Outcome) -> None:
        """A request is over: settles its reservations, decides, records, and serves those that waited for it."""
        now = self._loop.time()
        call = item.calls[index]
        lane = self._lanes[call.wire.deployment]
        lane.landed(now, granted.lane_ticket, outcome)
        run.limiter.settle(granted.job_ticket, outcome.usage.total)
        price = self._cost(lane, outcome)
        run.budget.settle(granted.reserved_nano, price)
        run.in_flight -= 1
        item = replace(item, requests=item.requests + 1)
        answer = self._decide(run, item, lane, outcome, price)
        for follower in self.flights.land(call.cache_key):
            follower.run.followers -= 1
            if answer is not None and follower.run.uses_cache:
                self.hit(follower.run, follower.item, answer)
            else:
                follower.run.queue.push(follower.item)

    def withdraw(self, run: JobRun, item: Prepared, index: int, granted: Pass) -> None:
        """A request was cancelled on its way: the item stays pending, what it may have cost stays reserved."""
        call = item.calls[index]
        self._lanes[call.wire.deployment].withdrawn(self._loop.time(), granted.lane_ticket)
        run.limiter.settle(granted.job_ticket, None)
        run.in_flight -= 1
        for follower in self.flights.land(call.cache_key):
            follower.run.followers -= 1
            follower.run.queue.push(follower.item)
        run.queue.push(item)

    def _cost(self, lane: Lane, outcome: Outcome) -> int | None:
        if outcome.cls in UNBILLED or (outcome.cls is OutcomeClass.CONNECTION and outcome.status is None):
            return 0
        return None if lane.prices is None else cost(outcome.usage, lane.prices)

    def _decide(
        self, run: JobRun, item: Prepared, lane: Lane, outcome: Outcome, price: int | None
    ) -> CachedResponse | None:
        """Records the decision; returns the answer if equal requests may share it."""
        history = History(item.attempts, item.malformed, item.requests)
        decision = decide(outcome, history, run.policy, now_unix=self._clock(), rng=self._rng)
        match decision:
            case Done(flags=flags):
                return self._done(run, item, lane, outcome, price, flags)
            case RetryAt(at_unix=at, attempts=attempts, malformed=malformed):
                item = replace(item, attempts=attempts, malformed=malformed)
                self._failed(run, item, lane, outcome, price, ItemState.PENDING, at)
                run.queue.wait(item, self._loop.time() + max(0.0, at - self._clock()))
            case Dead():
                item = replace(item, attempts=item.attempts + 1)
                self._failed(run, item, lane, outcome, price, ItemState.DEAD, 0.0)
            case PauseJob(reason=reason, message=message):
                self._failed(run, item, lane, outcome, price, ItemState.PENDING, 0.0)
                run.queue.push(item)
                self._stop(run, item, lane, outcome, Halt(JobState.PAUSED, reason, message))
                return None
        self._watch(run, outcome, permanent=isinstance(decision, Dead))
        return None

    def _done(
        self, run: JobRun, item: Prepared, lane: Lane, outcome: Outcome, price: int | None, flags: ItemFlag
    ) -> CachedResponse | None:
        entry: CachedResponse | None = None
        if outcome.cls is OutcomeClass.OK and run.spec.cache is not CacheMode.OFF:
            entry = CachedResponse(
                key=next(call.cache_key for call in item.calls if call.wire.deployment == lane.key),
                model=outcome.model or lane.key.model,
                text=outcome.text or "",
                finish_reason=outcome.finish_reason,
                input_tokens=outcome.usage.input_tokens,
                output_tokens=outcome.usage.output_tokens,
                cost_nano=price,
            )
            self.recent.put(entry)
        self._write(
            run,
            ItemRecord(
                job_id=run.id,
                item_id=item.id,
                state=ItemState.DONE,
                attempts=item.attempts + 1,
                malformed=item.malformed,
                available_at=0.0,
                outcome=outcome,
                deployment=lane.key,
                cost_nano=price,
                at=self._clock(),
                flags=flags,
                cache_entry=entry,
                keep_raw=run.spec.keep_raw,
            ),
        )
        self._watch(run, outcome, permanent=False)
        return entry

    def _failed(
        self,
        run: JobRun,
        item: Prepared,
        lane: Lane,
        outcome: Outcome,
        price: int | None,
        state: ItemState,
        available_at: float,
    ) -> None:
        usage = outcome.usage
        attempt = Attempt(
            item_id=item.id,
            number=item.requests,
            at=outcome.started_at,
            deployment=lane.key,
            cls=outcome.cls,
            status=outcome.status,
            message=outcome.message,
            latency_s=outcome.latency_s,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_nano=price,
        )
        self._write(
            run,
            ItemRecord(
                job_id=run.id,
                item_id=item.id,
                state=state,
                attempts=item.attempts,
                malformed=item.malformed,
                available_at=available_at,
                outcome=outcome,
                deployment=lane.key,
                cost_nano=price,
                at=self._clock(),
                attempt=attempt,
                keep_raw=run.spec.keep_raw,
            ),
        )

    def _stop(self, run: JobRun, item: Prepared, lane: Lane, outcome: Outcome, halt: Halt) -> None:
        """Drops the deployment when others can answer the item; otherwise pauses the job."""
        others = [key for key in item.route if key != lane.key and self._lanes[key].closed is None]
        if others and outcome.cls in JOB_WIDE:
            lane.closed = halt
        else:
            self._halt(run, halt)

    def _watch(self, run: JobRun, outcome: Outcome, *, permanent: bool) -> None:
        run.guard.record(outcome.cls, permanent=permanent, message=outcome.message)
        verdict = run.guard.verdict()
        if verdict is not None:
            self._halt(run, Halt(JobState.PAUSED, PauseReason.ERROR_RATE, verdict.message))

    def _write(self, run: JobRun, record: ItemRecord) -> None:
        run.stats.add(self._loop.time(), record)
        self._record(record)
