"""The items list: any number of rows, of which only the visible ones are read and drawn.

A line is put together from segments rather than through rich's Text: every visible line is drawn anew on every key.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from tui_batch.domain.item_filter import INPUT_ORDER, ItemOrder
from tui_batch.domain.stored import ItemRow
from tui_batch.safe_text import safe_text
from tui_batch.tui.item_list import ItemList
from tui_batch.tui.tones import Span, Styles, Tone, styles_of
from tui_batch.tui.widgets.item_columns import USUAL, Slot, columns_with, fields_of, lay_out
from tui_batch.tui.widgets.listing import GAP, MARK, Listing


class ItemTable(Listing):
    """Draws an ItemList. The cursor and the marks are its own and are about items, not about lines."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"item-table--header", "item-table--cursor", "item-table--marked"}
    DEFAULT_CSS = """
    ItemTable { height: 1fr; background: $surface; color: $foreground; scrollbar-size-vertical: 1; overflow-x: hidden; }
    ItemTable > .item-table--header { background: $panel; color: $foreground; text-style: bold; }
    ItemTable > .item-table--cursor { background: $foreground 12%; }
    ItemTable:focus > .item-table--cursor { background: $primary 35%; text-style: bold; }
    ItemTable > .item-table--marked { background: $accent 20%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "up", show=False),
        Binding("down,j", "cursor(1)", "down", show=False),
        Binding("shift+up,K", "stretch(-1)", "mark upwards", show=False),
        Binding("shift+down,J", "stretch(1)", "mark downwards", show=False),
        Binding("pageup,ctrl+b", "page(-2)", "page up", show=False),
        Binding("pagedown,ctrl+f", "page(2)", "page down", show=False),
        Binding("ctrl+u", "page(-1)", "half a page up", show=False),
        Binding("ctrl+d", "page(1)", "half a page down", show=False),
        Binding("home,g", "end(-1)", "first", show=False),
        Binding("end,G", "end(1)", "last", show=False),
    ]

    class Moved(Message):
        """The cursor or the visible part moved: rows may have to be read."""

    class Opened(Message):
        """A row was double-clicked."""

    class Sorted(Message):
        """The title of a column was clicked."""

        def __init__(self, order: ItemOrder) -> None:
            super().__init__()
            self.order = order

    class Stretched(Message):
        """Rows are to be marked: those that the cursor passed with one key, from the first to the last place."""

        def __init__(self, first: int, last: int) -> None:
            super().__init__()
            self.first = first
            self.last = last

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.items: ItemList | None = None
        self.columns: Collection[str] = USUAL
        self.marks: set[int] = set()
        """Ids of the marked items."""
        self.order: ItemOrder = INPUT_ORDER
        self.range_start: int | None = None
        """Where marking a range began; None: no range is being marked."""
        self._stretching = False
        self._cursor = 0
        self._kept: ItemRow | None = None
        self._slots: list[Slot] = []
        self._styles: Styles = {}
        self._grounds: dict[tuple[bool, bool], Style] = {}
        """By whether a row is marked and whether the cursor is on it: asking the style sheet takes long."""

    # What it shows

    @property
    def cursor(self) -> int:
        """The place under the cursor, from 0."""
        return self._cursor

    @property
    def cursor_row(self) -> ItemRow | None:
        """The item under the cursor, where it was read."""
        return self.items.row(self._cursor) if self.items is not None else None

    @property
    def window(self) -> tuple[int, int]:
        """The places on the screen: first, and one after the last."""
        first = round(self.scroll_offset.y)
        return first, min(first + max(1, self.size.height - 1), len(self.items) if self.items is not None else 0)

    def put(self, items: ItemList | None) -> None:
        """Shows another list, from its beginning."""
        self.items, self._cursor, self._kept, self.range_start = items, 0, None, None
        self.order = items.order if items is not None else INPUT_ORDER
        self.scroll_to(y=0, animate=False, force=True)
        self.changed()

    def changed(self) -> None:
        """The list has another length or other rows: the cursor stays on its item where that is still listed."""
        count = len(self.items) if self.items is not None else 0
        self.virtual_size = Size(self.size.width, count + 1)
        row = self.cursor_row
        if self._kept is not None and row is not None and row.id != self._kept.id and self.items is not None:
            place = self.items.place_of(self._kept)
            if place is not None and place < count:
                self._move(place)
        if self._cursor >= count:
            self._move(max(0, count - 1))
        self._kept = self.cursor_row or self._kept
        self.refresh()

    def lay(self) -> None:
        """The columns or the width changed. A field that no answer of the list has takes no room."""
        wanted = fields_of(self.columns)
        fields = [name for name in self.items.seen if name in wanted] if self.items is not None else []
        self._slots = lay_out(self.columns, self.size.width, columns_with(fields))
        self.refresh()

    def go(self, place: int) -> None:
        """Puts the cursor on a place and scrolls there."""
        count = len(self.items) if self.items is not None else 0
        if count:
            self._move(max(0, min(place, count - 1)))
            self._kept = self.cursor_row
            self.post_message(self.Moved())

    def _move(self, place: int) -> None:
        before, self._cursor = self._cursor, place
        # Two lines, so that a row is never hidden under the header.
        self.scroll_to_region(Region(0, place, 1, 2), animate=False, force=True, x_axis=False)
        for one in {before, place}:  # scrolling draws all lines; else only these changed
            self.refresh(Region(0, one + 1 - round(self.scroll_offset.y), self.size.width, 1))

    # Keys and mouse

    def action_cursor(self, step: int) -> None:
        """Up or down; while a range is being marked, it ends here."""
        if self._stretching:
            self._stretching, self.range_start = False, None
        self._pass(step)

    def action_stretch(self, step: int) -> None:
        """Goes on and marks all from where this began."""
        if self.range_start is None:
            self.range_start, self._stretching = self._cursor, True
        self._pass(step)

    def action_page(self, halves: int) -> None:
        """So many half pages down, or up."""
        self.action_cursor(halves * max(1, (self.size.height - 1) // 2))

    def action_end(self, side: int) -> None:
        """To the first or the last row."""
        self.action_cursor(-self._cursor if side < 0 else len(self.items or ()) - 1 - self._cursor)

    def _pass(self, step: int) -> None:
        """Moves the cursor. What was passed before is marked already, which may be a million rows."""
        before = self._cursor
        self.go(before + step)
        if self.range_start is not None:
            self.post_message(self.Stretched(*sorted((before, self._cursor))))

    def on_click(self, event: events.Click) -> None:
        """The header sorts; a row gets the cursor; twice opens it; at its edge marks it."""
        if event.y == 0:
            slot = next((one for one in self._slots if one.start <= event.x < one.start + one.width + GAP), None)
            if slot is not None and (order := slot.column.order) is not None:
                self.post_message(self.Sorted(order))
            return
        place = event.y - 1 + round(self.scroll_offset.y)
        if self.items is None or place >= len(self.items):
            return
        self.go(place)
        if event.x < 2 and (row := self.items.row(place)) is not None:
            self.marks ^= {row.id}
            self.refresh()
        elif event.chain > 1:
            self.post_message(self.Opened())

    def on_resize(self) -> None:
        """The width decides which columns fit."""
        self.virtual_size = Size(self.size.width, self.virtual_size.height)
        self.lay()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Rows that come into view must be read."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved())

    def notify_style_update(self) -> None:
        """A theme was chosen, or the focus came or went."""
        super().notify_style_update()
        self._styles, self._grounds = {}, {}

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Line 0 is the header, whatever is scrolled."""
        styles = self._styles = self._styles or styles_of(self.app.theme_variables)
        if y == 0:
            return self._strip(self._header(), self.rich_style + self.get_component_rich_style("item-table--header"))
        place = y - 1 + round(self.scroll_offset.y)
        count = len(self.items) if self.items is not None else 0
        if self.items is None or place >= count:
            words = self.empty if not count and y == 2 else ""
            return self._strip([Segment(f"  {words}", styles[Tone.MUTED])], self._ground(False, False))
        row = self.items.row(place)
        marked = row is not None and row.id in self.marks
        return self._strip(self._line(row, marked, styles), self._ground(marked, place == self._cursor))

    def _ground(self, marked: bool, under_cursor: bool) -> Style:
        """What a line's segments stand on."""
        style = self._grounds.get((marked, under_cursor))
        if style is None:
            names = (["item-table--marked"] if marked else []) + (["item-table--cursor"] if under_cursor else [])
            style = Style.combine([self.rich_style, *(self.get_component_rich_style(name) for name in names)])
            self._grounds[marked, under_cursor] = style
        return style

    def _header(self) -> list[Segment]:
        parts = [Segment("  ")]
        for slot in self._slots:
            order = slot.column.order
            is_by_it = order is not None and order.is_by_the_same(self.order)
            arrow = ("▼" if self.order.descending else "▲") if is_by_it else ""
            title = safe_text(slot.column.title, 2 * slot.width) + arrow
            parts.append(Segment(padded(title, slot.width, right=slot.column.right) + " " * GAP))
        return parts

    def _line(self, row: ItemRow | None, marked: bool, styles: Styles) -> list[Segment]:
        if row is None:
            return [Segment("  …", styles[Tone.MUTED])]
        parts = [Segment(f"{MARK} " if marked else "  ", styles[Tone.ACCENT])]
        for slot in self._slots:
            text, tone = _safe(slot.column.cell(row), slot.width)
            parts.append(Segment(padded(text, slot.width, right=slot.column.right) + " " * GAP, styles[tone]))
        return parts

    def _strip(self, parts: list[Segment], style: Style) -> Strip:
        return Strip(parts).adjust_cell_length(self.size.width).apply_style(style)


def _safe(span: Span, width: int) -> Span:
    return safe_text(span[0], 2 * width), span[1]


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly that many cells, cut with an ellipsis; wide characters count as what they take."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(set_cell_size(text, width - 1).rstrip(" ") + "…", width)
    pad = " " * (width - length)
    return pad + text if right else text + pad
