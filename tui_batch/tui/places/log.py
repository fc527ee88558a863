"""Place 6: what happened to jobs, and what the person did, as commands to paste. The newest is at the end."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.widgets import Input, Static

from tui_batch import figures, paths
from tui_batch.errors import UserError
from tui_batch.safe_text import safe_text
from tui_batch.tui.actions import bindings
from tui_batch.tui.clipboard import copy
from tui_batch.tui.desk import Desk
from tui_batch.tui.log_lines import KEPT, Level, LogFilter, LogLine, LogLines, parse_log_filter
from tui_batch.tui.place import Place
from tui_batch.tui.screens.text import TextDialog
from tui_batch.tui.tones import Spans, Tone, plain, styled, styles_of
from tui_batch.tui.view import View
from tui_batch.tui.widgets.entry import Entry
from tui_batch.tui.widgets.table import Column, Table

_LOG = logging.getLogger(paths.APP_LOG)
SHOWN = 1_000
"""Characters of a line in the list; enter shows more."""
_LEVELS: dict[Level, tuple[str, Tone]] = {
    Level.YOU: ("$ you", Tone.PRIMARY),
    Level.INFO: ("· info", Tone.MUTED),
    Level.WARNING: ("! warning", Tone.WARN),
    Level.ERROR: ("✗ error", Tone.BAD),
}


def _time(line: LogLine) -> Spans:
    at = datetime.fromtimestamp(line.at)
    today = at.date() == datetime.now().date()
    return plain(at.strftime("%H:%M:%S" if today else "%m-%d %H:%M"), Tone.MUTED)


def _text(line: LogLine) -> Spans:
    tone = _LEVELS[line.level][1] if line.level in (Level.WARNING, Level.ERROR) else Tone.PLAIN
    return plain(line.text[:SHOWN], tone)


COLUMNS: tuple[Column[LogLine], ...] = (
    Column("at", "Time", _time, 11),
    Column("level", "Level", lambda line: (_LEVELS[line.level],), 9),
    Column("job", "Job", lambda line: plain(f"#{line.job_id}" if line.job_id is not None else ""), 5, right=True),
    Column("text", "What happened", _text, 20, stretches=True),
)


class LogPlace(Place):
    """The list, a filter over it, and a line that says how it stands."""

    NAME = "log"
    BINDINGS: ClassVar[list[BindingType]] = bindings("log")
    DEFAULT_CSS = """
    LogPlace #log-filter { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    LogPlace #log-filter.open { display: block; }
    LogPlace #log-status { height: 1; padding: 0 1; background: $surface; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._lines = LogLines()
        self._filter = LogFilter()
        self._trouble = ""
        self._changed = True

    def compose(self) -> ComposeResult:
        """Filter, list, status."""
        yield Entry(placeholder="words, level:warning, level:you, job:3", id="log-filter", compact=True)
        yield Table[LogLine](COLUMNS, lambda line: line.id, can_mark=True, id="log-table")
        yield Static("", id="log-status", markup=False)

    @property
    def table(self) -> Table[LogLine]:
        """The list."""
        return self.query_one("#log-table", Table)

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """All of them, oldest first."""
        return self._lines.matching(LogFilter())

    # What comes in

    def record(self, command: str) -> None:
        """Adds what a person did, as a command to paste."""
        _LOG.info("%s", command)
        self._add(Level.YOU, command)

    def note(self, level: str, text: str, job_id: int | None = None) -> None:
        """Adds a line. `level` is info, warning or error."""
        self._add(Level(level), text, job_id)

    def _add(self, level: Level, text: str, job_id: int | None = None) -> None:
        self._lines.add(self.desk.clock(), level, text, job_id)
        self._changed = True

    async def _pull(self) -> None:
        """Reads the events that are new. A database that cannot be read is told by the title line."""
        try:
            events = await self.desk.store.events.tail(self._lines.last_event, KEPT)
        except UserError:
            return
        if events:
            self._lines.add_events(events)
            self._changed = True

    # What is shown

    def show(self, view: View) -> None:
        """Lists what is new; reads on in the background."""
        super().show(view)
        self._draw()
        if not any(worker.group == "log" and not worker.is_finished for worker in self.workers):
            self.run_worker(self._pull(), group="log")

    def _draw(self) -> None:
        if not self._changed:
            return
        self._changed = False
        follows = self.follows
        self.table.empty = "No line matches." if self._filter != LogFilter() else "Nothing has happened yet."
        rows = self._lines.matching(self._filter)
        if bool(rows) != bool(self.table.rows):
            self.refresh_bindings()
        self.table.set_rows(rows)
        if follows:
            self.table.action_end(1)
        self._tell()

    @property
    def follows(self) -> bool:
        """Whether the cursor is on the newest line, and stays on what is newest."""
        rows = self.table.rows
        return not rows or self.table.cursor_row is rows[-1]

    def _tell(self) -> None:
        """The line under the list."""
        styles = styles_of(self.app.theme_variables)
        if self._trouble:
            spans = plain(self._trouble, Tone.BAD)
        else:
            shown = len(self.table.rows)
            count = figures.things(shown, "line")
            if (kept := len(self.lines)) != shown:
                count = f"{figures.count(shown)} of {figures.things(kept, 'line')}"
            spans = plain(f"{count}, following" if self.follows else f"{count}; f follows the newest", Tone.MUTED)
        try:
            self.query_one("#log-status", Static).update(styled(spans, styles))
        except NoMatches:  # the app is closing
            return

    def entered(self) -> None:
        """The list has the focus."""
        self.table.focus()

    @on(Table.Moved)
    def _moved(self) -> None:
        self._tell()

    # What is done

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where no line is there is nothing to open, follow, mark or copy, so no hint says there is."""
        return bool(self.table.rows) or not action.startswith("log_") or action == "log_filter"

    def action_log_filter(self) -> None:
        """Opens the filter line."""
        line = self.query_one("#log-filter", Input)
        line.add_class("open")
        line.focus()

    @on(Input.Changed, "#log-filter")
    def _filtered(self, event: Input.Changed) -> None:
        event.stop()
        try:
            self._filter, self._trouble = parse_log_filter(event.value), ""
        except UserError as error:
            self._trouble = safe_text(error.message, 200)
        self._changed = True
        self._draw()

    @on(Input.Submitted, "#log-filter")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()

    def key_escape(self) -> None:
        """Leaves the filter, which shows all lines; where there is none, takes marks away."""
        line = self.query_one("#log-filter", Input)
        if line.has_class("open"):
            line.value = ""
            line.remove_class("open")
        else:
            self.table.marks.clear()
        self.table.focus()
        self.table.refresh()

    def action_log_follow(self) -> None:
        """To the newest line; the list moves on with what comes."""
        self.table.action_end(1)
        self._tell()

    def action_log_open(self) -> None:
        """Shows the line whole."""
        if (line := self.table.cursor_row) is not None:
            about = "" if line.job_id is None else f", job #{line.job_id}"
            title = f"{datetime.fromtimestamp(line.at):%Y-%m-%d %H:%M:%S}, {line.level}{about}"
            self.app.push_screen(TextDialog(title, line.text))

    @on(Table.Opened)
    def _opened(self) -> None:
        self.action_log_open()

    def action_log_copy(self) -> None:
        """Copies the line, or the marked ones."""
        if lines := self.table.chosen():
            self.run_worker(self._copy("\n".join(line.text for line in lines), len(lines)), group="copy")

    def action_log_mark(self) -> None:
        """Marks the line, to be copied with others."""
        self.table.toggle_mark()

    async def _copy(self, text: str, count: int) -> None:
        by = await copy(text, self.app.copy_to_clipboard)
        self.notify(f"copied {'the line' if count == 1 else f'{count} lines'} by {by}", markup=False)
