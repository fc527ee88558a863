"""The app: six places, one timer, one bridge. Acts through the desk's controller; owns no job state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.driver import Driver
from textual.widgets import ContentSwitcher
from textual.worker import WorkerFailed

from tui_batch.errors import UserError
from tui_batch.tui.actions import bindings
from tui_batch.tui.bridge import Bridge
from tui_batch.tui.desk import Desk, Wish
from tui_batch.tui.going_on import going_on
from tui_batch.tui.in_turn import InTurn
from tui_batch.tui.job_verbs import JobVerbs
from tui_batch.tui.long_work import LongWork
from tui_batch.tui.manners import Manners
from tui_batch.tui.output import patient
from tui_batch.tui.place import NAMES, TITLES, Place
from tui_batch.tui.places.jobs import JobsPlace
from tui_batch.tui.pulse import Pulse
from tui_batch.tui.telling import Telling
from tui_batch.tui.tones import Spans, Tone, plain
from tui_batch.tui.view import JobView, View
from tui_batch.tui.widgets.frame import Hints, PlaceBar, TitleLine
from tui_batch.tui.widgets.table import Table
from tui_batch.tui.words import summary

if TYPE_CHECKING:
    from tui_batch.domain.endpoint import Endpoint
    from tui_batch.inputs.draft import JobDraft
    from tui_batch.tui.places.items import ItemsPlace


class BatchApp(Telling[Wish]):
    """The terminal app over an open desk."""

    CSS_PATH = Path(__file__).with_name("styles") / "app.tcss"
    TITLE = "llmbatch-tui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("app"), *bindings("job")]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.bridge = Bridge(desk)
        self.verbs = JobVerbs(self)
        self.manners = Manners(self)
        self.works = LongWork(self._tell_work)
        self._file_words: Spans = plain("")
        self.view = View(desk.clock())
        self._first = self.view
        self._pulse = Pulse(self, self._tick)
        self._opening = InTurn(self, self._get_to_work, self._furnish)
        self.fault: Exception | None = None
        """A fault of the program's own that ended the app; whoever ran it raises it."""

    def get_driver_class(self) -> type[Driver]:
        """Textual's for this platform, with a way to the terminal that never holds up the jobs, and may be stopped."""
        return going_on(patient(super().get_driver_class()))

    def compose(self) -> ComposeResult:
        """Title, places, hints."""
        yield TitleLine()
        yield PlaceBar(TITLES)
        with ContentSwitcher(initial=JobsPlace.NAME, id="places"):
            yield JobsPlace(self.desk)
        yield Hints()

    async def prepare(self) -> None:
        """Colours and the first view. Done before the app runs, so that its first picture is its whole list of jobs."""
        if self._first is self.view:
            await self.manners.dress()
            self._first = await self.bridge.tick()

    async def on_mount(self) -> None:
        """The first view is drawn at once, the rest of the app follows."""
        name = "  demo, simulated" if self.desk.is_demo else f"  {self.desk.where.db.name}"
        self._file_words = (("llmbatch-tui", Tone.STRONG), (name, Tone.MUTED))
        self._tell_work("")
        await self.prepare()
        self.manners.arrange()
        self._draw(self._first)
        self.place.entered()
        await self._opening.begin()

    async def _get_to_work(self) -> None:
        """The engine. A job that began with it is drawn before the rest is loaded."""
        # From Python 3.12 on Textual has tasks begin before their creator goes on. The engine's do not, in no process.
        asyncio.get_running_loop().set_task_factory(None)
        await self.desk.get_to_work()
        await self._tick()

    async def _furnish(self) -> None:
        """All else that need not be there when the first view is drawn."""
        await self.manners.settle(self.query_one("#places", ContentSwitcher))
        self._pulse.start()

    async def on_event(self, event: events.Event) -> None:
        """What a person does waits for the rest of the app."""
        if isinstance(event, events.InputEvent):
            self._pulse.touch()
            await self._opening.done.wait()
        await super().on_event(event)

    @property
    def place(self) -> Place:
        """The visible one."""
        switcher = self.query_one("#places", ContentSwitcher)
        visible = switcher.visible_content
        assert isinstance(visible, Place)
        return visible

    async def _tick(self) -> None:
        """Pulls a view. Where nothing runs and nothing changed its jobs are the very same."""
        before = self.view.jobs
        self._draw(await self.bridge.tick())
        self._pulse.seen(moves=self.view.jobs is not before)

    def _draw(self, view: View) -> None:
        if not self.is_running:
            return  # the app closed while the view was read: what it would be drawn on is gone, or going
        self.manners.notice(self.view, view)
        self.view = view
        for title in self.screen.query_children(TitleLine):  # none while a dialog is open
            with self.batch_update():
                title.right = summary(view)
                self.place.show(view)

    def on_resize(self, event: events.Resize) -> None:
        """There may be too little room, or enough again."""
        self.manners.fit(event.size)

    def on_app_blur(self) -> None:
        """Nobody looks."""
        self._pulse.focus(False)

    def on_app_focus(self) -> None:
        """Somebody looks again."""
        self._pulse.focus(True)

    def go_to(self, name: str) -> Place:
        """Shows a place and gives it the focus."""
        self.query_one("#places", ContentSwitcher).current = name
        self.query_one(PlaceBar).current = NAMES.index(name)
        place = self.place
        place.show(self.view)
        place.entered()
        return place

    def select(self, job_id: int) -> None:
        """Makes a job the one that items, errors and the live panel are about."""
        self.bridge.selected = job_id
        self._draw(replace(self.view, selected=job_id))

    def on_table_moved(self, event: Table.Moved) -> None:
        """The cursor of the list of jobs selects, where it comes to rest."""
        row = event.table.cursor_row
        if event.table.id == "job-table" and isinstance(row, JobView) and row.id == event.key != self.bridge.selected:
            self.select(row.id)

    def on_table_opened(self, event: Table.Opened) -> None:
        """A double click opens the job."""
        if event.table.id == "job-table":
            self.go_to("items")

    def on_place_bar_chosen(self, event: PlaceBar.Chosen) -> None:
        """A click on a place's title."""
        self.go_to(NAMES[event.number])

    def on_jobs_place_arranged(self, event: JobsPlace.Arranged) -> None:
        """The order of the list and the height of its panel are remembered."""
        self.manners.prefs.set_sort("jobs", event.sort)
        self.manners.prefs.set_pane("jobs", event.panel)

    def on_items_place_arranged(self, event: ItemsPlace.Arranged) -> None:
        """The order and the columns of the list are remembered."""
        self.manners.prefs.set_sort("items", event.sort)
        self.manners.prefs.set_columns("items", event.columns)

    # What is done

    def chosen_jobs(self) -> list[JobView]:
        """In the list of jobs the marked ones, or the one under the cursor; elsewhere the selected one."""
        place = self.place
        if isinstance(place, JobsPlace):
            return place.chosen()
        return [self.view.job] if self.view.job is not None else []

    def _handle_exception(self, error: Exception) -> None:
        """Textual's hook for what nobody caught. Trouble in the background is told and the app goes on."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if isinstance(error, WorkerFailed) and isinstance(cause, UserError):
            self.say_trouble(cause)
            return
        if self.fault is None and isinstance(cause, Exception):
            self.fault = cause
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Textual would print every frame with its locals, among them prompts and answers: the log gets the rest."""
        self._close_messages_no_wait()

    @contextmanager
    def long_work(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Shows how far something is, in the title line."""
        with self.works.shown(what, total) as progress:
            yield progress

    def _tell_work(self, words: str) -> None:
        for title in self.query(TitleLine):  # there is none any more once the app closes
            title.left = plain(self.manners.stoppable(words), Tone.ACCENT) if words else self._file_words

    async def new_job(self, draft: JobDraft | None, endpoints: tuple[Endpoint, ...] = ()) -> None:
        """Opens the new-job screen and selects what came of it; `endpoints` are those of the job it is taken from."""
        from tui_batch.tui.screens.new_job import NewJobScreen

        job_id = await self.push_screen_wait(NewJobScreen(self.desk, draft, endpoints=endpoints))
        self.bridge.hurry()
        self.place.entered()  # with no job in the list the screen would give the focus to its first input
        if job_id is not None:
            await self.show_job(job_id)
            self.go_to("jobs")

    async def show_job(self, job_id: int) -> None:
        """Selects a job that was made just now, once the list has it."""
        self.bridge.hurry()
        await self._tick()
        for job in self.view.jobs:
            if job.id == job_id:
                self.query_one(JobsPlace).reveal(job)
        self.select(job_id)

    # Actions; see actions.py

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a job there is nothing to do to one, so no hint says there is."""
        return action != "job" or bool(self.view.jobs)

    def action_place(self, name: str) -> None:
        """One of the six."""
        self.go_to(name)

    def action_job(self, name: str) -> None:
        """A verb over the jobs that are meant."""
        self.verbs.start(name)

    def action_app_new_job(self) -> None:
        """From a file to a running job."""
        self.run_worker(self.guarded(self.new_job(None), "app.new_job"), group="verbs")

    def action_app_pause_all(self) -> None:
        """Pauses all that runs; with nothing running lets go on what a person paused."""
        self.run_worker(self.guarded(self.verbs.pause_all(self.view.jobs), "app.pause_all"), group="verbs")

    def action_app_quit(self) -> None:
        """Leaves, and asks first when something runs here."""
        self.run_worker(self.guarded(self.manners.quit()), group="quit", exclusive=True)

    def action_app_help(self) -> None:
        """All keys, searchable."""
        self.manners.help()

    def action_app_palette(self) -> None:
        """Whatever can be done now, by its name."""
        self.run_worker(self.manners.palette(), group="palette")

    def action_app_theme(self) -> None:
        """Colours, shown as one chooses."""
        self.run_worker(self.manners.choose_theme(), group="theme")

    def action_app_stop_work(self) -> None:
        """Ends what is being written, copied or deleted."""
        self.manners.stop_work()
