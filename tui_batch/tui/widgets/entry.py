"""A line that a person types into. Text from elsewhere (a path, an old job) is shown safely there too."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.suggester import SuggestionReady
from textual.widgets import Input

from tui_batch.safe_text import safe_letters
from tui_batch.tui.widgets.in_order import keys_of, own_key


class Entry(Input):
    """One line. Its value is as it was given; what is drawn has a visible character for each that is not."""

    MOST_DRAWN = 10_000
    """Characters that are drawn: nobody scrolls further, and drawing a megabyte holds everything up."""
    _EDITING = keys_of(Input.BINDINGS) - {"enter"}

    @property
    def _value(self) -> Text:
        """Textual draws this, and reckons by it where the cursor stands."""
        if self.password:
            return super()._value
        drawn = safe_letters(self.value[: self.MOST_DRAWN])
        return Text(drawn, no_wrap=True, overflow="ignore", end="")

    async def on_key(self, event: events.Key) -> None:
        """What was typed first is done first."""
        await own_key(self, event)

    def keeps(self, event: events.Key) -> bool:
        """A letter, and what moves or deletes in the line."""
        return event.is_printable or event.key in self._EDITING

    async def _on_suggestion_ready(self, event: SuggestionReady) -> None:
        """What cannot be drawn as it is, is not offered behind the cursor."""
        if safe_letters(event.suggestion) != event.suggestion:
            event.prevent_default()
