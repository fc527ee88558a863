"""What a job holds answers to, and how it watches their quality over the run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui_batch.domain.request import Json


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is asked of every answer. The kinds are in quality/kinds.py."""

    kind: str
    """labels, regex, length, equals, ..."""
    argument: Json = None
    """What the kind needs: the labels, the pattern, the column with the reference; JSON values only."""
    field: str = ""
    """Path of the answer's JSON field that is looked at, such as `person.age`; empty: the whole text."""
    at_least: float | None = None
    """For kinds that give a score: below it the answer fails. None: the answer is only scored."""
    tolerance: float = 0.0
    """For numbers: how far off the answer may be, in the unit of the reference."""


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """What one check has against an answer. It never holds the reference, so that a model may be told."""

    check: str
    """Its kind, or `schema`."""
    field: str
    """The answer's field that it looks at; empty: the whole text."""
    message: str
    """What is wrong, in words."""

    def __str__(self) -> str:
        """For a person."""
        return self.message if self.message.startswith(self.check) else f"{self.check}: {self.message}"


class OnInvalid(StrEnum):
    """What becomes of an answer that fails a check."""

    RETRY = "retry"
    """Asked again, then dead."""
    TELL = "tell"
    """Asked again with the answer and what was wrong with it, then dead."""
    DEAD = "dead"
    """Dead at once, the answer kept."""
    FLAG = "flag"
    """Done, with a flag."""


class OnDrift(StrEnum):
    """What happens when answers get worse."""

    OFF = "off"
    WARN = "warn"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class DriftRule:
    """From when on answers count as worse than before. A statistical test comes on top: see quality/drift.py."""

    window: int = 100
    """Answers that are compared with those before."""
    minimum: float = 0.6
    """The mean score should not be below this (0 to 1)."""
    drop: float = 0.1
    """A mean score lower by this, or a share of bad signs higher by this, is worth a word (0 to 1)."""
