"""One item: prompt as sent, answer, parsed, attempts, row, raw; and what can be done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from tui_batch.domain.item import ItemState
from tui_batch.domain.stored import ItemDetail
from tui_batch.errors import UserError
from tui_batch.tui.actions import bindings
from tui_batch.tui.editor import edit_text
from tui_batch.tui.item_parts import ItemParts, Part, first_part, parts_of, title_spans
from tui_batch.tui.item_verbs import Dead, ItemVerbs
from tui_batch.tui.tones import Spans, Tone, plain, styled, styles_of
from tui_batch.tui.view import JobView
from tui_batch.tui.widgets.entry import Entry
from tui_batch.tui.widgets.frame import Hints
from tui_batch.tui.widgets.text_pane import TextPane
from tui_batch.tui.wrapping import Block

if TYPE_CHECKING:
    from tui_batch.tui.app import BatchApp

Step: TypeAlias = Callable[[int], Awaitable[int | None]]
"""Moves in the list behind by so many, and says the id of the item it stands on then."""

LOOK_S = 0.5
"""How often an item that may still change is read again."""
PARTS = tuple(Part)


class PartBar(Widget):
    """The parts with their digits; a click shows one."""

    DEFAULT_CSS = "PartBar { height: 1; background: $surface; color: $foreground; }"
    current: reactive[int] = reactive(0)
    failed: reactive[int] = reactive(0)
    lines: reactive[str] = reactive("")
    """Which lines of the part are visible."""

    def labels(self) -> list[str]:
        """What stands in the bar."""
        return [
            f" {number} {part.value}{f' ({self.failed})' if part is Part.ATTEMPTS and self.failed else ''} "
            for number, part in enumerate(PARTS, 1)
        ]

    def render(self) -> Text:
        """The current one is reversed, so that it shows without colours."""
        muted = styles_of(self.app.theme_variables)[Tone.MUTED]
        line = Text(no_wrap=True, end="")
        for number, label in enumerate(self.labels()):
            line.append(label, "bold reverse" if number == self.current else muted)
        if self.lines and (room := self.size.width - line.cell_len - len(self.lines) - 1) > 0:
            line.append(" " * room + self.lines, muted)
        return line

    async def on_click(self, event: events.Click) -> None:
        """Finds the part under the pointer."""
        at = 0
        for number, label in enumerate(self.labels(), 1):
            at += len(label)
            if event.x < at:
                await self.run_action(f"screen.part({number})")
                return


class ItemDetailScreen(Screen[None]):
    """Shows one item, and others of the list without going back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("item"),
        *(Binding(str(number), f"part({number})", part.value, show=False) for number, part in enumerate(PARTS, 1)),
    ]
    DEFAULT_CSS = """
    ItemDetailScreen #item-title { height: 1; padding: 0 1; background: $panel; }
    ItemDetailScreen #item-search { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    ItemDetailScreen #item-search.open { display: block; }
    """

    def __init__(self, job: JobView, item_id: int, step: Step) -> None:
        super().__init__()
        self._job = job
        self._item_id = item_id
        self._step = step
        self._parts: ItemParts | None = None
        self._part: Part | None = None

    def compose(self) -> ComposeResult:
        """Title, parts, text, search, hints."""
        yield Static(id="item-title", markup=False)
        yield PartBar()
        yield TextPane(id="item-text")
        yield Entry(placeholder="look for words", id="item-search", compact=True)
        yield Hints()

    async def on_mount(self) -> None:
        """Reads the item."""
        self.query_one(TextPane).focus()
        self.run_worker(self._guarded(self._read()), group="item-read", exclusive=True)
        self.set_interval(LOOK_S, self._look_again)

    @property
    def detail(self) -> ItemDetail | None:
        """The item shown."""
        return self._parts.detail if self._parts is not None else None

    @property
    def part(self) -> Part | None:
        """The part shown."""
        return self._part

    @property
    def _app(self) -> BatchApp:
        return cast("BatchApp", self.app)

    # Reading and showing

    async def _read(self) -> None:
        detail = await self._app.desk.store.items.detail(self._item_id)
        if self._parts is not None and detail == self._parts.detail:
            return
        self._parts = await asyncio.to_thread(parts_of, self._job.job.spec, detail)
        self._part = self._part or first_part(detail)
        await self._show()

    def _look_again(self) -> None:
        """A pending item may be answered, a dead one be tried again, at any moment."""
        if any(worker.group == "item-read" and not worker.is_finished for worker in self.workers):
            return  # else a look would end the way to another item that a key began
        if self.is_current and self.detail is not None and self.detail.row.state is not ItemState.DONE:
            self.run_worker(self._guarded(self._read()), group="item-read", exclusive=True)

    async def _show(self) -> None:
        assert self._parts is not None
        assert self._part is not None
        bar = self.query_one(PartBar)
        bar.current, bar.failed = PARTS.index(self._part), len(self._parts.detail.attempts)
        self._title(title_spans(self._job.name, self._parts.detail))
        await self.query_one(TextPane).put(self._parts.blocks[self._part])

    @on(TextPane.Moved)
    def _moved(self) -> None:
        self.query_one(PartBar).lines = self.query_one(TextPane).at

    def _title(self, spans: Spans) -> None:
        line = styled(spans, styles_of(self.app.theme_variables))
        line.truncate(max(1, self.size.width - 2), overflow="ellipsis")
        self.query_one("#item-title", Static).update(line, layout=False)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except UserError as error:
            self._title(plain(error.message, Tone.BAD))
            await self.query_one(TextPane).put([Block(str(error))])

    # Actions; see actions.py

    async def action_part(self, number: int) -> None:
        """Shows a part by its digit."""
        if self._parts is not None:
            self._part = PARTS[number - 1]
            await self._show()

    async def action_item_tab_next(self) -> None:
        """The part after this one."""
        await self._turn(1)

    async def action_item_tab_previous(self) -> None:
        """The part before this one."""
        await self._turn(-1)

    async def _turn(self, by: int) -> None:
        if self._part is not None:
            await self.action_part((PARTS.index(self._part) + by) % len(PARTS) + 1)

    def action_item_next(self) -> None:
        """The next item of the list."""
        self.run_worker(self._guarded(self._go(1)), group="item-read", exclusive=True)

    def action_item_previous(self) -> None:
        """The item before."""
        self.run_worker(self._guarded(self._go(-1)), group="item-read", exclusive=True)

    async def _go(self, by: int) -> None:
        item_id = await self._step(by)
        if item_id is not None and item_id != self._item_id:
            self._item_id = item_id
            await self._read()

    def action_item_search(self) -> None:
        """Opens the line for words to look for."""
        line = self.query_one("#item-search", Input)
        line.add_class("open")
        line.focus()

    def action_item_search_next(self) -> None:
        """The next place where the words stand."""
        self.query_one(TextPane).next_hit()
        self._tell_hits()

    @on(Input.Changed, "#item-search")
    async def _typed(self, event: Input.Changed) -> None:
        await self.query_one(TextPane).look_for(event.value)
        self._tell_hits()

    @on(Input.Submitted, "#item-search")
    def _submitted(self) -> None:
        """Enter goes from hit to hit."""
        self.action_item_search_next()

    def _tell_hits(self) -> None:
        pane = self.query_one(TextPane)
        line = self.query_one("#item-search", Input)
        words = f"{pane.hit} of {pane.hits}" if line.value else ""
        if self._parts is not None:
            self._title(((f"{words}  " if words else "", Tone.WARN), *title_spans(self._job.name, self._parts.detail)))

    def action_item_close(self) -> None:
        """Ends the search, or goes back to the list."""
        line = self.query_one("#item-search", Input)
        if line.has_class("open"):
            line.value = ""
            line.remove_class("open")
            self.query_one(TextPane).focus()
        else:
            self.dismiss(None)

    def _verb(self, action_id: str, work: Coroutine[Any, Any, None]) -> None:
        self.app.run_worker(self._app.guarded(work, action_id), group="verbs")

    def _dead(self) -> Dead:
        is_dead = self.detail is not None and self.detail.row.state is ItemState.DEAD
        return Dead(self._job, int(is_dead), (self._item_id,))

    def action_item_retry(self) -> None:
        """Tries it again."""
        self._verb("item.retry", ItemVerbs(self._app).retry(self._dead()))

    def action_item_discard(self) -> None:
        """Gives it up."""
        self._verb("item.discard", ItemVerbs(self._app).discard(self._dead()))

    def action_item_edit(self) -> None:
        """Edits its row and tries it again."""
        self._verb("item.edit", ItemVerbs(self._app).edit(self._job, self._item_id))

    def action_item_copy(self) -> None:
        """Copies something of it."""
        self._verb("item.copy", ItemVerbs(self._app).copy(self._job, self._item_id))

    def action_item_editor(self) -> None:
        """Opens what is shown in the editor."""
        if self._parts is not None and self._part is not None:
            text = "\n\n".join(f"{block.heading}\n{block.text}".strip() for block in self._parts.blocks[self._part])
            self._verb("item.editor", self._read_only(text))

    async def _read_only(self, text: str) -> None:
        if await edit_text(self._app, text, ".md") is not None:
            self._app.say("what was changed in the editor is not stored; E edits the row")
