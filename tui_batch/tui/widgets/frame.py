"""What stands around the places: the title line, the row of places, and the line of key hints."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui_batch.tui.actions import HINTS, Action, by_id
from tui_batch.tui.tones import Spans, Tone, plain, styled, styles_of

GENERAL_RANK = 90
"""From this rank on a hint is no place's own: help, palette, quit."""
ABOUT_JOBS = frozenset({"app", "job"})
AFTER_OWN = 20
"""Added to the rank of what is about jobs, where a place has keys of its own."""


@dataclass(frozen=True, order=True, slots=True)
class Hint:
    """A key that does something here and now."""

    rank: int
    shown: str
    label: str
    key: str

    @property
    def width(self) -> int:
        """Cells that it takes, with its spaces."""
        return cell_len(self.shown) + cell_len(self.label) + 3


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
        """In order of rank; the general ones last."""
        found: dict[str, Hint] = {}
        usable = [(active.binding, by_id(active.binding.id or "")) for active in self.screen.active_bindings.values()
                  if active.enabled]  # fmt: skip
        contexts = {action.context for _, action in usable if action is not None}
        for binding, action in usable:
            if action is None or not action.rank:
                continue
            rank = rank_among(action, contexts)
            hint = Hint(rank, self.app.get_key_display(binding), action.label, binding.key)
            if action.id not in found or len(hint.shown) < len(found[action.id].shown):  # the simplest of several keys
                found[action.id] = hint
        return fitting_hints(sorted(found.values()), self.size.width or 1000)

    def render(self) -> Text:
        """Keys strong, labels plain."""
        styles = styles_of(self.app.theme_variables)
        line = Text(no_wrap=True, end="")
        for hint in self.hints():
            line.append(f" {hint.shown}", styles[Tone.ACCENT] + styles[Tone.STRONG])
            line.append(f" {hint.label} ")
        return line

    def on_click(self, event: events.Click) -> None:
        """Does what the key under the pointer does."""
        at = 0
        for hint in self.hints():
            at += hint.width
            if event.x < at:
                self.app.simulate_key(hint.key)
                return


def rank_among(action: Action, contexts: AbstractSet[str]) -> int:
    """The action's rank where those contexts are active. What is about jobs goes first only in the list of jobs."""
    is_elsewhere = action.context in ABOUT_JOBS and action.rank < GENERAL_RANK and "jobs" not in contexts
    return action.rank + AFTER_OWN if is_elsewhere else action.rank


def fitting_hints(hints: Sequence[Hint], width: int) -> list[Hint]:
    """At most eight, as many as fit whole. The last of the place's own are left out first, then the general ones."""
    general = [hint for hint in hints if hint.rank >= GENERAL_RANK]
    own = [hint for hint in hints if hint.rank < GENERAL_RANK][: max(0, HINTS - len(general))]
    while own and sum(hint.width for hint in (*own, *general)) > width:
        own.pop()
    while len(general) > 1 and sum(hint.width for hint in general) > width:
        general.pop(-2)
    return [*own, *general]
