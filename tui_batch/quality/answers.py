"""An answer as checks and screens see it: its text, and its JSON where it is JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import orjson

from tui_batch.domain.nesting import is_deeper
from tui_batch.domain.request import Json
from tui_batch.quality.texts import column_text

LONGEST_PARSED = 64 * 1024
"""Characters of an answer that lists and filters still read for its fields."""
DEEPEST = 4
"""Levels of an answer whose fields are offered by name; deeper ones can be typed."""


MOST_LEVELS = 200
"""Lists and objects within one another in an answer that is read as JSON. What writes cells and rows goes 254 deep."""


class Unreadable(Exception):
    """The answer does not hold what is asked for; the words are for a person, and for the model."""


def unfenced(text: str) -> str:
    """The text without the Markdown fence that models like to put around JSON."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped[stripped.index("\n") + 1 : -3]
    return stripped


def parsed_answer(text: str | None) -> Mapping[str, Json] | None:
    """An answer that is a JSON object, by its fields; None for any other answer, and for one nested beyond reason.

    It is parsed when it is shown: a copy of the fields in the database would double its size.
    """
    if not text or not (bare := unfenced(text)).startswith("{"):
        return None
    try:
        value = orjson.loads(bare)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and not _is_deep(bare, value) else None


def _is_deep(text: str, value: Json) -> bool:
    """Whether an answer has more than MOST_LEVELS."""
    return text.count("[") + text.count("{") > MOST_LEVELS and is_deeper(value, MOST_LEVELS)


def field_at(fields: Mapping[str, Json], path: str) -> Json:
    """The value of a field, or of the one that a path such as `people.0.name` leads to; None where there is none."""
    if path in fields:
        return fields[path]
    try:
        return _walked(fields, path)
    except LookupError:
        return None


def _walked(value: Json, path: str) -> Json:
    """What a path leads to. Raises LookupError where it leads nowhere."""
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value[step]
        elif isinstance(value, list) and step.isdecimal():
            value = value[int(step)]
        else:
            raise LookupError(path)
    return value


def paths_of(fields: Mapping[str, Json], deepest: int = DEEPEST) -> Iterator[str]:
    """The fields by their paths, each before those in it: `person`, `person.age`. Entries of lists are left out."""
    for name, value in fields.items():
        yield name
        if isinstance(value, Mapping) and deepest > 1:
            yield from (f"{name}.{path}" for path in paths_of(value, deepest - 1))


def answer_text(text: str | None, path: str) -> str | None:
    """A field of an answer as text with case folded; None: the answer has no such field, or it is null."""
    value = _value_at(text, path)
    return None if value is None else column_text(value).casefold()


def answer_number(text: str | None, path: str) -> float | None:
    """A field of an answer that is a number; None for any other."""
    value = _value_at(text, path)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


LONGEST_KEY = 100
"""Characters by which texts are ordered: those that are alike so far stay in the order of the input."""


def answer_key(text: str | None, path: str) -> float | str | None:
    """What an answer is ordered by: a field's number, else its text with case folded and cut; None without it."""
    value = _value_at(text, path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None if value is None else column_text(value)[:LONGEST_KEY].casefold()


def _value_at(text: str | None, path: str) -> Json:
    fields = None if text is None or len(text) > LONGEST_PARSED else parsed_answer(text)
    return None if fields is None else field_at(fields, path)


class Answer:
    """One answer under examination. What only some checks need is worked out when one asks for it."""

    def __init__(self, text: str, columns: Mapping[str, Json], *, cut: bool = False) -> None:
        self.text = text
        self.columns = columns
        """The row's columns that checks refer to."""
        self.cut = cut
        """A length limit ended it, or the server read only a part of the prompt."""

    @cached_property
    def _parsed(self) -> Json | Unreadable:
        bare = unfenced(self.text)
        try:
            value = orjson.loads(bare)
        except orjson.JSONDecodeError as error:
            return Unreadable(f"the answer is not JSON: {error}")
        return Unreadable("the answer is nested too deep") if _is_deep(bare, value) else value

    @property
    def value(self) -> Json:
        """The answer's JSON. Raises Unreadable."""
        if isinstance(self._parsed, Unreadable):
            raise self._parsed
        return self._parsed

    def at(self, field: str) -> Json:
        """The value of a JSON field (a path such as `people.0.name`), the whole text without one. Raises Unreadable."""
        if not field:
            return self.text
        value = self.value
        if isinstance(value, Mapping) and field in value:  # a name may have dots of its own
            return value[field]
        try:
            return _walked(value, field)
        except LookupError:
            raise Unreadable(f"the answer has no field {field}") from None

    def text_at(self, field: str) -> str:
        """That value as text. Raises Unreadable."""
        return column_text(self.at(field))
