"""The registry of checks: what each is called, what it needs, and how it judges an answer.

A new kind is one entry in KINDS: job files, their schema for editors and the engine go by it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from tui_batch.domain.quality import Check
from tui_batch.domain.request import Json
from tui_batch.quality.answers import Answer
from tui_batch.quality.judging import JUDGE
from tui_batch.quality.patterns import matcher
from tui_batch.quality.texts import column_text, last_number, plain, token_f1
from tui_batch.safe_text import shortened

Test = Callable[[Answer], str]
"""The words for what is wrong with an answer; empty: nothing. Raises Unreadable."""

Measure = Callable[[Answer], float | None]
"""The score of an answer, 0 to 1; None: the row has no reference. Raises Unreadable."""

_SHOWN = 60
"""Characters of an answer that are quoted."""

_REFUSAL = re.compile(
    r"^\W*(?:i(?:['’]m| am) (?:very |really |so )?(?:sorry|afraid)\b|(?:sorry|unfortunately|apologies|as an ai)\b|"
    r"i (?:can(?:['’]t|not| not)|am unable to|am not able to|won['’]t|must decline|decline to)\b|"
    r"i['’]m (?:unable|not able) to\b|my apologies\b|it is not appropriate\b)",
    re.IGNORECASE,
)
_CANNOT = re.compile(
    r"\b(?:can(?:['’]t|not| not)|unable to|not able to|won['’]t|decline|not appropriate|against my)\b", re.IGNORECASE
)
_REFUSAL_SPAN = 300
"""Characters within which a refusal says so."""


class Shape(Enum):
    """What a kind needs to be told."""

    NOTHING = auto()
    TEXTS = auto()
    """A list of texts."""
    PATTERN = auto()
    """A regular expression."""
    COLUMN = auto()
    """The column that holds the reference. An empty one leaves the row without a score."""
    RANGE = auto()
    """A mapping with min, max or both."""
    JUDGE = auto()
    """A mapping with the model that judges, its rubric and, where they are said, its endpoint and parameters."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of check. It has either a `test` or a `measure`, made from the check's settings; a judge has neither.

    Both makers raise ValueError with the reason for settings that cannot be used.
    """

    name: str
    shape: Shape
    meaning: str
    """For the job file's schema, which editors show."""
    test: Callable[[Check], Test] | None = None
    measure: Callable[[Check], Measure] | None = None
    takes: frozenset[str] = frozenset({"field"})
    """Which of the settings field, at_least and tolerance it has."""


def _labels(check: Check) -> Test:
    known = {plain(label) for label in check.argument}

    def test(answer: Answer) -> str:
        given = answer.text_at(check.field)
        return "" if plain(given) in known else f"{_quoted(given)} is not one of: {', '.join(check.argument)}"

    return test


def _regex(check: Check) -> Test:
    found = matcher(check.argument)
    return lambda answer: (
        "" if found(given := answer.text_at(check.field)) else f"{_quoted(given)} does not match {check.argument}"
    )


def _length(check: Check) -> Test:
    low, high = check.argument.get("min") or 0, check.argument.get("max")
    if high is not None and high < low:
        raise ValueError(f"max {high} is below min {low}")

    def test(answer: Answer) -> str:
        size = len(answer.text_at(check.field).strip())
        if size < low:
            return f"it has {size:,} characters, and must have {low:,} at least"
        return "" if high is None or size <= high else f"it has {size:,} characters, and may have {high:,} at most"

    return test


def _not_empty(check: Check) -> Test:
    return lambda answer: "" if answer.text_at(check.field).strip() else "it is empty"


def _not_refused(check: Check) -> Test:
    return lambda answer: "it is a refusal" if refuses(answer.text_at(check.field)) else ""


def _not_cut(_: Check) -> Test:
    return lambda answer: "it was cut" if answer.cut else ""


def _equals(check: Check) -> Measure:
    def measure(answer: Answer) -> float | None:
        wanted = _reference(check, answer)
        return None if wanted is None else float(plain(answer.text_at(check.field)) == plain(wanted))

    return measure


def _number(check: Check) -> Measure:
    def measure(answer: Answer) -> float | None:
        wanted = _reference(check, answer)
        right = None if wanted is None else last_number(wanted)
        if right is None:
            return None
        given = last_number(answer.text_at(check.field))
        return float(given is not None and math.isclose(given, right, rel_tol=1e-9, abs_tol=check.tolerance))

    return measure


def _f1(check: Check) -> Measure:
    def measure(answer: Answer) -> float | None:
        wanted = _reference(check, answer)
        return None if wanted is None else token_f1(answer.text_at(check.field), wanted)

    return measure


def refuses(text: str) -> bool:
    """Whether a text reads like a refusal, as models word them in English; a guess from its beginning."""
    start = text[:_REFUSAL_SPAN]
    return _REFUSAL.match(start) is not None and _CANNOT.search(start) is not None


def _reference(check: Check, answer: Answer) -> str | None:
    return column_text(answer.columns.get(check.argument)).strip() or None


def _quoted(text: str) -> str:
    return f'"{shortened(text, _SHOWN)}"'


_SCORED = frozenset({"field", "at_least"})

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("labels", Shape.TEXTS, "The answer is one of these; case, quotes and a full stop do not count.", _labels),
        Kind(
            "regex",
            Shape.PATTERN,
            "This regular expression is found in the answer. It has no look-around and no back-references.",
            _regex,
        ),
        Kind("length", Shape.RANGE, "Characters the answer must and may have.", _length),
        Kind("not_empty", Shape.NOTHING, "The answer is not empty.", _not_empty),
        Kind("not_refused", Shape.NOTHING, "The answer does not read like a refusal.", _not_refused),
        Kind("not_cut", Shape.NOTHING, "No length limit cut the answer.", _not_cut, takes=frozenset()),
        Kind(
            "equals",
            Shape.COLUMN,
            "Scores 1 when the answer is what this column holds, as labels are compared, else 0.",
            measure=_equals,
            takes=_SCORED,
        ),
        Kind(
            "number",
            Shape.COLUMN,
            "Scores 1 when the last number in the answer is the one in this column, else 0.",
            measure=_number,
            takes=_SCORED | {"tolerance"},
        ),
        Kind(
            "f1",
            Shape.COLUMN,
            "Scores by the words that the answer shares with this column (token F1).",
            measure=_f1,
            takes=_SCORED,
        ),
        Kind(
            JUDGE,
            Shape.JUDGE,
            "Scores by what another model makes of the answer, by a rubric. One in a job.",
            takes=frozenset({"at_least"}),
        ),
    )
}
"""By name, in the order in which job files list them."""


def columns_of(checks: tuple[Check, ...]) -> frozenset[str]:
    """The columns that hold references."""
    return frozenset(check.argument for check in checks if KINDS[check.kind].shape is Shape.COLUMN)


def in_words(check: Check) -> str:
    """A check as a person reads it: `equals answer (field category)`."""
    settings: dict[str, Json] = {"field": check.field, "at least": check.at_least, "tolerance": check.tolerance}
    more = ", ".join(f"{name} {value}" for name, value in settings.items() if value not in ("", None, 0.0))
    argument = check.argument
    if isinstance(argument, dict):
        argument = ", ".join(f"{name} {value}" for name, value in argument.items())
    words = f"{check.kind} {column_text(argument)}".rstrip()
    return f"{words} ({more})" if more else words
