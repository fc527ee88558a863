"""One running job in memory: its queue, its limits, its figures, and whether it may go on."""

from __future__ import annotations

import asyncio
from collections import deque

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.job import CacheMode, Job, JobSpec, JobState, Knobs
from tui_batch.domain.outcome import Outcome
from tui_batch.domain.quality import OnDrift
from tui_batch.engine.allowance import Allowance
from tui_batch.engine.buckets import BucketLoads
from tui_batch.engine.budget import Budget
from tui_batch.engine.guard import Guard
from tui_batch.engine.judging import JUDGED, policy_of
from tui_batch.engine.lane import Halt, Wait
from tui_batch.engine.prepare import Preparer
from tui_batch.engine.queue import Prepared, ReadyQueue
from tui_batch.engine.retry import RetryPolicy
from tui_batch.engine.router import judge_route, routes_of
from tui_batch.engine.snapshot import Hold, JobSnapshot
from tui_batch.engine.stats import UNSCORED, JobStats, Scored
from tui_batch.quality.checks import Checks
from tui_batch.quality.drift import DriftWatch
from tui_batch.quality.judging import judge_of

HELD_ITEMS = 10_000
"""Items of one job in memory at most: ready, waiting or hanging on an equal request."""
HELD_BYTES = 64 * 1024 * 1024
NEXT_RETRY = "the next retry"
"""What a job waits for that has nothing else to send."""
PAGE_ITEMS = 500
PAGE_BYTES = 8 * 1024 * 1024


class JobRun:
    """The state of one job while this process runs it. Changed by the scheduler, on the loop, only."""

    def __init__(self, job: Job, preparer: Preparer, checks: Checks | None = None, scored: Scored = UNSCORED) -> None:
        self.id = job.id
        self.checks = checks
        """What answers are held to; None: any answer will do."""
        self.drift = watch_of(job.spec)
        """Tells when answers get worse, and goes on where an earlier run ended. None: nobody asked for it."""
        self.spec = job.spec
        self.knobs = job.knobs
        self.preparer = preparer
        self.buckets = BucketLoads(job.spec.buckets)
        buckets = range(self.buckets.count)
        self.queue = ReadyQueue(
            ((way, bucket) for way in routes_of(job.spec) for bucket in buckets),
            aside=((judge_route(job.spec), bucket) for bucket in buckets),
        )
        self.policy = RetryPolicy.of(job.spec)
        self.judge = judge_of(job.spec.checks)
        """The check that asks another model about each answer; None: there is none."""
        self.judge_policy = policy_of(job.spec)
        self.storing: set[int] = set()
        """Items whose answer is on its way to the disk; their judge is asked when it is there."""
        self.unjudged: deque[int] = deque()
        """Items whose answer is on the disk and whose judge is to be asked."""
        self.allowance = Allowance(job.knobs.rpm, job.knobs.tpm)
        self.budget = Budget(job.knobs.budget_nano, job.counters.cost_nano)
        self.guard = Guard(answered=job.counters.done - job.counters.cached)
        self.stats = JobStats(job.counters, scored)
        self._weights = {ref.model: ref.weight for ref in job.spec.models}
        self.in_flight = 0
        self.followers = 0
        """Items that wait for an equal request in flight."""
        self.served = 0.0
        """Requests sent, for fair shares; starts at the least of the jobs already running."""
        self.trial: tuple[int, ...] = ()
        """The only rows to be asked in this run, by their number from 0; empty: all."""
        self.halt: Halt | None = None
        self.over = False
        """It has left the engine: nothing may be recorded for it any more."""
        self.wait: Wait | None = None
        """What held up the first item at the last dispatch."""
        self.claimed: set[int] = set()
        """Items that memory is responsible for: from being read until their outcome is committed."""
        self.exhausted = False
        """The store has no pending item that is not claimed."""
        self.hungry = asyncio.Event()
        self.hungry.set()
        self.finished: asyncio.Future[Job] = asyncio.get_running_loop().create_future()

    def weight(self, key: DeploymentKey) -> float:
        """The share of a deployment in mode `spread`."""
        return self._weights.get(key.model, 1.0)

    def turn(self, knobs: Knobs) -> None:
        """Applies changed knobs at once."""
        self.knobs = knobs
        self.allowance.set_limits(knobs.rpm, knobs.tpm)
        self.budget.cap = knobs.budget_nano

    def launched(self, item: Prepared) -> None:
        """A request of an item goes out."""
        self.in_flight += 1
        self.buckets.launched(item.bucket)

    def landed(self, item: Prepared) -> None:
        """A request of an item is over."""
        self.in_flight -= 1
        self.buckets.landed(item.bucket)

    @property
    def held(self) -> int:
        """Items in memory that are not in flight."""
        return len(self.queue) + self.followers + len(self.storing) + len(self.unjudged)

    @property
    def idle(self) -> bool:
        """Nothing in memory and nothing on its way."""
        return self.in_flight == 0 and self.held == 0

    def wants_more(self) -> bool:
        """Whether the feeder should read another page."""
        if self.halt is not None:
            return False
        if self.unjudged:  # these are held already: all that counts is what becomes of them in the queue
            return len(self.queue) < HELD_ITEMS and self.queue.bytes < HELD_BYTES
        if self.exhausted:
            return False
        low = max(PAGE_ITEMS, 2 * (self.knobs.concurrency or self.in_flight))
        return self.queue.scarcest < low and self.held < HELD_ITEMS and self.queue.bytes < HELD_BYTES

    def asks_judge(self, outcome: Outcome) -> bool:
        """Whether an answer that is taken goes to a judge first."""
        return self.judge is not None and outcome.cls in JUDGED

    @property
    def uses_cache(self) -> bool:
        """Whether stored answers may be used."""
        return self.spec.cache is CacheMode.USE

    def snapshot(self, now: float, state: JobState) -> JobSnapshot:
        """Figures for a screen."""
        halt = self.halt
        used = self.allowance.used(now)
        return JobSnapshot(
            id=self.id,
            name=self.spec.name,
            state=halt.state if halt else state,
            reason=halt.reason if halt else None,
            message=halt.message if halt else "",
            knobs=self.knobs,
            counters=self.stats.counters,
            in_flight=self.in_flight,
            waiting=self.queue.waiting,
            rate=self.stats.rate(now),
            eta_s=self.stats.eta_s(now),
            latency=self.stats.latency,
            recent=self.stats.recent(now),
            rpm_used=used.requests,
            tpm_used=used.tokens,
            failures=dict(self.stats.failures),
            hold=None if halt is not None else self._hold(now),
            score_mean=self.stats.scored.mean,
            drift=() if self.drift is None else self.drift.alerts,
            projected=self.stats.projected,
        )

    def _hold(self, now: float) -> Hold | None:
        """What limits the job; where nothing is left but items that failed for now, when the first is asked again."""
        wait, due = self.wait, self.queue.next_due
        if wait is not None:
            return Hold(wait.what, None if wait.until is None else max(0.0, wait.until - now))
        return None if due is None or self.in_flight else Hold(NEXT_RETRY, max(0.0, due - now))


def watch_of(spec: JobSpec) -> DriftWatch | None:
    """What watches a job's answers: by default those of a job that says what they should be."""
    watched = spec.on_drift or (OnDrift.WARN if spec.checks or spec.schema is not None else OnDrift.OFF)
    return None if watched is OnDrift.OFF else DriftWatch(spec.drift)
