"""Place 1: the jobs, with the selected one's live panel under them."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from tui_batch import figures
from tui_batch.tui.actions import bindings
from tui_batch.tui.clipboard import copy
from tui_batch.tui.desk import Desk, Wish
from tui_batch.tui.ordering import ask_order
from tui_batch.tui.place import Place
from tui_batch.tui.screens import menu
from tui_batch.tui.tones import Spans, Tone, plain
from tui_batch.tui.view import JobView, View
from tui_batch.tui.widgets.entry import Entry
from tui_batch.tui.widgets.live_lines import OwnKeys
from tui_batch.tui.widgets.live_panel import LivePanel
from tui_batch.tui.widgets.table import Column, Table
from tui_batch.tui.widgets.welcome import Welcome
from tui_batch.tui.words import finished_share, progress_bar, state_span

_BAR = 12


def _progress(job: JobView) -> Spans:
    return (*progress_bar(job, _BAR), (f" {finished_share(job):>5}", Tone.PLAIN))


def _rate(job: JobView) -> Spans:
    return plain(figures.rate(job.rate) if job.is_active else "")


def _left(job: JobView) -> Spans:
    return plain(figures.duration(job.eta_s) if job.is_active else "", Tone.MUTED)


def _dead(job: JobView) -> Spans:
    dead = job.counters.dead
    return plain(figures.short_count(dead) if dead else "·", Tone.BAD if dead else Tone.MUTED)


def _models(job: JobView) -> Spans:
    return plain(", ".join(ref.model for ref in job.job.spec.models), Tone.MUTED)


COLUMNS: tuple[Column[JobView], ...] = (
    Column("id", "#", lambda job: plain(str(job.id), Tone.MUTED), 4, right=True, sort=attrgetter("job.id")),
    Column("name", "Job", lambda job: plain(job.name), 15, stretches=True, sort=lambda job: job.name.lower()),
    Column("state", "State", lambda job: (state_span(job),), 12, sort=lambda job: (job.state, job.reason or "")),
    Column("progress", "Progress", _progress, _BAR + 6, sort=lambda job: -job.counters.pending),
    Column(
        "total",
        "Items",
        lambda job: plain(figures.short_count(job.counters.total)),
        6,
        right=True,
        drop=4,
        sort=lambda job: job.counters.total,
    ),
    Column("rate", "Rate", _rate, 9, right=True, drop=2, sort=lambda job: job.rate),
    Column("left", "Left", _left, 8, right=True, drop=3, sort=lambda job: job.eta_s or 0.0),
    Column("dead", "Dead", _dead, 5, right=True, drop=1, sort=lambda job: job.counters.dead),
    Column(
        "cost",
        "Cost",
        lambda job: plain(figures.cost(job.counters).replace(" + ", "+")),
        9,
        right=True,
        drop=1,
        sort=lambda job: job.counters.cost_nano,
    ),
    Column(
        "models",
        "Models",
        _models,
        16,
        drop=5,
        beside=20,
        most=40,
        sort=lambda job: "".join(ref.model for ref in job.job.spec.models[:1]),
    ),
)
SORTS: dict[str, Callable[[JobView], Any]] = {column.id: column.sort for column in COLUMNS if column.sort is not None}


def matching(job: JobView, words: str) -> bool:
    """Whether every word is found in the job's number, name, state, reason, models or tags."""
    tags = " ".join(f"{key}:{value}" for key, value in job.knobs.tags.items())
    models = " ".join(ref.model for ref in job.job.spec.models)
    text = f"#{job.id} {job.name} {job.state} {job.reason or ''} {models} {tags}".lower()
    return all(word in text for word in words.lower().split())


def list_height(rows: int, room: int, panel_part: int) -> int:
    """Lines for the list with its header and a line of air; at least 4, at most what the panel's tenths leave."""
    return max(4, min(rows + 2, room * (10 - panel_part) // 10))


def part_below(lines: int, room: int) -> int:
    """The tenths of the height that are left under so many lines, to the nearest: 1 to 9."""
    return max(1, min(9, 10 - round(10 * lines / max(1, room))))


_ABOUT_A_JOB = frozenset({"jobs_open", "jobs_mark", "jobs_filter", "jobs_copy", "jobs_sort", "jobs_span"})


class JobsPlace(Place):
    """The list and the live panel."""

    NAME = "jobs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("jobs")
    DEFAULT_CSS = """
    JobsPlace { layout: vertical; }
    JobsPlace #jobs-filter { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    JobsPlace #jobs-filter.open { display: block; }
    JobsPlace #job-table { height: 4; }
    JobsPlace LivePanel { height: 1fr; }
    JobsPlace Welcome { display: none; }
    JobsPlace.empty Welcome { display: block; }
    JobsPlace.empty #job-table, JobsPlace.empty LivePanel { display: none; }
    """

    class Arranged(Message):
        """A person chose another order or another height of the panel, which is worth remembering."""

        def __init__(self, sort: str, panel: int) -> None:
            super().__init__()
            self.sort = sort
            self.panel = panel

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._sort = "-id"
        self._words = ""
        self._panel_part = 6
        """Tenths of the height that the live panel has."""
        self._listed_jobs: tuple[JobView, ...] | None = None
        self._listed: tuple[str, str, int] = ("", "", 0)
        """How they were listed: order, words, tenths."""
        self._followed: object = None
        """The selected job when it was last shown."""

    def compose(self) -> ComposeResult:
        """Filter, list, panel."""
        yield Entry(placeholder="words: name, state, model, tag", id="jobs-filter", compact=True)
        yield Table[JobView](COLUMNS, lambda job: job.id, can_mark=True, id="job-table")
        yield LivePanel()
        yield Welcome(self.desk)

    @property
    def table(self) -> Table[JobView]:
        """The list."""
        return self.query_one("#job-table", Table)

    def show(self, view: View) -> None:
        """The rows that match, in the order chosen; the panel of the selected one."""
        super().show(view)
        self.set_class(not view.jobs and not self.desk.is_preparing, "empty")
        self._list(view)
        # As long as no other job was selected the cursor leads: it may be further than what is selected, and the app
        # not have heard of it.
        if view.selected != self._followed:
            self._followed = view.selected
            self.table.move_to(view.selected)
        self.query_one(LivePanel).show(view)

    def _list(self, view: View) -> None:
        """The jobs that match, in order; nothing to do where they are those of the last time."""
        listed = (self._sort, self._words, self._panel_part)
        if view.jobs is self._listed_jobs and listed == self._listed:
            return
        self._listed_jobs, self._listed = view.jobs, listed
        column, falling = self._sort.removeprefix("-"), self._sort.startswith("-")
        rows = [job for job in view.jobs if not self._words or matching(job, self._words)]
        self.table.sorted_by = self._sort
        self.table.empty = "No job matches." if view.jobs else "The sample job is being made …"
        self.table.set_rows(sorted(rows, key=SORTS[column], reverse=falling))
        self._fit()

    def entered(self) -> None:
        """The list has the focus."""
        self.table.focus()

    def chosen(self) -> list[JobView]:
        """The jobs that actions mean."""
        return self.table.chosen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In an empty list there is nothing to open, mark, filter or copy, so no hint says there is."""
        return bool(self.view.jobs) or action not in _ABOUT_A_JOB

    def action_jobs_mark(self) -> None:
        """Marks the job under the cursor."""
        self.table.toggle_mark()

    def action_jobs_copy(self) -> None:
        """Copies something of the job under the cursor."""
        if (job := self.table.cursor_row) is not None:
            self.app.run_worker(self._copy(job), group="verbs")

    async def _copy(self, job: JobView) -> None:
        command = self.desk.where.command("show", str(job.id))
        texts = [("i", "number", str(job.id)), ("n", "name", job.name), ("l", "command line", command)]
        choices = [menu.Choice(key, label, text, text[:60]) for key, label, text in texts]
        chosen = await self.app.push_screen_wait(menu.Menu("Copy", choices))
        if chosen is not None:
            self.notify(f"copied by {await copy(chosen, self.app.copy_to_clipboard)}", markup=False)

    def on_table_sorted(self, event: Table.Sorted) -> None:
        """A title was clicked: by it, and turned round the second time."""
        self._sort = event.column if self._sort != event.column else f"-{event.column}"
        self.post_message(self.Arranged(self._sort, self._panel_part))
        self.show(self.view)

    def action_jobs_sort(self) -> None:
        """By another column, as a click on its title."""
        self.app.run_worker(ask_order(self.table), group="verbs")

    def action_jobs_open(self) -> None:
        """To the job's items."""
        self.app.call_next(self.app.run_action, "app.place('items')")

    def action_jobs_demo(self) -> None:
        """Leaves for the demo, once nothing runs here that would be stopped by it."""
        if self.desk.is_demo:
            self.app.notify("This is the demo.")
        elif self.view.engine.jobs:
            self.app.notify("A job runs. Leave with q, then: llmbatch-tui demo")
        else:
            self.app.exit(Wish.DEMO)

    def action_jobs_larger(self) -> None:
        """More room for the panel."""
        self._share(1)

    def action_jobs_smaller(self) -> None:
        """More room for the list."""
        self._share(-1)

    def recall(self, sort: str, panel: int | None) -> None:
        """Arranged as the last time; what is not known any more is left as it is."""
        if sort.removeprefix("-") in SORTS:
            self._sort = sort
        if panel is not None:
            self._share(panel - self._panel_part)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """The line between list and panel can be taken and drawn up or down."""
        if self.query_one(LivePanel).display and event.screen_y == self.query_one(LivePanel).region.y:
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The list ends where the line is drawn to, to a tenth of the height."""
        if self.app.mouse_captured is self and event.screen_y != self.query_one(LivePanel).region.y:
            self._share(part_below(event.screen_y - self.region.y, self.size.height) - self._panel_part)

    def on_mouse_up(self) -> None:
        """The line is let go."""
        self.release_mouse()

    def _share(self, step: int) -> None:
        if not step:
            return
        self._panel_part = max(1, min(9, self._panel_part + step))
        self.post_message(self.Arranged(self._sort, self._panel_part))
        self._fit()

    def on_resize(self) -> None:
        """The list's part of the height is another."""
        self._fit()

    def _fit(self) -> None:
        """The list is as tall as its rows, up to its part of the height; the panel has the rest."""
        height = list_height(len(self.table.rows), self.size.height, self._panel_part)
        if self.table.styles.height is None or self.table.styles.height.value != height:
            self.table.styles.height = height

    def action_jobs_span(self) -> None:
        """The charts show ten minutes, an hour, or twelve."""
        seconds = self.query_one(LivePanel).next_span()
        self.notify(f"Charts show the last {figures.duration(seconds)} at most.", timeout=2)

    def action_jobs_filter(self) -> None:
        """Opens the filter line."""
        line = self.query_one("#jobs-filter", Input)
        line.add_class("open")
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters as one types."""
        self._words = event.value
        self.show(self.view)

    def on_input_submitted(self) -> None:
        """Back to the list; the filter stays."""
        self.table.focus()

    def key_escape(self) -> None:
        """Leaves the filter; where there is none, takes marks away."""
        if self.query_one("#jobs-filter", Input).has_class("open"):
            self._leave_filter()
        else:
            self.table.marks.clear()
        self.table.focus()
        self.table.refresh()

    def _leave_filter(self) -> None:
        line = self.query_one("#jobs-filter", Input)
        line.value = ""
        line.remove_class("open")

    def know_keys(self, own: OwnKeys) -> None:
        """The person's own keys, for the words that name some."""
        self.query_one(LivePanel).know_keys(own)
        self.query_one(Welcome).know_keys(own)

    def reveal(self, job: JobView) -> None:
        """Takes the filter away where it hides a job that is to be selected: keys would mean another one."""
        if not matching(job, self._words):
            self._words = ""
            self._leave_filter()
