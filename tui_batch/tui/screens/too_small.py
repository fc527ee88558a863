"""What is shown in a terminal that is too small: the size needed, and no keys but quit."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

LEAST = Size(60, 15)
"""Columns and lines that the app needs."""


def is_too_small(size: Size) -> bool:
    """Whether the app cannot be used at that size."""
    return size.width < LEAST.width or size.height < LEAST.height


class TooSmall(ModalScreen[None]):
    """Covers everything; goes away by itself once there is room."""

    DEFAULT_CSS = """
    TooSmall { align: center middle; background: $background; }
    TooSmall Static { width: 100%; text-align: center; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,ctrl+q,ctrl+c", "app.app_quit", "quit", show=False)]

    def compose(self) -> ComposeResult:
        """The size there is and the size needed."""
        yield Static(id="too-small", markup=False)

    def on_mount(self) -> None:
        """Says it."""
        self._look(self.app.size)

    def on_resize(self, event: events.Resize) -> None:
        """More room, or less."""
        self._look(event.size)

    def on_screen_resume(self) -> None:
        """Something over it was closed, and the terminal may have grown meanwhile."""
        self._look(self.app.size)

    def _look(self, size: Size) -> None:
        text = f"{size.width}x{size.height} is too small.\n{LEAST.width}x{LEAST.height} is needed.\nq quits"
        self.query_one("#too-small", Static).update(text)
        if not is_too_small(size) and self.is_current:
            self.dismiss(None)
