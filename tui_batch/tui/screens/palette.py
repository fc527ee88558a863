"""The palette: everything that can be done now, by a few letters of its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui_batch.safe_text import safe_text
from tui_batch.tui.finding import found
from tui_batch.tui.screens.dialog import Dialog
from tui_batch.tui.widgets.entry import Entry

LISTED = 60
"""Entries shown at most."""


@dataclass(frozen=True, slots=True)
class Command:
    """An entry."""

    label: str
    """May be foreign text."""
    detail: str
    key: str
    """As shown; empty: it has none."""
    do: Callable[[], None]


class Palette(Dialog[Command | None]):
    """Dismissed with the chosen command, which the caller does once the palette is gone."""

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > .box { margin: 2 0 0 0; max-width: 90; max-height: 80%; }
    Palette Input { border: none; height: 1; padding: 0; background: $panel; margin: 0 0 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
    ]

    def __init__(self, commands: Sequence[Command]) -> None:
        super().__init__()
        self._commands = tuple(commands)
        self._listed: list[Command] = []

    def compose(self) -> ComposeResult:
        """What is typed, and what it finds."""
        with Vertical(classes="box"):
            yield Entry(placeholder="an action, a place, a job, a theme", compact=True)
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        """Everything is listed before anything is typed."""
        self.query_one(OptionList).can_focus = False
        self._list("")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._list(event.value)

    def _list(self, typed: str) -> None:
        self._listed = found(typed, self._commands, lambda command: f"{command.label} {command.detail}", LISTED)
        entries = self.query_one(OptionList)
        entries.clear_options()
        width = max((len(command.key) for command in self._listed), default=0)
        entries.add_options(Option(_line(command, width)) for command in self._listed)
        entries.highlighted = 0 if self._listed else None

    def action_move(self, step: int) -> None:
        """Moves in the list while typing goes on."""
        entries = self.query_one(OptionList)
        if self._listed:
            at = (entries.highlighted or 0) + step
            entries.highlighted = max(0, min(at, len(self._listed) - 1))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        at = self.query_one(OptionList).highlighted
        if at is not None and self._listed:
            self.dismiss(self._listed[at])

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._listed[event.option_index])


def _line(command: Command, width: int) -> Content:
    key = (f"{command.key:>{width}}  ", "bold")
    return Content.assemble(key, safe_text(command.label, 100), "  ", (safe_text(command.detail, 150), "dim"))
