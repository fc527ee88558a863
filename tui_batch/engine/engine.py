"""The engine: runs jobs of one database in this process. Knows nothing of any screen.

`async with Engine(store, executor, ...) as engine: await engine.start(job_id); job = await engine.finished(job_id)`
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from weakref import WeakValueDictionary

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import ItemRecord
from tui_batch.domain.job import Job, JobState, Knobs, Owner, PauseReason
from tui_batch.engine.courtesy import Courtesy
from tui_batch.engine.departures import Departures
from tui_batch.engine.endings import LOST, TRIED, broken, final_state, gravity
from tui_batch.engine.executor import Executor
from tui_batch.engine.feeder import Feeder
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.journal import Journal
from tui_batch.engine.landing import Landing
from tui_batch.engine.lane import Halt, Lane
from tui_batch.engine.lanes import LaneOpener
from tui_batch.engine.memory import LimitsMemory
from tui_batch.engine.overrides import Overrides
from tui_batch.engine.patience import persistently
from tui_batch.engine.prepare import Preparer
from tui_batch.engine.purse import Purse
from tui_batch.engine.router import judge_route
from tui_batch.engine.scheduler import Scheduler
from tui_batch.engine.snapshot import EngineSnapshot, LaneLimits
from tui_batch.engine.stats import Scored
from tui_batch.engine.surroundings import Surroundings
from tui_batch.engine.vigil import Vigil
from tui_batch.errors import UserError
from tui_batch.inputs.templates import compile_prompt
from tui_batch.money.tokens import TokenEstimator
from tui_batch.quality.checks import compile_checks
from tui_batch.store.bulk import Undone
from tui_batch.store.connection import StoreTrouble
from tui_batch.store.store import Store

BACKLOG = 5_000
"""Outcomes that may wait for the disk before dispatching stops."""

PATIENCE_S = 10.0
"""How long stopping waits for the last outcomes and states to reach the disk."""


@dataclass(slots=True)
class _Running:
    """A run with the tasks that belong to it."""

    run: JobRun
    feeder: Feeder
    feeding: asyncio.Task[None]
    ending: asyncio.Task[None] | None = None


class Engine:
    """Runs jobs. Every method is to be called on the loop that entered it."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        owner: Owner,
        surroundings: Surroundings,
        estimator: TokenEstimator | None = None,
    ) -> None:
        self.store = store
        self.owner = owner
        self._executor = executor
        self._around = surroundings
        self._runs: dict[int, JobRun] = {}
        self._running: dict[int, _Running] = {}
        self._lanes: dict[DeploymentKey, Lane] = {}
        self._overrides = Overrides(self._lanes)
        self._estimator = estimator or TokenEstimator()
        self._starting: set[int] = set()
        """Jobs whose start is under way: their leases are held, and may be lost."""
        self._ending: dict[int, asyncio.Future[Job]] = {}
        """Jobs that no longer run but whose last state is still being written."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._announcing: WeakValueDictionary[int, asyncio.Task[None]] = WeakValueDictionary()
        """By job, the last writing of a state that a halt brought, while it goes on."""
        self._trouble = ""
        self._ends: set[asyncio.Task[None]] = set()
        """What writes the last states of jobs."""
        self._beat_at = 0.0
        """Unix time of the last heartbeat that reached the database."""
        self.journal = Journal(store.events, self._around.clock)
        self.vigil = Vigil(store.alerts, self.journal, owner, self._around.clock)

    async def __aenter__(self) -> Engine:
        self._loop = asyncio.get_running_loop()
        self._landing = Landing(
            self._lanes,
            self._estimator,
            record=self.store.writer.record,
            halt=self.halt,
            tell=self.vigil.tell,
            clock=self._around.clock,
            rng=self._around.rng,
        )
        self._memory = LimitsMemory(self.store.limits, self._lanes, self._around.clock)
        self._opener = LaneOpener(
            self._lanes, self._runs, self.store, self._around, memory=self._memory, take_in=self._overrides.take_in
        )
        self._departures = Departures(
            self._lanes,
            self._landing,
            self._executor,
            leased=self._leased,
            halt=self.halt,
            settled=self._settled,
        )
        self._purse = Purse(
            self.store.ledger,
            self.owner,
            day_cap=self._around.day_budget_nano,
            clock=self._around.clock,
            kick=lambda: self._scheduler.kick(),
            halt=self.halt,
            in_background=self._in_background,
        )
        self._scheduler = Scheduler(
            self._runs,
            self._lanes,
            launch=self._departures.launch,
            join=self._landing.join,
            halt=self.halt,
            healthy=self._healthy,
            hold=self._purse.hold,
            courtesy=Courtesy(self._loop, self._around.turn_s, self._around.turn_clock),
        )
        self.store.writer.on_commit = self._committed
        self.store.writer.on_trouble = self._troubled
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self._scheduler.close()
        with suppress(StoreTrouble):  # what is left over is committed, or counted as lost, when the store closes
            await self.journal.flush()
        await self._memory.write()

    @property
    def job_ids(self) -> tuple[int, ...]:
        """The jobs that this process runs."""
        return tuple(self._runs)

    @property
    def held_ids(self) -> tuple[int, ...]:
        """The jobs whose leases this process has to renew: those that are just starting or ending as well."""
        return (*self._starting, *self._runs, *self._ending)

    async def start(self, job: Job, trial: tuple[int, ...] = ()) -> asyncio.Future[Job]:
        """Runs a job whose lease this process holds. The result is the job as it ended: completed, paused, ...

        `trial`: asks these rows only, by their numbers from 0, then pauses the job.

        Raises UserError when a template does not compile, a key is missing, or the lease is lost meanwhile.
        """
        if not self.held_ids:
            self._beat_at = self._around.clock() if job.heartbeat_at is None else job.heartbeat_at
        self._starting.add(job.id)
        try:
            run = await self._make_run(job)
            if job.id not in self._starting:
                raise UserError(LOST.message)
        finally:
            self._starting.discard(job.id)
        run.trial = trial
        self._begin(run)
        return run.finished

    async def _make_run(self, job: Job) -> JobRun:
        """All that a run needs, which may take long: a keyring may ask its owner, a server be asked for its window."""
        loop = self._loop
        renderer = await loop.run_in_executor(None, compile_prompt, job.spec)
        known = (self._around.provider_for, self._around.window_for, self._around.is_priced)
        preparer = Preparer(job.spec, renderer, self._estimator, *known)
        keys = {DeploymentKey(name, ref.model) for ref in job.spec.models for name in ref.endpoints}
        keys.update(judge_route(job.spec))
        await self._opener.open(keys, preparer.deployment, reopen=True)
        checks = await loop.run_in_executor(None, compile_checks, job.spec)
        scores = checks is not None or job.spec.judge is not None
        scored = Scored(*await self.store.items.scores(job.id)) if scores else Scored()
        run = JobRun(job, preparer, checks, scored)
        await self._opener.recall(run.allowance, job.id)
        await self._purse.open(run)
        await self.vigil.open(run)
        return run

    def _begin(self, run: JobRun) -> None:
        """From here on the job's rows are read and sent."""
        run.served = min((other.served for other in self._runs.values()), default=0.0)
        feeder = Feeder(
            run,
            self.store,
            self._landing,
            open_lanes=lambda ready: self._opener.open(
                {key for item in ready for key in item.route}, run.preparer.deployment, reopen=False
            ),
            moved=lambda: self._settled(run),
            say=self._troubled,
            clock=self._around.clock,
        )
        self._runs[run.id] = run
        feeding = self._loop.create_task(feeder.feed(), name=f"feed job {run.id}")
        self._running[run.id] = running = _Running(run, feeder, feeding)
        feeding.add_done_callback(lambda task: self._feeder_ended(running, task))
        self._scheduler.kick()

    def _settled(self, run: JobRun) -> None:
        """Something of a run ended: dispatch more, or end the run."""
        self._scheduler.kick()
        running = self._running.get(run.id)
        over = run.in_flight == 0 and (run.halt is not None or (run.exhausted and run.idle))
        if over and run.trial and run.halt is None and running is not None:
            self.halt(run, TRIED)
            return
        if running is not None and over and running.ending is None:
            running.ending = self._loop.create_task(self._end(running), name=f"end job {run.id}")
            self._ends.add(running.ending)
            running.ending.add_done_callback(lambda task: self._end_over(run, task))

    def _end_over(self, run: JobRun, task: asyncio.Task[None]) -> None:
        """Whoever waits for the job is told when its end cannot be written: it was deleted, the disk is damaged."""
        self._ends.discard(task)
        gone = UserError(f"given up: {self._trouble or 'the job was stopped'}") if task.cancelled() else None
        error = gone or task.exception()
        if error is None or run.finished.done():
            return
        if (running := self._running.get(run.id)) is not None:
            self._forget(running)
        self._ending.pop(run.id, None)
        run.finished.set_exception(error)

    async def _end(self, running: _Running) -> None:
        """Writes the last outcomes and the job's final state, and gives up the lease."""
        run = running.run
        await self.store.writer.drain()
        pending = await persistently(lambda: self.store.items.count_pending(run.id), self._troubled)
        running.ending = None
        if run.in_flight or (run.halt is None and pending):
            running.feeder.rewind()
            return
        halt = final_state(run.halt, pending)
        self._forget(running)
        await persistently(lambda: self.vigil.close(run), self._troubled)
        if halt is not LOST:
            await persistently(lambda: self._purse.close(run), self._troubled)
            await persistently(lambda: self._close(run.id, halt), self._troubled)
        job = await persistently(lambda: self.store.jobs.get(run.id), self._troubled)
        self._ending.pop(run.id, None)
        run.finished.set_result(job)

    async def _close(self, job_id: int, halt: Halt) -> None:
        jobs, now, by = self.store.jobs, self._around.clock(), self.owner
        ended = await jobs.set_state(job_id, halt.state, reason=halt.reason, message=halt.message, now=now, by=by)
        if halt.state is JobState.CANCELLED:
            await jobs.cancel(job_id)
        if halt.state is JobState.COMPLETED and not ended:
            # Dead items were made pending again since they were counted.
            await jobs.set_state(job_id, JobState.PAUSED, reason=PauseReason.USER, now=now, by=by)
        await jobs.release(job_id, by)

    def _forget(self, running: _Running) -> None:
        running.run.over = True
        running.feeding.cancel()
        del self._runs[running.run.id]
        self._ending[running.run.id] = self._running.pop(running.run.id).run.finished

    def _feeder_ended(self, running: _Running, task: asyncio.Task[None]) -> None:
        """A feeder runs until its job ends; when it fails (a damaged database), the job stops and says why."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.halt(running.run, broken(error))

    def halt(self, run: JobRun, halt: Halt) -> None:
        """Stops dispatching a job; it ends when its last request in flight has landed. A graver reason replaces one."""
        if run.halt is not None and gravity(halt) <= gravity(run.halt):
            return
        run.halt = halt
        self._announcing[run.id] = self._in_background(self._announce(run, halt))

    async def _announce(self, run: JobRun, halt: Halt) -> None:
        """The job's state changes at once, not when its last slow request ends."""
        try:
            if halt is not LOST and run.halt is halt and run.id in self._runs:
                await self._write_state(run.id, halt)
        finally:  # whatever became of it, the run may be over
            self._settled(run)

    async def _write_state(self, job_id: int, halt: Halt) -> None:
        jobs, now = self.store.jobs, self._around.clock()
        with suppress(StoreTrouble):  # the screen shows the trouble; the state is written again at the end
            await jobs.set_state(job_id, halt.state, reason=halt.reason, message=halt.message, now=now, by=self.owner)
        if halt.state is JobState.CANCELLED:
            self._in_background(self._cancel_items(job_id))

    async def _cancel_items(self, job_id: int) -> None:
        """While the last requests land; what the disk refuses now is cancelled when they have."""
        with suppress(StoreTrouble):
            await self.store.jobs.cancel(job_id)

    def _in_background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def announced(self, job_id: int) -> None:
        """Returns when the state that a job was halted with can be read in the database, or cannot be written."""
        if (task := self._announcing.get(job_id)) is not None:
            await asyncio.wait([task])

    async def ended(self, job_id: int) -> None:
        """Returns when a job that is just ending has given up its lease; at once for any other."""
        if (future := self._ending.get(job_id)) is not None:
            await asyncio.wait([future])

    def unhalt(self, job_id: int) -> None:
        """Lets a job go on that was paused but still has requests in flight.

        Raises UserError for a job that is being ended, or is another process's by now.
        """
        run = self._runs[job_id]
        if run.halt is not None and run.halt.state is not JobState.PAUSED:
            raise UserError(f"job {job_id} is {run.halt.state}")
        if run.halt is LOST:
            raise UserError(LOST.message)
        run.halt = None
        run.guard.reset()
        names = {endpoint.name for endpoint in run.spec.endpoints}
        for key, lane in self._lanes.items():
            if key.endpoint in names:
                lane.closed = None
        run.hungry.set()
        self._scheduler.kick()

    def find(self, job_id: int) -> JobRun | None:
        """The run of a job, when this process runs it."""
        return self._runs.get(job_id)

    def turn(self, job_id: int, knobs: Knobs) -> None:
        """Applies changed knobs to a running job at once."""
        self._runs[job_id].turn(knobs)
        self._scheduler.kick()

    def switch_off(self, endpoint: str) -> None:
        """Sends nothing to an endpoint any more, whichever job asks, until it is switched on or the process ends."""
        self._overrides.switch_off(endpoint)
        self._overridden(f"{endpoint} is switched off")

    def switch_on(self, endpoint: str) -> None:
        """Sends to an endpoint again."""
        self._overrides.switch_on(endpoint)
        self._overridden(f"{endpoint} is switched on")

    def set_limits(self, key: DeploymentKey, limits: LaneLimits) -> None:
        """Replaces what a person allows a deployment, until the process ends. Raises UserError for a bad limit."""
        self._overrides.set_limits(key, limits)
        self._overridden(f"{key}: {limits}")

    def _overridden(self, words: str) -> None:
        self.journal.note("info", words)
        self._scheduler.kick()

    def rewind(self, job_id: int, undone: Undone) -> None:
        """Items became pending again behind the feeder's back: counts them and reads again from the start."""
        running = self._running[job_id]
        running.run.stats.revive(undone)
        running.feeder.rewind()
        self._scheduler.kick()

    def discarded(self, job_id: int, count: int) -> None:
        """Dead items of a running job became cancelled in the store: counts them so."""
        self._running[job_id].run.stats.discard(count)

    def lost(self, job_ids: Iterable[int]) -> None:
        """Leases that another process took: dispatching stops, the jobs are left alone."""
        for job_id in job_ids:
            self._starting.discard(job_id)
            if job_id in self._runs:
                self.halt(self._runs[job_id], LOST)

    def beaten(self, at: float) -> None:
        """The leases were renewed at that Unix time."""
        self._beat_at = at
        self._scheduler.kick()

    def fail_all(self, error: BaseException) -> None:
        """Ends every job: something that they all need is broken."""
        for run in list(self._runs.values()):
            self.halt(run, broken(error))

    async def drain(self, message: str = "interrupted") -> None:
        """Stops dispatching and waits for what is in flight; the jobs are paused and can be resumed."""
        ends = [*(run.finished for run in self._runs.values()), *self._ending.values()]
        self._halt_all(message)
        if ends:
            await asyncio.wait(ends)

    async def stop(self, message: str = "interrupted") -> None:
        """Cancels what is in flight; those items stay pending. The jobs are paused and can be resumed.

        A disk that refuses is waited for only so long: what it did not take is pending and will be sent again.
        """
        self._halt_all(message)  # now: no request may start between here and the cancelling
        ending = asyncio.ensure_future(self.drain(message))
        await asyncio.sleep(0)
        self._departures.cancel()
        _, late = await asyncio.wait([ending], timeout=PATIENCE_S)
        for task in (*late, *(self._ends if late else ())):
            task.cancel()
        await asyncio.gather(ending, *self._ends, return_exceptions=True)

    def _halt_all(self, message: str) -> None:
        for run in list(self._runs.values()):
            self.halt(run, Halt(JobState.PAUSED, PauseReason.USER, message))

    def snapshot(self) -> EngineSnapshot:
        """Everything a screen shows, as frozen values."""
        now = self._loop.time()
        return EngineSnapshot(
            jobs=tuple(run.snapshot(now, JobState.RUNNING) for run in self._runs.values()),
            lanes=tuple(lane.snapshot(now) for lane in self._lanes.values()),
            trouble=self.store.writer.trouble or self._trouble,
            off=self._overrides.off,
        )

    def _healthy(self) -> bool:
        """Whether outcomes reach the disk, and the jobs are still this process's: if not, nothing more is bought."""
        writer = self.store.writer
        return self._leased() and not self._trouble and writer.trouble is None and writer.backlog < BACKLOG

    def _leased(self) -> bool:
        return self._around.clock() - self._beat_at <= self._around.lease_s

    def _committed(self, records: list[ItemRecord]) -> None:
        if (writing := self._memory.note()) is not None:
            self._in_background(writing)
        by_job: dict[int, list[ItemRecord]] = {}
        for record in records:
            by_job.setdefault(record.job_id, []).append(record)
        for job_id, own in by_job.items():
            if (running := self._running.get(job_id)) is not None:
                self._purse.committed(running.run, own)
                running.feeder.committed(own)
                self._settled(running.run)

    def _troubled(self, words: str | None) -> None:
        words = words or self.store.writer.trouble or ""
        if words == self._trouble:
            return
        self._trouble = words
        self.journal.note(*(("error", f"not dispatching: {words}") if words else ("info", "the database works again")))
        self._scheduler.kick()
