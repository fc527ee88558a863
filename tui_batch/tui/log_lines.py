"""What the Log place lists: lines in order of time, bounded, and a filter over them. No widget."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from tui_batch.domain.stored import Event
from tui_batch.errors import UserError

KEPT = 10_000
"""Lines beyond this number push out the oldest."""
_SLACK = 500
"""Lines above KEPT before the oldest are thrown away, so that it is not done for each line."""


class Level(StrEnum):
    """What kind of line it is."""

    YOU = "you"
    """What the person did, as the command that does the same."""
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line."""

    id: int
    """Of this list, in order of arrival."""
    at: float
    """Unix time."""
    level: Level
    text: str
    """Foreign text."""
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Lines that meet every part that is given."""

    words: tuple[str, ...] = ()
    """Found in the text, upper and lower case alike."""
    jobs: frozenset[int] = frozenset()
    levels: frozenset[Level] = frozenset()

    def admits(self, line: LogLine) -> bool:
        """Whether a line is shown."""
        if self.levels and line.level not in self.levels:
            return False
        if self.jobs and line.job_id not in self.jobs:
            return False
        text = line.text.lower() if self.words else ""
        return all(word in text for word in self.words)


_AT_LEAST = {
    Level.YOU: frozenset({Level.YOU}),
    Level.INFO: frozenset({Level.INFO, Level.WARNING, Level.ERROR}),
    Level.WARNING: frozenset({Level.WARNING, Level.ERROR}),
    Level.ERROR: frozenset({Level.ERROR}),
}


def parse_log_filter(text: str) -> LogFilter:
    """`level:warning job:3 words`. A level means it and what is worse; `level:you` means what you did.

    Raises UserError for a level or job that is none.
    """
    words: list[str] = []
    jobs: set[int] = set()
    levels: set[Level] = set()
    for part in text.lower().split():
        name, colon, value = part.partition(":")
        if colon and name == "level":
            levels |= _levels(value)
        elif colon and name == "job":
            jobs.add(_job(value))
        else:
            words.append(part)
    return LogFilter(tuple(words), frozenset(jobs), frozenset(levels))


def _levels(value: str) -> frozenset[Level]:
    found = next((level for level in Level if value and level.startswith(value)), None)
    if found is None:
        raise UserError(f"level:{value} is none of {', '.join(Level)}")
    return _AT_LEAST[found]


def _job(value: str) -> int:
    number = value.removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise UserError(f"job:{value} is no job's number")
    return int(number)


@dataclass
class LogLines:
    """The newest KEPT lines, by time."""

    last_event: int = 0
    """Id of the newest event of the store among them."""
    _lines: list[LogLine] = field(default_factory=list)
    _ids: count[int] = field(default_factory=count)

    def add(self, at: float, level: Level, text: str, job_id: int | None = None) -> None:
        """Adds a line of the app's own."""
        insort(self._lines, LogLine(next(self._ids), at, level, text, job_id), key=lambda line: line.at)
        if len(self._lines) > KEPT + _SLACK:
            del self._lines[:-KEPT]

    def add_events(self, events: Iterable[Event]) -> None:
        """Adds events of the store."""
        for event in events:
            self.last_event = max(self.last_event, event.id)
            self.add(event.at, _level_of(event.level), event.text, event.job_id)

    def matching(self, wanted: LogFilter) -> tuple[LogLine, ...]:
        """The lines that a filter admits, oldest first."""
        return tuple(line for line in self._lines[-KEPT:] if wanted.admits(line))


def _level_of(word: str) -> Level:
    """An event's level. A newer version of the program may have written one that is not known here."""
    try:
        return Level(word)
    except ValueError:
        return Level.INFO
