"""Several lines that a person types into. By itself: Textual's text area takes long to load."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import TextArea

from tui_batch.safe_text import safe_letters


class Area(TextArea):
    """Text from elsewhere (a job file, an old job) is shown safely."""

    def get_line(self, line_index: int) -> Text:
        """Textual draws this."""
        return Text(safe_letters(self.document.get_line(line_index), keep="\t"), end="", no_wrap=True)
