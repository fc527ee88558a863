"""A list of rows under a header line. Only the visible lines are drawn, so a thousand rows cost what thirty do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from tui_batch.tui.tones import Spans, Styles, Tone, styled, styles_of
from tui_batch.tui.widgets.listing import GAP, MARK, Listing

T = TypeVar("T")
MOST_LINES = 500
"""Lines that are kept as they were drawn; more than a screen has, with what was scrolled past lately."""
NARROWEST = 4
"""Cells of the stretching column at least."""
MARGIN = 1
"""Cells of air beside the columns, left and right. On the left marks stand."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column."""

    id: str
    title: str
    cell: Callable[[T], Spans]
    width: int
    """In cells. Of the stretching column: the least it may have."""
    right: bool = False
    stretches: bool = False
    """Takes the room that is left. One column at most."""
    drop: int = 0
    """Left out when there is too little room, the highest number first; 0: never."""
    beside: int = 0
    """Left out too as long as the stretching column would have fewer cells than this."""
    most: int = 0
    """In cells: up to so many it has half of the room that is left beside all this. One column at most; 0: not this."""
    sort: Callable[[T], Any] | None = None
    """What rows are ordered by when its title is clicked; None: nothing happens."""


def fitting(columns: Sequence[Column[T]], width: int) -> list[tuple[Column[T], int]]:
    """The columns that fit into `width` cells, each with its width; the stretching one takes what is left.

    Where that is less than it should have, it is narrower, so that what is cut shows an ellipsis.
    """
    kept = list(columns)
    while len(kept) > 1 and _lacks_room(kept, width):
        droppable = [column for column in kept if column.drop]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda column: column.drop))
    spare = _spare(kept, width)
    shared = spare - max(0, max(one.beside for one in kept) - _stretching(kept))
    widths = {one.id: one.width + max(0, min(one.most - one.width, shared // 2)) for one in kept}
    left = spare - sum(widths[one.id] - one.width for one in kept)
    return [(one, max(NARROWEST, one.width + left) if one.stretches else widths[one.id]) for one in kept]


def _spare(columns: Sequence[Column[T]], width: int) -> int:
    """Cells that the columns leave; below 0: that they lack."""
    return width - (sum(column.width + GAP for column in columns) - GAP)


def _stretching(columns: Sequence[Column[T]]) -> int:
    """The least that the stretching column has."""
    return sum(column.width for column in columns if column.stretches)


def _lacks_room(columns: Sequence[Column[T]], width: int) -> bool:
    """Whether one of the columns must go: for room, or for the stretching one's sake."""
    spare = _spare(columns, width)
    return spare < 0 or any(column.beside > _stretching(columns) + spare for column in columns)


class Table(Listing, Generic[T]):
    """Rows of values of one kind, each with a key. Keeps its cursor on the same key when rows come and go."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--header", "table--cursor", "table--marked"}
    DEFAULT_CSS = """
    Table {
        height: 1fr; background: $surface; color: $foreground; scrollbar-size-vertical: 1; overflow-x: hidden;
    }
    Table > .table--header { background: $panel; color: $foreground; text-style: bold; }
    Table > .table--cursor { background: $foreground 12%; }
    Table:focus > .table--cursor { background: $primary 35%; text-style: bold; }
    Table > .table--marked { background: $accent 20%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "up", show=False),
        Binding("down,j", "cursor(1)", "down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False),
        Binding("home,g", "end(-1)", "first", show=False),
        Binding("end,G", "end(1)", "last", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: Table[Any], key: object) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table[Any]:
            """The table."""
            return self.table

    class Opened(Moved):
        """A row was double-clicked."""

    class Sorted(Message):
        """The title of a column was clicked."""

        def __init__(self, table: Table[Any], column: str) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> Table[Any]:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[T]],
        key: Callable[[T], object],
        *,
        empty: str = "",
        can_mark: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id)
        self.columns = tuple(columns)
        self._key = key
        self._can_mark = can_mark
        """Whether a click before a row marks it."""
        self._rows: tuple[T, ...] = ()
        self._index: dict[object, int] = {}
        self._cursor = 0
        self._left: object = None
        """Where the cursor was when the last row went: it goes there again when that comes back."""
        self.marks: set[object] = set()
        """Keys of the marked rows."""
        self._sorted_by = ""
        self._styles: Styles = {}
        self._lines: dict[tuple[object, int, bool, bool], tuple[T, Strip]] = {}
        """Lines as drawn, with their rows, by key, width, mark and cursor: when a job runs one row changes."""

    # What it shows

    @property
    def sorted_by(self) -> str:
        """Id of the column whose title shows an arrow; a leading `-`: falling."""
        return self._sorted_by

    @sorted_by.setter
    def sorted_by(self, column: str) -> None:
        if column != self._sorted_by:
            self._sorted_by = column
            self.refresh()

    @property
    def rows(self) -> tuple[T, ...]:
        """What is listed, in order."""
        return self._rows

    @property
    def cursor_row(self) -> T | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    def chosen(self) -> list[T]:
        """The marked rows, or else the one under the cursor."""
        marked = [row for row in self._rows if self._key(row) in self.marks]
        return marked or ([self._rows[self._cursor]] if self._rows else [])

    def set_rows(self, rows: Iterable[T]) -> None:
        """Replaces the rows; the cursor stays on its key, or near where it was when that is gone, and says so then."""
        new, before = tuple(rows), self._rows
        changed = [place for place, (old, row) in enumerate(zip(before, new, strict=False)) if old is not row]
        if len(new) == len(before) and all(self._key(before[place]) == self._key(new[place]) for place in changed):
            self._rows = new
            self._redraw(place for place in changed if before[place] != new[place])
            return
        key = self._key(before[self._cursor]) if before else self._left
        self._left = None if new else key
        self._rows = new
        self._index = {self._key(row): position for position, row in enumerate(new)}
        self._cursor = max(0, min(self._index.get(key, self._cursor), len(new) - 1))
        self.marks &= self._index.keys()
        self.virtual_size = Size(self.size.width, len(new) + 1)
        self.refresh()
        if new and key is not None and self._key(new[self._cursor]) != key:
            self._tell_moved()

    def _redraw(self, places: Iterable[int]) -> None:
        """The lines of these rows, as far as they are on the screen."""
        top = 1 - round(self.scroll_offset.y)
        shown = [place + top for place in places if 1 <= place + top < self.size.height]
        if shown:
            self.refresh(*(Region(0, line, self.size.width, 1) for line in shown))

    def move_to(self, key: object) -> None:
        """Puts the cursor on the row with that key, if there is one."""
        if (position := self._index.get(key)) is not None and position != self._cursor:
            self._set_cursor(position)

    def toggle_mark(self) -> None:
        """Marks the row under the cursor, or takes its mark away, and goes to the next."""
        if self._rows:
            self._turn_mark()
            self.action_cursor(1)

    def _turn_mark(self) -> None:
        self.marks ^= {self._key(self._rows[self._cursor])}
        self.refresh()

    # Keys and mouse

    def action_cursor(self, step: int) -> None:
        """Up or down."""
        self._set_cursor(self._cursor + step)

    def action_page(self, step: int) -> None:
        """A page up or down."""
        self._set_cursor(self._cursor + step * max(1, self.size.height - 2))

    def action_end(self, side: int) -> None:
        """To the first or the last row."""
        self._set_cursor(0 if side < 0 else len(self._rows) - 1)

    def _set_cursor(self, position: int) -> None:
        if not self._rows:
            return
        before, self._cursor = self._cursor, max(0, min(position, len(self._rows) - 1))
        scrolled = self.scroll_offset
        # Two lines, so that a row is never hidden under the header.
        self.scroll_to_region(Region(0, self._cursor, 1, 2), animate=False, force=True, x_axis=False)
        if self.scroll_offset == scrolled:
            self._redraw((before, self._cursor))
        else:
            self.refresh()
        if self._cursor != before:
            self._tell_moved()

    def _tell_moved(self) -> None:
        # Its own word, whoever made it move: Textual tells nobody beyond the place that it takes for the sender.
        self.post_message(self.Moved(self, self._key(self._rows[self._cursor])).set_sender(self))

    def on_click(self, event: events.Click) -> None:
        """The header sorts; a row gets the cursor; twice opens it; at its edge marks it."""
        if event.y == 0:
            if (column := self._column_at(event.x)) is not None and column.sort is not None:
                self.post_message(self.Sorted(self, column.id))
            return
        position = event.y - 1 + round(self.scroll_offset.y)
        if position < len(self._rows):
            self._set_cursor(position)
            if self._can_mark and event.x < MARGIN:
                self._turn_mark()
            elif event.chain > 1:
                self.post_message(self.Opened(self, self._key(self._rows[position])))

    def on_resize(self) -> None:
        """The width decides which columns fit."""
        self.virtual_size = Size(self.size.width, len(self._rows) + 1)

    def _column_at(self, x: int) -> Column[T] | None:
        at = MARGIN
        for column, width in self._fitting():
            if at <= x < at + width + GAP:
                return column
            at += width + GAP
        return None

    def _fitting(self) -> list[tuple[Column[T], int]]:
        return fitting(self.columns, self.size.width - 2 * MARGIN)

    def width_of(self, column_id: str) -> int:
        """Cells that a column has on the screen; 0: it has no room there."""
        return next((width for column, width in self._fitting() if column.id == column_id), 0)

    def notify_style_update(self) -> None:
        """A theme was chosen, or the focus came or went."""
        super().notify_style_update()
        self._styles = {}
        self._lines.clear()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Line 0 is the header, whatever is scrolled."""
        styles = self._styles = self._styles or styles_of(self.app.theme_variables)
        base = self.rich_style
        if y == 0:
            return self._strip(self._header(), base + self.get_component_rich_style("table--header"))
        position = y - 1 + round(self.scroll_offset.y)
        if position >= len(self._rows):
            empty = self.empty if not self._rows and y == 2 else ""
            return self._strip(Text(f"  {empty}"), base + styles[Tone.MUTED])
        return self._drawn(self._rows[position], position == self._cursor, styles)

    def _drawn(self, row: T, under_cursor: bool, styles: Styles) -> Strip:
        """A row's line, as it was drawn before where the row is the very same."""
        marked = self._key(row) in self.marks
        known = (self._key(row), self.size.width, marked, under_cursor)
        if (kept := self._lines.get(known)) is not None and kept[0] is row:
            return kept[1]
        style = self.rich_style
        if marked:
            style += self.get_component_rich_style("table--marked")
        if under_cursor:
            style += self.get_component_rich_style("table--cursor")
        if len(self._lines) >= MOST_LINES:
            self._lines.clear()
        strip = self._strip(self._line(row, marked, styles), style)
        self._lines[known] = (row, strip)
        return strip

    def _header(self) -> Text:
        cells = []
        for column, width in self._fitting():
            arrow = {column.id: "▲", f"-{column.id}": "▼"}.get(self.sorted_by, "")
            cells.append(_fill(Text(column.title + arrow), width, right=column.right))
        return _side_by_side(Text(" " * MARGIN), cells)

    def _line(self, row: T, marked: bool, styles: Styles) -> Text:
        mark = Text((MARK if marked else "").ljust(MARGIN), styles[Tone.ACCENT])
        cells = [
            _fill(styled(column.cell(row), styles), width, right=column.right) for column, width in self._fitting()
        ]
        return _side_by_side(mark, cells)

    def _strip(self, text: Text, style: Style) -> Strip:
        segments = text.render(self.app.console)
        strip = Strip(segments).adjust_cell_length(self.size.width)
        return strip.apply_style(style)


def _fill(cell: Text, width: int, *, right: bool) -> Text:
    """The cell in exactly that width, cut with an ellipsis."""
    cell.truncate(width, overflow="ellipsis")
    (cell.pad_left if right else cell.pad_right)(width - cell.cell_len)
    return cell


def _side_by_side(before: Text, cells: Sequence[Text]) -> Text:
    line = Text(no_wrap=True, end="")
    line.append_text(before)
    return line.append_text(Text(" " * GAP).join(cells))
