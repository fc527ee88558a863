"""Place 2: the items of the selected job; a million of them scroll as ten do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from tui_batch import figures
from tui_batch.domain.item import ItemState
from tui_batch.domain.item_filter import ALL_ITEMS, INPUT_ORDER, Choice, ItemFilter, ItemOrder, SortKey, just
from tui_batch.domain.item_scope import ItemScope
from tui_batch.domain.stored import ItemRow
from tui_batch.engine.router import variants
from tui_batch.errors import UserError
from tui_batch.safe_text import safe_text
from tui_batch.tui import ordering
from tui_batch.tui.actions import bindings
from tui_batch.tui.desk import Desk
from tui_batch.tui.export_scopes import NamedScope
from tui_batch.tui.item_choices import column_choices, order_choices
from tui_batch.tui.item_list import ItemList, Whole
from tui_batch.tui.item_verbs import NAMED, Dead, ItemVerbs
from tui_batch.tui.place import Place
from tui_batch.tui.screens import menu
from tui_batch.tui.tones import Span, Spans, Tone, plain
from tui_batch.tui.view import JobView, View
from tui_batch.tui.widgets.filter_line import FilterLine
from tui_batch.tui.widgets.item_columns import COLUMNS, FIELD, fields_of
from tui_batch.tui.widgets.item_table import ItemTable
from tui_batch.tui.widgets.status_line import StatusLine
from tui_batch.work.filter_words import parse_filter, text_of

if TYPE_CHECKING:
    from tui_batch.tui.app import BatchApp

MARKED_AT_ONCE = 20_000
"""Items that are marked before anything else has its turn: of a million it takes a while."""

_ABOUT_A_ROW = frozenset(f"items_{name}" for name in ("open", "mark", "range", "mark_all", "edit", "copy", "editor"))
_ABOUT_MARKS = frozenset(f"items_{name}" for name in ("retry", "discard"))


class ItemsPlace(Place):
    """The filter, the list, and a line that says what is listed."""

    NAME = "items"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("items"),
        Binding("escape", "back", "back", show=False),
        Binding("E,r", "nothing_listed", show=False),  # else the keys would mean the whole job here
    ]

    class Arranged(Message):
        """A person chose another order or other columns, which is worth remembering."""

        def __init__(self, sort: str, columns: tuple[str, ...]) -> None:
            super().__init__()
            self.sort = sort
            self.columns = columns

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._order = INPUT_ORDER
        self._list: ItemList | None = None
        self._seen: JobView | None = None
        self._wake = asyncio.Event()
        self._trouble = ""
        """Why rows cannot be read; empty: they can."""
        self._refused_because = ""
        """What is wrong with the filter that stands in its line; empty: nothing."""
        self._hinted = (False, False)
        """Whether rows were listed, and marked, when keys were last hinted at."""
        self.table = ItemTable(id="item-table")
        """The list."""
        self.line = FilterLine(id="items-filter")
        """The filter."""
        self._status = StatusLine(id="items-line")

    def compose(self) -> ComposeResult:
        """Filter, list, line."""
        yield self.line
        yield self.table
        yield self._status

    def on_mount(self) -> None:
        """One worker reads the rows that are wanted, however often they are."""
        self.run_worker(self._reading(), group="items-rows")

    @property
    def job(self) -> JobView | None:
        """The job that is listed."""
        return self.view.job

    @property
    def items(self) -> ItemList | None:
        """What is listed."""
        return self._list

    @property
    def chosen_filter(self) -> ItemFilter:
        """For exports of what is listed."""
        return self._list.filter if self._list is not None else ALL_ITEMS

    @property
    def marked(self) -> frozenset[int]:
        """Ids of the marked items, for exports of those."""
        return frozenset(self.table.marks)

    def export_scopes(self) -> tuple[NamedScope, ...]:
        """What an export may mean from here: the marked items, and those that are listed."""
        found: list[NamedScope] = []
        if marked := self.marked:
            named = ("--filter", text_of(just(sorted(marked)[:NAMED])), *(("...",) if len(marked) > NAMED else ()))
            found.append(NamedScope("the marked items", ItemScope(ids=marked), len(marked), named))
        if self._list is not None and self._list.filter:
            chosen, words = self._list.filter, text_of(self._list.filter)
            scope = ItemScope(chosen)
            found.append(NamedScope("what is listed", scope, len(self._list), ("--filter", words), words))
        return tuple(found)

    def recall(self, sort: str, columns: Sequence[str]) -> None:
        """Orders and shows columns as remembered: the order's name, with a `-` in front when it falls."""
        key = sort.removeprefix("-")
        if key in set(SortKey) - {SortKey.FIELD}:
            self._order = ItemOrder(SortKey(key), sort.startswith("-"))
        if known := frozenset(columns) & {column.id for column in COLUMNS}:
            self.table.columns = known | {column for column in columns if column.startswith(FIELD)}
            self._want()
            self.table.lay()

    def _arranged(self) -> None:
        kept = INPUT_ORDER if self._order.key is SortKey.FIELD else self._order  # the fields are this job's own
        sort = f"{'-' if kept.descending else ''}{kept.key.value}"
        self.post_message(self.Arranged(sort, tuple(sorted(self.table.columns))))

    @property
    def _app(self) -> BatchApp:
        return cast("BatchApp", self.app)

    # What is shown

    def show(self, view: View) -> None:
        """The list of the selected job; its rows are read again while it changes."""
        super().show(view)
        job = view.job
        if job is None:
            self._open(None)
        elif self._list is None or self._list.whole.job_id != job.id:
            self._open(job)
        elif job.is_active or job != self._seen:
            self._list.age()
            if self._list.grow(_whole(job)):
                self.table.changed()
            self._wake.set()
            if self._list.is_due():
                self._search()
        self._seen = job
        self._say()

    def entered(self) -> None:
        """The list has the focus."""
        self.table.focus()

    def show_filter(self, text: str) -> None:
        """Lists what a filter means, set from another place."""
        self.line.put(text)
        self._turn(parse_filter(text), INPUT_ORDER)

    def _open(self, job: JobView | None) -> None:
        if job is None and self._list is None:
            return
        self.workers.cancel_group(self, "items-search")
        self.table.marks.clear()
        self.line.put("")
        self._list = None if job is None else ItemList(self.desk.store, _whole(job))
        if job is not None:
            spec = job.job.spec
            models, endpoints = [ref.model for ref in spec.models], [one.name for one in spec.endpoints]
            self.line.know({Choice.MODEL: models, Choice.ENDPOINT: endpoints})
        self.table.put(self._list)
        self.table.lay()
        self._want()
        self._wake.set()
        if self._order.key is SortKey.FIELD:
            self._order = INPUT_ORDER  # another job's answers have other fields
        self._turn(ALL_ITEMS, self._order)

    def _turn(self, chosen: ItemFilter, order: ItemOrder) -> None:
        """Lists by another filter or order."""
        self._refused_because = ""
        if self._list is None or (chosen == self._list.filter and order == self._list.order):
            return
        self.workers.cancel_group(self, "items-search")
        search = self._list.turn(chosen, order)
        self.table.put(self._list)
        if search:
            self._search()
        self._wake.set()
        self._say()

    def _search(self) -> None:
        assert self._list is not None
        self.run_worker(self._guarded(self._list.search(self._found)), group="items-search", exclusive=True)

    def _found(self) -> None:
        self.table.changed()
        self._wake.set()
        self._say()

    async def _reading(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._guarded(self._read())

    async def _read(self) -> None:
        items = self._list
        if items is None:
            return
        first, last = self.table.window
        seen = items.seen
        if first < last and await items.read(first, last) and items is self._list:
            if items.seen != seen:
                self.line.know_fields(items.seen)
                self.table.lay()
            self.table.changed()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """What cannot be read is told in the line; what was read stays."""
        try:
            await work
            self._trouble = ""
        except UserError as error:
            self._trouble = error.message
        self._say()

    # The line under the list

    def _nothing(self) -> str:
        """What an empty list says."""
        if self._list is None:
            return "No job yet. n makes one from a file."
        if self._list.share is not None:
            return "Looking …"
        return "No item is like that. Escape takes the filter away." if self._list.filter else "The job has no items."

    def _say(self) -> None:
        items, job = self._list, self.job
        self.table.empty = self._nothing()
        if (hinted := (bool(items), bool(self.table.marks))) != self._hinted:
            self._hinted = hinted
            self.refresh_bindings()
        if items is None or job is None:
            self._status.say("", plain("no job", Tone.MUTED))
        elif trouble := self._refused_because or self._trouble:
            self._status.say("", plain(f"✗ {trouble}", Tone.BAD))
        elif self.line.has_focus and (options := self.line.options()):
            self._status.say("tab", plain("  ".join(options), Tone.ACCENT))
        else:
            self._status.say(f"#{job.id} {job.name}", self._words(items, job))

    def _words(self, items: ItemList, job: JobView) -> Spans:
        total = figures.count(job.counters.total)
        listed = f"{figures.count(len(items))} of {total} match" if items.filter else f"{total} items"
        parts: list[Span] = [(listed, Tone.STRONG)]
        if items.share is not None:
            parts.append((f", {100 * items.share:.0f} % looked through", Tone.ACCENT))
        if marked := len(self.table.marks):
            parts.append((f", {figures.count(marked)} marked", Tone.ACCENT))
        if self.table.range_start is not None:
            parts.append((", marking: v ends it", Tone.ACCENT))
        return (*parts, *self._at())

    def _at(self) -> Spans:
        items = self._list
        if items is None or not len(items):
            return ()
        order = items.order
        by = "" if order == INPUT_ORDER else f"  by {safe_text(str(order), 40)} {'▼' if order.descending else '▲'}"
        return ((f"  {figures.count(self.table.cursor + 1)}/{figures.count(len(items))}{by}", Tone.MUTED),)

    # Messages

    @on(ItemTable.Moved)
    def _moved(self) -> None:
        self._wake.set()
        self._say()

    @on(ItemTable.Opened)
    def _opened(self) -> None:
        self.action_items_open()

    @on(ItemTable.Sorted)
    def _sorted(self, event: ItemTable.Sorted) -> None:
        self._order_by(event.order)

    @on(ItemTable.Stretched)
    def _stretched(self, event: ItemTable.Stretched) -> None:
        self.run_worker(self._guarded(self._mark(event.first, event.last + 1)), group="items-marks")

    @on(FilterLine.Applied)
    def _applied(self, event: FilterLine.Applied) -> None:
        self._turn(event.chosen, self._list.order if self._list is not None else INPUT_ORDER)

    @on(FilterLine.Refused)
    def _refused(self, event: FilterLine.Refused) -> None:
        self._refused_because = f"{event.error.message} (at {event.error.position + 1}). {event.error.remedy}"
        self._say()

    @on(FilterLine.Left)
    def _left(self) -> None:
        self.table.focus()

    # Actions; see actions.py

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where nothing is listed there is nothing to open, mark or copy, so no hint says there is."""
        if action == "nothing_listed":
            return not self._list
        if self._list is None and action.startswith("items_"):
            return False
        return bool(self._list) or not (action in _ABOUT_A_ROW or (action in _ABOUT_MARKS and not self.table.marks))

    def action_nothing_listed(self) -> None:
        """A key that means items, where there are none."""
        self._app.say("No item is listed.")

    def action_items_open(self) -> None:
        """Everything about the item under the cursor."""
        row, job = self.table.cursor_row, self.job
        if row is not None and job is not None:
            from tui_batch.tui.screens.item_detail import ItemDetailScreen

            self.app.push_screen(ItemDetailScreen(job, row.id, self.step))

    async def step(self, by: int) -> int | None:
        """Moves the cursor, and says the id of the item it is on then; for the detail screen's next and previous."""
        if self._list is None:
            return None
        self.table.go(self.table.cursor + by)
        await self._list.read(self.table.cursor, self.table.cursor + 1)
        return self._list.id_at(self.table.cursor)

    def action_items_filter(self) -> None:
        """Opens the filter."""
        self.line.open()
        self._say()

    def action_back(self) -> None:
        """Ends marking, or takes the filter away."""
        if self.table.range_start is not None:
            self.table.range_start = None
        elif self.chosen_filter or self.line.value:  # which may be refused, and stand there all the same
            self.line.put("")
            self._turn(ALL_ITEMS, self._list.order if self._list is not None else INPUT_ORDER)
        self._say()

    def action_items_mark(self) -> None:
        """Marks the item under the cursor, or takes its mark away, and goes to the next."""
        if (row := self.table.cursor_row) is not None:
            self.table.marks ^= {row.id}
            self.table.action_cursor(1)
            self._say()

    def action_items_range(self) -> None:
        """Begins to mark all that the cursor passes, or ends it."""
        self.table.range_start = self.table.cursor if self.table.range_start is None else None
        if self.table.range_start is not None:
            self.table.action_cursor(0)
        self._say()

    def action_items_mark_all(self) -> None:
        """Marks all that are listed."""
        self.run_worker(self._guarded(self._mark(0, None)), group="items-marks", exclusive=True)

    def action_items_unmark(self) -> None:
        """Takes all marks away, and sets no more of those that are being set."""
        self.workers.cancel_group(self, "items-marks")
        self.table.marks.clear()
        self.table.range_start = None
        self.table.refresh()
        self._say()

    async def _mark(self, first: int, last: int | None) -> None:
        if (items := self._list) is None:
            return
        ids, marks = await items.collect(first, last), self.table.marks
        for start in range(0, len(ids), MARKED_AT_ONCE):
            if items is not self._list:
                return  # another job is listed, its marks are its own
            marks.update(ids[start : start + MARKED_AT_ONCE])
            await asyncio.sleep(0)
        self.table.refresh()
        self._say()

    def action_items_sort(self) -> None:
        """Asks what to order by; the fields of the answers that are on the screen are offered too."""
        self.run_worker(self._guarded(self._ask_order()), group="items-asking")

    async def _ask_order(self) -> None:
        choices = order_choices(await self._fields_in_sight())
        chosen = await self.app.push_screen_wait(menu.Menu(ordering.TITLE, choices))
        if chosen is not None:
            self._order_by(chosen)

    async def _fields_in_sight(self) -> Sequence[str]:
        if self._list is None:
            return ()
        await self._list.look_for_fields(*self.table.window)
        self.line.know_fields(self._list.seen)
        return self._list.seen

    def _order_by(self, order: ItemOrder) -> None:
        if self._list is not None:
            before = self._list.order
            self._order = replace(order, descending=order.is_by_the_same(before) and not before.descending)
            self._turn(self._list.filter, self._order)
            self._arranged()

    def action_items_columns(self) -> None:
        """Asks which columns to show; the fields of the answers that are on the screen are columns too."""
        self.run_worker(self._guarded(self._ask_columns()), group="items-asking")

    async def _ask_columns(self) -> None:
        seen = await self._fields_in_sight()
        fields = tuple(dict.fromkeys((*seen, *sorted(fields_of(self.table.columns)))))  # as many while it is open

        def switch(column: str) -> Sequence[menu.Choice[str]]:
            self.table.columns = frozenset(self.table.columns) ^ {column}
            self._want()
            self.table.lay()
            self._arranged()
            return column_choices(self.table.columns, fields)

        choices = column_choices(self.table.columns, fields)
        detail = "Space switches, escape closes. Those that do not fit are left out."
        await self.app.push_screen_wait(menu.Switches("Columns", choices, switch, detail=detail))

    def _want(self) -> None:
        """Rows are read with the fields that are columns."""
        if self._list is not None:
            self._list.want(fields_of(self.table.columns))
            self._wake.set()

    def _verb(self, action_id: str, work: Coroutine[Any, Any, None]) -> None:
        self.app.run_worker(self._app.guarded(work, action_id), group="verbs")

    def _chosen_ids(self) -> tuple[int, ...]:
        row = self.table.cursor_row
        return tuple(sorted(self.table.marks)) or ((row.id,) if row is not None else ())

    def action_items_retry(self) -> None:
        """Tries the marked dead items again, or the one under the cursor."""
        self._verb("items.retry", self._with_dead("retry"))

    def action_items_discard(self) -> None:
        """Discards the marked dead items, or the one under the cursor."""
        self._verb("items.discard", self._with_dead("discard"))

    async def _with_dead(self, verb: str) -> None:
        job, ids = self.job, self._chosen_ids()
        if job is None or not ids:
            return
        count = (await self.desk.store.search.states(ids)).get(ItemState.DEAD, 0)
        verbs = ItemVerbs(self._app)
        await (verbs.retry if verb == "retry" else verbs.discard)(Dead(job, count, ids))

    def _here(self) -> tuple[JobView, ItemRow] | None:
        job, row = self.job, self.table.cursor_row
        return None if job is None or row is None else (job, row)

    def action_items_copy(self) -> None:
        """Copies something of the item under the cursor."""
        if (here := self._here()) is not None:
            self._verb("items.copy", ItemVerbs(self._app).copy(here[0], here[1].id))

    def action_items_editor(self) -> None:
        """Opens its answer, or else its prompt, in the editor."""
        if (here := self._here()) is not None:
            self._verb("items.editor", ItemVerbs(self._app).open_text(here[0], here[1].id))

    def action_items_edit(self) -> None:
        """Edits its row and tries it again."""
        if (here := self._here()) is not None:
            self._verb("items.edit", ItemVerbs(self._app).edit(here[0], here[1].id))


def _whole(job: JobView) -> Whole:
    return Whole(job.id, job.counters.total, variants(job.job.spec))
