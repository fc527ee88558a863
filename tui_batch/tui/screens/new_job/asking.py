"""Small dialogs of the New job screen: a path to save to or load from, a column to insert."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui_batch.safe_text import safe_text
from tui_batch.tui.screens.dialog import Dialog, words
from tui_batch.tui.screens.new_job.browser import FileBrowser, Recent
from tui_batch.tui.screens.new_job.fields import Entered
from tui_batch.tui.screens.new_job.files import Kind


@dataclass(frozen=True, slots=True)
class PathQuestion:
    """What a path is asked for."""

    title: str
    path: str
    keys: str
    """What the keys do, in one line."""


class PathScreen(Dialog[str | None]):
    """Asks for a job file's path. Enter takes what is typed, a file of the list is taken at once."""

    DEFAULT_CSS = "PathScreen > .box { max-width: 90; height: 70%; }"

    def __init__(self, question: PathQuestion, recent: Recent) -> None:
        super().__init__()
        self._question = question
        self._recent = recent

    def compose(self) -> ComposeResult:
        """Title, path, list."""
        with Vertical(classes="box"):
            yield words(self._question.title, "title")
            yield FileBrowser("path", "Job file", frozenset({Kind.FOLDER, Kind.JOB_FILE}), self._recent)
            yield words(self._question.keys, "muted")

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


class ColumnScreen(Dialog[str | None]):
    """Asks for one of the file's columns."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__()
        self._columns = columns

    def compose(self) -> ComposeResult:
        """The columns in the file's order."""
        with Vertical(classes="box"):
            yield words("Insert a column", "title")
            options = (Option(Text(safe_text(column, 60))) for column in self._columns)
            yield OptionList(*options, compact=True, markup=False)
            yield words("enter inserts · esc leaves", "muted")

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._columns[event.option_index])
