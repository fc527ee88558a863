"""What lists of rows have in common, whether all of their rows are in memory or not."""

from __future__ import annotations

from textual.scroll_view import ScrollView

GAP = 1
"""Cells between two columns."""
MARK = "▌"
"""Stands before a marked row: without colours it is marked too."""


class Listing(ScrollView, can_focus=True):
    """A list in which keys act at once (see quick_keys.py), and which says why it is empty."""

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._empty = empty

    @property
    def empty(self) -> str:
        """What is said where there are no rows."""
        return self._empty

    @empty.setter
    def empty(self, words: str) -> None:
        if words != self._empty:
            self._empty = words
            self.refresh()
