"""Place 3: why items failed, grouped, and what to do with the dead ones: retry, edit, discard, export."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from tui_batch import figures
from tui_batch.domain.item import ItemState
from tui_batch.domain.item_filter import Choice, ItemFilter, OneOf
from tui_batch.domain.item_scope import ItemScope, in_states
from tui_batch.domain.outcome import FREE_RETRY, JOB_WIDE, RETRYABLE, OutcomeClass
from tui_batch.domain.stored import ErrorGroup
from tui_batch.errors import UserError
from tui_batch.store.items import OTHERS
from tui_batch.tui.actions import bindings
from tui_batch.tui.alike import told_apart
from tui_batch.tui.clipboard import copy
from tui_batch.tui.desk import Desk
from tui_batch.tui.export_scopes import NamedScope
from tui_batch.tui.item_verbs import Dead, ItemVerbs, about
from tui_batch.tui.ordering import ask_order
from tui_batch.tui.place import Place
from tui_batch.tui.screens import menu
from tui_batch.tui.screens.item_detail import ItemDetailScreen
from tui_batch.tui.tones import Span, Spans, Tone, plain, styled, styles_of
from tui_batch.tui.view import JobView, View
from tui_batch.tui.widgets.entry import Entry
from tui_batch.tui.widgets.status_line import StatusLine
from tui_batch.tui.widgets.table import Column, Table
from tui_batch.work.filter_words import matcher, text_of

if TYPE_CHECKING:
    from tui_batch.tui.app import BatchApp

LEAST_PAUSE_S = 1.0
_PAUSES = 8.0
"""Groups of a running job are made again after so many times the time that it took."""

ADVICE = {
    OutcomeClass.CONTEXT_LENGTH: "The prompt does not fit: shorten the row (E), or ask another model: E in Jobs.",
    OutcomeClass.BAD_REQUEST: "The server refuses the request as it is: read its words, then edit the row (E).",
    OutcomeClass.REFUSED: "The provider's filter refused; its answer is kept. Edit the row (E) or discard it (d).",
    OutcomeClass.TRUNCATED: "The answer was cut: allow longer ones in a new job: E in Jobs begins with this one.",
    OutcomeClass.INVALID: "The answers failed the schema or a check: see one (e), then retry or edit.",
    OutcomeClass.MALFORMED: "The server's answer was no answer in its own format: retry later.",
}


@dataclass(frozen=True, slots=True)
class Group:
    """An error group, with its share of the dead items."""

    group: ErrorGroup
    share: float
    words: str
    """The message, cut so that it can be told from others beside it."""

    @property
    def key(self) -> tuple[str, str]:
        """Class and message."""
        return self.group.cls.value, self.group.message


def advice(cls: OutcomeClass) -> str:
    """What usually helps against a class of errors, in a sentence."""
    if cls in ADVICE:
        return ADVICE[cls]
    if cls in JOB_WIDE:
        return "Every item would meet it: mend key, model or account first, then retry (r)."
    if cls in FREE_RETRY:
        return "The server was busy: retry (r) with a lower concurrency."
    return (
        "It may pass by itself: retry (r)." if cls in RETRYABLE else "Read the message, then retry (r) or discard (d)."
    )


COLUMNS: tuple[Column[Group], ...] = (
    Column("count", "count", lambda one: plain(figures.count(one.group.count), Tone.STRONG), 8, right=True,
           sort=lambda one: one.group.count),
    Column("share", "share", lambda one: plain(f"{one.share:.0%}", Tone.MUTED), 5, right=True, drop=1),
    Column("class", "class", lambda one: plain(f"✗ {one.group.cls.value}", Tone.BAD), 16,
           sort=lambda one: one.group.cls.value),
    Column("message", "message (… is what varies)", lambda one: plain(one.words or "(no message)"), 20,
           stretches=True, sort=lambda one: one.group.message),
)  # fmt: skip


class ErrorsPlace(Place):
    """The groups above, the selected one's words below."""

    NAME = "errors"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("errors"),
        Binding("escape", "back", "back", show=False),
        Binding("E", "nothing_dead", show=False),  # else the key would mean the job here, and make another from it
    ]
    DEFAULT_CSS = """
    ErrorsPlace #errors-filter { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    ErrorsPlace #errors-filter.open { display: block; }
    ErrorsPlace #error-table { height: 1fr; min-height: 4; }
    ErrorsPlace #error-words { height: auto; max-height: 8; padding: 0 1; border-top: solid $panel; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._groups: tuple[Group, ...] = ()
        self._of: tuple[int, int, int] | None = None
        """Job, its dead items and its requests when the groups were made."""
        self._reading = False
        self._read_at = float("-inf")
        self._took = 0.0
        self._words = ""
        self._sort = "-count"
        self._trouble = ""
        self._said: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Filter, groups, words, line."""
        yield Entry(placeholder="words in class or message", id="errors-filter", compact=True)
        yield Table[Group](COLUMNS, lambda one: one.key, can_mark=True, id="error-table")
        yield Static(id="error-words", markup=False)
        yield StatusLine(id="errors-line")

    @property
    def table(self) -> Table[Group]:
        """The groups."""
        return self.query_one("#error-table", Table)

    @property
    def _app(self) -> BatchApp:
        return cast("BatchApp", self.app)

    @property
    def job(self) -> JobView | None:
        """The job whose errors these are."""
        return self.view.job

    # What is shown

    def show(self, view: View) -> None:
        """Groups anew when there are more or fewer dead items, not oftener than that is cheap."""
        super().show(view)
        job = view.job
        now = None if job is None else (job.id, job.counters.dead, job.counters.requests)
        other_job = self._of is None or now is None or now[0] != self._of[0]
        if other_job:
            self._groups, self._trouble = (), ""
        rested = time.monotonic() - self._read_at >= max(LEAST_PAUSE_S, _PAUSES * self._took)
        if now != self._of and not self._reading and (rested or other_job):
            self._of = now
            if job is not None:
                self._reading = True
                self.run_worker(self._read(job), group="errors-read")
        self._draw()

    def entered(self) -> None:
        """The groups have the focus."""
        self.table.focus()

    async def _read(self, job: JobView) -> None:
        begun = time.monotonic()
        try:
            found = await self.desk.store.items.errors(job.id)
            self._trouble = ""
        except UserError as error:
            found, self._trouble = [], error.message
        finally:
            self._reading = False
            self._read_at, self._took = time.monotonic(), time.monotonic() - begun
        if self.job is not None and self.job.id == job.id:
            total = max(1, sum(group.count for group in found))
            self._groups = tuple(Group(group, group.count / total, group.message) for group in found)
        self._draw()

    def _draw(self) -> None:
        fits = matcher(self._words)
        rows = [one for one in self._groups if fits(f"{one.group.cls.value} {one.group.message}".casefold())]
        column = next(one for one in COLUMNS if one.id == self._sort.removeprefix("-"))
        if column.sort is not None:
            rows.sort(key=column.sort, reverse=self._sort.startswith("-"))
        self.table.sorted_by = self._sort
        self.table.empty = self._nothing()
        if bool(rows) != bool(self.table.rows):
            self.refresh_bindings()
        self.table.set_rows(_told_apart(rows, self.table.width_of("message")))
        self._say()

    def _nothing(self) -> str:
        if self.job is None:
            return "No job yet. n makes one from a file."
        if self._groups:
            return "No group has these words. Escape takes them away."
        return "Reading why they are dead …" if self.job.counters.dead else "No dead items. All is well."

    def _say(self) -> None:
        self._say_line()
        row = self.table.cursor_row
        if (said := (self.app.theme, row)) == self._said:
            return
        self._said = said
        styles = styles_of(self.app.theme_variables)
        words = self.query_one("#error-words", Static)
        words.display = row is not None
        if row is not None:
            first = styled((("for example  ", Tone.MUTED), (row.group.example[:1_000], Tone.PLAIN)), styles)
            first.no_wrap = False
            last = styled(((advice(row.group.cls), Tone.ACCENT),), styles)
            words.update(first.append("\n").append_text(last))

    def _say_line(self) -> None:
        line, job = self.query_one(StatusLine), self.job
        if self._trouble:
            line.say("", plain(f"✗ {self._trouble}", Tone.BAD))
        elif job is None:
            line.say("", plain("no job", Tone.MUTED))
        else:
            line.say(f"#{job.id} {job.name}", self._parts(job))

    def _parts(self, job: JobView) -> Spans:
        dead, groups = job.counters.dead, len(self._groups)
        parts: list[Span] = [(f"{figures.count(dead)} dead", Tone.BAD if dead else Tone.GOOD)]
        if groups:
            parts.append((f" in {figures.count(groups)} {'group' if groups == 1 else 'groups'}", Tone.MUTED))
        if marked := [one for one in self._groups if one.key in self.table.marks]:
            parts.append((f", {figures.count(sum(one.group.count for one in marked))} marked", Tone.ACCENT))
        if dead:
            parts.append((f"  A retries all, {about(job, dead)}", Tone.MUTED))
        return tuple(parts)

    @on(Table.Moved, "#error-table")
    def _moved(self, event: Table.Moved) -> None:
        event.stop()
        self._say()

    @on(Table.Opened, "#error-table")
    def _opened(self, event: Table.Opened) -> None:
        event.stop()
        self.action_errors_open()

    @on(Table.Sorted, "#error-table")
    def _sorted(self, event: Table.Sorted) -> None:
        event.stop()
        self._sort = event.column if self._sort != event.column else f"-{event.column}"
        self._draw()

    @on(Input.Changed, "#errors-filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._words = event.value
        self._draw()

    @on(Input.Submitted, "#errors-filter")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()

    # Actions; see actions.py

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where no group is there is nothing to open, mark, try again or discard, so no hint says there is."""
        if action == "nothing_dead":
            return not self._groups
        return bool(self._groups) or not action.startswith("errors_") or action == "errors_filter"

    def action_nothing_dead(self) -> None:
        """A key that edits a dead item, where there is none."""
        self._app.say("There is no dead item to edit.")

    def action_errors_filter(self) -> None:
        """Opens the line for words."""
        line = self.query_one("#errors-filter", Input)
        line.add_class("open")
        line.focus()

    def action_back(self) -> None:
        """Leaves the filter; where there is none, takes marks away."""
        line = self.query_one("#errors-filter", Input)
        if line.has_class("open"):
            line.value = ""
            line.remove_class("open")
        else:
            self.table.marks.clear()
        self.table.focus()
        self.table.refresh()
        self._draw()

    def action_errors_open(self) -> None:
        """Lists the items that failed so."""
        row = self.table.cursor_row
        if row is not None:
            from tui_batch.tui.places.items import ItemsPlace

            place = self._app.go_to(ItemsPlace.NAME)
            assert isinstance(place, ItemsPlace)
            place.show_filter(text_of(filter_of(row.group)))

    def action_errors_example(self) -> None:
        """Everything about the first item that failed so."""
        row, job = self.table.cursor_row, self.job
        if row is not None and job is not None:
            self.app.push_screen(ItemDetailScreen(job, row.group.example_id, self._step))

    async def _step(self, by: int) -> int | None:
        """The example of the next group."""
        self.table.action_cursor(by)
        row = self.table.cursor_row
        return None if row is None else row.group.example_id

    def action_errors_sort(self) -> None:
        """By another column, as a click on its title."""
        self.app.run_worker(ask_order(self.table), group="verbs")

    def action_errors_mark(self) -> None:
        """Marks the group, or takes its mark away."""
        self.table.toggle_mark()
        self._say()

    def action_errors_retry(self) -> None:
        """Tries the items of the marked groups again."""
        self._verb("errors.retry", self._retry())

    async def _retry(self) -> None:
        await ItemVerbs(self._app).retry(await self._chosen())

    def action_errors_retry_all(self) -> None:
        """Tries all dead items again."""
        if (job := self.job) is not None:
            self._verb("errors.retry_all", ItemVerbs(self._app).retry(Dead(job, job.counters.dead)))

    def action_errors_discard(self) -> None:
        """Gives up the items of the marked groups."""
        self._verb("errors.discard", self._discard())

    async def _discard(self) -> None:
        await ItemVerbs(self._app).discard(await self._chosen())

    def action_errors_edit(self) -> None:
        """Edits the row of the group's first item."""
        row, job = self.table.cursor_row, self.job
        if row is not None and job is not None:
            self._verb("errors.edit", ItemVerbs(self._app).edit(job, row.group.example_id))

    def action_errors_copy(self) -> None:
        """Copies the message, the class or the command."""
        row, job = self.table.cursor_row, self.job
        if row is not None and job is not None:
            self._verb("errors.copy", self._copy(row.group, job))

    async def _copy(self, group: ErrorGroup, job: JobView) -> None:
        command = self.desk.where.command("retry", str(job.id), "--class", group.cls.value)
        texts = [("m", "message", group.example), ("c", "class", group.cls.value), ("l", "command line", command)]
        chosen = await self.app.push_screen_wait(
            menu.Menu("Copy", [menu.Choice(key, label, text, text[:60]) for key, label, text in texts])
        )
        if chosen is not None:
            self._app.say(f"copied by {await copy(chosen, self.app.copy_to_clipboard)}")

    def export_scopes(self) -> tuple[NamedScope, ...]:
        """What an export may mean from here: the marked groups or the one under the cursor, or all dead items."""
        found = [_scope(groups) for groups in _filtered_together([one.group for one in self.table.chosen()])]
        if (job := self.job) is not None and job.counters.dead:
            found.append(NamedScope("dead items", in_states(ItemState.DEAD), job.counters.dead, ("--state", "dead")))
        return tuple(found)

    async def _chosen(self) -> Dead:
        """The dead items of the marked groups or of the one under the cursor; by class where that is all of it."""
        job, rows = self.job, self.table.chosen()
        if job is None or not rows:
            raise UserError("there are no dead items")
        count = sum(one.group.count for one in rows)
        classes = {one.group.cls for one in rows}
        if len(classes) == 1 and count == sum(one.group.count for one in self._groups if one.group.cls in classes):
            return Dead(job, count, cls=rows[0].group.cls)
        return Dead(job, count, await self._ids(job, rows))

    async def _ids(self, job: JobView, rows: Sequence[Group]) -> tuple[int, ...]:
        from tui_batch.store.item_view import ItemQuery

        ids: set[int] = set()
        for one in rows:
            async for piece in self.desk.store.search.find(ItemQuery(job.id, filter_of(one.group))):
                ids.update(piece.ids)
        return tuple(sorted(ids))

    def _verb(self, action_id: str, work: Coroutine[Any, Any, None]) -> None:
        self.app.run_worker(self._app.guarded(work, action_id), group="verbs")


def _told_apart(groups: Sequence[Group], room: int) -> list[Group]:
    words = told_apart([one.group.message for one in groups], room)
    return [replace(one, words=told) for one, told in zip(groups, words, strict=True)]


def _filtered_together(groups: Sequence[ErrorGroup]) -> list[list[ErrorGroup]]:
    """Groups that one filter can mean: those told by an example together, any other by itself."""
    alike = [group for group in groups if group.message != OTHERS]
    return [*([alike] if alike else []), *([group] for group in groups if group.message == OTHERS)]


def _scope(groups: Sequence[ErrorGroup]) -> NamedScope:
    first, count = groups[0], sum(group.count for group in groups)
    chosen = filter_of(first)
    if len(groups) > 1:
        chosen = ItemFilter((OneOf(Choice.LIKE, tuple(str(group.example_id) for group in groups)),))
    label = f"{first.cls.value}: {first.message[:40]}" if len(groups) == 1 else f"{len(groups)} marked groups"
    return NamedScope(label, ItemScope(chosen), count, ("--filter", text_of(chosen)))


def filter_of(group: ErrorGroup) -> ItemFilter:
    """The items of an error group. What was left over from too many groups is told by its class alone."""
    if group.message == OTHERS:
        return ItemFilter((OneOf(Choice.STATE, (ItemState.DEAD.value,)), OneOf(Choice.CLASS, (group.cls.value,))))
    return ItemFilter((OneOf(Choice.LIKE, (str(group.example_id),)),))
