"""What takes long, told in the title line while it lasts: the newest, and how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

PARTS = 1_000
"""Steps of a progress from 0 to 1."""


class LongWork:
    """Several works may go on at once, and end in any order."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        """Shows the words; empty: nothing takes long any more."""
        self._lines: dict[int, str] = {}
        self._numbers = count()

    @property
    def words(self) -> str:
        """What takes long at this moment, and how far it is; empty: nothing."""
        *others, newest = ["", *self._lines.values()]
        more = len(others) - 1
        return f"{newest}, and {more} more" if more > 0 else newest

    @contextmanager
    def shown(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Within the block the title line says how far it is; with an unknown total it says how much is done."""
        number = next(self._numbers)

        def progress(done: int) -> None:
            if number not in self._lines:
                return  # told by another thread, and heard after the end
            part = f" {100 * done // total} %" if total else f" {done:,}"
            self._lines[number] = f"{what}{part}"
            self._tell(self.words)

        self._lines[number] = what
        try:
            progress(0)
            yield progress
        finally:
            del self._lines[number]
            self._tell(self.words)
