"""From columns to rows: the identifier and the priority are taken out, everything else is kept as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tui_batch.domain.item import NewRow
from tui_batch.domain.job import MOST_PRIORITY, InputSource
from tui_batch.safe_text import shortened

PRIORITY_WORDS: Mapping[str, int] = {"urgent": 20, "high": 10, "normal": 0, "low": -10}
"""Words a priority column may hold."""
MAX_REJECT_TEXT = 1_000_000
"""Characters of a bad row that are kept."""

TOO_LARGE = "holds a whole number of more than 64 bits; write it as text"

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be used."""

    line: int | None
    """As in NewRow."""
    reason: str
    text: str
    """The row as found, as far as it can be shown, at most MAX_REJECT_TEXT characters."""


Read = NewRow | Reject
"""What a reader yields."""


class RowFactory:
    """Makes rows from columns, with the identifier and priority columns of one source."""

    def __init__(self, source: InputSource, default: Callable[[Any], Any] | None = None) -> None:
        """`default` turns a value that JSON does not know into one that it does, or raises TypeError."""
        # None for a role that is switched off: no JSON object has such a name, while "" is possible.
        self._custom_id = source.custom_id_column or None
        self._priority = source.priority_column or None
        self._default = default

    def make(self, line: int | None, columns: Mapping[Any, Any]) -> Read:
        """A row, or a reject when its identifier or priority is bad or a value cannot be written as JSON."""
        try:
            data = orjson.dumps(columns, self._default)
        except TypeError as error:
            return Reject(line, _why_unwritable(error), shown(columns))
        custom_id = columns.get(self._custom_id)
        priority = columns.get(self._priority)
        if custom_id is None and priority is None:
            return NewRow(line, None, 0, data)
        try:
            return NewRow(line, self._read_id(custom_id), self._read_priority(priority), data)
        except ValueError as error:
            return Reject(line, str(error), shown(columns))

    def _read_id(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value or None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise ValueError(f"{self._custom_id}: must be text or a whole number")

    def _read_priority(self, value: Any) -> int:
        number = _whole(value)
        if number is None:
            words = ", ".join(PRIORITY_WORDS)
            raise ValueError(f"{self._priority}: {short(value)} is neither a whole number nor one of {words}")
        if abs(number) > MOST_PRIORITY:
            raise ValueError(f"{self._priority}: {number} is not between -{MOST_PRIORITY} and {MOST_PRIORITY}")
        return number


def shown(columns: Any) -> str:
    """Bad columns as text for the rejects file: JSON where possible."""
    try:
        return orjson.dumps(columns, default=repr).decode()[:MAX_REJECT_TEXT]
    except TypeError:
        return clean(_as_python(columns))


def clean(text: str | bytes) -> str:
    """Text of a bad row made fit for UTF-8 and cut to size."""
    if isinstance(text, str):
        text = text[:MAX_REJECT_TEXT].encode("utf-8", "surrogatepass")
    return text[: 4 * MAX_REJECT_TEXT].decode("utf-8", "replace")[:MAX_REJECT_TEXT].rstrip("\r\n")


def _whole(value: Any) -> int | None:
    """A priority's value as a number; None when it is no priority. An empty cell is 0."""
    if value is None or value == "":
        return 0
    if isinstance(value, str):
        word = value.strip().lower()
        if word in PRIORITY_WORDS:
            return PRIORITY_WORDS[word]
        return int(word) if _NUMBER.fullmatch(word) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, float):  # tables with an empty cell turn whole numbers into floats
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) else None


def short(value: Any, longest: int = 40) -> str:
    """A value for a message, on one line, cut where it would fill a screen."""
    return shortened(clean(_as_python(value[:longest] if isinstance(value, str) else value)), longest)


def _as_python(value: Any) -> str:
    """As Python writes a value. It gives up on what is nested about as deep as JSON may be."""
    try:
        return repr(value)
    except RecursionError:
        return "(nested too deeply to be shown)"


def _why_unwritable(error: TypeError) -> str:
    """orjson's refusal in words for a person."""
    text = str(error.__cause__ or error)
    if "surrogates" in text:
        return "is not valid UTF-8"
    if "64-bit" in text:
        return TOO_LARGE
    if "Recursion" in text:
        return "is nested too deeply"
    return f"holds a value that is not JSON ({text})"
