"""The knobs as a form: from values to what stands in the fields, and from what was typed to changes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tui_batch.domain.job import Cap, Knobs
from tui_batch.domain.request import Json
from tui_batch.work.amounts import dollar_digits, read_dollars
from tui_batch.work.tag_words import read_tags, tag_words

NONE = "none"
AUTO = "auto"
_MOST_IN_FLIGHT = 100_000


@dataclass(frozen=True, slots=True)
class KnobField:
    """One field."""

    name: str
    """As in domain.Knobs."""
    label: str
    hint: str
    text: Callable[[Knobs], str]
    """A value as one types it."""
    read: Callable[[str], Json]
    """What was typed as a value. Raises ValueError with words."""
    option: Callable[[str], str]
    """What was typed as a word of the command `set`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A form that was read."""

    changes: Mapping[str, Json]
    """For Controller.turn; only what is other than before."""
    problems: Mapping[str, str]
    """What is wrong, by field."""
    words: tuple[str, ...]
    """The same as words for the command `set`."""


def _limit(text: str) -> int | None:
    if text in ("", NONE):
        return None
    number = text.replace(",", "").replace("_", "")
    if not (number.isascii() and number.isdigit() and 0 < int(number) < 10**12):
        raise ValueError("a whole number from 1, or none")
    return int(number)


def _concurrency(text: str) -> int | None:
    if text in ("", AUTO):
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_IN_FLIGHT):
        raise ValueError("a whole number from 1, or auto")
    return int(text)


def _budget(text: str) -> int | None:
    if text in ("", NONE):
        return None
    try:
        return read_dollars(text)
    except ValueError:
        raise ValueError("dollars such as 2.50, or none") from None


def _cap(text: str) -> str:
    if text not in frozenset(Cap):
        raise ValueError("binding or loose")
    return text


def _priority(text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 8):
        raise ValueError("a whole number; higher runs first")
    return int(text)


def _dollars(nano: int | None) -> str:
    return NONE if nano is None else dollar_digits(nano)


def _number(value: int | None, without: str = NONE) -> str:
    return without if value is None else str(value)


def _plain(name: str, without: str) -> Callable[[str], str]:
    return lambda text: f"{name}={text.replace(',', '').replace('_', '') or without}"


FIELDS: tuple[KnobField, ...] = (
    KnobField(
        "concurrency",
        "Concurrency",
        "requests in flight at most, or auto",
        lambda knobs: _number(knobs.concurrency, AUTO),
        _concurrency,
        _plain("concurrency", AUTO),
    ),
    KnobField(
        "rpm", "RPM", "requests a minute, or none", lambda knobs: _number(knobs.rpm), _limit, _plain("rpm", NONE)
    ),
    KnobField("tpm", "TPM", "tokens a minute, or none", lambda knobs: _number(knobs.tpm), _limit, _plain("tpm", NONE)),
    KnobField(
        "budget_nano",
        "Budget $",
        "dollars in all, or none",
        lambda knobs: _dollars(knobs.budget_nano),
        _budget,
        _plain("budget", NONE),
    ),
    KnobField(
        "cap",
        "Cap",
        "or loose: not held to the budget",
        lambda knobs: knobs.cap,
        _cap,
        _plain("cap", Cap.BINDING),
    ),
    KnobField(
        "priority",
        "Priority",
        "higher runs first",
        lambda knobs: str(knobs.priority),
        _priority,
        _plain("priority", "0"),
    ),
    KnobField(
        "tags",
        "Tags",
        "name=value, name=value",
        lambda knobs: tag_words(knobs.tags) if knobs.tags else "",
        read_tags,
        lambda text: f"tags={text or NONE}",
    ),
)


def texts_of(every: Sequence[Knobs]) -> dict[str, str | None]:
    """What stands in the fields for some jobs; None where they differ."""
    found: dict[str, str | None] = {}
    for field in FIELDS:
        texts = {field.text(knobs) for knobs in every}
        found[field.name] = texts.pop() if len(texts) == 1 else None
    return found


def read(before: Mapping[str, str | None], typed: Mapping[str, str]) -> Reading:
    """What was changed. A field where the jobs differ means no change as long as it is empty."""
    changes: dict[str, Json] = {}
    problems: dict[str, str] = {}
    words: list[str] = []
    for field in _touched(before, typed):
        text = _tidy(field, typed[field.name])
        try:
            changes[field.name] = field.read(text)
        except ValueError as error:
            problems[field.name] = str(error)
        else:
            words.append(field.option(text))
    return Reading(changes, problems, tuple(words))


def _touched(before: Mapping[str, str | None], typed: Mapping[str, str]) -> Iterable[KnobField]:
    for field in FIELDS:
        if typed[field.name].strip() != (before[field.name] or ""):
            yield field


def _tidy(field: KnobField, text: str) -> str:
    return text.strip() if field.name == "tags" else text.strip().lower()
