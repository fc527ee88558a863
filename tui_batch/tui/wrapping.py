"""Text of any length as lines of a width. Pure; a megabyte of odd characters takes a moment: call it in a thread."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import get_character_cell_size

from tui_batch.safe_text import safe_text

MOST_HITS = 10_000


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of text under a heading."""

    text: str
    heading: str = ""
    """Foreign text may be in it; empty: none."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A text made safe, and where its lines begin."""

    text: str
    starts: tuple[int, ...]
    """Offsets of the lines in `text`; one more at the end."""
    headings: tuple[tuple[int, int], ...]
    """Offsets from where to where a heading stands."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def line(self, number: int) -> str:
        """The line without its end."""
        return self.text[self.starts[number] : self.starts[number + 1]].rstrip("\n")

    def line_at(self, offset: int) -> int:
        """Number of the line in which an offset lies."""
        return max(0, bisect_right(self.starts, offset) - 1)

    def is_heading(self, number: int) -> bool:
        """Whether the line is part of a heading."""
        return any(start <= self.starts[number] < end for start, end in self.headings)

    def find(self, words: str) -> tuple[tuple[int, int], ...]:
        """Where the words stand, without regard to case: offsets from where to where, MOST_HITS at most."""
        if not words:
            return ()
        hits: list[tuple[int, int]] = []
        for found in re.finditer(re.escape(safe_text(words)), self.text, re.IGNORECASE):
            hits.append(found.span())
            if len(hits) >= MOST_HITS:
                break
        return tuple(hits)


def wrap(blocks: Sequence[Block], width: int) -> Wrapped:
    """The blocks under each other, no line wider than `width` cells, broken at blanks where there are any."""
    parts: list[str] = []
    headings: list[tuple[int, int]] = []
    length = 0
    for block in blocks:
        if block.heading:
            heading = safe_text(block.heading, 500) + "\n"
            headings.append((length, length + len(heading)))
            parts.append(heading)
            length += len(heading)
        body = "\n".join(safe_text(line.rstrip("\r")) for line in block.text.split("\n"))
        body = body.rstrip("\n") + ("\n\n" if block is not blocks[-1] else "\n")
        parts.append(body)
        length += len(body)
    text = "".join(parts)
    return Wrapped(text, tuple(_starts(text, max(2, width))), tuple(headings))


def _starts(text: str, width: int) -> Iterator[int]:
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        stop = len(text) if end < 0 else end
        yield from _breaks(text, at, stop, width)
        at = stop + 1
    yield len(text)


def _breaks(text: str, start: int, stop: int, width: int) -> Iterator[int]:
    """Where the lines of one paragraph begin."""
    yield start
    narrow = text.isascii() or text[start:stop].isascii()
    while True:
        cut = min(start + width, stop) if narrow else _reach(text, start, stop, width)
        if cut >= stop:
            return
        blank = text.rfind(" ", start + width // 2, cut)
        start = blank + 1 if blank >= 0 else cut
        yield start


def _reach(text: str, start: int, stop: int, width: int) -> int:
    """How far `width` cells go; at least one character."""
    room = width
    for at in range(start, stop):
        room -= get_character_cell_size(text[at])
        if room < 0:
            return max(at, start + 1)
    return stop
