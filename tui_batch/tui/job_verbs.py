"""The verbs over jobs, for the app: each asks where it must, acts through the controller, and says what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from tui_batch import figures
from tui_batch.domain.job import ACTIVE, Mode, PauseReason
from tui_batch.errors import UserError
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.view import JobView

if TYPE_CHECKING:
    from tui_batch.quality.alerts import Alert
    from tui_batch.tui.app import BatchApp

Verb: TypeAlias = Callable[[Sequence[JobView]], Coroutine[Any, Any, None]]

STEP = 1.25
"""What `+` multiplies the concurrency by, and `-` divides it by; at least by one."""

STOPPING_S = 0.1
"""Between two looks at whether a job that is to be deleted has ended."""


def is_startable(job: JobView) -> bool:
    """Whether `pause/resume` means going on."""
    return not job.is_active and job.counters.pending > 0


def stepped(concurrency: int, direction: int) -> int:
    """One step more or fewer in flight, at least 1."""
    if direction > 0:
        return max(concurrency + 1, round(concurrency * STEP))
    return max(1, min(concurrency - 1, round(concurrency / STEP)))


class JobVerbs:
    """Verbs over the jobs that are meant at the moment."""

    def __init__(self, app: BatchApp) -> None:
        self._app = app
        self._desk = app.desk
        self._stepping = asyncio.Lock()

    @cached_property
    def _by_name(self) -> Mapping[str, Verb]:
        verbs = (
            self.pause,
            self.more,
            self.less,
            self.knobs,
            self.retry,
            self.export,
            self.report,
            self.clone,
            self.edit,
            self.compare,
            self.chain,
            self.worst,
        )
        return {verb.__name__: verb for verb in (*verbs, self.cancel, self.delete)}

    def start(self, name: str) -> None:
        """Does a verb over the chosen jobs, in a worker, so that it may ask."""
        verb, jobs = self._by_name[name], self._app.chosen_jobs()
        if not jobs:
            self._app.notify("No job is listed. Escape takes the filter away.")
            return
        named = _numbers(job.id for job in jobs)
        self._app.run_worker(self._app.guarded(verb(jobs), f"job.{name}", named), group="verbs")

    async def pause(self, jobs: Sequence[JobView]) -> None:
        """Pauses what runs, and lets go on what stands still."""
        if running := [job for job in jobs if job.is_active]:
            await self._each(running, "pause", self._desk.controller.pause)
            return
        startable = [job for job in jobs if is_startable(job)]
        await self._each(startable, "resume", self._desk.controller.resume)
        if not startable:
            self._app.notify("Nothing is left to do there. r tries the dead items again.")

    async def pause_all(self, jobs: Sequence[JobView]) -> None:
        """Pauses all that runs; with nothing running lets go on what a person paused."""
        if running := [job for job in jobs if job.is_active]:
            await self._each(running, "pause", self._desk.controller.pause)
            return
        paused = [job for job in jobs if job.reason is PauseReason.USER and job.counters.pending]
        await self._each(paused, "resume", self._desk.controller.resume)
        if not paused:
            self._app.notify("Nothing runs, and nothing is paused.")

    async def more(self, jobs: Sequence[JobView]) -> None:
        """One step more in flight."""
        await self._step(jobs, 1)

    async def less(self, jobs: Sequence[JobView]) -> None:
        """One step fewer in flight."""
        await self._step(jobs, -1)

    async def _step(self, jobs: Sequence[JobView], direction: int) -> None:
        for job in jobs:
            async with self._stepping:  # keys come quicker than views: each step begins where the last one ended
                knobs = (await self._desk.store.jobs.get(job.id)).knobs
                now = knobs.concurrency or job.in_flight
                if not now:  # auto, and nothing in flight, or in a process that does not tell
                    self._app.notify(f"#{job.id} finds its concurrency by itself. s gives it a number.")
                    continue
                new = stepped(now, direction)
                await self._desk.controller.turn(job.id, {"concurrency": new})
            self._app.record("set", str(job.id), f"concurrency={new}")
            self._app.notify(f"#{job.id} concurrency {knobs.concurrency or 'auto'} → {new}", timeout=2)
        self._app.bridge.hurry()

    async def knobs(self, jobs: Sequence[JobView]) -> None:
        """Opens the dialog; it turns the knobs."""
        from tui_batch.tui.screens.knobs import KnobsDialog

        await self._app.push_screen_wait(KnobsDialog(self._desk, jobs, self._app.record))
        self._app.bridge.hurry()

    async def retry(self, jobs: Sequence[JobView]) -> None:
        """Makes dead items pending again, and lets jobs go on that had ended."""
        from tui_batch.domain.item_scope import Selection
        from tui_batch.tui.item_verbs import ItemVerbs, likely_cost

        dead = sum(job.counters.dead for job in jobs)
        if not dead:
            self._app.notify("There are no dead items.")
            return
        cost = likely_cost((job, job.counters.dead) for job in jobs)
        if not await self._ask(f"Try {figures.things(dead, 'dead item')} again?", cost):
            return
        for job in jobs:
            if not job.counters.dead:
                continue
            count = await self._desk.controller.retry(job.id, Selection())
            self._app.record("retry", str(job.id), "--dead")
            self._app.say(f"#{job.id}: {await ItemVerbs(self._app).go_on(job, count)}")
        self._app.bridge.hurry()

    async def export(self, jobs: Sequence[JobView]) -> None:
        """Asks what and where, for one job after the other; the files are written in the background."""
        scopes = self._app.place.export_scopes()
        for number, job in enumerate(jobs, 1):
            if not await self._app.manners.export(job.job, scopes, _of_several(number, jobs)):
                return

    async def report(self, jobs: Sequence[JobView]) -> None:
        """Asks where, for one job after the other; the reports are written in the background."""
        for number, job in enumerate(jobs, 1):
            if not await self._app.manners.report(job.job, _of_several(number, jobs)):
                return

    async def clone(self, jobs: Sequence[JobView]) -> None:
        """New drafts with the same rows, copied in the background."""
        self._app.manners.start_work(self._clone(tuple(jobs)))

    async def _clone(self, jobs: Sequence[JobView]) -> str:
        made: list[int] = []
        for job in jobs:
            with self._app.long_work(f"copying the rows of #{job.id}:", None) as progress:
                progress(job.counters.total)
                try:
                    made.append(await self._desk.controller.clone(job.id, job.job.spec, job.knobs))
                except asyncio.CancelledError:
                    self._app.say(f"copying #{job.id} was stopped: there is no copy")
                    raise
            self._app.record("clone", str(job.id))
        if len(jobs) > 1:
            self._app.bridge.hurry()
            return f"{_numbers(made)} are the copies. p starts what is marked or under the cursor."
        if self._app.view.selected == jobs[0].id:  # so that p starts the copy, unless somebody went elsewhere
            await self._app.show_job(made[0])
        return f"#{made[0]} is a copy of #{jobs[0].id}. p starts it."

    async def edit(self, jobs: Sequence[JobView]) -> None:
        """Opens the new-job screen with what this job says."""
        from tui_batch.engine.compose import draft_of

        job = _only(jobs)
        await self._app.new_job(draft_of(job.job), job.job.spec.endpoints)

    async def compare(self, jobs: Sequence[JobView]) -> None:
        """Opens the comparison of one job's models, or of two jobs over the same file."""
        from tui_batch.report.compare import contenders_of
        from tui_batch.tui.screens.compare import CompareScreen

        if len(jobs) > 2:
            raise UserError(f"{len(jobs)} jobs are marked", remedy="Mark two jobs over the same file, with space.")
        found = [job.job for job in sorted(jobs, key=lambda job: job.id)]
        if len(found) == 1 and found[0].spec.mode is not Mode.EACH:
            raise UserError(
                f"job {found[0].id} asks one model a row",
                remedy="Mark two jobs over the same file with space in the list of jobs, or run one in mode each.",
            )
        contenders_of(found)
        self._app.record("compare", *(str(job.id) for job in found))
        await self._app.push_screen_wait(CompareScreen(found))

    async def chain(self, jobs: Sequence[JobView]) -> None:
        """Opens the new-job screen over the job's answers."""
        from tui_batch.work.new_job import chained_draft

        job = _only(jobs)
        if not job.counters.done:
            raise UserError(f"job {job.id} has no answers to go on with yet")
        await self._app.new_job(chained_draft(job.job), job.job.spec.endpoints)

    async def worst(self, jobs: Sequence[JobView]) -> None:
        """Lists the rows that the alerts about a job mean: those that hold, else the last one."""
        from tui_batch.domain.item_filter import just
        from tui_batch.tui.places.items import ItemsPlace
        from tui_batch.work.filter_words import text_of

        job = _only(jobs)
        ids = sorted({item_id for alert in await self._alerts(job) for item_id in alert.item_ids})
        if not ids:
            self._app.notify("No alert said that the answers of this job got worse.")
            return
        self._app.select(job.id)
        place = self._app.go_to(ItemsPlace.NAME)
        assert isinstance(place, ItemsPlace)
        place.show_filter(text_of(just(ids)))

    async def _alerts(self, job: JobView) -> Sequence[Alert]:
        if job.live is not None and job.live.drift:
            return job.live.drift
        told = await self._desk.store.alerts.of(job.id)
        holding = [one.alert for one in told if one.ended_at is None]
        return holding or [one.alert for one in told[-1:]]

    async def cancel(self, jobs: Sequence[JobView]) -> None:
        """Ends jobs, asked for first."""
        open_ones = [job for job in jobs if job.is_active or job.counters.pending]
        if not open_ones:
            self._app.notify("There is nothing to cancel: no item is pending.")
            return
        pending = sum(job.counters.pending for job in open_ones)
        detail = f"{figures.things(pending, 'pending item')} will not be asked."
        if await self._ask(f"Cancel {_jobs(open_ones)}?", detail):
            await self._each(open_ones, "cancel", self._desk.controller.cancel)

    async def delete(self, jobs: Sequence[JobView]) -> None:
        """Removes jobs, asked for first, and shows how far it is. What runs is stopped for it."""
        detail = f"What is lost: {_held(jobs)}."
        if running := sum(job.is_active for job in jobs):
            it = "It runs" if len(jobs) == 1 else f"{running} of them run" if running > 1 else "One of them runs"
            detail = f"{it} and {'are' if running > 1 else 'is'} stopped first. {detail}"
        if await self._ask(f"Delete {_jobs(jobs)}?", detail):
            self._app.manners.start_work(self._delete(tuple(jobs)))

    async def _delete(self, jobs: Sequence[JobView]) -> str:
        for job in jobs:
            with self._app.long_work(f"deleting #{job.id}", job.counters.total) as progress:
                try:
                    await self._stopped(job.id)
                    await self._desk.controller.delete(job.id, progress=progress)
                except asyncio.CancelledError:
                    self._app.say(f"deleting #{job.id} was stopped: what is gone is gone, the rest is still there")
                    self._app.bridge.hurry()
                    raise
            self._app.record("delete", str(job.id), "--yes")
            self._app.bridge.hurry()
        return f"{_jobs(jobs)} {'is' if len(jobs) == 1 else 'are'} deleted"

    async def _stopped(self, job_id: int) -> None:
        """Cancels a job that runs, here or elsewhere, and waits until nobody owns it. Raises UserError when that fails.

        Whoever owns it answers at once and lets go when its last request came back, which no bound of ours shortens.
        """
        jobs, controller = self._desk.store.jobs, self._desk.controller
        if (await jobs.get_listed(job_id)).state in ACTIVE:
            try:
                await controller.cancel(job_id)
            except UserError:
                if (await jobs.get_listed(job_id)).state in ACTIVE:
                    raise  # else it ended by itself meanwhile
        while True:
            await self._desk.engine.ended(job_id)
            if not self._runs_here(job_id) and not await controller.owned_elsewhere(await jobs.get_listed(job_id)):
                return
            await asyncio.sleep(STOPPING_S)

    def _runs_here(self, job_id: int) -> bool:
        return any(job.id == job_id for job in self._desk.snapshot().jobs)

    async def _each(self, jobs: Sequence[JobView], word: str, verb: Callable[[int], Awaitable[None]]) -> None:
        for job in jobs:
            await verb(job.id)
            self._app.record(word, str(job.id))
        self._app.bridge.hurry()

    async def _ask(self, question: str, detail: str = "") -> bool:
        return await self._app.push_screen_wait(Confirm(question, detail))


def _only(jobs: Sequence[JobView]) -> JobView:
    """The one job that is meant. Raises UserError where several are marked."""
    if len(jobs) > 1:
        raise UserError(f"{len(jobs)} jobs are marked", remedy="This is done with one: escape takes the marks away.")
    return jobs[0]


def _held(jobs: Sequence[JobView]) -> str:
    """What some jobs hold, and what was paid for it."""
    every = [job.counters for job in jobs]
    rows = figures.things(sum(one.total for one in every), "item")
    if not any(one.done or one.requests for one in every):
        return f"{rows}, none of which was asked about"
    paid = figures.known_cost(sum(one.cost_nano for one in every), sum(one.unpriced for one in every))
    return f"{rows} and the answers, which cost {paid}"


def _of_several(number: int, jobs: Sequence[JobView]) -> str:
    return f" ({number} of {len(jobs)} marked)" if len(jobs) > 1 else ""


def _numbers(ids: Iterable[int]) -> str:
    return ", ".join(f"#{job_id}" for job_id in ids)


def _jobs(jobs: Sequence[JobView]) -> str:
    return f"job #{jobs[0].id} {jobs[0].name}" if len(jobs) == 1 else f"{len(jobs)} jobs"
