"""A text to read, of any length: wrapped in a thread, and only the visible lines are drawn."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_batch import figures
from tui_batch.tui.tones import Styles, Tone, styles_of
from tui_batch.tui.wrapping import Block, Wrapped, wrap

_EMPTY = Wrapped("", (0,), ())


class TextPane(ScrollView, can_focus=True):
    """Shows blocks of text. Keeps its place when the same text is shown at another width."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"text-pane--hit", "text-pane--current"}
    DEFAULT_CSS = """
    TextPane { height: 1fr; padding: 0 1; background: $surface; color: $foreground; scrollbar-size-vertical: 1;
      overflow-x: hidden; }
    TextPane > .text-pane--hit { background: $warning 40%; }
    TextPane > .text-pane--current { background: $primary; color: $background; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False),
        Binding("down,j", "scroll_down", "down", show=False),
        Binding("pageup,ctrl+u,b", "page_up", "page up", show=False),
        Binding("pagedown,ctrl+d,space", "page_down", "page down", show=False),
        Binding("home,g", "scroll_home", "top", show=False),
        Binding("end,G", "scroll_end", "end", show=False),
    ]

    class Moved(Message):
        """Other lines are visible, or there are others in all."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: tuple[Block, ...] = ()
        self._wrapped = _EMPTY
        self._width = 0
        self._words = ""
        self._hits: tuple[tuple[int, int], ...] = ()
        self._hit = 0
        self._styles: Styles = {}

    @property
    def hits(self) -> int:
        """How often the words that are looked for stand in the text."""
        return len(self._hits)

    @property
    def hit(self) -> int:
        """Which of them is shown, from 1; 0: none."""
        return self._hit + 1 if self._hits else 0

    @property
    def at(self) -> str:
        """Which of its lines are visible, in words; empty where all are."""
        count, top = len(self._wrapped), round(self.scroll_offset.y)
        if count <= self.size.height:
            return ""
        return f"{figures.count(top + 1)}-{figures.count(min(count, top + self.size.height))} of {figures.count(count)}"

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Told, so that whoever shows the place keeps up."""
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    async def put(self, blocks: Sequence[Block]) -> None:
        """Shows another text from its beginning; the same text stays as it is."""
        if tuple(blocks) == self._blocks and self._width == self._room:
            return
        self._blocks = tuple(blocks)
        await self._wrap()
        self.scroll_to(y=0, animate=False, force=True)

    @property
    def _room(self) -> int:
        return max(2, self.scrollable_content_region.width)

    async def _wrap(self) -> None:
        blocks, width = self._blocks, self._room
        wrapped = await asyncio.to_thread(wrap, blocks, width)
        if blocks is not self._blocks:
            return
        self._wrapped, self._width = wrapped, width
        self.virtual_size = Size(width, len(wrapped))
        self.post_message(self.Moved())
        await self.look_for(self._words)

    def on_resize(self) -> None:
        """Another width breaks the lines elsewhere; the first visible one stays first."""
        if self._blocks and self._width != self._room:
            self.run_worker(self._rewrap(), group="wrap", exclusive=True)

    async def _rewrap(self) -> None:
        top = min(round(self.scroll_offset.y), max(0, len(self._wrapped) - 1))
        offset = self._wrapped.starts[top]
        await self._wrap()
        self.scroll_to(y=self._wrapped.line_at(offset), animate=False, force=True)

    async def look_for(self, words: str) -> None:
        """Marks where the words stand, and goes to the first place."""
        changed = words != self._words
        self._words = words
        wrapped = self._wrapped
        hits = await asyncio.to_thread(wrapped.find, words)
        if words != self._words or wrapped is not self._wrapped:
            return  # other words or another text came meanwhile, and are looked through after this
        self._hits = hits
        self._hit = 0 if changed else min(self._hit, max(0, len(self._hits) - 1))
        if changed and self._hits:
            self._show_hit()
        self.refresh()

    def next_hit(self, step: int = 1) -> None:
        """Goes to the next place, from the last one to the first."""
        if self._hits:
            self._hit = (self._hit + step) % len(self._hits)
            self._show_hit()

    def _show_hit(self) -> None:
        line = self._wrapped.line_at(self._hits[self._hit][0])
        self.scroll_to(y=max(0, line - self.size.height // 3), animate=False, force=True)
        self.refresh()

    def notify_style_update(self) -> None:
        """A theme was chosen."""
        super().notify_style_update()
        self._styles = {}

    def render_line(self, y: int) -> Strip:
        """A line, with the places that were looked for."""
        number = y + round(self.scroll_offset.y)
        base, width = self.rich_style, self.size.width
        if number >= len(self._wrapped):
            return Strip.blank(width, base)
        self._styles = self._styles or styles_of(self.app.theme_variables)
        tone = Tone.ACCENT if self._wrapped.is_heading(number) else Tone.PLAIN
        parts = [Segment(text, self._styles[tone] + style) for text, style in self._pieces(number)]
        return Strip(parts).adjust_cell_length(width).apply_style(base)

    def _pieces(self, number: int) -> list[tuple[str, Style]]:
        """The line cut where hits begin and end."""
        start = self._wrapped.starts[number]
        line = self._wrapped.line(number)
        end = start + len(line)
        found: list[tuple[str, Style]] = []
        at = start
        for index in range(self._first_hit(start), len(self._hits)):
            first, last = self._hits[index]
            if first >= end:
                break
            first, last = max(first, start), min(last, end)
            name = "text-pane--current" if index == self._hit else "text-pane--hit"
            found += [
                (line[at - start : first - start], Style.null()),
                (line[first - start : last - start], self.get_component_rich_style(name)),
            ]
            at = last
        return [*found, (line[at - start :], Style.null())]

    def _first_hit(self, start: int) -> int:
        """The first hit that ends after an offset."""
        return bisect_right(self._hits, start, key=lambda hit: hit[1])
