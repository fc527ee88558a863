"""Small dialogs of the New job screen: a path to save to or load from, a column to insert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from tui_batch.safe_text import safe_text
from tui_batch.tui.screens.new_job.browser import FileBrowser, Recent
from tui_batch.tui.screens.new_job.fields import Entered
from tui_batch.tui.screens.new_job.files import Kind

_CSS = """
{name} {{
    align: center middle;
    & > Vertical {{
        width: 90%; max-width: 90; height: {height}; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
    }}
    .title {{ text-style: bold; }}
    .keys {{ color: $text-muted; }}
}}
"""


_LIST = "ColumnScreen OptionList, ColumnScreen OptionList:focus { height: auto; background: $surface; }"


@dataclass(frozen=True, slots=True)
class PathQuestion:
    """What a path is asked for."""

    title: str
    path: str
    keys: str
    """What the keys do, in one line."""


class PathScreen(ModalScreen[str | None]):
    """Asks for a job file's path. Enter takes what is typed, a file of the list is taken at once."""

    DEFAULT_CSS = _CSS.format(name="PathScreen", height="70%")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave")]

    def __init__(self, question: PathQuestion, recent: Recent) -> None:
        super().__init__()
        self._question = question
        self._recent = recent

    def compose(self) -> ComposeResult:
        """Title, path, list."""
        with Vertical():
            yield Label(self._question.title, classes="title", markup=False)
            yield FileBrowser("path", "Job file", frozenset({Kind.FOLDER, Kind.JOB_FILE}), self._recent)
            yield Label(self._question.keys, classes="keys", markup=False)

    def on_mount(self) -> None:
        """The path that is offered stands there already."""
        browser = self.query_one(FileBrowser)
        browser.path = self._question.path
        browser.query_one(Input).focus()

    @on(FileBrowser.Picked)
    def _picked(self, event: FileBrowser.Picked) -> None:
        event.stop()
        self.dismiss(event.text)

    @on(Entered)
    def _entered(self, event: Entered) -> None:
        event.stop()
        if text := event.text.strip():
            self.dismiss(text)

    def action_leave(self) -> None:
        """Nothing is saved or loaded."""
        self.dismiss(None)


class ColumnScreen(ModalScreen[str | None]):
    """Asks for one of the file's columns."""

    DEFAULT_CSS = _CSS.format(name="ColumnScreen", height="auto") + _LIST
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave")]

    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__()
        self._columns = columns

    def compose(self) -> ComposeResult:
        """The columns in the file's order."""
        with Vertical():
            yield Label("Insert a column", classes="title", markup=False)
            options = (Option(Text(safe_text(column, 60))) for column in self._columns)
            yield OptionList(*options, compact=True, markup=False)
            yield Label("enter inserts · esc leaves", classes="keys", markup=False)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._columns[event.option_index])

    def action_leave(self) -> None:
        """Nothing is inserted."""
        self.dismiss(None)
