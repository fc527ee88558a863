"""From an outcome to what is written: settle, decide, record. Plain functions on the loop, no awaits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import CachedResponse, ItemFlag, ItemRecord, ItemState
from tui_batch.domain.job import JobState, PauseReason
from tui_batch.domain.outcome import FREE_RETRY, JOB_WIDE, Outcome, OutcomeClass
from tui_batch.domain.quality import OnDrift, OnInvalid
from tui_batch.engine.arrival import (
    ANSWERED,
    Arrival,
    Follower,
    answer_of,
    attempt_of,
    counted,
    examine,
    price_of,
    reading_of,
    source_of,
)
from tui_batch.engine.flights import RecentAnswers, SingleFlight
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.judging import Heard, heard, judging_of, reading, ruled, unaskable, unheard
from tui_batch.engine.lane import Halt, Lane, Pass, counted_tokens
from tui_batch.engine.prepare import Unsendable
from tui_batch.engine.queue import Call, Prepared
from tui_batch.engine.records import arrival_record, hit_record, unsendable_record, unsent_attempt
from tui_batch.engine.retry import PROMPT_CUT_CODE, Dead, Done, History, PauseJob, RetryAt, decide
from tui_batch.money.tokens import TokenEstimator
from tui_batch.quality.checks import Examined
from tui_batch.quality.drift import Alert, Reading

LONG_ANSWER = 20_000
"""Characters from which on checks take longer than the loop should wait: a schema needs 10 ms for so many."""


class Landing:
    """Takes in what came of items, on behalf of all running jobs."""

    def __init__(
        self,
        lanes: Mapping[DeploymentKey, Lane],
        estimator: TokenEstimator,
        *,
        record: Callable[[ItemRecord], None],
        halt: Callable[[JobRun, Halt], None],
        tell: Callable[[JobRun, Alert], None],
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._lanes = lanes
        self._estimator = estimator
        self._record = record
        self._halt = halt
        self._tell = tell
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
            if answer is not None and self.hit(run, item, answer):
                return True
            if call.cache_key in self.flights:
                self.flights.follow(call.cache_key, Follower(run, item))
                run.followers += 1
                return True
        return False

    def hit(self, run: JobRun, item: Prepared, answer: CachedResponse) -> bool:
        """Records an item as done by a stored answer: no request, no cost. False: it fails this job's checks."""
        outcome = Outcome(OutcomeClass.OK, text=answer.text, finish_reason=answer.finish_reason, model=answer.model)
        if item.judging is not None:
            return self._judged_before(run, item, outcome, answer)
        if run.judge is not None and item.invalid:
            return False  # the judge may have turned this very answer down
        examined = examine(run, item, outcome)
        failed = examined.outcome.cls is OutcomeClass.INVALID
        if failed and run.policy.on_invalid is not OnInvalid.FLAG:
            return False
        judging = self._awaits_judge(run, item, examined.outcome)
        flags = ItemFlag.CHECK_FAILED if failed else ItemFlag.NONE
        self._write(run, hit_record(run.id, item, answer, examined, flags=flags, judging=judging, at=self._clock()))
        return True

    def _awaits_judge(self, run: JobRun, item: Prepared, outcome: Outcome) -> int:
        """1 for an answer that goes to a judge as soon as it is on the disk, else 0: the item's `judging`."""
        if not run.asks_judge(outcome):
            return 0
        run.storing.add(item.id)
        return 1

    def _judged_before(self, run: JobRun, item: Prepared, outcome: Outcome, answer: CachedResponse) -> bool:
        """Settles an item by what a judge said of an equal answer. False: that cannot be used."""
        found = Heard(
            run.id,
            item,
            heard(run.checks, item, outcome),
            source_of(item, answer),
            cost_nano=0,
            at=self._clock(),
            cached=True,
            cache_key=answer.key,
            saved_nano=answer.cost_nano,
        )
        if found.examined.ruling is None:
            return False
        self._settle_ruled(run, found)
        return True

    def _settle_ruled(self, run: JobRun, found: Heard) -> None:
        """The judge has spoken: the item is done or dead, or its answer is asked for anew."""
        assert run.judge is not None  # who else has spoken?
        settled = ruled(found, run.judge, run.policy, self._rng)
        outcome = settled.record.outcome
        self._write(run, settled.record)
        if settled.again is not None:
            again = settled.again
            if again.original is not None:
                again = run.preparer.told(again, judging_of(found.item).answer.text, outcome.message)
            run.queue.wait(again, self._loop.time() + max(0.0, settled.record.available_at - self._clock()))
        self._watch(run, outcome, permanent=settled.record.state is ItemState.DEAD)
        if not judging_of(found.item).answer.cached:
            self._watch_drift(run, reading(found.item, replace(found.examined, outcome=outcome)))

    def unsendable(self, run: JobRun, dead: Unsendable) -> None:
        """Records an item that no request can be made of."""
        item, at = dead.item, self._clock()
        if item.answered is not None:
            record = unaskable(run.id, item.id, item.attempts, item.invalid, dead.outcome, at)
            self._write(run, replace(record, attempt=unsent_attempt(item, dead.outcome, at)))
            return
        self._write(run, unsendable_record(run.id, item, dead.outcome, at))
        self._watch(run, dead.outcome, permanent=True)

    async def examined(self, run: JobRun, item: Prepared, outcome: Outcome) -> Examined:
        """An outcome as the job's checks see it. They read a long answer in a thread, so that the loop goes on.

        Cancelled meanwhile, they read it at once: an answer that is here is kept.
        """
        if item.judging is not None:
            return await self._loop.run_in_executor(None, heard, run.checks, item, outcome)
        if run.checks is None or len(outcome.text or "") < LONG_ANSWER:
            return examine(run, item, outcome)
        reading = self._loop.run_in_executor(None, run.checks.examine, outcome, item.columns)
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            return examine(run, item, outcome)

    def land(
        self, run: JobRun, item: Prepared, index: int, granted: Pass, outcome: Outcome, examined: Examined
    ) -> None:
        """A request is over: settles its reservations, decides, records, and serves those that waited for it."""
        run.landed(item)  # first: a defect in what follows fails the job, and must let it end
        call = item.calls[index]
        answer: CachedResponse | None = None
        try:
            arrival = self._settle(run, item, call, granted, outcome, examined)
            if item.judging is None:
                answer = self._decide(arrival, call.cache_key)
            else:
                answer = self._decide_judged(arrival, examined, call.cache_key)
        finally:  # after a defect, too: rows of other jobs wait for it
            self._serve_followers(run, call.cache_key, answer)
        self._watch_quality(arrival)

    def _settle(
        self, run: JobRun, item: Prepared, call: Call, granted: Pass, outcome: Outcome, examined: Examined
    ) -> Arrival:
        """Ends what was reserved for a request."""
        lane = self._lanes[call.wire.deployment]
        busy_s = lane.busy_seconds(self._loop.time()) - granted.busy_from
        lane.landed(self._loop.time(), granted.lane_ticket, outcome)
        self._settle_allowance(run, granted, outcome)
        price = price_of(lane, call, outcome, busy_s)
        presumed = granted.reserved_nano if price is None else 0
        run.budget.settle(granted.reserved_nano, price)
        return Arrival(run, item, lane, examined.outcome, price, examined.score, presumed, examined.failing)

    def _settle_allowance(self, run: JobRun, granted: Pass, outcome: Outcome) -> None:
        """The job's own limits count what the server took, by its own count of tokens where it says it."""
        if outcome.cls is OutcomeClass.RATE_LIMITED:
            run.allowance.cancel(granted.job_ticket, self._loop.time())
            return
        tokens = counted_tokens(outcome)
        estimate = granted.lane_ticket.tokens
        run.allowance.settle(granted.job_ticket, estimate if tokens is None else tokens, self._loop.time())

    def withdraw(self, run: JobRun, item: Prepared, index: int, granted: Pass) -> None:
        """A request was cancelled on its way: the item stays pending, what it may have cost stays reserved."""
        call = item.calls[index]
        self._lanes[call.wire.deployment].withdrawn(self._loop.time(), granted.lane_ticket)
        run.allowance.withdraw(granted.job_ticket, granted.lane_ticket.tokens, self._loop.time())
        run.landed(item)
        run.queue.push(item)
        self._serve_followers(run, call.cache_key, None)

    def unsent(self, run: JobRun, item: Prepared, index: int, granted: Pass) -> None:
        """A request that was admitted did not go out after all: everything reserved for it is given back."""
        call = item.calls[index]
        self._lanes[call.wire.deployment].unsent(self._loop.time(), granted.lane_ticket)
        run.allowance.cancel(granted.job_ticket, self._loop.time())
        run.budget.settle(granted.reserved_nano, 0)
        run.landed(item)
        run.queue.push(item)
        self._serve_followers(run, call.cache_key, None)

    def _serve_followers(self, run: JobRun, key: bytes, answer: CachedResponse | None) -> None:
        """Those that waited for an equal request share its answer, or take their own turn."""
        if not run.uses_cache:
            return
        for follower in self.flights.land(key):
            follower.run.followers -= 1
            if follower.run.over:  # its item is pending in the store, and another run's, or another process's, to ask
                continue
            if answer is None or not self.hit(follower.run, follower.item, answer):
                follower.run.queue.push(follower.item)

    def _decide(self, arrival: Arrival, key: bytes) -> CachedResponse | None:
        """Records the decision; returns the answer if equal requests may share it."""
        run, item, outcome = arrival.run, arrival.item, arrival.outcome
        history = History(item.attempts, item.malformed, item.requests + 1, item.invalid)
        decision = decide(self._as_told(arrival), history, run.policy, now_unix=self._clock(), rng=self._rng)
        if not isinstance(decision, Done):
            self._undone(replace(arrival, item=counted(item)), decision)
            return None
        self._calibrate(arrival)
        entry = answer_of(arrival, key)
        self._done(arrival, decision.flags, entry)
        self._watch(run, outcome, permanent=False)
        return entry

    def _as_told(self, arrival: Arrival) -> Outcome:
        """The outcome, without a wait that is the deployment's own affair: another may answer the item meanwhile."""
        outcome = arrival.outcome
        if outcome.retry_after_s is None or outcome.cls not in FREE_RETRY or not self._has_others(arrival):
            return outcome
        return replace(outcome, retry_after_s=None)

    def _has_others(self, arrival: Arrival) -> bool:
        """Whether another deployment may answer the item."""
        return any(key != arrival.lane.key and self._lanes[key].in_use for key in arrival.item.route)

    def _undone(self, arrival: Arrival, decision: RetryAt | Dead | PauseJob) -> None:
        """Records that there is no answer to be taken. The arrival's item counts this request."""
        run, item, outcome = arrival.run, arrival.item, arrival.outcome
        match decision:
            case RetryAt(at_unix=at, attempts=attempts, malformed=malformed, invalid=invalid):
                waiting = replace(item, attempts=attempts, malformed=malformed, invalid=invalid)
                if outcome.cls is OutcomeClass.INVALID and item.original is not None:
                    waiting = run.preparer.told(waiting, outcome.text or "", outcome.message)
                self._failed(replace(arrival, item=waiting), ItemState.PENDING, at)
                run.queue.wait(waiting, self._loop.time() + max(0.0, at - self._clock()))
            case Dead():
                invalid = item.invalid + (outcome.cls is OutcomeClass.INVALID)
                spent = replace(item, attempts=item.attempts + 1, invalid=invalid)
                self._failed(replace(arrival, item=spent), ItemState.DEAD, 0.0)
            case PauseJob(reason=reason, message=message):
                self._failed(arrival, ItemState.PENDING, 0.0)
                run.queue.push(item)
                self._stop(arrival, Halt(JobState.PAUSED, reason, message))
                return
        self._watch(run, outcome, permanent=isinstance(decision, Dead))

    def _decide_judged(self, arrival: Arrival, examined: Examined, key: bytes) -> CachedResponse | None:
        """Records what a judge's request came to; returns what it said if equal requests may share it."""
        run, item, outcome = arrival.run, counted(arrival.item), arrival.outcome
        found = Heard(
            run.id,
            item,
            examined,
            arrival.lane.key,
            arrival.cost_nano,
            self._clock(),
            presumed_nano=arrival.presumed_nano,
        )
        if examined.ruling is not None:
            self._calibrate(arrival)
            entry = answer_of(arrival, key)
            if entry is not None:
                self.recent.put(entry)
            self._settle_ruled(run, replace(found, entry=entry))
            return entry
        history = History(item.attempts, 0, item.requests)
        told = self._as_told(arrival)
        decision = decide(told, history, run.judge_policy, now_unix=self._clock(), rng=self._rng)
        if isinstance(decision, Done):  # an answer that holds no ruling never comes here as one that may be taken
            raise AssertionError(f"{outcome.cls} without a ruling")
        settled = unheard(found, None if isinstance(decision, PauseJob) else decision)
        self._write(run, settled.record)
        if isinstance(decision, PauseJob):
            run.queue.push(item)
            self._stop(arrival, Halt(JobState.PAUSED, decision.reason, decision.message))
            return None
        if settled.again is not None:
            run.queue.wait(settled.again, self._loop.time() + max(0.0, settled.record.available_at - self._clock()))
        elif not judging_of(item).answer.cached:
            self._watch_drift(run, reading(item, replace(examined, outcome=Outcome(judging_of(item).answer.cls))))
        self._watch(run, outcome, permanent=isinstance(decision, Dead))
        return None

    def _calibrate(self, arrival: Arrival) -> None:
        """Learns from what the server counted how far the estimates are off."""
        usage, key = arrival.outcome.usage, arrival.lane.key
        if usage.input_tokens is not None and arrival.outcome.code != PROMPT_CUT_CODE:
            self._estimator.learn_input(key, arrival.item.prompt_size, usage.input_tokens)
        if usage.output_tokens is not None:
            self._estimator.learn_answer(key, usage.output_tokens, arrival.outcome.latency_s)
            if arrival.run.knobs.concurrency is None and len(arrival.run.queue):  # at its end a job runs dry
                self._estimator.learn_in_flight(key, arrival.lane.in_flight + 1)

    def _done(self, arrival: Arrival, flags: ItemFlag, entry: CachedResponse | None) -> None:
        if entry is not None:
            self.recent.put(entry)
        judging = self._awaits_judge(arrival.run, arrival.item, arrival.outcome)
        record = arrival_record(
            arrival,
            ItemState.PENDING if judging else ItemState.DONE,
            attempts=arrival.item.attempts + (not judging),
            at=self._clock(),
            flags=flags,
            entry=entry,
            judging=judging,
        )
        self._write(arrival.run, record)

    def _failed(self, arrival: Arrival, state: ItemState, available_at: float) -> None:
        record = arrival_record(
            arrival,
            state,
            attempts=arrival.item.attempts,
            at=self._clock(),
            available_at=available_at,
            attempt=attempt_of(arrival),
        )
        self._write(arrival.run, record)

    def _stop(self, arrival: Arrival, halt: Halt) -> None:
        """Drops the deployment when others can answer the item; otherwise pauses the job."""
        if arrival.outcome.cls in JOB_WIDE and self._has_others(arrival):
            arrival.lane.closed = halt
        else:
            self._halt(arrival.run, halt)

    def _watch(self, run: JobRun, outcome: Outcome, *, permanent: bool) -> None:
        run.guard.record(outcome.cls, permanent=permanent, message=outcome.message)
        verdict = run.guard.verdict()
        if verdict is not None:
            self._halt(run, Halt(JobState.PAUSED, PauseReason.ERROR_RATE, verdict.message))

    def _watch_quality(self, arrival: Arrival) -> None:
        run = arrival.run
        if run.drift is None or arrival.outcome.cls not in ANSWERED:
            return
        if arrival.item.judging is not None or run.asks_judge(arrival.outcome):
            return  # what a judge looks at is watched when it has spoken
        self._watch_drift(run, reading_of(arrival))

    def _watch_drift(self, run: JobRun, answer: Reading) -> None:
        if run.drift is None:
            return
        for alert in run.drift.add(answer):
            self._tell(run, alert)
            self._pause_for(run, alert)

    def _pause_for(self, run: JobRun, alert: Alert) -> None:
        if run.spec.on_drift is OnDrift.PAUSE and alert.concerns_answers:
            self._halt(run, Halt(JobState.PAUSED, PauseReason.QUALITY, str(alert)))

    def _write(self, run: JobRun, record: ItemRecord) -> None:
        run.stats.add(self._loop.time(), record)
        self._record(record)
