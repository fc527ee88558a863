"""Which item goes next: by job priority, then fair shares, then item order; waiting is a computed wake-up.

The pump is a plain function that runs on the loop whenever something ended, arrived or became due. It never
awaits, so what it decides is true when it acts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.job import Cap, JobState, Mode, PauseReason
from tui_batch.engine.courtesy import Courtesy
from tui_batch.engine.endings import broken
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.lane import BREAKER, Halt, Lane, Pass, Wait
from tui_batch.engine.queue import Prepared
from tui_batch.engine.router import preference
from tui_batch.engine.shares import ANOTHER_JOB, Reserve
from tui_batch.money.ceiling import Ceiling, ceiling, floor_of

NOTHING = Wait("nothing")
FASTER = Wait("a faster server")
BUSY = Wait("this machine")
FULL = Wait("concurrency")
BUCKET_FULL = Wait("length bucket")

Claims = dict[DeploymentKey | int, Wait]
"""Deployments, and jobs by their id, whose limits an item waits for: those after it wait as well."""


class Scheduler:
    """Picks items and admits them; hands each admitted one to `launch`."""

    def __init__(
        self,
        runs: Mapping[int, JobRun],
        lanes: Mapping[DeploymentKey, Lane],
        *,
        launch: Callable[[JobRun, Prepared, int, Pass], None],
        join: Callable[[JobRun, Prepared], bool],
        halt: Callable[[JobRun, Halt], None],
        healthy: Callable[[], bool],
        hold: Callable[[JobRun, int], Wait | None],
        courtesy: Courtesy,
    ) -> None:
        self._runs = runs
        self._lanes = lanes
        self._launch = launch
        self._join = join
        self._halt = halt
        self._healthy = healthy
        self._hold = hold
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._reserve = Reserve(lanes)
        self._courtesy = courtesy

    def kick(self) -> None:
        """Something changed: dispatch on the loop's next turn."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._pump)

    def close(self) -> None:
        """No more dispatching."""
        self._scheduled = True
        if self._timer is not None:
            self._timer.cancel()

    def _pump(self) -> None:
        self._scheduled = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        try:
            wake = _earliest(self._dispatch(now)) if self._healthy() else None
        except Exception as error:  # a defect here would leave every job hanging without a word
            for run in list(self._runs.values()):
                self._halt(run, broken(error))
            return
        if wake is not None:
            self._timer = self._loop.call_at(wake, self.kick)

    def _dispatch(self, now: float) -> list[float | None]:
        """Sends everything that may go now; returns when each job wants to be looked at again."""
        runs = sorted(
            (run for run in self._runs.values() if run.halt is None), key=lambda run: (-run.knobs.priority, run.served)
        )
        claimed: Claims = {}
        self._reserve = Reserve(self._lanes)
        wakes: list[float | None] = []
        while runs:
            run = runs[0]
            run.queue.wake(now)
            wait = self._dispatch_one(run, now, claimed)
            if wait is None:
                _requeue(runs)
                continue
            runs.pop(0)
            if runs:
                self._reserve.keep_for(run)
            run.wait = None if wait is NOTHING else wait
            wakes += [wait.until, run.queue.next_due]
            if run.wants_more():
                run.hungry.set()
        return wakes

    def _dispatch_one(self, run: JobRun, now: float, claimed: Claims) -> Wait | None:
        """Sends the first item of `run` that may go. None: one went; otherwise what to wait for."""
        waits: list[Wait] = []
        for item in run.queue.heads():
            if self._join(run, item):
                run.queue.pop(item.group)
                return None
            admitted = self._admit(run, item, now, claimed)
            if isinstance(admitted, Wait):
                waits.append(admitted)
                if run.halt is not None:
                    break
                continue
            index, granted = admitted
            run.queue.pop(item.group)
            run.served += 1.0
            self._launch(run, item, index, granted)
            return None
        return soonest(waits)

    def _admit(self, run: JobRun, item: Prepared, now: float, claimed: Claims) -> tuple[int, Pass] | Wait:
        """Breaker, concurrency, RPM, TPM, budget; all or nothing, on the best deployment.

        A deployment that an item before this one waits for is claimed: nothing may slip past the one that waits.
        In mode `fallback` a model that is merely busy is waited for; only one that is unwell passes its rows on.
        """
        limit = run.knobs.concurrency
        if limit is not None and run.in_flight >= limit:
            return FULL
        others = len(self._runs) > 1
        in_flight = sum(one.in_flight for one in self._runs.values()) if others else run.in_flight
        if not self._courtesy.allows(in_flight):
            return BUSY
        if run.buckets.is_full(item.bucket):
            return BUCKET_FULL
        if (own := claimed.get(run.id)) is not None:
            return own
        waits: list[Wait] = []
        stays: str | None = None
        for index in self._order(run, item, now):
            lane = self._lanes[item.route[index]]
            if not lane.in_use or stays not in (None, lane.key.model):
                continue
            if waits and self._ends_sooner_elsewhere(run, item, lane, now):
                waits.append(FASTER)
                continue
            outcome = claimed.get(lane.key) or self._admit_to(run, item, lane, now, claimed)
            if isinstance(outcome, Pass):
                return index, outcome
            waits.append(outcome)
            if run.spec.mode is Mode.FALLBACK and outcome.what != BREAKER:
                stays = lane.key.model
        if not waits:
            return self._unserved(run, item)
        return soonest(waits)

    def _unserved(self, run: JobRun, item: Prepared) -> Wait:
        """No deployment is left for an item: waits for one that a person switched off, else stops the job."""
        off = {key.endpoint: None for key in item.route if self._lanes[key].is_off and self._lanes[key].closed is None}
        if off:
            return Wait(f"{', '.join(off)}: switched off")
        self._halt(run, self._closed(item))
        return NOTHING

    def _ends_sooner_elsewhere(self, run: JobRun, item: Prepared, lane: Lane, now: float) -> bool:
        """Whether a busy, faster server gets through all that is left before this one could answer one item.

        Else the last items of a job would queue at the slowest server while the others stand idle.
        """
        rate, seconds = run.stats.rate(now), lane.load(now).seconds_per_item
        if rate <= 0.0 or seconds is None:
            return False
        left = run.stats.counters.pending - run.in_flight
        fastest = min(self._lanes[key].seconds_per_item for key in item.route if self._lanes[key].in_use)
        return seconds > fastest + left / rate

    def _order(self, run: JobRun, item: Prepared, now: float) -> tuple[int, ...]:
        """The deployments of an item's route in the order in which to try them."""
        if len(item.route) == 1:
            return (0,)
        spent = run.policy.models_spent(item.attempts, item.malformed, item.invalid)
        return preference(run.spec.mode, item.route, lambda key: self._lanes[key].load(now, run.weight(key)), spent)

    def _closed(self, item: Prepared) -> Halt:
        """Why no deployment is left for an item."""
        reasons = [closed for key in item.route if (closed := self._lanes[key].closed) is not None]
        return Halt(JobState.PAUSED, reasons[0].reason, reasons[0].message)

    def _admit_to(self, run: JobRun, item: Prepared, lane: Lane, now: float, claimed: Claims) -> Pass | Wait:
        held = lane.hold(now, auto=run.knobs.concurrency is None)
        if held is not None:
            claimed[lane.key] = held
            return held
        if not self._reserve.admits(lane, now, item.tokens):
            return ANOTHER_JOB
        lane_ticket = lane.take(now, item.tokens)
        if isinstance(lane_ticket, Wait):
            claimed[lane.key] = lane_ticket
            return lane_ticket
        own = run.allowance.admit(now, item.tokens)
        if isinstance(own, Wait):
            lane.limiter.cancel(lane_ticket)
            claimed[run.id] = own
            return own
        most = most_of(item, lane, run.knobs.cap)
        worst = most.nano
        fits = run.budget.fits(worst)
        unpaid = self._hold(run, worst or 0) if fits else self._over_budget(run, lane, most)
        if unpaid is not None:
            lane.limiter.cancel(lane_ticket)
            run.allowance.cancel(own, now)
            return unpaid
        return Pass(lane_ticket, own, run.budget.reserve(worst), lane.busy_seconds(now))

    def _over_budget(self, run: JobRun, lane: Lane, most: Ceiling) -> Wait:
        """Pauses the job, unless calls in flight may still give back what they reserved."""
        if most.nano is not None and run.in_flight:
            return Wait("budget")
        words = "the next request could pass the budget"
        if most.nano is None:
            why = most.why or f"the price of {lane.key} is unknown; set one in the settings (prices:)"
            words = f"a budget is set, but {why}. To go on without a cap that holds: set cap=loose"
        self._halt(run, Halt(JobState.PAUSED, PauseReason.BUDGET, words))
        return Wait("budget")


UNPRICED = Ceiling(None)
UNPRICED_LOOSE = Ceiling(0)


def most_of(item: Prepared, lane: Lane, cap: Cap) -> Ceiling:
    """The most that an item's request can cost on a deployment; under a loose cap, as far as that is known."""
    prices = lane.prices
    if prices is None:
        return UNPRICED_LOOSE if cap is Cap.LOOSE else UNPRICED
    timeouts = [call.wire.timeouts for call in item.calls]
    seconds = max(one.connect_s + one.total_s for one in timeouts)
    use = item.calls[item.route.index(lane.key)].use
    most = ceiling(use, prices, lane.window, seconds)
    if most.nano is None and cap is Cap.LOOSE:
        return Ceiling(floor_of(use, prices, lane.window, seconds), most.why)
    return most


def soonest(waits: list[Wait]) -> Wait:
    """The wait that ends first; those without a known end come last."""
    if not waits:
        return NOTHING
    if len(waits) == 1:
        return waits[0]
    return min(waits, key=lambda wait: float("inf") if wait.until is None else wait.until)


def _earliest(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _requeue(runs: list[JobRun]) -> None:
    """Puts the job that was just served behind its equals."""
    run = runs.pop(0)
    place = 0
    while place < len(runs) and (-runs[place].knobs.priority, runs[place].served) < (-run.knobs.priority, run.served):
        place += 1
    runs.insert(place, run)
