"""Place: Log."""

from __future__ import annotations

from tui_batch.tui.place import Place


class LogPlace(Place):
    """Log."""

    NAME = "log"
    TITLE = "Log"

    def record(self, command: str) -> None:
        """Adds what a person did, as a command to paste."""

    def note(self, level: str, text: str) -> None:
        """Adds a line."""
