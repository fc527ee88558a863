"""Leaving while jobs run or a file is written here: finish it, stop at once, or hand the jobs to the background."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui_batch import figures
from tui_batch.domain.job import JobState
from tui_batch.engine.snapshot import EngineSnapshot
from tui_batch.safe_text import safe_text
from tui_batch.tui.screens.dialog import Dialog, safe_content, words
from tui_batch.tui.screens.menu import Choice, Menu
from tui_batch.work.detach import Detached, detach

if TYPE_CHECKING:
    from tui_batch.tui.app import BatchApp

MESSAGE = "the app was closed"
LOOK_S = 0.2
"""Between two looks at what is still in flight."""


class Leave(Enum):
    """How to leave."""

    DRAIN = auto()
    STOP = auto()
    BACKGROUND = auto()


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A job that goes on in the background."""

    job_id: int
    name: str
    process: Detached

    def __str__(self) -> str:
        return (
            f"job {self.job_id} {safe_text(self.name)}: goes on in the background "
            f"(process {self.process.pid}, log {self.process.log})"
        )


@dataclass(frozen=True, slots=True)
class Busy:
    """What goes on here when somebody wants to leave."""

    jobs: int
    in_flight: int
    work: str = ""
    """What is written, copied or deleted, and how far it is; empty: nothing."""

    def __str__(self) -> str:
        jobs = "" if not self.jobs else "A job runs here" if self.jobs == 1 else f"{self.jobs} jobs run here"
        return "; ".join(part for part in (jobs, self.work) if part)


def quit_menu(busy: Busy, *, keeps: bool) -> Menu[Leave]:
    """Asks how to leave. `keeps` says whether the database outlives the app, without which nothing can go on."""
    if not busy.jobs:
        choices = [
            Choice("d", "Finish it, then leave", Leave.DRAIN),
            Choice("s", "Stop it and leave", Leave.STOP, "nothing half written stays"),
        ]
        return Menu(f"{busy}. Leave?", choices, detail="esc: stay")
    flight = f"{figures.count(busy.in_flight)} {'request' if busy.in_flight == 1 else 'requests'} in flight"
    choices = [
        Choice("d", "Finish what is in flight, then leave", Leave.DRAIN, flight),
        Choice("s", "Stop now", Leave.STOP, f"{figures.count(busy.in_flight)} asked again later"),
    ]
    if keeps:
        choices.insert(1, Choice("b", "Keep running in the background", Leave.BACKGROUND, "reopen to watch"))
    return Menu(f"{busy}. Leave?", choices, detail="esc: stay")


class LeavingScreen(Dialog[None]):
    """What is waited for; `s` waits no longer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "stop", "Stop now", show=False)]

    def __init__(self, app: BatchApp) -> None:
        super().__init__()
        self._engine = app.desk.engine
        self._manners = app.manners
        self._works = app.works
        self._stopping: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        """One line that changes."""
        with Vertical(classes="box"):
            yield words("Leaving", "title")
            yield Static("", id="left", markup=False)
            yield words("s: wait no longer; what is in flight is asked again later", "muted")

    def on_mount(self) -> None:
        """Looks now and then."""
        self._tell()
        self.set_interval(LOOK_S, self._tell)

    def _tell(self) -> None:
        self.query_one("#left", Static).update(safe_content(waited_for(self._engine.snapshot(), self._works.words)))

    def action_stop(self) -> None:
        """Cancels what is in flight, and what is being written."""
        self._manners.stop_work()
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._engine.stop(MESSAGE))

    def action_leave(self) -> None:
        """Escape does nothing: the jobs are halted by now."""


def waited_for(engine: EngineSnapshot, work: str) -> str:
    """Why the app is still there: requests in flight, a disk that takes nothing, or work in the background."""
    if in_flight := sum(job.in_flight for job in engine.jobs):
        return f"waiting for {figures.count(in_flight)} in flight"
    if engine.trouble:
        return f"what came cannot be stored: {engine.trouble}"
    return work or "storing what came"


async def leave(app: BatchApp, choice: Leave) -> tuple[HandedOver, ...]:
    """Ends what goes on here as chosen, with a dialog over it. Raises UserError when no process can be started."""
    engine = app.desk.engine
    ids = [job.id for job in engine.snapshot().jobs]
    screen = LeavingScreen(app)
    await app.push_screen(screen)
    try:
        if choice is Leave.STOP:
            app.manners.stop_work()
            await engine.stop(MESSAGE)
        else:
            await engine.drain(MESSAGE)
        handed = await _hand_over(app, ids) if choice is Leave.BACKGROUND else ()
        await app.manners.works_end()  # the jobs go on meanwhile, in processes of their own
        return handed
    finally:
        if screen.is_current:
            screen.dismiss(None)


async def _hand_over(app: BatchApp, ids: Iterable[int]) -> tuple[HandedOver, ...]:
    """Starts a process for each of the jobs that is not finished. Their leases are free by now."""
    handed: list[HandedOver] = []
    for job_id in ids:
        job = await app.desk.store.jobs.get(job_id)
        if job.state is JobState.PAUSED and job.counters.pending and job.message == MESSAGE:
            process = await asyncio.to_thread(detach, job_id, app.desk.where, ())
            app.record("resume", str(job_id), "--detach")
            handed.append(HandedOver(job_id, job.spec.name, process))
    return tuple(handed)


def farewell(handed: Sequence[HandedOver], again: str) -> tuple[str, ...]:
    """Said once the terminal is back; `again` is the command that opens the app."""
    if not handed:
        return ()
    return (*map(str, handed), f"  Watch: {again}")
