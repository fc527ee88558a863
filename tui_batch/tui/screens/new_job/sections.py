"""The sections File and Prompt: each a form, and beside it what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, HorizontalScroll, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import DataTable, Static, TextArea

from tui_batch import figures
from tui_batch.inputs.readers.registry import InputFormat
from tui_batch.inputs.reading import Preview
from tui_batch.safe_text import safe_text
from tui_batch.tui.screens.new_job.browser import FileBrowser, Recent
from tui_batch.tui.screens.new_job.fields import AreaField, ChoiceField
from tui_batch.tui.screens.new_job.files import Kind
from tui_batch.tui.screens.new_job.text import paragraphs, row_cells
from tui_batch.work.drafting import column_words
from tui_batch.work.estimating import Drawn
from tui_batch.work.new_job import Shown

SHOWN_COLUMNS = 40
"""Columns of the table of first rows, and of the bar of columns, at most."""


class Section(Container):
    """One step of the screen. Wide screens show its two halves side by side, narrow ones above one another."""

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    FIELDS: ClassVar[tuple[str, ...]]
    """The form's fields it holds; the first that is wrong gets the focus."""

    DEFAULT_CSS = """
    Section {
        layout: vertical;
        & > .form { height: 3fr; padding: 0 1; }
        & > .beside { height: 2fr; border-top: solid $panel; padding: 0 1; }
        &.-side { layout: horizontal; }
        &.-side > .form { width: 1fr; height: 1fr; }
        &.-side > .beside { width: 1fr; height: 1fr; border-top: none; border-left: solid $panel; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id=self.NAME)

    def first(self) -> None:
        """Puts the focus where typing begins."""
        for field in self.FIELDS:
            for widget in self.query(f"#input-{field}"):
                self.screen.set_focus(widget)
                return


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of the chosen file."""

    preview: Preview | None = None
    """Its first rows; None: not read yet, or it cannot be."""
    drawn: Drawn | None = None
    """None: still being counted."""
    note: str = ""
    """Why there is no preview."""


class FileSection(Section):
    """A data file, and how it begins."""

    NAME = "file"
    TITLE = "File"
    FIELDS = ("path", "format")

    DEFAULT_CSS = """
    FileSection {
        #facts { height: auto; max-height: 6; }
        DataTable { height: 1fr; background: $background; }
    }
    """

    def __init__(self, recent: Recent) -> None:
        super().__init__()
        self._recent = recent

    def compose(self) -> ComposeResult:
        """Path and format; what was found, and the first rows."""
        with Vertical(classes="form"):
            yield FileBrowser(
                "path",
                "Data file",
                frozenset(Kind),
                self._recent,
                "type a path, tab completes, ↓ goes to the list; job:3 takes answers",
            )
            words = (("found from the file", ""), *((format_.value, format_.value) for format_ in InputFormat))
            yield ChoiceField("format", "Format", words)
        with Vertical(classes="beside"):
            yield Static(id="facts", markup=False)
            yield DataTable(id="rows", zebra_stripes=True, show_cursor=False)

    def show_facts(self, facts: FileFacts) -> None:
        """Says what the file is, and shows its first rows."""
        self.query_one("#facts", Static).update(_facts_text(facts))
        table = self.query_one(DataTable)
        table.clear(columns=True)
        if facts.preview is None:
            return
        columns = facts.preview.columns[:SHOWN_COLUMNS]
        rows = [row_cells(row, columns) for row in facts.preview.rows]
        for n, column in enumerate(columns):
            label = Text(safe_text(column, 30))
            # Its own width: one that the table finds for itself is not always drawn when it is filled anew at once.
            table.add_column(label, width=max(label.cell_len, *(row[n].cell_len for row in rows), 1))
        table.add_rows(rows)


def _facts_text(facts: FileFacts) -> Text:
    if facts.preview is None:
        return Text(safe_text(facts.note or "Choose a file: its columns and first rows are shown here."), "dim")
    seen, counted = facts.preview, facts.drawn
    about = "" if counted is None or counted.counted else "~"
    rows = "counting rows …" if counted is None else f"{about}{figures.things(counted.total, 'row')}"
    text = Text().append(f"{seen.format}  {rows}  {figures.things(len(seen.columns), 'column')}: ", "bold")
    text.append(safe_text(", ".join(seen.columns), 300))
    for note in seen.notes:
        text.append(f"\n! {safe_text(note, 200)}", "bold")
    return text


class ColumnBar(HorizontalScroll):
    """The file's columns; a click inserts one where the prompt's cursor is."""

    DEFAULT_CSS = """
    ColumnBar {
        height: 1; scrollbar-size: 0 0;
        ColumnName { width: auto; padding: 0 1; margin: 0 1 0 0; background: $panel; }
        ColumnName:hover { background: $primary-muted; }
    }
    """

    class Wanted(Message):
        """A column is to be inserted."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    async def show(self, columns: tuple[str, ...]) -> None:
        """Another file, other columns."""
        await self.remove_children()
        await self.mount_all(ColumnName(column) for column in columns[:SHOWN_COLUMNS])


class ColumnName(Static):
    """One column's name."""

    def __init__(self, column: str) -> None:
        super().__init__(Text(safe_text(column, 30)))
        self._column = column

    def on_click(self, event: events.Click) -> None:
        """Inserts it."""
        event.stop()
        self.post_message(ColumnBar.Wanted(self._column))


@dataclass(frozen=True, slots=True)
class RowView:
    """A row as it would be asked about, or why it cannot be."""

    number: int
    """From 0, among the rows that were read."""
    of: int
    shown: Shown | None = None
    trouble: str = ""


class PromptSection(Section):
    """System text and prompt as templates, and a real row filled in."""

    NAME = "prompt"
    TITLE = "Prompt"
    FIELDS = ("prompt", "system")

    DEFAULT_CSS = """
    PromptSection {
        #field-system { height: 1fr; min-height: 2; }
        #field-prompt { height: 2fr; min-height: 3; margin: 1 0 0 0; }
        #columns { height: 1; margin: 0; }
        #columns > .label { width: 13; color: $text-muted; }
        #row { height: 1; color: $text-muted; }
    }
    PromptSection.-side #field-system { max-height: 8; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._last_area = "prompt"

    def compose(self) -> ComposeResult:
        """The two templates and the columns; the row."""
        with Vertical(classes="form"):
            yield AreaField("system", "System", "What the model is to be. May stay empty.")
            yield AreaField("prompt", "Prompt", "Classify: {{ text }}")
            with Horizontal(id="columns"):
                yield Static("Columns F4", classes="label", markup=False)
                yield ColumnBar()
        with Vertical(classes="beside"):
            yield Static(id="row", markup=False)
            with VerticalScroll(id="rendered"):
                yield Static(id="messages", markup=False)

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, TextArea) and event.widget.id is not None:
            self._last_area = event.widget.id.removeprefix("input-")

    @on(ColumnBar.Wanted)
    def _wanted(self, event: ColumnBar.Wanted) -> None:
        event.stop()
        self.insert(event.column)

    def insert(self, column: str) -> None:
        """Writes a column's name at the cursor of the text that was last worked on."""
        area = self.query_one(f"#input-{self._last_area}", TextArea)
        area.insert(column_words(column))
        area.focus()

    async def show_columns(self, columns: tuple[str, ...]) -> None:
        """The columns that can be inserted."""
        await self.query_one(ColumnBar).show(columns)

    def show_row(self, row: RowView) -> None:
        """The row filled in, or why it cannot be."""
        self.query_one("#row", Static).update(_row_line(row))
        messages = self.query_one("#messages", Static)
        if row.trouble:
            messages.update(Text.assemble(("✗ ", "bold"), paragraphs(row.trouble)))
        elif row.shown is None:
            messages.update(Text("Choose a file to see its first row filled in.", "dim"))
        else:
            messages.update(_messages(row.shown))


def _row_line(row: RowView) -> str:
    if not row.of:
        return "Preview"
    tokens = "" if row.shown is None else f"  ~{figures.count(row.shown.tokens)} tokens"
    return f"Row {row.number + 1} of the first {row.of}  F9 ‹ › F10{tokens}"


def _messages(shown: Shown) -> Text:
    text = Text()
    if shown.system:
        text.append("system\n", "bold dim").append_text(paragraphs(shown.system)).append("\n\n")
    return text.append("prompt\n", "bold dim").append_text(paragraphs(shown.prompt))


def rows_of(facts: FileFacts) -> tuple[Mapping[str, Any], ...]:
    """The rows that can be previewed."""
    return () if facts.preview is None else facts.preview.rows
