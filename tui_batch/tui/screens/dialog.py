"""What all dialogs have in common: a box in the middle that fits the terminal, and escape that leaves it."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui_batch.safe_text import safe_lines

T = TypeVar("T")
MOST_TEXT = 2_000
"""Characters of a text that a dialog shows."""


class Dialog(ModalScreen[T]):
    """A box over the app. Its only child is a container with the class `box`."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > .box {
        width: 92%; max-width: 76; height: auto; max-height: 94%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Dialog .title { text-style: bold; height: auto; }
    Dialog .detail { height: auto; margin: 1 0 0 0; }
    Dialog .under { height: auto; margin: 0 0 1 0; }
    Dialog .muted { color: $text-muted; }
    Dialog .trouble { color: $error; height: auto; }
    Dialog .buttons { height: 1; align-horizontal: right; margin: 1 0 0 0; }
    Dialog Button { min-width: 8; margin: 0 0 0 1; background: $panel; color: $foreground; }
    Dialog Button.-style-default:focus { background: $primary; color: $background; text-style: bold; }
    Dialog:ansi Button.-style-default:focus { color: $foreground; background: transparent; text-style: bold reverse; }
    Dialog OptionList {
        background: $surface; border: none; padding: 0; height: auto; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    Dialog OptionList:focus { background: $surface; border: none; background-tint: transparent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Close", show=False)]

    def on_click(self, event: events.Click) -> None:
        """Beside the box it is escape, where no button says so."""
        if event.widget is self and not self.query(Button):
            event.stop()
            self.action_leave()

    def action_leave(self) -> None:
        """Closes it without an answer."""
        self.dismiss(None)


def safe_content(text: str, most: int = MOST_TEXT) -> Content:
    """Text of several lines with nothing in it that could act on the terminal; no part of it is markup."""
    more = f" … and {len(text) - most:,} characters more" if len(text) > most else ""
    return Content(safe_lines(text[:most]) + more)


def words(text: str, classes: str = "", most: int = MOST_TEXT) -> Static:
    """A piece of text in a dialog, of which so many characters are shown at most."""
    return Static(safe_content(text, most), classes=classes, markup=False)
