"""Choosing colours: the app wears the theme under the cursor, and keeps it or takes it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import on
from textual.widgets import OptionList

from tui_batch.tui.screens.menu import Choice, Menu


class ThemeChooser(Menu[str]):
    """Dismissed with the name of the chosen theme, or None."""

    def __init__(self, names: Sequence[str], current: str, wear: Callable[[str], None]) -> None:
        super().__init__(
            "Theme",
            [Choice("", name, name) for name in names],
            detail="up and down show it, enter keeps it, esc takes it back",
            at=names.index(current) if current in names else 0,
        )
        self._names = tuple(names)
        self._wear = wear

    @on(OptionList.OptionHighlighted)
    def _shown(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._wear(self._names[event.option_index])
