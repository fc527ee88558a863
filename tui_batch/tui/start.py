"""Opens the app over a database, and closes the engine well whatever ends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tui_batch import figures, paths
from tui_batch.domain.job import Job, JobState
from tui_batch.safe_text import safe_text
from tui_batch.settings import Settings, load_settings
from tui_batch.store.store import open_store
from tui_batch.tui.app import BatchApp
from tui_batch.tui.desk import Desk, Wish
from tui_batch.work.place import Where
from tui_batch.work.transports import make_transport

if TYPE_CHECKING:
    from tui_batch.engine.workplace import Workplace

Signals: TypeAlias = Callable[[Callable[[int], None]], AbstractContextManager[None]]
"""Within the block the given function gets the number of each interrupt, hang-up or request to end, from 1."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How the app is opened."""

    where: Where
    settings: Settings
    faults: str = ""
    """For the simulator."""
    is_demo: bool = False
    begin: Callable[[Workplace, Desk], Awaitable[None]] | None = None
    """Done as soon as the engine runs."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """What is said once the terminal is back as it was."""

    lines: tuple[str, ...] = ()
    wish: Wish | None = None


@asynccontextmanager
async def open_desk(opening: Opening) -> AsyncIterator[Desk]:
    """An open database, on which the app starts an engine; it is closed here."""
    settings = opening.settings
    async with (
        aclosing(make_transport(settings.ca_file, opening.faults)) as transport,
        open_store(opening.where.db) as store,
        AsyncExitStack() as staff,
    ):

        async def hire(desk: Desk) -> Workplace:
            from tui_batch.engine.courtesy import WATCHED_S
            from tui_batch.engine.workplace import staffed

            workplace = await staff.enter_async_context(staffed(store, transport, settings, turn_s=WATCHED_S))
            if opening.begin is not None:
                await opening.begin(workplace, desk)
            return workplace

        yield Desk(store, settings, opening.where, transport, paths.state_dir(), time.time, hire, opening.is_demo)


async def run_app(where: Where, signals: Signals) -> Farewell:
    """The app over a person's database, until they leave it."""
    async with open_desk(Opening(where, load_settings(where.settings))) as desk:
        return await show(desk, signals)


async def show(desk: Desk, signals: Signals) -> Farewell:
    """The app over an open desk. What still runs when it ends is stopped; in flight means asked again later."""
    app = BatchApp(desk)
    counting = asyncio.ensure_future(desk.store.jobs.pending())

    def end(_number: int) -> None:
        app.exit()

    with signals(end):
        await app.prepare()
        wish = await app.run_async()
        await app.manners.close()
        ran = {job.id for job in desk.snapshot().jobs}
        if desk.workplace is not None:
            await desk.engine.stop("the app was closed")
    if app.fault is not None:
        raise app.fault
    from tui_batch.tui.screens.quit import farewell

    handed = {one.job_id for one in app.manners.handed}
    before, after = await counting, await desk.store.jobs.pending()
    told = [job_id for job_id, left in after.items() if job_id in ran or left != before.get(job_id)]
    lines = [line for job_id in told if job_id not in handed for line in _of(await desk.store.jobs.get(job_id), desk)]
    return Farewell((*lines, *app.manners.last_words, *farewell(app.manners.handed, desk.where.command())), wish)


def _of(job: Job, desk: Desk) -> list[str]:
    """What became of a job that ran while the app was open, and how to go on with it."""
    counters = job.counters
    left = f", {figures.count(counters.pending)} pending" if counters.pending else ""
    dead = f", {figures.count(counters.dead)} dead" if counters.dead else ""
    done = f"{figures.count(counters.done)} of {figures.count(counters.total)} done{dead}{left}"
    line = f"job {job.id} {safe_text(job.spec.name)}: {job.state.value}, {done}, cost {figures.cost(counters)}"
    if desk.is_demo or job.state is not JobState.PAUSED:
        return [line]
    return [line, f"  Resume: {desk.where.command('resume', str(job.id))}"]
