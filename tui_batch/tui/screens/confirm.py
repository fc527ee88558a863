"""A question with two answers. The default is no: enter on an unread dialog destroys nothing."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button

from tui_batch.tui.screens.dialog import Dialog, safe_content, words


class Confirm(Dialog[bool]):
    """Dismissed with True for yes; with False for no, escape, and enter unless yes was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n", "answer(False)", "No", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]

    def __init__(self, question: str, detail: str = "", yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._yes = yes
        self._no = no

    def compose(self) -> ComposeResult:
        """The question, what it means, the two answers."""
        with VerticalScroll(classes="box", can_focus=False):
            yield words(self._question, "title")
            if self._detail:
                yield words(self._detail, "detail")
            with Horizontal(classes="buttons"):
                yield Button(safe_content(f"{self._yes} (y)"), id="yes", compact=True)
                yield Button(safe_content(f"{self._no} (n)"), id="no", compact=True)

    def on_mount(self) -> None:
        """No is what enter means."""
        self.query_one("#no").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """A key was pressed."""
        self.dismiss(answer)

    def action_leave(self) -> None:
        """Escape is no."""
        self.dismiss(False)
