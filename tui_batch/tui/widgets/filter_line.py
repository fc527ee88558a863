"""The line in which a filter is typed: completes as one types, says what is wrong, and never blocks the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import Suggester
from textual.timer import Timer
from textual.widgets import Input

from tui_batch.domain.item_filter import Choice, ItemFilter
from tui_batch.tui.widgets.entry import Entry
from tui_batch.work.filter_words import FilterError, complete, parse_filter, tokens

PAUSE_S = 0.2
"""After the last key, before what was typed is looked for."""
KEPT = 50
"""Filters that can be recalled."""


class _Completing(Suggester):
    """Goes on with the first option that fits."""

    def __init__(self, known: Mapping[Choice, Sequence[str]], fields: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.known = known
        self.fields = fields

    async def get_suggestion(self, value: str) -> str | None:
        """The whole line as it would be."""
        found = complete(value, len(value), self.known, self.fields)
        if not found.options or found.start == len(value):
            return None
        return value[: found.start] + found.options[0]


class FilterLine(Entry):
    """Hidden until it is opened. Tab takes the completion, up recalls, enter and escape go back to the list."""

    DEFAULT_CSS = """
    FilterLine { display: none; height: 1; border: none; background: $panel; }
    FilterLine.-textual-compact { padding: 0 1; }
    FilterLine.open { display: block; }
    FilterLine:focus { border: none; background: $primary 20%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "cursor_right", "complete", show=False),
        Binding("escape", "leave(False)", "back", show=False),
        Binding("up", "recall(1)", "an earlier filter", show=False),
        Binding("down", "recall(-1)", "a later filter, then to the list", show=False),
    ]

    class Applied(Message):
        """A filter is to be shown."""

        def __init__(self, chosen: ItemFilter) -> None:
            super().__init__()
            self.chosen = chosen

    class Refused(Message):
        """What stands there means nothing."""

        def __init__(self, error: FilterError) -> None:
            super().__init__()
            self.error = error

    class Left(Message):
        """Back to the list."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            placeholder='state:dead model:gpt attempts>2 "free text" -word    ↑ earlier ones',
            compact=True,
            select_on_focus=False,
            id=id,
        )
        self._wait: Timer | None = None
        self._before = ""
        self._applied: list[str] = []
        """Filters that were left standing, the newest first."""
        self._recalled = 0
        """Which of them stands there, from 1; 0: what was typed."""
        self._typed = ""

    def know(self, known: Mapping[Choice, Sequence[str]], fields: Sequence[str] = ()) -> None:
        """The values of this job's open choices and the fields of its answers, for completion."""
        self.suggester = _Completing(known, fields)

    def know_fields(self, fields: Sequence[str]) -> None:
        """More of its answers were read: these are their fields."""
        self.know(self.suggester.known if isinstance(self.suggester, _Completing) else {}, fields)

    def open(self) -> None:
        """Shows the line and takes the focus."""
        self._before = self.value
        self._recalled = 0
        self.add_class("open")
        self.focus()

    def action_recall(self, step: int) -> None:
        """An earlier filter, or a later one, after the last of which comes the list."""
        if step < 0 and not self._recalled:
            self.action_leave(True)
            return
        if not self._recalled:
            self._typed = self.value
        other = [text for text in self._applied if text != self._typed.strip()]
        self._recalled = max(0, min(len(other), self._recalled + step))
        self.value = other[self._recalled - 1] if self._recalled else self._typed
        self.cursor_position = len(self.value)

    def put(self, text: str) -> None:
        """Another filter, set from elsewhere; nothing is posted."""
        with self.prevent(Input.Changed):
            self.value = text
        self.set_class(bool(text), "open")

    def options(self) -> tuple[str, ...]:
        """What the word at the cursor may become."""
        if isinstance(self.suggester, _Completing):
            return complete(self.value, self.cursor_position, self.suggester.known, self.suggester.fields).options
        return complete(self.value, self.cursor_position).options

    def on_input_changed(self, event: Input.Changed) -> None:
        """Looks for it once the keys rest."""
        event.stop()
        if self._wait is not None:
            self._wait.stop()
        self._wait = self.set_timer(PAUSE_S, self._apply_so_far)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self.action_leave(True)

    def action_leave(self, keep: bool) -> None:
        """Back to the list; escape takes what was typed since back."""
        if not keep:
            with self.prevent(Input.Changed):
                self.value = self._before
        if self.apply():
            if text := self.value.strip():
                self._applied = [text, *(one for one in self._applied if one != text)][:KEPT]
            self.set_class(bool(self.value.strip()), "open")
            self.post_message(self.Left())

    def apply(self) -> bool:
        """Posts the filter, or what is wrong with it; says whether it is one."""
        if self._wait is not None:
            self._wait.stop()
            self._wait = None
        return self._post(self.value)

    def _apply_so_far(self) -> None:
        """While it is typed: without the word at the end that may still become a key or a value."""
        words = list(tokens(self.value))
        unfinished = bool(words) and not self.value[-1:].isspace() and bool(self.options())
        self._post(self.value[: words[-1].start] if unfinished else self.value)

    def _post(self, text: str) -> bool:
        try:
            chosen = parse_filter(text)
        except FilterError as error:
            self.post_message(self.Refused(error))
            return False
        self.post_message(self.Applied(chosen))
        return True
