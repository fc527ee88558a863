"""Between the engine and the screens: reads both, makes one frozen View a tick. Knows no widget."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from tui_batch.domain.job import Job
from tui_batch.domain.spending import day_of
from tui_batch.engine.snapshot import EngineSnapshot, JobSnapshot
from tui_batch.errors import UserError
from tui_batch.quality.alerts import ToldAlert
from tui_batch.tui.desk import Desk
from tui_batch.tui.history import History
from tui_batch.tui.view import DayBudget, JobView, View

FEW_JOBS = 100
"""With more jobs than this the list is read once a second at most while answers stream in."""
SLOW_S = 1.0
FIRST_JOBS = 60
"""So many of the newest are read for the first view, so that it stands at once; the rest come with the next."""


@dataclass
class Bridge:
    """Keeps what must be remembered from one tick to the next."""

    desk: Desk
    selected: int | None = None
    _jobs: tuple[Job, ...] = ()
    _elsewhere: frozenset[int] = frozenset()
    _last: tuple[JobView, ...] = ()
    _still_of: tuple[Job, ...] | None = None
    """The jobs that `_last` shows, when none of them ran."""
    _day: DayBudget | None = None
    _spent_on: str = ""
    """The day that it is about; empty: it is to be read anew."""
    _version: int = -1
    _read_at: float = float("-inf")
    _history: dict[int, History] = field(default_factory=dict)
    _told_of: Job | None = None
    """The job as it was when its alerts were read."""
    _told: Mapping[int, tuple[ToldAlert, ...]] = field(default_factory=dict)

    async def tick(self) -> View:
        """What is to be drawn now. A database that cannot be read is told in the view; the last list stays."""
        now = self.desk.clock()
        engine = self.desk.snapshot()
        trouble = await _trouble_of(self._read(now))
        jobs = self._views(now, engine)
        if self.selected is None or all(job.id != self.selected for job in jobs):
            self.selected = jobs[0].id if jobs else None
        trouble = engine.trouble or trouble or await _trouble_of(self._read_alerts(jobs))
        return View(now, jobs, self.selected, engine, self._history, trouble, self._day, self._told)

    async def _read_alerts(self, jobs: tuple[JobView, ...]) -> None:
        """What is stored of answers that got worse: a job that runs here has its alerts in its snapshot."""
        view = next((job for job in jobs if job.id == self.selected and job.live is None), None)
        if view is None:
            self._told_of = None  # whatever is told of it while it runs is read when it stands still
            return
        if view.job is self._told_of:
            return
        told = await self.desk.store.alerts.of(view.id)
        if told or self._told:
            self._told = {view.id: told}
        self._told_of = view.job

    def hurry(self) -> None:
        """The next tick reads the jobs anew, as something was just done to them."""
        self._version, self._read_at = -1, float("-inf")

    async def _read(self, now: float) -> None:
        if len(self._jobs) > FEW_JOBS and now - self._read_at < SLOW_S:
            return
        if (version := await self.desk.store.data_version()) == self._version:
            await self._read_day(now)  # which may be another by now
            await self._look_for_owners(now)
            return
        known = {job.id: job for job in self._jobs}
        newest = None if known else FIRST_JOBS
        self._jobs = await self.desk.store.jobs.overview(known, newest=newest)
        if len(self._jobs) != newest:
            self._version, self._read_at = version, now
        self._spent_on = ""
        await self._read_day(now)
        await self._look_for_owners(now)
        alive = {job.id for job in self._jobs}
        for gone in self._history.keys() - alive:
            del self._history[gone]

    async def _read_day(self, now: float) -> None:
        """What was spent on this day, where it has a cap and is not known."""
        cap, day = self.desk.settings.day_budget_nano, day_of(now)
        if cap is not None and day != self._spent_on:
            self._day = DayBudget(cap, await self.desk.store.ledger.spent_on(day))
            self._spent_on = day

    async def _look_for_owners(self, now: float) -> None:
        """Whether a live process runs each job that has an owner; processes die without changing the database."""
        if self.desk.workplace is None:
            return
        owned = [job for job in self._jobs if job.owner is not None]
        self._elsewhere = frozenset([job.id for job in owned if await self.desk.controller.owned_elsewhere(job)])

    def _views(self, now: float, engine: EngineSnapshot) -> tuple[JobView, ...]:
        """The same views as the last time where nothing runs and nothing changed, so that nothing is drawn anew."""
        still = not engine.jobs and not self._elsewhere
        if still and self._still_of is self._jobs:
            return self._last
        live: Mapping[int, JobSnapshot] = {job.id: job for job in engine.jobs}
        before = {view.id: view for view in self._last}
        self._last = tuple(self._view(now, job, live.get(job.id), before.get(job.id)) for job in self._jobs)
        self._still_of = self._jobs if still else None
        return self._last

    def _view(self, now: float, job: Job, live: JobSnapshot | None, before: JobView | None) -> JobView:
        elsewhere = live is None and job.id in self._elsewhere
        if live is None and not elsewhere:
            same = before is not None and before.job is job and before.live is None and not before.elsewhere
            return before if same and before is not None else JobView(job)
        history = self._history.setdefault(job.id, History())
        if live is not None:
            history.add(now, live)
            return JobView(job, live, elsewhere, live.rate, live.eta_s)
        history.add_counters(now, job.counters)
        return JobView(job, live, elsewhere, history.rate() or 0.0, history.eta_s())


async def _trouble_of(reading: Coroutine[Any, Any, None]) -> str:
    """Why the database could not be read; empty when it was."""
    try:
        await reading
    except UserError as error:
        return error.message
    return ""
