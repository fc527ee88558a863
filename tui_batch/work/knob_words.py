"""The knobs as a person types them, in the command `set` and in the settings dialog: `rpm=20k`, `budget=none`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tui_batch import figures
from tui_batch.domain.job import MOST_IN_FLIGHT, MOST_PRIORITY, Cap, Knobs
from tui_batch.domain.request import Json
from tui_batch.work.amounts import dollar_digits, read_dollars, read_whole
from tui_batch.work.tag_words import read_tags, tag_words

NONE = "none"
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Knob:
    """How one knob is typed."""

    field: str
    """Its name in domain.Knobs."""
    read: Callable[[str], Json]
    """What was typed as a value of that field. Raises ValueError with words."""
    text: Callable[[Knobs], str]
    """Its value as one types it."""
    examples: tuple[str, ...]
    without: str = ""
    """The word for no value of one's own; empty: it always has one."""


def read_concurrency(text: str) -> int | None:
    """Requests in flight at most; None: auto. Raises ValueError with words."""
    if text.strip().lower() == AUTO:
        return None
    try:
        return read_whole(text, 1, MOST_IN_FLIGHT)
    except ValueError:
        raise ValueError(f"must be auto or a whole number from 1 to {MOST_IN_FLIGHT:,}") from None


def _or_none(read: Callable[[str], int]) -> Callable[[str], int | None]:
    def parse(text: str) -> int | None:
        if text.strip().lower() == NONE:
            return None
        try:
            return read(text)
        except ValueError as error:
            raise ValueError(f"{error}, or {NONE}") from None

    return parse


def _cap(text: str) -> str:
    word = text.strip().lower()
    if word not in frozenset(Cap):
        raise ValueError(f"must be {' or '.join(Cap)}")
    return word


def _number(value: int | None) -> str:
    return NONE if value is None else str(value)


KNOBS: Mapping[str, Knob] = {
    "concurrency": Knob(
        "concurrency", read_concurrency, lambda knobs: str(knobs.concurrency or AUTO), ("32", AUTO), AUTO
    ),
    "rpm": Knob("rpm", _or_none(read_whole), lambda knobs: _number(knobs.rpm), ("600", NONE), NONE),
    "tpm": Knob("tpm", _or_none(read_whole), lambda knobs: _number(knobs.tpm), ("90k", NONE), NONE),
    "budget": Knob(
        "budget_nano",
        _or_none(read_dollars),
        lambda knobs: NONE if knobs.budget_nano is None else dollar_digits(knobs.budget_nano),
        ("2.50", NONE),
        NONE,
    ),
    "cap": Knob("cap", _cap, lambda knobs: knobs.cap.value, tuple(Cap)),
    "priority": Knob(
        "priority",
        lambda text: read_whole(text, -MOST_PRIORITY, MOST_PRIORITY),
        lambda knobs: str(knobs.priority),
        ("5",),
    ),
    "tags": Knob("tags", read_tags, lambda knobs: tag_words(knobs.tags), ("team=red,quarter=q3", NONE), NONE),
}
"""By the name that is typed."""


def rates(knobs: Knobs) -> list[str]:
    """A job's own requests and tokens a minute, where it has such limits: `600 RPM`."""
    return [f"{value:,} {name}" for name, value in (("RPM", knobs.rpm), ("TPM", knobs.tpm)) if value is not None]


def limits_line(knobs: Knobs) -> str:
    """What bounds a job: `concurrency auto, 600 RPM, budget $5.00`."""
    budget = [] if knobs.budget_nano is None else [f"budget {figures.budget(knobs)}"]
    return ", ".join([f"concurrency {knobs.concurrency or AUTO}", *rates(knobs), *budget])
