"""A short list to choose one of: by its key, by arrows and enter, or by mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui_batch.safe_text import safe_text
from tui_batch.tui.screens.dialog import Dialog, words

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """One of a menu's entries."""

    key: str
    """The character that takes it; empty: only arrows and mouse do."""
    label: str
    """May be foreign text."""
    value: T
    detail: str = ""
    """Shown quietly after the label."""


class Menu(Dialog[T | None], Generic[T]):
    """Dismissed with the value of the chosen entry, or None."""

    def __init__(self, title: str, choices: Sequence[Choice[T]], *, detail: str = "", at: int = 0) -> None:
        super().__init__()
        self._title = title
        self._detail = detail
        self._choices = tuple(choices)
        self._at = at

    def compose(self) -> ComposeResult:
        """Title, words, entries."""
        with Vertical(classes="box"):
            yield words(self._title, "title")
            if self._detail:
                yield words(self._detail, "under muted")
            width = max((cell_len(_label(choice)) for choice in self._choices if choice.detail), default=0)
            yield OptionList(*(Option(line(choice, width)) for choice in self._choices), markup=False)

    def on_mount(self) -> None:
        """The list has the focus."""
        entries = self.query_one(OptionList)
        entries.highlighted = self._at if self._choices else None
        entries.focus()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.take(self._choices[event.option_index])

    def on_key(self, event: events.Key) -> None:
        """An entry's own key; j and k move unless they are such keys."""
        for choice in self._choices:
            if choice.key and event.character == choice.key:
                event.stop()
                self.take(choice)
                return
        if event.key in ("j", "k"):
            entries = self.query_one(OptionList)
            (entries.action_cursor_down if event.key == "j" else entries.action_cursor_up)()

    def take(self, choice: Choice[T]) -> None:
        """An entry was chosen."""
        self.dismiss(choice.value)


class Switches(Menu[T]):
    """Entries that are switched on and off, as many as one likes; space does it too. Dismissed with None."""

    def __init__(
        self, title: str, choices: Sequence[Choice[T]], switch: Callable[[T], Sequence[Choice[T]]], *, detail: str = ""
    ) -> None:
        """`switch` is given the entry's value, and gives the entries as they read then: as many, in that order."""
        super().__init__(title, choices, detail=detail)
        self._switch = switch

    def on_key(self, event: events.Key) -> None:
        """Space too switches what is under the cursor."""
        at = self.query_one(OptionList).highlighted
        if event.key == "space" and at is not None:
            event.stop()
            self.take(self._choices[at])
        else:
            super().on_key(event)

    def take(self, choice: Choice[T]) -> None:
        """Switched, and the list stays."""
        entries = self.query_one(OptionList)
        entries.highlighted = self._choices.index(choice)
        self._choices = tuple(self._switch(choice.value))
        for number, one in enumerate(self._choices):
            entries.replace_option_prompt_at_index(number, line(one, 0))


def keys_for(labels: Sequence[str]) -> list[str]:
    """A key for each label: its first letter, or its digit where that is taken, or where it moves in the menu."""
    taken = {"j", "k"}
    found: list[str] = []
    for number, label in enumerate(labels):
        first = label[:1].lower()
        key = first if first.isalpha() and first not in taken else str(number % 10)
        taken.add(key)
        found.append(key)
    return found


def _label(choice: Choice[T]) -> str:
    return safe_text(choice.label, 200)


def line(choice: Choice[T], width: int) -> Content:
    """` k  label  detail`, on one line; details stand under each other."""
    label = _label(choice)
    gap = "  " + " " * (width - cell_len(label)) if choice.detail else ""
    return Content.assemble((f" {choice.key or ' '}  ", "bold"), label, gap, (safe_text(choice.detail, 200), "dim"))
