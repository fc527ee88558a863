"""What a section of a report is made of: plain values that a writer renders in its format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Note:
    """A paragraph."""

    words: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values; a value may have several lines."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a table's column."""

    name: str
    right: bool = False
    """Figures, flush right."""
    whole: bool = False
    """Cells are never broken over lines: dates with a time."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells in words."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture; formats without pictures leave it out, as its figures stand in a table too."""

    title: str
    svg: str
    """Finished markup: everything foreign in it is escaped."""


@dataclass(frozen=True, slots=True)
class Text:
    """A longer text under a title, line ends kept."""

    title: str
    words: str


Block: TypeAlias = Note | Facts | Table | Chart | Text


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report under a heading."""

    title: str
    blocks: tuple[Block, ...]
