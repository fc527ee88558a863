"""A text to read: one that is too long for a line of a list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll

from tui_batch.tui.screens.dialog import Dialog, words

MOST = 50_000
"""Characters that are shown: as many as a person may want to read here."""


class TextDialog(Dialog[None]):
    """Shows it wrapped, to be scrolled."""

    DEFAULT_CSS = """
    TextDialog > .box { max-width: 120; }
    TextDialog VerticalScroll { height: auto; max-height: 70vh; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q", "leave", "Close", show=False)]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """Title, text, what closes it."""
        with Vertical(classes="box"):
            yield words(self._title, "title")
            with VerticalScroll():
                yield words(self._text, most=MOST)
            yield words("esc closes", "muted")
