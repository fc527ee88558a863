"""What stands around the places: the title line, the row of places, and the line of key hints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui_batch.tui.actions import HINTS, by_id
from tui_batch.tui.tones import Spans, Tone, plain, styled, styles_of


Hint: TypeAlias = tuple[str, str, str]
"""(key, label, what a click does)"""


class TitleLine(Widget):
    """The program, the database, and what the engine does."""

    DEFAULT_CSS = "TitleLine { height: 1; background: $panel; color: $foreground; }"
    left: reactive[Spans] = reactive(plain(""))
    right: reactive[Spans] = reactive(plain(""))

    def render(self) -> Text:
        """One line; the left side gives way."""
        styles = styles_of(self.app.theme_variables)
        left, right = styled(self.left, styles), styled(self.right, styles)
        right.truncate(max(0, self.size.width - 2), overflow="ellipsis")
        left.truncate(max(0, self.size.width - right.cell_len - 3), overflow="ellipsis")
        gap = self.size.width - 2 - left.cell_len - right.cell_len
        return Text.assemble(" ", left, " " * max(1, gap), right, " ")


class PlaceBar(Widget):
    """The six places with their digits; a click goes there."""

    DEFAULT_CSS = "PlaceBar { height: 1; background: $surface; color: $foreground; }"
    current: reactive[int] = reactive(0)

    class Chosen(Message):
        """A place was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__()
        self._titles = tuple(titles)

    def render(self) -> Text:
        """` 1 Jobs  2 Items …`; the current one is reversed, so that it shows without colours."""
        styles = styles_of(self.app.theme_variables)
        line = Text(no_wrap=True, end="")
        for number, title in enumerate(self._titles):
            mark = "bold reverse" if number == self.current else styles[Tone.MUTED]
            line.append(f" {number + 1} {title} ", mark)
        return line

    def on_click(self, event: events.Click) -> None:
        """Finds the title under the pointer."""
        at = 0
        for number, title in enumerate(self._titles):
            at += len(title) + 4
            if event.x < at:
                self.post_message(self.Chosen(number))
                return


class Hints(Widget):
    """At most eight keys that do something here and now. A click does it."""

    DEFAULT_CSS = "Hints { height: 1; background: $panel; color: $foreground; }"

    def on_mount(self) -> None:
        """Follows the focus."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _screen: self.refresh())

    def hints(self) -> list[Hint]:
        """(key, label, what a click does) in order of rank; the general ones last."""
        found: dict[str, tuple[int, str, str, str]] = {}
        for active in self.screen.active_bindings.values():
            action = by_id(active.binding.id or "")
            if action is None or not action.rank or not active.enabled:
                continue
            key = self.app.get_key_display(active.binding)
            if action.id not in found or len(key) < len(found[action.id][1]):  # the simplest of several keys
                found[action.id] = (action.rank, key, action.label, f"app.press('{active.binding.key}')")
        ranked = sorted(found.values())
        general = [hint for hint in ranked if hint[0] >= 90]
        own = [hint for hint in ranked if hint[0] < 90][: HINTS - len(general)]
        return [(key, label, action) for _, key, label, action in (*own, *general)]

    def render(self) -> Text:
        """Keys strong, labels plain. Where the line is short the lesser ones of the place go, never help and quit."""
        styles = styles_of(self.app.theme_variables)
        line = Text(no_wrap=True, end="")
        for key, label, action in fitting_hints(self.hints(), self.size.width):
            click = Style(meta={"@click": action})
            line.append(f" {key}", styles[Tone.ACCENT] + styles[Tone.STRONG] + click)
            line.append(f" {label} ", click)
        return line


GENERAL = 3
"""Help, palette, quit: the last of the hints."""


def fitting_hints(hints: Sequence[Hint], width: int) -> list[Hint]:
    """The hints that fit whole: the last before the general ones are left out first, then the palette."""
    kept = list(hints)
    while len(kept) > 1 and sum(len(key) + len(label) + 3 for key, label, _ in kept) > width:
        kept.pop(max(0, len(kept) - GENERAL - 1) if len(kept) > GENERAL else len(kept) // 2)
    return kept
