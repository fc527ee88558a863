"""Several lines that a person types into. By itself: Textual's text area takes long to load."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.widgets import TextArea

from tui_batch.safe_text import safe_letters
from tui_batch.tui.widgets.in_order import keys_of, own_key


class Area(TextArea):
    """Text from elsewhere (a job file, an old job) is shown safely."""

    _EDITING = keys_of(TextArea.BINDINGS) | {"enter"}

    async def on_key(self, event: events.Key) -> None:
        """What was typed first is done first."""
        await own_key(self, event)

    def keeps(self, event: events.Key) -> bool:
        """A letter, another line, and what moves or deletes in the text."""
        return event.is_printable or event.key in self._EDITING

    def get_line(self, line_index: int) -> Text:
        """Textual draws this."""
        return Text(safe_letters(self.document.get_line(line_index), keep="\t"), end="", no_wrap=True)
